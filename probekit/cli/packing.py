"""Commands that make a run small enough to send, and back."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from probekit.cli.app import RunFolder, app


@app.command()
def pack(
    run: RunFolder,
    file: Annotated[Path, typer.Argument(help="The zip file to write; it must not exist.")],
    *,
    pooled: Annotated[
        bool, typer.Option("--pooled", help="Keep the pooled vectors: most of the size.")
    ] = False,
) -> None:
    """Write a run as one small file that the workbench and every figure can still read."""
    from probekit.runs import open_run
    from probekit.runs import pack as write

    path = write(open_run(run), file, pooled=pooled)
    typer.echo(f"{path}: {path.stat().st_size / 1e6:.1f} MB")


@app.command()
def unpack(
    file: Annotated[Path, typer.Argument(help="A file made by 'probekit pack'.")],
    folder: Annotated[Path, typer.Argument(help="The run's new folder.")],
) -> None:
    """Unpack a run into a new folder and verify it."""
    from probekit.runs import unpack as extract

    typer.echo(repr(extract(file, folder)))
