"""A run's figures as one page that opens from disk without a network."""

from __future__ import annotations

from contextlib import suppress
from html import escape
from typing import TYPE_CHECKING

from probekit.errors import RunError, StorageError
from probekit.figures.instruments import figures_by_instrument
from probekit.figures.theme import CONFIG

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    import plotly.graph_objects as go

    from probekit.runs import Run

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<style>
body{{font:14px/1.5 Inter,Helvetica,Arial,sans-serif}}
body{{max-width:1080px;margin:24px auto;padding:0 16px}}
</style>
</head><body><h1>{title}</h1>
{figures}
</body></html>
"""


def write_page(run: Run, path: Path) -> None:
    """Write the figures of a run, plotly's script included, to one HTML file.

    Raises
    ------
    StorageError
        The file cannot be written.
    """
    write_figures(list(_figures(run)), path, title=_title(run))


def write_figures(figures: Sequence[go.Figure], path: Path, *, title: str) -> None:
    """Write figures, plotly's script included, to one HTML file that needs no network.

    Raises
    ------
    StorageError
        The file cannot be written.
    """
    parts = [
        figure.to_html(
            full_html=False,
            include_plotlyjs=number == 0,
            div_id=f"figure-{number}",
            config=CONFIG,
        )
        for number, figure in enumerate(figures)
    ]
    text = _PAGE.format(title=escape(title), figures="\n".join(parts))
    scratch = path.with_name(f".{path.name}.partial")
    try:
        scratch.write_text(text, encoding="utf-8")
        scratch.replace(path)
    except OSError as error:
        with suppress(OSError):
            scratch.unlink(missing_ok=True)
        msg = (
            f"page {str(path)!r} cannot be written: {error.strerror}. Choose another file "
            "with --html."
        )
        raise StorageError(msg) from error


def _figures(run: Run) -> Iterator[go.Figure]:
    """The overview, then every figure whose analysis the run has."""
    yield run.plot.cka()
    if {"regions", "alignment"} <= set(run.results.children):
        yield run.plot.layers()
    for analysis, figures in figures_by_instrument().items():
        for name in figures if analysis in run.analyses else ():
            with suppress(RunError):  # an older run, or one too small, has not all of them
                yield getattr(run.plot, name)()


def _title(run: Run) -> str:
    corpus = run.manifest.corpus
    return (
        f"{run.manifest.model['id']}: {corpus['n_units']} units × "
        f"{len(corpus['languages'])} languages"
    )
