"""A run as HTML: what was read, what was measured, its region, and its table by layer.

Costs the default rule once while the run is open: half a second for a large run.
"""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from probekit.runs.run import Run


def run_html(run: Run) -> str:
    """One line on the run, its analyses, the default rule's answer, and a row a layer."""
    table = run.table() if "cka" in run.results.children else []
    head = "".join(f"<th>{escape(name)}</th>" for name in (table[0] if table else ()))
    rows = "".join(
        "<tr>" + "".join(f"<td>{_cell(value)}</td>" for value in row.values()) + "</tr>"
        for row in table
    )
    lines = (repr(run), f"analyses: {', '.join(run.analyses)}", f"region: {_region(run)}")
    said = "<br>".join(escape(line) for line in lines)
    return f"<p>{said}</p>" + (f"<table><tr>{head}</tr>{rows}</table>" if table else "")


def _cell(value: float) -> str:
    return f"{value:.3f}" if isinstance(value, float) else str(value)


def _region(run: Run) -> str:
    """The blocks that figures mark, and whose they are."""
    found = run.plot.region()
    if not found:
        return "none: the default rule refuses, or reads what the run has not"
    many = "s" if len(found) > 1 else ""
    return f"block{many} {', '.join(map(str, found))}, {found.whose}"
