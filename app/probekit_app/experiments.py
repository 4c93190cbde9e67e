"""Cards of an experiment: what was done, shares by place, the matrix of languages, contrasts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dash import html

from probekit.figures.experiment import contrasts_by_place, shares_by_place
from probekit.figures.experiment_matrix import answered_by_source, matrix_height
from probekit.figures.experiment_page import about_experiment as words_about
from probekit.figures.experiment_table import COLUMNS, place_rows
from probekit_app.cards import FigureCard, PanelCard
from probekit_app.erasures import DOCUMENT, code_of, document, drawn, lacks, of_kind, rows_code

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dash.development.base_component import Component

    from probekit.figures.experiment_document import ExperimentDocument
    from probekit_app.view import View

PANEL, ROW, AROUND = 190, 26, 190


def about_experiment(found: ExperimentDocument) -> Component:
    """What was taught, selected and erased, and whether only selected tensors moved."""
    said = words_about(found)
    mark = "bad" if found.broken else "good"
    contract = html.Span(f"contract {said.pop('Contract')}", className=f"verdict {mark}")
    rows = [(words, html.Bdi(text)) for words, text in said.items()]
    rows.append(("Tensors", contract))
    listed = [part for words, value in rows for part in (html.Dt(words), html.Dd(value))]
    notes = [html.Li(note) for note in found.notes]
    return html.Div([html.Dl(listed, className="about"), html.Ul(notes) if notes else ""])


def wide_table(head: Component, rows: Sequence[Component], *, label: str) -> Component:
    """A table that scrolls sideways where it is wider than the page."""
    table = html.Table([html.Thead(head), html.Tbody(list(rows))], className="verdicts")
    said = {"aria-label": label}
    return html.Div(table, className="table-wide", tabIndex=0, role="region", **said)


def places(view: View) -> Component:
    """A row an algorithm, source and place."""
    if of_kind(view, "experiment") is None:
        return html.Div(className="state elsewhere")
    head = html.Tr([html.Th(words, scope="col") for words in COLUMNS.values()])
    lines = [
        html.Tr([html.Td(html.Bdi(row[name]), className=name) for name in COLUMNS])
        for row in place_rows(document(view))
    ]
    return wide_table(head, lines, label="Shares by place")


def rows_of(view: View) -> list[dict[str, Any]]:
    """The same rows as they are exported."""
    found = of_kind(view, "experiment")
    return [] if found is None else list(place_rows(found))


def shares_height(view: View) -> int:
    """A row of panels an algorithm."""
    found = of_kind(view, "experiment")
    return AROUND + PANEL * (1 if found is None else len(found.algorithms))


def panels_height(view: View) -> int:
    """A row of matrices an algorithm."""
    found = of_kind(view, "experiment")
    return 2 * AROUND if found is None else matrix_height(found)


def contrasts_height(view: View) -> int:
    """A line a place that stands beside the selection."""
    found = of_kind(view, "experiment")
    if found is None:
        return 2 * AROUND
    others = len(found.places) - ("selection" in found.places)
    return AROUND + ROW * others * len(found.algorithms) * len(found.sources)


SHARES = FigureCard(
    name="places",
    title="Forgotten and kept, by place",
    reading=(
        "Facts that the taught model answers and the erased one still does. To forget: low is "
        "good, and what matters is how far the open marks follow the full ones. To retain: high is "
        "good. The selection's column says something only where it differs from the others."
    ),
    draw=drawn(shares_by_place, whole=True),
    code=code_of(shares_by_place, whole=True),
    lacks=lacks("experiment"),
    follows=(DOCUMENT.key,),
    height=shares_height,
)

PANELS = FigureCard(
    name="panels",
    title="From the languages erased in to those asked in, by place",
    reading=(
        "A row a language erased in, a column a language asked in; framed cells are the same "
        "language. Dark cells outside the frame are facts that erasing there did not reach."
    ),
    draw=drawn(answered_by_source),
    code=code_of(answered_by_source),
    lacks=lacks("experiment"),
    follows=(DOCUMENT.key, "langs"),
    written=(DOCUMENT.key,),
    height=panels_height,
)

CONTRASTS = FigureCard(
    name="contrasts",
    title="The selection against each other place",
    reading=(
        "Differences in held-out languages, the same facts paired; full marks leave zero out. Left "
        "in the left panel: more is forgotten at the selection. Right in the right one: more is "
        "kept there."
    ),
    draw=drawn(contrasts_by_place, whole=True),
    code=code_of(contrasts_by_place, whole=True),
    lacks=lacks("experiment"),
    follows=(DOCUMENT.key,),
    height=contrasts_height,
)

TABLE = PanelCard(
    name="table",
    title="By place",
    reading=(
        "Shares with 95 % intervals over facts. Carried over: of what was forgotten in the source, "
        "the part forgotten in held-out languages too."
    ),
    show=places,
    rows=rows_of,
    code=rows_code(place_rows),
    follows=(DOCUMENT.key,),
    height=240,
)

CARDS = (SHARES, PANELS, CONTRASTS, TABLE)
