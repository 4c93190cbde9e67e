"""A verification or a sweep as one page that opens from disk: words, tables, figures, all values.

Plotly's script is inside (4 MB); nothing is fetched. In the dark the figures are turned over
(lightness inverted, hues kept), so that what is read against a scale stays so.
"""

from __future__ import annotations

import json
from html import escape
from typing import TYPE_CHECKING, Any

from probekit.figures.erasure import accuracy_by_language, accuracy_by_layers
from probekit.figures.erasure_attacks import attacks_by_language, lens_recall
from probekit.figures.erasure_document import ReportDocument, read_report, read_sweep
from probekit.figures.erasure_matrix import relearning, source_to_target
from probekit.figures.erasure_verdicts import (
    broken_lines,
    contract_line,
    not_run_lines,
    verdict_table,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    import plotly.graph_objects as go

    from probekit.erasure import Report, Sweep

__all__ = ["listed_html", "page_html", "report_page", "sweep_page", "table_html"]

CONFIG = {"displaylogo": False, "showSendToCloud": False, "responsive": True}

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
:root {{ color-scheme: light dark; --ground: #ffffff; --ink: #1b2129; --muted: #59636e;
  --line: #d8dde3; --good: #00694d; --warn: #8a4b00; --bad: #a3260f; }}
@media (prefers-color-scheme: dark) {{
  :root {{ --ground: #121212; --ink: #e4e9ef; --muted: #9aa6b2; --line: #38404a;
    --good: #5fd3b0; --warn: #f0b35c; --bad: #ff9a86; }}
  .figure {{ filter: invert(0.93) hue-rotate(180deg); }}
}}
* {{ box-sizing: border-box; }}
body {{ margin: 28px auto 64px; max-width: 1160px; padding: 0 20px; background: var(--ground);
  color: var(--ink); font: 14px/1.5 Inter, system-ui, "Segoe UI", Roboto, Helvetica, Arial,
  sans-serif; font-variant-numeric: tabular-nums; }}
h1 {{ font-size: 22px; line-height: 1.3; margin: 0 0 10px; letter-spacing: -0.01em;
  overflow-wrap: anywhere; }}
h2 {{ font-size: 16px; margin: 30px 0 6px; }}
dl {{ display: grid; grid-template-columns: max-content minmax(0, 1fr); gap: 2px 16px; margin: 0; }}
dt {{ color: var(--muted); }} dd {{ margin: 0; overflow-wrap: anywhere; }}
.wide {{ overflow-x: auto; }}
table {{ border-collapse: collapse; font-size: 13px; width: 100%; }}
th, td {{ text-align: left; vertical-align: top; padding: 6px 16px 6px 0;
  border-bottom: 1px solid var(--line); }}
thead th {{ color: var(--muted); font-weight: 500; white-space: nowrap; }}
td.why {{ min-width: 24ch; }}
td.blocks {{ white-space: normal; }}
td:not(.why) {{ white-space: nowrap; }}
table:not(.verdicts) td:last-child {{ white-space: normal; }}
tr.control > * {{ color: var(--muted); font-weight: 400; }}
small {{ font-size: inherit; color: var(--muted); }}
.verdict {{ font-weight: 600; white-space: nowrap; }}
.verdict.good, .contract.good {{ color: var(--good); }}
.verdict.open, .contract.open {{ color: var(--warn); }}
.verdict.bad, .contract.bad {{ color: var(--bad); }}
ul {{ margin: 6px 0; padding-left: 20px; color: var(--muted); }}
.figure {{ margin-top: 22px; background: #ffffff; }}
summary {{ cursor: pointer; color: var(--muted); margin-top: 24px; }}
pre {{ overflow: auto; max-height: 480px; font: 12px/1.45 ui-monospace, Menlo, Consolas, monospace;
  border: 1px solid var(--line); padding: 10px 12px; }}
</style>
</head><body>
<h1>{title}</h1>
<dl>{about}</dl>
{table}
{figures}
<h2>How to read this, and what was not run</h2>
<ul>{notes}</ul>
<details><summary>All values</summary><pre>{values}</pre></details>
</body></html>
"""

_HOW = (
    "Shares are of facts that the base knows, with 95 % intervals, beside what chance gives.",
    "“erased” means that no attack that was run beats chance, not that a fact is gone: attacks "
    "that were not run prove nothing.",
)
_BESIDE = (
    "Controls are the same base erased elsewhere, asked and attacked alike: the choice of layers "
    "matters only where the erased model differs from them.",
)


def report_page(report: Report) -> str:
    """The page of a verification: verdicts with their reasons, figures, what was not run.

    Raises
    ------
    InputError
        Its record is not whole.
    """
    found = read_report(report)
    figures = [attacks_by_language(found), accuracy_by_language(found), source_to_target(found)]
    figures += [lens_recall(found)] if "lens" in found.attacks else []
    figures += [relearning(found)] if "relearn" in found.attacks else []
    about = {
        "Base": found.base.source,
        "Erased": found.erased.source,
        "Facts": f"{found.facts.name}, {found.facts.n} questions",
        "Erased in": ", ".join(found.source) or "not said",
        "Held out": ", ".join(found.held_out) or "none",
        "Attacks run": ", ".join(found.attacks) or "none",
    }
    if found.controls:
        about["Controls"] = ", ".join(found.controls)
    line = (
        f'<dt>Tensors</dt><dd class="contract {_mark(found)}">{escape(contract_line(found))}</dd>'
    )
    line += "".join(
        f'<dt>Control</dt><dd class="contract bad">{escape(each)}</dd>'
        for each in broken_lines(found)
    )
    table = f'<h2>Verdicts</h2><div class="wide" tabindex="0">{verdict_table(found)}</div>'
    return page_html(
        f"Verification of {found.erased.source}",
        about=listed_html(about) + line,
        table=table,
        figures=figures,
        notes=(*_HOW, *(_BESIDE if found.controls else ()), *not_run_lines(found), *found.notes),
        record=report.record,
    )


def _mark(found: ReportDocument) -> str:
    if not found.contract.checked:
        return "open"
    return "good" if found.contract.ok else "bad"


def sweep_page(sweep: Sweep) -> str:
    """The page of a sweep: what every choice of layers forgot and kept, in every language.

    Raises
    ------
    InputError
        Its record is not whole.
    """
    found = read_sweep(sweep)
    broken = [cell.cell for cell in found.cells if not cell.contract]
    about = {
        "Model": found.model.source,
        "Algorithm": str(found.settings.get("algorithm", "")),
        "Facts": f"{found.facts.name}, {found.facts.n} questions",
        "Erased in": ", ".join(found.source),
        "Held out": ", ".join(found.held_out) or "none",
        "Contract": f"BROKEN in {', '.join(broken)}" if broken else "kept in every cell",
    }
    head = ("Layers", "Blocks", "Loss reads", "Steps", "Stopped by")
    rows = [
        (
            cell.cell,
            ", ".join(map(str, cell.blocks)),
            "the output" if cell.read_layer is None else f"block {cell.read_layer}",
            str(cell.steps),
            cell.stopped.replace("_", " "),
        )
        for cell in found.cells
    ]
    return page_html(
        f"Erasure by choice of layers: {found.model.source}",
        about=listed_html(about),
        table=table_html("Cells", head, rows),
        figures=[accuracy_by_layers(found)],
        notes=(
            "Accuracy is teacher-forced: what an attack brings back is asked by 'probekit verify'.",
            *found.notes,
        ),
        record=sweep.record,
    )


def listed_html(about: dict[str, str]) -> str:
    """A list of terms and what is said of each; every text is escaped."""
    return "".join(f"<dt>{escape(k)}</dt><dd><bdi>{escape(v)}</bdi></dd>" for k, v in about.items())


def table_html(title: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table under its heading; every text is escaped."""
    top = "".join(f'<th scope="col">{escape(each)}</th>' for each in head)
    body = "".join(
        "<tr>" + "".join(f"<td><bdi>{escape(each)}</bdi></td>" for each in row) + "</tr>"
        for row in rows
    )
    table = f"<table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>"
    return f'<h2>{escape(title)}</h2><div class="wide" tabindex="0">{table}</div>'


def page_html(
    title: str,
    *,
    about: str,
    table: str,
    figures: Sequence[go.Figure],
    notes: Sequence[str],
    record: dict[str, Any],
) -> str:
    """A whole page; ``about`` and ``table`` are HTML, every other text is escaped."""
    drawn = [
        figure.to_html(
            full_html=False, include_plotlyjs=at == 0, div_id=f"figure-{at}", config=CONFIG
        )
        for at, figure in enumerate(figures)
    ]
    return _PAGE.format(
        title=escape(title),
        about=about,
        table=table,
        figures="\n".join(f'<div class="figure">{each}</div>' for each in drawn),
        notes="".join(f"<li>{escape(note)}</li>" for note in notes),
        values=escape(json.dumps(record, indent=1, ensure_ascii=False)),
    )
