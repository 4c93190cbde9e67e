"""Figures of cross-lingual CKA."""

from __future__ import annotations

from typing import TYPE_CHECKING

from probekit.figures.alignment import units_of
from probekit.figures.cells import interval
from probekit.figures.layer_table import layers_by_layers
from probekit.figures.lines import add_curve, add_level
from probekit.figures.meet import language_table
from probekit.figures.meet_curves import cka_variants, leave_one_out, pairs_by_layer
from probekit.figures.scales import null_scale
from probekit.figures.text import model_of, plain_labels, sentence
from probekit.figures.theme import BLUE, ORANGE, PURPLE, layer_axis, style

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import plotly.graph_objects as go
    import xarray as xr

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
    add_curve(
        figure,
        layers,
        cka["mean"].to_numpy(),
        name="debiased CKA",
        colour=BLUE,
        interval=(cka["mean_low"].to_numpy(), cka["mean_high"].to_numpy()),
        n=units_of(run),
    )
    for name, variable, colour in _VARIANTS if variants else ():
        add_curve(
            figure,
            layers,
            cka[variable].to_numpy(),
            name=name,
            colour=colour,
            n=units_of(run),
            dash="dash",
        )
    add_level(figure, layers, cka["mean_null95"].to_numpy(), name="null (95 %)")
    figure.update_xaxes(layer_axis(layers))
    figure.update_yaxes(title="CKA, mean over pairs", rangemode="tozero")
    return style(
        figure,
        title="How strongly languages share a space",
        caption=caption(run),
        height=460,
        region=region,
    )


_VARIANTS = (
    ("biased", "mean_biased", ORANGE),
    ("without rogue dimensions", "mean_without_rogue", PURPLE),
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
    at, codes = cka.sel(layer=layer), plain_labels(run.languages)
    table = at["debiased"].to_numpy()
    figure = go.Figure(
        go.Heatmap(
            z=table,
            x=codes,
            y=codes,
            text=_spans(at),
            meta=interval(at["pair_low"].to_numpy(), at["pair_high"].to_numpy()),
            colorbar={"title": "CKA"},
            hovertemplate=f"%{{y}} – %{{x}}: %{{z:.3f}}%{{text}}, n = {units_of(run)}"
            "<extra></extra>",
            **null_scale(float(table.min()), 1.0, null=0.0),
        )
    )
    figure.update_yaxes(autorange="reversed", scaleanchor="x")
    where = "the embedding" if layer < 0 else f"block {layer}"
    said = f"{caption(run)} · lightest colour: unrelated (0)"
    figure = style(figure, title=f"Debiased CKA at {where}", caption=said, height=560)
    figure.update_layout(hovermode="closest")
    return figure


def _spans(at: xr.Dataset) -> list[list[str]]:
    """The interval of every pair of languages in words; a language with itself has none."""
    low, high = at["pair_low"].to_numpy(), at["pair_high"].to_numpy()
    return [
        ["" if a == b else f" [{low[a, b]:.3f}, {high[a, b]:.3f}]" for b in range(low.shape[1])]
        for a in range(low.shape[0])
    ]


def caption(run: Run) -> str:
    """What made the numbers, in a sentence."""
    corpus, how = run.manifest.corpus, run.manifest.estimators
    return (
        f"{model_of(run)} · {corpus['n_units']} units × "
        f"{len(corpus['languages'])} languages · {sentence(how['pooling'])} over content tokens · "
        f"interval: {how['bootstrap']} bootstrap resamples of units · "
        f"null: {how['permutations']} permutations of unit ids"
    )


FIGURES: dict[str, Callable[..., go.Figure]] = {
    "language_table": language_table,
    "pairs_by_layer": pairs_by_layer,
    "cka_variants": cka_variants,
    "leave_one_out": leave_one_out,
    "layers_by_layers": layers_by_layers,
}
