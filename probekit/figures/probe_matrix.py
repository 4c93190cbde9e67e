"""Figures of probes at one layer: transfer between all languages, and what is taken for what.

Costs the reading of one layer; shares of a row are taken here, so that rows can be compared.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from probekit.figures.alignment import about, chosen_layer, layer_name
from probekit.figures.cells import interval
from probekit.figures.neuron_parts import shown_languages
from probekit.figures.probe_parts import (
    GROUP,
    LANGUAGE_GROUP,
    absent,
    group,
    how,
    task_names,
    task_place,
)
from probekit.figures.scales import null_scale
from probekit.figures.text import plain, plain_labels
from probekit.figures.theme import SQUARE, merged, style

if TYPE_CHECKING:
    from collections.abc import Sequence

    import plotly.graph_objects as go
    import xarray as xr

    from probekit.runs import Run


def transfer_pairs(
    run: Run,
    *,
    task: str | None = None,
    layer: int | None = None,
    centred: bool = False,
    languages: Sequence[str] | None = None,
) -> go.Figure:
    """Accuracy of a task between all pairs of languages at one layer, from row to column.

    Parameters
    ----------
    run
        A run with the analysis ``probes``.
    task
        By default the first.
    layer
        −1 is the embedding; by default the layer where transfer is best.
    centred
        Each language's training mean removed.
    languages
        Those shown; by default all.

    Raises
    ------
    InputError
        The run has no such task, layer or language.
    """
    title = "Transfer between languages"
    data = group(run, GROUP)
    if data is None:
        return absent(title, "no task over texts or words was probed")
    name, part = _task(data, task)
    if layer is None:
        shown = part["transfer_mean"] if "transfer_mean" in part else part["accuracy_mean"]
        layer = int(data["layer"][int(shown.to_numpy().argmax())])
    part = part[list(_SHOWN & set(part))].sel(layer=chosen_layer(data, layer))
    figure = _transfer_heat(part, list(shown_languages(run, languages)), centred=centred)
    said = f"pale: commonest class ({float(part['majority_mean']):.3f}) · {how(data)}"
    if centred:
        said = f"each language's training mean removed · {said}"
    title = f"Probes of {plain(name)} at {layer_name(layer)}"
    return style(figure, title=title, caption=about(run, said), height=600, hover="closest")


_ENDS = ("", "_low", "_high")
#: What the table of transfer shows.
_SHOWN = {f"transfer{kind}{end}" for kind in ("", "_centred") for end in _ENDS} | {
    "majority_mean",
    "n_items",
}


def _task(data: xr.Dataset, task: str | None) -> tuple[str, xr.Dataset]:
    """A task by name, the first one unless named."""
    place = 0 if task is None else task_place(data, task)
    return task_names(data)[place], data.isel(task=place)


def _transfer_heat(part: xr.Dataset, codes: list[str], *, centred: bool) -> go.Figure:
    """One task at one layer, from the language trained in to the one tested in."""
    pairs = part.sel(language=codes, language_b=codes)
    raw = [pairs[f"transfer{end}"].to_numpy() for end in _ENDS]
    centre = [pairs[f"transfer_centred{end}"].to_numpy() for end in _ENDS]
    counts = part["n_items"].sel(language=codes).to_numpy()
    (table, low, high), other = (centre, raw[0]) if centred else (raw, centre[0])
    words, names = "raw" if centred else "centred", plain_labels(codes)
    text = [
        [
            f"{a} → {b}: {table[i, j]:.3f} [{low[i, j]:.3f}, {high[i, j]:.3f}], "
            f"n = {counts[j]}<br>{words}: {other[i, j]:.3f}"
            for j, b in enumerate(names)
        ]
        for i, a in enumerate(names)
    ]
    scale = null_scale(float(table.min()), 1.0, null=float(part["majority_mean"]))
    figure = _table(
        table, names, text=text, scale=scale, bar="accuracy", axes=("tested in", "trained in")
    )
    return figure.update_traces(meta=interval(low, high))


def _table(
    values: np.ndarray,
    names: Sequence[str],
    *,
    text: list[list[str]],
    scale: dict[str, Any],
    bar: str,
    axes: tuple[str, str],
) -> go.Figure:
    """A square table; ``axes`` name columns and rows, and ``names`` are plain."""
    import plotly.graph_objects as go

    heat = go.Heatmap(
        z=values, x=list(names), y=list(names), text=text, colorbar={"title": bar},
        hovertemplate="%{text}<extra></extra>", **scale,
    )  # fmt: skip
    titles = {"xaxis": {"title": {"text": axes[0]}}, "yaxis": {"title": {"text": axes[1]}}}
    return go.Figure(heat, layout=merged(SQUARE, titles))


def probe_confusion(
    run: Run,
    *,
    task: str | None = None,
    layer: int | None = None,
    languages: Sequence[str] | None = None,
) -> go.Figure:
    """What held-out items of every class (row) are told to be (column), as shares of the row.

    Parameters
    ----------
    run
        A run with the analysis ``probes``, made since probes keep their confusions.
    task
        By default the first.
    layer
        By default the layer where accuracy is best.
    languages
        Whose items are counted together; by default all.

    Raises
    ------
    InputError
        The run has no such task, layer or language.
    """
    title = "What is taken for what"
    data = group(run, GROUP)
    if data is None or "confusion" not in data:
        return absent(title, "its probes kept no confusions; run the study again")
    name, part = _task(data, task)
    if layer is None:
        layer = int(data["layer"][int(part["accuracy_mean"].to_numpy().argmax())])
    classes = list(data.attrs["classes"][task_names(data).index(name)])
    chosen = part["confusion"].sel(layer=chosen_layer(data, layer))
    codes = list(shown_languages(run, languages))
    counts = chosen.sel(language=codes).to_numpy().sum(axis=0)[: len(classes), : len(classes)]
    said = f"{len(codes)} languages together, {int(counts.sum())} items · {how(data)}"
    title = f"{plain(name)} at {layer_name(layer)}: told as"
    return _confusion(run, counts, classes, title=title, said=said)


def language_confusion(run: Run, *, layer: int | None = None) -> go.Figure:
    """Which language held-out texts of every language (row) are told to be in (column).

    Parameters
    ----------
    run
        A run whose probes read ``language``, made since probes keep their confusions.
    layer
        By default the layer where most is confused.

    Raises
    ------
    InputError
        The run has no such layer.
    """
    title = "Which languages are taken for which"
    data = group(run, LANGUAGE_GROUP)
    if data is None or "confusion" not in data:
        return absent(title, "its probes kept no confusions; run the study again")
    if layer is None:
        layer = int(data["layer"][int(data["accuracy"].to_numpy().argmin())])
    counts = data["confusion"].sel(layer=chosen_layer(data, layer)).to_numpy()
    said = f"{int(counts.sum())} texts · folds by unit"
    title = f"Languages at {layer_name(layer)}: told as"
    return _confusion(run, counts, list(run.languages), title=title, said=said)


def _confusion(
    run: Run, counts: np.ndarray, names: Sequence[str], *, title: str, said: str
) -> go.Figure:
    """Shares of every row; hover says the counts."""
    totals, names = counts.sum(axis=1, keepdims=True), plain_labels(names)
    shares = counts / np.maximum(totals, 1)
    text = [
        [
            f"{a} told as {b}: {counts[i, j]} of {totals[i, 0]} ({shares[i, j]:.3f})"
            for j, b in enumerate(names)
        ]
        for i, a in enumerate(names)
    ]
    chance = 1 / len(names)
    scale = null_scale(0.0, 1.0, null=0.0)
    figure = _table(shares, names, text=text, scale=scale, bar="share", axes=("told as", "is"))
    said = f"held-out counts, every item once · chance: 1/classes, {chance:.3f} · {said}"
    caption = about(run, said, interval=False)
    return style(figure, title=title, caption=caption, height=600, hover="closest")
