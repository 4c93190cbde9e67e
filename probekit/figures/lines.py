"""Parts of by-layer figures: a curve with its interval, a null line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from probekit.figures.region import add_region, runs_of
from probekit.figures.theme import BAND_OPACITY, GREY, rgba

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    import plotly.graph_objects as go

__all__ = ["add_curve", "add_level", "add_region", "runs_of"]


def add_curve(
    figure: go.Figure,
    x: Sequence[float],
    y: np.ndarray,
    *,
    name: str,
    colour: str,
    interval: tuple[np.ndarray, np.ndarray] | None = None,
    n: int | str | None = None,
    dash: str = "solid",
    cell: dict[str, Any] | None = None,
) -> None:
    """A curve over layers; hover says value, interval and n."""
    import plotly.graph_objects as go

    where = cell or {}
    if interval is not None:
        figure.add_trace(_band(x, interval, colour=colour), **where)
    line = {"color": colour, "width": 2 if dash == "solid" else 1.4, "dash": dash}
    figure.add_trace(
        go.Scatter(
            x=list(x),
            y=y,
            name=name,
            mode="lines+markers" if dash == "solid" else "lines",
            line=line,
            marker={"size": 5},
            text=_hover(y, interval, n),
            hovertemplate="%{text}",
        ),
        **where,
    )


def _band(
    x: Sequence[float], interval: tuple[np.ndarray, np.ndarray], *, colour: str
) -> go.Scatter:
    """The interval as a filled outline that has no hover of its own."""
    import numpy as np
    import plotly.graph_objects as go

    low, high = interval
    return go.Scatter(
        x=[*x, *reversed(x)],
        y=np.concatenate([high, low[::-1]]),
        mode="lines",
        fill="toself",
        fillcolor=rgba(colour, BAND_OPACITY),
        line={"width": 0},
        hoverinfo="skip",
        showlegend=False,
    )


def _hover(
    y: np.ndarray, interval: tuple[np.ndarray, np.ndarray] | None, n: int | str | None
) -> list[str]:
    """Value, interval and n of every point."""
    spans = [""] * len(y)
    if interval is not None:
        spans = [f" [{low:.3f}, {high:.3f}]" for low, high in zip(*interval, strict=True)]
    tail = f", n = {n}" if n else ""
    return [f"{value:.3f}{span}{tail}" for value, span in zip(y, spans, strict=True)]


def add_level(
    figure: go.Figure,
    x: Sequence[float],
    y: np.ndarray,
    *,
    name: str,
    cell: dict[str, Any] | None = None,
) -> None:
    """A null or chance level over layers."""
    add_curve(figure, x, y, name=name, colour=GREY, dash="dot", cell=cell)
