"""Page 9, Compare: two runs of any subjects, measure by measure, on the layers of the first."""

from __future__ import annotations

import shlex
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from dash import html

from probekit.errors import ProbekitError
from probekit.figures.compare import comparison_by_language, comparison_by_layer, words
from probekit.runs.bands import comparable
from probekit_app import shell
from probekit_app.cards import FigureCard, GridCard, PanelCard
from probekit_app.controls import RunChoice
from probekit_app.missing import Missing
from probekit_app.notebook_code import run_path
from probekit_app.page import Page

if TYPE_CHECKING:
    import plotly.graph_objects as go
    from dash.development.base_component import Component

    from probekit.runs.comparison import RunComparison
    from probekit_app.runs_folder import OpenedRun
    from probekit_app.view import View

MOST_LISTED = 12
ONE_DIGIT, THREE_DIGITS = (
    {
        "valueFormatter": {"function": f"d3.format('.{n}f')(params.value)"},
        "cellClass": "number-cell",
    }
    for n in (1, 3)
)


def measures(opened: OpenedRun) -> dict[str, str]:
    """What a run has to compare, in words."""
    found: dict[str, str] = opened.kept.get(
        "comparable",
        lambda: {"": "the metric"} | {key: words(key) for key in comparable(opened.run)},
    )
    return found


MEASURE = RunChoice(
    key="compare.measure",
    label="Measure",
    values=measures,
    help="The metric of the bar, or any measure by layer that carries an interval.",
)


def comparison(view: View) -> RunComparison:
    """Both runs side by side; made once for all cards.

    Raises
    ------
    InputError
        No second run, or runs that share no language or no measure.
    """
    first, second = view.opened, view.opened_b
    if first is None or second is None:
        msg = "a second run must be chosen. Choose one beside 'vs'."
        raise ProbekitError(msg)
    key = ("comparison", second.name, second.stamp)
    found: RunComparison = first.kept.get(key, lambda: first.run.diff(second.run))
    return found


def measure(view: View) -> str:
    """The measure shown: the one chosen here, else the bar's metric, else the first compared."""
    compared, wanted = comparison(view).differences, metric_key(view)
    return view.option(MEASURE.key) or (wanted if wanted in compared else next(iter(compared)))


def metric_key(view: View) -> str:
    """The bar's metric as runs are compared by it; variants of CKA carry no interval."""
    name = view.state.metric
    return "cka/mean" if name == "debiased" else f"alignment/{name}_mean"


def _not_by_metric(view: View) -> list[str]:
    """A sentence where the bar's metric is asked for and cannot be compared."""
    if view.option(MEASURE.key) or metric_key(view) in comparison(view).differences:
        return []
    assert view.opened is not None
    name = view.opened.metrics.get(view.state.metric, "The metric")
    shown = words(measure(view))
    return [f"{name} has no interval in both runs, so {shown} is shown instead."]


def by_layer(view: View) -> go.Figure:
    """Both curves, and their difference."""
    return comparison_by_layer(comparison(view), measure=measure(view))


def by_language(view: View) -> go.Figure:
    """The difference by language and layer."""
    shown = tuple(code for code in view.state.languages if code in comparison(view).languages)
    return comparison_by_language(comparison(view), measure=measure(view), languages=shown)


def summary(view: View) -> Component:
    """What is compared with what, how much of it differs, and what weakens that."""
    if view.other is None:
        return _choose(view)
    found = comparison(view)
    left_out = [
        html.Li([html.Bdi(words(key)), f": {reason}"]) for key, reason in found.left_out.items()
    ]
    told = [
        html.P([html.Span(className=f"mark {_mark(found)}"), found.verdict()]),
        html.P(found.headline(), className="plain"),
        html.Ul([html.Li(each) for each in (*_not_by_metric(view), *found.warnings)]),
    ]
    if left_out:
        more = html.Summary(f"{len(left_out)} not compared")
        told.append(html.Details([more, html.Ul(left_out)], className="fold"))
    return html.Div(told, className="answer")


def _mark(found: RunComparison) -> str:
    return "unstable" if found.differing else "stable"


def rows(view: View) -> list[dict[str, Any]]:
    """A row a measure: where it changes most, and at how many layers it differs."""
    if view.other is None:
        return []
    return [
        {"measure": row["measure"], "words": words(row["measure"])}
        | {name: row[name] for name in ("a", "b", "change", "low", "high", "layer", "depth")}
        | {
            "differs": "yes" if row["differs"] else "no",
            "layers": f"{row['points_that_differ']} of {row['points']}",
            "interval": row["interval"],
        }
        for row in comparison(view).rows()
    ]


def layout(view: View) -> Component:
    """The cards; without a second run, which one to choose; else why nothing can be compared."""
    if view.other is None:
        return _choose(view)
    try:
        comparison(view)
    except ProbekitError as error:
        return shell.state("These runs cannot be compared", str(error), kind="failed")
    return shell.cards(view, PAGE.cards)


def _choose(view: View) -> Component:
    """The runs that there are to compare with, as links."""
    others = [name for name in view.runs.finished() if name != view.state.run]
    if not others:
        text = "Make another run of any model over the same text, for example:"
        command = f"probekit run --model MODEL -o {shlex.quote(f'{view.runs.root}/other')}"
        parts = [html.P(text), html.Div(html.Code(command), className="command")]
    else:
        links = [html.Li(_link(name, view)) for name in others[:MOST_LISTED]]
        every = html.A("all runs", href="/runs", **{"data-page": "/runs"})
        parts = [html.P(["Choose one beside “vs”, or here (or see ", every, "):"]), html.Ul(links)]
    return html.Div([html.Strong("Choose a second run"), *parts], className="state")


def _link(name: str, view: View) -> Component:
    query = urlencode({"run": view.state.run, "vs": name})
    return html.A(html.Bdi(name), href=f"/compare?{query}", **{"data-go": "1"})


def second_run(view: View) -> Missing | None:
    """There is nothing to draw without one."""
    if view.other is not None:
        return None
    command = f"probekit diff {shlex.quote(run_path(view))} OTHER_RUN"
    return Missing(("a second run",), "Choose one beside 'vs'.", command)


def by_languages(view: View) -> Missing | None:
    """Some measures are kept as one mean alone; which have more is said."""
    found = second_run(view)
    if found is not None or comparison(view)[measure(view)].by_language is not None:
        return found
    having = [key for key, each in comparison(view).differences.items() if each.by_language]
    said = f"These have: {', '.join(map(words, having))}." if having else "No measure of both has."
    heading = f"{words(measure(view))} has no values by language"
    return Missing((), said, command="", heading=heading)


def _code(view: View, draw: str) -> str:
    both = view if view.opened_b is None else replace(view, opened=view.opened_b)
    return (
        "import probekit\n\n"
        f"a = probekit.open_run({run_path(view)!r})\n"
        f"b = probekit.open_run({run_path(both)!r})\n"
        f"{draw}\n"
    )


def layer_code(view: View) -> str:
    """The same figure in a notebook."""
    return _code(view, f"a.plot.difference(b, measure={measure(view)!r}).show()")


def language_code(view: View) -> str:
    """The same figure in a notebook."""
    shown = tuple(code for code in view.state.languages if code in comparison(view).languages)
    chosen = f"measure={measure(view)!r}, languages={shown!r}"
    return _code(view, f"a.plot.difference_by_language(b, {chosen}).show()")


def table_code(view: View) -> str:
    """The same table in a notebook."""
    return _code(view, "a.diff(b).rows()")


def language_height(view: View) -> int:
    """A row a language that both have."""
    shared = [c for c in view.state.languages if view.other and c in view.other.languages]
    return 130 + 24 * max(3, len(shared))


SUMMARY = PanelCard(
    name="summary",
    title="What is compared",
    reading="The run chosen beside “vs” (b) minus the run (a), at equal relative depth.",
    show=summary,
    code=table_code,
    follows=(MEASURE.key, "metric"),
    written=(MEASURE.key,),
    height=120,
)

CURVES = FigureCard(
    name="curves",
    title="Both runs by layer",
    reading=(
        "Above, the measure in both runs with 95 % intervals; below, b − a with its own, against "
        "no difference. A diamond stands where it differs even when everything is asked at once."
    ),
    draw=by_layer,
    code=layer_code,
    lacks=second_run,
    follows=(MEASURE.key, "metric"),
    written=(MEASURE.key,),
    height=470,
    layer_axis=True,
)

LANGUAGES = FigureCard(
    name="languages",
    title="Difference by language",
    reading=(
        "b − a for each language that both runs have: red below zero, green to blue above, palest "
        "at no difference. A dot stands where it differs even when everything is asked at once."
    ),
    draw=by_language,
    code=language_code,
    lacks=by_languages,
    follows=(MEASURE.key, "metric", "langs"),
    written=(MEASURE.key,),
    height=language_height,
    layer_axis=True,
)

TABLE = GridCard(
    name="differences",
    title="Every measure, where it changes most",
    reading=(
        "One row a measure that both runs hold with an interval: a, b and b − a at the layer of "
        "its largest change."
    ),
    hints={MEASURE.key: "Choose a row to see it above."},
    rows=rows,
    columns=(
        {"field": "words", "headerName": "Measure", "minWidth": 200},
        {"field": "layer", "headerName": "Layer of a", **ONE_DIGIT},
        {"field": "a", "headerName": "a", **THREE_DIGITS},
        {"field": "b", "headerName": "b", **THREE_DIGITS},
        {"field": "change", "headerName": "b − a", **THREE_DIGITS},
        {"field": "low", "headerName": "from", **THREE_DIGITS},
        {"field": "high", "headerName": "to", **THREE_DIGITS},
        {"field": "differs", "headerName": "Differs"},
        {"field": "layers", "headerName": "Layers that differ"},
        {"field": "interval", "headerName": "Interval"},
    ),
    sets={MEASURE.key: "measure"},
    code=table_code,
    height=420,
)

PAGE = Page(
    path="/compare",
    title="Compare",
    order=9,
    lead="What changed between two models, layer by layer and language by language?",
    controls=(MEASURE,),
    cards=(SUMMARY, CURVES, LANGUAGES, TABLE),
    layout=layout,
    offers=lambda view: view.other is not None,
)
