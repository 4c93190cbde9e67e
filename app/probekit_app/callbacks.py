"""Callbacks: which input makes which output. Each calls one pure function; none keeps anything.

The address is the state. Opening a page or a run asks the server for the frame; what the cards show
is asked for by address (``card_routes``). What decides either, and what a click does, is
``assets/workbench.js``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dash import ALL, ClientsideFunction, Input, Output, State

from probekit_app.frame import frame
from probekit_app.static_html import to_html

if TYPE_CHECKING:
    from dash import Dash

    from probekit_app.workbench import Workbench

NAMESPACE = "workbench"


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
        opened.content.key = asked["path"] + asked["query"]  # nothing of another page is kept
        return opened.content, {"asked": asked["query"], "query": opened.query, "html": around}

    app.callback(
        Output("page", "children"),
        Output("opened", "data"),
        Input("frame", "data"),
        prevent_initial_call=True,
    )(open_page)


def _register_clientside(app: Dash) -> None:
    grids = {"type": "grid", "card": ALL, "key": ALL}
    app.clientside_callback(
        ClientsideFunction(NAMESPACE, "frame"),
        Output("frame", "data"),
        Input("url", "pathname"),
        Input("url", "search"),
        State("frame", "data"),
    )
    app.clientside_callback(ClientsideFunction(NAMESPACE, "opened"), Input("opened", "data"))
    app.clientside_callback(ClientsideFunction(NAMESPACE, "listed"), Input(grids, "rowData"))
    app.clientside_callback(ClientsideFunction(NAMESPACE, "picked"), Input(grids, "selectedRows"))
