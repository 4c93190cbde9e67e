"""Colours and axes that every figure shares; colour-blind readers tell the colours apart."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import plotly.graph_objects as go

BLUE, ORANGE, GREEN, VERMILION, PURPLE, GREY = (
    "#0072B2",
    "#E69F00",
    "#009E73",
    "#D55E00",
    "#CC79A7",
    "#7F7F7F",
)
INK = "#1b2129"
BAND_OPACITY = 0.18
FONT = "Inter, Helvetica, Arial, sans-serif"


def rgba(colour: str, opacity: float) -> str:
    """``#RRGGBB`` with an opacity."""
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red},{green},{blue},{opacity})"


def style(
    figure: go.Figure, *, title: str, caption: str, height: int, hover: str = "x unified"
) -> go.Figure:
    """Give a figure the house look, its title and the sentence that says how it was made."""
    figure.update_layout(
        template=_template(),
        title={"text": title, "x": 0, "xref": "paper", "font": {"size": 17}},
        font={"family": FONT, "size": 13},
        height=height,
        margin={"l": 64, "r": 24, "t": 56, "b": 96},
        hovermode=hover,
        legend={"orientation": "h", "y": 1.0, "yanchor": "bottom", "x": 1, "xanchor": "right"},
    )
    figure.add_annotation(
        text=caption,
        xref="paper",
        yref="paper",
        x=0,
        y=0,
        yshift=-52,
        yanchor="top",
        showarrow=False,
        align="left",
        font={"size": 11, "color": GREY},
    )
    return figure


@cache
def _template() -> go.layout.Template:
    """Plotly's white template without what no figure here has: maps, scenes, two dozen traces.

    Plotly checks a template at every use, which for the whole one takes longer than most figures.
    """
    import plotly.graph_objects as go
    import plotly.io as pio

    white = pio.templates["plotly_white"]
    layout = {name: white.layout[name] for name in _TEMPLATE_LAYOUT}
    data = {name: white.data[name] for name in ("bar", "heatmap")}
    return go.layout.Template(layout=layout, data=data)


_TEMPLATE_LAYOUT = (
    "autotypenumbers",
    "colorway",
    "font",
    "hovermode",
    "hoverlabel",
    "paper_bgcolor",
    "plot_bgcolor",
    "colorscale",
    "xaxis",
    "yaxis",
    "shapedefaults",
    "annotationdefaults",
    "title",
)


def layer_axis(layers: list[int]) -> dict[str, Any]:
    """The layer axis: −1 is the embedding; about ten ticks whatever the depth."""
    step = max(1, round(len(layers) / 12))
    ticks = [layer for layer in layers if layer >= 0 and layer % step == 0]
    return {
        "title": "layer (embedding, then blocks)",
        "tickmode": "array",
        "tickvals": [-1, *ticks],
        "ticktext": ["emb", *(str(layer) for layer in ticks)],
        "range": [layers[0] - 0.5, layers[-1] + 0.5],
    }
