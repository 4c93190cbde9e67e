"""Tables for the terminal: what was known before and after, by part and language."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from probekit.erasure.erase import Erased
    from probekit.erasure.sweep import Sweep
    from probekit.erasure.teach import Taught


def teaching_as_table(done: Taught) -> Iterator[Any]:
    """Parts to print: how it ended, accuracy by language."""
    from rich.table import Table
    from rich.text import Text

    record = done.record
    yield Text(f"taught {record['facts']['n']} questions in {record['steps']} steps: ", end="")
    yield Text(f"stopped by {record['stopped']}")
    table = Table(box=None, padding=(0, 1), header_style="bold")
    table.add_column("language")
    for name in ("facts", "known before", "known after", "nll before", "nll after"):
        table.add_column(name, justify="right")
    for code, row in record["after"].items():
        before = record["before"][code]
        table.add_row(
            code,
            f"{row['n']:.0f}",
            f"{before['accuracy']:.0%}",
            f"{row['accuracy']:.0%}",
            f"{before['nll']:.2f}",
            f"{row['nll']:.2f}",
        )
    yield table


def erasure_as_table(done: Erased) -> Iterator[Any]:
    """Parts to print: how it ended, accuracy with its interval by part and language."""
    from rich.table import Table
    from rich.text import Text

    record = done.record
    yield Text(str(done))
    yield Text(f"accuracy of who never knew: {record['forget_bar']:.2f} (the bar of forgetting)")
    table = Table(box=None, padding=(0, 1), header_style="bold")
    for name in ("part", "language", ""):
        table.add_column(name)
    for name in ("facts", "before", "after", "95 %", "nll before", "nll after"):
        table.add_column(name, justify="right")
    for part, languages in done.after.items():
        for code, row in languages.items():
            before = done.before[part][code]
            table.add_row(
                part,
                code,
                "source" if code in record["source"] else "held out",
                f"{row['n']:.0f}",
                f"{before['accuracy']:.2f}",
                f"{row['accuracy']:.2f}",
                f"{row['low']:.2f} – {row['high']:.2f}",
                f"{before['nll']:.2f}",
                f"{row['nll']:.2f}",
            )
    yield table
    for note in record["notes"]:
        yield Text(note)


def sweep_as_table(done: Sweep) -> Iterator[Any]:
    """Parts to print: accuracy on what to forget and what to retain, a row a cell."""
    from rich.table import Table
    from rich.text import Text

    record = done.record
    languages = [*record["source"], *record["held_out"]]
    yield Text(
        f"{record['settings']['algorithm']}, source {', '.join(record['source'])}; accuracy, with "
        f"chance at {record['forget_bar']:.2f}; intervals in sweep.json"
    )
    for part in ("forget", "retain"):
        table = Table(box=None, padding=(0, 1), header_style="bold", title=part)
        table.title_justify = "left"
        table.add_column("cell")
        table.add_column("blocks")
        for code in languages:
            table.add_column(code if code in record["source"] else f"{code}*", justify="right")
        table.add_column("stopped by")
        rows: list[tuple[str, list[int], str, Any]] = [("base", [], "", record["base"])]
        rows += [(c["cell"], c["blocks"], c["stopped"], c["report"]) for c in record["cells"]]
        for name, blocks, stopped, report in rows:
            known = report.get(part, {})
            cells = [f"{known[c]['accuracy']:.2f}" if c in known else "" for c in languages]
            table.add_row(name, _span(blocks), *cells, stopped)
        yield table
    if record["held_out"]:
        yield Text("* held out")
    for note in record["notes"]:
        yield Text(note)


def _span(blocks: list[int]) -> str:
    """``5-7`` or ``1,4,9``."""
    if not blocks:
        return ""
    if blocks == list(range(blocks[0], blocks[-1] + 1)) and len(blocks) > 1:
        return f"{blocks[0]}-{blocks[-1]}"
    return ",".join(map(str, blocks))
