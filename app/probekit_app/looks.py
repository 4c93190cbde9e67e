"""A figure as the workbench shows it: its theme, its margins, its words handed to the card.

``probekit.figures`` draws for paper. Here the title and the caption become HTML around the plot,
the layer axis gets the margins of the layer strip, the colours those of the theme, and numbers
travel as float32. Milliseconds; the figure that is given is not changed.
"""

from __future__ import annotations

import base64
import colorsys
import re
import threading
from dataclasses import dataclass
from functools import cache
from html import unescape
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

if TYPE_CHECKING:
    import plotly.graph_objects as go

Theme = Literal["light", "dark"]
THEMES: tuple[Theme, ...] = ("light", "dark")

#: Left and right margins of every figure over layers, and of the layer strip; pixels.
MARGIN_LEFT, MARGIN_RIGHT = 64, 24

FONT = "Inter, system-ui, 'Segoe UI', Roboto, Helvetica, Arial, sans-serif"
INK = {"light": "#1b2129", "dark": "#e4e9ef"}
SURFACE = {"light": "#ffffff", "dark": "#161b22"}
MUTED = {"light": "#59636e", "dark": "#9aa6b2"}
GRID = {"light": "#e6e9ed", "dark": "#2a323c"}
ZERO = {"light": "#c4cbd3", "dark": "#46525f"}

_HEX = re.compile(r"#[0-9a-fA-F]{6}")
_RGB = re.compile(r"rgba?\(\s*(\d+)\s*,\s*(\d+)\s*,\s*(\d+)\s*(?:,\s*([\d.]+)\s*)?\)")
#: Traces with a colour scale, which have no place in a legend.
_SCALED = frozenset({"heatmap", "contour", "histogram2d"})
_TAG = re.compile(r"<[^>]*>")
#: Pixels that the labels along a table may take side by side, and one of them at its left.
LABELS_FIT, WIDEST_LABEL = 420, 200
#: Never recoloured: scales are read against their own bar, texts are not colours.
_NOT_COLOURS = frozenset({"colorscale", "text", "hovertext", "customdata", "x", "y", "z", "name"})


_first, _prepared = threading.Lock(), threading.Event()


def prepare() -> None:
    """Let plotly make what all figures share, before two threads ask for it at one moment.

    Its templates are read lazily and by no more than one thread: drawn for the first time by
    several, figures fail or lack their style.
    """
    if _prepared.is_set():
        return
    with _first:
        import plotly.graph_objects as go

        from probekit.figures.theme import style

        style(go.Figure(go.Scatter(y=[0])), title="", caption="", height=400)
        _prepared.set()


@dataclass(frozen=True)
class Dressed:
    """A figure for the browser.

    Attributes
    ----------
    figure
        As plotly.js takes it.
    title, caption
        Its own words, for the card.
    """

    figure: dict[str, Any]
    title: str
    caption: str


def dress(
    figure: go.Figure, *, theme: Theme, height: int = 400, layers: tuple[int, ...] = ()
) -> Dressed:
    """Restyle a figure for a theme.

    Parameters
    ----------
    figure
        Of ``probekit.figures``.
    theme
        ``light`` or ``dark``.
    height
        In pixels; what is drawn fills it.
    layers
        The layers of the run, for a figure whose horizontal axis they are: it gets the place of
        the layer strip exactly.
    """
    content = _small_numbers(figure.to_dict())
    for trace in content["data"]:
        trace.pop("meta", None)  # numbers for tables, which the server writes
    layout = content.setdefault("layout", {})
    title = (layout.pop("title", None) or {}).get("text", "")
    notes = layout.get("annotations", [])
    captions = [note for note in notes if _is_caption(note)]
    layout["annotations"] = [note for note in notes if not _is_caption(note)]
    content = {"data": _recolour(content["data"], theme), "layout": _recolour(layout, theme)}
    _frame(content, theme=theme, height=height)
    if layers:
        _under_strip(content, layers)
    caption = " ".join(words(note["text"].replace("<br>", " · ")) for note in captions)
    return Dressed(content, words(title), caption)


def words(text: str) -> str:
    """Plotly's little HTML as plain text."""
    return unescape(" ".join(_TAG.sub(" ", text or "").split()))


def template(theme: Theme) -> dict[str, Any]:
    """A plotly template small enough to travel with every figure."""
    axis = {
        "gridcolor": GRID[theme],
        "linecolor": ZERO[theme],
        "zerolinecolor": ZERO[theme],
        "automargin": True,
        "ticks": "",
        "title": {"standoff": 8, "font": {"size": 13}},
    }
    small = {"font": {"size": 13}}
    bar = {"outlinewidth": 0, "ticks": "", "thickness": 12, "title": small}
    return {
        "layout": {
            "font": {"family": FONT, "size": 13, "color": INK[theme]},
            "paper_bgcolor": SURFACE[theme],
            "plot_bgcolor": SURFACE[theme],
            "xaxis": axis,
            "yaxis": axis,
            "hoverlabel": {
                "bgcolor": SURFACE[theme],
                "bordercolor": ZERO[theme],
                "font": {"family": FONT, "size": 13, "color": INK[theme]},
            },
            "legend": {"bgcolor": "rgba(0,0,0,0)"},
        },
        "data": {"heatmap": [{"type": "heatmap", "colorbar": bar}]},
    }


def for_theme(colour: str, theme: Theme) -> str:
    """A colour that is read well on the theme's surface; the same hue."""
    return colour if theme == "light" or not _HEX.fullmatch(colour) else _lighter(colour)


@cache
def _lighter(colour: str) -> str:
    """The same hue, as light as it takes for a contrast of 4.5 with the dark surface."""
    red, green, blue = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    hue, lightness, saturation = colorsys.rgb_to_hls(red, green, blue)
    while lightness < 0.98 and _contrast((red, green, blue)) < 4.5:
        lightness += 0.02
        red, green, blue = colorsys.hls_to_rgb(hue, lightness, saturation)
    return "#" + "".join(f"{round(255 * part):02x}" for part in (red, green, blue))


def _contrast(rgb: tuple[float, float, float]) -> float:
    """WCAG contrast with the dark surface."""
    dark = tuple(int(SURFACE["dark"][at : at + 2], 16) / 255 for at in (1, 3, 5))
    one, two = (_luminance(each) for each in (rgb, dark))
    return (max(one, two) + 0.05) / (min(one, two) + 0.05)


def _luminance(rgb: tuple[float, ...]) -> float:
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in rgb]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _recolour(node: Any, theme: Theme) -> Any:
    if isinstance(node, dict):
        return {
            key: value if key in _NOT_COLOURS else _recolour(value, theme)
            for key, value in node.items()
        }
    if isinstance(node, list | tuple):
        return [_recolour(value, theme) for value in node]
    if theme == "dark" and isinstance(node, str):
        return _recoloured(node)
    return node


def _recoloured(text: str) -> str:
    if text == INK["light"]:
        return INK["dark"]
    if _HEX.fullmatch(text):
        return _lighter(text)
    match = _RGB.fullmatch(text)
    if match is None:
        return text
    light = _lighter("#" + "".join(f"{int(part):02x}" for part in match.groups()[:3]))
    parts = [str(int(light[at : at + 2], 16)) for at in (1, 3, 5)]
    return f"rgba({','.join(parts)},{match[4] or 1})"


def _is_caption(note: dict[str, Any]) -> bool:
    """The sentence that ``figures.theme.style`` puts under a figure."""
    below = note.get("yanchor") == "top" and note.get("y") == 0 and (note.get("yshift") or 0) < 0
    return bool(note.get("name") == "caption" or (below and note.get("yref") == "paper"))


def _frame(content: dict[str, Any], *, theme: Theme, height: int) -> None:
    """Margins, size and template."""
    layout = content["layout"]
    legend = _has_legend(content)
    panels = any(note.get("yanchor") == "bottom" for note in layout["annotations"])
    layout["template"] = template(theme)
    layout["height"] = height
    layout["autosize"] = True
    layout.pop("width", None)
    top = 12 + 26 * legend + 22 * panels
    layout["margin"] = {"t": top, "b": 48, "l": MARGIN_LEFT, "r": MARGIN_RIGHT, "pad": 0}
    layout["font"] = {"family": FONT, "size": 13, "color": INK[theme]}
    if all(trace.get("type") in _SCALED for trace in content["data"]):  # cells fill their axes
        for name, axis in layout.items():
            if name.startswith(("xaxis", "yaxis")):
                axis |= {"showgrid": False, "zeroline": False, "constrain": "domain"}
    _settle_margins(content)
    if legend:  # above everything, headings of panels included
        at = {"orientation": "h", "x": 1, "xanchor": "right"}
        layout["legend"] = {**at, "yref": "container", "y": 1, "yanchor": "top"}


def _settle_margins(content: dict[str, Any]) -> None:
    """Margins that are known beforehand: plotly draws a figure again for each it finds too small.

    Of a plane whose axes have one scale, and of a single table whose labels fit; others are left
    to plotly.
    """
    layout = content["layout"]
    axes = {name: each for name, each in layout.items() if name.startswith(("xaxis", "yaxis"))}
    if set(axes) - {"xaxis", "yaxis"}:
        return
    tables = [trace for trace in content["data"] if trace.get("type") in _SCALED]
    if tables:
        across, down = (_label_pixels(tables[0], axes, letter) for letter in "xy")
        if across is not None and sum(across) <= LABELS_FIT:
            layout.setdefault("xaxis", {})["automargin"] = False
        if down is not None and max(down) <= WIDEST_LABEL:
            titled = 26 if axes.get("yaxis", {}).get("title") else 0
            layout["margin"]["l"] = max(MARGIN_LEFT, round(max(down)) + 10 + titled)
            layout.setdefault("yaxis", {})["automargin"] = False
    elif any(axis.get("scaleanchor") for axis in axes.values()):
        layout["margin"]["l"] = MARGIN_LEFT + 24
        for name in ("xaxis", "yaxis"):
            layout.setdefault(name, {})["automargin"] = False


def _label_pixels(trace: dict[str, Any], axes: dict[str, Any], letter: str) -> list[float] | None:
    """About the pixels of each label along an axis of a table; None where plotly chooses them."""
    shown = axes.get(f"{letter}axis", {}).get("ticktext") or trace.get(letter)
    if not isinstance(shown, list | tuple) or not all(isinstance(each, str) for each in shown):
        return None
    return [7.5 * max(map(len, each.split("<br>"))) + 8 for each in shown] or None


def _has_legend(content: dict[str, Any]) -> bool:
    """Whether plotly will show a legend, which needs room."""
    said = content["layout"].get("showlegend")
    named = [
        trace
        for trace in content["data"]
        if trace.get("showlegend") is not False and trace.get("type") not in _SCALED
    ]
    return bool(said if said is not None else len(named) > 1) and bool(named)


def _under_strip(content: dict[str, Any], layers: tuple[int, ...]) -> None:
    """Nothing may move the plot area from under the layer strip: no zoom, no automatic margin."""
    layout = content["layout"]
    layout["hoverdistance"] = -1  # wherever the pointer is, the nearest layer answers
    for name, axis in layout.items():
        if name.startswith(("xaxis", "yaxis")):
            axis |= {"automargin": False, "fixedrange": True}
        if name.startswith("xaxis"):  # block 0 is a block like any other: no line of its own
            axis |= {"zeroline": False, "range": [layers[0] - 0.5, layers[-1] + 0.5]}
    for trace in content["data"]:
        if trace.get("type") == "heatmap" and trace.get("showscale") is not False:
            layout["margin"]["t"] = max(layout["margin"]["t"], 56)
            trace["colorbar"] = {**trace.get("colorbar", {}), **_BAR_ABOVE}


_BAR_ABOVE = {
    "orientation": "h",
    "x": 1,
    "xanchor": "right",
    "y": 1,
    "yanchor": "bottom",
    "len": 0.3,
    "thickness": 10,
}


def _small_numbers(node: Any) -> Any:
    """Every array of doubles as float32: half the bytes, seven digits."""
    if isinstance(node, dict):
        if node.get("dtype") == "f8" and "bdata" in node:
            values = np.frombuffer(base64.b64decode(node["bdata"]), dtype="<f8")
            data = base64.b64encode(values.astype("<f4").tobytes()).decode("ascii")
            return {**node, "dtype": "f4", "bdata": data}
        return {key: _small_numbers(value) for key, value in node.items()}
    if isinstance(node, list | tuple):
        return [_small_numbers(value) for value in node]
    return node
