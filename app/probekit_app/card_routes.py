"""``/card/PAGE/CARD``: what a card shows in a state, for the script that puts it in.

A card is asked for by address, not by a callback: Dash looks at every component of a page whenever
one of them changes, which takes longer than to draw a figure.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from flask import Response, request

from probekit.errors import ProbekitError
from probekit_app.looks import THEMES
from probekit_app.shell import problem
from probekit_app.static_html import to_html
from probekit_app.workbench import Drawn, find_card

if TYPE_CHECKING:
    from collections.abc import Mapping

    from flask import Flask

    from probekit_app.looks import Theme
    from probekit_app.workbench import Workbench


def register(server: Flask, bench: Workbench) -> None:
    """Serve what cards show."""

    @server.get("/card/<page>/<card>")
    def show(page: str, card: str) -> Response:
        query = request.query_string.decode("utf-8", errors="replace")
        about = {"card": f"{page}/{card}", "key": request.args.get("key", "")}
        drawn = draw(bench, about, {"query": query, "theme": request.args.get("theme", "")})
        content = content_of(drawn, _kind(about["card"]))
        return Response(as_text(content), mimetype="application/json")


def draw(bench: Workbench, identity: Mapping[str, str], asked: Mapping[str, str]) -> Drawn:
    """Draw the card of an id for an address; whatever is wrong with either is said."""
    try:
        page, card = find_card(identity["card"])
        view, _ = bench.look(asked["query"], key=identity["key"])
    except (ProbekitError, OSError) as error:
        return Drawn(problem=str(error))
    except (KeyError, TypeError):
        return Drawn(problem="There is no such view.")
    return bench.draw(page, card, view, theme=theme_of(asked.get("theme", "")))


def _kind(address: str) -> str:
    try:
        return find_card(address)[1].kind
    except KeyError:
        return ""


def theme_of(text: str) -> Theme:
    """A theme by name; light for anything else."""
    return next((theme for theme in THEMES if theme == text), "light")


#: Kind of card → what its content is called.
CONTENTS = {"figure": "figure", "panel": "html", "grid": "rows"}


def content_of(drawn: Drawn, kind: str) -> dict[str, Any]:
    """``code``, ``method`` and either ``problem`` (HTML) or the content by its name."""
    content: dict[str, Any] = {"code": drawn.code, "method": drawn.method}
    if drawn.problem is not None:
        return content | {"problem": to_html(problem(drawn.problem))}
    return content | {CONTENTS[kind]: drawn.content}


def as_text(content: Any) -> str:
    """Plain values, and figures as plotly writes them, as JSON."""
    from plotly.utils import PlotlyJSONEncoder

    return json.dumps(content, ensure_ascii=False, cls=PlotlyJSONEncoder)
