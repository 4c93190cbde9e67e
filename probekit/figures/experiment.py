"""Figures of an experiment: what is forgotten and kept by place, and where the selection differs.

Each takes what ``experiment`` wrote, as a mapping or as its ``Outcome``, and draws the shares and
differences that the ``Outcome`` gives; nothing else is measured.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from probekit.figures.erasure_document import read_experiment
from probekit.figures.erasure_parts import captioned, interval, listed, not_run, share_axis, span
from probekit.figures.languages import PALETTE
from probekit.figures.text import plain
from probekit.figures.theme import BLUE, GREEN, GREY, VERMILION, rgba

if TYPE_CHECKING:
    from collections.abc import Sequence

    import plotly.graph_objects as go

    from probekit.figures.erasure_document import Given
    from probekit.figures.experiment_document import ExperimentDocument

__all__ = ["contrasts_by_place", "shares_by_place"]

PANEL, ROW, AROUND = 190, 26, 190
HOW = "95 % intervals over facts, languages and seeds of a fact together"
#: Series → words, colour, symbol; open marks are held-out languages, as everywhere.
SERIES: dict[str, tuple[str, str, str]] = {
    "forget_source": ("to forget, source", VERMILION, "circle"),
    "forget_held_out": ("to forget, held out", VERMILION, "circle-open"),
    "retain_source": ("to retain, source", BLUE, "square"),
    "retain_held_out": ("to retain, held out", BLUE, "square-open"),
}
COMPARED = {
    "forget_held_out": "Facts to forget, held-out languages",
    "retain_held_out": "Facts to retain, held-out languages",
}


class _End(NamedTuple):
    """A value with the ends of its interval."""

    value: float
    low: float
    high: float


def shares_by_place(document: Given) -> go.Figure:
    """Facts still answered after erasing at each place, a panel an algorithm and source.

    Facts to forget and to retain, in the source and in held-out languages; every mark is over all
    seeds, the dots beside it are single ones. Before erasing all of these facts are answered.

    Parameters
    ----------
    document
        Of ``experiment``.

    Raises
    ------
    InputError
        A document that is not of ``experiment``, or not whole.
    """
    from plotly.subplots import make_subplots

    found = read_experiment(document)
    panels = [(algorithm, source) for algorithm in found.algorithms for source in found.sources]
    rows, columns = len(found.algorithms), len(found.sources)
    figure = make_subplots(
        rows=rows,
        cols=columns,
        shared_xaxes=True,
        shared_yaxes=True,
        vertical_spacing=0.2 / rows,
        horizontal_spacing=0.03,
        subplot_titles=[f"{plain(a)}, erased in {plain(s)}" for a, s in panels],
    )
    for at, (algorithm, source) in enumerate(panels):
        cell = {"row": at // columns + 1, "col": at % columns + 1}
        for name in SERIES:
            _add_series(figure, found, (algorithm, source, name), cell=cell, first=at == 0)
    _dress_places(figure, found)
    caption = (
        *_about(found),
        HOW,
        "dots: single seeds" if len(found.plan.seeds) > 1 else "",
        "open marks: held-out languages · shaded: the selection",
        "line at 1: before erasing, as only facts count that the taught model answers",
        f"dotted: {found.bar:.3f}, the bar for forgetting in the source" if found.bar else "",
    )
    height, title = AROUND + PANEL * rows, "Forgotten and kept, by place"
    return captioned(figure, caption, title=title, height=height, heads=True)


def _add_series(
    figure: go.Figure,
    found: ExperimentDocument,
    series: tuple[str, str, str],
    *,
    cell: dict[str, int],
    first: bool,
) -> None:
    """A mark with whiskers a place, and the seeds behind it as dots."""
    import plotly.graph_objects as go

    algorithm, source, name = series
    words, colour, symbol = SERIES[name]
    cells = {
        row["place"]: row[name]
        for row in found.rows
        if (row["algorithm"], "+".join(row["source"])) == (algorithm, source)
        and row[name] is not None
    }
    ends = [_End(each["share"], each["low"], each["high"]) for each in cells.values()]
    shared = {"mode": "markers", "offsetgroup": name, "alignmentgroup": "1", "legendgroup": name}
    if len(found.plan.seeds) > 1:
        _add_seeds(figure, cells, (words, colour), shared=shared, cell=cell)
    figure.add_trace(
        go.Scatter(
            x=list(cells),
            y=[each.value for each in ends],
            error_y={**interval(ends), "color": colour},
            name=words,
            showlegend=first,
            marker={
                "color": colour, "symbol": symbol, "size": 8,
                "line": {"width": 1.6, "color": colour},
            },
            text=[
                f"{plain(place)}, {words}: {each['share']:.3f} [{each['low']:.3f}, "
                f"{each['high']:.3f}], n = {each['n']}"
                for place, each in cells.items()
            ],
            hovertemplate="%{text}<extra></extra>",
            **shared,
        ),
        **cell,
    )  # fmt: skip


def _add_seeds(
    figure: go.Figure,
    cells: dict[str, dict[str, Any]],
    look: tuple[str, str],
    *,
    shared: dict[str, str],
    cell: dict[str, int],
) -> None:
    """A dot a seed and place."""
    import plotly.graph_objects as go

    words, colour = look
    seeds = [(place, value) for place, each in cells.items() for value in each["seeds"]]
    figure.add_trace(
        go.Scatter(
            x=[place for place, _ in seeds],
            y=[value for _, value in seeds],
            name=f"{words}, seeds",
            showlegend=False,
            marker={"color": colour, "size": 4, "opacity": 0.45},
            hovertemplate=f"{words}, one seed: %{{y:.3f}}<extra></extra>",
            **shared,
        ),
        **cell,
    )


def _dress_places(figure: go.Figure, found: ExperimentDocument) -> None:
    """Places in one order, the selection shaded, levels before erasing and of forgetting."""
    places = list(found.places)
    figure.update_xaxes(
        type="category", categoryorder="array", categoryarray=places, tickmode="array",
        tickvals=places, ticktext=[plain(place) for place in places],
        range=[-0.5, len(places) - 0.5], tickson="boundaries", showgrid=True,
    )  # fmt: skip
    figure.update_yaxes({**share_axis(""), "title": None})
    figure.update_yaxes(title="still answered", col=1)
    figure.update_annotations(font_size=13)
    figure.add_hline(y=1, line={"color": GREY, "width": 1})
    if found.bar:
        figure.add_hline(y=found.bar, line={"color": GREY, "width": 1.4, "dash": "dot"})
    if places[0] == "selection":
        figure.add_vrect(x0=-0.5, x1=0.5, fillcolor=rgba(GREEN, 0.10), line_width=0, layer="below")
    figure.update_layout(scattermode="group", scattergap=0.3)


def contrasts_by_place(document: Given) -> go.Figure:
    """The selection minus each other place in held-out languages, fact by fact, against zero.

    Left of zero more of what was to go is forgotten at the selection; right of zero more of what
    was to stay is kept there.

    Parameters
    ----------
    document
        Of ``experiment``.

    Raises
    ------
    InputError
        A document that is not of ``experiment``, or not whole.
    """
    from plotly.subplots import make_subplots

    title = "The selection minus another place, held-out languages"
    found = read_experiment(document)
    rows = found.contrasts
    if not any(row[name] for row in rows for name in COMPARED):
        return not_run(title, "no place stands beside the selection with facts known in both")
    figure = make_subplots(
        rows=1,
        cols=len(COMPARED),
        shared_yaxes=True,
        horizontal_spacing=0.04,
        subplot_titles=list(COMPARED.values()),
    )
    colours = dict(zip(found.algorithms, PALETTE * len(found.algorithms), strict=False))
    for column, name in enumerate(COMPARED, start=1):
        for algorithm in found.algorithms:
            own = [row for row in rows if row["algorithm"] == algorithm and row[name]]
            _add_differences(
                figure, (algorithm, name), own, colour=colours[algorithm], column=column
            )
    names = [_against(row) for row in rows]
    _dress_contrasts(figure, rows, names)
    caption = (
        *_about(found),
        "the same facts paired; 95 % intervals over facts · full: zero lies outside",
        "left of the line: more is forgotten at the selection (left panel), less is kept (right)",
    )
    height = AROUND + ROW * len(names)
    figure = captioned(figure, caption, title=title, height=height, heads=True)
    return figure.update_layout(margin={"l": 40 + 7 * max(len(name) for name in names)})


def _dress_contrasts(
    figure: go.Figure, rows: Sequence[dict[str, Any]], names: Sequence[str]
) -> None:
    """Places in the order of the rows, both panels alike about zero."""
    figure.update_yaxes(
        type="category", categoryorder="array", categoryarray=names[::-1], tickmode="array",
        tickvals=names, ticktext=[plain(name, longest=60) for name in names],
        range=[-0.5, len(names) - 0.5], showgrid=False,
    )  # fmt: skip
    figure.update_xaxes(title="difference of shares", zeroline=False, range=_reach(rows))
    figure.add_vline(x=0, line={"color": GREY, "width": 1.4})
    figure.update_annotations(font_size=13)


def _against(row: dict[str, Any]) -> str:
    return f"{row['algorithm']}, {'+'.join(row['source'])}: minus {row['against']}"


def _reach(rows: Sequence[dict[str, Any]]) -> list[float]:
    """The same axis left and right of zero in both panels."""
    ends = [row[name][end] for row in rows for name in COMPARED if row[name] for end in _ENDS]
    most = max([0.1, *map(abs, ends)]) * 1.08
    return [-most, most]


_ENDS = ("low", "high")


def _add_differences(
    figure: go.Figure,
    what: tuple[str, str],
    rows: Sequence[dict[str, Any]],
    *,
    colour: str,
    column: int,
) -> None:
    """A mark with whiskers a place, full where its interval leaves zero out."""
    import plotly.graph_objects as go

    algorithm, name = what
    cells = [row[name] for row in rows]
    ends = [_End(each["difference"], each["low"], each["high"]) for each in cells]
    clear = [each.low > 0 or each.high < 0 for each in ends]
    figure.add_trace(
        go.Scatter(
            x=[each.value for each in ends],
            y=[_against(row) for row in rows],
            error_x={**interval(ends), "color": colour},
            mode="markers",
            name=plain(algorithm),
            legendgroup=plain(algorithm),
            showlegend=column == 1,
            marker={
                "color": colour, "size": 8, "line": {"width": 1.6, "color": colour},
                "symbol": ["circle" if each else "circle-open" for each in clear],
            },
            text=[
                f"{plain(_against(row), longest=60)}: {e.value:+.3f} [{e.low:+.3f}, {e.high:+.3f}]"
                f", n = {row[name]['n']}"
                for row, e in zip(rows, ends, strict=True)
            ],
            hovertemplate="%{text}<extra></extra>",
        ),
        row=1,
        col=column,
    )  # fmt: skip


def _about(found: ExperimentDocument) -> tuple[str, ...]:
    """Model, seeds and facts."""
    counts = [row[name]["n"] for row in found.rows for name in SERIES if row[name]]
    seeds = listed([str(seed) for seed in found.plan.seeds])
    return (
        f"{plain(found.plan.model, longest=60)}, facts {plain(found.facts.name)}, seeds {seeds}",
        f"facts that the taught model answers: n = {span(counts)}",
    )
