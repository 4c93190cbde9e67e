"""Figures of language neurons, neuron types, their overlap, and of an ablation."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from probekit.figures.lines import add_curve, add_level
from probekit.figures.theme import BLUE, GREEN, GREY, ORANGE, PURPLE, VERMILION, layer_axis, style

if TYPE_CHECKING:
    from collections.abc import Callable

    import plotly.graph_objects as go
    import xarray as xr

    from probekit.ablation import AblationResult
    from probekit.runs import Run

TYPES = (("silent", GREY), ("specific", VERMILION), ("partial", ORANGE), ("shared", GREEN))


def neurons_by_layer(run: Run, *, by_layer: bool = False) -> go.Figure:
    """Language neurons (LAPE) of every language by block; hover says interval and null.

    Parameters
    ----------
    run
        A run with the analysis ``neurons``.
    by_layer
        The thresholds of each layer, instead of the global ones.
    """
    data = run.group("neurons")
    end = "_by_layer" if by_layer else ""
    figure = count_heatmap(data, f"n_neurons{end}", labels=_language_labels(data))
    figure.update_yaxes(title="language (tokens per unit)")
    null = float(data[f"n_neurons_null95{end}"].max())
    caption = (
        f"{who(run)} · LAPE, lowest {int(data[f'n_selected{end}'].sum())} of "
        f"{data.attrs['n_neurons_total']} neurons · with labels exchanged within units the same "
        f"thresholds select at most {null:.0f} per block and language (95 %)"
    )
    height = 240 + 24 * data.sizes["language"]
    figure = style(figure, title="Language neurons", caption=caption, height=height)
    figure.update_layout(hovermode="closest")
    return figure


def neuron_types(run: Run) -> go.Figure:
    """Shares of silent, specific, partly shared and shared neurons by block, beside chance."""
    import plotly.graph_objects as go

    data = run.group("neurons")
    layers = [int(layer) for layer in data["layer"]]
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
        f"{data.attrs['types'].split(';')[0]}<br>dotted: expected if the units of the languages "
        "were paired at random"
    )
    return style(
        figure, title="In how many languages a neuron is active", caption=caption, height=500
    )


def neuron_overlap(run: Run) -> go.Figure:
    """Mean Jaccard of the languages' often firing neurons by block, between chance and ceiling."""
    import plotly.graph_objects as go

    data = run.group("neurons")
    layers = [int(layer) for layer in data["layer"]]
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
        f"{who(run)} · {data.attrs['jaccard']} · 95 % delete-a-group jackknife<br>dashed: what "
        "samples of mixed languages share; dotted: random sets of the same sizes"
    )
    return style(figure, title="Neurons that languages share", caption=caption, height=480)


def neuron_stability(run: Run) -> go.Figure:
    """Jaccard of each language's neurons between halves of the corpus, beside chance."""
    import plotly.graph_objects as go

    data = run.group("neurons")
    value, high, low = (data[f"stability{end}"].to_numpy() for end in ("", "_high", "_low"))
    labels = _language_labels(data)
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


def ablation_table(result: AblationResult) -> go.Figure:
    """Excess change of log-perplexity, whose neurons × whose texts; hover says all of it."""
    import plotly.graph_objects as go

    data = result.data
    excess = data["excess"].to_numpy()
    most = float(np.abs(excess).max()) or 1.0
    figure = go.Figure(
        go.Heatmap(
            z=excess,
            x=list(result.languages),
            y=[
                f"{code} ({int(n)})"
                for code, n in zip(result.ablated, data["n_neurons"].to_numpy(), strict=True)
            ],
            text=_ablation_hover(result),
            hovertemplate="neurons of %{y}, texts in %{x}<br>%{text}<extra></extra>",
            colorscale="RdBu",
            reversescale=True,
            zmin=-most,
            zmax=most,
            colorbar={"title": "nats per token"},
        )
    )
    figure.update_xaxes(title="texts in")
    figure.update_yaxes(autorange="reversed", title="neurons zeroed (how many)")
    attrs = data.attrs
    caption = (
        f"{attrs['model']} · change of log-perplexity beyond that of as many random neurons of the "
        f"same blocks ({attrs['controls']} draws)<br>{attrs['n_units']} units, "
        f"{attrs['n_scored_total']} tokens · {attrs['interval']} (hover)"
    )
    height = 280 + 24 * len(result.ablated)
    figure = style(
        figure, title="What zeroing a language's neurons costs", caption=caption, height=height
    )
    figure.update_layout(hovermode="closest")
    return figure


def _ablation_hover(result: AblationResult) -> list[list[str]]:
    rows = iter(result.table())

    def told(row: dict[str, float]) -> str:
        parts = [
            f"{name}: {row[name]:+.3f} [{row[f'{name}_low']:+.3f}, {row[f'{name}_high']:+.3f}]"
            for name in ("excess", "change", "random")
        ]
        return "<br>".join(parts)

    return [[told(next(rows)) for _ in result.languages] for _ in result.ablated]


def count_heatmap(data: xr.Dataset, name: str, *, labels: list[str]) -> go.Figure:
    """Counts of neurons by language and block; hover says interval, null and n.

    Parameters
    ----------
    data
        A group with ``name`` (layer, language), its ends and its null; ``name`` may end in
        ``_by_layer``.
    name
        The count.
    labels
        What each language is called.
    """
    import plotly.graph_objects as go

    layers = [int(layer) for layer in data["layer"]]
    heatmap = go.Heatmap(
        z=data[name].transpose("language", "layer").to_numpy(),
        x=layers,
        y=labels,
        text=_count_hover(data, name),
        hovertemplate="block %{x}, %{y}<br>%{text}<extra></extra>",
        colorscale="Viridis",
        zmin=0,
        colorbar={"title": "neurons"},
    )
    figure = go.Figure(heatmap)
    figure.update_xaxes(block_axis(layers))
    figure.update_yaxes(autorange="reversed", title="language")
    return figure


def _count_hover(data: xr.Dataset, name: str) -> list[list[str]]:
    """Count, interval, null and n of every language and block."""
    end = "_by_layer" if name.endswith("_by_layer") else ""
    stem = name.removesuffix("_by_layer")
    parts = [data[f"{stem}{side}{end}"] for side in ("", "_low", "_high")]
    count, low, high = (part.transpose("language", "layer").to_numpy() for part in parts)
    null = data[f"{stem}_null95{end}"].to_numpy()
    tail = f"n = {int(data.attrs['n_units'])} units"
    return [
        [
            f"{int(count[at])} [{low[at]:.1f}, {high[at]:.1f}], "
            f"null (95 %) {null[at[1]]:.0f}, {tail}"
            for at in ((row, block) for block in range(count.shape[1]))
        ]
        for row in range(len(count))
    ]


def _language_labels(data: xr.Dataset) -> list[str]:
    """Code with tokens per unit: rates depend on how finely a language is cut."""
    codes = data["language"].to_numpy()
    return [
        f"{a} ({t:.0f})" for a, t in zip(codes, data["tokens_per_unit"].to_numpy(), strict=True)
    ]


def block_axis(layers: list[int]) -> dict[str, object]:
    """The axis of blocks, which has no embedding."""
    axis = layer_axis(layers)
    kept = {
        "tickvals": [at for at in axis["tickvals"] if at >= 0],
        "ticktext": [text for text in axis["ticktext"] if text != "emb"],
    }
    return {**axis, **kept, "title": "block"}


def who(run: Run) -> str:
    """Model, units and languages, for a caption."""
    corpus = run.manifest.corpus
    n_languages = len(corpus["languages"])
    return f"{run.manifest.model['id']} · {corpus['n_units']} units × {n_languages} languages"


FIGURES: dict[str, Callable[[Run], go.Figure]] = {
    "neurons": neurons_by_layer,
    "neuron_types": neuron_types,
    "neuron_overlap": neuron_overlap,
    "neuron_stability": neuron_stability,
}
