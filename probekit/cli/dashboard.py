"""The workbench: serve it over finished runs, or write it as a folder that needs no server."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any

import typer

from probekit.cli.app import BAD_INPUT, app
from probekit.errors import InputError


@app.command()
def dashboard(
    runs: Annotated[
        Path | None,
        typer.Argument(help="Folder of runs, or one run; 'runs', or else the example."),
    ] = None,
    *,
    example: Annotated[
        bool, typer.Option("--example", help="Look at the run that comes with probekit.")
    ] = False,
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
    read_only: Annotated[
        bool, typer.Option("--read-only", help="Visitors look, and start no study.")
    ] = False,
    allow_studies: Annotated[
        bool, typer.Option("--allow-studies", help="Other machines may start studies too.")
    ] = False,
    export: Annotated[
        Path | None, typer.Option(help="Write the views of a run to this folder and stop.")
    ] = None,
    compare: Annotated[
        Path | None, typer.Option(help="With --export: a second run, for the page Compare.")
    ] = None,
) -> None:
    """Look at runs in a browser: where languages meet, layer by layer."""
    probekit_app = _workbench()
    folder = _folder(runs, example=example)
    if _exported(probekit_app, folder, target=export, compare=compare):
        return
    with suppress(KeyboardInterrupt):  # how a server is stopped; nothing is lost by it
        probekit_app.serve(
            folder,
            model=model or "",
            host=host,
            port=port,
            token=token,
            read_only=read_only,
            allow_studies=allow_studies,
            ready=_say,
        )


def _exported(workbench: Any, run: Path, *, target: Path | None, compare: Path | None) -> bool:
    """Write the site where one is asked for, and say whether one was."""
    if target is not None:
        typer.echo(str(workbench.export_site(run, target, compare=compare)))
    elif compare is not None:
        msg = (
            f"--compare goes with --export. Got {str(compare)!r} without it; in the workbench "
            "itself choose the second run beside 'vs'."
        )
        raise InputError(msg)
    return target is not None


def _workbench() -> Any:
    try:
        import probekit_app
    except ImportError as error:
        typer.echo(f"the workbench needs dash ({error}). Install probekit again.", err=True)
        raise typer.Exit(BAD_INPUT) from error
    return probekit_app


def _folder(runs: Path | None, *, example: bool) -> Path:
    """What was named; without a name ``runs``, and the example where there is none."""
    import probekit_app

    if example and runs is not None:
        msg = f"--example opens its own folder. Got {str(runs)!r} as well; drop one of the two."
        raise InputError(msg)
    folder = runs or Path("runs")
    if example or (runs is None and not folder.exists()):
        typer.echo(
            "the example: Gemma 3 270M, twelve languages (your own: probekit demo)", err=True
        )
        return probekit_app.example_runs()
    return folder


def _say(address: str) -> None:
    typer.echo(f"workbench: {address}   (Ctrl-C stops it)")
