"""A corpus as a small HTML table, for notebooks. Costs one pass over the lengths of the texts."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from probekit.corpora.languages import language_info

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from probekit.corpora.missing import Dropped

_HEADER = ("code", "language", "script", "direction", "units", "mean length (characters)")


def corpus_html(
    name: str, texts: Mapping[str, tuple[str, ...]], *, labels: Iterable[str], dropped: Dropped
) -> str:
    """One row per language: name, script, direction, units, mean length in code points."""
    head = "".join(f"<th>{title}</th>" for title in _HEADER)
    rows = "".join(_row(code, column) for code, column in texts.items())
    n_units = len(next(iter(texts.values())))
    caption = f"{name}: {n_units} units × {len(texts)} languages"
    if named := ", ".join(labels):
        caption += f"; labels: {named}"
    if dropped:
        caption += f"; {dropped.summary()}"
    return (
        f"<table><caption>{escape(caption)}</caption>"
        f"<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
    )


def _row(code: str, column: tuple[str, ...]) -> str:
    info = language_info(code)
    mean = sum(map(len, column)) / len(column)
    cells = (code, info.name, info.script, info.direction, str(len(column)), f"{mean:.1f}")
    return "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in cells) + "</tr>"
