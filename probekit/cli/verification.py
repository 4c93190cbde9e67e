"""The command that verifies an erasure."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from probekit.cli.app import FINDINGS, Device, Dtype, Json, app, listed, show_parts

if TYPE_CHECKING:
    from probekit.models import Subject

Base = Annotated[str, typer.Argument(help="The model before: hub id, folder or 'builtin'.")]
ErasedModel = Annotated[str, typer.Argument(help="The model after, or a folder of a sweep.")]
Selection = Annotated[
    Path | None, typer.Option(help="What was allowed to move; else the erasure's own record.")
]
Settings = Annotated[
    list[str] | None, typer.Option("--set", help="A setting, as in relearn_steps=50.")
]
OtherWeights = Annotated[
    bool, typer.Option("--other-weights", help="A selection made on other weights.")
]
Controls = Annotated[
    Path | None, typer.Option(help="A folder of 'sweep': the same checks of its other cells.")
]
Codes = Annotated[str | None, typer.Option(help="Codes, as in en,es.")]


@app.command()
def verify(
    base: Base,
    erased: ErasedModel,
    *,
    facts: Annotated[str, typer.Option(help="planted, cldr or a file of questions.")] = "planted",
    selection: Selection = None,
    source: Codes = None,
    held_out: Codes = None,
    languages: Codes = None,
    checks: Annotated[str | None, typer.Option(help="Some, as in lens,relearn; all.")] = None,
    settings: Settings = None,
    controls: Controls = None,
    other_weights: OtherWeights = False,
    html: Annotated[Path | None, typer.Option(help="Also write a page.")] = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Also write JSON.")] = None,
    as_json: Json = False,
    dtype: Dtype = "auto",
    device: Device = "auto",
) -> None:
    """What an erasure left behind, language by language. Exit 1 unless every one is shown clean."""
    from probekit.cli.erasure import _settings, _with_steps
    from probekit.erasure import verify as verify_erasure
    from probekit.facts import open_facts
    from probekit.models import load

    _refuse_places(output, html)
    asked, said = open_facts(facts, listed(languages) if languages else None), _settings(settings)
    subject = load(base, dtype=dtype, device=device)  # type: ignore[arg-type]
    after, record = _open(subject, erased, dtype=dtype, device=device)
    report = _with_steps(
        lambda bar: verify_erasure(
            subject,
            after,
            asked,
            selection=selection,
            record=record,
            source=listed(source) if source else (),
            held_out=listed(held_out) if held_out else (),
            checks=None if checks is None else listed(checks),
            check_weights=not other_weights,
            controls=_controls(subject, controls),
            progress=bar,
            **said,
        )
    )
    _give(report, output=output, html=html, as_json=as_json)


def _give(report: Any, *, output: Path | None, html: Path | None, as_json: bool) -> None:
    """Write, print, and leave with 1 where something was found."""
    text = json.dumps(report.to_json(), indent=1, ensure_ascii=False, allow_nan=False)
    if output is not None:
        _write(output, text + "\n")
    if html is not None:
        _write(html, report.to_html())
    show_parts(text if as_json else report.table())
    if not report.ok:
        typer.echo(_finding(report), err=True)
        raise typer.Exit(FINDINGS)


def _open(base: Subject, erased: str, *, dtype: str, device: str) -> tuple[Subject, Any]:
    """Erased model and the record of its erasure, where its folder has one."""
    from probekit.erasure import apply_delta
    from probekit.erasure.delta import DELTA
    from probekit.models import load

    folder = Path(erased)
    record = _recorded(folder)
    if (folder / DELTA).is_file():
        return apply_delta(base, folder), record
    return load(erased, dtype=dtype, device=device), record  # type: ignore[arg-type]


def _recorded(folder: Path) -> Any:
    """The record of an erasure; None where the folder has none."""
    from probekit.erasure.delta import RECORD
    from probekit.errors import ModelError

    if not (folder / RECORD).is_file():
        return None
    try:
        record = json.loads((folder / RECORD).read_text(encoding="utf-8"))
        _ = record["target"]["names"], record["source"]
    except (ValueError, KeyError, TypeError) as error:
        msg = f"record {str(folder / RECORD)!r} is not one of 'probekit erase'. Remove it."
        raise ModelError(msg) from error
    return record


def _controls(base: Subject, folder: Path | None) -> dict[str, Any]:
    """Every cell of a sweep but the selection's own, by name, with the record of its erasure."""
    from probekit.erasure.sweep import SELECTION, TABLE
    from probekit.errors import InputError

    if folder is None:
        return {}
    try:
        record = json.loads((folder / TABLE).read_text(encoding="utf-8"))
        cells = {cell["cell"]: folder / cell["folder"] for cell in record["cells"]}
    except (OSError, ValueError, KeyError, TypeError) as error:
        msg = f"controls {str(folder)!r} must be a folder of 'probekit sweep'. Got none; give one."
        raise InputError(msg) from error
    return {name: _cell(base, at) for name, at in cells.items() if name != SELECTION}


def _cell(base: Subject, at: Path) -> Any:
    """An erasure of a sweep; where it has no record nothing says what was to move."""
    from probekit.erasure import Erased, apply_delta

    made, record = apply_delta(base, at), _recorded(at)
    return made if record is None else Erased(made, record, at)


def _refuse_places(*paths: Path | None) -> None:
    """A place that no file can be written to fails before a model loads."""
    from probekit.errors import InputError

    for path in paths:
        if path is not None and (path.is_dir() or not path.parent.is_dir()):
            msg = f"file {str(path)!r} must lie in a folder that exists. Give another path."
            raise InputError(msg)


def _write(path: Path, content: str) -> None:
    from probekit.capture.shards import storage_errors

    with storage_errors(path.parent):
        path.write_text(content, encoding="utf-8", newline="\n")


def _finding(report: Any) -> str:
    if not report.contract_ok:
        return str(report.contract_line())
    if report.leaks:
        return f"what was to be forgotten can still be had in {', '.join(report.leaks)}"
    if report.doubts:
        return (
            f"neither shown to be had nor to be gone in {', '.join(report.doubts)}: give more "
            "facts, or --set tolerance=…"
        )
    return "too few known facts to show anything in any language"
