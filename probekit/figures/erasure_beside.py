"""Controls in figures of a verification: hollow grey marks and thin curves beside the erased model.

A control is the same base erased elsewhere; its numbers are those of the document, nothing is
measured.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from probekit.figures.erasure_parts import interval
from probekit.figures.lines import add_curve
from probekit.figures.text import plain
from probekit.figures.theme import rgba

if TYPE_CHECKING:
    from collections.abc import Sequence

    import plotly.graph_objects as go

    from probekit.figures.erasure_document import ReportDocument
    from probekit.figures.erasure_values import Share

__all__ = ["add_curves", "add_marks", "controls_line", "of_attack", "of_part"]

COLOUR = "#8A8A8A"
#: One a control, none of them the circle of the base; from the eighth on they come again.
SYMBOLS = (
    "diamond", "square", "triangle-up", "pentagon", "hexagon", "star", "triangle-down",
)  # fmt: skip
Cells = dict[str, dict[str, "Share"]]


def of_attack(found: ReportDocument, attack: str, shown: Sequence[str]) -> Cells:
    """Success of an attack by control and language; of ``asked`` what is still answered."""
    tables = {
        name: each.kept["forget"] if attack == "asked" else each.attacks.get(attack, {})
        for name, each in found.controls.items()
    }
    return _some(tables, shown)


def of_part(found: ReportDocument, part: str, shown: Sequence[str]) -> Cells:
    """Accuracy on all facts of a part, by control and language."""
    return _some({name: each.after.get(part, {}) for name, each in found.controls.items()}, shown)


def _some(tables: Cells, shown: Sequence[str]) -> Cells:
    kept = {
        name: {code: table[code] for code in shown if code in table}
        for name, table in tables.items()
    }
    return {name: table for name, table in kept.items() if table}


def add_marks(
    figure: go.Figure,
    found: ReportDocument,
    cells: Cells,
    *,
    group: str,
    first: bool,
    cell: dict[str, int] | None = None,
) -> None:
    """Hollow grey marks with thin whiskers, in a place of their own beside each language's."""
    import plotly.graph_objects as go

    order = list(found.controls)
    for name, table in cells.items():
        shares = list(table.values())
        figure.add_trace(
            go.Scatter(
                x=list(table),
                y=[each.value for each in shares],
                error_y={**interval(shares), "color": rgba(COLOUR, 0.45), "thickness": 1},
                mode="markers",
                name=plain(name),
                legendgroup=f"control {plain(name)}",
                legendrank=2000,
                showlegend=first,
                offsetgroup=group,
                alignmentgroup=str((cell or {}).get("row", 1)),
                marker={
                    "color": COLOUR,
                    "symbol": f"{SYMBOLS[order.index(name) % len(SYMBOLS)]}-open",
                    "size": 6,
                    "line": {"width": 1.1, "color": COLOUR},
                },
                text=[f"{plain(c)}, control {plain(name)}: {_said(s)}" for c, s in table.items()],
                hovertemplate="%{text}<extra></extra>",
            ),
            **(cell or {}),
        )


def _said(share: Share) -> str:
    return f"{share.told}, n = {share.n}, chance {share.chance:.3f}"


def add_curves(
    figure: go.Figure, found: ReportDocument, code: str, *, cell: dict[str, int], first: bool
) -> None:
    """Recall of every control by block, thin and grey; its interval is in the hover."""
    for name, each in found.controls.items():
        recall = None if each.lens is None else each.lens.recall.get(code)
        if recall is None:
            continue
        blocks = list(range(len(recall.success)))
        values = np.array(recall.success)
        add_curve(figure, blocks, values, name=plain(name), colour=COLOUR, dash="dash", cell=cell)
        ends = zip(recall.success, recall.low, recall.high, strict=True)
        figure.data[-1].update(
            legendgroup=f"control {plain(name)}",
            legendrank=2000,
            showlegend=first,
            line={"width": 0.9},
            text=[f"{v:.3f} [{low:.3f}, {high:.3f}], n = {recall.n}" for v, low, high in ends],
            hovertemplate=(
                f"{plain(code)}, control {plain(name)}, block %{{x}}: %{{text}}<extra></extra>"
            ),
        )


def controls_line(found: ReportDocument, *, has: bool, mark: str = "hollow grey") -> str:
    """What a caption says of controls, and of those whose contract is broken."""
    if not found.controls:
        return ""
    if not has:
        return "controls: not in this document"
    broken = [plain(name) for name, each in found.controls.items() if each.broken]
    lost = f" (contract BROKEN: {', '.join(broken)})" if broken else ""
    return f"{mark}: the base erased elsewhere{lost}"
