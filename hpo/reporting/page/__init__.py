"""The page: analysed studies go in, one self-contained HTML document comes out.

The templates beside this module say what stands where. Whatever they insert is escaped, and its
control characters are made visible, so what a user named cannot become markup.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import resources
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from hpo.control_characters import visible
from hpo.reporting.analysis import Analysis
from hpo.reporting.figures import study_figures
from hpo.reporting.figures.search import comparable, plot_comparison
from hpo.reporting.figures.style import figure_id, template
from hpo.reporting.page import wording
from hpo.reporting.study_text import study_file_text
from hpo.reporting.texts import commands, yaml_text
from hpo.reporting.trials import best_settings, counts_text, workers
from hpo.reporting.units import Unit, duration, metric_label, plural, probability, significant
from hpo.reporting.usage import usage

if TYPE_CHECKING:
    import plotly.graph_objects as go


@dataclass(frozen=True)
class Plot:
    """The place of a figure; the page's script draws it.

    Attributes:
        key: The figure's name, which no other figure of the page has.
        height: In pixels.
        min_width: In pixels; a narrower page scrolls it.
        has_replicates: Whether it holds single replicates, hidden at first.
    """

    key: str
    height: int
    min_width: int
    has_replicates: bool


@dataclass(frozen=True)
class StudyPart:
    """One study of the page: its number in it, what is known of it, and its figures' places."""

    number: int
    analysis: Analysis
    plots: Mapping[str, Plot]


def render(analyses: Sequence[Analysis]) -> str:
    """The whole document.

    A content security policy lets nothing be loaded and no script run but the two inlined here.
    """
    figures: dict[str, go.Figure] = {}
    compared = _compared(analyses)
    figures |= compared
    parts = []
    for number, analysis in enumerate(analyses):
        drawn = study_figures(analysis, with_replicates=True)
        figures |= {f"s{number}-{name}": figure for name, figure in drawn.items()}
        places = {name: _place(f"s{number}-{name}", figure) for name, figure in drawn.items()}
        parts.append(StudyPart(number, analysis, places))
    scripts = list(_scripts()) if figures else []
    return (
        environment()
        .get_template("page.html")
        .render(
            studies=parts,
            compared={name: _place(name, figure) for name, figure in compared.items()},
            is_comparable=comparable([analysis.record for analysis in analyses]),
            now=datetime.now(UTC),
            css=_resource("page.css"),
            policy=_policy(scripts),
            figures=_json_for_html(_figures_data(figures)),
            scripts=scripts,
        )
    )


def environment() -> Environment:
    """Jinja with what the templates of this folder use."""
    made = Environment(
        autoescape=True,
        finalize=_shown,
        loader=PackageLoader("hpo.reporting.page", "."),
        lstrip_blocks=True,
        trim_blocks=True,
        undefined=StrictUndefined,
    )
    made.globals |= {
        "Unit": Unit,
        "best_settings": best_settings,
        "commands": commands,
        "counts_text": counts_text,
        "duration": duration,
        "figure_id": figure_id,
        "metric_label": metric_label,
        "plural": plural,
        "probability": probability,
        "significant": significant,
        "study_file_text": study_file_text,
        "usage": usage,
        "wording": wording,
        "workers": workers,
        "yaml_text": yaml_text,
    }
    return made


def _shown(value: Any) -> Any:
    """What is inserted: markup as it is, everything else as text that does nothing."""
    if hasattr(value, "__html__"):
        return value
    return "" if value is None else visible(str(value))


def _compared(analyses: Sequence[Analysis]) -> dict[str, go.Figure]:
    """Figures of several studies, where their values share an axis."""
    if not comparable([analysis.record for analysis in analyses]):
        return {}
    drawn = {
        f"compared-{over}": plot_comparison(analyses, over=over) for over in ("epochs", "seconds")
    }
    return {name: figure for name, figure in drawn.items() if figure is not None}


def _place(key: str, figure: go.Figure) -> Plot:
    meta = figure.layout.meta if isinstance(figure.layout.meta, Mapping) else {}
    return Plot(
        key,
        int(figure.layout.height or 400),
        int(meta.get("min_width", 0)),
        any(trace.meta == "replicate" for trace in figure.data),
    )


def _figures_data(figures: Mapping[str, go.Figure]) -> dict[str, Any]:
    return {
        "figures": {name: _figure_data(figure) for name, figure in figures.items()},
        "templates": {"light": template(is_dark=False), "dark": template(is_dark=True)},
    }


def _figure_data(figure: go.Figure) -> dict[str, Any]:
    """A figure without its template, which the page holds once."""
    data: dict[str, Any] = json.loads(figure.to_json())
    data["layout"].pop("template", None)
    return {"data": data["data"], "layout": data["layout"]}


def _json_for_html(data: Any) -> str:
    text = json.dumps(data, separators=(",", ":"), ensure_ascii=False)
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def _scripts() -> Iterator[str]:
    """The page's scripts, none of which can end its own element."""
    from plotly.offline import get_plotlyjs

    for script in (get_plotlyjs(), _resource("page.js")):
        yield script.replace("</script", "<\\/script").replace("<!--", "<\\!--")


def _policy(scripts: Sequence[str]) -> str:
    digests = (hashlib.sha256(script.encode()).digest() for script in scripts)
    allowed = " ".join(f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests)
    return (
        "default-src 'none'; base-uri 'none'; form-action 'none'; img-src data: blob:; "
        "style-src 'unsafe-inline'; script-src " + (allowed or "'none'")
    )


def _resource(name: str) -> str:
    return resources.files("hpo.reporting.page").joinpath(name).read_text(encoding="utf-8")
