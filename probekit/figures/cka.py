"""Figures of cross-lingual CKA."""

from __future__ import annotations

from typing import TYPE_CHECKING

from probekit.figures.layer_table import layers_by_layers
from probekit.figures.lines import add_curve, add_level, add_region
from probekit.figures.meet import language_table
from probekit.figures.meet_curves import cka_variants, leave_one_out, pairs_by_layer
from probekit.figures.theme import BLUE, ORANGE, PURPLE, layer_axis, style

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import plotly.graph_objects as go

    from probekit.runs import Run


def cka_by_layer(run: Run, *, region: Sequence[int] = (), variants: bool = True) -> go.Figure:
    """Mean debiased CKA over language pairs by layer, with interval and permutation null.

    Parameters
    ----------
    run
        A finished run.
    region
        Blocks to mark.
    variants
        Also the biased estimate and the one without rogue dimensions, as thin lines.
    """
    import plotly.graph_objects as go

    cka = run.cka
    layers = [int(layer) for layer in cka["layer"].to_numpy()]
    figure = go.Figure()
    add_region(figure, region)
    add_curve(
        figure,
        layers,
        cka["mean"].to_numpy(),
        name="debiased CKA",
        colour=BLUE,
        interval=(cka["mean_low"].to_numpy(), cka["mean_high"].to_numpy()),
        n=int(run.manifest.corpus["n_units"]),
    )
    if variants:
        add_curve(
            figure, layers, cka["mean_biased"].to_numpy(), name="biased", colour=ORANGE, dash="dash"
        )
        rogue = cka["mean_without_rogue"].to_numpy()
        add_curve(
            figure, layers, rogue, name="without rogue dimensions", colour=PURPLE, dash="dash"
        )
    add_level(figure, layers, cka["mean_null95"].to_numpy(), name="null (95 %)")
    figure.update_xaxes(layer_axis(layers))
    figure.update_yaxes(title="CKA, mean over pairs", rangemode="tozero")
    return style(
        figure,
        title="How strongly languages share a space",
        caption=caption(run, region),
        height=460,
    )


def cka_heatmap(run: Run, *, layer: int) -> go.Figure:
    """Debiased CKA of every pair of languages at one layer.

    Raises
    ------
    InputError
        The run has no such layer.
    """
    import plotly.graph_objects as go

    from probekit.errors import InputError

    cka = run.cka
    known = [int(value) for value in cka["layer"].to_numpy()]
    if layer not in known:
        msg = f"layer must be between {known[0]} and {known[-1]}. Got {layer} instead."
        raise InputError(msg)
    table = cka["debiased"].sel(layer=layer)
    codes = list(run.languages)
    figure = go.Figure(
        go.Heatmap(
            z=table.to_numpy(),
            x=codes,
            y=codes,
            colorscale="Viridis",
            zmax=1.0,
            colorbar={"title": "CKA"},
            hovertemplate="%{y} – %{x}: %{z:.3f}<extra></extra>",
        )
    )
    figure.update_yaxes(autorange="reversed", scaleanchor="x")
    where = "the embedding" if layer < 0 else f"block {layer}"
    figure = style(figure, title=f"Debiased CKA at {where}", caption=caption(run), height=560)
    figure.update_layout(hovermode="closest")
    return figure


def caption(run: Run, region: Sequence[int] = ()) -> str:
    """What made the numbers, in a sentence; and what the band is, where there is one."""
    corpus, how = run.manifest.corpus, run.manifest.estimators
    return (
        f"{run.manifest.model['id']} · {corpus['n_units']} units × "
        f"{len(corpus['languages'])} languages · {how['pooling']} over content tokens · "
        f"interval: {how['bootstrap']} bootstrap resamples of units · "
        f"null: {how['permutations']} permutations of unit ids"
        + (" · shaded: the selected region" if region else "")
    )


FIGURES: dict[str, Callable[..., go.Figure]] = {
    "language_table": language_table,
    "pairs_by_layer": pairs_by_layer,
    "cka_variants": cka_variants,
    "leave_one_out": leave_one_out,
    "layers_by_layers": layers_by_layers,
}
