"""The region of a figure over layers: a band behind curves, an outline on cells, and the words.

A band alone does not say whose it is; so a region carries the words, and a figure that is styled
with one says them in its caption.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import plotly.graph_objects as go

#: The green of ``theme``, faint. An outline is black within white, which any cell lets see; by
#: name, for no theme of the workbench turns those.
_BAND = {"fillcolor": "rgba(0,158,115,0.10)", "line_width": 0, "layer": "below"}
_OUTLINES = tuple(
    {
        "fillcolor": "rgba(0,0,0,0)",
        "line": {"color": colour, "width": width},
        "layer": "above",
    }
    for colour, width in (("white", 4), ("black", 1.5))
)


class Region(tuple[int, ...]):
    """Blocks, and the words that say whose they are.

    Attributes
    ----------
    whose
        As it follows the blocks in a caption.
    """

    whose: str = "the selected region"

    @classmethod
    def of(cls, blocks: Iterable[int], whose: str) -> Region:
        """Blocks with their words, which plotly must be able to show."""
        found = cls(blocks)
        found.whose = whose
        return found


def add_region(figure: go.Figure, region: Sequence[int]) -> None:
    """The blocks of a region in every panel that is drawn: a band, or an outline where cells are.

    Call it when the traces are there.
    """
    for look in _OUTLINES if _has_cells(figure) else (_BAND,):
        for start, stop in runs_of(region):
            figure.add_vrect(x0=start - 0.5, x1=stop + 0.5, **look)


def region_words(figure: go.Figure, region: Sequence[int]) -> str:
    """``shaded: blocks 3–5, the region of …``; nothing where there is no region."""
    if not region:
        return ""
    runs = [f"{a}" if a == b else f"{a}–{b}" for a, b in runs_of(region)]
    whose = region.whose if isinstance(region, Region) else Region.whose
    look = "outlined" if _has_cells(figure) else "shaded"
    many = "s" if len(region) > 1 else ""
    return f"{look}: block{many} {', '.join(runs)}, {whose}"


def runs_of(layers: Sequence[int]) -> list[tuple[int, int]]:
    """Consecutive runs: ``[3, 4, 7] → [(3, 4), (7, 7)]``."""
    found: list[tuple[int, int]] = []
    for layer in sorted(layers):
        if found and layer == found[-1][1] + 1:
            found[-1] = (found[-1][0], layer)
        else:
            found.append((layer, layer))
    return found


def _has_cells(figure: go.Figure) -> bool:
    """Whether what is drawn would hide a band behind it."""
    return any(
        trace.type == "heatmap" or getattr(trace, "stackgroup", None) for trace in figure.data
    )
