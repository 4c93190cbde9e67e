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


@app.command()
def experiment(
    plan: PlanFile,
    *,
    output: Output,
    model: Other = None,
    dtype: OtherDtype = None,
    device: OtherDevice = None,
    as_json: Json = False,
) -> None:
    """Teach, select, erase at the selection and elsewhere, verify; the same command resumes."""
    from probekit.cli.erasure import _refuse_early, _with_steps
    from probekit.experiment import Plan, run_plan

    _refuse_early(output)
    asked = Plan.from_yaml(plan, model=model, dtype=dtype, device=device)
    done = _with_steps(lambda bar: run_plan(asked, output, progress=bar))
    text = json.dumps(done.to_json(), indent=1, ensure_ascii=False, allow_nan=False)
    show_parts(text if as_json else done.table())
