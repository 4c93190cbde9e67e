"""Figures of language neurons by layer: how many, their types, their overlap, their stability."""

from __future__ import annotations

from typing import TYPE_CHECKING

from probekit.figures.ablation import ablation, ablation_table
from probekit.figures.lines import add_curve, add_level
from probekit.figures.neuron_detail import lape_histogram, neuron_pairs, neuron_rates
from probekit.figures.neuron_parts import (
    block_axis,
    count_heatmap,
    language_labels,
    shown_languages,
    who,
)
from probekit.figures.text import sentence
from probekit.figures.theme import BLUE, GREEN, GREY, ORANGE, PURPLE, VERMILION, style

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import plotly.graph_objects as go

    from probekit.runs import Run

__all__ = ["FIGURES", "ablation_table"]

TYPES = (("silent", GREY), ("specific", VERMILION), ("partial", ORANGE), ("shared", GREEN))


def neurons_by_layer(
    run: Run,
    *,
    by_layer: bool = False,
    languages: Sequence[str] | None = None,
    region: Sequence[int] = (),
) -> go.Figure:
    """Language neurons (LAPE) of every language by block; hover says interval and null.

    Parameters
    ----------
    run
        A run with the analysis ``neurons``.
    by_layer
        The thresholds of each layer, instead of the global ones.
    languages
        Those shown; by default all.
    region
        Blocks to mark.

    Raises
    ------
    LanguageError
        The run has no such language.
    """
    data = run.group("neurons").sel(language=list(shown_languages(run, languages)))
    end = "_by_layer" if by_layer else ""
    figure = count_heatmap(data, f"n_neurons{end}", labels=language_labels(data))
    figure.update_yaxes(title=None)  # labels are wide; the caption says what they are
    null = float(data[f"n_neurons_null95{end}"].max())
    caption = (
        f"{who(run)} · LAPE, lowest {int(data[f'n_selected{end}'].sum())} of "
        f"{data.attrs['n_neurons_total']} neurons · with labels exchanged within units the same "
        f"thresholds select at most {null:.0f} per block and language (95 %) · in brackets: tokens "
        "per unit"
    )
    height = 240 + 24 * data.sizes["language"]
    title = "Language neurons"
    figure = style(figure, title=title, caption=caption, height=height, region=region)
    figure.update_layout(hovermode="closest")
    return figure


def neuron_types(run: Run, *, region: Sequence[int] = ()) -> go.Figure:
    """Shares of silent, specific, partly shared and shared neurons by block, beside chance.

    Parameters
    ----------
    run
        A run with the analysis ``neurons``.
    region
        Blocks to mark.
    """
    import plotly.graph_objects as go

    data = run.group("neurons")
    layers = [int(layer) for layer in data["layer"].to_numpy()]
    figure = go.Figure()
    for name, colour in TYPES:
        band = (data[f"{name}_low"].to_numpy(), data[f"{name}_high"].to_numpy())
        n, share = int(data.attrs["n_units"]), data[name].to_numpy()
        add_curve(figure, layers, share, name=name, colour=colour, interval=band, n=n)
        chance, label = data[f"{name}_chance"].to_numpy(), f"{name}, units re-paired"
        add_curve(figure, layers, chance, name=label, colour=colour, dash="dot")
        figure.data[-1].showlegend = False  # the caption says what dotted means
    figure.update_xaxes(block_axis(layers))
    figure.update_yaxes(title="share of the block's neurons", rangemode="tozero")
    caption = (
        f"{who(run)} · mean over units, 95 % bootstrap over units · "
        f"{sentence(data.attrs['types'].split(';')[0])}<br>dotted: expected if the units of the "
        "languages were paired at random"
    )
    title = "In how many languages a neuron is active"
    return style(figure, title=title, caption=caption, height=500, region=region)


def neuron_overlap(run: Run, *, region: Sequence[int] = ()) -> go.Figure:
    """Mean Jaccard of the languages' often firing neurons by block, between chance and ceiling.

    Parameters
    ----------
    run
        A run with the analysis ``neurons``.
    region
        Blocks to mark.
    """
    import plotly.graph_objects as go

    data = run.group("neurons")
    layers = [int(layer) for layer in data["layer"].to_numpy()]
    figure = go.Figure()
    band = (data["jaccard_mean_low"].to_numpy(), data["jaccard_mean_high"].to_numpy())
    add_curve(
        figure,
        layers,
        data["jaccard_mean"].to_numpy(),
        name="between languages",
        colour=BLUE,
        interval=band,
        n=int(data.attrs["n_units"]),
    )
    ceiling = data["jaccard_mean_exchanged"].to_numpy()
    add_curve(figure, layers, ceiling, name="labels exchanged", colour=PURPLE, dash="dash")
    add_level(figure, layers, data["jaccard_mean_chance"].to_numpy(), name="chance")
    figure.update_xaxes(block_axis(layers))
    figure.update_yaxes(title="Jaccard, mean over pairs", range=[0, 1])
    caption = (
        f"{who(run)} · {sentence(data.attrs['jaccard'])} · 95 % delete-a-group jackknife<br>"
        "dashed: what samples of mixed languages share; dotted: random sets of the same sizes"
    )
    title = "Neurons that languages share"
    return style(figure, title=title, caption=caption, height=480, region=region)


def neuron_stability(run: Run) -> go.Figure:
    """Jaccard of each language's neurons between halves of the corpus, beside chance."""
    import plotly.graph_objects as go

    data = run.group("neurons")
    value, high, low = (data[f"stability{end}"].to_numpy() for end in ("", "_high", "_low"))
    labels = language_labels(data)
    text = [
        f"{v:.3f} [{a:.3f}, {b:.3f}], {int(n)} neurons"
        for v, a, b, n in zip(value, low, high, data["n_total"].to_numpy(), strict=True)
    ]
    spread = {"type": "data", "array": high - value, "arrayminus": value - low, "color": GREY}
    bars = go.Bar(
        x=labels, y=value, error_y=spread, marker={"color": BLUE}, name="between halves",
        text=text, textposition="none", hovertemplate="%{x}: %{text}<extra></extra>",
    )  # fmt: skip
    chance = go.Scatter(
        x=labels,
        y=data["stability_chance"].to_numpy(),
        mode="markers",
        name="chance",
        marker={"symbol": "line-ew-open", "size": 18, "color": VERMILION},
        hovertemplate="%{x}: %{y:.4f}<extra>chance</extra>",
    )
    figure = go.Figure([bars, chance])
    figure.update_xaxes(title="language (tokens per unit)")
    figure.update_yaxes(title="Jaccard", range=[-0.02, 1])
    caption = (
        f"{who(run)} · LAPE on halves of the units, mean over all ways to halve the groups; "
        "lines: 95 % of the ways · chance: random neurons of the same blocks"
    )
    return style(figure, title="Are the same neurons found again?", caption=caption, height=460)


FIGURES: dict[str, Callable[..., go.Figure]] = {
    "neurons": neurons_by_layer,
    "neuron_types": neuron_types,
    "neuron_overlap": neuron_overlap,
    "neuron_stability": neuron_stability,
    "lape": lape_histogram,
    "neuron_rates": neuron_rates,
    "neuron_pairs": neuron_pairs,
    "ablation": ablation,
}
