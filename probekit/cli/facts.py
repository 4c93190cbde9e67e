"""The command that asks a subject for facts."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from probekit.cli.app import Device, Dtype, Json, app, listed, show_parts, with_progress

Filter = Annotated[str | None, typer.Option(help="Some of them, as in forget,retain.")]


@app.command()
def facts(
    source: Annotated[str, typer.Argument(help="planted, cldr or a file of questions.")],
    *,
    model: Annotated[str, typer.Option(help="Hub id, folder, .gguf file or 'builtin'.")],
    languages: Annotated[str | None, typer.Option(help="Codes, as in en,es,sw.")] = None,
    part: Filter = None,
    form: Filter = None,
    relation: Filter = None,
    layout: Annotated[str, typer.Option(help="plain, tofu, rwku or mmlu, of a file.")] = "plain",
    language: Annotated[str | None, typer.Option(help="Language of a file's rows.")] = None,
    rule: Annotated[str, typer.Option(help="Known by choice or exact.")] = "choice",
    seed: Annotated[int, typer.Option(help="Of the wrong choices and the bootstrap.")] = 0,
    as_json: Json = False,
    dtype: Dtype = "auto",
    device: Device = "auto",
) -> None:
    """Which facts a model knows, language by language, beside chance and looks."""
    from probekit.facts import known, open_facts, score
    from probekit.facts.report import as_json_text, as_table
    from probekit.models import load

    codes = None if languages is None else listed(languages)
    asked = open_facts(source, codes, seed=seed, layout=layout, language=language)
    for name, values in {"part": part, "form": form, "relation": relation}.items():
        if values is not None:
            asked = asked.where(**{name: listed(values)})
    chosen: Any = rule
    subject = load(model, dtype=dtype, device=device)  # type: ignore[arg-type]
    scores = with_progress(lambda bar: score(subject, asked, progress=bar))
    passed = known(scores, rule=chosen)
    draw = as_json_text if as_json else as_table
    show_parts(draw(scores, passed, rule=rule, seed=seed))
