"""The log of a worker: where it is, what a worker writes into it, and the part about one trial."""

from __future__ import annotations

import hashlib
import os
import re
import sys
import traceback
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from hpo.control_characters import visible
from hpo.streams import GuardedStream

LOG_FOLDER = "hpo-logs"
TRIAL_TITLE = "--- trial "  # begins the part of a worker's log that belongs to a trial
N_LOG_LINES = 40
_LONGEST_FOLDER = 100  # bytes; file systems take 255


def log_path(project: Path, study: str, worker: str) -> Path:
    """The log of one worker."""
    own = _plain(worker.split("/", 1)[-1])
    return project / LOG_FOLDER / _folder_name(study) / f"{own}.log"


def trial_log(project: Path, study: str, worker: str, number: int) -> list[str]:
    """The last lines that a worker wrote during one trial; none where its log is not here."""
    try:
        text = log_path(project, study, worker).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return []
    lines = text.splitlines()
    starts = [i for i, line in enumerate(lines) if line.startswith(TRIAL_TITLE)]
    for start, end in zip(starts, [*starts[1:], len(lines)], strict=True):
        if lines[start].startswith(f"{TRIAL_TITLE}{number} "):
            return lines[start:end][-N_LOG_LINES:]
    return []


def write_log(text: str) -> None:
    """Write a line into this process's log, unless the objective has closed it."""
    with suppress(ValueError):
        print(text, flush=True)  # noqa: T201


def log_traceback() -> None:
    """Write the traceback of the error at hand into this process's log, as far as that is possible.

    It is the objective's own error, and so may be anything: nothing that it raises gets out.
    """
    with suppress(BaseException):
        traceback.print_exc()


def redirect_output(log: Path) -> None:
    """Point standard output and error, of libraries too, at the worker's log.

    Where the log cannot be opened or written, its disk may be full, that is said once on what was
    standard error until now, and the worker goes on without it.
    """
    complain = _complaint_of(log, os.dup(2))
    sys.stdout.flush()
    sys.stderr.flush()
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
        opened = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    except OSError as error:
        complain(error)
        opened = os.open(os.devnull, os.O_WRONLY)
    for standard in (1, 2):
        os.dup2(opened, standard)
    os.close(opened)
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    sys.stdout = GuardedStream(sys.stdout, complain)
    sys.stderr = GuardedStream(sys.stderr, complain)


def _complaint_of(log: Path, terminal: int) -> Callable[[OSError], None]:
    """Says once, on an open file, that the log cannot be written."""
    is_said = False

    def complain(error: OSError) -> None:
        nonlocal is_said
        if is_said:
            return
        is_said = True
        text = f"{log} cannot be written: {error.strerror}. The worker goes on without its log."
        with suppress(OSError):
            os.write(terminal, f"{visible(text)}\n".encode())

    return complain


def _folder_name(study: str) -> str:
    """The study's name where it can be a folder's; else what can be kept of it, and a hash."""
    plain = _plain(study).lstrip(".")
    kept = plain.encode()[:_LONGEST_FOLDER].decode(errors="ignore")
    if kept == study:
        return kept
    return f"{kept or 'study'}-{hashlib.sha256(study.encode()).hexdigest()[:8]}"


def _plain(text: str) -> str:
    return re.sub(r"[^\w.-]+", "_", text)
