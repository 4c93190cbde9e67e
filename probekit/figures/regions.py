"""Figures of region scores: LRDS and SADS by layer, in the residual stream and in MLP neurons."""

from __future__ import annotations

from typing import TYPE_CHECKING

from probekit.figures.lines import add_curve, add_level
from probekit.figures.text import model_of
from probekit.figures.theme import GREEN, ORANGE, PURPLE, VERMILION, head_room, layer_axis, style

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import plotly.graph_objects as go
    import xarray as xr

    from probekit.runs import Run

#: Variable → its name, its colour, its dash.
CURVES = (
    ("lrds_centred", "LRDS: language", VERMILION, "solid"),
    ("sads_centred", "SADS: meaning", GREEN, "solid"),
    ("lrds", "LRDS, raw", ORANGE, "dash"),
    ("sads", "SADS, raw", PURPLE, "dash"),
)
SPACES = (("regions", "residual stream"), ("mlp_regions", "MLP neurons (token-mean mlp_act)"))
PANEL_HEIGHT = 260


def regions_by_layer(run: Run, *, region: Sequence[int] = ()) -> go.Figure:
    """LRDS and SADS by layer: of the residual stream, and of MLP neurons where the run has them.

    Parameters
    ----------
    run
        A run with the analysis ``regions``.
    region
        Blocks to mark.

    Raises
    ------
    RunError
        It has not.
    """
    import numpy as np
    from plotly.subplots import make_subplots

    groups = [run.group("regions")]
    groups += [run.group("mlp_regions")] if "mlp_regions" in run.results.children else []
    titles = [words for _, words in SPACES[: len(groups)]]
    figure = make_subplots(
        rows=len(groups), cols=1, shared_xaxes=True, vertical_spacing=0.12, subplot_titles=titles
    )
    for row, data in enumerate(groups, start=1):
        _panel(figure, run, data, row=row)
        layers = [int(layer) for layer in data["layer"].to_numpy()]
        add_level(figure, layers, np.zeros(len(layers)), name="none", cell={"row": row, "col": 1})
        figure.data[-1].showlegend = row == 1
    axis = layer_axis(list(range(-1, run.n_blocks)))
    figure.update_xaxes({name: value for name, value in axis.items() if name != "title"})
    figure.update_xaxes(title=axis["title"], row=len(groups), col=1)
    figure.update_yaxes(title="difference of mean cosines")
    figure.update_annotations(font_size=13, x=0, xanchor="left")
    height = PANEL_HEIGHT * len(groups) + 150
    title = "What organises a layer: language or meaning"
    figure = style(figure, title=title, caption=_caption(run), height=height, region=region)
    return head_room(figure)


def _panel(figure: go.Figure, run: Run, data: xr.Dataset, *, row: int) -> None:
    n = int(run.manifest.corpus["n_units"])
    layers = [int(layer) for layer in data["layer"].to_numpy()]
    for name, words, colour, dash in CURVES:
        before = len(figure.data)
        add_curve(
            figure,
            layers,
            data[name].to_numpy(),
            name=words,
            colour=colour,
            dash=dash,
            interval=(data[f"{name}_low"].to_numpy(), data[f"{name}_high"].to_numpy()),
            n=n,
            cell={"row": row, "col": 1},
        )
        for trace in figure.data[before:]:
            trace.legendgroup = words
            if row > 1:
                trace.showlegend = False


def _caption(run: Run) -> str:
    corpus, how = run.manifest.corpus, run.manifest.estimators
    return (
        f"{model_of(run)} · {corpus['n_units']} units × "
        f"{len(corpus['languages'])} languages · LRDS: within a language minus across languages; "
        "SADS: translations minus other pairs<br>solid: centred on the mean of all texts · "
        f"interval: {how['bootstrap']} bootstrap resamples of units · dotted: 0, nothing is "
        "organised so"
    )


FIGURES: dict[str, Callable[..., go.Figure]] = {"regions": regions_by_layer}
