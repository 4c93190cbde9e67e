"""Figures of alignment: retrieval and agreement by layer, all pairs at one layer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from probekit.errors import InputError, RunError
from probekit.figures.lines import add_curve, add_level
from probekit.figures.scales import null_scale
from probekit.figures.text import model_of, plain_labels, sentence
from probekit.figures.theme import BLUE, GREEN, ORANGE, PURPLE, VERMILION, layer_axis, style

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import plotly.graph_objects as go
    import xarray as xr

    from probekit.runs import Run

#: Rates that can be shown by pair, with their names.
PAIR_TABLES = {
    "p_at_1": "P@1",
    "csls": "CSLS",
    "mexa": "MEXA",
    "mutual_knn": "mutual kNN",
    "centred_cosine": "centred cosine",
    "anc": "ANC",
    "procrustes": "Procrustes disparity",
}


def retrieval_by_layer(run: Run, *, region: Sequence[int] = ()) -> go.Figure:
    """P@1, CSLS and MEXA by layer, and mutual nearest neighbours, with intervals and chance.

    Parameters
    ----------
    run
        A run with the analysis ``alignment``.
    region
        Blocks to mark.

    Raises
    ------
    RunError
        No alignment in the run, or an older one without these measures.
    """
    data = held(run, "alignment", "csls_mean", "mutual_knn_mean")
    k = int(data.attrs["neighbours"])
    figure, layers = panels(data, ("translation found (mean over pairs)", "neighbours shared"))
    for name, colour in (("p_at_1", PURPLE), ("csls", BLUE), ("mexa", ORANGE)):
        curve(figure, data, f"{name}_mean", name=PAIR_TABLES[name], colour=colour, row=1)
    level(figure, layers, data.attrs["p_at_1_chance"], name="chance (1/n)", row=1)
    level(figure, layers, data.attrs["mexa_chance"], name="chance (MEXA, 1/(2n−1))", row=1)
    curve(figure, data, "mutual_knn_mean", name=f"mutual kNN (k = {k})", colour=GREEN, row=2)
    level(figure, layers, data.attrs["mutual_knn_chance"], name="chance (k/(n−1))", row=2)
    said = f"cosine of pooled vectors · CSLS and mutual kNN with k = {k} · ties are misses"
    title = "Do translations find each other?"
    return by_layer(figure, title=title, caption=about(run, said), region=region)


def agreement_by_layer(run: Run, *, region: Sequence[int] = ()) -> go.Figure:
    """Centred cosine and ANC by layer against 0, and Procrustes disparity against its chance.

    Raises
    ------
    RunError
        As `retrieval_by_layer`.
    """
    data = held(run, "alignment", "anc_mean", "procrustes_mean")
    titles = ("agreement of translations (mean over pairs)", "shape left over by a rotation")
    figure, layers = panels(data, titles)
    for name, colour in (("centred_cosine", VERMILION), ("anc", BLUE)):
        curve(figure, data, f"{name}_mean", name=PAIR_TABLES[name], colour=colour, row=1)
    level(figure, layers, 0.0, name="chance (0)", row=1)
    curve(figure, data, "procrustes_mean", name=PAIR_TABLES["procrustes"], colour=PURPLE, row=2)
    level(figure, layers, data["procrustes_chance"].to_numpy(), name="units permuted", row=2)
    said = (
        "centred cosine: translations minus other units · ANC: mean correlation per dimension"
        f"<br>Procrustes on {int(data.attrs['procrustes_units'])} units; lower is more alike"
    )
    title = "Do translations say the same?"
    return by_layer(figure, title=title, caption=about(run, said), region=region)


def alignment_pairs(run: Run, *, layer: int | None = None, measure: str = "p_at_1") -> go.Figure:
    """One measure of every pair of languages at one layer, from the row's language to the column's.

    Parameters
    ----------
    run
        A run with the analysis ``alignment``.
    layer
        −1 is the embedding; by default the layer where retrieval is best.
    measure
        One of ``PAIR_TABLES``.

    Raises
    ------
    InputError
        No such layer or measure.
    RunError
        As `retrieval_by_layer`.
    """
    import plotly.graph_objects as go

    if measure not in PAIR_TABLES:
        msg = f"measure must be one of {', '.join(PAIR_TABLES)}. Got {measure!r} instead."
        raise InputError(msg)
    data = held(run, "alignment", measure)
    best = int(data["layer"][int(data["p_at_1_mean"].to_numpy().argmax())])
    layer = chosen_layer(data, best if layer is None else layer)
    table = data[measure].sel(layer=layer).to_numpy()
    off = ~np.eye(len(table), dtype=bool)
    chance = _chance(data, measure, layer=layer)
    less = measure == "procrustes"
    shown = table[off]
    scale = null_scale(float(shown.min()), float(shown.max()), null=chance, less_is_more=less)
    figure = go.Figure(_heatmap(run, table, name=PAIR_TABLES[measure], scale=scale))
    figure.update_xaxes(constrain="domain", showgrid=False)
    figure.update_yaxes(autorange="reversed", scaleanchor="x", constrain="domain", showgrid=False)
    said = f"mean over pairs {table[off].mean():.3f} · lightest colour: chance ({chance:.3f})"
    title = f"{PAIR_TABLES[measure]} at {layer_name(layer)}, from row to column"
    figure = style(figure, title=title, caption=about(run, said, interval=False), height=560)
    figure.update_layout(hovermode="closest")
    return figure


def _heatmap(run: Run, table: np.ndarray, *, name: str, scale: dict[str, Any]) -> go.Heatmap:
    """Draw all pairs but those of a language with itself, which would stretch the scale."""
    import plotly.graph_objects as go

    shown = [
        [None if a == b else value for b, value in enumerate(row)]
        for a, row in enumerate(table.tolist())
    ]
    codes = plain_labels(run.languages)
    return go.Heatmap(
        z=shown,
        x=codes,
        y=codes,
        colorbar={"title": name},
        hovertemplate=f"%{{y}} → %{{x}}: %{{z:.3f}}, n = {units_of(run)}<extra></extra>",
        **scale,
    )


def _chance(data: xr.Dataset, measure: str, *, layer: int) -> float:
    """Find a chance level: one for all layers, or the layer's own."""
    name = f"{measure}_chance"
    return float(data.attrs[name] if name in data.attrs else data[name].sel(layer=layer))


def held(run: Run, group: str, *variables: str) -> xr.Dataset:
    """Find a group that has these variables.

    Raises
    ------
    RunError
        It lacks one: the run was made by an older probekit.
    """
    data = run.group(group)
    for name in variables:
        if name not in data:
            msg = (
                f"run {run.folder.name!r} has no {group}/{name}: an older probekit made it. Run "
                "its study again into a new folder."
            )
            raise RunError(msg)
    return data


def panels(data: xr.Dataset, titles: Sequence[str]) -> tuple[go.Figure, list[int]]:
    """Panels over one layer axis, one below the other, and the layers."""
    from plotly.subplots import make_subplots

    figure = make_subplots(
        rows=len(titles), cols=1, shared_xaxes=True, vertical_spacing=0.1, subplot_titles=titles
    )
    layers = [int(layer) for layer in data["layer"].to_numpy()]
    axis = layer_axis(layers)
    figure.update_xaxes({name: value for name, value in axis.items() if name != "title"})
    figure.update_xaxes(title=axis["title"], row=len(titles), col=1)
    figure.update_annotations(font_size=13, x=0, xanchor="left")
    figure.update_yaxes(rangemode="tozero")
    return figure, layers


def by_layer(
    figure: go.Figure, *, title: str, caption: str, region: Sequence[int] = ()
) -> go.Figure:
    """Style panels, with the legend above their titles."""
    figure = style(figure, title=title, caption=caption, height=680, region=region)
    figure.update_layout(margin={"t": 112}, legend={"y": 1.05}, title={"y": 0.97, "yanchor": "top"})
    return figure


def curve(
    figure: go.Figure, data: xr.Dataset, variable: str, *, name: str, colour: str, row: int
) -> None:
    """Draw a variable by layer with the interval beside it in the file."""
    add_curve(
        figure,
        [int(layer) for layer in data["layer"].to_numpy()],
        data[variable].to_numpy(),
        name=name,
        colour=colour,
        interval=(data[f"{variable}_low"].to_numpy(), data[f"{variable}_high"].to_numpy()),
        n=int(data.attrs["n_units"]),
        cell={"row": row, "col": 1},
    )


def level(
    figure: go.Figure, layers: Sequence[int], value: float | np.ndarray, *, name: str, row: int
) -> None:
    """Draw a chance level, one for all layers or one each."""
    values = np.broadcast_to(np.asarray(value, dtype=float), (len(layers),))
    add_level(figure, layers, values, name=name, cell={"row": row, "col": 1})


def chosen_layer(data: xr.Dataset, layer: int) -> int:
    """``layer``, where the data has it.

    Raises
    ------
    InputError
        It has not.
    """
    known = [int(value) for value in data["layer"].to_numpy()]
    if layer not in known:
        msg = f"layer must be between {known[0]} and {known[-1]}. Got {layer} instead."
        raise InputError(msg)
    return layer


def layer_name(layer: int) -> str:
    """Name a layer in a title."""
    return "the embedding" if layer < 0 else f"block {layer}"


def units_of(run: Run) -> int:
    """Units of the run's corpus."""
    return int(run.manifest.corpus["n_units"])


def about(run: Run, said: str, *, interval: bool = True) -> str:
    """What made the numbers, then what there is to know about them."""
    corpus, how = run.manifest.corpus, run.manifest.estimators
    after = how.get("after", "none")
    return (
        f"{model_of(run)} · {corpus['n_units']} units × "
        f"{len(corpus['languages'])} languages · {sentence(how['pooling'])} over content tokens"
        + (f" · after {sentence(after)}" if after != "none" else "")
        + (f" · interval: {how['bootstrap']} bootstrap resamples of units" if interval else "")
        + f"<br>{said}"
    )


FIGURES: dict[str, Callable[..., go.Figure]] = {
    "retrieval": retrieval_by_layer,
    "agreement": agreement_by_layer,
    "alignment_pairs": alignment_pairs,
}
