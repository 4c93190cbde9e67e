"""The command that says how one run differs from another."""

from __future__ import annotations

from typing import Annotated

import typer

from probekit.cli.app import FINDINGS, Json, RunFolder, app, show_parts


@app.command()
def diff(
    a: RunFolder,
    b: RunFolder,
    *,
    analysis: Annotated[
        str | None, typer.Option(help="One instrument, at every layer: cka, lens, probes, …")
    ] = None,
    as_json: Json = False,
) -> None:
    """How run B differs from run A; exit 0 when nothing does beyond its interval, 1 when it does.

    Every measure that both hold with an interval, over the languages that both have, at equal
    relative depth. As with diff(1), 1 says that a difference was found.
    """
    from probekit.report import comparison_as_table
    from probekit.runs import open_run

    found = open_run(a).diff(open_run(b), analysis=analysis)
    if as_json:
        show_parts(found.to_json())
    else:
        show_parts(comparison_as_table(found, by_layer=analysis is not None))
    if found.differing:
        raise typer.Exit(FINDINGS)
