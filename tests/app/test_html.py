"""Text of any script or none: visible, isolated, and never an element."""

from __future__ import annotations

import pytest
from dash import dcc, html

from probekit_app.static_html import to_html
from probekit_app.text import language_label, sentence, token, visible

NASTY = "<script>alert(1)</script>\"'&"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("▁the", "␣the"),
        ("Ġthe", "␣the"),
        (" a b", "␣a␣b"),
        ("\n", "⏎"),
        ("\t", "⇥"),
        ("\ufffd\ufffd", "⌧⌧"),
        ("\u200b", "‹200B›"),
        ("\u202e", "‹202E›"),
        ("\x00", "‹0000›"),
        ("", "∅"),
        ("שלום", "שלום"),
        ("நன்றி", "நன்றி"),
    ],
)
def test_every_character_can_be_seen(text, shown):
    assert visible(text) == shown


def test_a_token_is_text_in_its_own_direction_and_keeps_its_id():
    found = to_html(token("▁שלום", 42))
    assert '<bdi dir="auto">␣שלום</bdi>' in found
    assert 'data-token="42"' in found


def labelled(text):
    return language_label(text, text, colour="#000000")


@pytest.mark.parametrize("make", [lambda text: token(text, 1), sentence, labelled, html.P])
def test_markup_in_a_text_stays_text(make):
    found = to_html(make(NASTY))
    assert "<script" not in found
    assert "&lt;script&gt;" in found


def test_attributes_are_escaped_and_named_as_html_has_them():
    style = {"minHeight": "3px", "--dot": "red"}
    found = to_html(
        html.Div("x", className="a", title='"><b>', hidden=True, style=style, **{"aria-label": "é"})
    )
    for wanted in (
        ' class="a"',
        ' title="&quot;&gt;&lt;b&gt;"',
        " hidden",
        ' style="min-height:3px;--dot:red"',
        ' aria-label="é"',
    ):
        assert wanted in found
    assert found.endswith(">x</div>")


def test_a_store_is_nothing_and_an_unknown_component_is_refused():
    assert to_html([dcc.Store(id="a"), None, 3]) == "3"
    with pytest.raises(TypeError, match="Slider has no plain HTML"):
        to_html(dcc.Slider(0, 1))
