from __future__ import annotations

from pathlib import Path

import pytest

from hpo.workers.logs import LOG_FOLDER, log_path

WORKER = "host/cpu#0-aaffe3"


def folder_of(study: str) -> Path:
    return log_path(Path("project"), study, WORKER).parent


@pytest.mark.parametrize("study", ["mnist-tpe", "a.b_c", "Ünïcode", "x" * 100])
def test_a_plain_name_is_the_name_of_the_studys_log_folder(study: str) -> None:
    assert folder_of(study) == Path("project", LOG_FOLDER, study)


@pytest.mark.parametrize(
    "study",
    [".", "..", "../..", "/", "/etc/passwd", "a/../../b", ".hidden", "😀", "a b", "é" * 200],
)
def test_any_name_logs_in_a_folder_of_its_own_inside_hpo_logs(study: str, tmp_path: Path) -> None:
    folder = log_path(tmp_path, study, WORKER).parent
    assert folder.parent == tmp_path / LOG_FOLDER
    folder.mkdir(parents=True)
    assert folder.resolve() == folder
    assert not folder.name.startswith(".")


def test_names_that_differ_only_where_they_are_replaced_share_no_folder() -> None:
    names = ["a/b", "a b", "a_b", "a:b", "a//b", ".a_b", "..a_b", "x" * 101, "x" * 102]
    assert len({folder_of(name) for name in names}) == len(names)
