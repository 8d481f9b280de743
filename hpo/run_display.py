"""A run as people and programs follow it: events go in, a display on what there is comes out."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Any, Protocol, Self

from rich.live import Live
from rich.text import Text

from hpo.console import SafeConsole, print_json_line, say, shorten, tell
from hpo.control_characters import visible
from hpo.durations import format_duration
from hpo.events import (
    Event,
    Note,
    Stopping,
    StudyOpened,
    TrialFailed,
    TrialLost,
    TrialReleased,
    Waiting,
    WorkerLost,
)
from hpo.runs.progress import RunProgress

PLAIN_EVERY_S = 15.0  # at least one line in this time when the output is piped
NOTEBOOK_EVERY_S = 0.5
_BAR_WIDTH = 30


class RunDisplay(Protocol):
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
        """Show an event."""


def display_run(*, as_json: bool = False) -> RunDisplay:
    """The display that fits: JSON lines if asked for, else one that changes in place, or lines."""
    if as_json:
        return _JsonLines()
    if _in_notebook():
        return _NotebookDisplay()
    return _LiveDisplay() if sys.stdout.isatty() else _PlainLines()


class _JsonLines:
    """One JSON object an event; what only people are told goes to standard error."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return

    def note(self, event: Event) -> None:
        if isinstance(event, Note):
            tell(event.text)
        elif event.name:
            print_json_line({"time": round(time.time(), 3), **event.to_json()})


class _ForPeople:
    """The opening, a line for each failure, and at the end one about the whole."""

    def __init__(self) -> None:
        self._progress = RunProgress()
        self._is_open = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if self._is_open:
            self._close()
            if kind is None:
                say(self._progress.line())

    def note(self, event: Event) -> None:
        self._progress.note(event)
        if isinstance(event, Note):
            tell(event.text)
        elif isinstance(event, StudyOpened) and event.has_work:
            say(opening(event))
            self._is_open = True
            self._open()
        elif text := event_line(event):
            self._say(text)
        if self._is_open:
            self._refresh()

    def _open(self) -> None:
        """The workers start now."""

    def _say(self, text: str) -> None:
        say(text)

    def _refresh(self) -> None:
        """Show the whole, where that is due."""

    def _close(self) -> None:
        """The workers have ended."""


class _PlainLines(_ForPeople):
    """Now and then a line about the whole, for a pipe or a file."""

    def _open(self) -> None:
        self._next = time.monotonic() + PLAIN_EVERY_S

    def _refresh(self) -> None:
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + PLAIN_EVERY_S
            say(self._progress.line())


class _LiveDisplay(_ForPeople):
    """A bar and some lines that a terminal draws anew, with failures above them."""

    def _open(self) -> None:
        self._live = Live(
            get_renderable=lambda: picture(self._progress),
            console=SafeConsole(soft_wrap=False),
            refresh_per_second=4,
            transient=True,
        )
        self._live.start()

    def _say(self, text: str) -> None:
        if self._is_open:
            self._live.console.print(Text(text))
        else:
            say(text)

    def _close(self) -> None:
        self._live.stop()


class _NotebookDisplay(_ForPeople):
    """The same picture in the output of a notebook's cell, changed in place."""

    def _open(self) -> None:
        from IPython.display import display

        self._handle: Any = display(self._bundle(), raw=True, display_id=True)  # type: ignore[no-untyped-call]
        self._next = 0.0

    def _refresh(self) -> None:
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + NOTEBOOK_EVERY_S
            self._handle.update(self._bundle(), raw=True)

    def _close(self) -> None:
        self._handle.update({"text/plain": ""}, raw=True)

    def _bundle(self) -> dict[str, str]:
        return {"text/plain": visible(picture(self._progress).plain)}


def _in_notebook() -> bool:
    """Whether a notebook's kernel runs us; IPython on a terminal is an ordinary terminal."""
    ipython: Any = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return shell is not None and hasattr(shell, "kernel")


def opening(event: StudyOpened) -> str:
    """The lines before the first trial."""
    verb = "begins" if event.is_new else "goes on"
    return (
        f"Study {event.study} {verb} in {event.storage}: {event.method}, "
        f"{event.to_go} of {event.total} trials to go\n{event.reason}"
    )


def event_line(event: Event) -> str:
    """What a person must be told of an event at once; empty for all that the picture shows."""
    match event:
        case TrialFailed():
            return f"trial {event.trial} failed: {event.reason}"
        case TrialLost():
            then = "is tried again" if event.state == "FREE" else f"is {event.state}"
            return f"point {event.point} {then}: {event.reason}"
        case TrialReleased() if event.reason:
            return f"point {event.point} is given back: {event.reason}"
        case WorkerLost():
            return f"worker {event.worker}: {event.reason}"
        case Stopping():
            return f"stopping: {event.reason}"
        case Waiting():
            awaited = ", ".join(f"trial {trial} on {slot}" for trial, slot in event.trials.items())
            more = "again" if event.interrupts_left == 1 else "twice"
            return f"waiting up to {event.grace_s:g} s for {awaited}; Ctrl-C {more} ends it now"
    return ""


def picture(progress: RunProgress) -> Text:
    """The bar, the study in one line, its best parameters, and the trials at work."""
    counts = progress.standing.counts
    ended = counts.done + counts.failed
    filled = round(_BAR_WIDTH * ended / counts.total) if counts.total else _BAR_WIDTH
    text = Text()
    text.append("━" * filled, style="green")
    text.append("━" * (_BAR_WIDTH - filled), style="bright_black")
    text.append(f" {ended}/{counts.total}")
    left = progress.seconds_left()
    if left is not None:
        text.append(f"  about {format_duration(round(left))} left", style="bright_black")
    text.append("\n" + progress.line())
    best = progress.standing.winner
    if best is not None:
        shown = ", ".join(f"{name}={shorten(value)}" for name, value in best.params.items())
        text.append(f"\nbest: {shown}", style="green")
    for trial, slot in sorted(progress.running.items()):
        text.append(f"\ntrial {trial} on {slot}", style="bright_black")
    return text
