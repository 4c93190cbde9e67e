"""Page 3, Languages meet: every pair at a layer and over depth, and what could fool the curve."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from probekit_app.cards import FigureCard
from probekit_app.controls import Choice
from probekit_app.page import Page

if TYPE_CHECKING:
    from probekit_app.view import View

ORDER = Choice(
    key="meet.order",
    label="Languages",
    values={"cluster": "Clustered", "family": "By family", "script": "By script", "run": "As run"},
    help="The order of rows and columns of the first table.",
)
BETWEEN = Choice(
    key="meet.between",
    label="Layers of",
    values={"across": "Two languages", "within": "One language"},
    help="What the table of layers compares.",
)


def chosen(view: View) -> dict[str, Any]:
    """The languages of the bar as an argument; nothing where all of them are shown."""
    languages = view.state.languages
    return {} if languages == view.run.languages else {"languages": languages}


def measured(view: View) -> dict[str, Any]:
    """The metric of the bar as an argument."""
    return {"measure": view.state.metric}


def marked(view: View) -> dict[str, Any]:
    """The selected region as an argument, where there is one."""
    return {"region": view.region} if view.region else {}


def table_arguments(view: View) -> dict[str, Any]:
    """Of the table of languages: two chosen languages are outlined."""
    two = chosen(view) if len(view.state.languages) == 2 else {}
    return {"layer": view.state.layer, **measured(view), "order": view.option(ORDER.key), **two}


def layers_arguments(view: View) -> dict[str, Any]:
    """Of the table of layers: it shows two chosen languages, otherwise the mean."""
    two = chosen(view) if len(view.state.languages) == 2 else {}
    return {"kind": view.option(BETWEEN.key), **two}


TABLE = FigureCard(
    name="table",
    title="Languages with languages",
    reading=(
        "Each cell is a pair at the chosen layer: blue is alike, the lightest colour is what "
        "unrelated languages have, red is less alike than those."
    ),
    hints={
        "metric": "The metric is chosen above.",
        "langs": "Click a cell to look at that pair.",
    },
    plot="language_table",
    arguments=table_arguments,
    needs=("cka",),
    follows=("layer", "langs", "metric", ORDER.key),
    written=("layer", "metric"),
    height=520,
    wide=False,
    click={"langs": "customdata"},
)

LAYERS = FigureCard(
    name="layers",
    title="Layers with layers",
    reading=(
        "Which layers of one language arrange the units like which of another; a dot is the best "
        "match of its row. Off the diagonal, the same meaning is reached at another depth."
    ),
    hints={
        "langs": "Choose two languages to compare them.",
        "layer": "A click sets the layer; dotted lines show it.",
    },
    plot="layers_by_layers",
    arguments=layers_arguments,
    needs=("cka_layers",),
    follows=("langs", BETWEEN.key),
    height=520,
    wide=False,
    layer_axes=True,
    click={"layer": "y"},
)

PAIRS = FigureCard(
    name="pairs",
    title="Pairs over depth",
    reading=(
        "Thin lines are pairs, the thick one is their mean with its interval; what counts is the "
        "distance to the dotted level."
    ),
    hints={
        "langs": "Choose languages above to see their pairs alone, or one language to see it with "
        "every other."
    },
    plot="pairs_by_layer",
    arguments=lambda view: {**measured(view), **chosen(view), **marked(view)},
    needs=("cka",),
    follows=("langs", "metric"),
    height=460,
    layer_axis=True,
)

VARIANTS = FigureCard(
    name="variants",
    title="The same pairs, four estimates",
    reading=(
        "Biased CKA rises with the dimensions of the vectors alone: compare it with its dotted "
        "level. Where standardising dimensions or dropping a few of them changes the curve, those "
        "few made it."
    ),
    plot="cka_variants",
    arguments=marked,
    needs=("cka",),
    height=420,
    layer_axis=True,
)

LEAVE = FigureCard(
    name="leave",
    title="Without one language",
    reading=(
        "The mean with each language left out, and below how much that changes it: a language far "
        "above 0 lies apart from the others, and a result that hangs on one is about that one."
    ),
    plot="leave_one_out",
    arguments=lambda view: {**chosen(view), **marked(view)},
    needs=("cka",),
    follows=("langs",),
    height=560,
    layer_axis=True,
)

PAGE = Page(
    path="/meet",
    title="Languages meet",
    order=3,
    lead="Which languages share a space at which layer, and is the number to be trusted?",
    needs=("cka",),
    controls=(ORDER, BETWEEN),
    cards=(TABLE, LAYERS, PAIRS, VARIANTS, LEAVE),
)
