"""Page 1, Runs: what is in the folder, with a headline; pick one, or two to compare."""

from __future__ import annotations

from shlex import quote
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from dash import html

from probekit.figures.meet_measures import MEASURES, pair_measure
from probekit_app import shell
from probekit_app.cards import PanelCard
from probekit_app.page import Page

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dash.development.base_component import Component

    from probekit.figures.meet_measures import PairMeasure
    from probekit_app.runs_folder import Listed, OpenedRun
    from probekit_app.view import View

COLUMNS = ("Run", "Model", "Blocks", "Languages", "Units", "Made", "Where languages meet", "")
MOST_DOTS = 16
STATUS = {
    "stable": "stable region",
    "unstable": "unstable region",
    "no_signal": "no region: the evidence carries none",
}


def headline(view: View) -> Component:
    """Where the metric peaks and what the default rule accepts, of the run named by the key."""
    opened = view.runs.open(view.key)
    chosen = opened.selection
    parts: list[Any] = [html.Span(text)] if (text := metric_peak(opened, view)) else []
    if chosen is None:
        parts.append(html.Span("no rule applies", className="pill"))
    else:
        words = STATUS[chosen.status]
        if chosen.region:
            words = f"blocks {span(chosen.region)} · {words}"
        parts.append(html.Span(words, className=f"pill {chosen.status}"))
    return html.Div(parts, className="headline")


def metric_peak(opened: OpenedRun, view: View) -> str:
    """The peak of the bar's metric in a run, of its own first metric where no run is chosen."""
    name = view.state.metric or next(iter(opened.metrics), "")
    if not name:
        return ""
    if name not in opened.metrics:
        return f"{MEASURES[name]}: not computed"
    return peak(pair_measure(opened.run, name))


def peak(measure: PairMeasure) -> str:
    """``Debiased CKA peaks at block 9: 0.71 [0.68, 0.74]``; blocks alone, as the rules see them."""
    blocks = [row for row, layer in enumerate(measure.layers) if layer >= 0]
    best = min if measure.less_is_more else max
    at = best(blocks, key=lambda row: measure.mean[row])
    ends = measure.mean_ends
    told = "" if ends is None else f" [{ends[0][at]:.2f}, {ends[1][at]:.2f}]"
    verb = "is least" if measure.less_is_more else "peaks"
    words = measure.words[:1].upper() + measure.words[1:]
    return f"{words} {verb} at block {measure.layers[at]}: {measure.mean[at]:.2f}{told}"


def span(region: Sequence[int]) -> str:
    """``10–13``, or every block where they are not one stretch."""
    whole = list(range(region[0], region[-1] + 1)) == list(region)
    return f"{region[0]}–{region[-1]}" if whole and len(region) > 1 else ", ".join(map(str, region))


def layout(view: View) -> Component:
    """The table of runs; the headline of each arrives by itself."""
    runs = view.runs.listed()
    if not runs:
        return _empty(view)
    head = html.Tr([html.Th(words, scope="col") for words in COLUMNS])
    rows = [_row(each, view) for each in runs]
    caption = f"{len(runs)} {'run' if len(runs) == 1 else 'runs'} in {view.runs.root}"
    table = html.Table(
        [html.Caption(caption), html.Thead(head), html.Tbody(rows)], className="runs"
    )
    place = html.Div(
        table, className="table-scroll", tabIndex=0, role="region", **{"aria-label": "Runs"}
    )
    return html.Div([place, *_new_study(view)])


def _new_study(view: View) -> list[Component]:
    """A link to the form, where studies may be started."""
    if view.jobs is None:
        return []
    running = sum(job.state == "running" for job in view.jobs.listed())
    words = "New study (one is running)" if running else "New study"
    return [html.P(html.A(words, href="/study", **{"data-page": "/study"}))]


def _row(found: Listed, view: View) -> Component:
    if found.status != "finished":
        name = html.Th(html.Bdi(found.name), scope="row")
        state = html.Span(found.status, className=f"pill {found.status}")
        said = html.Td([state, html.Span(found.problem)], colSpan=len(COLUMNS) - 1)
        return html.Tr([name, said], className="lost")
    model, corpus = found.about["model"], found.about["corpus"]
    cells = [
        html.Td(html.Bdi(_short(str(model["id"]))), title=str(model["id"])),
        html.Td(str(model["n_blocks"]), className="number-cell"),
        html.Td(_languages(corpus)),
        html.Td(str(corpus["n_units"]), className="number-cell"),
        html.Td(str(found.about["created"])[:10], className="date"),
        html.Td(shell.slot(view, HEADLINE, key=found.name)),
        html.Td(_compare(found.name, view)),
    ]
    chosen: dict[str, str] = {"aria-current": "true"} if found.name == view.state.run else {}
    return html.Tr([html.Th(_link(found.name), scope="row"), *cells], **chosen)


def _link(name: str) -> Component:
    return html.A(html.Bdi(name), href=f"/overview?{urlencode({'run': name})}", **{"data-go": "1"})


def _compare(name: str, view: View) -> Component | str:
    """A link that compares this run with the chosen one."""
    if view.opened is None or name == view.state.run:
        return "chosen" if name == view.state.run else ""
    query = urlencode({"run": view.state.run, "vs": name})
    words = f"Compare {view.state.run} with {name}"
    said = {"data-go": "1", "aria-label": words}
    return html.A("compare", href=f"/compare?{query}", title=words, **said)


def _languages(corpus: dict[str, Any]) -> Component:
    """How many, and a dot each in the language's colour."""
    from probekit.figures.languages import language_styles

    codes, names = corpus["languages"], corpus.get("names", {})
    styles = language_styles(codes)
    dots = [
        html.Span(
            className="dot", title=names.get(code, code), style={"--dot": styles[code].colour}
        )
        for code in codes[:MOST_DOTS]
    ]
    return html.Span([f"{len(codes)} ", *dots], className="dots", title=", ".join(codes))


def _short(model: str) -> str:
    """The last two parts of a path or hub id."""
    return "/".join(model.rstrip("/").split("/")[-2:])


def _empty(view: View) -> Component:
    demo = f"probekit demo -o {quote(f'{view.runs.root}/demo')}"
    return html.Div(
        [
            html.Strong("No runs here yet"),
            html.P("This makes one from the built-in model and text:"),
            html.Div(
                html.Code(demo),
                className="command",
            ),
            *_new_study(view),
        ],
        className="state",
    )


HEADLINE = PanelCard(
    name="headline",
    title="Headline",
    reading="Where the metric peaks, and the blocks that the default rule accepts.",
    show=headline,
    follows=("metric",),
    height=20,
    bare=True,
)

PAGE = Page(
    path="/runs",
    title="Runs",
    order=1,
    lead="Which runs are here, and where languages meet in each? Choose one, or two to compare.",
    cards=(HEADLINE,),
    layout=layout,
    without_run=True,
    exported=False,
)
