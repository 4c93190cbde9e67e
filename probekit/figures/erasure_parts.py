"""What figures of erasures share: languages with their side, marks with intervals, captions.

Texts come from a file that anybody may have written: all that plotly would take for markup is
escaped here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from probekit.errors import LanguageError
from probekit.figures.text import plain
from probekit.figures.theme import GREY, style

if TYPE_CHECKING:
    from collections.abc import Sequence

    import plotly.graph_objects as go

    from probekit.figures.erasure_document import Document

LINE = 165
#: Pixels from the axis to the caption: two lines of ticks and a title.
BELOW = 62
HOW = "95 % intervals over facts, Clopper and Pearson's"


def listed(codes: Sequence[str], *, most: int = 12) -> str:
    """Codes in a row; of many the first."""
    shown = [plain(code) for code in codes[:most]]
    return ", ".join([*shown, f"{len(codes) - most} more"] if len(codes) > most else shown)


def shown_languages(found: Document, languages: Sequence[str] | None) -> tuple[str, ...]:
    """The languages asked for in the document's order, sources first; by default all.

    Raises
    ------
    LanguageError
        One that the document does not have.
    """
    if languages is None:
        return found.languages
    unknown = [code for code in languages if code not in found.languages]
    if unknown or not languages:
        got = repr(unknown[0]) if unknown else "none"
        msg = f"languages must be among {', '.join(found.languages)}. Got {got}: correct it."
        raise LanguageError(msg)
    return tuple(code for code in found.languages if code in languages)


def sides(found: Document, shown: Sequence[str]) -> list[tuple[str, tuple[str, ...]]]:
    """Words and languages of each side that has some: source, held out, not said."""
    names = {"source": "source languages", "held out": "held-out languages", "": "languages"}
    kept = {side: tuple(c for c in shown if found.side(c) == side) for side in names}
    return [(names[side], codes) for side, codes in kept.items() if codes]


def language_ticks(found: Document, shown: Sequence[str]) -> dict[str, Any]:
    """An axis of languages; under each whether it was erased in."""
    text = [f"{plain(code)}<br>{found.side(code)}".removesuffix("<br>") for code in shown]
    return {
        "type": "category",
        "categoryorder": "array",
        "categoryarray": list(shown),
        "tickmode": "array",
        "tickvals": list(shown),
        "ticktext": text,
        "range": [-0.5, len(shown) - 0.5],
    }


def divide_sides(figure: go.Figure, found: Document, shown: Sequence[str]) -> None:
    """A line between source and held-out languages, in every panel."""
    at = sum(found.side(code) == "source" for code in shown)
    if 0 < at < len(shown):
        figure.add_vline(x=at - 0.5, line={"color": GREY, "width": 1.2})


def interval(values: Sequence[Any]) -> dict[str, Any]:
    """Whiskers from the low to the high end of each value."""
    return {
        "type": "data",
        "symmetric": False,
        "array": [max(0.0, each.high - each.value) for each in values],
        "arrayminus": [max(0.0, each.value - each.low) for each in values],
        "thickness": 1.6,
        "width": 0,
    }


def share_axis(title: str) -> dict[str, Any]:
    """An axis of shares: a little room beyond 0 and 1, for marks that lie on them."""
    return {"title": title, "range": [-0.04, 1.04], "tickvals": [0, 0.25, 0.5, 0.75, 1]}


def span(values: Sequence[int]) -> str:
    """``16``, or ``14–16`` where they differ."""
    low, high = min(values, default=0), max(values, default=0)
    return str(low) if low == high else f"{low}–{high}"


def captioned(
    figure: go.Figure, parts: Sequence[str], *, title: str, height: int, heads: bool = False
) -> go.Figure:
    """The house look: title, legend, headings and caption each have lines of their own."""
    lines = [""]
    for part in filter(None, parts):
        joined = f"{lines[-1]} · {part}" if lines[-1] else part
        lines = [*lines, part] if len(joined) > LINE else [*lines[:-1], joined]
    caption = "<br>".join(lines)
    figure = style(figure, title=title, caption=caption, height=height, hover="closest")
    figure.layout.annotations[-1].update(yshift=-BELOW, xanchor="left", name="caption")
    figure.update_layout(
        title={"y": 1, "yref": "container", "yanchor": "top", "pad": {"t": 14}},
        legend={"yref": "container", "y": 1 - 40 / height, "yanchor": "top"},
        margin={"t": 96 if heads else 74, "b": BELOW + 18 * len(lines) + 8},
    )
    return figure


def not_run(title: str, why: str) -> go.Figure:
    """An empty figure that says that a check was not run, and why."""
    import plotly.graph_objects as go

    figure = style(
        go.Figure(), title=title, caption=f"not run: {plain(why, longest=200)}", height=150
    )
    figure.update_xaxes(visible=False)
    figure.update_yaxes(visible=False)
    return figure
