"""Figures of attacks on an erasure: each beside its chance, and the answer inside, by block.

Each takes what ``verify`` wrote, as a mapping or as its ``Report``; an attack that was not run has
no mark, and a figure of nothing else says so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from probekit.figures.erasure import add_chance
from probekit.figures.erasure_beside import add_curves, add_marks, controls_line, of_attack
from probekit.figures.erasure_document import ReportDocument, read_report
from probekit.figures.erasure_parts import (
    HOW,
    captioned,
    divide_sides,
    interval,
    language_ticks,
    not_run,
    share_axis,
    shown_languages,
    span,
)
from probekit.figures.erasure_values import Share
from probekit.figures.languages import PALETTE, language_styles
from probekit.figures.lines import add_curve, add_level, runs_of
from probekit.figures.text import plain
from probekit.figures.theme import GREY, INK, rgba

if TYPE_CHECKING:
    from collections.abc import Sequence

    import plotly.graph_objects as go

    from probekit.figures.erasure_document import Given

__all__ = ["ATTACKS", "attacks_by_language", "lens_recall"]

#: Attack → words, colour, marker. ``asked`` is no attack: the plain question.
ATTACKS: dict[str, tuple[str, str, str]] = {
    "asked": ("asked plainly", INK, "circle"),
    "choices": ("ranked first among choices", "#0072B2", "square"),
    "paraphrase": ("asked in other words", "#E69F00", "diamond"),
    "language": ("answered in another language", "#009E73", "triangle-up"),
    "lens": ("logit lens", "#D55E00", "cross"),
    "probe": ("linear probe", "#CC79A7", "x"),
    "relearn": ("relearnt on other facts", "#56B4E9", "star"),
    "rounding": ("rounded weights", "#882255", "triangle-down"),
}
COLUMNS, PANEL = 4, 150
MOST_TICKS = 7


def words_of(attack: str) -> str:
    """An attack in words; its own name where it is new."""
    return ATTACKS.get(attack, (plain(attack), "", ""))[0]


def attacks_by_language(document: Given, *, languages: Sequence[str] | None = None) -> go.Figure:
    """Success of every attack that was run, with interval and chance, language by language.

    A full mark beats chance (one-sided, 5 % for all attacks of a language together); the best
    attack of a language is larger.

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
    import plotly.graph_objects as go

    title = "Attacks by language"
    found = read_report(document)
    shown = shown_languages(found, languages)
    tried = _tried(found, shown)
    if not any(tried.values()):
        return not_run(title, "the base knows none of these facts")
    figure, told = go.Figure(), set[str]()
    for number, (name, cells) in enumerate(tried.items()):
        _add_attack(figure, found, (name, number), cells=cells)
        beside = of_attack(found, name, shown)
        for control, own in beside.items():
            first = control not in told
            add_marks(figure, found, {control: own}, group=f"{name}, controls", first=first)
        told |= set(beside)
    figure.update_xaxes(**language_ticks(found, shown), showgrid=False)
    figure.update_yaxes(share_axis("share of known facts recovered"))
    divide_sides(figure, found, shown)
    figure.update_layout(scattermode="group", scattergap=0.35)
    counts = [cell.n for cells in tried.values() for cell in cells.values()]
    skipped = [f"{plain(name)} ({plain(why)})" for name, why in found.skipped.items()]
    caption = (
        f"of facts to forget that the base answers: n = {span(counts)}",
        HOW,
        "full: beats its chance (grey dash), one-sided, 5 % for all attacks of a language together",
        "large: the best attack",
        controls_line(found, has=bool(told)),
        f"not run: {', '.join(skipped)}" if skipped else "",
    )
    return captioned(figure, caption, title=title, height=430)


def _tried(found: ReportDocument, shown: Sequence[str]) -> dict[str, dict[str, Share]]:
    """The plain question, then every attack that was run: language → share."""
    forget = found.behaviour["forget"]
    asked = {code: kept for code in shown if (kept := forget[code].kept) is not None}
    ran = {
        name: {code: attack.by_language[code] for code in shown if code in attack.by_language}
        for name, attack in found.attacks.items()
    }
    return {"asked": asked, **ran}


def _add_attack(
    figure: go.Figure, found: ReportDocument, place: tuple[str, int], *, cells: dict[str, Share]
) -> None:
    """A mark a language in the attack's own place, and a dash at its chance."""
    import plotly.graph_objects as go

    name, number = place
    spare = (plain(name), PALETTE[number % len(PALETTE)], "hexagon")
    words, colour, symbol = ATTACKS.get(name, spare)
    full = {code: _beats(found, name, code) for code in cells}
    best = {code: (judged := found.verdicts[code].best_attack) is not None and judged.name == name
            for code in cells}  # fmt: skip
    add_chance(
        figure,
        {code: cell.chance for code, cell in cells.items()},
        group=name,
        name=f"chance of {plain(name)}",
        legend=name,
        size=11,
    )
    text = [
        f"{plain(code)}, {words}: {cell.told}, n = {cell.n}, chance {cell.chance:.3f}, "
        f"p = {cell.p_value:.2g}{'' if full[code] else '; does not beat chance'}"
        for code, cell in cells.items()
    ]
    marker = {
        "color": colour,
        "symbol": [symbol if full[code] else f"{symbol}-open" for code in cells],
        "opacity": 1,
        "size": [11 if best[code] else 7.5 for code in cells],
        "line": {"width": 1.6, "color": colour},
    }
    figure.add_trace(
        go.Scatter(
            x=list(cells),
            y=[cell.value for cell in cells.values()],
            error_y={**interval(list(cells.values())), "color": colour},
            mode="markers",
            name=plain(name),
            legendgroup=name,
            offsetgroup=name,
            alignmentgroup="1",
            marker=marker,
            text=text,
            hovertemplate="%{text}<extra></extra>",
        )
    )


def _beats(found: ReportDocument, name: str, code: str) -> bool:
    """Whether a mark is full: by the verdict's own rule, which pays for several attacks."""
    judged, kept = found.verdicts[code], found.behaviour["forget"][code].kept
    return bool(kept and kept.above) if name == "asked" else name in judged.recovered_by


def lens_recall(document: Given, *, languages: Sequence[str] | None = None) -> go.Figure:
    """Share of known facts whose answer ranks first in a block, before and after, by language.

    Blocks are decoded with the base's final norm and unembedding; shaded are those that the attack
    tried.

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

    title, found = "The answer inside, by block", read_report(document)
    if "lens" not in found.attacks:
        return not_run(title, found.why_not("lens"))
    lens = found.attacks["lens"]
    shown = tuple(code for code in shown_languages(found, languages) if code in lens.recall)
    if not shown:
        return not_run(title, "the base knows none of these facts")
    rows = lens_rows(len(shown))
    figure = make_subplots(
        rows=rows,
        cols=min(COLUMNS, len(shown)),
        shared_xaxes="all",
        shared_yaxes="all",
        vertical_spacing=0.24 / rows,
        horizontal_spacing=0.025,
        subplot_titles=[_heading(found, code) for code in shown],
    )
    for at, code in enumerate(shown):
        _add_recall(figure, found, code, at=at)
    _dress_lens(figure, found, shown)
    counts = [share.n for code in shown for share in lens.recall[code].after]
    caption = (
        f"of facts to forget that the base answers: n = {span(counts)}",
        "decoded with the base's norm and unembedding",
        HOW,
        "shaded: blocks that the attack tried, chosen on other facts",
        controls_line(found, has=_has_curves(found), mark="thin grey dashes"),
    )
    return captioned(figure, caption, title=title, height=180 + PANEL * rows, heads=True)


def _has_curves(found: ReportDocument) -> bool:
    return any(each.lens is not None for each in found.controls.values())


def lens_rows(n_languages: int) -> int:
    """Rows of panels that so many languages take."""
    return max(1, -(-n_languages // COLUMNS))


def _heading(found: ReportDocument, code: str) -> str:
    side = found.side(code)
    return f"{plain(code)}, {side}" if side else plain(code)


def _add_recall(figure: go.Figure, found: ReportDocument, code: str, *, at: int) -> None:
    """A panel: before in grey, after in the language's colour, chance dotted, blocks shaded."""
    cell = {"row": at // COLUMNS + 1, "col": at % COLUMNS + 1}
    lens, look = found.attacks["lens"], language_styles(found.languages)[code]
    recall = lens.recall[code]
    add_curves(figure, found, code, cell=cell, first=at == 0)
    for name, shares, colour in (
        ("before", recall.before, GREY),
        ("after", recall.after, look.colour),
    ):
        first = len(figure.data)
        add_curve(
            figure, list(range(len(shares))), np.array([each.value for each in shares]),
            name=name, colour=colour, n=shares[0].n if shares else None, cell=cell,
            interval=_ends(shares),
        )  # fmt: skip
        curve = figure.data[-1]
        curve.update(
            legendgroup=name,
            showlegend=at == 0,
            hovertemplate=f"{plain(code)} {name}, block %{{x}}: %{{text}}<extra></extra>",
        )
        figure.data[first].update(legendgroup=name)
    chance = np.array([each.chance for each in recall.after])
    add_level(figure, list(range(len(chance))), chance, name="chance", cell=cell)
    figure.data[-1].update(legendgroup="chance", showlegend=at == 0, hoverinfo="skip")
    for start, stop in runs_of(lens.blocks):
        figure.add_vrect(
            x0=start - 0.5, x1=stop + 0.5, fillcolor=rgba(GREY, 0.14), line_width=0,
            layer="below", **cell,
        )  # fmt: skip


def _ends(shares: Sequence[Share]) -> tuple[Any, Any]:
    return np.array([each.low for each in shares]), np.array([each.high for each in shares])


def _dress_lens(figure: go.Figure, found: ReportDocument, shown: Sequence[str]) -> None:
    lens = found.attacks["lens"]
    n_blocks = max(len(each.after) for each in lens.recall.values())
    step = max(1, -(-n_blocks // MOST_TICKS))
    figure.update_xaxes(
        tickmode="array", tickvals=list(range(0, n_blocks, step)), range=[-0.5, n_blocks - 0.5],
        zeroline=False,
    )  # fmt: skip
    figure.update_yaxes({**share_axis(""), "title": None})
    figure.update_annotations(font_size=13)
    for at in range(len(shown)):
        row, column = at // COLUMNS + 1, at % COLUMNS + 1
        last = at + COLUMNS >= len(shown)
        figure.update_xaxes(
            title="block" if last else None, showticklabels=last, row=row, col=column
        )
        if column == 1:
            figure.update_yaxes(title="recall", row=row, col=1)
