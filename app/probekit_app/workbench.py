"""One workbench: a folder of runs, the state of an address, and the drawing of any card.

Callbacks, routes and the static export all go through here, so they show the same. Drawn cards are
kept (the last ``KEPT``), by run, card and the parts of the state that the card follows; and so are
the last ``FIGURES`` figures, which have another theme and numbers to save.
"""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from probekit.errors import ProbekitError, RunError
from probekit_app.cards import FigureCard, GridCard, PanelCard
from probekit_app.controls import settled
from probekit_app.figure_table import figure_rows
from probekit_app.kept import Kept
from probekit_app.looks import Theme, dress, prepare
from probekit_app.missing import Missing, missing
from probekit_app.notebook_code import code_of
from probekit_app.page import all_controls, pages
from probekit_app.state import State, defaults, parse, query_of, serialise
from probekit_app.static_html import to_html
from probekit_app.view import View

if TYPE_CHECKING:
    from collections.abc import Sequence

    import plotly.graph_objects as go

    from probekit_app.cards import Card
    from probekit_app.controls import Control
    from probekit_app.jobs import Jobs
    from probekit_app.page import Page
    from probekit_app.runs_folder import OpenedRun, RunsFolder
    from probekit_app.state import Parsed

log = logging.getLogger(__name__)

KEPT, FIGURES = 96, 4


@dataclass(frozen=True)
class Drawn:
    """A card, ready to be shown.

    Attributes
    ----------
    content
        A figure as plotly.js takes it, HTML, or rows of a grid; None where there is none.
    problem
        Why there is none: not computed (with the command), or an error in one line.
    method
        Estimator and n.
    code
        What makes the same in a notebook.
    """

    content: Any = None
    problem: Missing | str | None = None
    method: str = ""
    code: str = ""


class Workbench:
    """What the app knows.

    Parameters
    ----------
    runs
        The folder of runs.
    model
        Model for live views; empty without one.
    site
        Whether it draws for the static export.
    other
        The run that a site compares with; an address names it otherwise.
    jobs
        Studies that the page may start; None where it may not.
    """

    def __init__(
        self,
        runs: RunsFolder,
        *,
        model: str = "",
        site: bool = False,
        other: OpenedRun | None = None,
        jobs: Jobs | None = None,
    ) -> None:
        self.runs = runs
        self.model = model
        self.site = site
        self.other = other
        self.jobs = jobs
        self._drawn: OrderedDict[tuple[Any, ...], Drawn] = OrderedDict()
        self._figures = Kept(FIGURES)
        self._lock = threading.Lock()
        self._drawing = threading.Lock()

    def look(self, query: str, *, key: str = "") -> tuple[View, Parsed]:
        """The view that an address asks for.

        Without ``run`` it is the folder's only run, where it has just one.

        Raises
        ------
        RunError
            The run cannot be opened.
        """
        asked = query_of(query)
        name = asked.get("run", "") or self._only_run()
        try:
            opened = self.runs.open(name) if name else None
            controls = self._controls(asked)
            parsed = parse(query, opened, others=self._others(asked), controls=controls)
            other = self.runs.open(parsed.state.run_b) if parsed.state.run_b else self.other
        except (ProbekitError, OSError):
            raise
        except Exception as error:  # a damaged array can raise anything
            msg = (
                f"run {name[:80]!r} has results that cannot be read ({type(error).__name__}). "
                "Run the study again into a new folder."
            )
            raise RunError(msg) from error
        return self._view(parsed.state, opened, other, key=key), parsed

    def look_nowhere(self) -> View:
        """The view before any run is chosen."""
        return self._view(State(), None, None)

    def _view(
        self, state: State, opened: OpenedRun | None, other: OpenedRun | None, *, key: str = ""
    ) -> View:
        return View(
            runs=self.runs,
            state=state,
            defaults={name: each.default for name, each in all_controls().items()},
            opened=opened,
            opened_b=other,
            model=self.model,
            site=self.site,
            jobs=self.jobs,
            key=key,
        )

    def canonical(self, view: View) -> str:
        """The shortest query that gives the same view."""
        return serialise(view.state, defaults(view.opened))

    def draw(self, page: Page, card: Card, view: View, *, theme: Theme) -> Drawn:
        """Draw a card; never raises: what goes wrong becomes its ``problem``.

        One at a time: Python would draw two in turns, and both would be as late as the second.
        """
        known = (theme, *self._key(page, card, view))
        drawn = self._take(known)
        if drawn is None:
            with self._drawing:
                drawn = self._take(known) or self._draw(page, card, view, theme)
        if drawn.problem is None and view.opened is not None:
            self._keep(known, drawn)
        return drawn

    def _take(self, known: tuple[Any, ...]) -> Drawn | None:
        with self._lock:
            return self._drawn.pop(known, None)

    def _keep(self, known: tuple[Any, ...], drawn: Drawn) -> None:
        with self._lock:
            self._drawn[known] = drawn
            while len(self._drawn) > KEPT:
                self._drawn.popitem(last=False)

    def rows(self, page: Page, card: Card, view: View) -> Sequence[Any]:
        """A card's numbers as rows, at full precision.

        Raises
        ------
        ProbekitError
            It cannot be drawn, or has no rows.
        """
        if isinstance(card, FigureCard):
            return figure_rows(self._figure(page, card, view))
        return () if card.rows is None else card.rows(view)

    def _figure(self, page: Page, card: FigureCard, view: View) -> go.Figure:
        if view.opened is None:
            return figure_of(card, view)
        made: go.Figure = self._figures.get(
            self._key(page, card, view), lambda: figure_of(card, view)
        )
        return made

    def _draw(self, page: Page, card: Card, view: View, theme: Theme) -> Drawn:
        try:
            lacking = missing(view, card.needs)
            if lacking is None and isinstance(card, FigureCard) and card.lacks is not None:
                lacking = card.lacks(view)
            return Drawn(problem=lacking) if lacking else self._shown(page, card, view, theme)
        except (ProbekitError, OSError) as error:
            return Drawn(problem=str(error))
        except Exception as error:  # a damaged array can raise anything; the page must stand
            log.exception("card %r failed", card.name)
            return Drawn(problem=f"This view failed ({type(error).__name__}); the log says more.")

    def _shown(self, page: Page, card: Card, view: View, theme: Theme) -> Drawn:
        code = code_of(card, view)
        if isinstance(card, PanelCard):
            return Drawn(content=to_html(card.show(view)), code=code)
        if isinstance(card, GridCard):
            return Drawn(content=list(card.rows(view)), code=code)
        layers = view.layers if card.layer_axis else ()
        figure = self._figure(page, card, view)
        dressed = dress(figure, theme=theme, height=card.pixels(view), layers=layers)
        return Drawn(content=dressed.figure, method=dressed.caption, code=code)

    def _key(self, page: Page, card: Card, view: View) -> tuple[Any, ...]:
        state, followed = view.state, []
        for name in card.follows:
            field = {"langs": "languages", "pos": "position"}.get(name, name)
            followed.append(getattr(state, field, None) or state.options.get(name))
        about = [None if each is None else (each.name, each.stamp) for each in _opened(view)]
        stamp = None if page.stamp is None else page.stamp(view)
        keyed = (view.key, self.runs.stamp(view.key) if view.key else None)
        return (page.path, card.name, *keyed, stamp, *about, *followed)

    def _only_run(self) -> str:
        names = self.runs.finished() if len(self.runs.names()) == 1 else ()
        return names[0] if names else ""

    def _controls(self, asked: dict[str, str]) -> dict[str, Control]:
        """Controls by key; those of the folder that are asked for know its files."""
        return {
            key: settled(each, None, runs=self.runs) if key in asked else each
            for key, each in all_controls().items()
        }

    def _others(self, asked: dict[str, str]) -> tuple[str, ...]:
        return self.runs.finished() if asked.get("vs") else ()


def find_card(address: str) -> tuple[Page, Card]:
    """``overview/story`` as a page and its card.

    Raises
    ------
    KeyError
        No such page or card.
    """
    slug, _, name = address.rpartition("/")
    page = pages()[f"/{slug}"]
    return page, page.card(name)


def figure_of(card: FigureCard, view: View) -> go.Figure:
    """The figure of a card, as ``probekit.figures`` makes it."""
    prepare()
    if card.draw is not None:
        return card.draw(view)
    return getattr(view.run.plot, card.plot)(**card.arguments(view))


def _opened(view: View) -> tuple[OpenedRun | None, OpenedRun | None]:
    return view.opened, view.opened_b
