"""What the script asks for and when: cards in sight first, late answers dropped, silence said."""

from __future__ import annotations

from contextlib import suppress
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Error

#: The page is there, and every card of it shows the state.
SETTLED = """() => document.querySelector("[data-card]") !== null
  && window.workbench.behind(false).length === 0"""
#: The server has answered the same question once more, and what came before has been drawn.
LATER = """async () => {
  await (await fetch("/card/meet/table?run=base&layer=1&theme=light")).json();
  for (let n = 0; n < 5; n += 1) await new Promise(requestAnimationFrame);
}"""
TABLE = "[data-card='meet/table'] .js-plotly-plot"


@pytest.fixture
def tab(browser):
    """A tab whose complaints are looked at by nobody: here the server fails on purpose."""
    with browser.new_context(viewport={"width": 1280, "height": 500}) as context:
        yield context.new_page()


def drawn(tab):
    """Values of the table of pairs on screen."""
    return tab.evaluate("(at) => document.querySelector(at).data[0].z", TABLE)


def test_cards_in_sight_come_first_and_the_others_without_being_asked(tab, address):
    told = []

    def note(what):
        return lambda one: "/card/" in one.url and told.append((what, urlsplit(one.url).path))

    tab.on("request", note("ask"))
    tab.on("response", note("answer"))
    tab.goto(f"{address}/meet?run=base")
    tab.wait_for_selector("[data-card]")
    cards = tab.evaluate(
        "() => Array.from(document.querySelectorAll('[data-card]'), (c) => c.dataset.card)"
    )
    tab.wait_for_function(SETTLED)
    asked = [path.removeprefix("/card/") for what, path in told if what == "ask"]
    assert sorted(asked) == sorted(cards)
    assert asked[0] == cards[0]
    first, last = f"/card/{cards[0]}", f"/card/{cards[-1]}"
    assert told.index(("answer", first)) < told.index(("ask", last))


def test_a_change_of_layer_asks_for_what_follows_it_alone_and_back_asks_again(tab, address):
    asked = []
    tab.goto(f"{address}/meet?run=base&layer=1")
    tab.wait_for_function(SETTLED)
    first = drawn(tab)
    tab.on("request", lambda one: "favicon" in one.url or asked.append(urlsplit(one.url).path))
    tab.locator("[data-layer='0']").click()
    tab.wait_for_url("**layer=0**")
    tab.wait_for_function(SETTLED)
    assert drawn(tab) != first
    tab.go_back()
    tab.wait_for_url("**layer=1**")
    tab.wait_for_function(SETTLED)
    assert drawn(tab) == first
    assert asked == ["/card/meet/table"] * 2


def test_the_table_of_layers_shows_the_layer_without_asking(tab, address):
    place = "[data-card='meet/layers'] .js-plotly-plot"
    lines = """(at) => document.querySelector(at)._fullLayout.shapes
      .map(({ x0, x1, y0, y1 }) => [x0, x1, y0, y1])"""
    tab.goto(f"{address}/meet?run=base&layer=1")
    tab.wait_for_function(SETTLED)
    assert tab.evaluate(lines, place) == [[1, 1, 0, 1], [0, 1, 1, 1]]
    tab.locator("[data-layer='0']").click()
    tab.wait_for_url("**layer=0**")
    tab.wait_for_function(SETTLED)
    assert tab.evaluate(lines, place) == [[0, 0, 0, 1], [0, 1, 0, 0]]
    paths = tab.locator(f"{place} .shapelayer path")
    assert paths.count() == 2


def test_an_answer_that_comes_late_is_dropped(tab, address):
    held = []

    def hold(route):
        if "1" in parse_qs(urlsplit(route.request.url).query).get("layer", ()):
            held.append(route)
        else:
            route.continue_()

    tab.goto(f"{address}/meet?run=base&layer=0")
    tab.wait_for_function(SETTLED)
    tab.route("**/card/meet/table*", hold)
    tab.locator("[data-layer='1']").click()
    tab.wait_for_url("**layer=1**")
    tab.locator("[data-layer='2']").click()
    tab.wait_for_function(SETTLED)
    expected = drawn(tab)
    (late,) = held
    tab.unroute("**/card/meet/table*")
    with suppress(Error):  # the script has given it up
        late.continue_()
    tab.evaluate(LATER)
    assert drawn(tab) == expected
    tab.goto(f"{address}/meet?run=base&layer=2")
    tab.wait_for_function(SETTLED)
    assert drawn(tab) == expected
    tab.goto(f"{address}/meet?run=base&layer=1")
    tab.wait_for_function(SETTLED)
    assert drawn(tab) != expected


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("**/card/**", "The server did not answer"),
        ("**/plotly-cartesian*", "Its script for figures did not come"),
    ],
)
def test_what_does_not_come_is_said_and_asked_again(tab, address, what, said):
    tab.route(what, lambda route: route.fulfill(status=503, body="busy"))
    tab.goto(f"{address}/meet?run=base&layer=0")
    message = tab.locator("[data-card='meet/table'] .message")
    message.get_by_text(said).wait_for()
    assert ("busy" in message.inner_text()) == ("card" in what)
    tab.unroute(what)
    tab.locator("[data-layer='1']").click()
    tab.wait_for_function(SETTLED)
    assert message.inner_text() == ""
    assert len(drawn(tab)) == 3


def test_a_figure_that_plotly_refuses_is_said(tab, address):
    tab.goto(f"{address}/meet?run=base&layer=0")
    tab.wait_for_function(SETTLED)
    tab.evaluate("() => { Plotly.react = () => { throw new Error('no such trace'); }; }")
    tab.locator("[data-layer='1']").click()
    said = tab.locator("[data-card='meet/table'] .message")
    said.get_by_text("This view could not be drawn").wait_for()
    assert "no such trace" in said.inner_text()
