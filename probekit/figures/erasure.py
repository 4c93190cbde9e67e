"""Figures of an erasure: accuracy by layer choice (the paper's figure) and by language.

Each takes what ``verify`` or ``sweep`` wrote, as a mapping or as their ``Report`` or ``Sweep``, and
draws its numbers; nothing is measured, and what was not run is said to be so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from probekit.figures.erasure_beside import add_marks as add_controls
from probekit.figures.erasure_beside import controls_line, of_part
from probekit.figures.erasure_document import (
    Cell,
    ReportDocument,
    SweepDocument,
    read_document,
    read_file,
    read_report,
    read_sweep,
)
from probekit.figures.erasure_parts import (
    HOW,
    captioned,
    divide_sides,
    interval,
    language_ticks,
    listed,
    share_axis,
    shown_languages,
    sides,
    span,
)
from probekit.figures.erasure_values import Accuracy
from probekit.figures.languages import LanguageStyle, language_styles
from probekit.figures.lines import runs_of
from probekit.figures.text import plain
from probekit.figures.theme import GREEN, GREY, rgba

if TYPE_CHECKING:
    from collections.abc import Sequence

    import plotly.graph_objects as go

    from probekit.figures.erasure_document import Given

__all__ = ["accuracy_by_language", "accuracy_by_layers", "read_document", "read_file"]

PANEL, AROUND = 165, 170
BASE = "base"
#: Part → what its panels are called.
SWEPT = {"forget": "to forget", "retain": "to retain"}
ASKED = {**SWEPT, "neighbour": "neighbours of what is to be forgotten"}
MOST_RUNS = 3


class _Panel(NamedTuple):
    """A part of the facts in some languages."""

    part: str
    words: str
    codes: tuple[str, ...]


def accuracy_by_layers(document: Given, *, languages: Sequence[str] | None = None) -> go.Figure:
    """Accuracy on what to forget and to retain, a column for every choice of layers.

    Source languages and held-out ones have panels of their own; the base is the first column and
    the selection's is shaded.

    Parameters
    ----------
    document
        Of ``sweep``.
    languages
        Those shown; by default all.

    Raises
    ------
    InputError
        A document that is not of ``sweep``, or not whole; an unknown language.
    """
    from plotly.subplots import make_subplots

    found = read_sweep(document)
    shown = shown_languages(found, languages)
    panels = [
        _Panel(part, f"Facts {words}, {side}", codes)
        for part, words in SWEPT.items()
        if part in found.base
        for side, codes in sides(found, shown)
    ]
    figure = make_subplots(
        rows=len(panels),
        cols=1,
        shared_xaxes=True,
        vertical_spacing=0.2 / len(panels),
        subplot_titles=[panel.words for panel in panels],
    )
    looks = language_styles(found.languages)
    for row, panel in enumerate(panels, start=1):
        for code in panel.codes:
            _add_language(figure, found, panel, (row, code), look=looks[code])
    _dress_layers(figure, found, panels)
    return _captioned_layers(figure, found, panels)


def _cells(found: SweepDocument, part: str, code: str) -> list[tuple[str, str, Accuracy]]:
    """Name, words and accuracy of every column that has the part in the language."""
    reports = [(BASE, "before", found.base)]
    reports += [(cell.cell, _blocks(cell), cell.report) for cell in found.cells]
    return [
        (name, words, report[part][code])
        for name, words, report in reports
        if code in report.get(part, {})
    ]


def _blocks(cell: Cell) -> str:
    """``blocks 4–6``, ``block 3``, or how many where they lie apart."""
    stretches = runs_of(cell.blocks)
    if not stretches or len(stretches) > MOST_RUNS:
        return f"{len(cell.blocks)} blocks"
    said = ", ".join(str(a) if a == b else f"{a}–{b}" for a, b in stretches)
    return f"block {said}" if len(cell.blocks) == 1 else f"blocks {said}"


def _add_language(
    figure: go.Figure,
    found: SweepDocument,
    panel: _Panel,
    place: tuple[int, str],
    *,
    look: LanguageStyle,
) -> None:
    """A mark a column, in the language's own place within it."""
    row, code = place
    cells = _cells(found, panel.part, code)
    held = found.side(code) == "held out"
    text = [
        f"{plain(code)}, {plain(name)} ({words}): {cell.told}, {cell.known} of {cell.n} facts"
        for name, words, cell in cells
    ]
    _add_marks(
        figure,
        ([name for name, *_ in cells], [cell for *_, cell in cells], text),
        look=look,
        symbol=f"{look.symbol}-open" if held else look.symbol,
        name=code,
        cell={"row": row, "col": 1},
        first=panel.part == "forget",
    )


def _add_marks(
    figure: go.Figure,
    marks: tuple[Sequence[str], Sequence[Any], Sequence[str]],
    *,
    look: LanguageStyle,
    symbol: str,
    name: str,
    cell: dict[str, int],
    first: bool,
    group: str = "",
) -> None:
    """Marks with whiskers; those at one place of the axis stand side by side."""
    import plotly.graph_objects as go

    x, values, text = marks
    line = {"width": 1.6, "color": look.colour}
    marker = {"color": look.colour, "symbol": symbol, "size": 8, "line": line}
    figure.add_trace(
        go.Scatter(
            x=list(x),
            y=[each.value for each in values],
            error_y={**interval(values), "color": look.colour},
            mode="markers",
            name=plain(name),
            legendgroup=plain(name),
            showlegend=first,
            offsetgroup=group or plain(name),
            alignmentgroup=str(cell["row"]),
            marker=marker,
            text=list(text),
            hovertemplate="%{text}<extra></extra>",
        ),
        **cell,
    )


def _dress_layers(figure: go.Figure, found: SweepDocument, panels: Sequence[_Panel]) -> None:
    """Columns with their blocks, the shaded selection, and chance where the document says it."""
    names = [BASE, *(cell.cell for cell in found.cells)]
    text = [BASE, *(f"{plain(cell.cell)}<br>{_blocks(cell)}" for cell in found.cells)]
    figure.update_xaxes(
        type="category", categoryorder="array", categoryarray=names, tickmode="array",
        tickvals=names, ticktext=text, range=[-0.5, len(names) - 0.5], tickson="boundaries",
        showgrid=True,
    )  # fmt: skip
    figure.update_yaxes(share_axis("accuracy"))
    figure.update_annotations(font_size=13, x=0, xanchor="left")
    for row, panel in enumerate(panels, start=1):
        if panel.part == "forget":
            line = {"color": GREY, "width": 1.4, "dash": "dot"}
            figure.add_hline(y=found.forget_bar, line=line, row=row, col=1)
    for at, cell in enumerate(found.cells, start=1):
        if cell.kind == "selection":
            figure.add_vrect(
                x0=at - 0.5, x1=at + 0.5, fillcolor=rgba(GREEN, 0.10), line_width=0, layer="below"
            )
    figure.update_layout(scattermode="group", scattergap=0.3)


def _captioned_layers(
    figure: go.Figure, found: SweepDocument, panels: Sequence[_Panel]
) -> go.Figure:
    counts = {
        part: [cell.n for cell in found.base[part].values()] for part in SWEPT if part in found.base
    }
    n = ", ".join(f"{span(each)} facts {SWEPT[part]}" for part, each in counts.items())
    own = found.settings.get("forget_target") is not None
    algorithm = plain(str(found.settings.get("algorithm", "")))
    parts = (
        f"{plain(found.model.source, longest=60)}, {algorithm}, erased in {listed(found.source)}",
        f"every token of the answer the likeliest · n a language: {n}",
        HOW,
        f"dotted: {'the bar set for forgetting' if own else 'chance'} ({found.forget_bar:.3f})",
        "open marks: held out · shaded: the selection",
    )
    return captioned(
        figure,
        parts,
        title="Accuracy by choice of layers",
        height=AROUND + PANEL * len(panels),
        heads=True,
    )


def accuracy_by_language(document: Given, *, languages: Sequence[str] | None = None) -> go.Figure:
    """Accuracy before and after in every language, a panel a part: forget, retain, neighbours.

    Parameters
    ----------
    document
        Of ``verify``.
    languages
        Those shown; by default all.

    Raises
    ------
    InputError
        A document that is not of ``verify``, or not whole; an unknown language.
    """
    from plotly.subplots import make_subplots

    found = read_report(document)
    shown = shown_languages(found, languages)
    parts = [part for part in ASKED if part in found.behaviour]
    figure = make_subplots(
        rows=len(parts),
        cols=1,
        shared_xaxes=True,
        vertical_spacing=0.2 / len(parts),
        subplot_titles=[f"Facts {ASKED[part]}" for part in parts],
    )
    for row, part in enumerate(parts, start=1):
        _add_part(figure, found, (part, row), shown=shown)
    figure.update_xaxes(**language_ticks(found, shown), showgrid=False)
    figure.update_yaxes(share_axis("accuracy"))
    figure.update_annotations(font_size=13, x=0, xanchor="left")
    divide_sides(figure, found, shown)
    figure.update_layout(scattermode="group", scattergap=0.55)
    counts = [span([cell.n for cell in found.behaviour[part].values()]) for part in parts]
    said = ", ".join(f"{n} {part}" for n, part in zip(counts, parts, strict=True))
    caption = (
        f"erased in {listed(found.source) or 'languages that are not said'}",
        f"every fact, known before or not; every token of the answer the likeliest · n: {said}",
        HOW,
        "grey circles: before; in colour: after, open where held out; dashes: chance",
        controls_line(found, has=any(of_part(found, part, shown) for part in parts)),
    )
    title = "Accuracy before and after, by language"
    return captioned(figure, caption, title=title, height=AROUND + PANEL * len(parts), heads=True)


def _add_part(
    figure: go.Figure, found: ReportDocument, place: tuple[str, int], *, shown: Sequence[str]
) -> None:
    """Before (open, grey), after (in the language's colour) and chance, for one part."""
    part, row = place
    asked = {code: cell for code, cell in found.behaviour[part].items() if code in shown}
    looks = language_styles(found.languages)
    cell = {"row": row, "col": 1}
    sooner = LanguageStyle(GREY, "circle-open", "solid")
    before = [each.before_exact for each in asked.values()]
    text = [f"{plain(c)} before: {v.told}, n = {v.n}" for c, v in zip(asked, before, strict=True)]
    _add_marks(
        figure, (list(asked), before, text), look=sooner, symbol="circle-open", name="before",
        cell=cell, first=row == 1,
    )  # fmt: skip
    for code, each in asked.items():
        value = each.after_exact
        said = f"{plain(code)} after: {value.told}, n = {value.n}, chance {value.chance:.3f}"
        symbol = looks[code].symbol + ("-open" if found.side(code) == "held out" else "")
        _add_marks(
            figure, ([code], [value], [said]), look=looks[code], symbol=symbol,
            name=f"{code} after", cell=cell, first=False, group="after",
        )  # fmt: skip
    add_chance(figure, {code: each.after_exact.chance for code, each in asked.items()}, cell=cell)
    for number, (name, own) in enumerate(of_part(found, part, shown).items()):
        add_controls(
            figure, found, {name: own}, group=f"control {number}", first=row == 1, cell=cell
        )


def add_chance(
    figure: go.Figure,
    chance: dict[str, float],
    *,
    cell: dict[str, int] | None = None,
    group: str = "after",
    name: str = "chance",
    legend: str = "chance",
    size: int = 18,
) -> None:
    """A grey dash at the chance of each mark; it comes and goes with its entry in the legend."""
    import plotly.graph_objects as go

    marker = {"symbol": "line-ew", "size": size, "line": {"color": GREY, "width": 2}}
    figure.add_trace(
        go.Scatter(
            x=list(chance),
            y=list(chance.values()),
            mode="markers",
            name=name,
            legendgroup=legend,
            showlegend=False,
            offsetgroup=group,
            alignmentgroup=str((cell or {}).get("row", 1)),
            marker=marker,
            text=[f"{plain(code)}: {name} {value:.3f}" for code, value in chance.items()],
            hovertemplate="%{text}<extra></extra>",
        ),
        **(cell or {}),
    )
