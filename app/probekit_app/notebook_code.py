"""The code that makes the same figure in a notebook, written from what the page itself calls."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from probekit_app.cards import FigureCard

if TYPE_CHECKING:
    from probekit_app.cards import Card
    from probekit_app.view import View


def code_of(card: Card, view: View) -> str:
    """Python that makes what a card shows; empty where nobody has said it."""
    if card.code is not None:
        return card.code(view)
    if not isinstance(card, FigureCard) or not card.plot:
        return ""
    arguments = ", ".join(f"{name}={value!r}" for name, value in card.arguments(view).items())
    return (
        "import probekit\n\n"
        f"run = probekit.open_run({run_path(view)!r})\n"
        f"figure = run.plot.{card.plot}({arguments})\n"
        "figure.show()\n"
    )


def run_path(view: View) -> str:
    """Where the run lies, from the folder that the app was started in when it lies below it.

    A static site says the run's name alone: whoever opens it has other folders.
    """
    if view.site:
        return view.run.folder.name
    folder = view.run.folder
    here = Path.cwd()
    return str(folder.relative_to(here) if folder.is_relative_to(here) else folder)
