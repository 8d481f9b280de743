"""The only place that prints: messages, tables as table, JSON or CSV, and a run's progress."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol, Self

from rich.console import Console, ConsoleOptions, RenderableType
from rich.live import Live
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from hpo.control_characters import visible
from hpo.formats import Row, columns_of, csv_text, json_text

if TYPE_CHECKING:
    from hpo.runs.tally import Tally

Event = Mapping[str, Any]

PLAIN_EVERY_S = 15.0  # at least one line in this time when the output is piped
WATCH_EVERY_S = 2.0
_BAR_WIDTH = 30


class _Console(Console):
    """Rich's console, on which what others wrote is shown as text and never does anything."""

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
        """All that is printed comes through here; the terminal's own controls are marked."""
        for text, style, control in super().render(renderable, options):
            yield Segment(text if control else visible(text), style, control)


def say(text: str = "") -> None:
    """Print a line of result."""
    _Console().print(text)


def tell(text: str) -> None:
    """Print a line for people on standard error, so that results can be piped."""
    _Console(stderr=True).print(text)


def tell_to_wait() -> None:
    """Say why nothing happens yet: compiling kernels is the longest of what may go on."""
    tell("Preparing: importing the objective, loading data, compiling kernels (once a machine) ...")


def complain(text: str) -> None:
    """Print an error."""
    _Console(stderr=True).print(Text.assemble(("error: ", "bold red"), text))


def print_json(data: Any) -> None:
    """Print JSON; numbers that JSON does not know become null."""
    print(json_text(data, indent=2))


def print_json_line(data: Any) -> None:
    """Print one JSON object on one line, at once."""
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
    """Print named lines, their names aligned."""
    _Console(soft_wrap=False).print(facts_grid(facts))


def facts_grid(facts: Iterable[tuple[str, str]]) -> Table:
    """Named lines, their names aligned."""
    table = Table.grid(padding=(0, 2))
    for name, value in facts:
        table.add_row(Text(name, style="bold"), Text(visible(value)))
    return table


def rows_table(rows: Sequence[Row], title: str = "") -> Table:
    """Rows of one kind as a table; numbers stand to the right."""
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
    """Show a picture that is drawn anew every two seconds, until Ctrl-C."""
    with Live(render(), console=_Console(soft_wrap=False), refresh_per_second=4) as live:
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
    width = None if _Console().is_terminal else 10_000
    _Console(soft_wrap=False, width=width).print(rows_table(rows, title))


class RunView(Protocol):
    """What shows a run."""

    def __enter__(self) -> Self:
        """Begin to show."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End it."""

    def note(self, event: Event) -> None:
        """Show an event that the tally has taken in already."""


def view_run(tally: Tally, *, as_json: bool) -> RunView:
    """The view that fits: JSON lines if asked for, a live display on a terminal, else lines."""
    if as_json:
        return _JsonView()
    if sys.stdout.isatty():
        return _LiveView(tally)
    return _PlainView(tally)


class _JsonView:
    """One JSON object an event."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return

    def note(self, event: Event) -> None:
        print_json_line({"time": round(time.time(), 3), **event})


class _PlainView:
    """A line for each failure, and one about the whole now and then."""

    def __init__(self, tally: Tally) -> None:
        self._tally = tally
        self._next = time.monotonic() + PLAIN_EVERY_S

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            say(self._tally.line())

    def note(self, event: Event) -> None:
        text = event_line(event)
        if text:
            say(text)
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + PLAIN_EVERY_S
            say(self._tally.line())


class _LiveView:
    """A bar and three lines that are drawn anew, with failures above them."""

    def __init__(self, tally: Tally) -> None:
        self._tally = tally
        self._live = Live(
            get_renderable=lambda: _picture(tally),
            console=_Console(soft_wrap=False),
            refresh_per_second=4,
            transient=True,
        )

    def __enter__(self) -> Self:
        self._live.__enter__()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._live.__exit__(None, None, None)
        if kind is None:
            say(self._tally.line())

    def note(self, event: Event) -> None:
        text = event_line(event)
        if text:
            self._live.console.print(Text(text))


def event_line(event: Event) -> str:
    """What a person must be told of an event at once; empty for all that the tally shows."""
    kind, trial = event["event"], event.get("trial")
    if kind == "trial_failed":
        return f"trial {trial} failed: {event['reason']}"
    if kind == "trial_lost":
        back = "is given back" if event["fate"] == "RELEASED" else "is tried again"
        then = back if event["state"] == "FREE" else f"is {event['state']}"
        return f"point {event['point']} {then}: {event['reason']}"
    if kind == "worker_lost":
        return f"worker {event['worker']}: {event['reason']}"
    if kind == "stopping":
        return f"stopping: {event['reason']}"
    return ""


def format_duration(seconds: float) -> str:
    """`8 s`, `3 min 20 s`, `2 h 5 min`."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def _picture(tally: Tally) -> Text:
    counts = tally.standing.counts
    ended = counts.done + counts.failed
    filled = round(_BAR_WIDTH * ended / counts.total) if counts.total else _BAR_WIDTH
    text = Text()
    text.append("━" * filled, style="green")
    text.append("━" * (_BAR_WIDTH - filled), style="bright_black")
    text.append(f" {ended}/{counts.total}")
    left = tally.seconds_left()
    if left is not None:
        text.append(f"  about {format_duration(left)} left", style="bright_black")
    text.append("\n" + tally.line())
    best = tally.standing.winner
    if best is not None:
        shown = ", ".join(f"{name}={shorten(value)}" for name, value in best.params.items())
        text.append(f"\nbest: {shown}", style="green")
    for trial, slot in sorted(tally.running.items()):
        text.append(f"\ntrial {trial} on {slot}", style="bright_black")
    return text
