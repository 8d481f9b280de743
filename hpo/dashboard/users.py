"""The users file of the dashboard: `name:hash` lines in, the password hash of each name out."""

from __future__ import annotations

import re
from pathlib import Path

from werkzeug.security import generate_password_hash

from hpo.errors import Fault, FileFaults, UserError
from hpo.files import replacing

SHORTEST_PASSWORD = 8
_HASH = re.compile(r"(scrypt:\d+:\d+:\d+|pbkdf2:\w+:\d+)\$[^$\s:]+\$[0-9a-f]{32,}")
LONGEST_NAME = 64


def load_users(path: Path) -> dict[str, str]:
    """Read a users file.

    One user a line, ``name:hash``; empty lines and lines that begin with ``#`` are skipped. The
    hash is werkzeug's (scrypt or PBKDF2).

    Returns:
        The password hash of every name; never empty.

    Raises:
        UserError: The file cannot be read.
        FileFaults: Every wrong line at once; the lines themselves are not shown, for they may
            hold a password.
    """
    lines = _read(path).splitlines()
    users: dict[str, str] = {}
    faults = []
    for number, line in enumerate(lines, start=1):
        if not _is_entry(line):
            continue
        name, _, hashed = line.strip().partition(":")
        message = _wrong(name, hashed, users)
        if message:
            faults.append(Fault(str(path), number, "", message))
        users[name] = hashed
    if not users:
        faults.append(Fault(str(path), 0, "", "At least one `name:hash` line must be there."))
    if faults:
        raise FileFaults(faults)
    return users


def add_user(path: Path, name: str, password: str) -> None:
    """Add a user to a users file, or give one that is in it a new password.

    The file is made with mode 600 when it is missing; an existing one keeps its mode, its comments
    and its other users. It is replaced in one step, so a reader never sees half of it.

    Args:
        path: The users file.
        name: The user's name.
        password: The new password.

    Raises:
        UserError: A name or a password that cannot be used, or a file that cannot be written.
    """
    check_name(name)
    if len(password) < SHORTEST_PASSWORD:
        raise UserError(f"A password must have at least {SHORTEST_PASSWORD} characters.")
    target = path.resolve()
    lines = _read(target).splitlines() if target.exists() else []
    kept = [line for line in lines if line.strip().partition(":")[0] != name]
    _replace(target, "\n".join([*kept, f"{name}:{generate_password_hash(password)}", ""]))


def check_name(name: str) -> None:
    """Refuse a user name that HTTP Basic or the file cannot carry.

    Raises:
        UserError: The rule and the name.
    """
    if not _is_name(name):
        raise UserError(
            f"A user name must have 1 to {LONGEST_NAME} printable characters, no colon, no space "
            f"around it and no # at its start, but got {name!r}."
        )


def _is_name(name: str) -> bool:
    is_text = name.isprintable() and name == name.strip() and len(name) <= LONGEST_NAME
    return is_text and name != "" and ":" not in name and not name.startswith("#")


def _is_entry(line: str) -> bool:
    return bool(line.strip()) and not line.lstrip().startswith("#")


def _wrong(name: str, hashed: str, users: dict[str, str]) -> str:
    """What is wrong with an entry; empty when nothing is."""
    if not _is_name(name):
        return "A line must be `name:hash`."
    if name in users:
        return f"A name must be given once, but {name!r} is given again."
    if not _HASH.fullmatch(hashed):
        return (
            f"What follows {name!r} must be a password hash, as "
            "`hpo dashboard --users FILE --add-user NAME` writes it, never a password."
        )
    return ""


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise UserError(f"The users file {path} cannot be read: {reason}.") from error


def _replace(path: Path, text: str) -> None:
    try:
        with replacing(path) as aside:
            aside.touch(0o600)
            aside.write_text(text, encoding="utf-8")
    except OSError as error:
        reason = error.strerror
        raise UserError(f"The users file {path} cannot be written: {reason}.") from error
