"""What a host's name means on this machine, and who counts as one client."""

from __future__ import annotations

import pytest

from hpo.dashboard.addresses import client_of, host_names, is_loopback, resolve
from hpo.errors import UserError


def test_loopback_is_what_the_system_resolves_it_to() -> None:
    assert resolve("127.1", 80) == ["127.0.0.1"]
    assert all(map(is_loopback, resolve("localhost", 80)))
    assert not any(map(is_loopback, ["0.0.0.0", "::", "192.0.2.1", "fe80::1%eth0"]))
    with pytest.raises(UserError, match="cannot be listened on"):
        resolve("no such host", 80)


def test_a_server_on_loopback_answers_for_loopback_alone() -> None:
    names = host_names("127.0.0.1", ["127.0.0.1"])
    assert set(names) == {"localhost", "127.0.0.1", "::1"}
    assert "0.0.0.0" in host_names("::", ["::"])
    assert "hpo.example" in host_names("hpo.example", ["192.0.2.1"])


def test_addresses_of_one_ipv6_network_count_as_one() -> None:
    assert client_of("2001:db8::1") == client_of("2001:db8::2:3") != client_of("2001:db8:1::1")
    assert client_of("192.0.2.1") != client_of("192.0.2.2")
    assert client_of("fe80::1%eth0") == client_of("fe80::2%eth0")
    assert client_of("") == ""
