"""A selection in a trainer's own words: to copy, to download, with what that trainer selects by it.

Text only, from ``probekit.selection.exporters``; nothing is trained here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from dash import html

from probekit.selection.exporters import EXPORTERS, export
from probekit_app import shell
from probekit_app.controls import Choice
from probekit_app.notebook_code import run_path
from probekit_app.selecting import call, selection_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dash.development.base_component import Component

    from probekit.selection.exporters import Export
    from probekit_app.view import View

FIRST = "peft"
TRAINER = Choice(
    key="selection.to",
    label="Trainer",
    values={name: name for name in (FIRST, *(each for each in EXPORTERS if each != FIRST))},
    help="Whose configuration to write.",
)


def snippet(view: View) -> Component:
    """The trainer's own configuration, what it selects under that trainer's rule, the hash."""
    chosen, to = selection_of(view), view.option(TRAINER.key)
    if not chosen.region:
        text = "This rule refuses on this run, so there is nothing to train. " + chosen.reasons[0]
        return shell.state("No region: nothing is exported", text)
    written = export(chosen, to)
    told = [html.P(EXPORTERS[to], className="fine"), _expressible(written)]
    if written.text:
        copy = html.Button("Copy", className="quiet", type="button", **{"data-copy": "code"})
        save = html.A("Download", href=inline(written.text), download=written.filename)
        name = html.Span(written.filename, className="file")
        code = html.Pre(written.text, tabIndex=0)
        told.append(html.Div([name, copy, save, code], className="snippet"))
    if written.notes:
        told.append(sentences(written.notes, "Notes"))
    return html.Div(told, className="answer")


def _expressible(written: Export) -> Component:
    """Whether the tool selects exactly this, with the hash of what it does select."""
    what = f"{len(written.names)} {written.acts_on} under the rule of {written.tested}"
    if written.expressible:
        said = f"Selects exactly these layers: {what}"
    else:
        said = f"Not expressible in {written.to}: nearest — {written.nearest} ({what})"
    mark = html.Span(className=f"mark {'stable' if written.expressible else 'unstable'}")
    digest = html.P(["SHA-256 of the names: ", html.Code(written.names_sha256)], className="hash")
    return html.Div([html.P([mark, said]), digest])


def snippet_code(view: View) -> str:
    """The same in a notebook, and as a command."""
    to = view.option(TRAINER.key)
    return (
        "import probekit\nfrom probekit.selection.exporters import export\n\n"
        f"run = probekit.open_run({run_path(view)!r})\n"
        f"print(export({call(view)}, {to!r}).text)\n\n"
        f"# in a terminal: probekit export selection.json --to {to}\n"
    )


def sentences(said: Iterable[str], heading: str) -> Component:
    """Sentences under a heading."""
    items = html.Ul([html.Li(each) for each in said])
    return html.Div([html.Span(heading, className="label"), items])


def inline(text: str) -> str:
    """A text as an address that can be downloaded without asking anybody."""
    return f"data:text/plain;charset=utf-8,{quote(text)}"
