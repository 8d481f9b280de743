"""A small study in SQLite, copied for each test, and clients that speak to the layer over it."""

from __future__ import annotations

import base64
import gc
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.artifacts import FileSystemArtifactStore, upload_artifact
from werkzeug.security import generate_password_hash
from werkzeug.test import Client, TestResponse

from hpo.dashboard import make_app
from hpo.databases.storage import open_storage

from .process import dashboard

MakeClient = Callable[..., Client]
PASSWORD = "correct horse"
TOKEN = "0123456789abcdef0123456789abcdef"
HOSTILE = "<script>document.title = 'owned'</script>"


class BufferedClient(Client):
    """Reads every answer to its end, as a browser does, so that files behind it are closed."""

    def open(self, *args: Any, **kwargs: Any) -> TestResponse:
        return super().open(*args, **{"buffered": True, **kwargs})


def basic(name: str, password: str) -> dict[str, str]:
    pair = base64.b64encode(f"{name}:{password}".encode()).decode()
    return {"Authorization": f"Basic {pair}"}


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def add_trial(study: optuna.Study, x: float) -> None:
    trial = study.ask()
    trial.suggest_float("x", 0, 1)
    trial.suggest_categorical("activation", ["relu", "tanh"])
    for epoch in (1, 2):
        trial.report(x * epoch, epoch)
    trial.set_user_attr("device", "cpu")
    trial.set_user_attr("run_time_s", 1.5)
    study.tell(trial, x)


def _upload_hostile_files(folder: Path, study: optuna.Study) -> None:
    store = FileSystemArtifactStore(folder / "artifacts")
    (folder / "artifacts").mkdir()
    svg = f'<svg xmlns="http://www.w3.org/2000/svg">{HOSTILE}</svg>'
    texts = {"page.html": HOSTILE, "figure.svg": svg, "code.js": "document.title = 'owned'"}
    for name, text in texts.items():
        (folder / name).write_text(text)
        upload_artifact(artifact_store=store, file_path=str(folder / name), study_or_trial=study)


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with hpo.db, one study "first" of 6 trials, and artifacts of hostile kinds."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    folder = tmp_path_factory.mktemp("template")
    storage = open_storage(f"sqlite:///{folder / 'hpo.db'}", create=True)
    study = optuna.create_study(storage=storage.optuna, study_name="first", direction="maximize")
    for number in range(6):
        add_trial(study, number / 10)
    _upload_hostile_files(folder, study)
    storage.checkpoint()
    storage.close()
    yield folder
    gc.collect()


@pytest.fixture
def project(template: Path, tmp_path: Path) -> Path:
    """The folder of the template, the test's own."""
    return Path(shutil.copytree(template, tmp_path / "project"))


@pytest.fixture
def url(project: Path) -> str:
    return f"sqlite:///{project / 'hpo.db'}"


@pytest.fixture(scope="session")
def running(template: Path) -> Iterator[str]:
    """The address of one read-only dashboard for the tests that change nothing."""
    with dashboard(f"sqlite:///{template / 'hpo.db'}") as (address, _):
        yield address


@pytest.fixture(scope="session")
def password_hash() -> str:
    return generate_password_hash(PASSWORD, method="pbkdf2:sha256:1000")


@pytest.fixture
def make_client(project: Path, url: str) -> Iterator[MakeClient]:
    """Makes a client of the layer; takes make_app's arguments."""
    opened = []

    def make(*, writable: bool = False, **arguments: Any) -> Client:
        # Opened writable on purpose: the layer alone must keep the study as it is.
        storage = open_storage(url)
        opened.append(storage)
        store = FileSystemArtifactStore(project / "artifacts")
        arguments = {"artifact_store": store, **arguments}
        return BufferedClient(make_app(storage.optuna, writable=writable, **arguments))

    yield make
    for storage in opened:
        storage.close()
