from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.test import EnvironBuilder
from werkzeug.wrappers import Request

from hpo.dashboard.rules import (
    ANY_ADDRESS,
    check_method,
    is_allowed_host,
    is_cross_site,
    is_plain_path,
)

LOOPBACK = ("localhost", "127.0.0.1", "::1")


def request(method: str = "GET", body: bytes | None = None, **headers: str) -> Request:
    named = [(name.replace("_", "-"), value) for name, value in headers.items()]
    builder = EnvironBuilder("/api/studies", method=method, headers=named, data=body)
    return Request(builder.get_environ())


@pytest.mark.parametrize(
    "host",
    ["localhost", "LOCALHOST:8080", "127.0.0.1", "127.0.0.1:1", "[::1]:8080", "[0:0:0:0:0:0:0:1]"],
)
def test_the_names_of_the_list_are_allowed_with_any_port(host: str) -> None:
    assert is_allowed_host(host, LOOPBACK)


@pytest.mark.parametrize(
    "host",
    [
        "",
        "evil.example",
        "localhost.evil.example",
        "localhost@evil.example",
        "evil.example:8080#localhost",
        "localhost, evil.example",
        "localhost evil.example",
        "localhost:80:80",
        "localhost.",
        "127.0.0.1.nip.example",
        "192.0.2.1",
        "[::1",
        "::1",
        "127.1",
        "2130706433",
        "localhost\t",
    ],
)
def test_every_other_host_is_refused(host: str) -> None:
    assert not is_allowed_host(host, LOOPBACK)


def test_any_address_admits_addresses_and_no_names() -> None:
    assert is_allowed_host("192.0.2.1:8080", (ANY_ADDRESS,))
    assert is_allowed_host("[2001:db8::1]", (ANY_ADDRESS,))
    assert not is_allowed_host("evil.example", (ANY_ADDRESS,))


@given(st.text() | st.from_regex(r"localhost.*|.*localhost(:\d+)?", fullmatch=True))
def test_only_the_name_itself_and_a_port_make_an_allowed_host(host: str) -> None:
    name, _, port = host.partition(":")
    is_it = name.lower() == "localhost" and (port.isdecimal() or host == name)
    assert is_it or not is_allowed_host(host, ("localhost",))


@pytest.mark.parametrize("path", ["/", "/dashboard/studies/1", "/api/studies/1..2", "/a/b...c"])
def test_plain_paths_pass(path: str) -> None:
    assert is_plain_path(path)


@pytest.mark.parametrize(
    "path", ["/static/../x", "/..", "/./x", "/a\\..\\b", "/a\x00", "/a\nb", "/a\x7f", "/x/.."]
)
def test_paths_that_climb_or_hide_something_are_refused(path: str) -> None:
    assert not is_plain_path(path)


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "X"])
def test_read_only_refuses_every_method_but_reading(method: str) -> None:
    refusal = check_method(request(method), writable=False)
    assert refusal
    assert refusal.status == 405
    assert "--writable" in refusal.reason


@pytest.mark.parametrize("writable", [True, False])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_reading_is_always_allowed(method: str, writable: bool) -> None:
    assert check_method(request(method), writable=writable) is None


@pytest.mark.parametrize("method", ["PATCH", "OPTIONS", "TRACE", "CONNECT"])
def test_writable_refuses_methods_the_page_does_not_use(method: str) -> None:
    refusal = check_method(request(method), writable=True)
    assert refusal
    assert refusal.status == 405


@pytest.mark.parametrize(
    "kind",
    ["application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "text/plain", ""],
)
def test_a_form_of_another_site_can_not_write(kind: str) -> None:
    refusal = check_method(request("POST", b"{}", Content_Type=kind), writable=True)
    assert refusal
    assert refusal.status == 415


def test_json_and_bare_requests_may_write() -> None:
    kind = "application/json; charset=UTF-8"
    assert check_method(request("POST", b"{}", Content_Type=kind), writable=True) is None
    assert check_method(request("DELETE"), writable=True) is None


@pytest.mark.parametrize("site", ["cross-site", "same-site", "nonsense"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_what_the_browser_says_comes_from_elsewhere_is_cross_site(site: str, method: str) -> None:
    assert is_cross_site(request(method, Sec_Fetch_Site=site, Sec_Fetch_Mode="no-cors"))


def test_following_a_link_is_not_cross_site_but_framing_and_posting_are() -> None:
    def followed(method: str, wanted: str) -> bool:
        link = request(
            method,
            Sec_Fetch_Site="cross-site",
            Sec_Fetch_Mode="navigate",
            Sec_Fetch_Dest=wanted,
        )
        return not is_cross_site(link)

    assert followed("GET", "document")
    assert not followed("GET", "iframe")
    assert not followed("POST", "document")


@pytest.mark.parametrize(
    "origin",
    ["http://evil.example", "null", "http://localhost.evil.example", "http://localhost:81", "x"],
)
def test_a_write_of_another_origin_is_cross_site(origin: str) -> None:
    assert is_cross_site(request("POST", Origin=origin, Host="localhost"))


def test_a_write_of_the_own_origin_is_not_whatever_the_proxy_speaks() -> None:
    assert not is_cross_site(request("POST", Origin="http://localhost:8080", Host="localhost:8080"))
    assert not is_cross_site(request("POST", Origin="https://hpo.example", Host="hpo.example"))
    assert not is_cross_site(request("POST", Sec_Fetch_Site="same-origin", Host="localhost"))
    assert not is_cross_site(request("POST", Host="localhost"))
