"""Page 10, Erasure: what a sweep forgot and kept, and what a verification could bring back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dash import html

from probekit.figures.erasure import accuracy_by_language, accuracy_by_layers
from probekit.figures.erasure_attacks import attacks_by_language, lens_recall, lens_rows
from probekit.figures.erasure_matrix import relearning, source_to_target
from probekit.figures.erasure_verdicts import broken_lines, columns, contract_line, verdict_rows
from probekit.figures.languages import language_styles
from probekit_app import shell
from probekit_app.cards import FigureCard, PanelCard
from probekit_app.erasures import (
    COMMANDS,
    DOCUMENT,
    code_of,
    document,
    drawn,
    lacks,
    languages,
    name_of,
    of_kind,
    root_of,
    rows_code,
    stamp,
)
from probekit_app.experiments import CARDS as EXPERIMENT_CARDS
from probekit_app.experiments import about_experiment, wide_table
from probekit_app.page import Page
from probekit_app.text import language_label

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dash.development.base_component import Component

    from probekit.figures.erasure_document import Document, ReportDocument, SweepDocument
    from probekit_app.documents import Found
    from probekit_app.erasures import Draw
    from probekit_app.view import View

PANEL, ROW, AROUND = 160, 46, 100


def layers_height(view: View) -> int:
    """A panel for each part and side."""
    found = of_kind(view, "sweep")
    if found is None:
        return 2 * PANEL
    shown = languages(view, found)
    parts = sum(part in found.base for part in ("forget", "retain"))
    return AROUND + PANEL * parts * len({found.side(code) for code in shown})


def language_height(view: View) -> int:
    """A panel for each part."""
    found = of_kind(view, "report")
    parts = ("forget", "retain", "neighbour")
    n = 2 if found is None else sum(part in found.behaviour for part in parts)
    return AROUND + PANEL * n


def lens_height(view: View) -> int:
    """A row for every four languages."""
    found = of_kind(view, "report")
    recall = {} if found is None or "lens" not in found.attacks else found.attacks["lens"].recall
    shown = () if found is None else languages(view, found)
    return AROUND + 140 * lens_rows(sum(code in recall for code in shown))


def relearn_height(view: View) -> int:
    """A row for each language relearnt in, and one without."""
    found = of_kind(view, "report")
    ran = found is not None and "relearn" in found.attacks
    n = len(found.attacks["relearn"].matrix) if found is not None and ran else 1
    return AROUND + ROW * (1 + n)


# ---------------------------------------------------------------- panels


def about(view: View) -> Component:
    """What was erased from what, and what moved."""
    found = document(view)
    if found.kind == "experiment":
        return about_experiment(found)
    said = _about_report(found) if found.kind == "report" else _about_sweep(found)
    notes = [html.Li(note) for note in found.notes]
    sides: list[Any] = [
        (words, _chips(found, [code for code in found.languages if found.side(code) == side]))
        for side, words in (("source", "Erased in"), ("held out", "Held out"))
    ]
    rows = [*said[:-1], *sides, said[-1]]
    listed = [part for words, value in rows for part in (html.Dt(words), html.Dd(value))]
    return html.Div([html.Dl(listed, className="about"), html.Ul(notes) if notes else ""])


def _about_report(found: ReportDocument) -> list[tuple[str, Any]]:
    contract = found.contract
    mark = "open" if not contract.checked else "good" if contract.ok else "bad"
    skipped = [f"{name} ({why})" for name, why in found.skipped.items()]
    return [
        ("Base", html.Bdi(found.base.source)),
        ("Erased", html.Bdi(found.erased.source)),
        ("Facts", html.Bdi(f"{found.facts.name}, {found.facts.n:,} questions")),
        ("Attacks run", html.Bdi(", ".join(found.attacks) or "none")),
        ("Not run", html.Bdi(", ".join(skipped) or "nothing was left out")),
        *_controls(found),
        ("Tensors", html.Span(contract_line(found), className=f"verdict {mark}")),
    ]


def _controls(found: ReportDocument) -> list[tuple[str, Any]]:
    """The same base erased elsewhere, and which of these moved what they were not to."""
    if not found.controls:
        return []
    broken = [("Control", html.Span(line, className="verdict bad")) for line in broken_lines(found)]
    return [("Controls", html.Bdi(", ".join(found.controls))), *broken]


def _about_sweep(found: SweepDocument) -> list[tuple[str, Any]]:
    broken = [cell.cell for cell in found.cells if not cell.contract]
    words = f"contract BROKEN in {', '.join(broken)}" if broken else "contract kept in every cell"
    stopped = {cell.stopped.replace("_", " ") for cell in found.cells}
    return [
        ("Model", html.Bdi(found.model.source)),
        ("Algorithm", html.Bdi(str(found.settings.get("algorithm", "not said")))),
        ("Facts", html.Bdi(f"{found.facts.name}, {found.facts.n:,} questions")),
        ("Stopped by", html.Bdi(", ".join(sorted(stopped)))),
        ("Tensors", html.Span(words, className=f"verdict {'bad' if broken else 'good'}")),
    ]


def _chips(found: Document, codes: Sequence[str]) -> Component:
    looks = language_styles(found.languages)
    shown = [language_label(code, code, colour=looks[code].colour) for code in codes]
    return html.Span(shown or "none", className="codes")


def verdicts(view: View) -> Component:
    """A row a language; below it one a control, in grey."""
    found = document(view)
    if found.kind != "report":
        return html.Div(className="state elsewhere")
    looks, shown = language_styles(found.languages), columns(found)
    head = html.Tr([html.Th(words, scope="col") for words in shown.values()])
    rows = [
        html.Tr(
            [_cell(name, row, looks[row["language"]].colour) for name in shown],
            className="control" if row["control"] else "",
        )
        for row in verdict_rows(found)
    ]
    return wide_table(head, rows, label="Verdicts")


def _cell(name: str, row: dict[str, Any], colour: str) -> Component:
    value, chance, level = str(row[name]).partition(", chance ")
    if name == "language":
        return html.Th(language_label(value, value, colour=colour), scope="row")
    if name == "verdict":
        return html.Td(html.Span(value, className=f"verdict {row['mark']}"))
    more = [html.Br(), html.Small(f"chance {level}")] if chance else []
    return html.Td([html.Bdi(value), *more], className=name)


def rows_of(view: View) -> list[dict[str, Any]]:
    """The verdicts as they are exported."""
    found = of_kind(view, "report")
    if found is None:
        return []
    return [{name: row[name] for name in columns(found)} for row in verdict_rows(found)]


# ---------------------------------------------------------------- the page


def layout(view: View) -> Component:
    """The cards of the document's kind; without a document the commands that make one."""
    lost = _lost([each for each in view.runs.documents.listed() if each.problem])
    if not name_of(view):
        return html.Div([_empty(view), *lost])
    kinds = {each.kind for each in view.runs.documents.readable().values()}
    kind = document(view).kind
    shown = [card for card in PAGE.cards if SHOWN_FOR[card.name] in {"", kind}]
    if view.site:  # the document changes there without the server
        shown = [card for card in PAGE.cards if SHOWN_FOR[card.name] in {"", *kinds}]
    return html.Div([shell.cards(view, shown), *lost])


def _empty(view: View) -> Component:
    parts: list[Any] = [html.Strong("No report of an erasure in this folder yet")]
    for words, text in COMMANDS:
        parts += [html.P(words), shell.command(text.format(root=root_of(view)))]
    end = "Files of 'verify', 'sweep' and 'experiment' are found here and up to two folders below."
    return html.Div([*parts, html.P(end)], className="state")


def _lost(found: Sequence[Found]) -> list[Component]:
    """Documents that cannot be read, with why."""
    if not found:
        return []
    said = [html.Li(html.Bdi(each.problem)) for each in found]
    many = f"{len(found)} {'file' if len(found) == 1 else 'files'} that cannot be read"
    return [html.Div([html.Strong(many), html.Ul(said)], className="state lost-files")]


def _figure(name: str, draw: Draw, *, kind: str, check: str = "", **words: Any) -> FigureCard:
    return FigureCard(
        name=name, draw=drawn(draw), code=code_of(draw), lacks=lacks(kind, check),
        follows=(DOCUMENT.key, "langs"), written=(DOCUMENT.key,), **words,
    )  # fmt: skip


ABOUT = PanelCard(
    name="about",
    title="What was erased",
    reading="The models, the facts, the languages, and whether only selected tensors moved.",
    show=about,
    follows=(DOCUMENT.key,),
    height=150,
)

VERDICTS = PanelCard(
    name="verdicts",
    title="Verdicts",
    reading=(
        "A word a language, and the shares that it rests on: of facts that the base knows, with "
        "95 % intervals. “Erased” means that no attack that was run beats chance, not that a fact "
        "is gone. In grey the same base erased elsewhere, where that was verified too."
    ),
    show=verdicts,
    rows=rows_of,
    code=rows_code(verdict_rows),
    follows=(DOCUMENT.key,),
    height=240,
)

LAYERS = _figure(
    "layers", accuracy_by_layers, kind="sweep", height=layers_height,
    title="Accuracy by choice of layers",
    reading=(
        "Each column erases in other layers; the selection's is shaded, the base is before. To "
        "forget: low is good, and the dotted line is who never knew. To retain: high is good. A "
        "localised erasure says something only where its column differs from the controls'."
    ),
)  # fmt: skip

ATTACKS = _figure(
    "attacks", attacks_by_language, kind="report", height=400,
    title="Attacks by language",
    reading=(
        "Each mark is an attack on facts that the base knows, the large one the best; grey dashes "
        "are chance. A full mark beats its chance: the fact can still be had. Hollow grey marks "
        "are the base erased elsewhere: the choice of layers matters where they lie apart."
    ),
)  # fmt: skip

ACCURACY = _figure(
    "accuracy", accuracy_by_language, kind="report", height=language_height,
    title="Accuracy before and after",
    reading=(
        "Grey circles are the base, marks in a language's colour the erased model; open marks are "
        "held-out languages. To forget: down to the dash is good. To retain: no fall is good."
    ),
)  # fmt: skip

MATRIX = _figure(
    "matrix", source_to_target, kind="report", height=AROUND + 3 * ROW,
    title="From the languages erased in to those asked in",
    reading=(
        "The facts to forget, asked in every language before and after. Left of the line the "
        "languages erased in; blue right of it is knowledge that erasing there did not reach."
    ),
)  # fmt: skip

LENS = _figure(
    "lens", lens_recall, kind="report", check="lens", height=lens_height,
    title="The answer inside, by block",
    reading=(
        "How often the right answer ranks first when a block is read through the base's own head: "
        "where the coloured curve stays with the grey one, the answer is hidden, not gone."
    ),
)  # fmt: skip

RELEARN = _figure(
    "relearn", relearning, kind="report", check="relearn", height=relearn_height,
    title="Relearnt in one language, asked in another",
    reading=(
        "The first row is the erased model; below it has been taught other facts in one language. "
        "What comes back so was not gone."
    ),
)  # fmt: skip

#: Card → the kind of document that it is about; empty: any.
SHOWN_FOR = {
    "about": "",
    "layers": "sweep",
    **dict.fromkeys(("verdicts", "attacks", "accuracy", "matrix", "lens", "relearn"), "report"),
    **dict.fromkeys((card.name for card in EXPERIMENT_CARDS), "experiment"),
}

PAGE = Page(
    path="/erasure",
    title="Erasure",
    order=10,
    lead="Are the facts gone, in every language, and would other layers have done as well?",
    controls=(DOCUMENT,),
    cards=(ABOUT, VERDICTS, LAYERS, ATTACKS, ACCURACY, MATRIX, LENS, RELEARN, *EXPERIMENT_CARDS),
    layout=layout,
    without_run=True,
    stamp=stamp,
    offers=lambda view: bool(name_of(view)),
)
