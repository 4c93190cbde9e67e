"""Figures of two runs side by side: one measure by layer, its change, its change by language.

Each takes a :class:`~probekit.runs.comparison.RunComparison`; the horizontal axis is the layers of
its first run, under which the other run stands at equal relative depth.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from probekit.errors import InputError
from probekit.figures.cells import interval
from probekit.figures.lines import add_curve, add_level
from probekit.figures.scales import null_scale
from probekit.figures.text import plain, plain_labels, sentence
from probekit.figures.theme import BLUE, ORANGE, PURPLE, head_room, layer_axis, style

if TYPE_CHECKING:
    from collections.abc import Sequence

    import plotly.graph_objects as go

    from probekit.runs.comparison import ByLanguage, Difference, RunComparison

#: Measures in words; others are shown as they are called in the run.
WORDS: dict[str, str] = {
    "cka/mean": "CKA",
    "regions/lrds_centred": "LRDS (centred)",
    "regions/sads_centred": "SADS (centred)",
    "regions/lrds": "LRDS (raw)",
    "regions/sads": "SADS (raw)",
    "regions/ratio": "LRDS / SADS",
    "alignment/p_at_1_mean": "P@1",
    "alignment/csls_mean": "CSLS",
    "alignment/mexa_mean": "MEXA",
    "alignment/mutual_knn_mean": "mutual kNN",
    "alignment/centred_cosine_mean": "centred cosine",
    "alignment/anc_mean": "ANC",
    "alignment/procrustes_mean": "Procrustes disparity",
    "lens/agreement_mean": "lens agreement",
    "lens/entropy_mean": "lens entropy (bits)",
    "lens/kl_mean": "lens KL (bits)",
    "lens/own_mass_mean": "lens mass on the own language",
    "lens/surprisal_mean": "lens surprisal (bits)",
    "lens/log_rank_mean": "lens log2 rank",
    "lens/mrr_mean": "lens MRR",
    "probes/accuracy_all": "probe accuracy",
    "language_id/accuracy": "language identification",
    "geometry/anisotropy": "anisotropy",
    "geometry/isoscore_mean": "IsoScore",
    "geometry/participation_mean": "participation ratio",
    "geometry/centroid_distance_mean": "distance of language centroids",
    "geometry/fisher": "Fisher ratio of languages",
    "neurons/n_selected": "language neurons",
    "neurons/jaccard_mean": "overlap of active neurons",
}


def words(key: str) -> str:
    """A measure in words: ``cka/mean`` is CKA."""
    return WORDS.get(key) or plain(key.replace("/", ": ").replace("_", " "), longest=60)


def comparison_by_layer(
    comparison: RunComparison, *, measure: str = "cka/mean", region: Sequence[int] = ()
) -> go.Figure:
    """Both runs by layer with their intervals; below, ``b − a`` with its own, against zero.

    Parameters
    ----------
    comparison
        Of two runs: ``a.diff(b)``.
    measure
        A key of ``comparison.differences``.
    region
        Blocks of the first run to mark.

    Raises
    ------
    InputError
        The measure is not compared.
    """
    from plotly.subplots import make_subplots

    found, name = comparison[measure], words(measure)
    titles = (name, f"{name}: {_minus(comparison)}")
    figure = make_subplots(
        rows=2, cols=1, shared_xaxes=True, vertical_spacing=0.12, subplot_titles=titles
    )
    x = comparison.layers(measure).tolist()
    for run, band, colour in ((comparison.a, found.a, BLUE), (comparison.b, found.b, ORANGE)):
        add_curve(
            figure,
            x,
            band.value,
            name=plain(run.name),
            colour=colour,
            interval=(band.low, band.high),
            n=run.n_units,
            cell={"row": 1, "col": 1},
        )
    _add_change(figure, x, found, n=_units(comparison))
    axis = layer_axis(list(range(-1, comparison.a.n_blocks)))
    figure.update_xaxes({key: value for key, value in axis.items() if key != "title"})
    figure.update_xaxes(title=_axis_title(comparison), row=2, col=1)
    figure.update_annotations(font_size=13, x=0, xanchor="left")
    title, said = f"{name} of two runs", _caption(comparison, found)
    figure = style(figure, title=title, caption=said, height=620, region=region)
    return head_room(figure.update_layout(showlegend=True))


def comparison_by_language(
    comparison: RunComparison,
    *,
    measure: str = "cka/mean",
    languages: Sequence[str] = (),
    region: Sequence[int] = (),
) -> go.Figure:
    """``b − a`` by language and layer; a dot where it differs beyond the joint interval.

    Parameters
    ----------
    comparison, measure
        As of :func:`comparison_by_layer`; the measure must be one by language.
    languages
        Those to show; all that are shared by default.
    region
        Blocks of the first run to mark.

    Raises
    ------
    InputError
        The measure is not compared, or not by language.
    """
    import plotly.graph_objects as go

    found, table = comparison[measure], _by_language(comparison, measure)
    at = [n for n, code in enumerate(comparison.languages) if not languages or code in languages]
    shown = [comparison.languages[n] for n in at]
    cells = _changes(table, at, n=_units(comparison))
    bar = {"title": f"{words(measure)}, b − a"}
    place = {"x": comparison.layers(measure), "y": plain_labels(shown)}
    figure = go.Figure(go.Heatmap(**place, **cells, colorbar=bar))
    axis = layer_axis(list(range(-1, comparison.a.n_blocks)))
    figure.update_xaxes({**axis, "title": _axis_title(comparison)})
    figure.update_yaxes(autorange="reversed", showgrid=False)
    title = f"{words(measure)} by language: {_minus(comparison)}"
    note, look = _caption(comparison, found, by_language=True), {"hover": "closest"}
    height = 180 + 26 * len(shown)
    return style(figure, title=title, caption=note, height=height, region=region, **look)


def _changes(table: ByLanguage, at: list[int], *, n: str) -> dict[str, Any]:
    """Cells of a heatmap: the change, its interval, a dot where it differs, what hover says."""
    value = table.change.value[:, at].T
    most = float(np.abs(value).max(initial=0.0)) or 1.0
    return {
        "z": value,
        "text": np.where(table.differs[:, at].T, "•", "").tolist(),
        "texttemplate": "%{text}",
        "customdata": _told(table, at, n=n),
        "meta": interval(table.change.low[:, at].T, table.change.high[:, at].T),
        "hovertemplate": "%{y}, layer %{x:.3~g}: %{customdata}<extra></extra>",
        **null_scale(-most, most, null=0.0),
    }


def _by_language(comparison: RunComparison, measure: str) -> ByLanguage:
    table = comparison[measure].by_language
    if table is None:
        having = [key for key, each in comparison.differences.items() if each.by_language]
        msg = f"{measure!r} has no table by language (these do: {', '.join(having) or 'none'})."
        raise InputError(msg)
    return table


def _add_change(figure: go.Figure, x: list[float], found: Difference, *, n: str) -> None:
    """The difference, zero, and full points where it differs jointly."""
    import plotly.graph_objects as go

    cell = {"row": 2, "col": 1}
    change = found.change
    interval = (change.low, change.high)
    look: dict[str, Any] = {"name": "b − a", "colour": PURPLE, "cell": cell}
    add_curve(figure, x, change.value, interval=interval, n=n, **look)
    add_level(figure, x, np.zeros(len(x)), name="no difference", cell=cell)
    at = np.flatnonzero(found.differs)
    if len(at):
        marker: dict[str, Any] = {"symbol": "diamond", "size": 9, "color": PURPLE}
        figure.add_trace(
            go.Scatter(
                x=[x[i] for i in at],
                y=change.value[at],
                mode="markers",
                name="differs (jointly)",
                marker=marker,
                hoverinfo="skip",
            ),
            **cell,
        )


def _told(table: ByLanguage, at: list[int], *, n: str) -> list[list[str]]:
    """``+0.031 [+0.012, +0.050], 0.4 → 0.431, n = 12`` for every cell."""
    parts = [np.asarray(part)[:, at].T for part in (*table.change, table.a.value, table.b.value)]
    told = np.vectorize(
        lambda value, low, high, a, b: (
            f"{value:+.3f} [{low:+.3f}, {high:+.3f}], {a:.3f} → {b:.3f}, n = {n}"
        )
    )(*parts)
    rows: list[list[str]] = told.tolist()
    return rows


def _axis_title(comparison: RunComparison) -> str:
    if comparison.same_depth:
        return "layer (embedding, then blocks)"
    a, b = comparison.a, comparison.b
    return (
        f"layer of {plain(a.name)} ({a.n_blocks} blocks); {plain(b.name)} ({b.n_blocks}) at equal "
        "depth"
    )


def _minus(comparison: RunComparison) -> str:
    """What is taken from what."""
    return f"{plain(comparison.b.name)} − {plain(comparison.a.name)}"


def _units(comparison: RunComparison) -> str:
    """Units of either run, once where they are as many."""
    a, b = comparison.a.n_units, comparison.b.n_units
    return str(a) if a == b else f"{a} and {b}"


def _caption(comparison: RunComparison, found: Difference, *, by_language: bool = False) -> str:
    """How the difference and its interval were made."""
    a, b = comparison.a, comparison.b
    how = "independent" if by_language else found.how
    interval = {
        "paired": "interval of b − a: paired bootstrap resamples of units",
        "independent": "interval of b − a: both runs' intervals, as if independent (MOVER)",
    }[how]
    mean = "mean over the shared languages, widest interval" if found.averaged else ""
    parts = (
        f"a = {plain(a.name)} ({_short(a.model)}), b = {plain(b.name)} ({_short(b.model)})",
        f"{_units(comparison)} units × {len(comparison.languages)} shared languages",
        interval,
        mean if not by_language else "",
        f"marked: beyond the interval for all measures at once (× {comparison.joint:.2f})",
    )
    return " · ".join(part for part in parts if part)


def _short(model: str) -> str:
    """The last two parts of a path or hub id."""
    return sentence("/".join(model.rstrip("/").split("/")[-2:]))
