"""The list of jobs as components: how far each is, and what can be done with it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from dash import html

from probekit_app.jobs.fields import duration

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dash.development.base_component import Component

    from probekit_app.jobs.job import Job

STAGES = {
    "loading": "loading the model",
    "reading": "reading",
    "measuring": "measuring",
    "finishing": "putting together",
}
#: The store that buttons of the list write into; see ``tell`` in ``assets/workbench.js``.
ACT = "study-act"


def job_list(jobs: Sequence[Job], now: float | None = None) -> list[Component]:
    """Jobs, newest first; a sentence where there are none."""
    if not jobs:
        return [html.P("No study was started from this page yet.", className="label")]
    ahead = sum(job.state == "running" for job in jobs)
    queue = sorted((job for job in jobs if job.state == "queued"), key=lambda job: job.asked)
    places = {job.name: ahead + at for at, job in enumerate(queue)}
    clock = time.time() if now is None else now
    return [_job(job, clock, places.get(job.name, 0)) for job in jobs]


def _job(job: Job, now: float, before: int) -> Component:
    words = "stopping" if job.state == "running" and job.cancelled else job.state
    head = html.Div(
        [
            html.Strong(html.Bdi(job.name)),
            html.Span(words, className=f"pill {job.state}"),
            html.Span(said(job, now, before=before), className="said"),
            html.Span(_buttons(job), className="acts"),
        ],
        className="row",
    )
    bar = [_bar(job)] if job.state == "running" else []
    log = [html.Details([html.Summary("Log"), html.Pre(job.log, tabIndex=0)], className="fold")]
    body = [head, *bar, *(log if job.log.strip() else [])]
    return html.Div(body, className="job", **{"data-job": job.name, "data-state": job.state})


def said(job: Job, now: float, *, before: int = 0) -> str:
    """What there is to say of a job, in one line."""
    if job.state == "queued":
        studies = "one study" if before == 1 else f"{before} studies"
        return f"waits for {studies} before it: one runs at a time"
    if job.state != "running":
        return job.message
    words = STAGES.get(job.stage, job.stage)
    if job.total:
        unit = {"reading": "tokens", "measuring": "layers", "finishing": "analyses"}.get(job.stage)
        words += f" {job.done:,} of {job.total:,} {unit}"
    left = duration(job.remaining(now))
    return f"{100 * job.share:.0f} %, about {left} to go: {words}"


def _bar(job: Job) -> Component:
    percent = f"{100 * job.share:.0f}"
    return html.Div(
        html.Div(style={"width": f"{percent}%"}),
        className="progress",
        role="progressbar",
        **{
            "aria-label": f"Progress of {job.name}",
            "aria-valuemin": "0",
            "aria-valuemax": "100",
            "aria-valuenow": percent,
        },
    )


def _buttons(job: Job) -> list[Component]:
    found = []
    if job.state == "finished":
        href = f"/overview?{urlencode({'run': job.name})}"
        label = {"data-go": "1", "aria-label": f"Open {job.name}"}
        found.append(html.A("Open", href=href, **label))
    if not job.is_over and not job.cancelled:
        found.append(_button("Cancel", job))
    if job.can_resume:
        found.append(_button("Resume", job))
    if job.is_over:
        found.append(_button("Remove", job))
    return found


def _button(words: str, job: Job) -> Component:
    return html.Button(
        words,
        type="button",
        className="quiet",
        **{
            "data-tell": ACT,
            "data-value": f"{words.lower()} {job.name}",
            "aria-label": f"{words} {job.name}",
        },
    )
