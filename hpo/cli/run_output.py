"""Showing a run for as long as its output can be written, and stopping it when that ends."""

from __future__ import annotations

import signal
from collections.abc import Callable
from typing import TYPE_CHECKING

from hpo.errors import OutputError

if TYPE_CHECKING:
    from hpo.console import Event


class RunOutput:
    """The output of a run under way.

    An error raised where an event is shown would pass through the supervisor, or through the
    objective, and leave points behind. So the run is asked to stop as by Ctrl-C, which gives them
    back, and the error is raised when it has ended.
    """

    def __init__(self, show: Callable[[Event], None]) -> None:
        self._show = show
        self._error: OutputError | None = None

    def note(self, event: Event) -> None:
        """Show an event."""
        if self._error is not None:
            return
        try:
            self._show(event)
        except OutputError as error:
            self._error = error
            signal.raise_signal(signal.SIGINT)

    def close(self) -> None:
        """The run has ended.

        Raises:
            OutputError: Its events could not be written.
        """
        if self._error is not None:
            raise self._error
