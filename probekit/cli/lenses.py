"""Commands that ask what a model would say before its last layer."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from probekit.cli.app import (
    Device,
    Dtype,
    Json,
    Model,
    Stack,
    app,
    listed,
    show_parts,
    with_progress,
)

Tuned = Annotated[
    Path | None, typer.Option(help="Read through this tuned lens, made by tune-lens.")
]


@app.command()
def lens(
    model: Model,
    text: Annotated[str, typer.Argument(help="What the model reads.")],
    *,
    top: Annotated[int, typer.Option(help="Tokens kept per layer and position.")] = 10,
    targets: Annotated[str | None, typer.Option(help="Words to follow, as in Paris,París.")] = None,
    tuned: Tuned = None,
    html: Annotated[Path | None, typer.Option(help="Also write the figure to this page.")] = None,
    as_json: Json = False,
    dtype: Dtype = "auto",
    device: Device = "auto",
    stack: Stack = None,
) -> None:
    """What the model would say at every layer and position of a text."""
    from probekit.logit_lens import TunedLens
    from probekit.logit_lens import lens as read
    from probekit.models import load

    subject = load(model, dtype=dtype, device=device, stack=stack)  # type: ignore[arg-type]
    translator = None if tuned is None else TunedLens.load(tuned, subject)
    words = () if targets is None else listed(targets)
    found = read(subject, text, top=top, targets=words, tuned=translator)
    if html is not None:
        from probekit.figures.page import write_figures

        write_figures([found.figure()], html, title=text)
    show_parts(found.to_json() if as_json else [found.table()])


@app.command()
def concept(
    model: Model,
    *,
    task: Annotated[str, typer.Option(help="translation, repetition or cloze.")] = "translation",
    languages: Annotated[str | None, typer.Option(help="Targets, as in de,sw.")] = None,
    source: Annotated[str | None, typer.Option(help="Translate from this language.")] = None,
    words: Annotated[int, typer.Option(help="Most words a language.")] = 24,
    tuned: Tuned = None,
    seed: Annotated[int, typer.Option(help="Of words, shots and the bootstrap.")] = 0,
    html: Annotated[Path | None, typer.Option(help="Also write the figure to this page.")] = None,
    as_json: Json = False,
    dtype: Dtype = "auto",
    device: Device = "auto",
) -> None:
    """Whether a word passes through English on its way to another language."""
    from probekit.logit_lens import TunedLens, concept_lens
    from probekit.models import load

    subject = load(model, dtype=dtype, device=device)  # type: ignore[arg-type]
    translator = None if tuned is None else TunedLens.load(tuned, subject)
    chosen: Any = task
    found = with_progress(
        lambda bar: concept_lens(
            subject,
            languages=None if languages is None else listed(languages),
            task=chosen,
            source=source,
            n_words=words,
            tuned=translator,
            seed=seed,
            progress=bar,
        )
    )
    if html is not None:
        from probekit.figures.page import write_figures

        write_figures([found.figure()], html, title=f"{model}: {task}")
    show_parts(found.to_json() if as_json else [found.table()])


@app.command("tune-lens")
def tune_lens(
    model: Model,
    *,
    output: Annotated[Path, typer.Option("--output", "-o", help="File of the tuned lens.")],
    corpus: Annotated[str, typer.Option(help="Text to fit on, as for run.")] = "builtin",
    languages: Annotated[str | None, typer.Option(help="Codes, as in en,es,sw.")] = None,
    positions: Annotated[int, typer.Option(help="Positions read in each language.")] = 512,
    steps: Annotated[int | None, typer.Option(help="Steps of KL refinement.")] = None,
    seed: Annotated[int, typer.Option(help="Of positions and steps.")] = 0,
    as_json: Json = False,
    dtype: Dtype = "auto",
    device: Device = "auto",
) -> None:
    """Fit one affine translator a layer; KL to the last layer before and after, on unseen units."""
    from probekit.corpora import open_corpus
    from probekit.logit_lens import TunedLens
    from probekit.models import load
    from probekit.report import dataset_as_json, tuned_as_table

    text = open_corpus(corpus, languages=None if languages is None else listed(languages))
    subject = load(model, dtype=dtype, device=device)  # type: ignore[arg-type]
    fitted = with_progress(
        lambda bar: TunedLens.fit(
            subject,
            text,
            positions_per_language=positions,
            steps=steps,
            seed=seed,
            progress=bar,
        )
    )
    fitted.save(output)
    show_parts(dataset_as_json(fitted.report) if as_json else tuned_as_table(fitted.report))
