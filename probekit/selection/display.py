"""A selection as HTML for notebooks: status, a strip of blocks, and what the answer rests on.

Pure, O(n_blocks). Colours come from the notebook's theme, but for the region's own blue.
"""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from probekit.selection.blocks import describe

if TYPE_CHECKING:
    from collections.abc import Iterable

    from probekit.selection.agreement import Agreement
    from probekit.selection.controls import Control
    from probekit.selection.document import LayerSelection
    from probekit.selection.ranking import RankedBlock

_INSIDE = "background:#2563c9;color:#fff;font-weight:bold"
_OUTSIDE = "background:rgba(128,128,128,.16);color:inherit"
_TARGET = "outline:3px solid #e08a00;outline-offset:1px"
_BLOCK = "flex:1 0 1.9em;max-width:3.2em;padding:.25em 0 0;text-align:center;font-size:.85em"
_BAR = "height:.3em;margin-top:.25em;background:#e08a00"
_CELL = "text-align:left;vertical-align:top;white-space:normal"


def selection_html(found: LayerSelection, headline: str) -> str:
    """Headline, strip of blocks, reasons and warnings; the rest as a table that unfolds."""
    return (
        f"<div><p><strong>{escape(headline)}</strong></p>"
        f"{_strip(found)}{_listed(found.reasons)}"
        f"{_listed(f'Warning: {warning}' for warning in found.warnings)}"
        f"{_facts(found)}{_blocks(found)}</div>"
    )


def _strip(found: LayerSelection) -> str:
    """Every block in order: filled inside the region, framed when it is the target."""
    ranked = sorted(found.ranked, key=lambda each: each.layer)
    cells = "".join(_block(found, each) for each in ranked)
    said = f"region {describe(found.region)} of {found.evidence.n_blocks} blocks"
    return (
        f'<div role="img" aria-label="{escape(said)}" '
        f'style="display:flex;flex-wrap:wrap;gap:3px;max-width:60em;padding:4px">{cells}</div>'
        '<p style="font-size:.85em">Filled: the region. Framed: the target. The bar under a block '
        "is the share of resamples in which it clears the rule.</p>"
    )


def _block(found: LayerSelection, each: RankedBlock) -> str:
    style = [_BLOCK, _INSIDE if each.layer in found.region else _OUTSIDE]
    if each.layer == found.read_layer:
        style.append(_TARGET)
    title = f"block {each.layer}: clears the rule in {each.selected_in:.0%} of resamples"
    bar = f'<div style="{_BAR};width:{each.selected_in:.0%}"></div>'
    return f'<div title="{title}" style="{";".join(style)}">{each.layer}{bar}</div>'


def _listed(notes: Iterable[str]) -> str:
    items = "".join(f"<li>{escape(note)}</li>" for note in notes)
    return f"<ul>{items}</ul>" if items else ""


def _facts(found: LayerSelection) -> str:
    """Rule, target, stability, controls, agreement and tensors, one row each."""
    target = "none" if found.read_layer is None else f"block {found.read_layer}"
    rows = {
        "rule": f"{found.rule['name']}: {found.rule['expression']}",
        "target": f"{target} (prefer {found.rule['prefer']})",
        "update": describe(found.update_layers),
        "stability": _stability(found),
        "controls": "; ".join(_control(each) for each in found.controls),
        "agreement": "; ".join(_agreement(each) for each in found.agreement),
        "tensors": _tensors(found),
        "evidence": found.grade,
    }
    body = "".join(
        f'<tr><th style="{_CELL}">{name}</th><td style="{_CELL}">{escape(value)}</td></tr>'
        for name, value in rows.items()
        if value
    )
    return f"<table><tbody>{body}</tbody></table>"


def _stability(found: LayerSelection) -> str:
    part = found.stability
    resampled = f"{part.bootstrap_n} resamples"
    if found.status == "no_signal":
        return f"{found.status}, {resampled}"
    said = f"{found.status}: mean overlap {part.region_jaccard_mean:.2f} over {resampled}"
    share = part.share_of_settings
    return said if share is None else f"{said}; {share:.0%} of neighbouring settings agree"


def _control(part: Control) -> str:
    return f"{part.kind.replace('_', ' ')} {describe(part.layers)}"


def _agreement(part: Agreement) -> str:
    said = f"{part.metric_a} with {part.metric_b} τ {part.kendall_tau:.2f}"
    return said if part.low is None else f"{said} [{part.low:.2f}, {part.high:.2f}]"


def _tensors(found: LayerSelection) -> str:
    part = found.parameters
    if not part.names:
        return ""
    roles = ", ".join(found.roles)
    return f"{len(part.names)} of {roles}, {part.share:.2%} of the model"


def _blocks(found: LayerSelection) -> str:
    """Every block with its margin over the rule's bars, folded away."""
    head = "<tr><th>block</th><th>margin (sd)</th><th>clears in</th><th>in region</th></tr>"
    rows = "".join(
        f"<tr><td>{each.layer}</td><td>{each.score:.2f}</td><td>{each.selected_in:.0%}</td>"
        f"<td>{'yes' if each.layer in found.region else ''}</td></tr>"
        for each in sorted(found.ranked, key=lambda each: each.layer)
    )
    return (
        "<details><summary>Every block</summary>"
        f"<table><thead>{head}</thead><tbody>{rows}</tbody></table></details>"
    )
