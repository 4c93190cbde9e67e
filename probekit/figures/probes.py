"""Figures of probes: accuracy, transfer and code length by layer; transfer between all languages.

A figure whose part of the analysis a run left out says so instead of failing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from probekit.errors import InputError
from probekit.figures.alignment import about, chosen_layer, layer_name
from probekit.figures.lines import add_curve, add_level
from probekit.figures.theme import BLUE, GREEN, GREY, ORANGE, PURPLE, VERMILION, layer_axis, style

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import plotly.graph_objects as go
    import xarray as xr

    from probekit.runs import Run

GROUP, LANGUAGE_GROUP = "probes", "language_id"
PANEL_HEIGHT = 230


def probe_accuracy(run: Run) -> go.Figure:
    """Held-out accuracy of every task by layer, beside majority, shuffled labels and control.

    Parameters
    ----------
    run
        A run with the analysis ``probes``.
    """
    data = _group(run, GROUP)
    if data is None:
        return _absent("What a linear probe can read", "no task over texts or words was probed")
    figure = _panels(data, data["task"].to_numpy().tolist())
    for at in range(data.sizes["task"]):
        part = data.isel(task=at)
        _curve(figure, part, "accuracy_mean", name="accuracy", colour=BLUE, at=at)
        _curve(figure, part, "control_mean", name="control task", colour=ORANGE, at=at)
        _curve(figure, part, "shuffled_mean", name="shuffled labels", colour=PURPLE, at=at)
        _level(figure, part, float(part["majority_mean"]), name="commonest class", at=at)
    figure.update_yaxes(range=[0, 1.02])
    said = f"mean over languages · {_how(data)}"
    return _finish(
        figure, title="What a linear probe can read", caption=about(run, said), n_rows=_rows(data)
    )


def probe_transfer(run: Run) -> go.Figure:
    """Accuracy in another language than the probe was trained in, raw and centred, by layer."""
    title = "Does a probe work in another language?"
    data = _group(run, GROUP)
    if data is None or "transfer_mean" not in data:
        return _absent(title, "no task over texts or words in two languages was probed")
    figure = _panels(data, data["task"].to_numpy().tolist())
    for at in range(data.sizes["task"]):
        part = data.isel(task=at)
        _curve(figure, part, "accuracy_mean", name="same language", colour=BLUE, at=at)
        _curve(figure, part, "transfer_mean", name="other languages", colour=VERMILION, at=at)
        _curve(
            figure,
            part,
            "transfer_centred_mean",
            name="other languages, each centred",
            colour=GREEN,
            at=at,
        )
        if "transfer_groups_mean" in part:
            name = f"{_list(data.attrs['sources'])} → {_list(data.attrs['targets'])}"
            _curve(figure, part, "transfer_groups_mean", name=name, colour=PURPLE, at=at)
        _level(figure, part, float(part["majority_mean"]), name="commonest class", at=at)
    figure.update_yaxes(range=[0, 1.02])
    said = f"mean over pairs of languages · {_how(data)}"
    return _finish(figure, title=title, caption=about(run, said), n_rows=_rows(data))


def probe_codes(run: Run) -> go.Figure:
    """How many times shorter the labels' online code is than the uniform one, by layer."""
    title = "How cheaply labels are told"
    data = _group(run, GROUP)
    if data is None or "compression_mean" not in data:
        return _absent(title, "set the option probes.mdl to true")
    figure = _panels(data, data["task"].to_numpy().tolist())
    for at in range(data.sizes["task"]):
        part = data.isel(task=at)
        _curve(figure, part, "compression_mean", name="compression", colour=BLUE, at=at)
        known = float(part["compression_frequency"].mean())
        _frequencies(figure, part, known, at=at)
        _level(figure, part, 1.0, name="uniform code", at=at)
    figure.update_yaxes(rangemode="tozero")
    said = "uniform code / online code (Voita & Titov 2020), mean over languages"
    return _finish(figure, title=title, caption=about(run, said), n_rows=_rows(data))


def language_identity(run: Run) -> go.Figure:
    """Language identity by layer: accuracy, bits of its code, directions that carry it."""
    title = "How strongly language is written"
    data = _group(run, LANGUAGE_GROUP)
    if data is None:
        return _absent(title, "put language among the tasks of the option probes.tasks")
    titles = ["held-out accuracy"]
    uniform = f"{float(data.attrs['mdl_uniform']):,.0f}"
    titles += [f"bits of the online code (uniform code: {uniform})"] if "mdl" in data else []
    titles += ["directions removed until a probe fails"] if "inlp_directions" in data else []
    figure = _panels(data, titles, columns=1)
    _curve(figure, data, "accuracy", name="accuracy", colour=BLUE, at=0, columns=1)
    if "leace_accuracy" in data:
        name = "accuracy after LEACE"
        _curve(figure, data, "leace_accuracy", name=name, colour=ORANGE, at=0, columns=1)
    _level(figure, data, data.attrs["chance"], name="chance", at=0, columns=1)
    if "mdl" in data:
        _curve(figure, data, "mdl", name="bits", colour=GREEN, at=1, columns=1)
    if "inlp_directions" in data:
        at = len(titles) - 1
        steps = data["inlp_directions"].to_numpy().astype(float)
        _curve(figure, data, steps, name="INLP directions", colour=PURPLE, at=at, columns=1)
        _mark_unfinished(figure, data, at=at)
        _level(figure, data, _rank(data), name="LEACE rank", at=at, columns=1)
    figure.update_yaxes(rangemode="tozero")
    n = int(data.attrs["n_texts"])
    said = f"{n} texts · folds by unit · LEACE and INLP judged on units they did not see"
    return _finish(figure, title=title, caption=about(run, said), n_rows=len(titles))


def transfer_pairs(run: Run, *, task: str | None = None, layer: int | None = None) -> go.Figure:
    """Accuracy of a task between all pairs of languages at one layer, from row to column.

    Parameters
    ----------
    run
        A run with the analysis ``probes``.
    task
        By default the first.
    layer
        −1 is the embedding; by default the layer where transfer is best.

    Raises
    ------
    InputError
        The run has no such task or layer.
    """
    data = _group(run, GROUP)
    if data is None:
        return _absent("Transfer between languages", "no task over texts or words was probed")
    names = data["task"].to_numpy().tolist()
    name = names[0] if task is None else task
    if name not in names:
        msg = f"task must be one of {', '.join(names)}. Got {task!r} instead."
        raise InputError(msg)
    part = data.isel(task=names.index(name))
    if layer is None:
        shown = part["transfer_mean"] if "transfer_mean" in part else part["accuracy_mean"]
        layer = int(data["layer"][int(shown.to_numpy().argmax())])
    part = part.sel(layer=chosen_layer(data, layer))
    figure = _transfer_heat(part, list(run.languages))
    said = f"commonest class {float(part['majority_mean']):.3f} · {_how(data)}"
    title = f"Probes of {name} at {layer_name(layer)}"
    figure = style(figure, title=title, caption=about(run, said), height=600)
    figure.update_layout(hovermode="closest")
    return figure


def _transfer_heat(part: xr.Dataset, codes: list[str]) -> go.Figure:
    """One task at one layer, from the language trained in to the one tested in."""
    import plotly.graph_objects as go

    table = part["transfer"].to_numpy()
    low, high = part["transfer_low"].to_numpy(), part["transfer_high"].to_numpy()
    centred, counts = part["transfer_centred"].to_numpy(), part["n_items"].to_numpy()
    text = [
        [
            f"{a} → {b}: {table[i, j]:.3f} [{low[i, j]:.3f}, {high[i, j]:.3f}], "
            f"n = {counts[j]}<br>centred: {centred[i, j]:.3f}"
            for j, b in enumerate(codes)
        ]
        for i, a in enumerate(codes)
    ]
    bar = {"title": "accuracy"}
    heat = go.Heatmap(
        z=table, x=codes, y=codes, text=text, colorscale="Viridis", zmax=1.0, colorbar=bar
    )
    heat.hovertemplate = "%{text}<extra></extra>"
    figure = go.Figure(heat)
    figure.update_xaxes(constrain="domain", showgrid=False, title="tested in")
    figure.update_yaxes(autorange="reversed", scaleanchor="x", constrain="domain", showgrid=False)
    figure.update_yaxes(title="trained in")
    return figure


def _group(run: Run, name: str) -> xr.Dataset | None:
    return run.group(name) if name in run.results.children else None


def _absent(title: str, why: str) -> go.Figure:
    """An empty figure that says what the run lacks."""
    import plotly.graph_objects as go

    figure = style(go.Figure(), title=title, caption=f"not in this run: {why}", height=160)
    figure.update_xaxes(visible=False)
    figure.update_yaxes(visible=False)
    return figure


def _how(data: xr.Dataset) -> str:
    return (
        f"{int(data.attrs['folds'])} folds of units · L2 logistic regression, penalty chosen on "
        "inner folds"
    )


def _rows(data: xr.Dataset) -> int:
    return -(-int(data.sizes["task"]) // 2)


def _list(codes: str | Sequence[str]) -> str:
    return codes if isinstance(codes, str) else ", ".join(codes)


def _rank(data: xr.Dataset) -> np.ndarray:
    found: np.ndarray = data["leace_rank"].to_numpy().astype(float)
    return found


def _panels(data: xr.Dataset, titles: Sequence[str], *, columns: int = 2) -> go.Figure:
    """Panels of equal size over one layer axis."""
    from plotly.subplots import make_subplots

    n_rows = -(-len(titles) // columns)
    figure = make_subplots(
        rows=n_rows,
        cols=columns,
        shared_xaxes=True,
        vertical_spacing=0.22 / max(1, n_rows),
        horizontal_spacing=0.07,
        subplot_titles=[title.replace("_", " ") for title in titles],
    )
    axis = layer_axis([int(layer) for layer in data["layer"]])
    figure.update_xaxes({name: value for name, value in axis.items() if name != "title"})
    for column in range(columns):
        last = [at for at in range(len(titles)) if at % columns == column][-1:]
        for at in last:
            place = {"row": at // columns + 1, "col": column + 1}
            figure.update_xaxes(title=axis["title"], showticklabels=True, **place)
    figure.update_annotations(font_size=13)
    return figure


def _curve(
    figure: go.Figure,
    part: xr.Dataset,
    variable: str | np.ndarray,
    *,
    name: str,
    colour: str,
    at: int,
    columns: int = 2,
) -> None:
    """A variable with its interval in panel ``at``; one entry of the legend for all panels."""
    before = len(figure.data)
    band = None
    if isinstance(variable, str):
        band = (part[f"{variable}_low"].to_numpy(), part[f"{variable}_high"].to_numpy())
    add_curve(
        figure,
        [int(layer) for layer in part["layer"]],
        part[variable].to_numpy() if isinstance(variable, str) else variable,
        name=name,
        colour=colour,
        interval=band,
        n=int(part.attrs["n_units"]),
        cell=_cell(at, columns),
    )
    _share_legend(figure, before, name, first=at == 0 or columns == 1)


def _level(
    figure: go.Figure,
    part: xr.Dataset,
    value: float | np.ndarray,
    *,
    name: str,
    at: int,
    columns: int = 2,
) -> None:
    before = len(figure.data)
    layers = [int(layer) for layer in part["layer"]]
    values = np.broadcast_to(np.asarray(value, dtype=float), (len(layers),))
    add_level(figure, layers, values, name=name, cell=_cell(at, columns))
    _share_legend(figure, before, name, first=at == 0 or columns == 1)


def _frequencies(figure: go.Figure, part: xr.Dataset, value: float, *, at: int) -> None:
    """The code that sees no vectors, told apart from the uniform one by its colour."""
    before, name = len(figure.data), "from class frequencies alone"
    layers = [int(layer) for layer in part["layer"]]
    values = np.full(len(layers), value)
    cell = _cell(at, 2)
    add_curve(figure, layers, values, name=name, colour=ORANGE, dash="dash", cell=cell)
    _share_legend(figure, before, name, first=at == 0)


def _cell(at: int, columns: int) -> dict[str, int]:
    return {"row": at // columns + 1, "col": at % columns + 1}


def _share_legend(figure: go.Figure, before: int, name: str, *, first: bool) -> None:
    for trace in figure.data[before:]:
        trace.legendgroup = name
        if not first:
            trace.showlegend = False


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


def _finish(figure: go.Figure, *, title: str, caption: str, n_rows: int) -> go.Figure:
    """Style panels, with the legend above their titles."""
    figure = style(figure, title=title, caption=caption, height=PANEL_HEIGHT * n_rows + 190)
    figure.update_layout(
        margin={"t": 116, "b": 104},
        legend={"y": 1.0 + 46 / (PANEL_HEIGHT * n_rows), "x": 0, "xanchor": "left"},
        title={"y": 1 - 22 / (PANEL_HEIGHT * n_rows + 190), "yanchor": "top"},
    )
    return figure


FIGURES: dict[str, Callable[[Run], go.Figure]] = {
    "probe_accuracy": probe_accuracy,
    "probe_transfer": probe_transfer,
    "probe_codes": probe_codes,
    "transfer_pairs": transfer_pairs,
    "language_identity": language_identity,
}
