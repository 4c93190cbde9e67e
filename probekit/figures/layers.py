"""The overview: every by-layer measure under one layer axis."""

from __future__ import annotations

from typing import TYPE_CHECKING

from probekit.figures.cka import caption
from probekit.figures.lines import add_curve, add_level, add_region
from probekit.figures.theme import BLUE, GREEN, PURPLE, VERMILION, layer_axis, style

if TYPE_CHECKING:
    from collections.abc import Sequence

    import plotly.graph_objects as go

    from probekit.runs import Run


def layers_overview(run: Run, *, region: Sequence[int] = ()) -> go.Figure:
    """CKA, LRDS and SADS, and retrieval by layer, as aligned panels.

    Parameters
    ----------
    run
        A run with the analyses ``cka``, ``regions`` and ``alignment``.
    region
        Blocks to mark in every panel.
    """
    from plotly.subplots import make_subplots

    titles = ("debiased CKA (mean over pairs)", "LRDS and SADS (centred)", "P@1 (mean over pairs)")
    figure = make_subplots(
        rows=3, cols=1, shared_xaxes=True, vertical_spacing=0.07, subplot_titles=titles
    )
    layers = [int(layer) for layer in run.cka["layer"]]
    _cka_panel(figure, run, layers)
    _region_panel(figure, run, layers)
    _retrieval_panel(figure, run, layers)
    add_region(figure, region)
    axis = layer_axis(layers)
    figure.update_xaxes({name: value for name, value in axis.items() if name != "title"})
    figure.update_xaxes(title=axis["title"], row=3, col=1)
    figure.update_annotations(font_size=13, x=0, xanchor="left")
    figure.update_yaxes(rangemode="tozero")
    figure = style(figure, title="Where languages meet", caption=caption(run, region), height=820)
    figure.update_layout(showlegend=True)
    return figure


def _cka_panel(figure: go.Figure, run: Run, layers: list[int]) -> None:
    cka, cell = run.cka, {"row": 1, "col": 1}
    band = (cka["mean_low"].to_numpy(), cka["mean_high"].to_numpy())
    n = int(run.manifest.corpus["n_units"])
    add_curve(
        figure,
        layers,
        cka["mean"].to_numpy(),
        name="CKA",
        colour=BLUE,
        interval=band,
        n=n,
        cell=cell,
    )
    add_level(figure, layers, cka["mean_null95"].to_numpy(), name="null (95 %)", cell=cell)


def _region_panel(figure: go.Figure, run: Run, layers: list[int]) -> None:
    regions, cell = run.regions, {"row": 2, "col": 1}
    for name, variable, colour in (
        ("LRDS: language", "lrds_centred", VERMILION),
        ("SADS: meaning", "sads_centred", GREEN),
    ):
        band = (regions[f"{variable}_low"].to_numpy(), regions[f"{variable}_high"].to_numpy())
        add_curve(
            figure,
            layers,
            regions[variable].to_numpy(),
            name=name,
            colour=colour,
            interval=band,
            cell=cell,
        )


def _retrieval_panel(figure: go.Figure, run: Run, layers: list[int]) -> None:
    import numpy as np

    alignment, cell = run.alignment, {"row": 3, "col": 1}
    band = (alignment["p_at_1_mean_low"].to_numpy(), alignment["p_at_1_mean_high"].to_numpy())
    values = alignment["p_at_1_mean"].to_numpy()
    add_curve(figure, layers, values, name="P@1", colour=PURPLE, interval=band, cell=cell)
    chance = np.full(len(layers), float(alignment.attrs["p_at_1_chance"]))
    add_level(figure, layers, chance, name="chance (1/n)", cell=cell)
