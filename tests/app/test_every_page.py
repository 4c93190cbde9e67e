"""Every page over a run with every analysis: axe, many clients at once, two browsers on one run."""

from __future__ import annotations

import json
import threading
import urllib.request
from concurrent.futures import ThreadPoolExecutor

import pytest

from probekit_app import create_app
from probekit_app.page import pages
from probekit_app.workbench import find_card
from tests.app.axe import serious, wait_for_cards
from tests.app.many import ask, requests_of
from tests.app.test_browser import READY, served

CLIENTS, ASKED, EACH = 32, 6, 10


@pytest.fixture(scope="module")
def app(full_runs):
    return create_app(full_runs)


@pytest.fixture(scope="module")
def address(app):
    with served(app) as place:
        yield place


def test_the_workbench_endures_many_clients(address):
    """Index, frames, cards and data, all at once: no failure, one answer, no thread too many."""
    asked = requests_of(("one", "two"), layers=(1,))
    told = ask(address, asked, clients=CLIENTS, each=EACH)
    assert told.n >= CLIENTS * EACH
    assert told.statuses == {200}
    assert [request for request, answers in told.answers.items() if len(answers) > 1] == []
    paths = {request.path.split("/")[1].split("?")[0] for request in told.answers}
    assert paths == {"", "card", "data", "_dash-update-component"}
    assert 1 < told.threads <= 2 * CLIENTS  # a thread a connection, and those about to end
    assert told.left == []


@pytest.mark.parametrize("path", [path for path in pages() if path != "/trial"])
def test_axe_finds_nothing_serious_in_either_theme(page, address, path):
    page.add_init_script("delete window.trustedTypes")
    page.goto(f"{address}{path}?run=one&vs=two")
    for theme in ("Light", "Dark"):
        page.get_by_role("button", name=theme, exact=True).click()
        page.wait_for_selector(f"html[data-theme='{theme.lower()}']")
        wait_for_cards(page)
        assert serious(page) == []


def test_many_clients_at_once_all_get_the_run_s_own_numbers(address, full_run):
    """Each asks for every layer's pairs, all at the same moment; nobody gets another's layer."""
    layers = [int(layer) for layer in full_run.cka["layer"].to_numpy()][:ASKED]
    together = threading.Barrier(CLIENTS)

    def visit(client):
        together.wait()
        for step in range(len(layers)):
            layer = layers[(client + step) % len(layers)]
            url = f"{address}/data/meet/table.json?run={('one', 'two')[client % 2]}&layer={layer}"
            with urllib.request.urlopen(url, timeout=300) as answer:
                told = answer.read().decode()
            pair = full_run.cka["debiased"].sel(layer=layer, language="en", language_b="de")
            yield layer, float(pair), told

    with ThreadPoolExecutor(CLIENTS) as pool:
        answers = list(pool.map(lambda client: list(visit(client)), range(CLIENTS)))
    by_layer = {}
    for layer, pair, told in [each for client in answers for each in client]:
        by_layer.setdefault(layer, set()).add(told.replace('"two"', '"one"'))
        assert any(abs(pair - value) < 1e-6 for value in numbers(json.loads(told)))
    assert len({next(iter(told)) for told in by_layer.values()}) == len(layers)


def numbers(found):
    """Every number anywhere in a JSON value."""
    if isinstance(found, dict):
        return [each for value in found.values() for each in numbers(value)]
    if isinstance(found, list):
        return [each for value in found for each in numbers(value)]
    return [found] if isinstance(found, int | float) and not isinstance(found, bool) else []


def test_a_permalink_shows_the_same_in_a_second_browser(page, browser, address):
    page.goto(f"{address}/overview?run=one")
    page.wait_for_selector(READY)
    page.locator("[data-layer='2']").click()
    page.get_by_text("At block 2 of 4").wait_for()
    context = browser.new_context()
    other = context.new_page()
    other.goto(page.url)
    other.get_by_text("At block 2 of 4").wait_for(timeout=120_000)
    words = "[data-card='overview/numbers'] td"
    assert other.locator(words).all_inner_texts() == page.locator(words).all_inner_texts()
    page.locator("[data-layer='3']").click()
    page.get_by_text("At block 3 of 4").wait_for()
    assert other.get_by_text("At block 2 of 4").is_visible()
    context.close()


def test_two_browsers_on_one_run_do_not_move_each_other(page, browser, address):
    """Each moves controls of its own, in turn; the other's address, bar and cards stay."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    other = context.new_page()
    other.set_default_timeout(120_000)
    for tab in (page, other):
        tab.goto(f"{address}/probes?run=one&layer=1")
        tab.wait_for_selector(READY)
    page.locator("[data-layer='3']").click()
    page.wait_for_url("**layer=3**")
    other.locator("[data-language='de']").click()
    other.wait_for_url("**langs=en,sw**")
    other.get_by_role("button", name="Selectivity", exact=True).click()
    other.wait_for_url("**probes.quantity=selectivity**")
    page.get_by_role("combobox", name="Metric").select_option("mexa")
    page.wait_for_url("**metric=mexa**")
    page.locator("[data-page='/overview']").last.click()
    page.get_by_text("At block 3 of 4").wait_for()
    other.locator("[data-page='/overview']").last.click()
    other.get_by_text("At block 1 of 4").wait_for()
    assert "layer=3" in page.url
    assert "metric=mexa" in page.url
    assert "langs" not in page.url
    assert "selectivity" not in page.url
    assert "layer=1" in other.url
    assert "langs=en,sw" in other.url
    assert "metric" not in other.url
    first = "[data-card='overview/numbers'] tbody th"
    assert page.locator(first).first.inner_text() == "MEXA"
    assert other.locator(first).first.inner_text() == "debiased CKA"
    assert page.locator("[data-language='de']").get_attribute("aria-pressed") == "true"
    assert other.locator("[data-language='de']").get_attribute("aria-pressed") == "false"
    context.close()


HEIGHTS = """() => Object.fromEntries(Array.from(document.querySelectorAll(
    '.slot-figure[data-ready="1"] .js-plotly-plot'), (gd) => {
  const card = gd.closest("[data-card]");
  return [card.dataset.card, [gd._fullLayout.height, gd.closest(".slot").offsetHeight]];
}))"""


def test_figures_keep_the_height_that_their_languages_need(page, address):
    """From one language to all: every panel has the room that it has on a fresh page."""
    page.goto(f"{address}/lens?run=one")
    page.wait_for_function(f"() => Object.keys(({HEIGHTS})()).length === 3")
    whole = page.evaluate(HEIGHTS)
    page.goto(f"{address}/lens?run=one&langs=en&layer=0")
    page.wait_for_function(f"() => Object.keys(({HEIGHTS})()).length === 3")
    assert page.evaluate(HEIGHTS)["lens/heatmap"] != whole["lens/heatmap"]
    page.locator("[data-language='*']").click()
    same = f"(want) => JSON.stringify(({HEIGHTS})()) === JSON.stringify(want)"
    page.wait_for_function(same, arg=whole)
    tops = "() => Array.from(document.querySelectorAll('.card'), (each) => each.offsetTop)"
    before = page.evaluate(tops)
    page.locator("[data-layer='2']").click()
    page.wait_for_selector(".cell.on[data-layer='2']")
    assert page.evaluate(tops) == before
    assert page.evaluate(HEIGHTS) == whole


def test_the_row_of_the_neuron_in_the_address_is_selected_and_in_sight(page, app, address):
    bench = app.server.extensions["probekit"]
    view, _ = bench.look("?run=one")
    rows = find_card("neurons/table")[1].rows(view)
    last, first = rows[-1]["address"], rows[0]["address"]
    layer = next(str(n) for n in (0, 1, 2) if n != rows[-1]["layer"])
    page.goto(f"{address}/neurons?run=one&layer={layer}&neuron={last}")
    chosen = page.locator(".ag-row-selected").first
    chosen.wait_for(state="attached")  # what lies below the window is drawn when it is reached
    told = [chosen.locator(f"[col-id='{name}']").text_content() for name in ("layer", "neuron")]
    assert told == last.split(".")
    assert f"layer={layer}&" in page.url  # to show a row is not to choose it
    page.evaluate("(neuron) => window.workbench.set({neuron})", first)
    cell = page.locator(".ag-row-selected [col-id='neuron']")
    cell.get_by_text(first.split(".")[1], exact=True).wait_for(state="attached")
    assert f"layer={layer}&" in page.url
