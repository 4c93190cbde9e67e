"""A corpus as HTML for notebooks: its languages, its first units, labels, what was dropped.

Costs one pass over the lengths of the texts. Colours come from the notebook's own theme.
"""

from __future__ import annotations

from collections import Counter
from html import escape
from typing import TYPE_CHECKING

from probekit.corpora.languages import language_info

if TYPE_CHECKING:
    from collections.abc import Sequence

    from probekit.corpora.corpus import ParallelCorpus

MOST_LANGUAGES = 40
MOST_UNITS = 3
MOST_VALUES = 6
_CLIP = 72  # code points of a text that are shown

_HEADER = ("code", "language", "script", "direction", "mean length")
_CELL = "text-align:left;vertical-align:top"
_TEXT = "text-align:start;vertical-align:top;min-width:12em;max-width:22em;white-space:normal"


def corpus_html(corpus: ParallelCorpus) -> str:
    """One row per language: names, script, direction, mean length in code points, first units."""
    shown = corpus.languages[:MOST_LANGUAGES]
    units = range(min(MOST_UNITS, corpus.n_units))
    head = "".join(f'<th style="{_CELL}">{title}</th>' for title in _HEADER)
    head += "".join(
        f'<th style="{_CELL}">unit <bdi>{escape(corpus.units[unit])}</bdi></th>' for unit in units
    )
    rows = "".join(_row(code, corpus.texts[code], n_shown=len(units)) for code in shown)
    caption = f"{corpus.n_units} units × {len(corpus.languages)} languages"
    return (
        f"<div><p><strong><bdi>{escape(corpus.name)}</bdi></strong>: {caption}</p>"
        f'<div style="overflow-x:auto"><table><thead><tr>{head}</tr></thead>'
        f"<tbody>{rows}</tbody></table></div>{_notes(corpus)}</div>"
    )


def _row(code: str, column: Sequence[str], *, n_shown: int) -> str:
    info = language_info(code)
    mean = sum(map(len, column)) / len(column)
    names = info.name if info.autonym == info.name else f"{info.name} · {info.autonym}"
    cells = (code, names, info.script, info.direction, f"{mean:.1f}")
    plain = "".join(f'<td style="{_CELL}"><bdi>{escape(cell)}</bdi></td>' for cell in cells)
    texts = "".join(
        f'<td dir="auto" lang="{escape(code)}" style="{_TEXT}">{escape(_clipped(text))}</td>'
        for text in column[:n_shown]
    )
    return f"<tr>{plain}{texts}</tr>"


def _clipped(text: str) -> str:
    """The beginning of a text, cut at a space where one is near the end."""
    if len(text) <= _CLIP:
        return text
    kept = text[:_CLIP]
    cut = kept.rfind(" ", _CLIP // 2)
    return f"{kept[:cut] if cut > 0 else kept}…"


def _notes(corpus: ParallelCorpus) -> str:
    """Further languages, labels, entities, what was dropped, provenance: one line each."""
    more = corpus.languages[MOST_LANGUAGES:]
    lines = [_said(f"{len(more)} more languages", ", ".join(more))] if more else []
    lines += [_said(f"label {name}", _values(column)) for name, column in corpus.labels.items()]
    if corpus.entities:
        counts = {code: sum(map(len, column)) for code, column in corpus.entities.items()}
        named = ", ".join(f"{code} {count}" for code, count in counts.items())
        lines.append(_said("named entities", named))
    if corpus.dropped:
        lines.append(f"<li>{escape(corpus.dropped.summary())}</li>")
    if corpus.provenance:
        lines.append(_said("from", corpus.provenance))
    return f"<ul>{''.join(lines)}</ul>" if lines else ""


def _said(what: str, value: str) -> str:
    return f"<li><strong><bdi>{escape(what)}</bdi></strong>: <bdi>{escape(value)}</bdi></li>"


def _values(column: Sequence[str]) -> str:
    """How many units carry each value, commonest first."""
    counts = Counter(column)
    said = ", ".join(f"{value} {count}" for value, count in counts.most_common(MOST_VALUES))
    left = len(counts) - MOST_VALUES
    return f"{said} and {left} more values" if left > 0 else said
