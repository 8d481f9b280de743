"""The layer around the page: every request is judged before the page sees it."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from werkzeug.wrappers import Request, Response

from hpo.dashboard.headers import harden
from hpo.dashboard.login import Login, LoginResult
from hpo.dashboard.page import Page, plain_path
from hpo.dashboard.rules import READING, WRITING, Rejection, check_method, check_shape

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment
    from optuna.artifacts._protocol import ArtifactStore
    from optuna.storages import BaseStorage

logger = logging.getLogger("hpo.dashboard")

_REJECTIONS = {
    LoginResult.MISSING: Rejection(401, "A login is needed."),
    LoginResult.WRONG: Rejection(401, "The name, the password or the token is wrong."),
    LoginResult.BUSY: Rejection(429, "Too many failed logins are being checked; try again."),
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
            response = self._refused(Rejection(500, "The page failed; see the server's log."))
        harden(response.headers, plain_path(environ))
        return response(environ, start_response)

    def _answer(self, request: Request) -> Response:
        rejection = check_shape(request, self._allowed_hosts)
        if rejection is None and request.path == "/healthz":
            return Response("ok\n", mimetype="text/plain")
        rejection = rejection or self._check_login(request)
        rejection = rejection or check_method(request, writable=self._writable)
        if rejection is None:
            return Response.from_app(self._page, request.environ)
        return self._refused(rejection)

    def _check_login(self, request: Request) -> Rejection | None:
        if self._login is None:
            return None
        header = request.headers.get("Authorization")
        result = self._login.check(header, request.remote_addr or "")
        return _REJECTIONS.get(result)

    def _refused(self, rejection: Rejection) -> Response:
        body = json.dumps({"reason": rejection.reason}) + "\n"
        response = Response(body, rejection.status, mimetype="application/json")
        if rejection.status == 401 and self._login:
            for challenge in self._login.challenges:
                response.headers.add("WWW-Authenticate", challenge)
        if rejection.status == 405:
            response.headers["Allow"] = ", ".join(READING + (WRITING if self._writable else ()))
        if rejection.status == 429:
            response.headers["Retry-After"] = "1"
        return response
