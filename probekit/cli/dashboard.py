"""The workbench: serve it over finished runs, or write it as a folder that needs no server."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

from probekit.cli.app import BAD_INPUT, app


@app.command()
def dashboard(
    runs: Annotated[Path, typer.Argument(help="Folder of runs, or one run.")] = Path("runs"),
    *,
    model: Annotated[
        str | None, typer.Option(help="A model for the live lens; none is loaded without it.")
    ] = None,
    port: Annotated[int, typer.Option(help="Port; 0 for any free one.", min=0, max=65535)] = 8050,
    host: Annotated[
        str, typer.Option(help="Address to listen on; others than this machine need a token.")
    ] = "127.0.0.1",
    token: Annotated[
        str | None, typer.Option(help="What other machines must know; made up if not said.")
    ] = None,
    export: Annotated[
        Path | None, typer.Option(help="Write the views of a run to this folder and stop.")
    ] = None,
) -> None:
    """Look at runs in a browser: where languages meet, layer by layer."""
    try:
        import probekit_app
    except ImportError as error:
        typer.echo(f"the workbench needs dash ({error}). Install probekit again.", err=True)
        raise typer.Exit(BAD_INPUT) from error
    if export is not None:
        typer.echo(str(probekit_app.export_site(runs, export)))
        return
    # Ctrl-C is how a server is stopped, nothing is lost by it
    with suppress(KeyboardInterrupt):
        probekit_app.serve(runs, model=model or "", host=host, port=port, token=token, ready=_say)


def _say(address: str) -> None:
    typer.echo(f"workbench: {address}   (Ctrl-C stops it)")
