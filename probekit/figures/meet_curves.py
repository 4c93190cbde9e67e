"""Where languages meet over depth: every pair, the variants of CKA, one language left out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from probekit.errors import RunError
from probekit.figures.alignment import about, curve, level, panels, units_of
from probekit.figures.languages import language_styles
from probekit.figures.lines import add_curve, add_level
from probekit.figures.meet_measures import PairMeasure, chosen_languages, pair_measure, pairs_of
from probekit.figures.text import plain
from probekit.figures.theme import (
    BLUE,
    GREY,
    INK,
    ORANGE,
    PURPLE,
    VERMILION,
    layer_axis,
    rgba,
    style,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    import plotly.graph_objects as go
    import xarray as xr

    from probekit.runs import Run

#: More pairs than this are not drawn, but so many, evenly spaced; and the figure says so.
MOST_PAIRS = 300
#: Up to so many pairs each has its own look and name.
NAMED_PAIRS = 12
_SHORT = {
    "debiased": "debiased",
    "biased": "biased",
    "standardised": "standardised",
    "without_rogue": "without rogue dimensions",
}
#: A legend of more languages than this would cover the figure; hover says them.
MOST_NAMES = 16


def pairs_by_layer(
    run: Run,
    *,
    measure: str = "debiased",
    languages: Sequence[str] = (),
    region: Sequence[int] = (),
) -> go.Figure:
    """One measure by layer: every pair as a thin line, the mean over pairs, its null or chance.

    Parameters
    ----------
    run
        A finished run.
    measure
        One of ``MEASURES``.
    languages
        Their pairs alone; of a single one its pairs with all others.
    region
        Blocks to mark.

    Raises
    ------
    InputError
        No such measure or language.
    RunError
        The run does not have the measure.
    """
    import plotly.graph_objects as go

    found = pair_measure(run, measure)
    chosen = chosen_languages(run, languages)
    pairs = pairs_of(chosen, every=run.languages, directed=found.directed)
    places = np.linspace(0, len(pairs) - 1, min(len(pairs), MOST_PAIRS)).round().astype(int)
    figure = go.Figure()
    _pair_curves(figure, run, found, [pairs[at] for at in places])
    _mean_curve(figure, run, found)
    figure.update_xaxes(layer_axis(found.layers))
    figure.update_yaxes(title=found.words)
    of = len(pairs_of(run.languages, every=run.languages, directed=found.directed))
    thinned = f" of {len(pairs)}, evenly spaced" if len(places) < len(pairs) else ""
    said = f"thin lines: {len(places)}{thinned} of the {of} pairs"
    look = {"title": f"{found.words} of pairs of languages, by layer", "hover": "closest"}
    return style(figure, caption=about(run, said), height=480, region=region, **look)


def cka_variants(run: Run, *, region: Sequence[int] = ()) -> go.Figure:
    """Mean CKA by layer by four estimates, so that the traps of three of them are seen.

    Where biased stands near its own chance it shows units, not languages; where dropping a few
    dimensions changes the curve, those dimensions made it.

    Parameters
    ----------
    run
        A finished run.
    region
        Blocks to mark.
    """
    import plotly.graph_objects as go

    figure, layers = go.Figure(), [int(layer) for layer in run.cka["layer"].to_numpy()]
    looks = {
        "debiased": (BLUE, "solid"),
        "biased": (ORANGE, "dash"),
        "standardised": (VERMILION, "dashdot"),
        "without_rogue": (PURPLE, "dash"),
    }
    for name, (colour, dash) in looks.items():
        found = pair_measure(run, name)
        add_curve(
            figure,
            layers,
            found.mean,
            name=_SHORT[name],
            colour=colour,
            interval=found.mean_ends,
            n=units_of(run),
            dash=dash,
        )
        if name in {"debiased", "biased"} and found.level is not None:
            kind, values = found.level
            add_level(figure, layers, values, name=f"{name}, {kind}")
            figure.data[-1].line.color = colour
    figure.update_xaxes(layer_axis(layers))
    figure.update_yaxes(title="CKA, mean over pairs", rangemode="tozero")
    said = "permuted: what each estimate shows of languages whose units do not correspond"
    title = "CKA and its traps"
    return style(figure, title=title, caption=about(run, said), height=460, region=region)


def leave_one_out(
    run: Run, *, languages: Sequence[str] = (), region: Sequence[int] = ()
) -> go.Figure:
    """Mean debiased CKA by layer when a language is left out, and how much that changes it.

    Parameters
    ----------
    run
        A run of three languages or more.
    languages
        Those to leave out, each alone; by default each of the run.
    region
        Blocks to mark.

    Raises
    ------
    InputError
        The run has not got one of the languages.
    RunError
        The run has two languages: without one no pair is left.
    """
    data = run.cka
    if "mean_without" not in data:
        msg = (
            f"run {run.folder.name!r} has two languages, so no pair is left without one. Run its "
            "study with more languages."
        )
        raise RunError(msg)
    figure, layers = panels(data, _LEFT_OUT)
    chosen = chosen_languages(run, languages)
    curve(figure, _with_units(run, data), "mean", name="all languages", colour=GREY, row=1)
    for code in chosen:
        _curves_without(figure, run, code, layers=layers)
    level(figure, layers, 0.0, name="no change", row=2)
    figure.data[-1].showlegend = False  # the panel's heading says it
    figure.update_yaxes(rangemode="normal", row=2, col=1)
    figure.update_layout(showlegend=len(chosen) <= MOST_NAMES)
    said = "band: interval of the mean over all pairs"
    look = {"title": "Does one language make the result?", "hover": "closest"}
    return style(figure, caption=about(run, said), height=640, region=region, **look)


_LEFT_OUT = (
    "mean over the pairs that are left",
    "change (above 0: without it, the rest agrees more)",
)


def _mean_curve(figure: go.Figure, run: Run, found: PairMeasure) -> None:
    """The mean over all pairs with its interval, and its level."""
    name, ends, n = "mean over all pairs", found.mean_ends, units_of(run)
    add_curve(figure, found.layers, found.mean, name=name, colour=INK, interval=ends, n=n)
    if found.level is not None:
        add_level(figure, found.layers, found.level[1], name=found.level[0])


def _pair_curves(
    figure: go.Figure, run: Run, found: PairMeasure, pairs: list[tuple[int, int]]
) -> None:
    """Few pairs by name, in the colours of their two languages; many as thin grey lines."""
    import plotly.graph_objects as go

    named = len(pairs) <= NAMED_PAIRS
    for a, b in pairs:
        arrow = "→" if found.directed else "–"
        name = f"{plain(run.languages[a])}{arrow}{plain(run.languages[b])}"
        values, tail = found.tables[:, a, b], f", n = {units_of(run)}<extra></extra>"
        drawn = go.Scatter(x=found.layers, y=values, name=name, showlegend=named)
        if named:
            spans = found.spans(a, b)
            drawn.update(
                _named(run, a, b), text=spans, hovertemplate=f"{name}: %{{y:.3f}}%{{text}}{tail}"
            )
        else:
            line = {"color": rgba(GREY, 0.35), "width": 1}
            drawn.update(mode="lines", line=line, hovertemplate=f"{name}: %{{y:.3f}}{tail}")
        figure.add_trace(drawn)


def _named(run: Run, a: int, b: int) -> dict[str, Any]:
    """The line of the first language, the markers of the second."""
    styles = language_styles(run.languages)
    line, marker = (styles[run.languages[at]] for at in (a, b))
    return {
        "mode": "lines+markers",
        "line": {"color": line.colour, "width": 1.6, "dash": line.dash},
        "marker": {"color": marker.colour, "symbol": marker.symbol, "size": 6},
    }


def _with_units(run: Run, data: xr.Dataset) -> xr.Dataset:
    """The same, saying of how many units, as groups of other analyses do."""
    return data.assign_attrs(n_units=units_of(run))


def _curves_without(figure: go.Figure, run: Run, code: str, *, layers: list[int]) -> None:
    """The mean without a language, and below it the change."""
    import plotly.graph_objects as go

    look = language_styles(run.languages)[code]
    without = run.cka["mean_without"].to_numpy()[:, run.languages.index(code)]
    for row, values in ((1, without), (2, without - run.cka["mean"].to_numpy())):
        trace = go.Scatter(
            x=layers,
            y=values,
            name=plain(code),
            legendgroup=code,
            showlegend=row == 1,
            mode="lines+markers",
            line={"color": look.colour, "width": 1.4, "dash": look.dash},
            marker={"symbol": look.symbol, "size": 5},
            hovertemplate=f"without {plain(code)}: %{{y:.3f}}, n = {units_of(run)}<extra></extra>",
        )
        figure.add_trace(trace, row=row, col=1)
