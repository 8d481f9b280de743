"""Study files that are right: what they resolve to, and what --set does to them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from hpo.errors import FileFaults
from hpo.plan import make_plan
from hpo.spaces.search_space import SearchSpace
from hpo.study_files.keys import parse_duration
from hpo.study_files.reading import load, project_folder
from hpo.study_files.study_file import StudyFile

ROOT = Path(__file__).parent.parent
SHIPPED = sorted(ROOT.glob("studies/**/*.yaml"))
CONTROLLED = """method: controlled
baseline: {loss: nll, layers: [128], lr: 10.0, l1: 0.0}
vary:
  loss: [mse]
  layers: {three layers: [128, 64, 64], five: [256, 64]}
  lr: [1.0, 0.1]
  regularization: {L2: {weight_decay: 0.01}, both: {weight_decay: 0.01, dropout: 0.5}}
replicates: 2
claims:
  - worst: {lr: 0.1}
  - {best: {loss: baseline}, says: The baseline is best.}
  - alike: {layers: [[128], three layers]}
    within: 0.5
  - alike: {regularization: L2}
  - better: [{lr: 10.0}, {lr: 1.0}]
  - slowest: {layers: five}
"""


def write(folder: Path, text: str, spaces: str = "") -> Path:
    (folder / "search_spaces.yaml").write_text(spaces)
    path = folder / "my-study.yaml"
    path.write_text(text)
    return path


def read(folder: Path, text: str, *overrides: str, spaces: str = "") -> StudyFile:
    return load(write(folder, text, spaces), overrides)


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_every_shipped_study_loads_plans_and_survives_json(path: Path) -> None:
    study = load(path)
    again = StudyFile.model_validate(json.loads(json.dumps(study.model_dump(mode="json"))))
    assert again == study
    assert make_plan(again) == make_plan(study)
    assert make_plan(study).max_epochs() is not None


def test_there_are_shipped_studies_of_every_kind() -> None:
    stems = {path.stem for path in SHIPPED}
    assert stems >= {"quickstart", "grid", "random", "tpe", "article", "unshuffled"}


def test_a_study_without_a_space_leaves_the_distributions_to_the_objective(tmp_path: Path) -> None:
    text = "method: tpe\nn_trials: 3\nobjective: own.py:f\ndirection: minimize\n"
    study = read(tmp_path, text)
    assert study.search_space is None
    assert (study.study, study.objective) == ("my-study", "own.py:f")
    assert study.directions == ("minimize",)
    assert study.settings({"x": 1}) == {"x": 1}


def test_defaults_are_those_of_the_documentation(tmp_path: Path) -> None:
    study = read(tmp_path, "method: tpe\nn_trials: 3\n")
    assert study.model_dump(exclude_defaults=True) == {
        "study": "my-study",
        "method": "tpe",
        "directions": ("maximize",),
        "n_trials": 3,
        "metrics": ("accuracy",),
    }


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("30min", 1800), ("1.5h", 5400), ("1d", 86400), (45, 45), ("2 h", 7200)],
)
def test_times_are_read_as_people_write_them(text: Any, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["0s", "-1h", "1 week", "min", "", None, True, 1e300, [1]])
def test_other_times_are_refused(text: Any) -> None:
    with pytest.raises(ValueError, match="must be a time such as 90s"):
        parse_duration(text)


def test_a_named_space_comes_from_the_project_folder(tmp_path: Path) -> None:
    folder = tmp_path / "studies" / "deep"
    folder.mkdir(parents=True)
    (tmp_path / "search_spaces.yaml").write_text("own: {x: {choices: [[1, 2], [3]]}}\n")
    path = folder / "s.yaml"
    path.write_text("method: grid\nsearch_space: own\n")
    assert project_folder(path) == tmp_path
    assert load(path).search_space == SearchSpace.from_data({"x": {"choices": [[1, 2], [3]]}})


def test_a_project_without_marks_is_the_folder_of_the_study(tmp_path: Path) -> None:
    assert project_folder(tmp_path / "s.yaml") == tmp_path


def test_a_condition_on_a_fixed_setting_needs_no_parameter_of_that_name(tmp_path: Path) -> None:
    space = "mlp: {lr: {low: 0.1, high: 1.0}, m: {low: 0.0, high: 0.9, when: {optimizer: sgd}}}\n"
    text = "method: tpe\nn_trials: 3\nsearch_space: mlp\nfixed: {optimizer: %s}\n"
    names = [
        list(study.search_space.parameters)
        for study in (read(tmp_path, text % o, spaces=space) for o in ("sgd", "adam"))
        if study.search_space
    ]
    assert names == [["lr", "m"], ["lr"]]


def test_hyperband_takes_its_largest_resource_from_the_fixed_epochs(tmp_path: Path) -> None:
    text = (
        "method: tpe\nn_trials: 3\npruner: {hyperband: {reduction_factor: 4}}\nfixed: {epochs: 9}\n"
    )
    assert read(tmp_path, text).pruner == {"hyperband": {"reduction_factor": 4, "max_resource": 9}}
    assert read(tmp_path, text, "epochs=27").pruner == {
        "hyperband": {"reduction_factor": 4, "max_resource": 27}
    }


def test_a_controlled_study_has_labelled_levels(tmp_path: Path) -> None:
    study = read(tmp_path, CONTROLLED)
    assert study.levels() == {
        "loss": ["nll", "mse"],
        "layers": ["128", "three layers", "five"],
        "lr": ["10", "1", "0.1"],
        "regularization": ["baseline", "L2", "both"],
    }
    assert study.vary is not None
    assert study.vary["layers"]["five"] == {"layers": [256, 64]}
    changed = {"loss": "nll", "layers": "128", "lr": "10", "regularization": "both"}
    assert study.settings(changed) == {
        "loss": "nll",
        "layers": [128],
        "lr": 10.0,
        "l1": 0.0,
        "weight_decay": 0.01,
        "dropout": 0.5,
    }


def test_claims_may_name_levels_by_their_values(tmp_path: Path) -> None:
    text = (
        "method: controlled\n"
        "baseline: {batch_size: 64, rate: 1.0}\n"
        "vary:\n"
        "  batch_size: {small: 16, large: 256}\n"
        "  step: {slow: {rate: 0.1}, fast: {rate: 10.0}}\n"
        "claims:\n"
        "  - best: {batch_size: 64}\n"
        "  - worst: {batch_size: 256}\n"
        "  - best: {step: 1}\n"
        "  - better: [{step: baseline}, {step: 10.0}]\n"
        "  - alike: {step: [1.0, 0.1]}\n"
    )
    claims = [claim.model_dump() for claim in read(tmp_path, text).claims]
    kinds = [{k: v for k, v in claim.items() if k not in ("says", "within")} for claim in claims]
    assert kinds == [
        {"best": {"batch_size": "64"}},
        {"worst": {"batch_size": "large"}},
        {"best": {"step": "baseline"}},
        {"better": [{"step": "baseline"}, {"step": "fast"}]},
        {"alike": {"step": ["baseline", "slow"]}},
    ]


def test_claims_name_levels_by_their_labels_and_always_say_something(tmp_path: Path) -> None:
    assert [claim.model_dump() for claim in read(tmp_path, CONTROLLED).claims] == [
        {"worst": {"lr": "0.1"}, "says": "lr 0.1 is worst"},
        {"best": {"loss": "nll"}, "says": "The baseline is best."},
        {
            "alike": {"layers": ["128", "three layers"]},
            "says": "layers 128 and three layers are alike",
            "within": 0.5,
        },
        {
            "alike": {"regularization": ["baseline", "L2"]},
            "says": "regularization baseline and L2 are alike",
            "within": 0.2,
        },
        {"better": [{"lr": "10"}, {"lr": "1"}], "says": "lr 10 is better than lr 1"},
        {"slowest": {"layers": "five"}, "says": "layers five is slowest"},
    ]


def test_set_changes_a_key_or_else_a_setting(tmp_path: Path) -> None:
    text = "method: tpe\nn_trials: 3\npruner: median\nfixed: {epochs: 3, dataset: mnist}\n"
    changes = ["n_trials=5", "epochs=2", "layers=[128, 64]", "lr=1e-3", "timeout=1h"]
    study = read(tmp_path, text, *changes, "pruner.median.n_warmup_steps=2")
    assert study.n_trials == 5
    assert study.timeout_s == 3600
    assert study.fixed == {"epochs": 2, "dataset": "mnist", "layers": [128, 64], "lr": 1e-3}
    assert study.pruner == {"median": {"n_warmup_steps": 2}}


def test_set_changes_the_baseline_of_a_controlled_study(tmp_path: Path) -> None:
    study = read(tmp_path, CONTROLLED, "replicates=1", "epochs=2", "l1=0.5")
    assert study.replicates == 1
    assert study.baseline == {
        "loss": "nll",
        "layers": [128],
        "lr": 10.0,
        "l1": 0.5,
        "epochs": 2,
    }


def test_several_directions_need_no_metrics_but_may_name_them(tmp_path: Path) -> None:
    text = "method: nsga2\nn_trials: 3\ndirections: [maximize, minimize]\n"
    assert read(tmp_path, text).metrics == ()
    named = read(tmp_path, f"{text}metrics: [accuracy, parameters]\n")
    assert named.metrics == ("accuracy", "parameters")


def test_faults_of_two_files_are_told_apart(tmp_path: Path) -> None:
    path = write(tmp_path, "method: tpe\nn_trials: 0\nsearch_space: own\n", "own: {x: {low: 1}}\n")
    with pytest.raises(FileFaults) as caught:
        load(path)
    assert [(Path(f.file).name, f.line) for f in caught.value.faults] == [
        ("my-study.yaml", 2),
        ("search_spaces.yaml", 1),
    ]


def test_a_missing_file_of_spaces_is_named(tmp_path: Path) -> None:
    path = tmp_path / "s.yaml"
    path.write_text("method: tpe\nn_trials: 3\nsearch_space: mlp\n")
    with pytest.raises(FileFaults, match=r"there is no search_spaces\.yaml in"):
        load(path)


def test_a_missing_package_is_a_fault_with_its_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hpo.study_files.components.find_spec", lambda name: None)
    with pytest.raises(FileFaults, match=r"cmaes.* not installed: pip install 'hpo-service"):
        read(tmp_path, "method: cmaes\nn_trials: 3\n")


def test_reading_a_study_whose_sampler_needs_torch_does_not_import_it(tmp_path: Path) -> None:
    path = write(tmp_path, "method: gp\nn_trials: 3\nsearch_space: {x: {low: 0.0, high: 1.0}}\n")
    code = (
        "import sys; from pathlib import Path; from hpo.study_files.reading import load; "
        "load(Path(sys.argv[1])); sys.exit('torch' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code, str(path)], check=True, cwd=ROOT)


SEARCH = "method: random\nn_trials: 3\ndirection: minimize\n"
FAMILY = "👩\u200d👧 🏳️\u200d🌈"


@pytest.mark.parametrize(
    "name", ["😀", FAMILY, "..", "/", "a/b", "Übung 1: ß", "نمی\u200cشود", "x" * 200]
)
def test_a_study_may_have_any_printable_name(tmp_path: Path, name: str) -> None:
    path = write(tmp_path, SEARCH)
    assert load(path, options={"study": name}).study == name
    assert load(path, [f"study={json.dumps(name)}"]).study == name
    assert load(path, [f"study={json.dumps(name, ensure_ascii=False)}"]).study == name


@pytest.mark.parametrize(
    "name",
    [
        "",
        " ",
        " x",
        "x\n",
        "a\nb",
        "a\tb",
        "\0",
        "\x1b[31m",
        "\x9b31m",
        "\udcff",
        "\u202ex",
        "x" * 201,
    ],
)
def test_a_name_that_is_not_printable_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(FileFaults, match="--name") as caught:
        load(write(tmp_path, SEARCH), options={"study": name})
    assert [fault.path for fault in caught.value.faults] == ["study"]
