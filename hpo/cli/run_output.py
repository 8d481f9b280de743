"""Showing a run for as long as its output can be written, and stopping it when that ends."""

from __future__ import annotations

import signal

from hpo.errors import OutputError
from hpo.events import Event, OnEvent, StudyOpened
from hpo.runs.result import RunResult


class RunOutput:
    """The output of a run under way.

    An error raised where an event is shown would pass through the supervisor, or through the
    objective, and leave points behind. So the run is asked to stop as by Ctrl-C, which gives them
    back, and the error is raised when it has ended.
    """

    def __init__(self, show: OnEvent) -> None:
        self._show = show
        self._has_workers = False
        self._error: OutputError | None = None

    def note(self, event: Event) -> None:
        """Show an event.

        Raises:
            OutputError: It could not be written, and no worker is at work.
        """
        if self._error is not None:
            return
        self._has_workers = self._has_workers and not isinstance(event, RunResult)
        try:
            self._show(event)
        except OutputError as error:
            if not self._has_workers:
                raise
            self._error = error
            signal.raise_signal(signal.SIGINT)
        self._has_workers = self._has_workers or (isinstance(event, StudyOpened) and event.has_work)

    def close(self) -> None:
        """The run has ended.

        Raises:
            OutputError: Its events could not be written.
        """
        if self._error is not None:
            raise self._error
