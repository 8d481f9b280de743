"""What a user's mistakes are answered with: one message, exit code 2, and nothing created."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import optuna
import pytest
from click.testing import CliRunner

from hpo.cli import _COMMANDS, _exit_code, group

GOOD = (
    "method: random\nn_trials: 3\ndirection: minimize\nsearch_space: {x: {low: 0.0, high: 1.0}}\n"
)


def hpo(*arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "hpo", *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=cwd,
        stdin=subprocess.DEVNULL,
    )


def files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "s.yaml"),
        ("", "is empty"),
        ("method: random\n  n_trials: 3", "s.yaml:2"),
        (GOOD + "n_trails: 3\n", "unknown key 'n_trails'. Did you mean 'n_trials'?"),
        (GOOD.replace("n_trials: 3", "n_trials: 0"), "n_trials"),
        (GOOD.replace("n_trials: 3", "n_trials: three"), "n_trials"),
        (GOOD.replace("low: 0.0", "low: 2.0"), "low"),
        (GOOD.replace("low: 0.0, high: 1.0", "low: 0.0, high: 1.0, log: true"), "log"),
        (GOOD.replace("{low: 0.0, high: 1.0}", "{choices: []}"), "choices"),
        (GOOD.replace("random\nn_trials: 3", "grid"), "step"),
        ("method: random\nn_trials: 3\nsearch_space: mpl\n", "mpl"),
        (GOOD + "objective: nowhere.py:objective\n", "There is no file nowhere.py"),
        (GOOD + "devices: gpu\n", "s.yaml:5: devices: must be auto, cpu, mps"),
    ],
)
def test_a_broken_study_is_refused_and_nothing_is_created(
    project: Path, text: str | None, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    if text is not None:
        (project / "s.yaml").write_text(text)
    before = files(project)
    assert _exit_code(["run", "s.yaml"]) == 2
    assert said in capsys.readouterr().err
    assert files(project) == before


@pytest.mark.parametrize(
    ("objective", "said"),
    [
        ("objective.py:nothing", "has no function 'nothing'"),
        ("raises.py:f", "raises.py:1: RuntimeError: on import"),
        ("picky.py:f", "s.yaml:4: search_space.x: the objective refuses"),
    ],
)
def test_an_objective_that_cannot_be_used_is_refused_and_nothing_is_created(
    project: Path, objective: str, said: str
) -> None:
    (project / "raises.py").write_text("raise RuntimeError('on import')\n")
    (project / "picky.py").write_text(
        "def f(trial): return 0\ndef check(settings): raise ValueError('x is not mine')\n"
    )
    (project / "s.yaml").write_text(f"{GOOD}objective: {objective}\n")
    done = hpo("run", "s.yaml", cwd=project)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert not (project / "hpo.db").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["run"], "needs a study file"),
        (["list", "--storage", "hpo.db"], "Did you mean 'sqlite:///hpo.db'?"),
        (["list", "--storage", "sqlite:///notes.txt"], "is not an SQLite database"),
        (["run", "s.yaml", "--devices", "cuda:7"], "There is no device 'cuda:7' here"),
        (["run", "s.yaml", "--timeout", "soon"], "must be a time such as"),
        (["run", "s.yaml", "--set", "n_trails=3"], "n_trails"),
        (["run", "s.yaml", "t.yaml", "--name", "x"], "--name is for one study"),
        (["show", "s"], "There is no database hpo.db"),
        (["list", "--storage", "sqlite:///gone.db"], "There is no database gone.db"),
        (["resume", "s"], "There is no database hpo.db"),
        (["trials", "s", "--format", "xml"], "'xml' is not one of"),
        (["runn"], "No such command 'runn'. Did you mean 'run'?"),
    ],
)
def test_a_wrong_command_is_answered_in_one_message(
    project: Path, arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (project / "s.yaml").write_text(GOOD)
    (project / "notes.txt").write_text("not a database at all")
    assert _exit_code(arguments) == 2
    assert said in capsys.readouterr().err
    assert not (project / "hpo.db").exists()


def test_debug_shows_the_traceback(project: Path) -> None:
    done = hpo("--debug", "show", "s\x1b", cwd=project)
    assert done.returncode == 2
    assert "Traceback" in done.stderr
    assert "\x1b" not in done.stderr


def test_a_study_is_run_listed_shown_and_deleted(project: Path) -> None:
    (project / "s.yaml").write_text(GOOD)
    first = hpo("run", "s.yaml", "--workers", "1", cwd=project)
    assert first.returncode == 0, first.stderr
    assert "3 of 3 done" in first.stdout
    again = hpo("run", "s.yaml", cwd=project)
    assert "is finished: every point is done. Nothing was added." in again.stdout
    (row,) = json.loads(hpo("list", "--format", "json", cwd=project).stdout)
    assert (row["study"], row["done"], row["points"]) == ("s", 3, 3)
    shown = json.loads(hpo("show", "s", "--format", "json", cwd=project).stdout)
    assert shown["trials"] == {"COMPLETE": 3}
    trials = hpo("trials", "s", "--format", "csv", cwd=project).stdout.splitlines()
    assert len(trials) == 4
    best = optuna.load_study(study_name="s", storage=f"sqlite:///{project}/hpo.db").best_trial
    assert f"x: {best.params['x']}" in hpo("best", "s", cwd=project).stdout
    assert hpo("best", "s", "-o", "best.yaml", cwd=project).returncode == 0
    assert f"x: {best.params['x']}" in (project / "best.yaml").read_text()
    assert hpo("delete", "s", "--yes", cwd=project).returncode == 0
    assert hpo("list", cwd=project).stdout == "sqlite:///hpo.db holds no study.\n"


def test_failures_are_shown_with_their_reasons_and_tried_again_on_request(project: Path) -> None:
    (project / "objective.py").write_text(
        "from pathlib import Path\n"
        "def objective(trial):\n"
        "    x = trial.suggest_float('x', 0.0, 1.0)\n"
        "    if trial.user_attrs['point'] == 1 and not Path('mended').exists():\n"
        "        raise ValueError('point 1 is cursed')\n"
        "    return x\n"
    )
    (project / "s.yaml").write_text(GOOD)
    done = hpo("run", "s.yaml", "--workers", "1", cwd=project)
    assert done.returncode == 1
    assert "Point 1 FAILED (trial 1): ValueError: point 1 is cursed" in done.stdout
    failures = json.loads(hpo("show", "s", "--format", "json", cwd=project).stdout)["failures"]
    assert [failure["reason"] for failure in failures] == ["ValueError: point 1 is cursed"]
    assert "ValueError: point 1 is cursed" in hpo("show", "s", "--trial", "1", cwd=project).stdout
    assert hpo("run", "s.yaml", cwd=project).returncode == 1
    (project / "mended").touch()
    mended = hpo("run", "s.yaml", "--retry-failed", cwd=project)
    assert mended.returncode == 0, mended.stdout
    assert "3 of 3 done" in mended.stdout


def test_workers_zero_runs_in_this_process(project: Path) -> None:
    (project / "objective.py").write_text(
        "import os\n"
        "def objective(trial):\n"
        "    trial.set_user_attr('pid', os.getpid())\n"
        "    return trial.suggest_float('x', 0.0, 1.0)\n"
    )
    (project / "s.yaml").write_text(GOOD)
    code = "import os, hpo.cli; print(os.getpid()); hpo.cli.main()"
    done = subprocess.run(
        [sys.executable, "-c", code, "run", "s.yaml", "--workers", "0"],
        capture_output=True,
        text=True,
        check=True,
        cwd=project,
    )
    study = optuna.load_study(study_name="s", storage=f"sqlite:///{project}/hpo.db")
    assert {t.user_attrs["pid"] for t in study.trials} == {int(done.stdout.splitlines()[0])}


def test_json_events_are_one_object_a_line_with_stable_names(project: Path) -> None:
    (project / "s.yaml").write_text(GOOD)
    done = hpo("run", "s.yaml", "--workers", "1", "--json", cwd=project)
    events = [json.loads(line) for line in done.stdout.splitlines()]
    kinds = [event["event"] for event in events]
    assert kinds[0] == "study"
    assert kinds[-1] == "summary"
    assert kinds.count("trial_started") == kinds.count("trial_finished") == 3
    assert events[-1]["done"] == 3
    assert events[-1]["exit_code"] == 0


def test_plan_creates_nothing_and_prints_the_points(project: Path) -> None:
    (project / "s.yaml").write_text(GOOD)
    done = hpo("plan", "s.yaml", "--format", "json", cwd=project)
    assert [row["point"] for row in json.loads(done.stdout)] == [0, 1, 2]
    assert not (project / "hpo.db").exists()
    tpe = GOOD.replace("random", "tpe")
    (project / "s.yaml").write_text(tpe)
    said = hpo("plan", "s.yaml", cwd=project).stdout
    assert said == "s: tpe, 3 points, the sampler decides\n"
    (project / "s.yaml").write_text(tpe + "sampler: {multivariate: false}\n")
    said = hpo("plan", "s.yaml", cwd=project).stdout
    assert "Optuna's own TPE sampler (the sampler is given multivariate) decides" in said


@pytest.mark.parametrize("command", _COMMANDS)
def test_every_command_has_help(command: str) -> None:
    done = CliRunner().invoke(group, [command, "--help"])
    assert done.exit_code == 0
    assert "Usage:" in done.output


def test_a_storage_comes_from_the_option_the_variable_or_the_file_it_names(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def asked_for() -> str:
        assert _exit_code(["list"]) == 2
        return capsys.readouterr().err

    (project / "secret").write_text("sqlite:///from-file.db\n")
    monkeypatch.setenv("HPO_STORAGE_FILE", "secret")
    assert "from-file.db" in asked_for()
    monkeypatch.setenv("HPO_STORAGE", "sqlite:///from-variable.db")
    assert "from-variable.db" in asked_for()
    assert _exit_code(["list", "--storage", "sqlite:///from-option.db"]) == 2
    assert "from-option.db" in capsys.readouterr().err


def test_data_that_is_not_there_is_said_once_before_anything_is_made(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copy(Path(__file__).parent.parent / "objective.py", project)
    (project / "s.yaml").write_text(
        "method: random\nn_trials: 2\ndirection: maximize\n"
        "search_space: {learning_rate: {choices: [0.1, 1.0]}}\n"
        "fixed:\n  epochs: 1\n  dataset: fashion_mnist\n"
    )
    # An empty cache, and a torchvision that cannot download but says when it is asked.
    fake = project / "fake" / "torchvision"
    fake.mkdir(parents=True)
    (fake / "__init__.py").touch()
    (fake / "datasets.py").write_text(
        f"open({str(project / 'asked')!r}, 'a').write('x')\nraise OSError('no route')\n"
    )
    (project / "sitecustomize.py").write_text(
        "import pathlib\nimport hpo.training.sources as sources\n"
        "sources.DEBIAN_FOLDER = pathlib.Path('nowhere')\n"
    )
    monkeypatch.setenv("HPO_DATA", str(project / "cache"))
    monkeypatch.setenv("PYTHONPATH", f"{project}:{project / 'fake'}")
    done = hpo("run", "s.yaml", "--workers", "2", cwd=project)
    assert done.returncode == 2
    assert "s.yaml:7: fixed.dataset: No source has the data set 'fashion_mnist'" in done.stderr
    assert "no route" in done.stderr
    assert done.stderr.count("No source has") == 1
    assert (project / "asked").read_text() == "x"
    assert not (project / "hpo.db").exists()
