"""What the command line prints of a run: the per-layer table, the selection, the next steps."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from probekit.errors import InputError
from probekit.runs.run import COLUMNS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from probekit.runs import Run


def run_as_json(run: Run) -> str:
    """``{"run": …, "layers": [row, …], "selection": …}``."""
    manifest = run.manifest
    about = {
        "folder": str(run.folder),
        "model": {key: value for key, value in manifest.model.items() if key != "parameters"},
        "corpus": manifest.corpus,
        "tokens": manifest.tokens,
        "pass": manifest.passed,
        "estimators": manifest.estimators,
        "created": manifest.created,
        "seconds": manifest.seconds,
        "fingerprint": manifest.fingerprint,
    }
    chosen, _ = _selection(run)
    selection = None if chosen is None else chosen.to_document()
    rows = [_json_row(row) for row in run.table()]
    content = {"run": about, "layers": rows, "selection": selection}
    return json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False)


def _json_row(row: dict[str, float | int]) -> dict[str, float | int | None]:
    """JSON has no infinity: an unbounded ratio (SADS not above zero) becomes null."""
    return {
        key: None if value in {float("inf"), float("-inf")} else value for key, value in row.items()
    }


def run_as_table(run: Run) -> Iterator[Any]:
    """Parts to print: what was read, the table, the selection."""
    from rich.table import Table
    from rich.text import Text

    chosen, why_not = _selection(run)
    region = set(chosen.region) if chosen else set()
    yield Text(_headline(run))
    rows = run.table()
    names = [name for name in COLUMNS if name in rows[0]]
    table = Table(box=None, padding=(0, 1), header_style="bold")
    for name in ("layer", "depth", *names):
        table.add_column(name, justify="right")
    table.add_column("")
    for row in rows:
        layer = int(row["layer"])
        mark = (
            "◆ target"
            if chosen and layer == chosen.read_layer
            else "│ region"
            if layer in region
            else ""
        )
        cells = [f"{row[name]:.3f}" for name in names]
        table.add_row(
            "emb" if layer < 0 else str(layer),
            f"{row['depth']:.2f}",
            *cells,
            mark,
            style="bold" if mark else "",
        )
    yield table
    yield Text(f"\nno selection: {why_not}" if chosen is None else f"\n{chosen}")
    yield Text(f"\nrun: {run.folder}")


def next_commands(folder: Path) -> str:
    """What to type after the demo."""
    return (
        "\nnext:\n"
        f"  probekit show {folder} --html {folder}.html   the figures, in a browser\n"
        f"  probekit select {folder} --rule mute           another rule; JSON for scripts\n"
        "  probekit doctor builtin                         is the capture right for this model?\n"
        "  probekit run --model YOUR_MODEL --corpus YOUR_FILE.jsonl -o runs/yours"
    )


def _selection(run: Run) -> tuple[Any, str]:
    """Layers by the default rule, or why none can be asked for: a shallow model, no regions."""
    try:
        return run.select(), ""
    except InputError as error:
        return None, str(error)


def _headline(run: Run) -> str:
    manifest = run.manifest
    corpus, tokens, passed = manifest.corpus, manifest.tokens, manifest.passed
    model, seconds = manifest.model, manifest.seconds
    parts = [
        f"{model['id']} ({model['architecture']}, {run.n_blocks} blocks, {model['dtype']})",
        f"{corpus['n_units']} units × {len(corpus['languages'])} languages",
        f"{tokens['total']:,} tokens read in {seconds['pass']:.0f} s",
        f"{passed['tokens_per_second']:,.0f} tokens/s, measured in {seconds['measures']:.0f} s",
    ]
    notes = [note for note in (corpus["dropped"], _cut(tokens)) if note]
    return "\n".join([" · ".join(parts), *notes])


def _cut(tokens: dict[str, Any]) -> str:
    cut = {code: n for code, n in tokens["truncated"].items() if n}
    if not cut:
        return ""
    said = ", ".join(f"{code} {n}" for code, n in cut.items())
    return f"cut at {tokens['max_tokens']} tokens: {said} texts"
