"""Page 4, Logit lens: what layers would predict, in whose tokens, over the corpus and live."""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING, Any

from dash import html

from probekit.figures.lens_areas import areas_height
from probekit.figures.lens_languages import METRICS, heatmap_height
from probekit_app import shell
from probekit_app.cards import FigureCard, PanelCard
from probekit_app.controls import Choice
from probekit_app.live.limits import LONGEST_TEXT, MOST_TEXTS, TOP
from probekit_app.page import Page
from probekit_app.text import language_label, sentence

if TYPE_CHECKING:
    from dash import Dash
    from dash.development.base_component import Component

    from probekit_app.view import View
    from probekit_app.workbench import Workbench

WORDS = {
    "entropy": "Entropy",
    "kl": "KL to final",
    "agreement": "Agreement",
    "log_rank": "Rank of truth",
    "own_mass": "Own language",
}

METRIC = Choice(
    key="lens.metric",
    label="Heatmap",
    values={"agreement": WORDS["agreement"], **{name: WORDS[name] for name in METRICS}},
    help="What the heatmap over layers and languages shows.",
)

COLOUR = Choice(
    key="lens.colour",
    label="Cells show",
    values={
        "probability": "Probability",
        "rank": "Rank of final token",
        "entropy": "Entropy",
        "kl": "KL to final",
    },
    help="What the cells of the live lens are coloured by.",
)


def languages(view: View) -> dict[str, Any]:
    """The chosen languages as an argument; none when all are chosen, as in the figures."""
    chosen = list(view.state.languages)
    return {} if chosen == list(view.run.languages) else {"languages": chosen}


MASS = FigureCard(
    name="mass",
    title="Whose tokens carry the probability",
    reading=(
        "Each panel reads texts of one language: areas are the share of a layer's prediction on "
        "tokens of each language, the text's own at the bottom. A model that passes through a "
        "pivot language shows that language's colour in the middle layers of every panel."
    ),
    plot="mass_areas",
    arguments=languages,
    needs=("lens",),
    follows=("langs",),
    height=lambda view: areas_height(len(view.state.languages)),
    click={"layer": "x"},
)

CURVES = FigureCard(
    name="curves",
    title="What each layer would predict",
    reading=(
        "How unsure a layer is (entropy), how far from the model's own prediction (KL, agreement), "
        "how near the truth (rank), and how much it says in the text's own language. Bands are "
        "95 % intervals over units; dotted is what random vectors of the same norms give."
    ),
    plot="lens_curves",
    arguments=languages,
    needs=("lens",),
    follows=("langs",),
    height=880,
    layer_axis=True,
)

HEATMAP = FigureCard(
    name="heatmap",
    title="Layers and languages",
    reading="One quantity for every language at every layer; a row that differs is a language that "
    "the model treats apart.",
    plot="lens_heatmap",
    arguments=lambda view: {"metric": view.option("lens.metric"), **languages(view)},
    needs=("lens",),
    follows=("langs", "lens.metric"),
    height=lambda view: heatmap_height(len(view.state.languages)),
    layer_axis=True,
)


def unit_texts(view: View) -> dict[str, str]:
    """The chosen unit in the chosen languages; empty where the run keeps no texts."""
    if not view.state.unit or "corpus" not in view.run.results.children:
        return {}
    texts = view.run.corpus["text"].sel(unit=view.state.unit)
    return {code: str(texts.sel(language=code).item()) for code in view.state.languages}


def unit_rows(view: View) -> list[dict[str, Any]]:
    """The same as rows."""
    return [{"language": code, "text": text} for code, text in unit_texts(view).items()]


def show_unit(view: View) -> list[Component]:
    """The chosen unit's texts, and a button that reads them where a model is there."""
    texts = unit_texts(view)
    if not texts:
        return [shell.state("No texts", "This run keeps no texts of its units.")]
    names, styles = view.names, view.styles
    rows = [
        html.Tr(
            [
                html.Th(language_label(code, names[code], colour=styles[code].colour), scope="row"),
                html.Td(sentence(text, code)),
            ]
        )
        for code, text in texts.items()
    ]
    table = html.Table([html.Caption(f"Unit {view.state.unit}"), html.Tbody(rows)])
    parts: list[Component] = [html.Div(table, className="unit-texts")]
    if view.model and not view.site:
        some = list(texts.values())[:MOST_TEXTS]
        words = "Read these live" if len(texts) <= MOST_TEXTS else f"Read the first {MOST_TEXTS}"
        said = {"data-live-texts": json.dumps(some, ensure_ascii=False)}
        parts.append(html.Button(words, type="button", className="live-action", **said))
    return parts


UNIT = PanelCard(
    name="unit",
    title="The chosen unit",
    reading="One meaning in the chosen languages; what the live lens reads side by side.",
    show=show_unit,
    rows=unit_rows,
    follows=("unit", "langs"),
    height=160,
)


def show_live(view: View) -> Component:
    """The live lens, or how to get one."""
    if view.site or not view.model:
        return _without_model(view)
    most = f"One text a line, at most {MOST_TEXTS} texts of {LONGEST_TEXT:,} characters."
    field = html.Textarea(
        "",
        rows=3,
        dir="auto",
        className="live-text",
        placeholder="The capital of France is\nLa capital de Francia es",
        **{"aria-label": "Texts to read, one a line", "aria-describedby": "live-limits"},
    )
    read = html.Button("Read", type="button", className="live-action", **{"data-live-read": "1"})
    buttons = html.Div([read, _saves()], className="live-buttons")
    status = html.P(className="live-status", role="status", **{"aria-live": "polite"})
    return html.Div(
        [
            _other_model(view),
            html.Div([field, buttons], className="row"),
            html.P(f"{most} Ctrl+Enter reads.", id="live-limits", className="hint"),
            status,
            _legend(),
            html.Div(className="live-grids"),
        ],
        className="live",
        **{"data-longest": str(LONGEST_TEXT), "data-most": str(MOST_TEXTS)},
    )


def _without_model(view: View) -> Component:
    model = view.run.manifest.model["id"]
    text = (
        "This run keeps no unit × layer × position grid: such a grid is read from the model when "
        "it is asked for. Start the workbench with the model, or read a text in the terminal:"
    )
    name = shlex.quote(str(model))
    lines = (f"probekit dashboard runs --model {name}", f'probekit lens {name} "text"')
    commands = [
        html.Div(
            [
                html.Code(line),
                html.Button("Copy", className="quiet", type="button", **{"data-copy": "code"}),
            ],
            className="command",
        )
        for line in lines
    ]
    parts = [html.Strong("No model is loaded"), html.P(text), *commands]
    return html.Div(parts, className="state lacking")


def _other_model(view: View) -> Component | None:
    """A line where the live model is not the run's."""
    own = str(view.run.manifest.model["id"])
    if own == view.model:
        return None
    text = f"The figures of this run are of {own}; what is read here is read by {view.model}."
    return html.P(text, className="hint live-other")


def _saves() -> Component:
    buttons = [
        html.Button(kind, type="button", className="quiet", **{"data-live-save": kind.lower()})
        for kind in ("CSV", "JSON")
    ]
    said = {"aria-label": "Export grids"}
    return html.Span(buttons, className="live-saves", role="group", hidden=True, **said)


def _legend() -> Component:
    """The scale of each way to colour; the style sheet shows the chosen one."""
    words = {
        "probability": ("probability of the layer's best token", "0", "1"),
        "rank": ("rank that the layer gives the final token, log scale", "last", "1"),
        "entropy": ("entropy of the layer's prediction", "0", "most"),
        "kl": ("KL(final ‖ lens)", "0", "most"),
    }
    parts = [
        html.Span(
            [
                html.Span(what),
                html.Span(low, className="low"),
                html.Span(className="ramp", **{"aria-hidden": "true"}),
                html.Span(high, className="high"),
            ],
            className=f"scale scale-{name}",
        )
        for name, (what, low, high) in words.items()
    ]
    framed = html.Span("framed: already the model's own argmax", className="framed-note")
    return html.Div([*parts, framed], className="live-legend", hidden=True)


def live_code(view: View) -> str:
    """The same in a notebook."""
    model = view.model or view.run.manifest.model["id"]
    return (
        "import probekit\n\n"
        f"subject = probekit.load({model!r})\n"
        f'probekit.lens(subject, "The capital of France is", top={TOP})\n'
    )


LIVE = PanelCard(
    name="live",
    title="Live lens",
    reading=(
        "Rows are layers, the last on top; columns are tokens; a cell is the token that the layer "
        "would predict after it."
    ),
    hints={
        "pos": f"Hover or move with the arrow keys for the best {TOP} tokens; a click sets the "
        "layer and the position."
    },
    show=show_live,
    code=live_code,
    scripted=("layer", "pos", COLOUR.key),
    height=120,
)


def layout(view: View) -> Component:
    """The live lens first, where there is one."""
    if view.model and not view.site:
        return shell.cards(view, (LIVE, UNIT, MASS, CURVES, HEATMAP))
    return shell.cards(view, (MASS, CURVES, HEATMAP, UNIT, LIVE))


def setup(app: Dash, workbench: Workbench) -> None:
    """Give the app the addresses of the live lens; its model is loaded when first asked."""
    from probekit_app.live import routes
    from probekit_app.live.readings import LiveLens

    live = LiveLens(workbench.model) if workbench.model else None
    routes.register(app.server, live)
    app.server.extensions["probekit-live"] = live


PAGE = Page(
    path="/lens",
    title="Logit lens",
    order=4,
    lead="What would each layer say, and in which language?",
    controls=(METRIC, COLOUR),
    cards=(MASS, CURVES, HEATMAP, UNIT, LIVE),
    layout=layout,
    setup=setup,
)
