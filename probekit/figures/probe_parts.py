"""What figures of probes share: panels over one layer axis, curves, levels, the chosen task.

A part of the analysis that a run left out makes a figure that says so, instead of failing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from probekit.errors import InputError
from probekit.figures.lines import add_curve, add_level
from probekit.figures.text import plain
from probekit.figures.theme import layer_axis, style

if TYPE_CHECKING:
    from collections.abc import Sequence

    import plotly.graph_objects as go
    import xarray as xr

    from probekit.runs import Run

GROUP, LANGUAGE_GROUP = "probes", "language_id"
PANEL_HEIGHT = 230


def group(run: Run, name: str) -> xr.Dataset | None:
    """A group of results, None where the run lacks it."""
    return run.group(name) if name in run.results.children else None


def absent(title: str, why: str) -> go.Figure:
    """An empty figure that says what the run lacks."""
    import plotly.graph_objects as go

    figure = style(go.Figure(), title=title, caption=f"not in this run: {why}", height=160)
    figure.update_xaxes(visible=False)
    figure.update_yaxes(visible=False)
    return figure


def how(data: xr.Dataset) -> str:
    """How the probes were fitted, for a caption."""
    return (
        f"{int(data.attrs['folds'])} folds of units · L2 logistic regression, penalty chosen on "
        "inner folds"
    )


def rows(data: xr.Dataset) -> int:
    """Rows of panels: two tasks in each, one panel alone."""
    return -(-int(data.sizes["task"]) // 2)


def panels(data: xr.Dataset, titles: Sequence[str], *, columns: int = 2) -> go.Figure:
    """Panels of equal size over one layer axis; one panel takes the whole width."""
    from plotly.subplots import make_subplots

    columns = min(columns, len(titles))
    n_rows = -(-len(titles) // columns)
    figure = make_subplots(
        rows=n_rows,
        cols=columns,
        shared_xaxes=True,
        vertical_spacing=0.22 / max(1, n_rows),
        horizontal_spacing=0.07,
        subplot_titles=[plain(title.replace("_", " "), longest=60) for title in titles],
    )
    axis = layer_axis([int(layer) for layer in data["layer"].to_numpy()])
    figure.update_xaxes({name: value for name, value in axis.items() if name != "title"})
    for column in range(columns):
        last = [at for at in range(len(titles)) if at % columns == column][-1:]
        for at in last:
            place = {"row": at // columns + 1, "col": column + 1}
            figure.update_xaxes(title=axis["title"], showticklabels=True, **place)
    left = {"x": 0, "xanchor": "left"} if columns == 1 else {}
    figure.update_annotations(font_size=13, **left)
    return figure


def curve(
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
        [int(layer) for layer in part["layer"].to_numpy()],
        part[variable].to_numpy() if isinstance(variable, str) else variable,
        name=name,
        colour=colour,
        interval=band,
        n=int(part.attrs["n_units"]),
        cell=cell(at, columns),
    )
    share_legend(figure, before, name, first=at == 0 or columns == 1)


def level(
    figure: go.Figure,
    part: xr.Dataset,
    value: float | np.ndarray,
    *,
    name: str,
    at: int,
    columns: int = 2,
) -> None:
    """A level in panel ``at``; one entry of the legend for all panels."""
    before = len(figure.data)
    layers = [int(layer) for layer in part["layer"].to_numpy()]
    values = np.broadcast_to(np.asarray(value, dtype=float), (len(layers),))
    add_level(figure, layers, values, name=name, cell=cell(at, columns))
    share_legend(figure, before, name, first=at == 0 or columns == 1)


def cell(at: int, columns: int) -> dict[str, int]:
    """Row and column of panel ``at``."""
    return {"row": at // columns + 1, "col": at % columns + 1}


def share_legend(figure: go.Figure, before: int, name: str, *, first: bool) -> None:
    """Let the traces since ``before`` share one entry of the legend."""
    for trace in figure.data[before:]:
        trace.legendgroup = name
        if not first:
            trace.showlegend = False


def finish(
    figure: go.Figure, *, title: str, caption: str, n_rows: int, region: Sequence[int] = ()
) -> go.Figure:
    """Style panels, with the legend above their titles."""
    height = PANEL_HEIGHT * n_rows + 190
    figure = style(figure, title=title, caption=caption, height=height, region=region)
    figure.update_layout(
        margin={"t": 116},
        legend={"y": 1.0 + 46 / (PANEL_HEIGHT * n_rows), "x": 0, "xanchor": "left"},
        title={"y": 1 - 22 / figure.layout.height, "yanchor": "top"},
    )
    return figure


def tasks_of(data: xr.Dataset, task: str | None) -> xr.Dataset:
    """The data of one task, still with the axis ``task``; of all where none is named.

    Raises
    ------
    InputError
        It has no such task.
    """
    return data if task is None else data.isel(task=[task_place(data, task)])


def task_place(data: xr.Dataset, task: str) -> int:
    """Where a task stands.

    Raises
    ------
    InputError
        There is no such task.
    """
    names = [str(name) for name in data["task"].to_numpy()]
    if task not in names:
        msg = f"task must be one of {', '.join(names)}. Got {task!r} instead."
        raise InputError(msg)
    return names.index(task)


def task_names(data: xr.Dataset) -> list[str]:
    """Names of the tasks, in order."""
    return [str(name) for name in data["task"].to_numpy()]
