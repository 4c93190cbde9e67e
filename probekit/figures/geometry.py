"""Figures of geometry: separation of languages, isotropy, and a map of all texts of a layer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from probekit.figures.alignment import (
    about,
    by_layer,
    chosen_layer,
    curve,
    held,
    layer_name,
    level,
    panels,
)
from probekit.figures.languages import language_styles
from probekit.figures.space import space_map
from probekit.figures.text import plain, plain_labels
from probekit.figures.theme import BLUE, ORANGE, PURPLE, VERMILION, style

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import plotly.graph_objects as go
    import xarray as xr

    from probekit.runs import Run

_MAPS = {"raw": "as they lie", "centred": "each language on its own mean"}


def separation_by_layer(run: Run, *, region: Sequence[int] = ()) -> go.Figure:
    """Fisher ratio and centroid distance of languages by layer, with intervals and chance.

    Parameters
    ----------
    run
        A run with the analysis ``geometry``.
    region
        Blocks to mark.

    Raises
    ------
    RunError
        No geometry in the run.
    """
    data = held(run, "geometry", "fisher", "centroid_distance_mean")
    titles = ("variance of language means / variance within", "distance of language means")
    figure, layers = panels(data, titles)
    chance = "languages exchanged within units"
    curve(figure, data, "fisher", name="Fisher ratio", colour=VERMILION, row=1)
    level(figure, layers, data["fisher_chance"].to_numpy(), name=chance, row=1)
    curve(figure, data, "centroid_distance_mean", name="centroid distance", colour=ORANGE, row=2)
    distance = data["centroid_distance_chance"].to_numpy()
    level(figure, layers, distance, name=chance, row=2)
    figure.data[-1].showlegend = False  # the line above has the same name
    said = "distances in units of the within-language spread, mean over pairs"
    title = "How far apart languages lie"
    return by_layer(figure, title=title, caption=about(run, said), region=region)


def isotropy_by_layer(run: Run, *, region: Sequence[int] = ()) -> go.Figure:
    """IsoScore and anisotropy by layer, with intervals and what isotropic vectors would show.

    Raises
    ------
    RunError
        As `separation_by_layer`.
    """
    data = held(run, "geometry", "isoscore_mean", "anisotropy")
    titles = ("IsoScore (mean over languages)", "mean cosine of different units")
    figure, layers = panels(data, titles)
    curve(figure, data, "isoscore_mean", name="IsoScore", colour=BLUE, row=1)
    curve(figure, data, "anisotropy", name="anisotropy", colour=PURPLE, row=2)
    level(figure, layers, 0.0, name="directions at random (0)", row=2)
    said = (
        "IsoScore: (participation ratio − 1) / (width − 1), without bias from few units; 0 is a "
        "line, 1 a ball<br>anisotropy: within languages, raw vectors"
    )
    title = "How many directions are used"
    return by_layer(figure, title=title, caption=about(run, said), region=region)


def text_map(run: Run, *, layer: int | None = None) -> go.Figure:
    """Every text of a layer on its first two principal components, raw and language-centred.

    Parameters
    ----------
    run
        A run with the analysis ``geometry``.
    layer
        −1 is the embedding; by default the block where languages lie nearest to each other.

    Raises
    ------
    InputError
        No such layer.
    RunError
        As `separation_by_layer`.
    """
    from plotly.subplots import make_subplots

    data, separation = held(run, "projection", *_MAPS), held(run, "geometry", "fisher")
    blocks = separation["fisher"].sel(layer=slice(0, None))
    nearest = int(blocks["layer"][int(blocks.to_numpy().argmin())])
    layer = chosen_layer(data, nearest if layer is None else layer)
    shown = data.sel(layer=layer)
    figure = make_subplots(rows=1, cols=2, subplot_titles=tuple(_MAPS.values()))
    for column, kind in enumerate(_MAPS, start=1):
        for trace in _points(run, shown, kind):
            figure.add_trace(trace, row=1, col=column)
        first, second = shown[f"{kind}_explained"].to_numpy()[:2]
        figure.update_xaxes(title=f"component 1 ({first:.0%} of variance)", row=1, col=column)
        figure.update_yaxes(title=f"component 2 ({second:.0%})", row=1, col=column)
    said = "principal components of all texts together; a point is one unit in one language"
    title = f"All texts at {layer_name(layer)}"
    figure = style(figure, title=title, caption=about(run, said, interval=False), height=560)
    legend = {"orientation": "v", "x": 1.01, "xanchor": "left", "y": 1, "yanchor": "top"}
    figure.update_layout(hovermode="closest", legend=legend)
    figure.update_layout(margin={"r": 110})
    return figure


def _points(run: Run, shown: xr.Dataset, kind: str) -> list[Any]:
    """Draw one language a trace; hover says its name and the unit."""
    import plotly.graph_objects as go

    names = [plain(name) for name in shown["language_name"].to_numpy()]
    units = [plain(unit, longest=80) for unit in shown["unit"].to_numpy()]
    points, styles = shown[kind].to_numpy(), language_styles(run.languages)
    looks = [styles[code] for code in run.languages]
    return [
        go.Scatter(
            x=points[at, :, 0],
            y=points[at, :, 1],
            mode="markers",
            name=code,
            legendgroup=code,
            showlegend=kind == "raw",
            marker={
                "size": 5,
                "opacity": 0.7,
                "color": looks[at].colour,
                "symbol": looks[at].symbol,
            },
            text=units,
            hovertemplate=f"{names[at]}, %{{text}}<extra></extra>",
        )
        for at, code in enumerate(plain_labels(run.languages))
    ]


FIGURES: dict[str, Callable[..., go.Figure]] = {
    "separation": separation_by_layer,
    "isotropy": isotropy_by_layer,
    "text_map": text_map,
    "space_map": space_map,
}
