"""The command that writes a selection in a trainer's own words."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from probekit.cli.app import FINDINGS, Json, app
from probekit.errors import InputError


@app.command()
def export(
    source: Annotated[Path, typer.Argument(help="A selection (JSON), or the folder of a run.")],
    *,
    to: Annotated[str, typer.Option(help="peft, trainer, axolotl, open-unlearning, wmdp, …")],
    check: Annotated[
        str | None, typer.Option(help="The model: its names and weights must be the selection's.")
    ] = None,
    names_only: Annotated[
        bool, typer.Option("--names-only", help="With --check: do not load the weights.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Write a trainer's own config; exit 1 when it is not exactly the selection, or is empty."""
    from probekit.selection import exporters

    if names_only and check is None:
        msg = "--names-only says how to check a model. Got no model; add --check MODEL."
        raise InputError(msg)
    selection, document = _open(source)
    chosen = document["selection"]
    if not chosen["region"]:
        reasons = chosen.get("reasons", [])
        for line in (f"{source}: the region is empty, nothing is exported", *reasons):
            typer.echo(line, err=True)
        raise typer.Exit(FINDINGS)
    names = None
    if check is not None and to in exporters.EXPORTERS:  # a wrong word fails before a model loads
        names = exporters.check_model(document, check, weights=not names_only)
    written = exporters.export(selection, to, names=names)
    typer.echo(json.dumps(written.to_json(), indent=1) if as_json else written.text, nl=as_json)
    for note in written.notes:
        typer.echo(note, err=True)
    if not written.expressible:
        typer.echo(f"not expressible in {to}: {written.nearest}", err=True)
        raise typer.Exit(FINDINGS)


def _open(source: Path) -> tuple[Any, dict[str, Any]]:
    """Selection of a file, or of a run under the default rule; and its document."""
    if source.is_dir():
        from probekit.runs import open_run

        selection = open_run(source).select()
        return selection, selection.to_document()
    from probekit.selection.exporters import load_selection

    document = load_selection(source)
    return document, document
