"""The one look of all figures: colours, light and dark template, safe labels, thinned series."""

from __future__ import annotations

import html
import math
import re
import zlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from hpo.control_characters import visible

if TYPE_CHECKING:
    import plotly.graph_objects as go

# Okabe and Ito's colours, without the yellow that vanishes on white, the black that does on dark.
BLUE, VERMILLION, GREEN, ORANGE, PURPLE, SKY = (
    "#0072B2",
    "#D55E00",
    "#009E73",
    "#E69F00",
    "#CC79A7",
    "#56B4E9",
)
COLORS = (BLUE, VERMILLION, GREEN, ORANGE, PURPLE, SKY)
DASHES = ("solid", "dash", "dot", "dashdot")
# Reads on white and on dark paper alike.
NEUTRAL = "#808080"
BAD_TO_GOOD = ((0.0, "#A0A0A0"), (1.0, VERMILLION))
ENDING_COLORS = {
    "complete": BLUE,
    "pruned": ORANGE,
    "failed": VERMILLION,
    "released": NEUTRAL,
    "lost": PURPLE,
    "running": GREEN,
    "waiting": SKY,
}
FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"


def template(*, is_dark: bool) -> dict[str, Any]:
    """The template of every figure, as plotly takes it; backgrounds are those of the page."""
    ink, grid, line = (
        ("#e6e6e6", "#33373d", "#5b616b") if is_dark else ("#1f2328", "#e4e7eb", "#aeb4bd")
    )
    axis = {
        "gridcolor": grid,
        "linecolor": line,
        "zerolinecolor": line,
        "tickcolor": line,
        "automargin": True,
        "title": {"standoff": 10},
        "zeroline": False,
        "showline": True,
        "ticks": "outside",
        "ticklen": 4,
    }
    return {
        "layout": {
            "font": {"family": FONT, "size": 13, "color": ink},
            "paper_bgcolor": "rgba(0,0,0,0)",
            "plot_bgcolor": "rgba(0,0,0,0)",
            "colorway": list(COLORS),
            "margin": {"l": 12, "r": 16, "t": 12, "b": 12},
            "xaxis": axis,
            "yaxis": axis,
            "hoverlabel": {
                "bgcolor": "#22262c" if is_dark else "#ffffff",
                "font": {"color": ink, "family": FONT},
                "align": "left",
            },
            "legend": {
                "orientation": "h",
                "x": 0,
                "xanchor": "left",
                "y": 1.02,
                "yanchor": "bottom",
            },
            "bargap": 0.25,
            "modebar": {"bgcolor": "rgba(0,0,0,0)", "color": line, "activecolor": ink},
        }
    }


def new_figure(**layout: Any) -> go.Figure:
    """An empty figure in the light template, which is also what paper and picture files get."""
    import plotly.graph_objects as go

    figure = go.Figure()
    figure.update_layout(template=template(is_dark=False), **layout)
    return figure


def label(text: object, longest: int = 60) -> str:
    """A user's text for plotly, which reads markup in labels: escaped, on one line, shortened."""
    flat = " ".join(visible(str(text)).split())
    shown = flat if len(flat) <= longest else f"{flat[: longest - 1]}…"
    # Hover texts are templates: a %{...} of the user's own must not be filled in.
    return html.escape(shown, quote=False).replace("%{", "&#37;{")


def line_style(index: int) -> dict[str, Any]:
    """Colour and, from the seventh series on, dashes."""
    dash = DASHES[index // len(COLORS) % len(DASHES)]
    return {"color": COLORS[index % len(COLORS)], "dash": dash}


def faded(color: str, opacity: float) -> str:
    """A hex colour as rgba."""
    red, green, blue = (int(color[start : start + 2], 16) for start in (1, 3, 5))
    return f"rgba({red},{green},{blue},{opacity:g})"


def blend(share: float) -> str:
    """A colour between bad (0) and good (1)."""
    (_, bad), (_, good) = BAD_TO_GOOD
    share = min(max(share, 0.0), 1.0)
    mixed = (
        round(int(bad[i : i + 2], 16) * (1 - share) + int(good[i : i + 2], 16) * share)
        for i in (1, 3, 5)
    )
    return "#" + "".join(f"{channel:02x}" for channel in mixed)


def rounded(values: Sequence[float], digits: int = 6) -> list[float | None]:
    """Numbers with as many digits as a picture can show; what is not finite becomes a gap."""
    return [float(f"{value:.{digits}g}") if math.isfinite(value) else None for value in values]


def spread_indices(n: int, limit: int) -> list[int]:
    """At most ``limit`` indices of n, evenly spread, first and last among them."""
    if n <= limit:
        return list(range(n))
    return sorted({round(step * (n - 1) / (limit - 1)) for step in range(limit)})


def log_ticks(low: float, high: float) -> dict[str, Any]:
    """Ticks of a logarithmic axis written in full: 1, 2, 5 of each decade, or decades alone."""
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    steps = (1, 2, 5) if high / low < 300 else (1,)
    every = 1 + (len(decades) - 1) // 8
    around = [step * 10.0**decade for decade in decades[::every] for step in steps]
    first = max((at for at, tick in enumerate(around) if tick <= low), default=0)
    last = min((at for at, tick in enumerate(around) if tick >= high), default=len(around))
    ticks = around[first : last + 1]
    return {"type": "log", "tickvals": ticks, "ticktext": [_power_text(tick) for tick in ticks]}


def _power_text(value: float) -> str:
    if 1e-3 <= value < 1e5:
        return f"{value:,.10g}"
    exponent = math.floor(math.log10(value) + 1e-9)
    return f"10<sup>{exponent}</sup>" if value / 10.0**exponent < 1.5 else f"{value:.0e}"


def figure_id(*parts: str) -> str:
    """A stable name fit for files and HTML; a short checksum keeps changed names apart."""
    plain = "-".join(parts)
    slug = re.sub(r"[^a-z0-9_]+", "-", plain.lower()).strip("-")[:60]
    return slug if slug == plain else f"{slug}-{zlib.crc32(plain.encode()):08x}"
