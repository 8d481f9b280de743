from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.security import check_password_hash, generate_password_hash

from hpo.dashboard.users import add_user, check_name, load_users
from hpo.errors import FileFaults, UserError

HASH = generate_password_hash("x", method="pbkdf2:sha256:1000")


def test_an_added_user_is_read_back_with_a_hash_of_the_password(tmp_path: Path) -> None:
    add_user(tmp_path / "users", "ada", "correct horse")
    users = load_users(tmp_path / "users")
    assert list(users) == ["ada"]
    assert check_password_hash(users["ada"], "correct horse")


def test_a_new_file_is_readable_by_its_owner_alone_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        add_user(tmp_path / "users", "ada", "correct horse")
    finally:
        os.umask(before)
    assert (tmp_path / "users").stat().st_mode & 0o777 == 0o600


def test_an_existing_file_keeps_its_mode_its_comments_and_its_users(tmp_path: Path) -> None:
    path = tmp_path / "users"
    path.write_text(f"# the team\nbob:{HASH}\n")
    path.chmod(0o640)
    add_user(path, "ada", "correct horse")
    assert path.read_text().startswith(f"# the team\nbob:{HASH}\nada:scrypt:")
    assert path.stat().st_mode & 0o777 == 0o640


def test_a_known_name_gets_the_new_password(tmp_path: Path) -> None:
    add_user(tmp_path / "users", "ada", "correct horse")
    add_user(tmp_path / "users", "ada", "battery staple")
    users = load_users(tmp_path / "users")
    assert check_password_hash(users["ada"], "battery staple")


def test_a_link_to_a_users_file_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "users")
    add_user(tmp_path / "link", "ada", "correct horse")
    assert (tmp_path / "link").is_symlink()
    assert load_users(tmp_path / "users")


def test_every_wrong_line_is_named_at_once_and_none_is_shown(tmp_path: Path) -> None:
    path = tmp_path / "users"
    path.write_text(f"# comment\n\nada:hunter2hunter2\nbob:{HASH}\nbob:{HASH}\nno colon here\n")
    with pytest.raises(FileFaults) as caught:
        load_users(path)
    assert [fault.line for fault in caught.value.faults] == [3, 5, 6]
    assert "hunter2" not in str(caught.value)
    assert "never a password" in str(caught.value)


@pytest.mark.parametrize("text", ["", "# nobody\n"])
def test_a_file_without_users_lets_nobody_in_and_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "users").write_text(text)
    with pytest.raises(FileFaults, match="At least one"):
        load_users(tmp_path / "users")


def test_a_file_that_cannot_be_read_is_one_message(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot be read: No such file"):
        load_users(tmp_path / "missing")
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UserError, match="not UTF-8"):
        load_users(tmp_path / "binary")


def test_a_folder_that_cannot_be_written_is_one_message(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot be written"):
        add_user(tmp_path / "nowhere" / "users", "ada", "correct horse")


@pytest.mark.parametrize("name", ["", "a:b", "#ada", " ada", "ada ", "a\nb", "a\x00b", "n" * 65])
def test_names_that_the_file_or_basic_cannot_carry_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(UserError, match="user name"):
        add_user(tmp_path / "users", name, "correct horse")
    assert not (tmp_path / "users").exists()


def test_a_short_password_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="at least 8"):
        add_user(tmp_path / "users", "ada", "1234567")


@given(st.text())
def test_a_name_that_is_accepted_survives_the_file(name: str) -> None:
    try:
        check_name(name)
    except UserError:
        return
    read, _, hashed = f"{name}:{HASH}".strip().partition(":")
    assert (read, hashed) == (name, HASH)
    assert len(f"{name}:{HASH}".splitlines()) == 1
