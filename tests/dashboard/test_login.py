from __future__ import annotations

import logging
import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.security import generate_password_hash

from hpo.dashboard.login import Login, LoginResult, Throttle, is_strong_token

from .conftest import PASSWORD, TOKEN, basic, bearer

HERE, ELSEWHERE = "192.0.2.1", "192.0.2.2"


class Clock:
    """Time that moves only when somebody waits."""

    def __init__(self) -> None:
        self.now = 0.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def login(password_hash: str, clock: Clock) -> Login:
    return Login({"ada": password_hash}, TOKEN, Throttle(clock=clock, sleep=clock.sleep))


def attempt(login: Login, header: dict[str, str], address: str = HERE) -> LoginResult:
    return login.check(header["Authorization"], address)


def test_the_right_password_and_the_right_token_come_in(login: Login) -> None:
    assert attempt(login, basic("ada", PASSWORD)) is LoginResult.IN
    assert attempt(login, bearer(TOKEN)) is LoginResult.IN


@pytest.mark.parametrize(
    "header",
    [
        basic("ada", "wrong"),
        basic("ada", ""),
        basic("ada", PASSWORD + " "),
        basic("ADA", PASSWORD),
        basic("", PASSWORD),
        basic("bob", PASSWORD),
        basic("ada", TOKEN),
        bearer(""),
        bearer("x" * 32),
        bearer(TOKEN[:-1]),
        bearer(PASSWORD),
        {"Authorization": "Basic"},
        {"Authorization": "Basic !!!"},
        {"Authorization": "Basic YWRh"},
        {"Authorization": "Basic /////w=="},
        {"Authorization": f"Token {TOKEN}"},
        {"Authorization": TOKEN},
        {"Authorization": "Digest username=ada"},
        {"Authorization": " "},
    ],
)
def test_everything_else_stays_out(login: Login, header: dict[str, str]) -> None:
    assert attempt(login, header) is LoginResult.WRONG


@given(st.text())
def test_no_header_that_is_made_up_comes_in_or_breaks_anything(header: str) -> None:
    quick = generate_password_hash(PASSWORD, method="pbkdf2:sha256:1")
    throttle = Throttle(free=10**9)
    result = Login({"ada": quick}, TOKEN, throttle).check(header, HERE)
    assert result is (LoginResult.WRONG if header else LoginResult.MISSING)


def test_without_a_header_a_login_is_asked_for_and_nothing_is_counted(login: Login) -> None:
    for _ in range(100):
        assert login.check(None, HERE) is LoginResult.MISSING
    assert attempt(login, basic("ada", PASSWORD)) is LoginResult.IN


def test_a_token_alone_takes_no_password_and_users_alone_no_token(password_hash: str) -> None:
    assert attempt(Login(None, TOKEN), basic("ada", PASSWORD)) is LoginResult.WRONG
    assert attempt(Login({"ada": password_hash}, None), bearer(TOKEN)) is LoginResult.WRONG
    assert attempt(Login({"ada": password_hash}, None), bearer("")) is LoginResult.WRONG
    assert attempt(Login({}, None), basic("", "")) is LoginResult.WRONG


def test_a_token_may_hold_equal_signs() -> None:
    token = "abc=def==0123456789"
    assert attempt(Login(None, token), bearer(token)) is LoginResult.IN


def test_names_and_passwords_of_all_alphabets_work() -> None:
    users = {"Ägnes": generate_password_hash("пароль:日本", method="pbkdf2:sha256:1")}
    assert attempt(Login(users, None), basic("Ägnes", "пароль:日本")) is LoginResult.IN


def test_after_a_thousand_failures_the_right_password_still_comes_in(
    login: Login, clock: Clock
) -> None:
    for number in range(1000):
        assert attempt(login, basic("ada", f"guess {number}")) is LoginResult.WRONG
    slept = clock.now
    assert attempt(login, basic("ada", PASSWORD)) is LoginResult.IN
    assert clock.now - slept <= 1.0
    assert slept >= 400  # the thousand guesses took their time


def test_somebody_who_came_in_once_never_waits_again(login: Login, clock: Clock) -> None:
    assert attempt(login, basic("ada", PASSWORD)) is LoginResult.IN
    for number in range(50):
        attempt(login, basic("ada", f"guess {number}"))
    waits = len(clock.slept)
    assert attempt(login, basic("ada", PASSWORD)) is LoginResult.IN
    assert attempt(login, bearer(TOKEN)) is LoginResult.IN
    assert len(clock.slept) == waits


def test_the_failures_of_one_address_slow_no_other(login: Login, clock: Clock) -> None:
    for number in range(50):
        attempt(login, basic("ada", f"guess {number}"))
    waits = len(clock.slept)
    assert attempt(login, basic("ada", PASSWORD), ELSEWHERE) is LoginResult.IN
    assert len(clock.slept) == waits


def test_failures_are_forgotten_with_time(clock: Clock) -> None:
    throttle = Throttle(clock=clock, sleep=clock.sleep, forget_s=60)
    for _ in range(10):
        throttle.failed(HERE)
    clock.now += 60
    assert throttle.failures(HERE) == 0


def test_the_addresses_of_one_ipv6_host_count_together(clock: Clock) -> None:
    throttle = Throttle(clock=clock)
    throttle.failed("2001:db8:0:1::a")
    assert throttle.failures("2001:db8:0:1:ffff::b") == 1
    assert throttle.failures("2001:db8:0:2::a") == 0


def test_the_memory_of_addresses_is_bounded(clock: Clock) -> None:
    throttle = Throttle(clock=clock, remembered=3)
    for number in range(100):
        throttle.failed(f"192.0.2.{number}")
    assert [throttle.failures(f"192.0.2.{number}") for number in (96, 97, 98, 99)] == [0, 1, 1, 1]


def test_a_full_slow_lane_turns_away_without_waiting(clock: Clock) -> None:
    inside, leave = threading.Event(), threading.Event()

    def wait(seconds: float) -> None:
        inside.set()
        leave.wait(60)

    throttle = Throttle(free=0, places=1, sleep=wait)
    waiting = threading.Thread(target=throttle.admit, args=(HERE,))
    waiting.start()
    assert inside.wait(60)
    assert not throttle.admit(HERE)
    leave.set()
    waiting.join()
    assert throttle.admit(HERE)


def test_failures_are_logged_and_secrets_and_unknown_names_are_not(
    login: Login, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        attempt(login, basic("ada", "secret-guess"))
        attempt(login, basic("my-password-in-the-wrong-field", "x"))
        attempt(login, bearer("secret-token-guess"))
        attempt(login, basic("ada", PASSWORD))
    assert [record.levelname for record in caplog.records] == ["WARNING"] * 3
    assert "'ada' from 192.0.2.1" in caplog.text
    for secret in ("secret", "wrong-field", PASSWORD, "YWRh"):
        assert secret not in caplog.text


def test_a_flood_of_failures_does_not_flood_the_log(
    login: Login, caplog: pytest.LogCaptureFixture
) -> None:
    for number in range(300):
        attempt(login, basic("ada", f"guess {number}"))
    assert len(caplog.records) == 13
    assert "failure 300" in caplog.text


def test_an_unknown_name_takes_as_long_as_a_known_one() -> None:
    login = Login({"ada": generate_password_hash(PASSWORD)}, None, Throttle(free=10**9))

    def shortest(name: str) -> float:
        times = []
        for _ in range(9):
            begin = time.thread_time()  # what other programs do takes none of it
            attempt(login, basic(name, "wrong"))
            times.append(time.thread_time() - begin)
        return min(times)

    shortest("ada")
    assert 0.5 < shortest("nobody") / shortest("ada") < 2


@pytest.mark.parametrize("token", ["", "short", "x" * 15, "with space in the token", "ключ" * 8])
def test_tokens_that_are_short_or_cannot_be_sent_are_weak(token: str) -> None:
    assert not is_strong_token(token)
    assert is_strong_token(TOKEN)
