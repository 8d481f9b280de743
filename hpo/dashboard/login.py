"""Who may come in: the Authorization header of a request in, the result of the login out."""

from __future__ import annotations

import enum
import hmac
import logging
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping

from werkzeug.datastructures import Authorization
from werkzeug.security import check_password_hash, generate_password_hash

from hpo.dashboard.addresses import client_of

logger = logging.getLogger("hpo.dashboard")

SHORTEST_TOKEN = 16


class LoginResult(enum.Enum):
    """The result of a login attempt."""

    IN = "in"
    MISSING = "missing"
    WRONG = "wrong"
    BUSY = "busy"


class Throttle:
    """Slows the password checks of addresses that keep failing, and never refuses them for it.

    The first failures of an address cost nothing. Later attempts wait their turn in a slow lane
    that few can stand in at once: a right password still gets in, and waiting attempts cannot use
    up the server's threads. Only an attempt that finds the lane full is turned away, for a moment.

    Args:
        free: Failures of an address before its attempts are slowed.
        pause_s: What an attempt waits in the slow lane, in seconds.
        places: How many attempts may wait at once, over all addresses.
        forget_s: Seconds without a failure after which an address is forgotten.
        remembered: How many addresses are remembered; the one that failed longest ago goes first.
        clock: Seconds that only grow.
        sleep: Waits that many seconds.
    """

    def __init__(
        self,
        *,
        free: int = 5,
        pause_s: float = 0.5,
        places: int = 2,
        forget_s: float = 900.0,
        remembered: int = 10_000,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._free, self._pause_s, self._forget_s = free, pause_s, forget_s
        self._remembered = remembered
        self._places = threading.BoundedSemaphore(places)
        self._clock, self._sleep = clock, sleep
        self._lock = threading.Lock()
        self._failures: OrderedDict[str, tuple[int, float]] = OrderedDict()

    def admit(self, address: str) -> bool:
        """Wait as long as this address has to; False when too many are waiting."""
        if self.failures(address) < self._free:
            return True
        if not self._places.acquire(blocking=False):
            return False
        try:
            self._sleep(self._pause_s)
        finally:
            self._places.release()
        return True

    def failures(self, address: str) -> int:
        """How often the address failed lately."""
        with self._lock:
            count, last = self._failures.get(client_of(address), (0, 0.0))
            return count if self._clock() - last < self._forget_s else 0

    def failed(self, address: str) -> int:
        """Count a failure of the address.

        Returns:
            Its failures, this one included.
        """
        count = self.failures(address) + 1
        with self._lock:
            self._failures[client_of(address)] = (count, self._clock())
            self._failures.move_to_end(client_of(address))
            while len(self._failures) > self._remembered:
                self._failures.popitem(last=False)
        return count


class Login:
    """Checks HTTP Basic against password hashes, and Bearer against one token.

    A password hash is slow by design, and a page makes many requests: what was right once is
    remembered as a keyed digest, so it costs one comparison from then on, throttled or not.

    Args:
        users: Password hash of each name, or None.
        token: The Bearer token, or None.
        throttle: Slows repeated failures.
    """

    def __init__(
        self, users: Mapping[str, str] | None, token: str | None, throttle: Throttle | None = None
    ) -> None:
        self._users = dict(users or {})
        self._token = token
        self._throttle = throttle or Throttle()
        self._key = secrets.token_bytes(32)
        self._known: dict[str, bytes] = {}
        method = next(iter(self._users.values()), "scrypt").partition("$")[0]
        # An unknown name costs the same check as a known one, so time does not tell them apart.
        self._nobody = generate_password_hash(secrets.token_urlsafe(), method=method)

    @property
    def challenges(self) -> list[str]:
        """The values of WWW-Authenticate."""
        basic = ['Basic realm="hpo", charset="UTF-8"'] if self._users else []
        return basic + (['Bearer realm="hpo"'] if self._token else [])

    def check(self, header: str | None, address: str) -> LoginResult:
        """Check a request's Authorization header.

        Args:
            header: Its value; None where there is none.
            address: The client's address, which is slowed after failures.
        """
        if not header:
            return LoginResult.MISSING
        scheme, _, rest = header.strip().partition(" ")
        if scheme.lower() == "bearer":
            return self._check_token(rest.strip(), address)
        given = Authorization.from_header(header) if scheme.lower() == "basic" else None
        if given is None:
            return self._refuse(address, "a header that is neither Basic nor Bearer")
        return self._check_password(given.username or "", given.password or "", address)

    def _check_token(self, token: str, address: str) -> LoginResult:
        right = self._token or secrets.token_urlsafe()
        if hmac.compare_digest(self._digest(token), self._digest(right)):
            return LoginResult.IN
        return self._refuse(address, "a wrong token")

    def _check_password(self, name: str, password: str, address: str) -> LoginResult:
        digest = self._digest(name, password)
        if hmac.compare_digest(self._known.get(name, b""), digest):
            return LoginResult.IN
        if not self._throttle.admit(address):
            return LoginResult.BUSY
        is_right = check_password_hash(self._users.get(name, self._nobody), password)
        if is_right and name in self._users:
            self._known[name] = digest
            return LoginResult.IN
        # People type passwords into the name field: only names that exist are logged.
        who = repr(name) if name in self._users else "an unknown name"
        return self._refuse(address, f"a wrong password for {who}")

    def _refuse(self, address: str, what: str) -> LoginResult:
        count = self._throttle.failed(address)
        if count <= 10 or count % 100 == 0:
            logger.warning("login refused: %s from %s, failure %d", what, address, count)
        return LoginResult.WRONG

    def _digest(self, *parts: str) -> bytes:
        return hmac.digest(self._key, "\0".join(parts).encode("utf-8", "replace"), "sha256")


def is_strong_token(token: str) -> bool:
    """Whether a token is too long to be guessed and can be sent in a header."""
    is_sendable = token.isascii() and token.isprintable() and " " not in token
    return is_sendable and len(token) >= SHORTEST_TOKEN
