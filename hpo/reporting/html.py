"""Building blocks of the page: plain text and data go in, escaped HTML comes out.

Text is escaped unless it already is `Html`, so what a user named cannot become markup; control
characters are made visible.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
from collections.abc import Iterable, Mapping, Sequence
from importlib import resources
from typing import TYPE_CHECKING, Any

from hpo.control_characters import visible

if TYPE_CHECKING:
    import plotly.graph_objects as go


class Html(str):
    """Markup that may stand in the page as it is."""

    __slots__ = ()


def escape(text: object) -> Html:
    """Text as markup; `Html` stays what it is."""
    return text if isinstance(text, Html) else Html(html.escape(visible(str(text))))


def join(parts: Iterable[object], separator: str = "") -> Html:
    """Several parts, each escaped where it must be."""
    return Html(
        html.escape(separator).join(escape(part) for part in parts if part not in (None, ""))
    )


def tag(name: str, *content: object, **attributes: object) -> Html:
    """An element; ``class_`` and ``data_x`` are written ``class`` and ``data-x``."""
    written = "".join(
        f' {key.strip("_").replace("_", "-")}="{escape(str(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    return Html(f"<{name}{written}>{join(content)}</{name}>")


def section(title: object, *content: object, id_: str | None = None) -> Html:
    """A headed section; nothing where it would be empty."""
    body = join(content)
    return tag("section", tag("h3", title), body, id=id_) if body else Html()


def paragraph(*content: object, class_: str | None = None) -> Html:
    """A paragraph."""
    return tag("p", *content, class_=class_)


def table(
    headers: Sequence[object],
    rows: Iterable[Sequence[object] | Html],
    *,
    numeric: Sequence[int] = (),
    caption: object = "",
) -> Html:
    """A table that scrolls sideways on narrow screens.

    Args:
        headers: One for each column.
        rows: Cells, or a whole row as markup.
        numeric: Indices of columns that are aligned to the right.
        caption: Stands above the table.
    """

    def cells(name: str, row: Sequence[object]) -> Html:
        return join(
            tag(name, cell, class_="number" if index in numeric else None)
            for index, cell in enumerate(row)
        )

    body = join(row if isinstance(row, Html) else tag("tr", cells("td", row)) for row in rows)
    head = tag("thead", tag("tr", cells("th", headers)))
    title = tag("caption", caption) if caption else ""
    return tag("div", tag("table", title, head, tag("tbody", body)), class_="scroll")


def facts(pairs: Iterable[tuple[object, object]]) -> Html:
    """A list of names and what they are; empty ones are left out."""
    return tag(
        "dl", join(join((tag("dt", name), tag("dd", value))) for name, value in pairs if value)
    )


def code(text: str) -> Html:
    """Preformatted text."""
    return tag("pre", tag("code", text))


def details(summary: object, *content: object) -> Html:
    """Content that is shown on demand."""
    return tag("details", tag("summary", summary), *content)


def chip(text: str, kind: str) -> Html:
    """A short marked word; the mark is told by a sign and by colour."""
    return tag("span", text, class_=f"chip {kind}")


def plot(name: str, figure: go.Figure, caption: object = "", *, controls: object = "") -> Html:
    """The place of a figure; the page's script draws it."""
    meta = figure.layout.meta if isinstance(figure.layout.meta, Mapping) else {}
    height, min_width = int(figure.layout.height or 400), int(meta.get("min_width", 0))
    style = f"height:{height}px;min-width:{min_width}px"
    place = tag("div", class_="plot", data_figure=name, style=style, role="img")
    note = tag("figcaption", caption) if caption else ""
    return tag("figure", controls, tag("div", place, class_="scroll"), note)


def page(title: str, body: Html, figures: Mapping[str, go.Figure]) -> str:
    """The whole self-contained document.

    A content security policy lets nothing be loaded and no script run but the two inlined here.
    """
    from plotly.offline import get_plotlyjs

    from hpo.reporting.figures.style import template

    data = {
        "figures": {name: _figure_data(figure) for name, figure in figures.items()},
        "templates": {"light": template(is_dark=False), "dark": template(is_dark=True)},
    }
    scripts = [_script_text(get_plotlyjs()), _script_text(_resource("page.js"))] if figures else []
    policy = (
        "default-src 'none'; base-uri 'none'; form-action 'none'; img-src data: blob:; "
        "style-src 'unsafe-inline'; script-src " + (" ".join(map(_hash, scripts)) or "'none'")
    )
    return "\n".join(
        (
            '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{policy}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            '<meta name="color-scheme" content="light dark">',
            tag("title", title),
            f"<style>{_resource('page.css')}</style>\n</head>\n<body>\n<main>",
            body,
            "</main>",
            f'<script type="application/json" id="figures">{_json_for_html(data)}</script>',
            *(f"<script>{script}</script>" for script in scripts),
            "</body>\n</html>\n",
        )
    )


def _figure_data(figure: go.Figure) -> dict[str, Any]:
    """A figure without its template, which the page holds once."""
    data: dict[str, Any] = json.loads(figure.to_json())
    data["layout"].pop("template", None)
    return {"data": data["data"], "layout": data["layout"]}


def _json_for_html(data: Any) -> str:
    text = json.dumps(data, separators=(",", ":"), ensure_ascii=False)
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def _script_text(script: str) -> str:
    """A script that cannot end its own element."""
    return script.replace("</script", "<\\/script").replace("<!--", "<\\!--")


def _hash(script: str) -> str:
    digest = hashlib.sha256(script.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


def _resource(name: str) -> str:
    return resources.files("hpo.reporting").joinpath(name).read_text(encoding="utf-8")
