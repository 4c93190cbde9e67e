"""Commands over runs: make one, look at it, choose layers from it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any

import typer

from probekit.cli.app import FINDINGS, Json, RunFolder, app, listed, show_parts, with_progress
from probekit.errors import InputError


@app.command()
def run(
    study: Annotated[Path | None, typer.Argument(help="A study file (YAML).")] = None,
    *,
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder of the run.")],
    model: Annotated[
        str | None, typer.Option(help="Hub id, folder, .gguf file or 'builtin'.")
    ] = None,
    corpus: Annotated[
        str | None, typer.Option(help="File, 'builtin', 'cldr' or 'hub:NAME'.")
    ] = None,
    languages: Annotated[str | None, typer.Option(help="Codes, as in en,es,sw.")] = None,
    unit: Annotated[
        str | None, typer.Option(help="Column that names the units of a wide file.")
    ] = None,
    labels: Annotated[
        str | None, typer.Option(help="Label columns of a wide file, as in topic,tense.")
    ] = None,
    ignore: Annotated[
        str | None, typer.Option(help="Columns of a wide file to leave out, as in notes,url.")
    ] = None,
    sep: Annotated[str | None, typer.Option(help="What parts the columns of a CSV file.")] = None,
    limit: Annotated[int | None, typer.Option(help="Keep the first so many units.")] = None,
    max_tokens: Annotated[int | None, typer.Option(help="Longest text, in tokens.")] = None,
    missing: Annotated[str | None, typer.Option(help="refuse, drop-unit or drop-language.")] = None,
    dtype: Annotated[str | None, typer.Option(help="auto, float32, bfloat16 or float16.")] = None,
    device: Annotated[str | None, typer.Option(help="auto, cpu, cuda, …")] = None,
    pooling: Annotated[str | None, typer.Option(help="mean, last or weighted.")] = None,
    backend: Annotated[str | None, typer.Option(help="hooks, transformer_lens or nnsight.")] = None,
    stack: Annotated[
        str | None, typer.Option(help="encoder or decoder of a seq2seq model.")
    ] = None,
    adapter: Annotated[str | None, typer.Option(help="PEFT adapter to merge.")] = None,
    analyses: Annotated[
        str | None, typer.Option(help="Instruments, as in cka,lens; all that apply if not said.")
    ] = None,
    after: Annotated[str | None, typer.Option(help="none, centre, lsar or leace.")] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", help="A setting of an instrument, as in lens.positions=200."),
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of resamples.")] = None,
    progress_file: Annotated[
        Path | None, typer.Option(help="Also keep how far it is in this file, as JSON.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Run a study into a folder; the same command resumes it."""
    from probekit.studies import Study

    said: dict[str, Any] = {
        "model": model,
        "corpus": corpus,
        "languages": None if languages is None else listed(languages),
        "limit": limit,
        "corpus_options": _corpus_options(unit=unit, labels=labels, ignore=ignore, sep=sep),
        "max_tokens": max_tokens,
        "missing": missing,
        "dtype": dtype,
        "device": device,
        "pooling": pooling,
        "backend": backend,
        "stack": stack,
        "adapter": adapter,
        "analyses": None if analyses is None else listed(analyses),
        "after": after,
        "options": _settings(settings),
        "seed": seed,
    }
    overrides = {name: value for name, value in said.items() if value is not None}
    chosen = Study.from_yaml(study, **overrides) if study else Study.of(**overrides)
    finished = with_progress(lambda bar: chosen.run(output, progress=bar), file=progress_file)
    _print_run(finished, as_json=as_json)


@app.command()
def demo(
    *,
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder of the run.")] = Path(
        "runs/demo"
    ),
    as_json: Json = False,
) -> None:
    """The whole main job on the built-in model and the built-in sentences."""
    from probekit.report import next_commands
    from probekit.studies import Study

    finished = with_progress(lambda bar: Study().run(output, progress=bar))
    _print_run(finished, as_json=as_json)
    if not as_json:
        typer.echo(next_commands(output))


@app.command()
def show(
    folder: RunFolder,
    *,
    as_json: Json = False,
    html: Annotated[Path | None, typer.Option(help="Also write the figures to this page.")] = None,
    analysis: Annotated[
        str | None, typer.Option(help="One instrument: lens, neurons, probes, alignment, …")
    ] = None,
) -> None:
    """The per-layer table of a run, and the layers that the default rule selects."""
    from probekit.runs import open_run

    opened = open_run(folder)
    if html is not None:
        from probekit.figures import write_page

        write_page(opened, html)
    if analysis is None:
        _print_run(opened, as_json=as_json)
    else:
        from probekit.report import analysis_as_json, analysis_as_table

        shown = analysis_as_json if as_json else analysis_as_table
        show_parts(shown(opened, analysis))


@app.command()
def select(
    folder: RunFolder,
    *,
    rule: Annotated[str, typer.Option(help="plateau, mute, probe, lens or user.")] = "plateau",
    alpha: Annotated[float | None, typer.Option(help="Threshold factor of the rule mute.")] = None,
    where: Annotated[
        str | None,
        typer.Option(help="Expression of the rule user: 'cka.mean > mean(cka.mean)'."),
    ] = None,
    source: Annotated[
        str | None, typer.Option(help="Languages that the choice may see: en,es. Others are not.")
    ] = None,
    held_out: Annotated[
        str | None, typer.Option(help="Languages that the choice must not see: sw,hi.")
    ] = None,
    prefer: Annotated[
        str | None, typer.Option(help="Target in the region: peak, earliest or deepest.")
    ] = None,
    roles: Annotated[
        str | None, typer.Option(help="Matrices to name: mlp_out (if not said), attn_out, …")
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", help="Another option of the rule: probability=0.7. Repeat it."),
    ] = None,
    evidence: Annotated[
        list[Path] | None,
        typer.Option(help="Result that raises the evidence grade (of an experiment). Repeat it."),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Nothing but JSON is ever printed here.")
    ] = False,
) -> None:
    """Choose layers: JSON on stdout, reasons on stderr; exit 1 when the evidence carries none."""
    del as_json  # taken so that every command that prints takes it
    from probekit.runs import open_run
    from probekit.selection.grade import grade_of

    options = _rule_options(settings, alpha=alpha, where=where, prefer=prefer)
    lists = {"source": source, "held_out": held_out, "roles": roles}
    named = {name: listed(text) for name, text in lists.items() if text is not None}
    chosen = open_run(folder).select(rule=rule, **named, **options)
    for file in evidence or ():
        chosen = chosen.with_evidence(grade_of(file), file)
    typer.echo(chosen.to_json())
    for reason in (*chosen.reasons, *(f"warning: {text}" for text in chosen.warnings)):
        typer.echo(reason, err=True)
    if chosen.status == "no_signal":
        raise typer.Exit(FINDINGS)


#: What ``--set`` must not say, because the command says it by a flag.
_OWN_FLAGS = ("rule", "source", "held_out", "roles")


def _rule_options(said: list[str] | None, **named: Any) -> dict[str, Any]:
    """Options of a rule: those with a flag of their own, and ``probability=0.7``, read as YAML."""
    import yaml

    found = {name: value for name, value in named.items() if value is not None}
    for text in said or ():
        name, equals, value = text.partition("=")
        if name in _OWN_FLAGS:
            flag = f"--{name.replace('_', '-')}"
            msg = f"--set must name an option of the rule. Got {name!r} instead; say {flag} VALUE."
            raise InputError(msg)
        if not equals or not name.isidentifier() or name in found:
            msg = f"--set must be NAME=VALUE, as in probability=0.7, once a name. Got {text!r}."
            raise InputError(msg)
        try:
            found[name] = yaml.safe_load(value)
        except yaml.YAMLError as error:
            msg = f"--set {name} must be a plain value. Got {value!r} instead; quote it."
            raise InputError(msg) from error
    return found


def _settings(said: list[str] | None) -> dict[str, dict[str, Any]] | None:
    """``lens.positions=200`` as ``{"lens": {"positions": 200}}``; values are read as YAML."""
    import yaml

    found: dict[str, dict[str, Any]] = {}
    for text in said or ():
        match = re.fullmatch(r"(\w+)\.(\w+)=(.*)", text, flags=re.DOTALL)
        if match is None:
            msg = f"--set must be INSTRUMENT.SETTING=VALUE, as in lens.positions=200. Got {text!r}."
            raise InputError(msg)
        instrument, name, value = match.groups()
        found.setdefault(instrument, {})[name] = yaml.safe_load(value)
    return found or None


def _corpus_options(**options: str | None) -> dict[str, Any] | None:
    said: dict[str, Any] = {name: value for name, value in options.items() if value is not None}
    for name in {"labels", "ignore"} & set(said):
        said[name] = list(listed(said[name]))
    return said or None


def _print_run(finished: Any, *, as_json: bool) -> None:
    from probekit.report import run_as_json, run_as_table

    show_parts(run_as_json(finished) if as_json else run_as_table(finished))
