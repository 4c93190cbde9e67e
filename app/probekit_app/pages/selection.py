"""Page 8, Selection: which layers, how sure, and the same in a trainer's own words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from dash import html
from flask import Response, request

from probekit.errors import ProbekitError
from probekit.figures.compare import words
from probekit.figures.selection import selection_by_layer
from probekit.selection.blocks import describe
from probekit_app import shell
from probekit_app.cards import FigureCard, GridCard, PanelCard
from probekit_app.notebook_code import run_path
from probekit_app.page import Page
from probekit_app.security import refusal
from probekit_app.selecting import (
    FOLLOWS,
    PREFER,
    ROLES,
    RULE,
    arguments,
    call,
    command,
    option_controls,
    selection_of,
    shown_controls,
)
from probekit_app.text import language_label
from probekit_app.trainers import TRAINER, inline, sentences, snippet, snippet_code

if TYPE_CHECKING:
    from collections.abc import Sequence

    import plotly.graph_objects as go
    from dash import Dash
    from dash.development.base_component import Component
    from flask import Flask

    from probekit.selection import LayerSelection
    from probekit_app.view import View
    from probekit_app.workbench import Workbench

NEEDS = ("cka", "regions", "norms")
STATUS = {
    "stable": "A stable region",
    "unstable": "An unstable region: resamples mostly give another one",
    "no_signal": "No signal: the evidence carries no region under this rule",
}
KINDS = {
    "random_same_size": "random, same size",
    "shallow": "shallowest",
    "deep": "deepest",
    "neighbours": "neighbours",
    "all_layers": "all blocks",
    "paper_default": "a paper's default",
}
#: What an agreement calls a measure → its name in a run.
MEASURES = {
    "cka_mean": "cka/mean",
    "lrds_centred": "regions/lrds_centred",
    "lrds": "regions/lrds",
    "lrds_over_sads": "regions/ratio",
}


def settings(view: View) -> Component:
    """The controls of the chosen rule."""
    if view.site:
        return html.P("Settings are at their defaults here; the workbench itself has them.")
    shown = [shell.control(each, view.option(each.key)) for each in shown_controls(view)]
    said = {"aria-label": "Settings of the rule"}
    return html.Div(shown, className="controls", role="group", **said)


def answer(view: View) -> list[Component]:
    """Region, target, reasons and warnings; a refusal as plainly."""
    chosen = selection_of(view)
    headline = str(chosen).partition("\n")[0].partition(": ")[2]
    told = [
        html.P([html.Span(className=f"mark {chosen.status}"), STATUS[chosen.status]]),
        html.P(headline, className="headline-text"),
        sentences(chosen.reasons, "Why"),
    ]
    if chosen.warnings:
        told.append(sentences(chosen.warnings, "What weakens it"))
    rule = html.P(
        [html.Span("The rule: ", className="label"), html.Code(chosen.rule["expression"])]
    )
    return [html.Div([*told, rule, _files(view, chosen)], className="answer")]


def _files(view: View, chosen: LayerSelection) -> Component:
    """``selection.json``, which scripts, ``probekit export`` and ``probekit erase`` read."""
    if view.site:
        address = inline(chosen.to_json())
    else:
        query = {"run": view.state.run, **{key: view.option(key) for key in FOLLOWS}}
        address = f"/download/selection.json?{urlencode(query)}"
    link = html.A("Download selection.json", href=address, download="selection.json")
    return html.P([link, f" · evidence: {chosen.grade}"], className="fine")


def answer_code(view: View) -> str:
    """The same in a notebook, and as a command."""
    return (
        "import probekit\n\n"
        f"run = probekit.open_run({run_path(view)!r})\n"
        f"print({call(view)})\n\n"
        f"# the same in a terminal: {command(view)} > selection.json\n"
    )


def figure(view: View) -> go.Figure:
    """What the rule read, its bars, and how often each block clears."""
    return selection_by_layer(selection_of(view))


def figure_code(view: View) -> str:
    """The same in a notebook."""
    said = ", ".join(f"{name}={value!r}" for name, value in arguments(view).items())
    return (
        "import probekit\n\n"
        f"run = probekit.open_run({run_path(view)!r})\n"
        f"run.plot.selection({said}).show()\n"
    )


def stability(view: View) -> Component:
    """How the region moves without one language, and under neighbouring settings."""
    chosen = selection_of(view)
    found = chosen.stability
    languages = [
        [_language(code, view), describe(each.region), _overlap(each.jaccard, chosen)]
        for code, each in found.leave_one_language_out.items()
    ]
    variants = [
        [each.parameter.replace("_", " "), f"{each.value:g}", describe(each.redrawn.region),
         _overlap(each.redrawn.jaccard, chosen)]
        for each in found.threshold_sensitivity
    ]  # fmt: skip
    mean = f"{found.region_jaccard_mean:.2f}" if chosen.region else "none: there is no region"
    told = f"Mean overlap (Jaccard) with the regions of {found.bootstrap_n} resamples: {mean}"
    parts = [html.P(told)]
    if languages:
        parts.append(_table(("without", "blocks", "overlap"), languages))
    settings = _table(("setting", "value", "blocks", "overlap"), variants)
    parts.append(html.Div(settings, className="scroll", tabIndex=0))
    return html.Div(parts, className="small-tables")


def _overlap(jaccard: float, chosen: LayerSelection) -> str:
    return f"{jaccard:.2f}" if chosen.region else ""


def _language(code: str, view: View) -> Component:
    style = view.styles.get(code)
    colour = "#7F7F7F" if style is None else style.colour
    return language_label(code, view.names.get(code, code), colour=colour)


def controls(view: View) -> Component:
    """Sets of blocks that a selection must beat, and whether other measures agree."""
    chosen = selection_of(view)
    sets = [
        [KINDS.get(each.kind, each.kind), describe(each.layers), each.note or _seed(each.seed)]
        for each in chosen.controls
    ]
    agreement = [
        [
            _measure(each.metric_a),
            _measure(each.metric_b),
            _tau(each.kendall_tau, each.low, each.high),
            "" if each.region is None else describe(each.region),
        ]
        for each in chosen.agreement
    ]
    tables = [
        _table(("control", "blocks", ""), sets),
        _table(("", "against", "Kendall's tau", "its blocks"), agreement),
    ]
    return html.Div(tables, className="small-tables")


def _measure(name: str) -> str:
    """A measure or a rule in words; one that is turned round counts from its lowest."""
    stem = name.removeprefix("-")
    said = stem.replace(":", " ") if ":" in stem else words(MEASURES.get(stem, stem))
    return said if stem == name else f"{said}, lowest first"


def _tau(tau: float, low: float | None, high: float | None) -> str:
    return f"{tau:.2f}" if low is None or high is None else f"{tau:.2f} [{low:.2f}, {high:.2f}]"


def _seed(seed: int | None) -> str:
    return "" if seed is None else f"seed {seed}"


def _table(head: Sequence[str], rows: Sequence[Sequence[Any]]) -> Component:
    cells = html.Tr([html.Th(each, scope="col") for each in head])
    body = [html.Tr([html.Td(each) for each in row]) for row in rows]
    return html.Table([html.Thead(cells), html.Tbody(body)])


def ranked(view: View) -> list[dict[str, Any]]:
    """Every block, best margin first."""
    chosen = selection_of(view)
    return [
        {
            "rank": rank,
            "block": each.layer,
            "margin": each.score,
            "rank_low": each.rank_low,
            "rank_high": each.rank_high,
            "clears": each.selected_in,
            "region": "yes" if each.layer in chosen.region else "",
            "target": "target" if each.layer == chosen.read_layer else "",
        }
        for rank, each in enumerate(chosen.ranked, start=1)
    ]


def setup(app: Dash, bench: Workbench) -> None:
    """Serve ``selection.json`` of whatever the address asks for."""
    server: Flask = app.server

    @server.get("/download/selection.json")
    def document() -> Response:
        try:
            view, _ = bench.look(request.query_string.decode("utf-8", errors="replace"))
            if view.opened is None:
                return refusal(404, "No run is chosen.")
            text = selection_of(view).to_json()
        except (ProbekitError, OSError) as error:
            return refusal(404, str(error))
        response = Response(text, content_type="application/json")
        response.headers["Content-Disposition"] = 'attachment; filename="selection.json"'
        return response


def _digits(form: str) -> dict[str, Any]:
    return {
        "valueFormatter": {"function": f"d3.format('{form}')(params.value)"},
        "cellClass": "number-cell",
    }


SETTINGS = PanelCard(
    name="settings",
    title="Settings",
    reading="Settings of the chosen rule.",
    show=settings,
    follows=(RULE.key,),
    height=34,
    bare=True,
)

ANSWER = PanelCard(
    name="answer",
    title="Selected layers",
    reading="What the rule accepts on this run, why, and what weakens it.",
    show=answer,
    code=answer_code,
    needs=NEEDS,
    follows=FOLLOWS,
    height=300,
    wide=False,
)

SNIPPET = PanelCard(
    name="trainer",
    title="For your trainer",
    reading="These layers in the trainer's own words, checked with its own matching rule.",
    show=snippet,
    code=snippet_code,
    needs=NEEDS,
    follows=(*FOLLOWS, TRAINER.key),
    height=300,
    wide=False,
    tabs=TRAINER,
)

BARS = FigureCard(
    name="bars",
    title="The evidence and its bars",
    reading=(
        "Each column that the rule reads, with its bar dashed; below, the share of resamples in "
        "which a block clears every bar. Shaded: the region; star: the block that a loss reads."
    ),
    draw=figure,
    code=figure_code,
    needs=NEEDS,
    follows=FOLLOWS,
    height=600,
    layer_axis=True,
)

RANKED = GridCard(
    name="ranked",
    title="Blocks by margin",
    reading=(
        "Smaller distance to the bars in standard deviations over blocks (0 clears), with the 95 % "
        "range of the rank over resamples."
    ),
    hints={"layer": "Choose a row to look at that block everywhere."},
    rows=ranked,
    columns=(
        {"field": "rank", "headerName": "Rank", **_digits("d")},
        {"field": "block", "headerName": "Block", **_digits("d")},
        {"field": "margin", "headerName": "Margin (sd)", **_digits("+.2f")},
        {"field": "rank_low", "headerName": "Rank from", **_digits(".0f")},
        {"field": "rank_high", "headerName": "to", **_digits(".0f")},
        {"field": "clears", "headerName": "Clears in", **_digits(".0%")},
        {"field": "region", "headerName": "In region"},
        {"field": "target", "headerName": "Target"},
    ),
    sets={"layer": "block"},
    code=answer_code,
    needs=NEEDS,
    follows=FOLLOWS,
    height=360,
)

STABILITY = PanelCard(
    name="stability",
    title="What moves the region",
    reading="The region without one language, and under neighbouring settings; 1 is the same one.",
    show=stability,
    needs=NEEDS,
    follows=FOLLOWS,
    wide=False,
)

CONTROLS = PanelCard(
    name="controls",
    title="What it must beat, and who agrees",
    reading=(
        "Localisation is contested: train these sets of blocks too. Below, whether other measures "
        "and rules order the blocks alike (1: the same order)."
    ),
    show=controls,
    needs=NEEDS,
    follows=FOLLOWS,
    wide=False,
)

PAGE = Page(
    path="/selection",
    title="Selection",
    order=8,
    lead="Which layers should be trained, how sure is that, and how do I tell my trainer?",
    needs=NEEDS,
    controls=(RULE,),
    card_controls=(TRAINER, *option_controls().values(), PREFER, ROLES),
    cards=(SETTINGS, ANSWER, SNIPPET, BARS, STABILITY, CONTROLS, RANKED),
    setup=setup,
)
