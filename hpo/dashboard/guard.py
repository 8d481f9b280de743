"""The layer around the page: every request is judged before the page sees it."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from werkzeug.wrappers import Request, Response

from hpo.dashboard.headers import harden
from hpo.dashboard.login import Login, Verdict
from hpo.dashboard.page import Page, plain_path
from hpo.dashboard.rules import READING, WRITING, Refusal, check_method, check_shape

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment
    from optuna.artifacts._protocol import ArtifactStore
    from optuna.storages import BaseStorage

logger = logging.getLogger("hpo.dashboard")

_VERDICTS = {
    Verdict.MISSING: Refusal(401, "A login is needed."),
    Verdict.WRONG: Refusal(401, "The name, the password or the token is wrong."),
    Verdict.BUSY: Refusal(429, "Too many failed logins are being checked; try again."),
}


def make_app(
    storage: BaseStorage,
    *,
    writable: bool = False,
    allowed_hosts: Sequence[str] = ("localhost", "127.0.0.1", "::1"),
    users: Mapping[str, str] | None = None,
    token: str | None = None,
    artifact_store: ArtifactStore | None = None,
    renew: Callable[[], BaseStorage] | None = None,
) -> WSGIApplication:
    """The dashboard as a WSGI application.

    Args:
        storage: An Optuna storage; open it read-only too where `writable` is False.
        writable: Let the page change and delete studies; else only GET and HEAD are answered.
        allowed_hosts: Names and addresses a Host header may carry, with any port; "0.0.0.0"
            admits every address.
        users: Password hashes by name, for HTTP Basic.
        token: What a Bearer header must carry.
        artifact_store: Where the trials' files lie.
        renew: Opens the same storage again, with an empty cache.

    Without users and token nobody is asked for a login.
    """
    login = None if users is None and token is None else Login(users, token)
    page = Page(storage, artifact_store, renew)
    return Guard(page, login, allowed_hosts, writable=writable)


class Guard:
    """Lets the page see only what is allowed, and hardens what it answers."""

    def __init__(
        self,
        page: WSGIApplication,
        login: Login | None,
        allowed_hosts: Sequence[str],
        *,
        writable: bool,
    ) -> None:
        self._page, self._login = page, login
        self._allowed_hosts = tuple(allowed_hosts)
        self._writable = writable

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer a request."""
        request = Request(environ)
        try:
            response = self._answer(request)
        except Exception:
            logger.exception("%s %s failed", request.method, request.path)
            response = self._refused(Refusal(500, "The page failed; see the server's log."))
        harden(response.headers, plain_path(environ))
        return response(environ, start_response)

    def _answer(self, request: Request) -> Response:
        refusal = check_shape(request, self._allowed_hosts)
        if refusal is None and request.path == "/healthz":
            return Response("ok\n", mimetype="text/plain")
        refusal = refusal or self._check_login(request)
        refusal = refusal or check_method(request, writable=self._writable)
        if refusal is None:
            return Response.from_app(self._page, request.environ)
        return self._refused(refusal)

    def _check_login(self, request: Request) -> Refusal | None:
        if self._login is None:
            return None
        header = request.headers.get("Authorization")
        verdict = self._login.check(header, request.remote_addr or "")
        return _VERDICTS.get(verdict)

    def _refused(self, refusal: Refusal) -> Response:
        body = json.dumps({"reason": refusal.reason}) + "\n"
        response = Response(body, refusal.status, mimetype="application/json")
        if refusal.status == 401 and self._login:
            for challenge in self._login.challenges:
                response.headers.add("WWW-Authenticate", challenge)
        if refusal.status == 405:
            response.headers["Allow"] = ", ".join(READING + (WRITING if self._writable else ()))
        if refusal.status == 429:
            response.headers["Retry-After"] = "1"
        return response
