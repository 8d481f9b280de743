"""The figures of one study under keys that no other study of the page has."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hpo.reporting.html import Html, plot

if TYPE_CHECKING:
    import plotly.graph_objects as go


@dataclass(frozen=True)
class Drawn:
    """A study's figures and the number of the study in the page."""

    study: int
    figures: Mapping[str, go.Figure]

    def key(self, name: str) -> str:
        """The figure's key in the page."""
        return f"s{self.study}-{name}"

    def plot(self, name: str, caption: object = "") -> Html:
        """The figure with its caption; nothing where the study's data could not fill it."""
        figure = self.figures.get(name)
        return plot(self.key(name), figure, caption) if figure is not None else Html()

    def keyed(self) -> dict[str, go.Figure]:
        """All figures by their keys."""
        return {self.key(name): figure for name, figure in self.figures.items()}
