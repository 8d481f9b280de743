"""Standard streams as a shell may leave them: closed, on a full disk, or without a reader."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import IO, Any

from hpo.errors import OutputError, ReaderGone

# How the null device is opened in their place: a result that goes nowhere must not look written.
_STANDARD = (("stdin", os.O_RDONLY), ("stdout", os.O_RDONLY), ("stderr", os.O_WRONLY))


class GuardedStream:
    """A text stream whose failures to write go to a function."""

    def __init__(self, stream: IO[str], on_failure: Callable[[OSError], None]) -> None:
        self._stream, self._on_failure = stream, on_failure

    def write(self, text: str) -> int:
        """Write a text; its length."""
        try:
            return self._stream.write(text)
        except OSError as error:
            self._on_failure(error)
            return len(text)

    def flush(self) -> None:
        """Write what is held back."""
        try:
            self._stream.flush()
        except OSError as error:
            self._on_failure(error)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def guard_standard_streams() -> None:
    """Make results that cannot be written an `OutputError`, and messages that cannot be lost.

    A closed stream is the null device from now on: else the next file that is opened, a database
    even, would get the stream's number, and what child processes print would be written into it.
    """
    for number, (name, flags) in enumerate(_STANDARD):
        if getattr(sys, name) is None:
            os.dup2(os.open(os.devnull, flags), number)
            os.set_inheritable(number, True)
            mode = "r" if name == "stdin" else "w"
            setattr(sys, name, open(number, mode, encoding="utf-8", closefd=False))  # noqa: SIM115
    sys.stdout = GuardedStream(sys.stdout, _fail)
    sys.stderr = GuardedStream(sys.stderr, lambda _: None)


def discard_output() -> None:
    """Throw away what standard output still holds, or Python would complain of it at its end."""
    with suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _fail(error: OSError) -> None:
    if isinstance(error, BrokenPipeError):
        raise ReaderGone from error
    raise OutputError(f"Standard output cannot be written: {error.strerror}") from error
