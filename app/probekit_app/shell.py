"""The frame around every page: the row of pages, the selection bar, cards and their states.

Components only; what happens on a click is in ``assets/workbench.js``, which reads the ``data-``
attributes written here. So the same elements work in the app and in the static export.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from dash import html

from probekit_app.cards import FigureCard, GridCard, PanelCard, reading_of
from probekit_app.controls import Choice, Number, Text
from probekit_app.looks import MARGIN_LEFT, MARGIN_RIGHT
from probekit_app.missing import Missing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dash.development.base_component import Component

    from probekit_app.cards import Card
    from probekit_app.controls import Control
    from probekit_app.view import View

MOST_BUTTONS = 6
MOST_ROWS = 1000

Parts = list[Any]


def slot(view: View, card: Card, *, key: str = "") -> Component:
    """The place of a card on a page; what belongs in it arrives by itself.

    Parameters
    ----------
    view
        The view that the page is laid out for; says the page.
    card
        One of the page's cards.
    key
        Tells several places of one card apart; the card finds it in ``view.key``.
    """
    assert view.page is not None
    card = view.page.card(card.name)  # the page of a static site has its own
    address, heading = f"{view.page.slug}/{card.name}", f"{card.name}-title"
    if isinstance(card, PanelCard) and card.bare:
        content = _content(view, card, address, key)
        said = _attributes(view, card, address, key)
        return html.Div(content, className="card-bare", **said)
    return html.Section(
        [
            html.Header([html.H2(card.title, id=heading), _actions(card)]),
            html.P(reading_of(card, view), className="reading"),
            *_tabs(view, card),
            _content(view, card, address, key),
            html.P(className="method"),
            *_folds(card),
        ],
        className="card" if card.wide else "card half",
        **{"aria-labelledby": heading},
        **_attributes(view, card, address, key),
    )


def cards(view: View, shown: Sequence[Card]) -> Component:
    """Cards one under another; narrow ones side by side."""
    return html.Div([slot(view, card) for card in shown], className="cards")


def plain(card: GridCard) -> PanelCard:
    """The same rows as a plain table, where no grid can run."""
    shared = {name: getattr(card, name) for name in ("name", "title", "reading", "rows", "code")}
    more = {name: getattr(card, name) for name in ("needs", "follows", "height", "wide")}
    return PanelCard(show=lambda view: _table(card, view), **shared, **more)


def _table(card: GridCard, view: View) -> Component:
    fields = {
        str(each["field"]): str(each.get("headerName", each["field"]))
        for each in card.columns_of(view)
    }
    head = html.Tr([html.Th(words, scope="col") for words in fields.values()])
    rows = [
        html.Tr([html.Td(html.Bdi(_said(row.get(name)))) for name in fields])
        for row in list(card.rows(view))[:MOST_ROWS]
    ]
    table = html.Table([html.Thead(head), html.Tbody(rows)])
    return html.Div(table, className="table-place", tabIndex=0)


def _said(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else "" if value is None else str(value)


def _attributes(view: View, card: Card, address: str, key: str) -> dict[str, str]:
    sets = {} if isinstance(card, PanelCard) else card.sets
    sets = {part: source for part, source in sets.items() if view.offers(part)}
    return {
        "data-card": address,
        "data-kind": card.kind,
        "data-key": key,
        "data-follows": json.dumps(card.follows),
        "data-sets": json.dumps(sets),
        "data-layer-axes": _layer_axes(card),
    }


def _layer_axes(card: Card) -> str:
    """How many of its axes are layers, for the lines that show the chosen one."""
    if not isinstance(card, FigureCard):
        return "0"
    return "2" if card.layer_axes else str(int(card.layer_axis))


def _content(view: View, card: Card, address: str, key: str) -> Component:
    """The message, and the place of the content at its full height."""
    return html.Div(
        [html.Div(className="message"), _place(view, card, address, key)],
        className=f"slot slot-{card.kind}",
        style={"minHeight": f"{card.pixels(view)}px"},
        **_tab_panel(view, card),
    )


def _tabs(view: View, card: Card) -> Parts:
    """The choice above a panel: arrows go from tab to tab, Tab to the chosen one alone."""
    each = card.tabs if isinstance(card, PanelCard) else None
    if each is None or not view.offers(each.key):
        return []
    now = view.option(each.key)
    tabs = [
        html.Button(
            words,
            type="button",
            role="tab",
            tabIndex=0 if name == now else -1,
            **{
                "data-set": each.key,
                "data-value": name,
                "data-default": each.default,
                "aria-selected": str(name == now).lower(),
                "aria-controls": f"{card.name}-tabpanel",
            },
        )
        for name, words in each.values.items()
    ]
    said = {"aria-label": each.label}
    return [html.Div(tabs, className="tabs", role="tablist", title=each.help, **said)]


def _tab_panel(view: View, card: Card) -> dict[str, str]:
    if not isinstance(card, PanelCard) or card.tabs is None or not view.offers(card.tabs.key):
        return {}
    name = f"{card.name}-title"
    return {"id": f"{card.name}-tabpanel", "role": "tabpanel", "aria-labelledby": name}


def _place(view: View, card: Card, address: str, key: str) -> Component:
    if isinstance(card, FigureCard):
        line = [html.Span(className="layer-line")] if card.layer_axis else []
        said = {"aria-label": card.reading}
        return html.Div([html.Div(className="plot", role="img", **said), *line])
    if isinstance(card, GridCard):
        identity = {"type": "grid", "card": address, "key": key}
        return _grid(card, identity, card.columns_of(view))
    return html.Div(className="panel")


def _grid(card: GridCard, identity: dict[str, str], columns: list[dict[str, Any]]) -> Component:
    from dash_ag_grid import AgGrid

    return AgGrid(
        id=identity,
        columnDefs=columns,
        rowData=[],
        columnSize="responsiveSizeToFit",
        defaultColDef={"sortable": True, "filter": True, "resizable": True, "cellClass": "bidi"},
        dashGridOptions={
            "rowSelection": {
                "mode": "singleRow",
                "checkboxes": False,
                "enableClickSelection": True,
            },
            "rowHeight": 28,
            "headerHeight": 32,
            "animateRows": False,
            "pagination": True,
            "paginationPageSize": 100,
        },
        style={"height": f"{card.height}px"},
    )


def _actions(card: Card) -> Component:
    """What a card can be saved as."""
    kinds = ["PNG", "SVG"] if isinstance(card, FigureCard) else []
    if not isinstance(card, PanelCard) or card.rows is not None:
        kinds += ["CSV", "JSON"]
    buttons = []
    for kind in kinds:
        said = {"data-save": kind.lower(), "aria-label": f"Save {card.title} as {kind}"}
        buttons.append(html.Button(kind, className="quiet", type="button", **said))
    return html.Div(buttons, className="actions", role="group", **{"aria-label": "Export"})


def _folds(card: Card) -> Parts:
    """The table behind a figure and its code, closed at first."""
    folds: Parts = []
    if isinstance(card, FigureCard):
        said = {"aria-label": f"Table of {card.title}"}
        table = html.Div(className="table-place", tabIndex=0, role="region", **said)
        folds.append(html.Details([html.Summary("Table"), table], className="fold fold-table"))
    code = html.Pre(tabIndex=0)
    copy = html.Button("Copy", className="quiet", type="button", **{"data-copy": "code"})
    folds.append(
        html.Details(
            [html.Summary("Code"), copy, code],
            className="fold fold-code",
            hidden=not isinstance(card, FigureCard) and card.code is None,
        )
    )
    return [html.Div(folds, className="folds")]


def problem(found: Missing | str | None) -> Component | None:
    """Why there is nothing to see, and the way out."""
    if found is None:
        return None
    if isinstance(found, Missing):
        return not_computed(found)
    return state("This cannot be shown", found, kind="failed")


def state(heading: str, text: str, *, kind: str = "") -> Component:
    """A state in which there is nothing to see: what it is, and what to do."""
    return html.Div([html.Strong(heading), html.P(text)], className=f"state {kind}".strip())


def not_computed(found: Missing) -> Component:
    """The state of a view whose analysis the run does not have."""
    names = ", ".join(found.analyses)
    reason = [html.P(found.reason)] if found.reason else []
    way_out = [html.P(found.lead), command(found.command)] if found.command else []
    heading = found.heading or f"Not computed in this run: {names}"
    return html.Div(
        [html.Strong(heading), *reason, *way_out],
        className="state lacking elsewhere" if found.elsewhere else "state lacking",
    )


def command(text: str) -> Component:
    """A command for a terminal, with a button that copies it."""
    copy = html.Button("Copy", className="quiet", type="button", **{"data-copy": "code"})
    return html.Div([html.Code(text), copy], className="command")


def control(each: Control, value: str) -> Component:
    """A page's control."""
    if isinstance(each, Choice):
        few = len(each.values) <= MOST_BUTTONS and not each.menu
        shown = _buttons(each, value) if few else _menu(each, value)
    elif isinstance(each, Number):
        shown = _slider(each, value)
    elif isinstance(each, Text):
        shown = _field(each, value)
    else:  # what there is to choose is not known before a run is
        shown = html.Span()
    return html.Div(
        [html.Span(each.label, className="label"), shown], className="control", title=each.help
    )


def _buttons(each: Choice, value: str) -> Component:
    buttons = [
        html.Button(
            words,
            type="button",
            **{
                "data-set": each.key,
                "data-value": name,
                "data-default": each.default,
                "aria-pressed": str(name == value).lower(),
            },
        )
        for name, words in each.values.items()
    ]
    return html.Div(buttons, className="segments", role="group", **{"aria-label": each.label})


def _menu(each: Choice, value: str) -> Component:
    return menu(each.key, each.values, value=value, label=each.label, default=each.default)


def menu(
    key: str, values: dict[str, str] | Any, *, value: str, label: str, default: str = ""
) -> Component:
    """A list to choose one value of the state from."""
    return html.Select(
        [html.Option(words, value=name) for name, words in values.items()],
        className="menu",
        **{"data-set": key, "data-default": default, "data-now": value, "aria-label": label},
    )


def _slider(each: Number, value: str) -> Component:
    share = (float(value) - each.low) / ((each.high - each.low) or 1)
    return html.Div(
        [html.Span(className="track"), html.Span(className="thumb"), html.Output(value)],
        className="number",
        role="slider",
        tabIndex=0,
        style={"--share": f"{share:.4f}"},
        **{
            "data-set": each.key,
            "data-default": each.default,
            "data-step": f"{each.step:g}",
            "aria-label": each.label,
            "aria-valuemin": f"{each.low:g}",
            "aria-valuemax": f"{each.high:g}",
            "aria-valuenow": value,
        },
    )


def _field(each: Text, value: str) -> Component:
    return html.Textarea(
        value,
        rows=1,
        maxLength=each.longest,
        placeholder=each.placeholder,
        dir="auto",
        className="field",
        **{"data-set": each.key, "data-default": "", "aria-label": each.label},
    )


STRIP_STYLE = {"--left": f"{MARGIN_LEFT}px", "--right": f"{MARGIN_RIGHT}px"}
