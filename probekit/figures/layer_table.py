"""Layers with layers: which of one language look like which of another."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from probekit.errors import InputError
from probekit.figures.alignment import about, chosen_layer, held
from probekit.figures.cells import interval
from probekit.figures.meet_measures import chosen_languages
from probekit.figures.scales import null_scale
from probekit.figures.text import plain
from probekit.figures.theme import GREY, INK, layer_axis, style

if TYPE_CHECKING:
    from collections.abc import Sequence

    import plotly.graph_objects as go
    import xarray as xr

    from probekit.runs import Run

#: Tables of more cells than this say no interval on hover.
MOST_TEXTS = 4096
_BETWEEN = {
    "across": "mean over pairs of different languages",
    "within": "mean over languages, each with itself; its diagonal, 1, is left out",
}


def layers_by_layers(
    run: Run, *, languages: Sequence[str] = (), kind: str = "across", layer: int | None = None
) -> go.Figure:
    """Debiased CKA of layers with layers: rows of one language, columns of another.

    Parameters
    ----------
    run
        A finished run.
    languages
        Two of them: the first's layers against the second's. Otherwise the mean over pairs.
    kind
        ``across``: different languages; ``within``: a language with itself, mean over languages.
    layer
        A layer to mark.

    Raises
    ------
    InputError
        No such kind, layer or language.
    RunError
        An older probekit made the run.
    """
    import plotly.graph_objects as go

    if kind not in {"across", "within"}:
        msg = f"kind must be across or within. Got {kind!r} instead."
        raise InputError(msg)
    data = held(run, "cka_layers", "across", "within")
    chosen = chosen_languages(run, languages)
    pair = kind == "across" and len(chosen) == 2 and "pairs" in data
    tables = _pair_tables(data, chosen) if pair else _mean_tables(data, kind)
    layers = [int(each) for each in data["layer"].to_numpy()]
    read = int(data.attrs["n_units"])
    rows, columns = (
        map(plain, chosen) if pair else ("a language", "another" if kind == "across" else "itself")
    )
    traces = (
        _between(layers, tables, blank=kind == "within", units=read),
        _nearest(layers, tables["value"], blank=kind == "within"),
    )
    figure = go.Figure(traces, layout=_axes(layers, rows=rows, columns=columns))
    if layer is not None:
        figure.layout.shapes = _mark(chosen_layer(data, layer))
    between = f"{rows} and {columns}" if pair else _BETWEEN[kind]
    said = f"{between} · dots: the most alike layer of each row · {read} units read · unrelated: 0"
    title = "Which layers look like which"
    return style(figure, title=title, caption=about(run, said), height=560, hover="closest")


def _axes(layers: list[int], *, rows: str, columns: str) -> dict[str, Any]:
    """A square of layers, the embedding at the upper left."""
    ticks = layer_axis(layers) | {"constrain": "domain", "showgrid": False}
    down = {"range": ticks["range"][::-1], "title": f"layer of {rows}", "scaleanchor": "x"}
    return {"xaxis": ticks | {"title": f"layer of {columns}"}, "yaxis": ticks | down}


def _mean_tables(data: xr.Dataset, kind: str) -> dict[str, np.ndarray]:
    """Value and interval, and the null where there is one, by layer and layer."""
    names = {"value": kind, "low": f"{kind}_low", "high": f"{kind}_high"}
    names |= {"null": "across_null95"} if kind == "across" else {}
    return {name: data[variable].to_numpy() for name, variable in names.items()}


def _pair_tables(data: xr.Dataset, pair: tuple[str, ...]) -> dict[str, np.ndarray]:
    """Value and interval of two languages: the first's layers in rows."""
    at = {"language": pair[0], "language_b": pair[1]}
    names = {"value": "pairs", "low": "pairs_low", "high": "pairs_high"}
    return {name: data[variable].sel(at).to_numpy() for name, variable in names.items()}


def _between(
    layers: list[int], tables: dict[str, np.ndarray], *, blank: bool, units: int
) -> go.Heatmap:
    """The table; without its diagonal where that is 1 by definition."""
    import plotly.graph_objects as go

    table, n = tables["value"], len(layers)
    shown = ~np.eye(n, dtype=bool) if blank else np.ones((n, n), dtype=bool)
    texts = _texts(layers, tables, n=units) if n**2 <= MOST_TEXTS else None
    short = f"layer %{{y}} with layer %{{x}}: %{{z:.3f}}, n = {units}<extra></extra>"
    return go.Heatmap(
        z=[
            [float(v) if shown[a, b] else None for b, v in enumerate(row)]
            for a, row in enumerate(table)
        ],
        x=layers,
        y=layers,
        text=texts,
        meta=interval(tables["low"], tables["high"]),
        hovertemplate="%{text}<extra></extra>" if texts else short,
        colorbar={"title": {"text": "debiased CKA", "side": "right"}},
        **null_scale(float(table[shown].min()), float(table[shown].max()), null=0.0),
    )


def _texts(layers: list[int], tables: dict[str, np.ndarray], *, n: int) -> list[list[str]]:
    def text(a: int, b: int) -> str:
        value, low, high = (tables[name][a, b] for name in ("value", "low", "high"))
        null = f", null (95 %) {tables['null'][a, b]:.3f}" if "null" in tables else ""
        where = f"layer {layers[a]} with layer {layers[b]}"
        return f"{where}: {value:.3f} [{low:.3f}, {high:.3f}], n = {n}{null}"

    return [[text(a, b) for b in range(len(layers))] for a in range(len(layers))]


def _nearest(layers: list[int], table: np.ndarray, *, blank: bool) -> go.Scatter:
    """A dot in each row at the column that is most alike."""
    import plotly.graph_objects as go

    table = np.where(np.eye(len(layers), dtype=bool), -np.inf, table) if blank else table
    return go.Scatter(
        x=[layers[at] for at in table.argmax(axis=1)],
        y=layers,
        mode="markers",
        name="most alike",
        marker={"size": 7, "color": "#ffffff", "line": {"color": INK, "width": 1.5}},
        showlegend=False,
        hoverinfo="skip",
    )


def _mark(layer: int) -> list[dict[str, Any]]:
    """The chosen layer as a line through its row and its column."""
    line = {"type": "line", "line": {"color": GREY, "width": 1, "dash": "dot"}}
    across = {"xref": "x domain", "x0": 0, "x1": 1, "y0": layer, "y1": layer}
    down = {"yref": "y domain", "y0": 0, "y1": 1, "x0": layer, "x1": layer}
    return [line | across, line | down]
