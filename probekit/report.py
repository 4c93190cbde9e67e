"""What the command line prints of a run: the per-layer table, the selection, the next steps."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from probekit.errors import InputError
from probekit.runs.run import COLUMNS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import xarray as xr

    from probekit.ablation import AblationResult
    from probekit.runs import Run
    from probekit.runs.comparison import RunComparison


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


def analysis_as_json(run: Run, analysis: str) -> str:
    """``{"analysis": name, "layers": [row, …], "by_language": {name: {code: [value, …]}}}``."""
    groups = {name: run.group(name).attrs for name in run.analyses.get(analysis, ())}
    content = {
        "analysis": analysis,
        "layers": [_json_row(row) for row in run.table(analysis)],
        "by_language": {
            name: {
                code: [float(value) for value in values.sel(language=code)]
                for code in run.languages
            }
            for name, values in run.by_language(analysis).items()
        },
        "about": {
            name: {key: value for key, value in attrs.items() if key not in _DESCRIPTION}
            for name, attrs in groups.items()
        },
    }
    return json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False, default=_plain)


def analysis_as_table(run: Run, analysis: str) -> Iterator[Any]:
    """Parts to print: an instrument's summary by layer, then by layer and language."""
    from rich.table import Table
    from rich.text import Text

    rows = run.table(analysis)
    yield Text(f"{analysis}: {run.manifest.model['id']}, {run.folder}")
    names = list(dict.fromkeys(name for row in rows for name in row if name not in {*_AXIS}))
    table = Table(box=None, padding=(0, 1), header_style="bold")
    for name in (*_AXIS, *names):
        table.add_column(name, justify="right", overflow="fold")
    for row in rows:
        cells = [_cell(row[name]) if name in row else "" for name in names]
        table.add_row(_layer_name(row["layer"]), f"{row['depth']:.2f}", *cells)
    yield table
    for name, values in run.by_language(analysis).items():
        yield Text(f"\n{name} by language")
        yield _language_table(values, run.languages)
    for name in run.analyses[analysis]:
        attrs = run.group(name).attrs
        said = [f"{key} {_cell(attrs[key])}" for key in sorted(attrs) if key not in _DESCRIPTION]
        if said:
            yield Text(f"\n{name}: " + " · ".join(said))


def ablation_as_table(result: AblationResult) -> Iterator[Any]:
    """Parts to print: change by pair, starred where it beats random neurons; own beside others."""
    from rich.table import Table
    from rich.text import Text

    data, attrs = result.data, result.data.attrs
    yield Text(
        f"{result!r}\nchange of log-perplexity in nats per token when a language's neurons (rows) "
        "are zeroed; * more than random neurons of the same blocks (95 % interval above 0)"
    )
    table = Table(box=None, padding=(0, 1), header_style="bold")
    for name in ("zeroed", "neurons", *result.languages):
        table.add_column(name, justify="right")
    for code in result.ablated:
        row = data.sel(ablated=code)
        cells = [
            f"{float(row['change'].sel(language=other)):+.3f}"
            + ("*" if float(row["excess_low"].sel(language=other)) > 0 else " ")
            for other in result.languages
        ]
        table.add_row(code, f"{int(row['n_neurons'])}", *cells)
    yield table
    both = Table(box=None, padding=(0, 1), header_style="bold")
    for name in ("zeroed", "excess on itself", "95 % interval", "mean excess on the others"):
        both.add_column(name, justify="right")
    for code, (own, others) in result.own_and_others().items():
        at = data.sel(ablated=code, language=code)
        span = f"[{float(at['excess_low']):+.3f}, {float(at['excess_high']):+.3f}]"
        both.add_row(code, f"{own:+.3f}", span, f"{others:+.3f}")
    yield both
    yield Text(" · ".join(f"{key} {_cell(attrs[key])}" for key in sorted(attrs)))


def tuned_as_table(report: xr.Dataset) -> Iterator[Any]:
    """Parts to print: divergence from the model by layer, through the plain and the tuned lens."""
    from rich.table import Table
    from rich.text import Text

    yield Text("KL(model ‖ lens) in nats, mean over languages, on units not fitted on")
    table = Table(box=None, padding=(0, 1), header_style="bold")
    for name in ("layer", "plain lens", "95 % interval", "tuned lens", "95 % interval", "kept"):
        table.add_column(name, justify="right")
    for layer in report["layer"].to_numpy():
        row = report.sel(layer=layer)
        cells = []
        for kind in ("plain", "tuned"):
            low, high = (float(row[f"{kind}_mean_{end}"]) for end in ("low", "high"))
            cells += [f"{float(row[f'{kind}_mean']):.3f}", f"[{low:.3f}, {high:.3f}]"]
        table.add_row(_layer_name(layer), *cells, str(row["kept"].item()))
    yield table
    attrs = report.attrs
    yield Text(" · ".join(f"{key} {_cell(attrs[key])}" for key in sorted(attrs)))


def comparison_as_table(comparison: RunComparison, *, by_layer: bool = False) -> Iterator[Any]:
    """Parts to print: both runs, what weakens it, a row a measure, or a row a depth of each."""
    from rich.table import Table
    from rich.text import Text

    warnings = [f"  ! {each}" for each in comparison.warnings]
    yield Text("\n".join([comparison.headline(), *warnings]))
    table = Table(box=None, padding=(0, 1), header_style="bold")
    for name in ("measure", "layer", "a", "b", "b − a", "95 % interval", "", "interval"):
        table.add_column(name, justify="left" if name == "measure" else "right")
    for row in comparison.rows(by_point=by_layer):
        span = f"[{row['low']:+.3f}, {row['high']:+.3f}]"
        numbers = (_cell(row["a"]), _cell(row["b"]), f"{row['change']:+.3f}", span)
        where = _place(row["layer"], row["depth"])
        mark = "*" if row["differs"] else ""
        style = "bold" if mark else ""
        table.add_row(row["measure"], where, *numbers, mark, row["interval"], style=style)
    yield table
    what = "every depth" if by_layer else "each measure where it changes most"
    left_out = ", ".join(comparison.left_out) or "nothing"
    yield Text(
        f"\n{what}; layers are those of a = {comparison.a.name}\n* {comparison.verdict()}\n"
        f"not compared: {left_out}"
    )


def _place(layer: float, depth: float) -> str:
    """A layer of the first run, also between two, with its depth."""
    named = "emb" if layer < -0.999 else f"{layer:.1f}".removesuffix(".0")
    return f"{named} ({depth:.2f})"


def dataset_as_json(dataset: xr.Dataset) -> str:
    """A dataset with its coordinates and attributes, as xarray's own dictionary form."""
    return json.dumps(dataset.to_dict(), indent=1, ensure_ascii=False, allow_nan=False)


_AXIS = ("layer", "depth")
#: What a group says of itself for tables, not for people.
_DESCRIPTION = frozenset({"analysis", "summary", "by_language"})


def _language_table(values: xr.DataArray, languages: tuple[str, ...]) -> Any:
    from rich.table import Table

    table = Table(box=None, padding=(0, 1), header_style="bold")
    for name in ("layer", *languages):
        table.add_column(name, justify="right")
    for layer in values["layer"].to_numpy():
        row = values.sel(layer=layer)
        cells = [_cell(row.sel(language=code).item()) for code in languages]
        table.add_row(_layer_name(layer), *cells)
    return table


def _layer_name(layer: float) -> str:
    return "emb" if layer < 0 else str(int(layer))


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.3f}" if abs(value) < 1000 else f"{value:,.0f}"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return str(value)


def _plain(value: Any) -> Any:
    """Numbers and arrays of numpy as JSON has them."""
    return value.tolist()


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
