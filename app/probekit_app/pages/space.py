"""Page 7, Space: all texts of a layer in a plane, and the translations of the chosen unit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dash import html

from probekit.figures.space import class_styles
from probekit.runs.maps import classes_of, text_classes, umap_installed
from probekit_app import shell
from probekit_app.cards import FigureCard, PanelCard
from probekit_app.controls import Choice, RunChoice
from probekit_app.page import Page
from probekit_app.text import language_label, sentence

if TYPE_CHECKING:
    from dash.development.base_component import Component

    from probekit_app.view import View

METHOD = Choice(
    key="space.method",
    label="Axes",
    values={"pca": "PCA", "lda": "LDA"} | ({"umap": "UMAP"} if umap_installed() else {}),
    help="PCA: most variance. LDA: what sets the colours apart, every unit held out.",
)
BY = RunChoice(
    key="space.by",
    label="Colour",
    values=lambda opened: text_classes(opened.run),
    help="Language, script, family, or a label of the corpus.",
)
#: Shared by all pages, so the address calls it by no page's name.
CENTRED = Choice(
    key="centred",
    label="Vectors",
    values={"0": "Raw", "1": "Each language centred"},
    help="Centred: each language's mean is subtracted, and what they share is left.",
)
_HEIGHT = 500


def arguments(view: View) -> dict[str, Any]:
    """Of the map, from what is selected."""
    state = view.state
    given = {
        "layer": state.layer,
        "method": view.option(METHOD.key),
        "centred": state.centred,
        "by": view.option(BY.key) or "language",
        "unit": state.unit,
        "legend": False,  # the colours are named above the card, as HTML
    }
    return (
        given if state.languages == view.run.languages else {**given, "languages": state.languages}
    )


def translations(view: View) -> list[dict[str, Any]]:
    """The chosen unit in the chosen languages, as rows."""
    corpus = view.run.corpus.sel(unit=view.state.unit)
    names = view.names
    return [
        {
            "language": code,
            "name": names[code],
            "text": str(corpus["text"].sel(language=code).item()),
        }
        for code in view.state.languages
    ]


def labels(view: View) -> dict[str, str]:
    """Labels of the chosen unit by name; those it has not are left out."""
    corpus = view.run.corpus.sel(unit=view.state.unit)
    known = [name for name in text_classes(view.run) if f"label_{name}" in corpus]
    found = {name: str(corpus[f"label_{name}"].item()) for name in known}
    return {name: label for name, label in found.items() if label}


def texts(view: View) -> Component:
    """The unit in every language, each in its own direction."""
    said = " · ".join(f"{name}: {label}" for name, label in labels(view).items())
    rows = [_row(row, view) for row in translations(view)]
    caption = html.Caption([html.Strong(html.Bdi(view.state.unit)), f" {said}"])
    table = html.Table([caption, html.Tbody(rows)], className="translations")
    reach = {"aria-label": "Translations of the chosen unit"}
    return html.Div(table, className="translations-scroll", tabIndex=0, role="region", **reach)


def _row(row: dict[str, Any], view: View) -> Component:
    colour = view.styles[row["language"]].colour
    head = html.Th(language_label(row["language"], row["name"], colour=colour), scope="row")
    return html.Tr([head, html.Td(sentence(row["text"], row["language"]))])


def texts_code(view: View) -> str:
    """The same in a notebook."""
    from probekit_app.notebook_code import run_path

    return (
        f"import probekit\n\nrun = probekit.open_run({run_path(view)!r})\n"
        f"for text in run.corpus['text'].sel(unit={view.state.unit!r}):\n"
        "    print(text['language'].item(), text.item())\n"
    )


def colours(view: View) -> Component:
    """What each colour of the map says."""
    by = view.option(BY.key) or "language"
    looks = class_styles(view.run, by)
    if by == "language":
        return html.Span("Each language has the colour of its button above.", className="label")
    there = set(classes_of(view.run, by).ravel())
    shown = [
        language_label(name, name, colour=look.colour)
        for name, look in looks.items()
        if name in there
    ]
    return html.Div(shown, className="controls key")


def layout(view: View) -> Component:
    """The switch of the vectors, then the cards."""
    centred = [shell.control(CENTRED, str(int(view.state.centred)))]
    switch = centred if view.offers("centred") else []
    above = html.Div([*switch, shell.slot(view, COLOURS)], className="controls")
    slots = [shell.slot(view, card) for card in (MAP, TEXTS, APART, FILLED)]
    return html.Div([above, html.Div(slots, className="cards uneven")], className="controls-first")


MAP = FigureCard(
    name="map",
    title="Texts in the plane",
    reading=(
        "A point is a text; lines join the translations of the chosen unit. LDA finds axes that "
        "set the colours apart, so it overstates how far apart they lie; the share below says how "
        "often it places a text right."
    ),
    plot="space_map",
    arguments=arguments,
    needs=("projection", "geometry"),
    follows=("layer", "langs", "unit", "centred", METHOD.key, BY.key),
    written=("layer", "centred"),
    hints={"unit": "A click on a point chooses its unit."},
    height=_HEIGHT,
    wide=False,
    click={"unit": "customdata"},
)

TEXTS = PanelCard(
    name="texts",
    title="The chosen unit",
    reading="What it says in each language; its points are ringed on the map.",
    show=texts,
    rows=translations,
    code=texts_code,
    needs=("corpus",),
    follows=("unit", "langs"),
    height=320,
    wide=False,
)

APART = FigureCard(
    name="apart",
    title="How far apart the languages lie",
    reading=(
        "A plane hides most of the variance; these count all of it. Where the curves come near the "
        "dotted level, one language's texts lie where another's do."
    ),
    plot="separation",
    needs=("geometry",),
    height=520,
    layer_axis=True,
)

FILLED = FigureCard(
    name="filled",
    title="How many directions are used",
    reading=(
        "A low IsoScore or a high anisotropy says that a few directions hold most of the variance: "
        "then the plane shows those, and cosines are high between any two texts."
    ),
    plot="isotropy",
    needs=("geometry",),
    height=520,
    layer_axis=True,
)

COLOURS = PanelCard(
    name="colours",
    title="Colours",
    reading="What each colour of the map says.",
    show=colours,
    needs=("projection",),
    follows=(BY.key,),
    height=24,
    bare=True,
)

PAGE = Page(
    path="/space",
    title="Space",
    order=7,
    lead="Do translations lie together, or does language set texts apart?",
    needs=("projection", "geometry"),
    controls=(METHOD, BY),
    cards=(COLOURS, MAP, TEXTS, APART, FILLED),
    layout=layout,
)
