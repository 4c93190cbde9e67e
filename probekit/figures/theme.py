"""Colours and axes that every figure shares; colour-blind readers tell the colours apart."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from probekit.figures.region import add_region, region_words

if TYPE_CHECKING:
    from collections.abc import Sequence

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
#: Of the caption: pixels, a grey with a contrast of 5.7 on white, characters of a line, pixels from
#: the plot (two rows of ticks and the title of the axis) and from line to line.
CAPTION_SIZE, CAPTION_INK, LINE, BELOW, LINE_HEIGHT = 12, "#5f6670", 165, 62, 16
_TWO_LINES = BELOW + 2 * LINE_HEIGHT + 10
#: Buttons of plotly.js that send a figure to another machine: 7's name, and 6's.
UPLOADS = ("sendChartToCloud", "sendDataToCloud")
#: Options of plotly.js wherever a figure is written: nothing in it leaves the machine.
CONFIG = {"displaylogo": False, "showSendToCloud": False}


#: Layout of a table whose rows are its columns: squares, the first row on top.
SQUARE: dict[str, dict[str, Any]] = {
    "xaxis": {"constrain": "domain", "showgrid": False, "type": "category"},
    "yaxis": {
        "autorange": "reversed",
        "scaleanchor": "x",
        "constrain": "domain",
        "showgrid": False,
        "type": "category",
    },
}


def rgba(colour: str, opacity: float) -> str:
    """``#RRGGBB`` with an opacity."""
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red},{green},{blue},{opacity})"


def style(
    figure: go.Figure,
    *,
    title: str,
    caption: str,
    height: int,
    hover: str = "x unified",
    region: Sequence[int] = (),
) -> go.Figure:
    """Give a figure the house look, its title and the sentence that says how it was made.

    Parameters
    ----------
    figure
        With all its traces.
    title, caption
        What is not the house's own words in them went through ``text.plain``.
    height
        In pixels, with a caption of two lines; longer ones add theirs.
    hover
        Plotly's hover mode.
    region
        Blocks to mark over a layer axis; the caption says whose they are.
    """
    add_region(figure, region)
    parts = (caption, region_words(figure, region))
    lines = folded(" · ".join(filter(None, parts)))
    below = BELOW + LINE_HEIGHT * len(lines) + 10
    layout = figure.layout.to_plotly_json()
    house = {
        "template": _template(),
        "title": {"text": title, "x": 0, "xref": "paper", "font": {"size": 17}},
        "font": {"family": FONT, "size": 13},
        "height": height + max(0, below - _TWO_LINES),
        "margin": {"l": 64, "r": 24, "t": 56, "b": below},
        "hovermode": hover,
        "hoverlabel": {"namelength": -1},
        "legend": {"orientation": "h", "y": 1.0, "yanchor": "bottom", "x": 1, "xanchor": "right"},
        "modebar": {"remove": list(UPLOADS)},
        "annotations": [*layout.get("annotations", ()), _caption(lines)],
    }
    figure.layout = merged(layout, house)  # at once: plotly checks every change on its own
    return figure


def merged(layout: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """A layout with changes; what they do not name stays."""
    return layout | {
        name: merged(layout.get(name, {}), each) if isinstance(each, dict) else each
        for name, each in changes.items()
    }


def _caption(lines: list[str]) -> dict[str, Any]:
    """What is under a figure, below its ticks and the title of its axis."""
    return {
        "name": "caption",
        "text": "<br>".join(lines),
        "xref": "paper",
        "yref": "paper",
        "x": 0,
        "y": 0,
        "xanchor": "left",
        "yshift": -BELOW,
        "yanchor": "top",
        "showarrow": False,
        "align": "left",
        "font": {"size": CAPTION_SIZE, "color": CAPTION_INK},
    }


def head_room(figure: go.Figure, *, legend_rows: int = 1) -> go.Figure:
    """Room above panels: the title, then the legend, then the panels' own headings.

    Parameters
    ----------
    figure
        As :func:`style` leaves it.
    legend_rows
        Rows that its legend takes.
    """
    top = 84 + 20 * legend_rows
    height = figure.layout.height + top - figure.layout.margin.t
    at = {"yref": "container", "yanchor": "top"}
    figure.update_layout(
        height=height,
        margin={"t": top},
        title={**at, "y": 1, "pad": {"t": 16}},
        legend={**at, "y": 1 - 44 / height, "x": 0, "xanchor": "left"},
    )
    return figure


def folded(caption: str) -> list[str]:
    """Lines of a caption, broken between its parts (``·``) where they get long."""
    lines: list[str] = []
    for line in caption.split("<br>"):
        kept = ""
        for part in line.split(" · "):
            joined = f"{kept} · {part}" if kept else part
            if kept and len(joined) > LINE:
                lines.append(kept)
                joined = part
            kept = joined
        lines.append(kept)
    return lines


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
