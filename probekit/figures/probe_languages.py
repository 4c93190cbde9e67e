"""Figures of probes by language: a curve a language for a task, and recall of language identity."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from probekit.errors import InputError
from probekit.figures.alignment import about
from probekit.figures.cells import interval
from probekit.figures.languages import language_styles
from probekit.figures.lines import add_curve, add_level
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
from probekit.figures.theme import layer_axis, style

if TYPE_CHECKING:
    from collections.abc import Sequence

    import plotly.graph_objects as go
    import xarray as xr

    from probekit.runs import Run

#: Quantity → what its axis says, what it is compared with.
QUANTITIES = {
    "accuracy": ("held-out accuracy", "commonest class, mean"),
    "selectivity": ("accuracy − control task", "nothing gained"),
    "above_embedding": ("accuracy − embedding", "nothing gained"),
    "compression": ("compression", "uniform code"),
}
#: More bands than this hide each other; then the hover alone says the intervals.
MOST_BANDS = 3


def probe_languages(
    run: Run,
    *,
    task: str | None = None,
    quantity: str = "accuracy",
    languages: Sequence[str] | None = None,
    region: Sequence[int] = (),
) -> go.Figure:
    """A quantity of one task by layer, a curve for every language; hover says its interval.

    Parameters
    ----------
    run
        A run with the analysis ``probes``.
    task
        By default the first.
    quantity
        ``accuracy``, ``selectivity``, ``above_embedding`` or ``compression``.
    languages
        Those shown; by default all. Up to three have their intervals drawn as bands.
    region
        Blocks to mark.

    Raises
    ------
    InputError
        The run has no such task, quantity or language.
    """
    import plotly.graph_objects as go

    title = "Probes in every language"
    data = group(run, GROUP)
    if quantity not in QUANTITIES:
        msg = f"quantity must be one of {', '.join(QUANTITIES)}. Got {quantity!r} instead."
        raise InputError(msg)
    if data is None or quantity not in data:
        why = "no task over texts or words was probed" if data is None else "probes.mdl was off"
        return absent(title, why)
    name = task_names(data)[0] if task is None else task
    part = data.isel(task=task_place(data, name))
    figure, shown = go.Figure(), shown_languages(run, languages)
    curves = part[[f"{quantity}{end}" for end in ("", "_low", "_high")]]
    for code in shown:
        _language(figure, run, curves, code, banded=len(shown) <= MOST_BANDS)
    words = _against(figure, part, quantity)
    said = f"bands up to {MOST_BANDS} languages, hover for the others · {how(data)}"
    title = f"{plain(name.replace('_', ' '))}: {words} by language"
    return style(figure, title=title, caption=about(run, said), height=480, region=region)


def _against(figure: go.Figure, part: xr.Dataset, quantity: str) -> str:
    """Axes, and the level that a quantity is compared with; returns what the axis says."""
    layers, (words, against) = (
        [int(layer) for layer in part["layer"].to_numpy()],
        QUANTITIES[quantity],
    )
    zero = {"accuracy": float(part["majority_mean"]), "compression": 1.0}.get(quantity, 0.0)
    add_level(figure, layers, np.full(len(layers), zero), name=against)
    figure.update_xaxes(layer_axis(layers))
    figure.update_yaxes(title=words)
    return words


def _language(figure: go.Figure, run: Run, part: xr.Dataset, code: str, *, banded: bool) -> None:
    """The curve of one language, in its colour, marker and dash."""
    look = language_styles(run.languages)[code]
    value, low, high = (each.sel(language=code).to_numpy() for each in part.values())
    layers = [int(layer) for layer in part["layer"].to_numpy()]
    before = len(figure.data)
    add_curve(
        figure,
        layers,
        value,
        name=plain(code),
        colour=look.colour,
        interval=(low, high),
        n=int(run.manifest.corpus["n_units"]),
    )
    if not banded:
        kept = [trace for at, trace in enumerate(figure.data) if at != before]
        figure.data = kept
    figure.data[-1].update(
        mode="lines+markers", line={"dash": look.dash}, marker={"symbol": look.symbol}
    )


def language_recall(
    run: Run, *, languages: Sequence[str] | None = None, region: Sequence[int] = ()
) -> go.Figure:
    """Share of each language's texts that a probe tells to be in it, by layer.

    Parameters
    ----------
    run
        A run whose probes read ``language``.
    languages
        Those shown; by default all.
    region
        Blocks to mark.

    Raises
    ------
    LanguageError
        The run has no such language.
    """
    import plotly.graph_objects as go

    title = "Language identity, language by language"
    data = group(run, LANGUAGE_GROUP)
    if data is None:
        return absent(title, "put language among the tasks of the option probes.tasks")
    codes = list(shown_languages(run, languages))
    table, low, high = (
        data[f"recall{end}"].sel(language=codes).transpose("language", "layer").to_numpy()
        for end in ("", "_low", "_high")
    )
    n, layers = int(data.attrs["n_units"]), [int(layer) for layer in data["layer"].to_numpy()]
    text = [
        [f"{v:.3f} [{a:.3f}, {b:.3f}], n = {n}" for v, a, b in zip(*rows, strict=True)]
        for rows in zip(table, low, high, strict=True)
    ]
    chance = float(data.attrs["chance"])
    heat = go.Heatmap(
        z=table, x=layers, y=plain_labels(codes), text=text, colorbar={"title": "recall"},
        meta=interval(low, high),
        hovertemplate="layer %{x}, %{y}: %{text}<extra></extra>",
        **null_scale(0.0, 1.0, null=chance),
    )  # fmt: skip
    figure = go.Figure(heat)
    figure.update_xaxes(layer_axis(layers))
    figure.update_yaxes(autorange="reversed", title="language", type="category")
    said = f"{int(data.attrs['n_texts'])} texts · folds by unit · pale: chance ({chance:.3f})"
    look: Any = {"height": 240 + 24 * len(codes), "hover": "closest", "region": region}
    return style(figure, title=title, caption=about(run, said), **look)
