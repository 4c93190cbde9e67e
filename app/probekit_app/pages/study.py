"""Page "New study": a form over ``Study``, what it would need, and the studies that run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dash import dcc, html

from probekit_app import shell
from probekit_app.jobs import callbacks, fields
from probekit_app.jobs.fields import identity
from probekit_app.jobs.shown import ACT, job_list
from probekit_app.page import Page

if TYPE_CHECKING:
    from dash import Dash
    from dash.development.base_component import Component

    from probekit_app.view import View
    from probekit_app.workbench import Workbench

PERIOD = 1000


def layout(view: View) -> Component:
    """The form beside what a check finds, and the jobs under both."""
    if view.jobs is None:
        return _closed(view)
    jobs = view.jobs.listed()
    return html.Div(
        [
            dcc.Store(id=identity("said")),
            dcc.Store(id=ACT),
            dcc.Interval(
                id=identity("clock"), interval=PERIOD, disabled=all(job.is_over for job in jobs)
            ),
            _card(
                "Studies",
                html.P(id=identity("wrong"), className="field-error", role="alert"),
                html.Div(job_list(jobs), id=identity("jobs")),
                wide=True,
            ),
            _card("Study", fields.form(_models(view))),
            _card(
                "What it needs",
                html.Div(id=identity("found")),
                html.H3("The same in a terminal"),
                html.Div(id=identity("elsewhere")),
            ),
        ],
        className="cards study",
    )


def _card(title: str, *content: Any, wide: bool = False) -> Component:
    heading = identity(title.lower().replace(" ", "-") + "-title")
    return html.Section(
        [html.Header(html.H2(title, id=heading)), *content],
        className="card" if wide else "card half",
        **{"aria-labelledby": heading},
    )


def _models(view: View) -> list[str]:
    """Models of the runs that are here already."""
    found = [each.about["model"]["id"] for each in view.runs.listed() if each.about]
    return sorted({str(model) for model in found})


def _closed(view: View) -> Component:
    if view.runs.is_a_run:
        why = "The workbench looks at one run. Start it over a folder of runs to make more."
    else:
        why = "This server was started to look only. In a terminal: probekit run -o FOLDER/NAME"
    return shell.state("Studies are not started here", why)


def setup(app: Dash, bench: Workbench) -> None:
    """Callbacks, where studies may be started; without them there is nothing to post to."""
    if bench.jobs is not None:
        callbacks.register(app, bench.jobs)


PAGE = Page(
    path="/study",
    title="New study",
    order=11,
    lead="Read a model over parallel text: choose what, see what it needs, start it, watch it.",
    layout=layout,
    without_run=True,
    exported=False,
    setup=setup,
)
