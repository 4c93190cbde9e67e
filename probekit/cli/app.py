"""The command itself, and what its commands share: options, exit codes, printing, progress."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from probekit.errors import InterruptedRun, ProbekitError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from rich.console import Console
    from rich.table import Table

FINDINGS, BAD_INPUT, INTERRUPTED = 1, 2, 3
STOPPED = "interrupted. The same command resumes where it stopped."
TABLE_WIDTH = 112

Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
RunFolder = Annotated[Path, typer.Argument(help="Folder of a finished run.")]
Model = Annotated[str, typer.Argument(help="Hub id, folder, .gguf file or 'builtin'.")]
Dtype = Annotated[str, typer.Option(help="auto, float32, bfloat16 or float16.")]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda, …")]
Stack = Annotated[str | None, typer.Option(help="encoder or decoder of a seq2seq model.")]


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


@app.callback(invoke_without_command=True)
def _version(
    *, version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False
) -> None:
    if version:
        from probekit import __version__

        typer.echo(__version__)
        raise typer.Exit


def listed(text: str) -> tuple[str, ...]:
    """``en, de`` as codes."""
    return tuple(part.strip() for part in text.split(","))


def with_progress(work: Callable[[Any], Any], *, file: Path | None = None) -> Any:
    """Do work under a progress bar, which is closed whatever happens; into a file too, if named."""
    from probekit.studies.progress import TerminalProgress

    bar = TerminalProgress()
    try:
        return work(bar) if file is None else _with_file(work, bar, file)
    finally:
        bar.close()


def _with_file(work: Callable[[Any], Any], bar: Any, file: Path) -> Any:
    """Do work whose end is written down as well, whatever it is."""
    from probekit.studies.progress_file import FileProgress

    told = FileProgress(file, bar)
    try:
        done = work(told)
    except (KeyboardInterrupt, InterruptedRun) as error:
        told.end("interrupted", str(error) or STOPPED)
        raise
    except ProbekitError as error:
        told.end("failed", f"{type(error).__name__}: {error}")
        raise
    except BaseException as error:
        told.end("failed", f"it broke off ({type(error).__name__}); the log says more")
        raise
    told.end("finished", "")
    return done


def show_parts(content: str | Iterable[Any]) -> None:
    """Text as it is, or what rich draws."""
    from rich.console import Console
    from rich.table import Table

    if isinstance(content, str):
        typer.echo(content)
        return
    console = Console()
    terminal = max(console.width, TABLE_WIDTH)
    for part in content:
        console.width = terminal
        if isinstance(part, Table):  # numbers are never cut to dots
            console.width = max(terminal, _width(part, console))
        console.print(part, highlight=False)


def _width(table: Table, console: Console) -> int:
    """What a table needs to show every cell in one line."""
    from rich.measure import Measurement

    console.width = 100_000
    return Measurement.get(console, console.options, table).maximum
