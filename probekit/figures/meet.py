"""The table of languages by languages at one layer, in an order that shows who stands with whom."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from probekit.errors import InputError
from probekit.figures.alignment import about, chosen_layer, layer_name, units_of
from probekit.figures.cells import interval
from probekit.figures.meet_measures import PairMeasure, chosen_languages, pair_measure
from probekit.figures.scales import null_scale
from probekit.figures.text import name_of, plain_labels
from probekit.figures.theme import SQUARE, VERMILION, style

if TYPE_CHECKING:
    from collections.abc import Sequence

    import plotly.graph_objects as go

    from probekit.runs import Run

#: How the languages of a table can be ordered.
ORDERS = ("cluster", "family", "script", "run")
#: Tables of more cells than this say no interval on hover.
MOST_TEXTS = 4096


def language_table(
    run: Run,
    *,
    layer: int | None = None,
    measure: str = "debiased",
    order: str = "cluster",
    languages: Sequence[str] = (),
) -> go.Figure:
    """One measure of every pair of languages at one layer, the lightest colour at its null.

    Parameters
    ----------
    run
        A finished run.
    layer
        −1 is the embedding; by default the block where languages meet most by this measure.
    measure
        One of ``MEASURES``: a variant of CKA, or a measure of alignment.
    order
        ``cluster`` (alike languages stand together), ``family``, ``script``, or as in the ``run``.
    languages
        Two of them: their cells are outlined.

    Raises
    ------
    InputError
        No such layer, measure, order or language.
    RunError
        The run does not have the measure.
    """
    import plotly.graph_objects as go

    found = pair_measure(run, measure)
    layer = _best(found) if layer is None else chosen_layer(found.data, layer)
    row = found.layers.index(layer)
    places = language_order(run, found.tables[row], order=order, less_is_more=found.less_is_more)
    codes = [run.languages[place] for place in places]
    figure = go.Figure(_table(run, found, row=row, places=places), layout=SQUARE)
    _outline(figure, [codes.index(code) for code in chosen_languages(run, languages)])
    said = (
        f"mean over pairs {found.mean[row]:.3f} · lightest colour: {_zero_words(found)} "
        f"({found.zero[row]:.3f}) · one scale for all layers"
    )
    title = f"{found.words} at {layer_name(layer)}" + (", row to column" if found.directed else "")
    caption = about(run, said, interval=found.ends is not None)
    return style(figure, title=title, caption=caption, height=560, hover="closest")


def language_order(
    run: Run, table: np.ndarray, *, order: str, less_is_more: bool = False
) -> list[int]:
    """Places of the languages in a table.

    Raises
    ------
    InputError
        No such order.
    """
    from probekit.corpora import language_info
    from probekit.measures.ordering import cluster_order, grouped_order

    if order not in ORDERS:
        msg = f"order must be one of {', '.join(ORDERS)}. Got {order!r} instead."
        raise InputError(msg)
    if order == "run":
        return list(range(len(table)))
    if order == "cluster":
        return cluster_order(-table if less_is_more else table)
    infos = [language_info(code) for code in run.languages]
    return grouped_order([info.family if order == "family" else info.script for info in infos])


def _best(found: PairMeasure) -> int:
    """The block where the mean is highest, or lowest where less is more."""
    blocks = [row for row, layer in enumerate(found.layers) if layer >= 0]
    values = found.mean[blocks] * (-1 if found.less_is_more else 1)
    return found.layers[blocks[int(values.argmax())]]


def _zero_words(found: PairMeasure) -> str:
    return (
        "unrelated"
        if found.name in {"debiased", "biased"} or found.level is None
        else found.level[0]
    )


def _table(run: Run, found: PairMeasure, *, row: int, places: list[int]) -> go.Heatmap:
    """Cells of all pairs but those of a language with itself; each knows its languages."""
    import plotly.graph_objects as go

    codes = plain_labels(run.languages[place] for place in places)
    table = found.tables[row][np.ix_(places, places)]
    texts = _pair_texts(run, found, row=row, places=places)
    return go.Heatmap(
        z=[
            [None if a == b else v for b, v in enumerate(line)]
            for a, line in enumerate(table.tolist())
        ],
        x=codes,
        y=codes,
        customdata=[[_both(run, a, b) for b in places] for a in places],
        text=texts,
        meta=_interval(found, row=row, places=places),
        hovertemplate="%{text}<extra></extra>" if texts else "%{y}, %{x}: %{z:.3f}<extra></extra>",
        colorbar={"title": {"text": found.words, "side": "right"}},
        **_scale(found, row),
    )


def _interval(found: PairMeasure, *, row: int, places: list[int]) -> dict[str, Any] | None:
    if found.ends is None:
        return None
    low, high = (end[row][np.ix_(places, places)] for end in found.ends)
    return interval(low, high)


def _scale(found: PairMeasure, row: int) -> dict[str, Any]:
    """From the least to the largest pair of any layer, lightest at this layer's null."""
    pairs = found.tables[:, ~np.eye(found.tables.shape[1], dtype=bool)]
    null, less = float(found.zero[row]), found.less_is_more
    return null_scale(float(pairs.min()), float(pairs.max()), null=null, less_is_more=less)


def _both(run: Run, a: int, b: int) -> str:
    """Two languages as the address of the workbench names them, in the run's order."""
    return ",".join(dict.fromkeys(run.languages[place] for place in sorted((a, b))))


def _pair_texts(
    run: Run, found: PairMeasure, *, row: int, places: list[int]
) -> list[list[str]] | None:
    """``Greek → Thai: 0.412 [0.380, 0.440], n = 168`` of every cell; None where they are many."""
    if len(places) ** 2 > MOST_TEXTS:
        return None
    table, n = found.tables[row], units_of(run)
    ends = None if found.ends is None else [end[row] for end in found.ends]
    arrow = "→" if found.directed else "–"

    def text(a: int, b: int) -> str:
        one, two = (name_of(run, run.languages[at]) for at in (a, b))
        span = "" if ends is None else f" [{ends[0][a, b]:.3f}, {ends[1][a, b]:.3f}]"
        return f"{one} {arrow} {two}: {table[a, b]:.3f}{span}, n = {n}"

    return [[text(a, b) for b in places] for a in places]


def _outline(figure: go.Figure, chosen: list[int]) -> None:
    """The cells of two languages."""
    if len(chosen) != 2:
        return
    for x, y in (chosen, chosen[::-1]):
        box = {"x0": x - 0.5, "x1": x + 0.5, "y0": y - 0.5, "y1": y + 0.5}
        figure.add_shape(type="rect", line={"color": VERMILION, "width": 2.5}, **box)
