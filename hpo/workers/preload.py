"""Imported once by the fork server, so that every worker forked from it starts within milliseconds.

What to preload comes in an environment variable. Nothing here may start a thread: a multi-threaded
operation in the server would hang its children. The user's objective is never imported here.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile

from sqlalchemy import URL

import hpo.workers.worker  # noqa: F401 (imports Optuna, SQLAlchemy and all of a worker's own modules)
from hpo.databases.storage import open_storage
from hpo.errors import HpoError
from hpo.workers.fork_server import VARIABLE, Preload


def preload(what: Preload) -> None:
    """Import and load; a failure here is left for the worker to meet and report."""
    try:
        _open_a_database()
        if what.torch:
            import torch  # noqa: F401
        if what.trainer:
            from hpo.training import trainer
            from hpo.training.settings import MLPSettings

            trainer.preload(MLPSettings.from_mapping(what.settings))
    except HpoError:
        return  # the objective's own check says it better
    except Exception as error:
        print(f"The fork server could not prepare everything: {error}", file=sys.stderr)  # noqa: T201


def _open_a_database() -> None:
    """Open one for nothing: what is made on first use would cost each worker 0.08 s."""
    with tempfile.TemporaryDirectory() as folder:
        url = URL.create("sqlite", database=f"{folder}/rehearsal.db")
        open_storage(url.render_as_string(), create=True).close()


if VARIABLE in os.environ:
    os.setpgid(0, 0)  # so that the watcher can end it
    preload(Preload(**json.loads(os.environ[VARIABLE])))
