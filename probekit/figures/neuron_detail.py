"""Figures of one block and of one neuron: entropies, firing rates, overlap of pairs.

Costs the reading of one block of one variable; nothing is measured here, bins are counted.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from probekit.errors import InputError
from probekit.figures.languages import language_styles
from probekit.figures.neuron_parts import chosen_block, language_labels, shown_languages, who
from probekit.figures.scales import null_scale
from probekit.figures.text import listed, plain_labels, sentence
from probekit.figures.theme import BLUE, GREY, PURPLE, SQUARE, VERMILION, style

if TYPE_CHECKING:
    from collections.abc import Sequence

    import plotly.graph_objects as go
    import xarray as xr

    from probekit.runs import Run

BINS = 48
ENDS = ("", "_low", "_high")
#: Variables that a figure shows: a run has many more of its neurons, and cutting each takes time.
_CUT = ("selected", "bar", "cutoff", "cutoff_null")
_RATES = (
    "rate", "rate_error", "mean_rate", "belongs", "count", "n_tokens", "bar", "entropy",
    "entropy_error",
)  # fmt: skip
#: A line from side to side.
_BAR_LINE = {
    "type": "line", "xref": "x domain", "x0": 0, "x1": 1,
    "line": {"color": VERMILION, "dash": "dot", "width": 1.4},
}  # fmt: skip
_MEANS = (*ENDS, "_chance", "_exchanged")


def lape_histogram(run: Run, *, layer: int | None = None, by_layer: bool = False) -> go.Figure:
    """Entropy (LAPE) of the neurons of a block, with the cut-off and the null's cut-off.

    Parameters
    ----------
    run
        A run with the analysis ``neurons``.
    layer
        By default the block with most selected neurons.
    by_layer
        The thresholds of each layer, instead of the global ones.

    Raises
    ------
    InputError
        The run has no such block.
    """
    import plotly.graph_objects as go

    data, end = run.group("neurons"), "_by_layer" if by_layer else ""
    layer = _richest(data, end) if layer is None else chosen_block(data, layer)
    shown = ("entropy", "entropy_error", "rate", *(f"{name}{end}" for name in _CUT))
    at = data[list(shown)].sel(layer=layer)
    selected = at[f"selected{end}"].to_numpy()
    fires = at["rate"].to_numpy().max(axis=1) > float(at[f"bar{end}"])
    entropy = at["entropy"].to_numpy().astype(float)
    edges = np.linspace(0, np.log(data.sizes["language"]), BINS + 1)
    figure = go.Figure()
    for name, chosen, colour in (
        ("below the bar", ~fires & ~selected, GREY),
        ("above it", fires & ~selected, BLUE),
        ("selected", selected, VERMILION),
    ):
        counts, _ = np.histogram(entropy[chosen].clip(0, edges[-1]), bins=edges)
        figure.add_trace(_bars(counts, edges, name=name, colour=colour))
    _cutoffs(figure, at, end)
    figure.update_layout(
        xaxis={"title": "entropy of firing rates, nats", "range": [0, edges[-1] * 1.01]},
        yaxis={"title": "neurons (log scale)", "type": "log", "range": [-0.3, None], "dtick": 1},
        barmode="overlay",
        bargap=0,
    )
    caption, title = _lape_caption(run, at, end, n_below=int((~fires).sum())), "Entropies at block"
    return style(figure, title=f"{title} {layer}", caption=caption, height=420, hover="closest")


def _lape_caption(run: Run, at: xr.Dataset, end: str, *, n_below: int) -> str:
    selected = at[f"selected{end}"].to_numpy()
    error, null = at["entropy_error"].to_numpy()[selected], float(at[f"cutoff_null{end}"])
    away = f" (cut-off {null:.3f})" if np.isfinite(null) else ""
    typical = f", median error {np.median(error):.3f}" if len(error) else ""
    return (
        f"{who(run)} · {int(selected.sum())} of {len(selected)} neurons selected{typical} "
        f"(jackknife over groups of units)<br>{n_below} that fire above the bar "
        f"({float(at[f'bar{end}']):.3f}) for no language are never selected · null: "
        f"{sentence(run.group('neurons').attrs['null'])}{away}"
    )


def _richest(data: xr.Dataset, end: str) -> int:
    return int(data["layer"][int(data[f"n_selected{end}"].to_numpy().argmax())])


def _bars(counts: np.ndarray, edges: np.ndarray, *, name: str, colour: str) -> go.Bar:
    import plotly.graph_objects as go

    spans = [f"{a:.3f} to {b:.3f}" for a, b in pairwise(edges)]
    return go.Bar(
        x=(edges[:-1] + edges[1:]) / 2,
        y=counts,
        width=float(edges[1] - edges[0]),
        name=name,
        marker={"color": colour},
        opacity=0.85,
        text=spans,
        textposition="none",
        hovertemplate="%{y} neurons, entropy %{text}<extra>" + name + "</extra>",
    )


def _cutoffs(figure: go.Figure, at: xr.Dataset, end: str) -> None:
    """Upright lines at the highest selected entropy, and at that of exchanged labels."""
    import plotly.graph_objects as go

    most = max(1.0, *(float(np.max(trace.y)) for trace in figure.data))
    for variable, words, colour, dash in (
        ("cutoff", "cut-off", VERMILION, "solid"),
        ("cutoff_null", "null cut-off", PURPLE, "dot"),
    ):
        value = float(at[f"{variable}{end}"])
        if not np.isfinite(value):  # nothing was selected, so there is none
            continue
        figure.add_trace(
            go.Scatter(
                x=[value, value],
                y=[0.5, most],
                mode="lines",
                name=words,
                line={"color": colour, "dash": dash, "width": 2},
                hovertemplate="%{x:.3f}<extra>" + words + "</extra>",
            )
        )


def neuron_rates(
    run: Run,
    *,
    layer: int | None = None,
    neuron: int | None = None,
    languages: Sequence[str] | None = None,
) -> go.Figure:
    """Firing rate of one neuron by language, beside the mean rate of its block.

    Parameters
    ----------
    run
        A run with the analysis ``neurons``.
    layer
        By default the block of the selected neuron with the lowest entropy.
    neuron
        By default the selected one with the lowest entropy in the block, or the one with the lowest
        where none is selected.
    languages
        Those shown; by default all.

    Raises
    ------
    InputError
        The run has no such block or neuron.
    LanguageError
        It has no such language.
    """
    import plotly.graph_objects as go

    data = run.group("neurons")
    layer, neuron = chosen_neuron(data, layer, neuron)
    block = data[list(_RATES)].sel(layer=layer)
    at = block.isel(neuron=neuron)
    shown = shown_languages(run, languages)
    place = [run.languages.index(code) for code in shown]
    labels = np.array(language_labels(data))[place].tolist()
    band = [part[place] for part in _interval(run, at)]
    figure = go.Figure(_rate_bars(run, at, shown, band))
    figure.add_trace(_block_rates(block, place, labels))
    figure.data[0].x = labels
    figure.update_layout(
        shapes=[_BAR_LINE | dict.fromkeys(("y0", "y1"), float(at["bar"]))],
        xaxis={"title": "language (tokens per unit)", "type": "category"},
        yaxis={"title": "share of tokens on which it fires", "range": [0, 1.02]},
        showlegend=False,
    )
    title, caption = f"Neuron {neuron} of block {layer}", _rates_caption(run, at)
    return style(figure, title=title, caption=caption, height=420, hover="closest")


def chosen_neuron(data: xr.Dataset, layer: int | None, neuron: int | None) -> tuple[int, int]:
    """A block and a neuron of it; where they are not said, the most telling ones.

    Raises
    ------
    InputError
        There is no such block or neuron.
    """
    entropy, selected = data["entropy"].to_numpy(), data["selected"].to_numpy()
    score = np.where(selected, entropy, entropy + 100.0)  # any selected one comes first
    if layer is None:
        layer = int(data["layer"][int(score.min(axis=1).argmin())])
    row = [int(each) for each in data["layer"].to_numpy()].index(chosen_block(data, layer))
    if neuron is None:
        return layer, int(score[row].argmin())
    if not 0 <= neuron < score.shape[1]:
        msg = f"neuron must be from 0 to {score.shape[1] - 1}. Got {neuron} instead."
        raise InputError(msg)
    return layer, neuron


def _interval(run: Run, at: xr.Dataset) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rates with ``± t · error``, as every jackknife interval of the file, cut to shares."""
    from scipy import stats

    reach = stats.t.ppf(0.975, df=_groups(run) - 1) * at["rate_error"].to_numpy().astype(float)
    rate = at["rate"].to_numpy().astype(float)
    return rate, (rate - reach).clip(0, 1), (rate + reach).clip(0, 1)


def _groups(run: Run) -> int:
    return int(run.manifest.estimators["analyses"]["neurons"]["groups"])


def _rate_bars(run: Run, at: xr.Dataset, shown: Sequence[str], band: Any) -> go.Bar:
    import plotly.graph_objects as go

    rate, low, high = band
    styles = language_styles(run.languages)
    belongs = at["belongs"].sel(language=list(shown)).to_numpy()
    count = at["count"].sel(language=list(shown)).to_numpy()
    tokens = at["n_tokens"].sel(language=list(shown)).to_numpy()
    text = [
        f"{r:.3f} [{a:.3f}, {b:.3f}], {int(c)} of {int(t)} tokens"
        + (", language neuron" if own else "")
        for r, a, b, c, t, own in zip(rate, low, high, count, tokens, belongs, strict=True)
    ]
    spread = {"type": "data", "array": high - rate, "arrayminus": rate - low, "color": GREY}
    return go.Bar(
        y=rate,
        error_y=spread,
        name="this neuron",
        text=text,
        textposition="none",
        marker={
            "color": [styles[code].colour for code in shown],
            "opacity": [1.0 if own else 0.55 for own in belongs],
        },
        hovertemplate="%{x}: %{text}<extra></extra>",
    )


def _block_rates(block: xr.Dataset, place: Sequence[int], labels: Sequence[str]) -> go.Scatter:
    import plotly.graph_objects as go

    return go.Scatter(
        x=list(labels),
        y=block["mean_rate"].to_numpy()[list(place)],
        mode="markers",
        name="mean of the block's neurons",
        marker={"symbol": "line-ew-open", "size": 18, "color": GREY, "line": {"width": 2}},
        hovertemplate="%{x}: %{y:.3f}<extra>mean of the block</extra>",
    )


def _rates_caption(run: Run, at: xr.Dataset) -> str:
    own = [str(c) for c in at["language"].to_numpy()[at["belongs"].to_numpy()]]
    told = f"language neuron of {listed(own)}" if own else "not selected"
    return (
        f"{who(run)} · entropy {float(at['entropy']):.3f} ± {float(at['entropy_error']):.3f} · "
        f"{told}<br>lines: 95 %, t over {_groups(run)} groups of units (jackknife) · dashes: mean "
        f"of the block's neurons · dotted: the bar ({float(at['bar']):.3f}); full colour: above it"
    )


def neuron_pairs(
    run: Run, *, layer: int | None = None, languages: Sequence[str] | None = None
) -> go.Figure:
    """Jaccard of often firing neurons between all pairs of languages at one block.

    Parameters
    ----------
    run
        A run with the analysis ``neurons``.
    layer
        By default the block where languages share most.
    languages
        Those shown; by default all.

    Raises
    ------
    InputError
        The run has no such block.
    LanguageError
        It has no such language.
    """
    data = run.group("neurons")
    if layer is None:
        layer = int(data["layer"][int(data["jaccard_mean"].to_numpy().argmax())])
    shown = [f"jaccard{each}" for each in (*ENDS, *(f"_mean{each}" for each in _MEANS))]
    at = data[shown].sel(layer=chosen_block(data, layer))
    figure = _pairs_heat(at, list(shown_languages(run, languages)), n=int(data.attrs["n_units"]))
    mean = [float(at[f"jaccard_mean{end}"]) for end in ENDS]
    caption = (
        f"{who(run)} · {sentence(data.attrs['jaccard'])} · mean of all pairs {mean[0]:.3f} "
        f"[{mean[1]:.3f}, {mean[2]:.3f}]<br>pale: chance ({float(at['jaccard_mean_chance']):.3f}), "
        "random sets of the same sizes, mean over pairs · labels exchanged: "
        f"{float(at['jaccard_mean_exchanged']):.3f}"
    )
    title = f"Neurons shared at block {layer}"
    return style(figure, title=title, caption=caption, height=560, hover="closest")


def _pairs_heat(at: xr.Dataset, codes: list[str], *, n: int) -> go.Figure:
    """Jaccard of every pair at one block, palest at chance."""
    import plotly.graph_objects as go

    table, low, high = (
        at[f"jaccard{end}"].sel(language=codes, language_b=codes).to_numpy() for end in ENDS
    )
    chance = float(at["jaccard_mean_chance"])
    names = plain_labels(codes)
    text = [
        [f"{a} – {b}: {table[i, j]:.3f} [{low[i, j]:.3f}, {high[i, j]:.3f}], n = {n}, "
         f"chance {chance:.3f}"
         for j, b in enumerate(names)]
        for i, a in enumerate(names)
    ]  # fmt: skip
    heat = go.Heatmap(
        z=table, x=names, y=names, text=text, colorbar={"title": "Jaccard"},
        hovertemplate="%{text}<extra></extra>", **null_scale(0.0, 1.0, null=chance),
    )  # fmt: skip
    return go.Figure(heat, layout=SQUARE)
