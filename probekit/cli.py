"""The command line: routes only. Every command fills a public object and calls one function.

Exit codes: 0 done, 1 finished with findings, 2 bad input, 3 interrupted and resumable.
"""

from __future__ import annotations

import json
import logging
import re
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer
from typer.core import TyperGroup

from probekit.errors import InputError, InterruptedRun, ProbekitError, StorageError

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

STOPPED = "interrupted. The same command resumes where it stopped."


class Commands(TyperGroup):
    """Commands whose Ctrl-C is ours to report: typer has exit codes of its own for it."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command; an interruption becomes :class:`InterruptedRun`."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            raise InterruptedRun(STOPPED) from None


app = typer.Typer(
    cls=Commands,
    name="probekit",
    help="Where, inside a multilingual language model, do languages meet?",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

FINDINGS, BAD_INPUT, INTERRUPTED = 1, 2, 3

TABLE_WIDTH = 112

Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
RunFolder = Annotated[Path, typer.Argument(help="Folder of a finished run.")]


def main() -> NoReturn:
    """Entry point of the ``probekit`` command."""
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(message)s")
    logging.getLogger("probekit").setLevel(logging.INFO)
    signal.signal(signal.SIGTERM, _terminate)
    try:
        app(standalone_mode=True)
    except InterruptedRun as error:
        _leave(str(error), INTERRUPTED)
    except KeyboardInterrupt:
        _leave(STOPPED, INTERRUPTED)
    except (InputError, StorageError) as error:
        _leave(f"{type(error).__name__}: {error}", BAD_INPUT)
    except ProbekitError as error:
        _leave(f"{type(error).__name__}: {error}", FINDINGS)
    sys.exit(0)


def _leave(message: str, code: int) -> NoReturn:
    sys.stderr.write(" ".join(as_options(message).split()) + "\n")
    sys.exit(code)


def as_options(message: str) -> str:
    """Say a remedy as it is typed here: ``missing='drop-unit'`` becomes ``--missing drop-unit``."""
    message = re.sub(r"\b(labels|ignore)=\['([^']*)'\]", r"--\1 \2", message)
    message = re.sub(r"\b(missing|unit|sep)='([^']*)'", r"--\1 \2", message)
    return re.sub(r"\b(unit|sep)=\.\.\.", r"--\1", message)


def _terminate(_signal: int, _frame: FrameType | None) -> NoReturn:
    """SIGTERM stops like Ctrl-C, so that a scheduler's stop can be resumed too."""
    raise KeyboardInterrupt


@app.callback(invoke_without_command=True)
def _version(
    *, version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False
) -> None:
    if version:
        from probekit import __version__

        typer.echo(__version__)
        raise typer.Exit


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
    seed: Annotated[int | None, typer.Option(help="Seed of resamples.")] = None,
    as_json: Json = False,
) -> None:
    """Run a study into a folder; the same command resumes it."""
    from probekit.studies import Study

    said: dict[str, Any] = {
        "model": model,
        "corpus": corpus,
        "languages": None if languages is None else _listed(languages),
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
        "seed": seed,
    }
    overrides = {name: value for name, value in said.items() if value is not None}
    chosen = Study.from_yaml(study, **overrides) if study else Study.of(**overrides)
    finished = _with_progress(lambda bar: chosen.run(output, progress=bar))
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

    finished = _with_progress(lambda bar: Study().run(output, progress=bar))
    _print_run(finished, as_json=as_json)
    if not as_json:
        typer.echo(next_commands(output))


@app.command()
def show(
    folder: RunFolder,
    *,
    as_json: Json = False,
    html: Annotated[Path | None, typer.Option(help="Also write the figures to this page.")] = None,
) -> None:
    """The per-layer table of a run, and the layers that the default rule selects."""
    from probekit.runs import open_run

    opened = open_run(folder)
    if html is not None:
        from probekit.figures import write_page

        write_page(opened, html)
    _print_run(opened, as_json=as_json)


@app.command()
def select(
    folder: RunFolder,
    *,
    rule: Annotated[str, typer.Option(help="plateau or mute.")] = "plateau",
    alpha: Annotated[float | None, typer.Option(help="Threshold factor of the rule mute.")] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Nothing but JSON is ever printed here.")
    ] = False,
) -> None:
    """Choose layers: JSON on stdout, reasons on stderr; exit 1 when the evidence carries none."""
    del as_json  # taken so that every command that prints takes it
    from probekit.runs import open_run

    chosen = open_run(folder).select(rule=rule, alpha=alpha)
    typer.echo(chosen.to_json())
    for reason in chosen.reasons:
        typer.echo(reason, err=True)
    if chosen.status == "no_signal":
        raise typer.Exit(FINDINGS)


@app.command()
def doctor(
    model: Annotated[str, typer.Argument(help="Hub id, folder, .gguf file or 'builtin'.")],
    *,
    as_json: Json = False,
    dtype: Annotated[str, typer.Option(help="auto, float32, bfloat16 or float16.")] = "auto",
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, …")] = "auto",
    stack: Annotated[
        str | None, typer.Option(help="encoder or decoder of a seq2seq model.")
    ] = None,
) -> None:
    """Is capture right for this model? Parity, padding, norms, neurons; exit 1 when it is not."""
    from rich.console import Console

    from probekit.models import load
    from probekit.models.doctor import diagnose, table

    subject = load(model, dtype=dtype, device=device, stack=stack)  # type: ignore[arg-type]
    diagnosis = diagnose(subject)
    if as_json:
        typer.echo(json.dumps(diagnosis.to_json(), indent=1))
    else:
        console = Console()
        console.width = max(console.width, TABLE_WIDTH)
        console.print(table(diagnosis))
    for check in diagnosis.rows:
        if not check.ok:
            typer.echo(f"failed: {check.name}: {check.detail}", err=True)
    if not diagnosis.ok:
        raise typer.Exit(FINDINGS)


def _listed(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(","))


def _corpus_options(**options: str | None) -> dict[str, Any] | None:
    said: dict[str, Any] = {name: value for name, value in options.items() if value is not None}
    for name in {"labels", "ignore"} & set(said):
        said[name] = list(_listed(said[name]))
    return said or None


def _with_progress(work: Callable[[Any], Any]) -> Any:
    from probekit.studies.progress import TerminalProgress

    bar = TerminalProgress()
    try:
        return work(bar)
    finally:
        bar.close()


def _print_run(finished: Any, *, as_json: bool) -> None:
    from rich.console import Console

    from probekit.report import run_as_json, run_as_table

    if as_json:
        typer.echo(run_as_json(finished))
        return
    console = Console()
    console.width = max(console.width, TABLE_WIDTH)  # numbers are never cut to dots
    for part in run_as_table(finished):
        console.print(part, highlight=False)
