"""What a study shows in optuna-dashboard: a stored study in, notes and figures beside it out."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import optuna
    import plotly.graph_objects as go

    from hpo.databases.storage import Storage

_ATTRIBUTE = "hpo:published"  # a system attribute: it is not shown on the page


def publish(storage: Storage, study_name: str) -> list[str]:
    """Write the study's note, its figures and its best trial's note into its database.

    What has not changed since it was published is not written again, and a note that somebody
    edited on the page is left as it is.

    Args:
        storage: The storage, opened for writing.
        study_name: A study of it, whoever made it.

    Returns:
        What was written, in words.

    Raises:
        UserError: There is no such study.
    """
    from hpo.ledger.stored_study import require_stored
    from hpo.reporting.analysis import analyze
    from hpo.reporting.figures import study_figures
    from hpo.reporting.notes import study_note, trial_note
    from hpo.stored_record import read_stored

    stored = require_stored(storage, study_name)
    analysis = analyze(read_stored(stored, with_curves=True))
    notebook = _Notebook(storage.optuna, stored.optuna_study())
    notebook.write_note(None, study_note(analysis), "the study's note")
    for best in analysis.best[:1]:
        words = f"the note of trial {best.number}"
        notebook.write_note(best.number, trial_note(analysis.record, best.number), words)
    for name, figure in study_figures(analysis).items():
        notebook.write_figure(name, fit(name, figure))
    notebook.remember()
    return notebook.written


def fit(name: str, figure: go.Figure) -> go.Figure:
    """A figure for the page, which shows it half a window wide and 450 pixels high, cut off there.

    The page gives it no heading either, so the figure carries its own.
    """
    top = 64 + (figure.layout.margin.t or 40)
    heading = {"text": name.replace("-", " "), "x": 0.01, "y": 0.98, "yanchor": "top"}
    figure.update_layout(height=None, width=None, autosize=True, title=heading, margin_t=top)
    return figure


@dataclass(frozen=True)
class _TrialOfNote:
    """What save_note reads of a trial; a real Trial would ask the sampler for parameters."""

    storage: optuna.storages.BaseStorage
    study: optuna.Study
    _trial_id: int


class _Notebook:
    """The notes and figures of a study, and the digests of those that hpo wrote."""

    def __init__(self, storage: optuna.storages.BaseStorage, study: optuna.Study) -> None:
        self._storage, self._study = storage, study
        self._study_id = storage.get_study_id_from_name(study.study_name)
        stored = storage.get_study_system_attrs(self._study_id).get(_ATTRIBUTE)
        self._before: dict[str, str] = json.loads(stored) if stored else {}
        self._digests = dict(self._before)
        self.written: list[str] = []

    def write_note(self, number: int | None, text: str, words: str) -> None:
        """Write a note of the study, or of a trial, unless it is there or is somebody else's."""
        from optuna_dashboard import get_note, save_note

        key = "note" if number is None else f"note:{number}"
        holder = self._study if number is None else self._trial(number)
        present = get_note(holder)
        is_ours = not present or _digest(present) == self._before.get(key)
        if not is_ours or present == text:
            return
        save_note(holder, text)
        self._digests[key] = _digest(text)
        self.written.append(words)

    def write_figure(self, name: str, figure: go.Figure) -> None:
        """Write a figure unless the same one was written last time."""
        from optuna_dashboard import save_plotly_graph_object

        key, digest = f"figure:{name}", _digest(figure.to_json())
        if self._before.get(key) == digest:
            return
        save_plotly_graph_object(self._study, figure, graph_object_id=name)
        self._digests[key] = digest
        self.written.append(f"the figure {name}")

    def remember(self) -> None:
        """Keep the digests for the next time."""
        if self._digests != self._before:
            text = json.dumps(self._digests)
            self._storage.set_study_system_attr(self._study_id, _ATTRIBUTE, text)

    def _trial(self, number: int) -> Any:
        trial_id = self._storage.get_trial_id_from_study_id_trial_number(self._study_id, number)
        return _TrialOfNote(self._storage, self._study, trial_id)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
