"""Figures of probes: accuracy, transfer and code length by layer; transfer between all languages.

A figure whose part of the analysis a run left out says so instead of failing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from probekit.figures.alignment import about
from probekit.figures.lines import add_curve
from probekit.figures.probe_languages import language_recall, probe_languages
from probekit.figures.probe_matrix import language_confusion, probe_confusion, transfer_pairs
from probekit.figures.probe_parts import (
    GROUP,
    LANGUAGE_GROUP,
    absent,
    cell,
    curve,
    finish,
    group,
    how,
    level,
    panels,
    rows,
    share_legend,
    task_names,
    tasks_of,
)
from probekit.figures.text import listed
from probekit.figures.theme import BLUE, GREEN, GREY, ORANGE, PURPLE, VERMILION

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import plotly.graph_objects as go
    import xarray as xr

    from probekit.runs import Run


def probe_accuracy(run: Run, *, task: str | None = None, region: Sequence[int] = ()) -> go.Figure:
    """Held-out accuracy of every task by layer, beside majority, shuffled labels and control.

    Parameters
    ----------
    run
        A run with the analysis ``probes``.
    task
        By default all, one panel each.
    region
        Blocks to mark.

    Raises
    ------
    InputError
        The run has no such task.
    """
    data = group(run, GROUP)
    if data is None:
        return absent("What a linear probe can read", "no task over texts or words was probed")
    data = tasks_of(data, task)
    figure = panels(data, task_names(data))
    for at in range(data.sizes["task"]):
        part = data.isel(task=at)
        curve(figure, part, "accuracy_mean", name="accuracy", colour=BLUE, at=at)
        curve(figure, part, "control_mean", name="control task", colour=ORANGE, at=at)
        curve(figure, part, "shuffled_mean", name="shuffled labels", colour=PURPLE, at=at)
        level(figure, part, float(part["majority_mean"]), name="commonest class", at=at)
    figure.update_yaxes(range=[0, 1.02])
    said = f"mean over languages · {how(data)}"
    title = "What a linear probe can read"
    return _finished(figure, run, said, title=title, n_rows=rows(data), region=region)


def probe_transfer(run: Run, *, task: str | None = None, region: Sequence[int] = ()) -> go.Figure:
    """Accuracy in another language than the probe was trained in, raw and centred, by layer.

    Parameters
    ----------
    run
        A run with the analysis ``probes``.
    task
        By default all, one panel each.
    region
        Blocks to mark.

    Raises
    ------
    InputError
        The run has no such task.
    """
    title = "Does a probe work in another language?"
    data = group(run, GROUP)
    if data is None or "transfer_mean" not in data:
        return absent(title, "no task over texts or words in two languages was probed")
    data = tasks_of(data, task)
    figure = panels(data, task_names(data))
    for at in range(data.sizes["task"]):
        part = data.isel(task=at)
        curve(figure, part, "accuracy_mean", name="same language", colour=BLUE, at=at)
        curve(figure, part, "transfer_mean", name="other languages", colour=VERMILION, at=at)
        curve(
            figure,
            part,
            "transfer_centred_mean",
            name="other languages, each centred",
            colour=GREEN,
            at=at,
        )
        if "transfer_groups_mean" in part:
            name = f"{listed(data.attrs['sources'])} → {listed(data.attrs['targets'])}"
            curve(figure, part, "transfer_groups_mean", name=name, colour=PURPLE, at=at)
        level(figure, part, float(part["majority_mean"]), name="commonest class", at=at)
    figure.update_yaxes(range=[0, 1.02])
    said = f"mean over pairs of languages · {how(data)}"
    return _finished(figure, run, said, title=title, n_rows=rows(data), region=region)


def probe_codes(run: Run, *, task: str | None = None, region: Sequence[int] = ()) -> go.Figure:
    """How many times shorter the labels' online code is than the uniform one, by layer.

    Parameters
    ----------
    run
        A run with the analysis ``probes``.
    task
        By default all, one panel each.
    region
        Blocks to mark.

    Raises
    ------
    InputError
        The run has no such task.
    """
    title = "How cheaply labels are told"
    data = group(run, GROUP)
    if data is None or "compression_mean" not in data:
        return absent(title, "set the option probes.mdl to true")
    data = tasks_of(data, task)
    figure = panels(data, task_names(data))
    for at in range(data.sizes["task"]):
        part = data.isel(task=at)
        curve(figure, part, "compression_mean", name="compression", colour=BLUE, at=at)
        known = float(part["compression_frequency"].mean())
        _frequencies(figure, part, known, at=at)
        level(figure, part, 1.0, name="uniform code", at=at)
    figure.update_yaxes(rangemode="tozero")
    said = "uniform code / online code (Voita & Titov 2020), mean over languages"
    return _finished(figure, run, said, title=title, n_rows=rows(data), region=region)


def probe_selectivity(
    run: Run, *, task: str | None = None, region: Sequence[int] = ()
) -> go.Figure:
    """Accuracy beyond that of the control task, and beyond that of the embedding, by layer.

    Parameters
    ----------
    run
        A run with the analysis ``probes``.
    task
        By default all, one panel each.
    region
        Blocks to mark.

    Raises
    ------
    InputError
        The run has no such task.
    """
    title = "What is the probe's own doing?"
    data = group(run, GROUP)
    if data is None:
        return absent(title, "no task over texts or words was probed")
    data = tasks_of(data, task)
    figure = panels(data, task_names(data))
    for at in range(data.sizes["task"]):
        part = data.isel(task=at)
        for variable, name, colour in (
            ("selectivity_mean", "beyond the control task", ORANGE),
            ("above_embedding_mean", "beyond the embedding", GREEN),
        ):
            curve(figure, part, variable, name=name, colour=colour, at=at)
        level(figure, part, 0.0, name="nothing gained", at=at)
    figure.update_yaxes(title="difference of accuracies")
    said = (
        "control task: random labels, one for each text or word type (Hewitt & Liang 2019) · mean "
        f"over languages · {how(data)}"
    )
    return _finished(figure, run, said, title=title, n_rows=rows(data), region=region)


def language_identity(run: Run, *, region: Sequence[int] = ()) -> go.Figure:
    """Language identity by layer: accuracy, bits of its code, directions that carry it.

    Parameters
    ----------
    run
        A run whose probes read ``language``.
    region
        Blocks to mark.
    """
    title = "How strongly language is written"
    data = group(run, LANGUAGE_GROUP)
    if data is None:
        return absent(title, "put language among the tasks of the option probes.tasks")
    titles = ["held-out accuracy"]
    uniform = f"{float(data.attrs['mdl_uniform']):,.0f}"
    titles += [f"bits of the online code (uniform code: {uniform})"] if "mdl" in data else []
    titles += ["directions removed until a probe fails"] if "inlp_directions" in data else []
    figure = panels(data, titles, columns=1)
    curve(figure, data, "accuracy", name="accuracy", colour=BLUE, at=0, columns=1)
    if "leace_accuracy" in data:
        name = "accuracy after LEACE"
        curve(figure, data, "leace_accuracy", name=name, colour=ORANGE, at=0, columns=1)
    level(figure, data, data.attrs["chance"], name="chance", at=0, columns=1)
    if "mdl" in data:
        curve(figure, data, "mdl", name="bits", colour=GREEN, at=1, columns=1)
    if "inlp_directions" in data:
        at = len(titles) - 1
        steps = data["inlp_directions"].to_numpy().astype(float)
        curve(figure, data, steps, name="INLP directions", colour=PURPLE, at=at, columns=1)
        _mark_unfinished(figure, data, at=at)
        level(figure, data, _rank(data), name="LEACE rank", at=at, columns=1)
    figure.update_yaxes(rangemode="tozero")
    n = int(data.attrs["n_texts"])
    said = f"{n} texts · folds by unit · LEACE and INLP judged on units they did not see"
    return _finished(figure, run, said, title=title, n_rows=len(titles), region=region)


def _finished(
    figure: go.Figure, run: Run, said: str, *, title: str, n_rows: int, region: Sequence[int]
) -> go.Figure:
    return finish(figure, title=title, caption=about(run, said), n_rows=n_rows, region=region)


def _rank(data: xr.Dataset) -> np.ndarray:
    found: np.ndarray = data["leace_rank"].to_numpy().astype(float)
    return found


def _frequencies(figure: go.Figure, part: xr.Dataset, value: float, *, at: int) -> None:
    """The code that sees no vectors, told apart from the uniform one by its colour."""
    before, name = len(figure.data), "from class frequencies alone"
    layers = [int(layer) for layer in part["layer"].to_numpy()]
    values = np.full(len(layers), value)
    place = cell(at, 2)
    add_curve(figure, layers, values, name=name, colour=ORANGE, dash="dash", cell=place)
    share_legend(figure, before, name, first=at == 0)


def _mark_unfinished(figure: go.Figure, data: xr.Dataset, *, at: int) -> None:
    """Crosses where the removal ended before chance was reached: there, more are needed."""
    import plotly.graph_objects as go

    stopped = ~data["inlp_at_chance"].to_numpy().astype(bool)
    if not stopped.any():
        return
    figure.add_trace(
        go.Scatter(
            x=data["layer"].to_numpy()[stopped],
            y=data["inlp_directions"].to_numpy()[stopped],
            mode="markers",
            name="not yet at chance",
            marker={"symbol": "x", "size": 9, "color": GREY},
            hovertemplate="at least %{y}",
        ),
        row=at + 1,
        col=1,
    )


FIGURES: dict[str, Callable[..., go.Figure]] = {
    "probe_accuracy": probe_accuracy,
    "probe_selectivity": probe_selectivity,
    "probe_languages": probe_languages,
    "probe_transfer": probe_transfer,
    "probe_codes": probe_codes,
    "transfer_pairs": transfer_pairs,
    "probe_confusion": probe_confusion,
    "language_identity": language_identity,
    "language_recall": language_recall,
    "language_confusion": language_confusion,
}
