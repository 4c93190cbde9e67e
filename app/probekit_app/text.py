"""Text of tokens and units as HTML: any script, either direction, nothing unseen or active.

A token is bytes of some text and need not be text itself: whitespace, control characters and
broken bytes are drawn as marks. Components, not markup: nothing here can become an element.
"""

from __future__ import annotations

import unicodedata

from dash import html

MARKS = {" ": "␣", "\n": "⏎", "\t": "⇥", "\r": "␍", "\u00a0": "⍽", "\u3000": "□"}
#: How tokenizers write a space inside a token, and a byte that is not a whole character.
SPACES = frozenset("▁Ġ")
BROKEN = "\ufffd"


def visible(text: str) -> str:
    """A text in which every character can be seen: a space is ``␣``, a line's end ``⏎``."""
    return "".join(_visible(character) for character in text) or "∅"


def _visible(character: str) -> str:
    if character in MARKS:
        return MARKS[character]
    if character in SPACES:
        return "␣"
    if character == BROKEN:
        return "⌧"
    if unicodedata.category(character) in {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}:
        return f"‹{ord(character):04X}›"
    return character


def token(text: str, token_id: int, **attributes: object) -> html.Span:
    """A token, keyed by its id; hover says the id."""
    return html.Span(
        html.Bdi(visible(text), dir="auto"),
        className="token",
        title=f"token {token_id}: {visible(text)}",
        **{"data-token": str(token_id), **attributes},
    )


def sentence(text: str, language: str = "", **attributes: object) -> html.Span:
    """A text of a corpus, isolated from the direction of the page around it."""
    said = {"lang": language} if language else {}
    return html.Span(html.Bdi(text, dir="auto"), className="sentence", **said, **attributes)


def language_label(code: str, name: str, *, colour: str) -> html.Span:
    """A language as everywhere in the workbench: its colour, then its name."""
    dot = html.Span(className="dot", style={"--dot": colour}, **{"aria-hidden": "true"})
    return html.Span([dot, html.Bdi(name)], className="language", title=code)
