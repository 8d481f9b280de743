"""Which database is meant: an option, the environment or the default, in this order."""

from __future__ import annotations

import os
from pathlib import Path

from hpo.errors import UserError

DEFAULT_STORAGE = "sqlite:///hpo.db"
STORAGE_VARIABLE, STORAGE_FILE_VARIABLE = "HPO_STORAGE", "HPO_STORAGE_FILE"


def storage_url(given: str | None) -> str:
    """The storage's URL: the option, else the variable, else the file it names, else the default.

    Raises:
        UserError: The file that `HPO_STORAGE_FILE` names cannot be read.
    """
    if given:
        return given
    if os.environ.get(STORAGE_VARIABLE):
        return os.environ[STORAGE_VARIABLE]
    named = os.environ.get(STORAGE_FILE_VARIABLE)
    if not named:
        return DEFAULT_STORAGE
    try:
        return Path(named).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(
            f"{STORAGE_FILE_VARIABLE} names {named}, which cannot be read: {error}"
        ) from None
