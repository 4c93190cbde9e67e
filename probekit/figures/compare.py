"""Figures of two runs side by side: one measure by layer, its change, its change by language.

Each takes a :class:`~probekit.runs.comparison.RunComparison`; the horizontal axis is the layers of
its first run, under which the other run stands at equal relative depth.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from probekit.errors import InputError
from probekit.figures.lines import add_curve, add_level
from probekit.figures.scales import null_scale
from probekit.figures.theme import BLUE, ORANGE, PURPLE, layer_axis, style

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
    return WORDS.get(key, key.replace("/", ": ").replace("_", " "))


def comparison_by_layer(comparison: RunComparison, *, measure: str = "cka/mean") -> go.Figure:
    """Both runs by layer with their intervals; below, ``b − a`` with its own, against zero.

    Parameters
    ----------
    comparison
        Of two runs: ``a.diff(b)``.
    measure
        A key of ``comparison.differences``.

    Raises
    ------
    InputError
        The measure is not compared.
    """
    from plotly.subplots import make_subplots

    found, name = comparison[measure], words(measure)
    titles = (name, f"{name}: {comparison.b.name} − {comparison.a.name}")
    figure = make_subplots(
        rows=2, cols=1, shared_xaxes=True, vertical_spacing=0.12, subplot_titles=titles
    )
    x = comparison.layers(measure).tolist()
    for run, band, colour in ((comparison.a, found.a, BLUE), (comparison.b, found.b, ORANGE)):
        add_curve(
            figure,
            x,
            band.value,
            name=run.name,
            colour=colour,
            interval=(band.low, band.high),
            n=run.n_units,
            cell={"row": 1, "col": 1},
        )
    _add_change(figure, x, found)
    axis = layer_axis(list(range(-1, comparison.a.n_blocks)))
    figure.update_xaxes({key: value for key, value in axis.items() if key != "title"})
    figure.update_xaxes(title=_axis_title(comparison), row=2, col=1)
    figure.update_annotations(font_size=13, x=0, xanchor="left")
    figure = style(
        figure, title=f"{name} of two runs", caption=_caption(comparison, found), height=620
    )
    figure.update_layout(showlegend=True)
    return figure


def comparison_by_language(
    comparison: RunComparison, *, measure: str = "cka/mean", languages: Sequence[str] = ()
) -> go.Figure:
    """``b − a`` by language and layer; a dot where it differs beyond the joint interval.

    Parameters
    ----------
    comparison, measure
        As of :func:`comparison_by_layer`; the measure must be one by language.
    languages
        Those to show; all that are shared by default.

    Raises
    ------
    InputError
        The measure is not compared, or not by language.
    """
    import plotly.graph_objects as go

    found = comparison[measure]
    if found.by_language is None:
        having = [key for key, each in comparison.differences.items() if each.by_language]
        msg = f"{measure!r} has no table by language (these do: {', '.join(having) or 'none'})."
        raise InputError(msg)
    shown = [code for code in comparison.languages if not languages or code in languages]
    at = [comparison.languages.index(code) for code in shown]
    z = found.by_language.change.value[:, at].T
    most = float(np.abs(z).max(initial=0.0)) or 1.0
    figure = go.Figure(
        go.Heatmap(
            z=z,
            x=comparison.layers(measure),
            y=shown,
            text=np.where(found.by_language.differs[:, at].T, "•", "").tolist(),
            texttemplate="%{text}",
            customdata=_told(found.by_language, at),
            hovertemplate="%{y}, layer %{x:.3~g}: %{customdata}<extra></extra>",
            colorbar={"title": f"{words(measure)}, b − a"},
            **null_scale(-most, most, null=0.0),
        )
    )
    axis = layer_axis(list(range(-1, comparison.a.n_blocks)))
    figure.update_xaxes({**axis, "title": _axis_title(comparison)})
    figure.update_yaxes(autorange="reversed", showgrid=False)
    title = f"{words(measure)} by language: {comparison.b.name} − {comparison.a.name}"
    note = _caption(comparison, found, by_language=True)
    figure = style(figure, title=title, caption=note, height=180 + 26 * len(shown))
    figure.update_layout(hovermode="closest")
    return figure


def _add_change(figure: go.Figure, x: list[float], found: Difference) -> None:
    """The difference, zero, and full points where it differs jointly."""
    import plotly.graph_objects as go

    cell = {"row": 2, "col": 1}
    change = found.change
    interval = (change.low, change.high)
    add_curve(figure, x, change.value, name="b − a", colour=PURPLE, interval=interval, cell=cell)
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


def _told(table: ByLanguage, at: list[int]) -> list[list[str]]:
    """``+0.031 [+0.012, +0.050], 0.4 → 0.431`` for every cell."""
    parts = [np.asarray(part)[:, at].T for part in (*table.change, table.a.value, table.b.value)]
    told = np.vectorize(
        lambda value, low, high, a, b: f"{value:+.3f} [{low:+.3f}, {high:+.3f}], {a:.3f} → {b:.3f}"
    )(*parts)
    rows: list[list[str]] = told.tolist()
    return rows


def _axis_title(comparison: RunComparison) -> str:
    if comparison.same_depth:
        return "layer (embedding, then blocks)"
    a, b = comparison.a, comparison.b
    return f"layer of {a.name} ({a.n_blocks} blocks); {b.name} ({b.n_blocks}) at equal depth"


def _caption(comparison: RunComparison, found: Difference, *, by_language: bool = False) -> str:
    """How the difference and its interval were made."""
    a, b = comparison.a, comparison.b
    how = "independent" if by_language else found.how
    interval = {
        "paired": "interval of b − a: paired bootstrap resamples of units",
        "independent": "interval of b − a: both runs' intervals, as if independent (MOVER)",
    }[how]
    mean = "mean over the shared languages, widest interval" if found.averaged else ""
    units = f"{a.n_units} units" if a.n_units == b.n_units else f"{a.n_units} and {b.n_units} units"
    parts = (
        f"a = {a.name} ({_short(a.model)}), b = {b.name} ({_short(b.model)})",
        f"{units} × {len(comparison.languages)} shared languages",
        f"<br>{interval}",
        mean if not by_language else "",
        f"marked: beyond the interval for all measures at once (× {comparison.joint:.2f})",
    )
    return " · ".join(part for part in parts if part)


def _short(model: str) -> str:
    """The last two parts of a path or hub id."""
    return "/".join(model.rstrip("/").split("/")[-2:])
