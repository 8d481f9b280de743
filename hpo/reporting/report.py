"""Reports: records go in; one HTML page, plain JSON data or picture files come out."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hpo.errors import MissingPackage, UserError
from hpo.files import replacing
from hpo.reporting.records import StudyRecord

if TYPE_CHECKING:
    import plotly.graph_objects as go


def write_report(records: Sequence[StudyRecord], path: Path) -> None:
    """Write one self-contained page; a page that is there is replaced in one step.

    Raises:
        UserError: The file cannot be written.
    """
    text = report_html(records)
    try:
        with replacing(path) as aside:
            aside.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UserError(f"{path} cannot be written: {error.strerror}.") from error


def report_html(records: Sequence[StudyRecord]) -> str:
    """The page as text."""
    from hpo.reporting.analysis import analyze
    from hpo.reporting.page import render

    return render([analyze(record) for record in records])


def report_data(records: Sequence[StudyRecord]) -> dict[str, Any]:
    """The report's numbers as plain JSON data; what is not finite is null."""
    from hpo.reporting.analysis import analyze
    from hpo.reporting.numbers import study_numbers

    numbers = [study_numbers(analyze(record)) for record in records]
    data: dict[str, Any] = _plain({"studies": numbers})
    return data


def write_pngs(records: Sequence[StudyRecord], folder: Path) -> list[Path]:
    """Write every figure as a picture, ``STUDY-FIGURE.png``, in the light look on white.

    Raises:
        MissingPackage: kaleido is not installed.
        UserError: There is no Chrome for kaleido, or the folder cannot be written.
    """
    from hpo.reporting.analysis import analyze
    from hpo.reporting.figures import study_figures
    from hpo.reporting.figures.style import figure_id

    figures = {
        f"{figure_id(record.name)}-{name}": figure
        for record in records
        for name, figure in study_figures(analyze(record)).items()
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"Cannot make the folder {folder}: {error.strerror}.") from error
    paths = [folder / f"{name}.png" for name in figures]
    _write_images(list(figures.values()), paths)
    return paths


def _write_images(figures: Sequence[go.Figure], paths: Sequence[Path]) -> None:
    try:
        import kaleido  # type: ignore[import-untyped]
        from kaleido import errors
    except ImportError as error:
        raise MissingPackage(
            "Picture files need kaleido: pip install 'hpo-service[png]'."
        ) from error
    specs = [
        {
            "fig": figure.update_layout(paper_bgcolor="white", plot_bgcolor="white"),
            "path": str(path),
            "opts": {
                "format": "png",
                "width": 900,
                "height": figure.layout.height or 420,
                "scale": 2,
            },
        }
        for figure, path in zip(figures, paths, strict=True)
    ]
    try:
        # Without mathjax, which kaleido would fetch from the internet.
        kaleido.write_fig_from_object_sync(specs, kopts={"mathjax": False})
    except (errors.ChromeNotFoundError, errors.BrowserFailedError) as error:
        raise UserError(
            "Picture files need Chrome or Chromium, and kaleido could not start one. Install it "
            "(Debian: apt install chromium), or name it in the environment variable BROWSER_PATH."
        ) from error


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return _plain(asdict(value))
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if value is None or isinstance(value, (str, int)) else str(value)
