"""The command that carries out an experiment."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from probekit.cli.app import Json, app, show_parts

PlanFile = Annotated[Path, typer.Argument(help="A plan (YAML), as studies/mute.yaml.")]
Output = Annotated[Path, typer.Option("--output", "-o", help="Folder of the result.")]
Other = Annotated[str | None, typer.Option(help="Another model than the plan's.")]
OtherDevice = Annotated[str | None, typer.Option(help="cpu, cuda, … instead of the plan's.")]
OtherDtype = Annotated[str | None, typer.Option(help="float32, bfloat16 instead of the plan's.")]
Page = Annotated[Path | None, typer.Option(help="Also write a page with the figures.")]


@app.command()
def experiment(
    plan: PlanFile,
    *,
    output: Output,
    model: Other = None,
    dtype: OtherDtype = None,
    device: OtherDevice = None,
    html: Page = None,
    as_json: Json = False,
) -> None:
    """Teach, select, erase at the selection and elsewhere, verify; the same command resumes."""
    from probekit.cli.erasure import _refuse_early, _with_steps
    from probekit.cli.verification import _refuse_places, _write
    from probekit.experiment import Plan, run_plan
    from probekit.figures.experiment_page import experiment_page

    _refuse_early(output)
    _refuse_places(None if html is not None and html.parent == output else html)
    asked = Plan.from_yaml(plan, model=model, dtype=dtype, device=device)
    done = _with_steps(lambda bar: run_plan(asked, output, progress=bar))
    text = json.dumps(done.to_json(), indent=1, ensure_ascii=False, allow_nan=False)
    if html is not None:
        _write(html, experiment_page(done))
    show_parts(text if as_json else done.table())
