"""What surrounds the cards when a page or a run is opened: bar, notices, page; no traceback."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from dash import html

from probekit.errors import ProbekitError
from probekit_app import shell
from probekit_app.controls import Choice, settled
from probekit_app.missing import missing
from probekit_app.page import pages
from probekit_app.selection_bar import selection_bar

if TYPE_CHECKING:
    from dash.development.base_component import Component

    from probekit_app.page import Page
    from probekit_app.view import View
    from probekit_app.workbench import Workbench

log = logging.getLogger(__name__)

HOME = "/runs"


@dataclass(frozen=True)
class Frame:
    """A page as it is opened.

    Attributes
    ----------
    navigation, bar, notices, content
        Children of the four places of the layout.
    query
        The address's query as it should read.
    """

    navigation: list[Component]
    bar: list[Component]
    notices: list[Component]
    content: Any
    query: str


def frame(bench: Workbench, path: str, query: str) -> Frame:
    """Open a page; what cannot be opened becomes a page that says so."""
    page = pages().get(home(path))
    try:
        view, parsed = bench.look(query)
    except (ProbekitError, OSError) as error:
        if page is None or not page.without_run:
            return _failed(bench, page, str(error))
        return _opened(bench, page, bench.look_nowhere(), notices=(str(error),))
    if page is None:
        return Frame(navigation(None, view), selection_bar(view), [], _no_page(), query)
    return _opened(bench, page, view, notices=parsed.notices)


def home(path: str) -> str:
    """The page of an address: the first one for the bare address."""
    path = path.rstrip("/")
    return path or HOME


def _opened(bench: Workbench, page: Page, view: View, *, notices: tuple[str, ...]) -> Frame:
    try:
        view = replace(view, page=page)
        bar, content = selection_bar(view), page_content(page, view)
    except (ProbekitError, OSError) as error:
        return _failed(bench, page, str(error))
    except Exception as error:  # a damaged run can raise anything; the app must stand
        log.exception("page %r failed", page.path)
        return _failed(
            bench, page, f"This page failed ({type(error).__name__}); the log says more."
        )
    shown = [notice(text) for text in notices]
    return Frame(navigation(page, view), bar, shown, content, bench.canonical(view))


def navigation(page: Page | None, view: View | None) -> list[Component]:
    """The row of pages; those that the run lacks are dimmed, not hidden."""
    return [_tab(each, view, current=each is page) for each in pages().values()]


def _tab(page: Page, view: View | None, *, current: bool) -> Component:
    lacking = view is not None and view.opened is not None and not view.has(*page.needs)
    said: dict[str, str] = {"aria-current": "page"} if current else {}
    return html.A(
        page.title,
        href=page.path,
        className="page-tab lacks" if lacking else "page-tab",
        title="Not computed in this run" if lacking else page.lead,
        **{"data-page": page.path, **said},
    )


def page_content(page: Page, view: View) -> Component:
    """A page: its question, its controls, its cards; or what it lacks."""
    head: list[Any] = [
        html.Div([html.H1(page.title), html.P(page.lead, className="lead")], className="page-head")
    ]
    if view.opened is None and not page.without_run:
        state = shell.state("No run is chosen", "Choose a run above, or on the page Runs.")
        return html.Div([*head, state], className="page")
    lacking = missing(view, page.needs) if page.needs else None
    if lacking is not None:
        return html.Div([*head, shell.not_computed(lacking)], className="page")
    if page.controls:
        head.append(_controls(page, view))
    body = shell.cards(view, page.cards) if page.layout is None else page.layout(view)
    return html.Div([*head, body], className="page")


def _controls(page: Page, view: View) -> Component:
    known = [settled(each, view.opened, runs=view.runs) for each in page.controls]
    shown = [
        shell.control(each, view.option(each.key) or each.default)
        for each in known
        if not (isinstance(each, Choice) and set(each.values) == {""})  # nothing to choose
    ]
    return html.Div(shown, className="controls", role="group", **{"aria-label": "Controls"})


def notice(text: str) -> Component:
    """A sentence about something that was not as asked."""
    said = {"aria-label": "Dismiss", "data-dismiss": "notice"}
    close = html.Button("×", type="button", className="quiet", **said)
    return html.Div([html.Span(text), close], className="notice")


def _failed(bench: Workbench, page: Page | None, problem: str) -> Frame:
    bar = selection_bar(bench.look_nowhere())
    head = html.H1(page.title if page else "Workbench")
    body = html.Div([head, shell.problem(problem)], className="page")
    return Frame(navigation(page, None), bar, [], body, "")


def _no_page() -> Component:
    state = shell.state("There is no such page", "The pages are in the row above.")
    return html.Div([html.H1("Not found"), state], className="page")
