"""One look per language, the same in every figure: a colour, and a marker and dash beside it.

Twelve hues are as many as anybody tells apart, colour-blind readers fewer; so each language also
has a marker and a dash, and no two languages of a run share all three (up to 96 languages).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from zlib import crc32

if TYPE_CHECKING:
    from collections.abc import Iterable

#: Hues of Okabe & Ito (2008), then of Tol's "muted" set, darkest of each family first.
PALETTE = (
    "#0072B2",
    "#E69F00",
    "#CC79A7",
    "#56B4E9",
    "#D55E00",
    "#009E73",
    "#882255",
    "#999933",
    "#332288",
    "#44AA99",
    "#AA4499",
    "#8C564B",
)
MARKERS = ("circle", "diamond", "square", "triangle-up", "cross", "x", "star", "triangle-down")
DASHES = ("solid", "dash", "dot", "dashdot")

#: Languages whose colour never depends on who else is in the run, in the order of the palette.
_FIRST = ("en", "es", "fr", "de", "ru", "zh", "ja", "ar", "hi", "tr", "id", "sw")
_SLOTS = len(PALETTE) * len(MARKERS)


@dataclass(frozen=True)
class LanguageStyle:
    """How a language is drawn.

    Attributes
    ----------
    colour
        ``#RRGGBB``.
    symbol, dash
        Plotly's names of a marker and of a line dash.
    """

    colour: str
    symbol: str
    dash: str


def language_styles(codes: Iterable[str]) -> dict[str, LanguageStyle]:
    """Code → style. Give all languages of a run, not those on screen: then no style ever changes.

    The commonest languages have a colour of their own; the others take the slot of a checksum of
    their code, or the next free one.
    """
    codes = tuple(codes)
    taken: dict[int, str] = {}
    for code in sorted(codes, key=lambda code: (code not in _FIRST, code)):
        slot = _FIRST.index(code) if code in _FIRST else crc32(code.encode()) % _SLOTS
        while slot in taken and len(taken) < _SLOTS:
            slot = (slot + 1) % _SLOTS
        taken[slot] = code
    slots = {code: slot for slot, code in taken.items()}
    return {code: _style(slots.get(code, 0)) for code in codes}


def _style(slot: int) -> LanguageStyle:
    """Slots count hues first, then markers; so neighbours differ in hue."""
    turn, hue = divmod(slot, len(PALETTE))
    return LanguageStyle(PALETTE[hue], MARKERS[(turn + hue) % len(MARKERS)], DASHES[turn % 4])
