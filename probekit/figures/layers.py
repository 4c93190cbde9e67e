"""The overview: every by-layer measure that a run has, as panels under one layer axis."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from probekit.errors import RunError
from probekit.figures.alignment import units_of
from probekit.figures.cka import caption
from probekit.figures.lines import add_curve, add_level
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
    from collections.abc import Callable, Sequence

    import numpy as np
    import plotly.graph_objects as go
    import xarray as xr

    from probekit.runs import Run

    Interval = tuple[np.ndarray, np.ndarray]

#: Height of a panel and of what is around them, in pixels.
PANEL, AROUND = 220, 160
#: Curves that are alone in their panel, whose heading names them.
ONLY_CURVES = frozenset({"CKA", "P@1", "lens agreement"})


class Panel(NamedTuple):
    """One of the stacked panels: the group of results it shows, its heading, what draws it."""

    group: str
    title: str
    draw: Callable[[go.Figure, Run, dict[str, Any]], None]


def layers_overview(run: Run, *, region: Sequence[int] = ()) -> go.Figure:
    """CKA, LRDS and SADS, retrieval, lens agreement and probe transfer by layer, as panels.

    Parameters
    ----------
    run
        A run with one of the analyses ``cka``, ``regions``, ``alignment``, ``lens``, ``probes``;
        a panel for each that it has.
    region
        Blocks to mark in every panel.

    Raises
    ------
    RunError
        It has none of them.
    """
    from plotly.subplots import make_subplots

    panels = [panel for panel in PANELS if panel.group in run.results.children]
    if not panels:
        msg = (
            f"run {run.folder.name!r} has nothing by layer. Run its study again with "
            "--analyses cka,regions,alignment."
        )
        raise RunError(msg)
    n = len(panels)
    titles = [panel.title for panel in panels]
    figure = make_subplots(
        rows=n, cols=1, shared_xaxes=True, vertical_spacing=0.21 / n, subplot_titles=titles
    )
    for row, panel in enumerate(panels, start=1):
        panel.draw(figure, run, {"row": row, "col": 1})
    axis = layer_axis(list(range(-1, run.n_blocks)))
    figure.update_xaxes({name: value for name, value in axis.items() if name != "title"})
    figure.update_xaxes(title=axis["title"], row=n, col=1)
    figure.update_annotations(font_size=13, x=0, xanchor="left")
    figure.update_yaxes(rangemode="tozero")
    figure = style(
        figure,
        title="Where languages meet",
        caption=caption(run),
        height=PANEL * n + AROUND,
        region=region,
    )
    figure.update_layout(showlegend=True)
    for trace in figure.data:
        if trace.name in ONLY_CURVES:
            trace.showlegend = False
    return head_room(figure, legend_rows=2)


def _cka_panel(figure: go.Figure, run: Run, cell: dict[str, Any]) -> None:
    cka = run.cka
    layers, n = _layers(cka), int(run.manifest.corpus["n_units"])
    band, mean = _interval(cka, "mean"), cka["mean"].to_numpy()
    add_curve(figure, layers, mean, name="CKA", colour=BLUE, interval=band, n=n, cell=cell)
    add_level(figure, layers, cka["mean_null95"].to_numpy(), name="null (95 %)", cell=cell)


def _region_panel(figure: go.Figure, run: Run, cell: dict[str, Any]) -> None:
    regions = run.regions
    for name, variable, colour in (
        ("LRDS: language", "lrds_centred", VERMILION),
        ("SADS: meaning", "sads_centred", GREEN),
    ):
        look: dict[str, Any] = {"name": name, "colour": colour, "cell": cell}
        _curve(figure, regions, variable, n=units_of(run), **look)
        _held_level(figure, regions, variable, name=name.partition(":")[0], cell=cell)


def _retrieval_panel(figure: go.Figure, run: Run, cell: dict[str, Any]) -> None:
    import numpy as np

    alignment = run.alignment
    look: dict[str, Any] = {"name": "P@1", "colour": PURPLE, "cell": cell}
    _curve(figure, alignment, "p_at_1_mean", n=int(alignment.attrs["n_units"]), **look)
    layers = _layers(alignment)
    chance = np.full(len(layers), float(alignment.attrs["p_at_1_chance"]))
    add_level(figure, layers, chance, name="chance (1/n)", cell=cell)


def _lens_panel(figure: go.Figure, run: Run, cell: dict[str, Any]) -> None:
    lens = run.group("lens")
    look: dict[str, Any] = {"name": "lens agreement", "colour": ORANGE, "cell": cell}
    n = f"{int(lens.attrs['n_positions'])} positions"
    _curve(figure, lens, "agreement_mean", n=n, **look)
    _held_level(figure, lens, "agreement_mean", name="agreement", cell=cell)


def _probe_panel(figure: go.Figure, run: Run, cell: dict[str, Any]) -> None:
    """Within a language, to another one, and what the commonest class gives."""
    probes = run.group("probes")
    for name, variable, colour in (
        ("probe, same language", "accuracy_all", BLUE),
        ("probe, other language", "transfer_centred_all", VERMILION),
    ):
        look: dict[str, Any] = {"name": name, "colour": colour, "cell": cell}
        _curve(figure, probes, variable, n=int(probes.attrs["n_units"]), **look)
    majority = probes["majority_all"].to_numpy()
    add_level(figure, _layers(probes), majority, name="commonest class", cell=cell)


def _curve(
    figure: go.Figure,
    group: xr.Dataset,
    variable: str,
    *,
    name: str,
    colour: str,
    n: int | str,
    cell: dict[str, Any],
) -> None:
    """A variable of a group over its own layers, with its interval where the group has one."""
    add_curve(
        figure,
        _layers(group),
        group[variable].to_numpy(),
        name=name,
        colour=colour,
        interval=_interval(group, variable),
        n=n,
        cell=cell,
    )


def _held_level(
    figure: go.Figure, group: xr.Dataset, variable: str, *, name: str, cell: dict[str, Any]
) -> None:
    """The null or chance level of a variable, where the group holds one by layer or for all."""
    import numpy as np

    for end, words in (("_null95", "null (95 %)"), ("_chance", "chance")):
        stem = variable.removesuffix("_mean")
        for key in (f"{variable}{end}", f"{stem}{end}"):
            found = group[key].to_numpy() if key in group else group.attrs.get(key)
            if found is None or np.ndim(found) > 1:
                continue
            layers = _layers(group)
            level = np.broadcast_to(np.asarray(found, dtype=float), (len(layers),))
            add_level(figure, layers, level, name=f"{name}, {words}", cell=cell)
            break


def _interval(group: xr.Dataset, variable: str) -> Interval | None:
    ends = (f"{variable}_low", f"{variable}_high")
    if not set(ends) <= set(group.data_vars):
        return None
    return group[ends[0]].to_numpy(), group[ends[1]].to_numpy()


def _layers(group: xr.Dataset) -> list[int]:
    return [int(layer) for layer in group["layer"].to_numpy()]


PANELS = (
    Panel("cka", "debiased CKA (mean over pairs)", _cka_panel),
    Panel("regions", "LRDS and SADS (centred)", _region_panel),
    Panel("alignment", "P@1 (mean over pairs)", _retrieval_panel),
    Panel("lens", "logit lens agrees with the final token (mean over languages)", _lens_panel),
    Panel("probes", "probe accuracy (mean over tasks and languages)", _probe_panel),
)
