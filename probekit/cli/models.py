"""Commands over models: is the capture right, what would it say."""

from __future__ import annotations

import json

import typer

from probekit.cli.app import FINDINGS, Device, Dtype, Json, Model, Stack, app, show_parts


@app.command()
def doctor(
    model: Model,
    *,
    as_json: Json = False,
    dtype: Dtype = "auto",
    device: Device = "auto",
    stack: Stack = None,
) -> None:
    """Is capture right for this model? Parity, padding, norms, neurons; exit 1 when it is not."""
    from probekit.models import load
    from probekit.models.doctor import diagnose, table

    subject = load(model, dtype=dtype, device=device, stack=stack)  # type: ignore[arg-type]
    diagnosis = diagnose(subject)
    if as_json:
        typer.echo(json.dumps(diagnosis.to_json(), indent=1))
    else:
        show_parts([table(diagnosis)])
    for check in diagnosis.rows:
        if not check.ok:
            typer.echo(f"failed: {check.name}: {check.detail}", err=True)
    if not diagnosis.ok:
        raise typer.Exit(FINDINGS)
