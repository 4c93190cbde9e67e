"""What a study would read, need and take: told before it runs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from probekit.cli.app import FINDINGS, Json, app

if TYPE_CHECKING:
    from collections.abc import Iterator

    from probekit.studies.preflight import Preflight


@app.command()
def preflight(
    study: Annotated[Path, typer.Argument(help="A study file (YAML).")],
    *,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Where the run would lie: says which disk.")
    ] = Path("runs"),
    as_json: Json = False,
) -> None:
    """Tokens, memory, disk and time of a study, without running it; exit 1 if it would not fit."""
    from probekit.studies import Study
    from probekit.studies.preflight import preflight as look

    found = look(Study.from_yaml(study), output)
    typer.echo(
        json.dumps(found.to_dict(), ensure_ascii=False) if as_json else "\n".join(_lines(found))
    )
    if found.problems:
        raise typer.Exit(FINDINGS)


def _lines(found: Preflight) -> Iterator[str]:
    yield f"model     {found.model}: {found.n_blocks} blocks, width {found.d_model}, "
    yield f"          {found.n_parameters / 1e6:,.0f} M parameters, {found.dtype}, {found.device}"
    yield f"text      {found.n_units} units x {len(found.languages)} languages"
    yield f"          {found.n_texts:,} texts, {found.n_tokens:,} tokens"
    yield f"analyses  {', '.join(found.analyses)}"
    yield f"memory    {found.memory / 1e9:.1f} GB (estimate), {found.memory_free / 1e9:.1f} GB free"
    yield f"disk      {found.disk / 1e6:,.0f} MB, {found.disk_free / 1e6:,.0f} MB free"
    parts = ", ".join(f"{name} {value:,.0f} s" for name, value in found.seconds.items())
    yield f"time      {sum(found.seconds.values()) / 60:.1f} min (estimate: {parts})"
    for name, reason in found.refused.items():
        yield f"left out  {name}: {reason}"
    for problem in found.problems:
        yield f"problem   {problem}"
