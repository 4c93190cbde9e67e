"""Matrices of an erasure: from the languages erased in to those asked in, and after relearning.

Each takes what ``verify`` wrote, as a mapping or as its ``Report``. Colours turn at chance:
blue is still known.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from probekit.figures.cells import end_of, interval
from probekit.figures.erasure_document import ReportDocument, read_report
from probekit.figures.erasure_parts import (
    HOW,
    captioned,
    divide_sides,
    language_ticks,
    listed,
    not_run,
    shown_languages,
    span,
)
from probekit.figures.erasure_values import Share
from probekit.figures.scales import null_scale
from probekit.figures.text import plain

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import plotly.graph_objects as go

    from probekit.figures.erasure_document import Given

__all__ = ["relearning", "source_to_target"]

ROW, AROUND = 46, 190
Rows = dict[str, "Mapping[str, Share]"]


def source_to_target(document: Given, *, languages: Sequence[str] | None = None) -> go.Figure:
    """What is answered in every language before and after erasing in the source languages.

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
    found = read_report(document)
    shown = shown_languages(found, languages)
    cells = {code: found.matrix.row[code] for code in shown if code in found.matrix.row}
    where = f"erased in {listed(found.source, most=4)}" if found.source else "erased"
    rows: Rows = {
        "before": {code: cell.before_exact for code, cell in cells.items()},
        where: {code: cell.after_exact for code, cell in cells.items()},
        f"{where},<br>facts known before": {
            code: cell.kept for code, cell in cells.items() if cell.kept is not None
        },
    }
    caption = ("facts to forget, every token of the answer the likeliest", *_said(rows))
    title = "From the languages erased in to those asked in"
    return _table(found, rows, shown=shown, words=(title, "answered"), caption=caption)


def relearning(document: Given, *, languages: Sequence[str] | None = None) -> go.Figure:
    """Known facts that are answered again after relearning *other* facts, by language of both.

    Parameters
    ----------
    document
        Of ``verify``.
    languages
        Those asked in that are shown; by default all.

    Raises
    ------
    InputError
        A document that is not of ``verify``, or not whole; an unknown language.
    """
    title = "Relearnt in one language, asked in another"
    found = read_report(document)
    shown = shown_languages(found, languages)
    if "relearn" not in found.attacks:
        return not_run(title, found.why_not("relearn"))
    forget = found.behaviour["forget"]
    asked = {code: kept for code in shown if (kept := forget[code].kept) is not None}
    rows: Rows = {"not relearnt": asked}
    for code, row in found.attacks["relearn"].matrix.items():
        rows[f"relearnt in {plain(code)}"] = {c: row[c] for c in shown if c in row}
    caption = ("of facts to forget that the base answers; other facts were relearnt", *_said(rows))
    return _table(found, rows, shown=shown, words=(title, "answered"), caption=caption)


def matrix_height(n_rows: int) -> int:
    """Pixels that so many rows take."""
    return AROUND + ROW * n_rows


def _said(rows: Rows) -> tuple[str, ...]:
    shares = [share for row in rows.values() for share in row.values()]
    chance = [share.chance for share in shares]
    return (
        f"n = {span([share.n for share in shares])}",
        HOW + " (hover)",
        f"colours turn at chance ({np.mean(chance):.3f}): blue above, red below" if chance else "",
    )


def _table(
    found: ReportDocument,
    rows: Rows,
    *,
    shown: Sequence[str],
    words: tuple[str, str],
    caption: Sequence[str],
) -> go.Figure:
    """Shares as a heatmap: a row a condition, a column a language; empty where nothing is known."""
    import plotly.graph_objects as go

    shares = [[row.get(code) for code in shown] for row in rows.values()]
    chance = [each.chance for row in shares for each in row if each is not None]
    if not chance:
        return not_run(words[0], "the base knows none of these facts")
    names = [name.replace("<br>", " ") for name in rows]
    text = [
        [_told(name, code, share) for code, share in zip(shown, row, strict=True)]
        for name, row in zip(names, shares, strict=True)
    ]
    figure = go.Figure(
        go.Heatmap(
            z=[[None if share is None else share.value for share in row] for row in shares],
            x=list(shown),
            y=names,
            text=text,
            meta=interval(end_of(shares, "low"), end_of(shares, "high")),
            texttemplate="%{z:.2f}",
            hovertemplate="%{text}<extra></extra>",
            xgap=1,
            ygap=1,
            colorbar={"title": words[1]},
            **null_scale(0.0, 1.0, null=float(np.mean(chance))),
        )
    )
    figure.update_xaxes(**language_ticks(found, shown), showgrid=False)
    figure.update_yaxes(
        autorange="reversed", showgrid=False, type="category", tickmode="array",
        tickvals=names, ticktext=list(rows),
    )  # fmt: skip
    divide_sides(figure, found, shown)
    figure = captioned(figure, caption, title=words[0], height=matrix_height(len(rows)))
    figure.update_layout(margin={"l": 150})
    return figure


def _told(name: str, code: str, share: Share | None) -> str:
    if share is None:
        return f"{plain(code)}, {name}: the base knows none of the facts"
    tail = "" if share.above else "; does not beat chance"
    about = f"n = {share.n}, chance {share.chance:.3f}, p = {share.p_value:.2g}"
    return f"{plain(code)}, {name}: {share.told}, {about}{tail}"
