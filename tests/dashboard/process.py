"""A dashboard in a process of its own, as a user starts it, and what it sends."""

from __future__ import annotations

import contextlib
import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator

from hpo.dashboard.server import TOKEN_VARIABLE

PROGRAM = """
import json, sys
from pathlib import Path
from hpo.dashboard import run_dashboard
arguments = json.loads(sys.argv[1])
paths = {key: Path(arguments.pop(key)) for key in ("users", "artifacts") if key in arguments}
run_dashboard(**arguments, **paths, port=0, say=lambda line: print(line, flush=True))
"""


@contextlib.contextmanager
def dashboard(url: str, **arguments: object) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """A dashboard in a process of its own: the address of its page, and the process."""
    environment = {**os.environ}
    token = arguments.pop("token", None)
    if token:
        environment[TOKEN_VARIABLE] = str(token)
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, json.dumps({"url": url, **arguments}, default=str)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    )
    assert process.stdout
    try:
        line = process.stdout.readline()
        found = re.search(r"http://\S+", line)
        assert found, line + (process.stderr.read() if process.stderr else "")
        yield found[0].rstrip("/"), process
    finally:
        process.terminate()
        process.communicate(timeout=60)


def read_to_the_end(connection: socket.socket) -> bytes:
    """All that the server sends until it closes; a reset is an end as well."""
    received = b""
    with contextlib.suppress(ConnectionError):
        while piece := connection.recv(65536):
            received += piece
    return received
