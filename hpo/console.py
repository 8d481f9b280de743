"""The only place that prints: messages, and tables as table, JSON or CSV."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.live import Live
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from hpo.control_characters import visible
from hpo.formats import Row, columns_of, csv_text, json_text

WATCH_EVERY_S = 2.0


class SafeConsole(Console):
    """Rich's console, which shows the control characters of texts instead of obeying them."""

    def __init__(self, *, stderr: bool = False, soft_wrap: bool = True, width: int | None = None):
        super().__init__(
            stderr=stderr,
            soft_wrap=soft_wrap,
            width=width,
            highlight=False,
            markup=False,
            emoji=False,
        )

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterable[Segment]:
        """Everything that is printed passes through here; rich marks its own control codes."""
        for text, style, control in super().render(renderable, options):
            yield Segment(text if control else visible(text), style, control)


def say(text: str = "") -> None:
    """Print a line of the result."""
    SafeConsole().print(text)


def tell(text: str) -> None:
    """Print a message for people on standard error, so that results can be piped."""
    SafeConsole(stderr=True).print(text)


def complain(text: str) -> None:
    """Print an error."""
    SafeConsole(stderr=True).print(Text.assemble(("error: ", "bold red"), text))


def print_json(data: Any) -> None:
    """Print JSON; numbers that JSON does not know become null."""
    print(json_text(data, indent=2))


def print_json_line(data: Any) -> None:
    """Print one JSON object on a line of its own, without delay."""
    print(json_text(data), flush=True)


def print_rows(rows: Sequence[Row], style: str, title: str = "") -> None:
    """Print rows of one kind.

    Args:
        rows: Their keys are the columns; a row may lack some.
        style: `table`, `json` or `csv`.
        title: Stands above a table.
    """
    if style == "json":
        print_json([dict(row) for row in rows])
    elif style == "csv":
        print(csv_text(rows), end="")
    else:
        _print_table(rows, title)


def print_facts(facts: Iterable[tuple[str, str]]) -> None:
    """Print names with their values, one a line and aligned."""
    SafeConsole(soft_wrap=False).print(facts_grid(facts))


def facts_grid(facts: Iterable[tuple[str, str]]) -> Table:
    """Names with their values, one a line and aligned."""
    table = Table.grid(padding=(0, 2))
    for name, value in facts:
        table.add_row(Text(name, style="bold"), Text(visible(value)))
    return table


def rows_table(rows: Sequence[Row], title: str = "") -> Table:
    """Rows of one kind as a table; numbers are aligned to the right.

    Args:
        rows: Their keys are the columns; a row may lack some.
        title: Stands above the table.
    """
    columns = columns_of(rows)
    table = Table(title=title or None, title_justify="left", header_style="bold")
    for column in columns:
        is_number = all(isinstance(row.get(column), int | float | None) for row in rows)
        table.add_column(
            Text(visible(column)), justify="right" if is_number else "left", overflow="fold"
        )
    for row in rows:
        table.add_row(*(Text(shorten(row.get(column))) for column in columns))
    return table


def watch(render: Callable[[], RenderableType]) -> None:
    """Show something and draw it again every two seconds, until Ctrl-C."""
    with Live(render(), console=SafeConsole(soft_wrap=False), refresh_per_second=4) as live:
        try:
            while True:
                time.sleep(WATCH_EVERY_S)
                live.update(render())
        except KeyboardInterrupt:
            return


def shorten(value: Any) -> str:
    """A value as a table shows it: four significant digits, nothing for None."""
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.4g}"
    return visible(json.dumps(value) if isinstance(value, dict | list) else str(value))


def _print_table(rows: Sequence[Row], title: str) -> None:
    # A pipe has no edge to wrap at.
    width = None if SafeConsole().is_terminal else 10_000
    SafeConsole(soft_wrap=False, width=width).print(rows_table(rows, title))
