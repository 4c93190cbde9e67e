"""Pages: one file each in ``probekit_app/pages``, found by looking into that folder.

A file there holds ``PAGE``. Nothing lists the pages, so adding one touches no other file.
"""

from __future__ import annotations

import importlib
import pkgutil
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from dash import Dash
    from dash.development.base_component import Component

    from probekit_app.cards import Card
    from probekit_app.controls import Control
    from probekit_app.view import View
    from probekit_app.workbench import Workbench


@dataclass(frozen=True, kw_only=True)
class Page:
    """A page of the workbench.

    Attributes
    ----------
    path
        Its address, as in ``/overview``.
    title
        In the row of pages and as heading.
    order
        Its place in that row; the brief's number of the page.
    lead
        One sentence: what question it answers.
    cards
        What it shows, in order.
    needs
        Groups of results without which the page shows how to compute them, and nothing else.
    controls
        Its own controls, in a bar above the cards.
    card_controls
        Controls that its cards show themselves, with ``shell.control``; not in the bar.
    layout
        Instead of the cards one under another: any component, in which ``shell.slot(card)`` is
        the place of a card.
    without_run
        Whether it can be shown before a run is chosen.
    exported
        Whether the static export has it.
    stamp
        Changes when what the page reads besides the runs does; None where it reads nothing else.
    offers
        Whether there is anything to write for the static export; None: always.
    setup
        Called once with the app and the workbench, for callbacks and routes of its own.
    """

    path: str
    title: str
    order: int
    lead: str
    cards: tuple[Card, ...] = ()
    needs: tuple[str, ...] = ()
    controls: tuple[Control, ...] = ()
    card_controls: tuple[Control, ...] = ()
    layout: Callable[[View], Component] | None = None
    without_run: bool = False
    exported: bool = True
    stamp: Callable[[View], Hashable] | None = None
    offers: Callable[[View], bool] | None = None
    setup: Callable[[Dash, Workbench], None] | None = None

    @property
    def slug(self) -> str:
        """Its name in addresses of data and in ids of cards."""
        return self.path.strip("/")

    def card(self, name: str) -> Card:
        """The card of that name.

        Raises
        ------
        KeyError
            It has none.
        """
        return {card.name: card for card in self.cards}[name]


@cache
def pages() -> dict[str, Page]:
    """Pages by path, in their order."""
    package = importlib.import_module("probekit_app.pages")
    modules = [
        importlib.import_module(f"{package.__name__}.{found.name}")
        for found in pkgutil.iter_modules(package.__path__)
        if not found.name.startswith("_")
    ]
    found = sorted((module.PAGE for module in modules), key=lambda page: page.order)
    return {page.path: page for page in found}


def all_controls() -> dict[str, Control]:
    """Controls of every page by key, so that an address keeps what another page has set."""
    return {
        control.key: control
        for page in pages().values()
        for control in (*page.controls, *page.card_controls)
    }
