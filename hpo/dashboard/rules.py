"""Which requests are let through to the page: a request in, the reason for refusing it out.

Pure: nothing here reads the clock, the storage or a file.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from dataclasses import dataclass

from werkzeug.wrappers import Request

READING = ("GET", "HEAD")
WRITING = ("POST", "PUT", "DELETE")
ANY_ADDRESS = "0.0.0.0"  # noqa: S104 - a word of the allow-list, nothing is bound here
_HOST = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9._-]+))(?::\d{1,5})?")


@dataclass(frozen=True)
class Rejection:
    """Why a request is refused.

    Attributes:
        status: The HTTP status code.
        reason: One sentence for whoever asked.
    """

    status: int
    reason: str


def check_shape(request: Request, allowed_hosts: Sequence[str]) -> Rejection | None:
    """Check the path, the Host header and the site that a request comes from.

    Args:
        request: The request.
        allowed_hosts: The names and addresses that its Host header may have.
    """
    if not is_plain_path(request.environ.get("PATH_INFO", "")):
        return Rejection(400, "The path holds what no page here has.")
    if not is_allowed_host(request.headers.get("Host", ""), allowed_hosts):
        return Rejection(421, "This server does not answer for that host name; see --allow-host.")
    if is_cross_site(request):
        return Rejection(403, "Requests from other sites are refused.")
    return None


def check_method(request: Request, *, writable: bool) -> Rejection | None:
    """Check the method, and the body of a request that changes something.

    Args:
        request: The request.
        writable: Whether anything may be changed.
    """
    if request.method in READING:
        return None
    if not writable:
        return Rejection(405, "This dashboard is read-only; start it with --writable to change it.")
    if request.method not in WRITING:
        return Rejection(405, f"Only {', '.join(READING + WRITING)} are understood.")
    # A form of another site can send any type but this one without asking first.
    is_bare = not request.mimetype and not request.content_length
    if request.mimetype != "application/json" and not is_bare:
        return Rejection(415, "Changes must be sent as application/json.")
    return None


def is_plain_path(path: str) -> bool:
    """Whether a decoded path has no parent steps, backslashes or control characters."""
    if any(ord(character) < 32 or character in "\\\x7f" for character in path):
        return False
    return not {".", ".."} & set(path.split("/"))


def is_allowed_host(host: str, allowed: Sequence[str]) -> bool:
    """Whether a Host header names this server, whatever the port.

    A page of a foreign name that is made to resolve to this machine (DNS rebinding) still sends
    its own name; an address cannot be rebound, so `ANY_ADDRESS` in the list admits every address.

    Args:
        host: The header's value.
        allowed: Names and addresses.
    """
    match = _HOST.fullmatch(host)
    if not match:
        return False
    name = _canonical(match[1] or match[2])
    if name in {_canonical(entry) for entry in allowed}:
        return True
    return ANY_ADDRESS in allowed and _is_address(name)


def is_cross_site(request: Request) -> bool:
    """Whether another site's page made the browser send this.

    Following a link to a page here is not: reading by navigation is what links are for. Programs
    send neither header, and are not led by a foreign page.
    """
    site = request.headers.get("Sec-Fetch-Site", "")
    if site and site not in ("same-origin", "none"):
        return not _is_followed_link(request)
    origin = request.headers.get("Origin", "")
    if not origin or request.method in READING:
        return False
    # The scheme is left out: behind a proxy the browser speaks https and this server http.
    return origin.partition("://")[2].lower() != request.headers.get("Host", "").lower()


def _is_followed_link(request: Request) -> bool:
    return (
        request.method in READING
        and request.headers.get("Sec-Fetch-Mode") == "navigate"
        and request.headers.get("Sec-Fetch-Dest", "document") == "document"
    )


def _canonical(name: str) -> str:
    try:
        return str(ipaddress.ip_address(name.strip("[]")))
    except ValueError:
        return name.lower()


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
