"""optuna-dashboard's WSGI application, with its defects worked around."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from werkzeug.datastructures import Accept
from werkzeug.http import parse_accept_header
from werkzeug.wrappers import Response

from hpo.databases.atomic_storage import AtomicStorage
from hpo.databases.deletion import refuse_while_at_work
from hpo.errors import UserError

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment
    from optuna.artifacts._protocol import ArtifactStore
    from optuna.storages import BaseStorage

_STUDY = re.compile(r"/api/studies/(\d+)")
_REMOVED = re.compile(r"/api/studies/(\d+)(/rename)?")
_EMPTY_PAGE = re.compile(r"(/dashboard/studies/\d+)/trialTable")


class Page:
    """The page on a storage.

    Both the page and Optuna's cache keep finished trials by the number of their study, and SQLite
    gives the number of a deleted study to the next one. `renew` opens the storage anew when the
    plan under a number has changed, so that nobody is shown the trials of a study that is gone.

    Args:
        storage: What the page shows; cached, or large studies are slow.
        artifact_store: Where uploaded files lie, or None.
        renew: Opens the same storage again, with an empty cache.
    """

    def __init__(
        self,
        storage: BaseStorage,
        artifact_store: ArtifactStore | None = None,
        renew: Callable[[], BaseStorage] | None = None,
    ) -> None:
        self._artifact_store = artifact_store
        self._renew = renew
        self._lock = threading.Lock()
        self._plans: dict[int, str] = {}
        self._open(storage)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer a request."""
        path = plain_path(environ)
        empty = _EMPTY_PAGE.fullmatch(path)
        if empty:
            # Nothing is drawn there; the same table, with a filter, is drawn here.
            moved = Response(status=302, headers={"Location": f"{empty[1]}/smartSelection"})
            return moved(environ, start_response)
        self._notice_replaced_study(path)
        refused = self._refusal(environ.get("REQUEST_METHOD", ""), path)
        response = refused or self._answer(_repaired(environ, path), path)
        return response(environ, start_response)

    def _answer(self, environ: WSGIEnvironment, path: str) -> Response:
        from optuna.artifacts.exceptions import ArtifactNotFound

        try:
            response = Response.from_app(self._app, environ)
        except (ArtifactNotFound, KeyError):  # KeyError: no such study or trial
            if not path.startswith("/artifacts/"):
                raise
            return Response("There is no such artifact.\n", status=404)
        if response.status_code == 204 and path.startswith("/api/"):
            # The page reads JSON from every answer, and takes an empty one for a failure.
            return Response("{}", mimetype="application/json")
        return response

    def _refusal(self, method: str, path: str) -> Response | None:
        """The answer to deleting or renaming a study that workers are at work on.

        The page renames by making a copy and deleting the study: half of that would be done.
        """
        match = _REMOVED.fullmatch(path)
        if not match or method != ("POST" if match[2] else "DELETE"):
            return None
        backend = getattr(self._storage, "_backend", None)
        if not isinstance(backend, AtomicStorage):
            return None
        try:
            with backend.engine.connect() as connection:
                refuse_while_at_work(connection, int(match[1]))
        except UserError as error:
            answer = json.dumps({"reason": str(error)}) + "\n"
            return Response(answer, status=409, mimetype="application/json")
        return None

    def _open(self, storage: BaseStorage) -> None:
        import optuna_dashboard

        self._storage = storage
        self._app: WSGIApplication = optuna_dashboard.wsgi(storage, self._artifact_store)

    def _notice_replaced_study(self, path: str) -> None:
        match = _STUDY.match(path)
        if not match or not self._renew:
            return
        number = int(match[1])
        plan = _plan_id(self._storage, number)
        with self._lock:
            if plan and self._plans.get(number, plan) != plan:
                self._open(self._renew())
                self._plans.clear()
            if plan:
                self._plans[number] = plan


def plain_path(environ: WSGIEnvironment) -> str:
    """The path as the page will understand it: one slash at its start."""
    return "/" + str(environ.get("PATH_INFO", "")).lstrip("/")


def _plan_id(storage: BaseStorage, study_id: int) -> str | None:
    try:
        attributes: dict[str, Any] = storage.get_study_user_attrs(study_id)
    except (KeyError, OverflowError):  # no such study, or a number no database has
        return None
    return attributes.get("hpo_plan_id")


def _repaired(environ: WSGIEnvironment, path: str) -> WSGIEnvironment:
    """The request as the page can take it, without what it has no business to see.

    The page fails without Accept-Encoding, takes `gzip;q=0` for a request for gzip, and sends its
    icon compressed under the wrong type.
    """
    accepted = parse_accept_header(environ.get("HTTP_ACCEPT_ENCODING"), Accept)
    packed = accepted["gzip"] > 0 and path != "/favicon.ico"
    repaired = {**environ, "HTTP_ACCEPT_ENCODING": "gzip" if packed else "identity"}
    repaired.pop("HTTP_AUTHORIZATION", None)
    return repaired
