"""Page 3 in a browser: a cell sets the pair, a curve the layer, and the code draws the same."""

from __future__ import annotations

import re
from urllib.parse import unquote

import pytest

from probekit import open_run
from probekit_app.card_routes import draw
from probekit_app.pages.meet import PAGE
from probekit_app.shell import problem
from probekit_app.static_html import to_html
from probekit_app.workbench import figure_of

CARD = "[data-card='meet/{}']"


def cell_centre(page, card, x, y):
    """Where a cell of a heatmap lies on the screen."""
    return page.evaluate(
        """([card, x, y]) => {
        const gd = document.querySelector(`${card} .js-plotly-plot`);
        gd.scrollIntoView({block: "center"});
        const box = gd.getBoundingClientRect(), {xaxis, yaxis} = gd._fullLayout;
        return [box.left + xaxis._offset + xaxis.c2p(xaxis.d2c(x)),
                box.top + yaxis._offset + yaxis.c2p(yaxis.d2c(y))];
    }""",
        [card, x, y],
    )


def click(page, card, x, y):
    page.wait_for_selector(f"{card} .slot-figure[data-ready='1']")
    place = cell_centre(page, card, x, y)
    page.mouse.move(*place)
    page.locator(f"{card} .hoverlayer .hovertext").first.wait_for(state="attached")
    page.mouse.click(*place)


def test_a_cell_sets_the_pair_and_a_layer_the_layer(page, address):
    page.goto(f"{address}/meet?run=base&layer=1")
    page.wait_for_selector("#page h1")
    click(page, CARD.format("table"), "sw", "en")
    page.wait_for_url(lambda url: "langs=en,sw" in unquote(url))
    pressed = page.locator("[data-language][aria-pressed='true']")
    assert pressed.evaluate_all("each => each.map(e => e.dataset.language)") == ["en", "sw"]
    page.locator(CARD.format("layers")).get_by_text("layer of en").wait_for()
    click(page, CARD.format("layers"), 0, 3)
    page.wait_for_url("**layer=3**")
    page.wait_for_selector(".cell.on[data-layer='3']")


def test_the_metric_of_the_bar_changes_both_of_its_figures(page, address):
    page.goto(f"{address}/meet?run=base")
    page.wait_for_selector("#page h1")
    page.get_by_role("combobox", name="Metric").select_option("mexa")
    page.wait_for_url("**metric=mexa**")
    for card in ("table", "pairs"):
        page.locator(f"{CARD.format(card)} .js-plotly-plot").get_by_text("MEXA").first.wait_for()
    page.get_by_role("button", name="By family").click()
    page.wait_for_url("**meet.order=family**")


@pytest.mark.parametrize("card", PAGE.cards, ids=lambda card: card.name)
def test_the_code_shown_draws_the_same_figure(bench, card, monkeypatch):
    query = "?run=base&layer=2&langs=en,sw&metric=csls&meet.order=script"
    view, _ = bench.look(query)
    code = draw(bench, {"card": f"meet/{card.name}", "key": ""}, {"query": query}).code
    call = re.search(r"^figure = (.*)$", code, re.MULTILINE)[1]
    run = open_run(view.run.folder, verify=False)
    assert eval(call, {"run": run}) == figure_of(card, view)


@pytest.mark.parametrize(
    ("query", "said"),
    [("metric=cosine", "cosine"), ("meet.order=%3Cb%3E", "<b>"), ("langs=xx", "xx")],
)
def test_a_wrong_value_is_said_and_the_page_stands(bench, query, said):
    view, parsed = bench.look(f"?run=base&{query}")
    assert said in parsed.notices[0]
    assert figure_of(PAGE.card("table"), view).data


def test_an_older_run_says_how_to_compute_the_layers(bench, monkeypatch):
    view, _ = bench.look("?run=base")
    monkeypatch.setitem(view.opened.__dict__, "groups", view.opened.groups - {"cka_layers"})
    found = bench.draw(PAGE, PAGE.card("layers"), view, theme="dark").problem
    assert found.analyses == ("cka",)
    assert "cka_layers (a part of cka)" in to_html(problem(found))
    assert "Not computed in this run: cka<" not in to_html(problem(found))
    assert "--analyses" in found.command
