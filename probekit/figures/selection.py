"""The figure of a selection: what the rule read, its bars, how often each block clears them.

Takes a :class:`~probekit.selection.LayerSelection`, which carries all of it; nothing is measured.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from probekit.figures.lines import add_curve, add_level, add_region
from probekit.figures.text import listed, plain, sentence
from probekit.figures.theme import (
    BLUE,
    GREEN,
    ORANGE,
    PURPLE,
    VERMILION,
    head_room,
    layer_axis,
    style,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import plotly.graph_objects as go

    from probekit.selection import Column, LayerSelection

PANEL, AROUND = 190, 150
ALIGN = "cka.mean"
#: Column → panel heading.
TITLES: dict[str, str] = {
    ALIGN: "Align: debiased CKA (mean over pairs)",
    "regions.lrds": "LRDS (raw)",
    "regions.lrds_centred": "LRDS (centred)",
    "probes.transfer_all": "probe accuracy in another language",
    "probes.transfer_centred_all": "probe accuracy in another language (centred)",
    "lens.own_mass_mean": "lens mass on the text's own language",
    "lens.agreement_mean": "lens agrees with the output",
    "lens.kl_mean": "KL of the lens from the output (bits)",
}
#: Level that other columns are held against → words. Drawn in the panel of its column.
LEVELS: dict[str, tuple[str, str]] = {
    "probes.majority_all": ("probes.transfer", "commonest class"),
    "probes.control_all": ("probes.transfer", "control task"),
    "lens.own_mass_mean_chance": ("lens.own_mass_mean", "random vectors"),
    "lens.kl_uniform": ("lens.kl_mean", "uniform guess"),
}
#: Names of a column's bar among the thresholds, besides the column's own.
_ALIASES: dict[str, tuple[str, ...]] = {
    ALIGN: ("align",),
    "probes.transfer_all": ("transfer",),
    "probes.transfer_centred_all": ("transfer",),
    "lens.own_mass_mean": ("own_mass",),
    "lens.agreement_mean": ("agreement",),
    "lens.kl_mean": ("kl",),
}
_COLOURS = (BLUE, VERMILION, PURPLE, ORANGE)


class _Panel(NamedTuple):
    """A column with the levels it is held against."""

    name: str
    column: Column
    levels: dict[str, np.ndarray]
    bar: float | None
    colour: str


def selection_by_layer(selection: LayerSelection) -> go.Figure:
    """Each column that the rule reads with its bar; below, the share of resamples that clear.

    The region is shaded and the target starred in every panel; a refused selection has neither.

    Parameters
    ----------
    selection
        Of any rule: ``run.select(rule=…)``.
    """
    from plotly.subplots import make_subplots

    panels = list(_panels(selection))
    n = len(panels) + 1
    names = [_heading(each.name) for each in panels]
    figure = make_subplots(
        rows=n,
        cols=1,
        shared_xaxes=True,
        vertical_spacing=0.24 / n,
        subplot_titles=[*names, "share of resamples in which the block clears every bar"],
    )
    for row, panel in enumerate(panels, start=1):
        _add_panel(figure, selection, panel, row)
    _add_probability(figure, selection, row=n)
    add_region(figure, selection.region)
    axis = layer_axis(list(range(-1, selection.evidence.n_blocks)))
    figure.update_xaxes({key: value for key, value in axis.items() if key != "title"})
    figure.update_xaxes(title=axis["title"], row=n, col=1)
    figure.update_annotations(font_size=13, x=0, xanchor="left")
    figure = style(
        figure, title=_title(selection), caption=_caption(selection), height=PANEL * n + AROUND
    )
    figure.update_layout(showlegend=True)
    return head_room(figure)


def _heading(column: str) -> str:
    return TITLES.get(column) or plain(column, longest=60)


def _panels(selection: LayerSelection) -> Iterator[_Panel]:
    thresholds = selection.rule["thresholds"]
    shown = [name for name in selection.columns if name not in LEVELS]
    for at, name in enumerate(shown):
        levels = {
            words: selection.columns[level].value
            for level, (of, words) in LEVELS.items()
            if name.startswith(of) and level in selection.columns
        }
        if name == ALIGN:
            levels["null (95 %)"] = selection.evidence.align_null95
        colour = _COLOURS[at % len(_COLOURS)]
        yield _Panel(name, selection.columns[name], levels, _bar(name, thresholds), colour)


def _bar(name: str, thresholds: Mapping[str, Mapping[str, float]]) -> float | None:
    """The bar of a column, where the rule has one number for all blocks."""
    own = (name, name.rpartition(".")[2], *_ALIASES.get(name, ()))
    return next((float(thresholds[key]["value"]) for key in own if key in thresholds), None)


def _add_panel(figure: go.Figure, selection: LayerSelection, panel: _Panel, row: int) -> None:
    cell = {"row": row, "col": 1}
    blocks = list(selection.evidence.layers)
    column = panel.column
    interval = None if column.low is None or column.high is None else (column.low, column.high)
    name = _heading(panel.name).partition(":")[0]
    first = len(figure.data)
    add_curve(
        figure,
        blocks,
        column.value,
        name=name,
        colour=panel.colour,
        interval=interval,
        n=selection.evidence.n_units,
        cell=cell,
    )
    if panel.bar is not None:
        bar = np.full(len(blocks), panel.bar)
        add_curve(figure, blocks, bar, name="bar", colour=panel.colour, dash="dash", cell=cell)
    for words, level in panel.levels.items():
        add_level(figure, blocks, level, name=words, cell=cell)
    for trace in figure.data[first:]:  # the headings name the curves
        if trace.name == name or row > 1:
            trace.showlegend = False
    _add_target(figure, selection, column.value, cell)


def _add_probability(figure: go.Figure, selection: LayerSelection, *, row: int) -> None:
    import plotly.graph_objects as go

    cell = {"row": row, "col": 1}
    blocks = list(selection.evidence.layers)
    share = np.asarray(selection.probabilities)
    told = [f"clears in {value:.0%} of {selection.stability.bootstrap_n}" for value in share]
    bars = go.Bar(
        x=blocks, y=share, name="share that clears", marker={"color": GREEN}, text=told,
        textposition="none", hovertemplate="%{text}",
    )  # fmt: skip
    figure.add_trace(bars, **cell)
    asked = selection.rule["thresholds"].get("probability", {}).get("value")
    if asked is not None:
        line = np.full(len(blocks), float(asked))
        add_curve(figure, blocks, line, name="asked", colour=GREEN, dash="dash", cell=cell)
    _add_target(figure, selection, share, cell)
    figure.update_yaxes(range=[0, 1.05], tickformat=".0%", **cell)


def _add_target(
    figure: go.Figure, selection: LayerSelection, values: np.ndarray, cell: dict[str, int]
) -> None:
    """A star at the block whose output a loss would read."""
    import plotly.graph_objects as go

    at = selection.read_layer
    if at is None:
        return
    marker = {"symbol": "star", "size": 13, "color": "#000000"}
    star = go.Scatter(
        x=[at], y=[float(values[at])], mode="markers", name="target", marker=marker,
        hoverinfo="skip", showlegend=cell["row"] == 1,
    )  # fmt: skip
    figure.add_trace(star, **cell)


def _title(selection: LayerSelection) -> str:
    return sentence(str(selection).partition("\n")[0])


def _caption(selection: LayerSelection) -> str:
    evidence = selection.evidence
    drawn = [name for name, each in selection.columns.items() if each.origin == "interval"]
    kept = [name for name, each in selection.columns.items() if each.origin == "none"]
    parts = [
        f"{evidence.n_units} units × {len(evidence.languages)} languages",
        f"{selection.stability.bootstrap_n} bootstrap resamples of units"
        + (", half with one language left out" if selection.stability.unit == "both" else ""),
        f"drawn from intervals, not resampled: {listed(drawn)}" if drawn else "",
        f"held at its value: {listed(kept)}" if kept else "",
        "shaded: the region; star: the block that a loss reads" if selection.region else "refused",
    ]
    return " · ".join(part for part in parts if part)
