"""Commands that teach facts, erase them, and erase them with every control."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from probekit.cli.app import FINDINGS, Device, Dtype, Json, Model, app, listed, show_parts

if TYPE_CHECKING:
    from collections.abc import Callable

    from probekit.facts import FactSet

Facts = Annotated[str, typer.Option(help="planted, cldr or a file of questions.")]
Languages = Annotated[str | None, typer.Option(help="Languages of the facts, as in en,es,sw.")]
Source = Annotated[str, typer.Option(help="Languages to erase in, as in en,es; others held out.")]
Output = Annotated[Path, typer.Option("--output", "-o", help="Folder of the result.")]
Selection = Annotated[Path, typer.Option(help="A selection (JSON); its tensors alone move.")]
Algorithm = Annotated[str, typer.Option(help="rmu, simnpo, slug or gradient-ascent.")]
Settings = Annotated[
    list[str] | None, typer.Option("--set", help="A setting, as in retain_weight=5.")
]
Seed = Annotated[int, typer.Option(help="Of the order of texts and of random starts.")]
Seconds = Annotated[float | None, typer.Option(help="Stop training after so many seconds.")]
Unknown = Annotated[
    bool, typer.Option("--allow-unknown", help="Also where no fact is known before.")
]
Tied = Annotated[bool, typer.Option("--allow-tied", help="Move a head with its embedding.")]
OtherWeights = Annotated[
    bool, typer.Option("--other-weights", help="A selection made on other weights of this model.")
]
OneLanguage = Annotated[
    bool, typer.Option("--one-language", help="Also where the facts have one language.")
]


@app.command()
def teach(
    model: Model,
    *,
    output: Output,
    facts: Facts = "planted",
    languages: Annotated[str, typer.Option(help="Languages to teach in, as in en,es,sw.")],
    method: Annotated[str, typer.Option(help="lora (needs peft) or full.")] = "lora",
    settings: Settings = None,
    max_seconds: Seconds = None,
    seed: Seed = 0,
    as_json: Json = False,
    dtype: Dtype = "auto",
    device: Device = "auto",
) -> None:
    """Teach a model facts; the same command resumes it. Exit 1 when the target was not reached."""
    from probekit.erasure import teach as teach_subject
    from probekit.erasure.report import teaching_as_table
    from probekit.facts import open_facts
    from probekit.models import load

    codes = listed(languages)
    asked = open_facts(facts, codes)
    said = _settings(settings, max_seconds=max_seconds, seed=seed)
    _refuse_early(output)
    subject = load(model, dtype=dtype, device=device)  # type: ignore[arg-type]
    done = _with_steps(
        lambda bar: teach_subject(
            subject, asked, languages=codes, method=method, folder=output, progress=bar, **said
        )
    )
    show_parts(_json(done.record) if as_json else teaching_as_table(done))
    if not done.reached:
        typer.echo(f"the target was not reached ({done.record['stopped']})", err=True)
        raise typer.Exit(FINDINGS)


@app.command()
def erase(
    model: Model,
    *,
    output: Output,
    source: Source,
    facts: Facts = "planted",
    selection: Annotated[
        Path | None, typer.Option(help="A selection (JSON); without one every block moves.")
    ] = None,
    algorithm: Algorithm = "rmu",
    languages: Languages = None,
    delta: Annotated[bool, typer.Option("--delta", help="Write only what moved.")] = False,
    settings: Settings = None,
    max_seconds: Seconds = None,
    seed: Seed = 0,
    allow_unknown: Unknown = False,
    allow_tied: Tied = False,
    other_weights: OtherWeights = False,
    one_language: OneLanguage = False,
    as_json: Json = False,
    dtype: Dtype = "auto",
    device: Device = "auto",
) -> None:
    """Erase facts by moving the selection's tensors only; the same command resumes it."""
    from probekit.erasure import erase as erase_facts
    from probekit.erasure.report import erasure_as_table

    job = _Request(model, facts, languages, selection, dtype, device)
    said = _settings(settings, max_seconds=max_seconds, seed=seed)
    subject, asked, chosen = job.open(output)
    done = _with_steps(
        lambda bar: erase_facts(
            subject,
            asked,
            source=listed(source),
            algorithm=algorithm,
            selection=chosen,
            folder=output,
            delta=delta,
            allow_unknown=allow_unknown,
            allow_tied=allow_tied,
            check_weights=not other_weights,
            one_language=one_language,
            progress=bar,
            **said,
        )
    )
    show_parts(_json(_short(done.record)) if as_json else erasure_as_table(done))


@app.command()
def sweep(
    model: Model,
    *,
    output: Output,
    source: Source,
    selection: Selection,
    facts: Facts = "planted",
    algorithm: Algorithm = "rmu",
    languages: Languages = None,
    cells: Annotated[str | None, typer.Option(help="Some cells, as in selection,deep.")] = None,
    settings: Settings = None,
    max_seconds: Seconds = None,
    seed: Seed = 0,
    allow_unknown: Unknown = False,
    allow_tied: Tied = False,
    other_weights: OtherWeights = False,
    one_language: OneLanguage = False,
    html: Annotated[Path | None, typer.Option(help="Also write a page with its figure.")] = None,
    as_json: Json = False,
    dtype: Dtype = "auto",
    device: Device = "auto",
) -> None:
    """Erase with the selection and with each of its controls; the same command resumes it."""
    from probekit.erasure import sweep as sweep_cells

    job = _Request(model, facts, languages, selection, dtype, device)
    said = _settings(settings, max_seconds=max_seconds, seed=seed)
    subject, asked, chosen = job.open(output, html)
    done = _with_steps(
        lambda bar: sweep_cells(
            subject,
            asked,
            selection=chosen,
            source=listed(source),
            folder=output,
            algorithm=algorithm,
            cells=None if cells is None else listed(cells),
            allow_unknown=allow_unknown,
            allow_tied=allow_tied,
            check_weights=not other_weights,
            one_language=one_language,
            progress=bar,
            **said,
        )
    )
    _give_sweep(done, html=html, as_json=as_json)


def _give_sweep(done: Any, *, html: Path | None, as_json: bool) -> None:
    """Write the page where one was asked for, and print."""
    from probekit.cli.verification import _write
    from probekit.erasure.report import sweep_as_table

    if html is not None:
        _write(html, done.to_html())
    show_parts(_json(done.record) if as_json else sweep_as_table(done))


class _Request:
    """What erase and sweep read before they start; the cheap things are checked first."""

    def __init__(self, model: str, facts: str, languages: str | None, *rest: Any) -> None:
        self.model, self.facts = model, facts
        self.languages = None if languages is None else listed(languages)
        self.selection, self.dtype, self.device = rest

    def open(self, output: Path, html: Path | None = None) -> tuple[Any, FactSet, Any]:
        """Subject, facts and document of the selection."""
        from probekit.cli.verification import _refuse_places
        from probekit.erasure.target import document_of
        from probekit.facts import open_facts
        from probekit.models import load

        _refuse_early(output)
        _refuse_places(html)
        asked = open_facts(self.facts, self.languages)
        chosen = None if self.selection is None else document_of(self.selection)
        return load(self.model, dtype=self.dtype, device=self.device), asked, chosen


def _refuse_early(output: Path) -> None:
    """A file in the place of the folder fails before a model loads."""
    from probekit.errors import InputError

    if output.is_file():
        msg = f"output {str(output)!r} is a file. Give a folder."
        raise InputError(msg)


def _settings(texts: list[str] | None, **said: Any) -> dict[str, Any]:
    """``name=value`` as settings: numbers as numbers, ``a,b`` as several words."""
    from probekit.errors import InputError

    found = {name: value for name, value in said.items() if value is not None}
    for text in texts or []:
        name, equals, value = text.partition("=")
        if not equals or not name or not value:
            msg = f"--set must be NAME=VALUE. Got {text!r} instead, as in --set max_steps=100."
            raise InputError(msg)
        found[name.strip()] = _value(name.strip(), value.strip())
    return found


def _value(name: str, text: str) -> Any:
    if name in {"forms", "retain_parts"}:
        return listed(text)
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def _with_steps(work: Callable[[Any], Any]) -> Any:
    from probekit.erasure.progress import TerminalSteps

    bar = TerminalSteps()
    try:
        return work(bar)
    finally:
        bar.close()


def _short(record: dict[str, Any]) -> dict[str, Any]:
    """Record without the hash of every tensor, which the folder's ``erasure.json`` has."""
    return {key: value for key, value in record.items() if key != "tensors"}


def _json(content: dict[str, Any]) -> str:
    return json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False)
