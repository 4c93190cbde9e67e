"""Callbacks: which input makes which output. Each calls one pure function; none keeps anything.

The address is the state. Opening a page or a run asks the server for the frame; any other change
asks it only for the cards that follow what has changed. What decides that, and what a click does,
is ``assets/workbench.js``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dash import ALL, MATCH, ClientsideFunction, Input, Output, State, ctx, no_update

from probekit.errors import ProbekitError
from probekit_app.frame import frame
from probekit_app.looks import THEMES
from probekit_app.shell import problem
from probekit_app.static_html import to_html
from probekit_app.workbench import Drawn, find_card

if TYPE_CHECKING:
    from dash import Dash

    from probekit_app.looks import Theme
    from probekit_app.workbench import Workbench

NAMESPACE = "workbench"
#: Kind of card, and the part and property that take what it shows. A panel travels as HTML and is
#: put in by the script: a component each for hundreds of tokens would slow every change.
CONTENTS = (("figure", "figure", "figure"), ("panel", "html", "data"), ("grid", "grid", "rowData"))


def register(app: Dash, bench: Workbench) -> None:
    """Give the app its callbacks."""
    _register_clientside(app)

    def open_page(asked: dict[str, str]) -> tuple[Any, ...]:
        opened = frame(bench, asked["path"], asked["query"])
        around = {
            "navigation": to_html(opened.navigation),
            "bar": to_html(opened.bar),
            "notices": to_html(opened.notices),
        }
        return opened.content, {"asked": asked["query"], "query": opened.query, "html": around}

    app.callback(
        Output("page", "children"),
        Output("opened", "data"),
        Input("frame", "data"),
        prevent_initial_call=True,
    )(open_page)

    for kind, part, content in CONTENTS:
        _register_cards(app, bench, kind=kind, target=(part, content))


def _register_cards(app: Dash, bench: Workbench, *, kind: str, target: tuple[str, str]) -> None:
    def of(part: str) -> dict[str, Any]:
        return {"type": part, "kind": kind, "card": MATCH, "key": MATCH}

    def draw_card(asked: dict[str, str]) -> tuple[Any, ...]:
        drawn = draw(bench, ctx.triggered_id, asked)
        shown = no_update if drawn.content is None else drawn.content
        return shown, problem(drawn.problem), drawn.method, drawn.code

    app.callback(
        Output(of(target[0]), target[1]),
        Output(of("message"), "children"),
        Output(of("method"), "children"),
        Output(of("code"), "children"),
        Input(of("query"), "data"),
        prevent_initial_call=True,
    )(draw_card)


def draw(bench: Workbench, identity: Any, asked: dict[str, str]) -> Drawn:
    """Draw the card of an id for an address; whatever is wrong with either is said."""
    try:
        page, card = find_card(identity["card"])
        view, _ = bench.look(asked["query"], key=identity["key"])
    except (ProbekitError, OSError) as error:
        return Drawn(problem=str(error))
    except (KeyError, TypeError):
        return Drawn(problem="There is no such view.")
    return bench.draw(page, card, view, theme=theme_of(asked.get("theme", "")))


def theme_of(text: str) -> Theme:
    """A theme by name; light for anything else."""
    return next((theme for theme in THEMES if theme == text), "light")


def _register_clientside(app: Dash) -> None:
    def every(part: str, *, kind: Any = ALL) -> dict[str, Any]:
        return {"type": part, "kind": kind, "card": ALL, "key": ALL}

    app.clientside_callback(
        ClientsideFunction(NAMESPACE, "frame"),
        Output("frame", "data"),
        Input("url", "pathname"),
        Input("url", "search"),
        State("frame", "data"),
    )
    app.clientside_callback(
        ClientsideFunction(NAMESPACE, "cards"),
        Output(every("query"), "data"),
        Input("url", "search"),
        Input("theme", "data"),
        Input("opened", "data"),
        State(every("query"), "data"),
        State(every("follows"), "data"),
    )
    app.clientside_callback(ClientsideFunction(NAMESPACE, "opened"), Input("opened", "data"))
    app.clientside_callback(
        ClientsideFunction(NAMESPACE, "filled"), Input(every("html", kind="panel"), "data")
    )
    app.clientside_callback(
        ClientsideFunction(NAMESPACE, "drawn"), Input(every("figure", kind="figure"), "figure")
    )
    app.clientside_callback(
        ClientsideFunction(NAMESPACE, "clicked"), Input(every("figure", kind="figure"), "clickData")
    )
    app.clientside_callback(
        ClientsideFunction(NAMESPACE, "listed"), Input(every("grid", kind="grid"), "rowData")
    )
    app.clientside_callback(
        ClientsideFunction(NAMESPACE, "picked"), Input(every("grid", kind="grid"), "selectedRows")
    )
