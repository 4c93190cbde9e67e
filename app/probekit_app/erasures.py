"""The chosen report of an erasure: which one, its figures, their code, what it lacks.

A document is chosen by the address, as a run is, from those that lie in the folder of runs.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from probekit.errors import InputError
from probekit_app.controls import FolderChoice
from probekit_app.missing import Missing

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    import plotly.graph_objects as go

    from probekit.figures.erasure_document import Document, ReportDocument
    from probekit_app.runs_folder import RunsFolder
    from probekit_app.view import View

    Draw = Callable[..., go.Figure]

KINDS = {"report": "verification", "sweep": "sweep", "experiment": "experiment"}
COMMANDS = (
    (
        "Teach a model facts that it cannot know:",
        "probekit teach MODEL --facts planted --languages en,es,de,ru,zh,ar,hi,sw -o taught",
    ),
    (
        "Erase them in some languages, in the selected layers and in each control:",
        "probekit sweep taught --facts planted --source en,es --selection selection.json "
        "-o {root}/sweep",
    ),
    (
        "See what is left, in every language, by asking and by attack:",
        "probekit verify taught {root}/sweep/selection --facts planted --source en,es "
        "-o {root}/report.json",
    ),
    (
        "Or all of it as one plan, over seeds, at the selection and elsewhere:",
        "probekit experiment studies/mute-small.yaml -o {root}/experiment",
    ),
)
#: Kind → the command that makes one.
MAKES = dict(
    zip(("sweep", "report", "experiment"), (each[1] for each in COMMANDS[1:]), strict=True)
)


def documents(runs: RunsFolder) -> dict[str, str]:
    """Documents that can be shown: name → kind and name."""
    return {name: f"{KINDS[each.kind]}: {name}" for name, each in runs.documents.readable().items()}


DOCUMENT = FolderChoice(
    key="erasure.document",
    label="Document",
    values=documents,
    help="Files of 'probekit verify', 'sweep' and 'experiment' in the folder of runs.",
)


def name_of(view: View) -> str:
    """The chosen document's name; the first one by default; empty where there is none."""
    return view.option(DOCUMENT.key) or next(iter(view.runs.documents.readable()), "")


def document(view: View) -> Document:
    """The chosen document.

    Raises
    ------
    InputError
        There is none, or it cannot be read.
    """
    name = name_of(view)
    if not name:
        msg = "folder must hold a report or a sweep. Make one with 'probekit verify'."
        raise InputError(msg)
    return view.runs.documents.open(name)


def stamp(view: View) -> Hashable:
    """Changes when the chosen document does."""
    name = name_of(view)
    return name, view.runs.documents.stamp(name)


def languages(view: View, found: Document) -> tuple[str, ...]:
    """The document's languages, without those of the run that are not shown."""
    hidden = set() if view.opened is None else set(view.run.languages) - set(view.state.languages)
    return tuple(code for code in found.languages if code not in hidden) or found.languages


def lacks(kind: str, check: str = "") -> Callable[[View], Missing | None]:
    """What a card lacks: a document, one of its kind, or a check that was not run."""

    def look(view: View) -> Missing | None:
        if not name_of(view):
            return _no_document(view)
        found = document(view)
        if found.kind != kind:
            return Missing((kind,), "", MAKES[kind], elsewhere=True)
        if check and found.kind == "report" and check not in found.attacks:
            return _not_run(found, check)
        return None

    return look


def _no_document(view: View) -> Missing:
    return Missing(
        ("erasure",),
        "",
        MAKES["report"].format(root=root_of(view)),
        heading="No report of an erasure here",
        lead="This makes one:",
    )


def _not_run(found: ReportDocument, check: str) -> Missing:
    return Missing(
        (check,),
        f"The report says why: {found.why_not(check)}.",
        f"probekit verify BASE ERASED --checks {','.join([*found.attacks, check])} -o report.json",
        heading=f"Not run: {check}",
        lead="This runs it:",
    )


def root_of(view: View) -> str:
    """The folder as a command would name it; a static site names no folder of this machine."""
    return "." if view.site else _path(view.runs.root)


def _path(path: Path) -> str:
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)


def drawn(draw: Draw, *, whole: bool = False) -> Callable[[View], go.Figure]:
    """A figure of the chosen document; ``whole``: of all languages, whatever is hidden."""

    def make(view: View) -> go.Figure:
        found = document(view)
        return draw(found) if whole else draw(found, languages=languages(view, found))

    return make


def code_of(draw: Callable[..., Any], *, whole: bool = False) -> Callable[[View], str]:
    """The same figure in a notebook."""

    def code(view: View) -> str:
        found = document(view)
        shown = languages(view, found)
        chosen = "" if whole or shown == found.languages else f", languages={shown!r}"
        path = name_of(view) if view.site else _path(view.runs.root / name_of(view))
        return (
            f"from {draw.__module__} import {draw.__name__}\n"
            "from probekit.figures.erasure import read_file\n\n"
            f"document = read_file({path!r})\n"
            f"figure = {draw.__name__}(document{chosen})\n"
            "figure.show()\n"
        )

    return code


def rows_code(rows: Callable[..., Any]) -> Callable[[View], str]:
    """The same rows in a notebook."""
    code = code_of(rows, whole=True)
    return lambda view: code(view).replace("figure = ", "rows = ").replace("figure.show()\n", "")


def of_kind(view: View, kind: str) -> Any:
    """The chosen document where it is of a kind and can be read."""
    found = view.runs.documents.readable().get(name_of(view))
    return found if found is not None and found.kind == kind else None
