"""From the languages erased in to those asked in, place by place: a heatmap a place and algorithm.

Takes what ``experiment`` wrote, as a mapping or as its ``Outcome``; the shares are those of
``Outcome.matrix``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from probekit.figures.cells import end_of, interval
from probekit.figures.erasure_document import read_experiment
from probekit.figures.erasure_parts import captioned, shown_languages, span
from probekit.figures.scales import null_scale
from probekit.figures.text import plain
from probekit.figures.theme import INK

if TYPE_CHECKING:
    from collections.abc import Sequence

    import plotly.graph_objects as go

    from probekit.figures.erasure_document import Given
    from probekit.figures.experiment_document import ExperimentDocument

__all__ = ["answered_by_source", "matrix_height"]

ROW, HEAD, AROUND = 34, 44, 190
Cells = dict[str, dict[str, dict[str, Any]]]


def answered_by_source(document: Given, *, languages: Sequence[str] | None = None) -> go.Figure:
    """``forget[source, target]``: facts to forget still answered, a panel a place and algorithm.

    Rows are the languages erased in, columns those asked in; framed where they are the same.

    Parameters
    ----------
    document
        Of ``experiment``.
    languages
        Those asked in that are shown; by default all.

    Raises
    ------
    InputError
        A document that is not of ``experiment``, or not whole; an unknown language.
    """
    from plotly.subplots import make_subplots

    found = read_experiment(document)
    shown = shown_languages(found, languages)
    rows, columns = len(found.algorithms), len(found.places)
    figure = make_subplots(
        rows=rows,
        cols=columns,
        shared_xaxes=True,
        shared_yaxes=True,
        vertical_spacing=HEAD / matrix_height(found),
        horizontal_spacing=0.02,
        subplot_titles=[f"{plain(a)}, {plain(p)}" for a in found.algorithms for p in found.places],
    )
    counts = []
    for row, algorithm in enumerate(found.algorithms, start=1):
        for column, place in enumerate(found.places, start=1):
            cells = found.matrix(algorithm, place)
            cell = {"row": row, "col": column}
            _add_panel(figure, found, cells, shown=shown, cell=cell)
            counts += [each["n"] for own in cells.values() for each in own.values()]
    _dress(figure, found, shown)
    turn = f"colours turn at {found.bar:.3f}, the bar for forgetting" if found.bar else ""
    caption = (
        f"{plain(found.plan.model, longest=60)}, facts to forget that the taught model answers: "
        f"n = {span(counts)}",
        "over all seeds · 95 % intervals over facts (hover) · empty: none was known",
        "framed: asked in a language that was erased in",
        turn,
    )
    title = "From the languages erased in to those asked in, by place"
    return captioned(figure, caption, title=title, height=matrix_height(found), heads=True)


def matrix_height(found: ExperimentDocument) -> int:
    """Pixels that its panels take."""
    return AROUND + len(found.algorithms) * (HEAD + ROW * len(found.sources))


def _add_panel(
    figure: go.Figure,
    found: ExperimentDocument,
    cells: Cells,
    *,
    shown: Sequence[str],
    cell: dict[str, int],
) -> None:
    """A heatmap of sources by languages, source cells framed."""
    import plotly.graph_objects as go

    sources = list(found.sources)
    table = [[cells.get(source, {}).get(code) for code in shown] for source in sources]
    figure.add_trace(
        go.Heatmap(
            z=[[None if each is None else each["share"] for each in row] for row in table],
            x=list(shown),
            y=sources,
            text=[
                [_told(source, code, each) for code, each in zip(shown, row, strict=True)]
                for source, row in zip(sources, table, strict=True)
            ],
            meta=interval(end_of(table, "low"), end_of(table, "high")),
            texttemplate="%{z:.2f}",
            hovertemplate="%{text}<extra></extra>",
            xgap=1,
            ygap=1,
            coloraxis="coloraxis",
        ),
        **cell,
    )
    for y, codes in enumerate(found.sources.values()):
        for x in (at for at, code in enumerate(shown) if code in codes):
            figure.add_shape(
                type="rect", x0=x - 0.47, x1=x + 0.47, y0=y - 0.45, y1=y + 0.45,
                line={"color": INK, "width": 1.6}, **cell,
            )  # fmt: skip


def _told(source: str, code: str, cell: dict[str, Any] | None) -> str:
    where = f"erased in {plain(source)}, asked in {plain(code)}"
    if cell is None:
        return f"{where}: no fact was known"
    return f"{where}: {cell['share']:.3f} [{cell['low']:.3f}, {cell['high']:.3f}], n = {cell['n']}"


def _dress(figure: go.Figure, found: ExperimentDocument, shown: Sequence[str]) -> None:
    """One scale for all panels; languages below, those erased in at the left."""
    sources = list(found.sources)
    figure.update_xaxes(
        type="category", tickmode="array", tickvals=list(shown), showgrid=False,
        ticktext=[plain(code) for code in shown],
    )  # fmt: skip
    figure.update_yaxes(
        type="category", tickmode="array", tickvals=sources, showgrid=False,
        ticktext=[plain(source) for source in sources], range=[len(sources) - 0.5, -0.5],
    )  # fmt: skip
    figure.update_yaxes(title="erased in", col=1)
    figure.update_annotations(font_size=13)
    scale = null_scale(0.0, 1.0, null=found.bar or 0.0)
    figure.update_layout(
        coloraxis={
            "colorscale": scale["colorscale"], "cmin": scale["zmin"], "cmax": scale["zmax"],
            "colorbar": {"title": "still<br>answered"},
        },
    )  # fmt: skip
