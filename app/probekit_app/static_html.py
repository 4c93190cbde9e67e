"""Dash components as plain HTML, for panels and the static export. All text is escaped.

Only what the workbench's own components use is known; anything else is refused, not guessed.
"""

from __future__ import annotations

from html import escape
from typing import Any

from dash import dcc, html
from dash.development.base_component import Component

_VOID = frozenset({"br", "hr", "img", "wbr"})
_NAMES = {
    "className": "class",
    "tabIndex": "tabindex",
    "maxLength": "maxlength",
    "colSpan": "colspan",
}
_SKIPPED = frozenset({"children", "id"})


def to_html(node: Any) -> str:
    """A component, a list of them, or a text, as HTML.

    Raises
    ------
    TypeError
        A component that has no counterpart in plain HTML.
    """
    if node is None:
        return ""
    if isinstance(node, list | tuple):
        return "".join(to_html(each) for each in node)
    if not isinstance(node, Component):
        return escape(str(node))
    if isinstance(node, dcc.Store):
        return ""
    if type(node).__module__.startswith(html.__name__):
        return _element(node)
    msg = f"component {type(node).__name__} has no plain HTML. Leave its page out of the export."
    raise TypeError(msg)


def _element(node: Component) -> str:
    name = type(node).__name__.lower()
    properties = node.to_plotly_json()["props"]
    attributes = "".join(_attribute(key, value) for key, value in properties.items())
    identity = properties.get("id")
    if isinstance(identity, str):
        attributes += f' id="{escape(identity)}"'
    if name in _VOID:
        return f"<{name}{attributes}>"
    return f"<{name}{attributes}>{to_html(properties.get('children'))}</{name}>"


def _attribute(name: str, value: Any) -> str:
    if name in _SKIPPED or value is None or value is False:
        return ""
    name = _NAMES.get(name, name)
    if value is True:
        return f" {name}"
    if isinstance(value, dict):
        value = ";".join(f"{_dashed(key)}:{each}" for key, each in value.items())
    return f' {name}="{escape(str(value))}"'


def _dashed(name: str) -> str:
    """``minHeight`` as CSS writes it; custom properties as they are."""
    if name.startswith("--"):
        return name
    return "".join(f"-{c.lower()}" if c.isupper() else c for c in name)
