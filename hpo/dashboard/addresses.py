"""Network addresses: a host's name in, what to listen on and what to answer for out."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Sequence

from hpo.dashboard.rules import ANY_ADDRESS
from hpo.errors import UserError

_WILDCARDS = ("0.0.0.0", "::")  # noqa: S104 - compared with, not bound
_IPV6_NETWORK = 64  # bits: whoever has one IPv6 address has every one that shares these


def resolve(host: str, port: int) -> list[str]:
    """The addresses of this machine that a host name stands for.

    The addresses that are checked for being loopback are the ones that are listened on; the name
    is never looked up again.

    Args:
        host: A name or an address; empty stands for every address.
        port: The port to listen on.

    Raises:
        UserError: The name stands for nothing here.
    """
    try:
        found = socket.getaddrinfo(
            host or ANY_ADDRESS, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UserError(f"The host {host!r} cannot be listened on: {reason}.") from error
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def is_loopback(address: str) -> bool:
    """Whether an address can be reached only from this machine."""
    return ipaddress.ip_address(address.partition("%")[0]).is_loopback


def host_names(host: str, addresses: Sequence[str]) -> list[str]:
    """The names and addresses that a browser may use for this server.

    Args:
        host: The name that was given to listen on; may be empty.
        addresses: What it stands for.
    """
    names = ["localhost", "127.0.0.1", "::1", *addresses]
    if host:
        names.append(host)
    if all(map(is_loopback, addresses)):
        return names
    names.append(socket.gethostname())
    # "::" also admits every address; in the allow-list ANY_ADDRESS is the only word for that.
    return [*names, ANY_ADDRESS] if set(addresses) & set(_WILDCARDS) else names


def client_of(address: str) -> str:
    """What counts as one client: an IPv4 address, or the network of an IPv6 address."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if found.version == 4:
        return str(found)
    return str(ipaddress.ip_network((int(found), _IPV6_NETWORK), strict=False))
