"""An experiment as rows of text: what is left at each place, and the selection against the others.

Rows are plain values; the shares are those of ``Outcome``. No plot.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from probekit.figures.erasure_document import read_experiment
from probekit.figures.lines import runs_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from probekit.figures.erasure_document import Given

__all__ = ["COLUMNS", "CONTRASTS", "contrast_rows", "place_rows"]

#: Field → heading.
COLUMNS: dict[str, str] = {
    "algorithm": "Algorithm",
    "source": "Erased in",
    "place": "Place",
    "blocks": "Blocks",
    "forget_source": "To forget, source",
    "forget_held_out": "To forget, held out",
    "carried": "Carried over",
    "retain_source": "To retain, source",
    "retain_held_out": "To retain, held out",
    "stopped": "Stopped by",
    "words": "Verdicts",
}
CONTRASTS: dict[str, str] = {
    "algorithm": "Algorithm",
    "source": "Erased in",
    "against": "Selection minus",
    "forget_held_out": "To forget, held out",
    "retain_held_out": "To retain, held out",
}
_SHARES = ("forget_source", "forget_held_out", "retain_source", "retain_held_out")
MOST_BLOCKS = 4


def place_rows(document: Given) -> list[dict[str, str]]:
    """A row an algorithm, source and place, under ``COLUMNS``.

    Raises
    ------
    InputError
        A document that is not of ``experiment``, or not whole.
    """
    return [_row(row) for row in read_experiment(document).rows]


def _row(row: Mapping[str, Any]) -> dict[str, str]:
    shares = {name: _share(row[name]) for name in _SHARES}
    found = {
        "algorithm": row["algorithm"],
        "source": "+".join(row["source"]),
        "place": row["place"],
        "blocks": "; ".join(dict.fromkeys(_blocks(blocks) for blocks in row["blocks"])),
        "carried": _ratio(row["carried"]),
        "stopped": ", ".join(dict.fromkeys(each.replace("_", " ") for each in row["stopped"])),
        "words": _words(row["words"]),
        **shares,
    }
    return {name: found[name] for name in COLUMNS}


def contrast_rows(document: Given) -> list[dict[str, str]]:
    """A row a place that stands beside the selection, under ``CONTRASTS``.

    Raises
    ------
    InputError
        A document that is not of ``experiment``, or not whole.
    """
    return [
        {
            "algorithm": row["algorithm"],
            "source": "+".join(row["source"]),
            "against": row["against"],
            "forget_held_out": _gap(row["forget_held_out"]),
            "retain_held_out": _gap(row["retain_held_out"]),
        }
        for row in read_experiment(document).contrasts
    ]


def _blocks(blocks: Sequence[int]) -> str:
    """``11–13``, or how many where they lie far apart."""
    stretches = runs_of(blocks)
    if len(stretches) > MOST_BLOCKS:
        return f"{len(blocks)} blocks"
    return ", ".join(str(a) if a == b else f"{a}–{b}" for a, b in stretches)


def _share(cell: Mapping[str, Any] | None) -> str:
    return (
        "none known"
        if cell is None
        else f"{cell['share']:.2f} [{cell['low']:.2f}, {cell['high']:.2f}]"
    )


def _ratio(cell: Mapping[str, float] | None) -> str:
    return (
        "too little fell"
        if cell is None
        else f"{cell['ratio']:.2f} [{cell['low']:.2f}, {cell['high']:.2f}]"
    )


def _gap(cell: Mapping[str, float] | None) -> str:
    return (
        "none known"
        if cell is None
        else f"{cell['difference']:+.2f} [{cell['low']:+.2f}, {cell['high']:+.2f}]"
    )


def _words(words: Mapping[str, Mapping[str, int]]) -> str:
    """``source: erased; held out: suppressed × 2`` of the arms that were verified."""
    said = []
    for side, counts in sorted(words.items(), reverse=True):
        each = [word if n == 1 else f"{word} × {n}" for word, n in counts.items()]
        said.append(f"{side.replace('_', ' ')}: {', '.join(each)}")
    return "; ".join(said)
