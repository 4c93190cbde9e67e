"""The app in a real browser: what a click does, what the address keeps, what axe finds."""

from __future__ import annotations

import threading
from contextlib import contextmanager

import pytest

from probekit_app import create_app, export_site
from tests.app.axe import serious, wait_for_cards

READY = ".slot-figure[data-ready='1']"


def opened(page, address, path):
    page.goto(address + path)
    page.wait_for_selector("#page h1")
    return page


@contextmanager
def served(app):
    """Another app behind a socket of its own."""
    from probekit_app.serving import make_server

    server = make_server(app, host="127.0.0.1", port=0)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def said(page):
    return page.locator(".said")


def test_from_the_runs_to_a_layer_and_back(page, address, bench):
    peak = bench.runs.open("base").peak_layer
    layer = next(block for block in (0, 1) if block != peak)
    opened(page, address, "/")
    page.get_by_text("CKA peaks at block").first.wait_for()
    page.get_by_role("link", name="base", exact=True).click()
    page.wait_for_selector(READY)
    assert page.url.endswith("/overview?run=base")
    page.locator(f"[data-layer='{layer}']").click()
    page.get_by_text(f"At block {layer} of 4").wait_for()
    assert page.url.endswith(f"/overview?run=base&layer={layer}")
    page.go_back()
    page.wait_for_url("**/overview?run=base")
    page.wait_for_selector(f".cell.on[data-layer='{peak}']")
    page.get_by_text(f"At block {peak} of 4").wait_for()


def test_keys_move_the_layer_and_its_line(page, address):
    opened(page, address, "/overview?run=base&layer=1")
    page.wait_for_selector(READY)
    page.locator("#layer").focus()
    before = page.locator(".layer-line").first.bounding_box()["x"]
    page.keyboard.press("ArrowRight")
    page.get_by_text("At block 2 of 4").wait_for()
    assert page.locator("#layer").get_attribute("aria-valuenow") == "2"
    assert "block 2 of 4" in page.locator("#layer").get_attribute("aria-valuetext")
    step = page.locator(".layer-line").first.bounding_box()["x"] - before
    cell = page.locator("[data-layer='2']").bounding_box()["width"]
    assert step == pytest.approx(cell, abs=2)
    page.keyboard.press("Home")
    page.get_by_text("At the embedding").wait_for()


def test_the_strip_stands_over_the_axis(page, address):
    opened(page, address, "/overview?run=base")
    page.wait_for_selector(READY)
    middle = page.evaluate(
        """() => {
        const gd = document.querySelector(".js-plotly-plot");
        const axis = gd._fullLayout.xaxis;
        return gd.getBoundingClientRect().left + axis._offset + axis.l2p(2);
    }"""
    )
    cell = page.locator("[data-layer='2']").bounding_box()
    assert cell["x"] + cell["width"] / 2 == pytest.approx(middle, abs=2)


def test_a_click_in_a_figure_sets_the_layer(page, address):
    opened(page, address, "/overview?run=base&layer=0")
    page.wait_for_selector(READY)
    cell = page.locator("[data-layer='3']").bounding_box()
    plot = page.locator(".js-plotly-plot").first.bounding_box()
    place = (cell["x"] + cell["width"] / 2, plot["y"] + 140)
    page.mouse.move(*place)
    page.wait_for_selector(".hoverlayer .legend, .hoverlayer .hovertext", state="attached")
    page.mouse.click(*place)
    page.get_by_text("At block 3 of 4").wait_for()
    assert "layer=3" in page.url


def test_controls_write_the_address_and_cards_follow(page, address):
    opened(page, address, "/trial?run=base&layer=1")
    said(page).get_by_text("layer 1 kind plain").wait_for()
    page.get_by_role("button", name="Odd").click()
    said(page).get_by_text("layer 1 kind odd").wait_for()
    assert "trial.kind=odd" in page.url
    page.get_by_role("slider", name="Share").focus()
    page.keyboard.press("ArrowUp")
    page.locator(".more").get_by_text("share 0.55").wait_for()
    page.get_by_role("textbox", name="Word").fill("مرحبا & co")
    page.keyboard.press("Enter")
    page.locator(".more").get_by_text("مرحبا & co").wait_for()
    page.get_by_role("button", name="Plain").click()
    said(page).get_by_text("kind plain").wait_for()
    assert "kind" not in page.url


def test_a_permalink_shows_the_same_in_another_browser(page, address, browser):
    opened(page, address, "/trial?run=base&layer=1")
    said(page).wait_for()
    page.get_by_role("button", name="Odd").click()
    page.locator("[data-language='de']").click()
    said(page).get_by_text("kind odd").wait_for()
    assert "langs=en,sw" in page.url
    other = browser.new_page()
    other.goto(page.url)
    said(other).get_by_text("layer 1 kind odd").wait_for()
    assert other.locator("[data-language='de']").get_attribute("aria-pressed") == "false"
    assert other.get_by_role("button", name="Odd").get_attribute("aria-pressed") == "true"
    other.close()


def test_choosing_a_row_of_a_grid_sets_the_layer(page, address):
    opened(page, address, "/trial?run=base&layer=0")
    page.locator(".ag-row[row-index='3'] .ag-cell").first.click()
    said(page).get_by_text("layer 3").wait_for()
    assert "layer=3" in page.url


def test_tokens_that_are_markup_do_nothing(page, address):
    opened(page, address, "/trial?run=base&unit=%3Cscript%3E")
    page.locator(".token").first.wait_for()
    page.locator(".ag-row").first.wait_for()
    assert page.evaluate("window.hacked") is None
    assert "window.hacked" in page.locator(".token").first.inner_text()
    assert page.get_by_text("This run has no unit").is_visible()


def test_states_are_designed(page, address):
    opened(page, address, "/trial?run=base")
    page.get_by_text("Not computed in this run: neurons").wait_for()
    page.get_by_text("This view failed (LookupError)").wait_for()
    opened(page, address, "/overview?run=damaged")
    page.get_by_text("damaged manifest.json").wait_for()


def test_the_table_behind_a_figure_is_its_numbers(page, address, finished_run):
    opened(page, address, "/overview?run=base")
    page.locator(".fold-table summary").first.click()
    page.locator(".table-place td").first.wait_for()
    text = page.locator(".table-place").first.inner_text()
    assert f"{finished_run.table()[0]['cka']:.6g}" in text


def test_a_picture_can_be_saved(page, address):
    opened(page, address, "/overview?run=base")
    page.wait_for_selector(READY)
    with page.expect_download() as found:
        page.get_by_role("button", name="as SVG").first.click()
    assert found.value.suggested_filename == "overview-story.svg"
    text = found.value.path().read_text(encoding="utf-8")
    assert "Where languages meet" in text
    assert "bootstrap" in text


def test_the_theme_is_kept(page, address):
    opened(page, address, "/overview?run=base")
    page.wait_for_selector(READY)
    page.get_by_role("button", name="Dark").click()
    page.wait_for_selector(".main-svg[style*='rgb(22, 27, 34)']")
    page.reload()
    page.wait_for_selector(READY)
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"


@pytest.mark.parametrize("path", ["/", "/overview?run=base", "/trial?run=base", "/nowhere"])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_serious(page, address, path, theme):
    page.emulate_media(color_scheme=theme)
    page.add_init_script("delete window.trustedTypes")
    opened(page, address, path)
    wait_for_cards(page)
    if "trial" in path:  # among its cards is one that fails and one that was not computed
        assert page.locator(".state.failed").is_visible()
        assert page.locator(".state.lacking").is_visible()
    assert serious(page) == []


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_serious_in_an_empty_folder(page, tmp_path, theme):
    page.emulate_media(color_scheme=theme)
    page.add_init_script("delete window.trustedTypes")
    with served(create_app(tmp_path)) as place:
        opened(page, place, "/")
        page.get_by_text("No runs here yet").wait_for()
        assert serious(page) == []
        opened(page, place, "/overview")
        page.get_by_text("No run is chosen").wait_for()
        assert serious(page) == []


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("name", ["overview", "meet", "selection"])
def test_axe_finds_nothing_serious_in_the_static_export(page, export, name, theme):
    page.emulate_media(color_scheme=theme)
    page.goto((export / f"{name}.html").as_uri())
    wait_for_cards(page)
    assert serious(page) == []


def test_axe_leaves_only_what_lies_in_a_grid_aside(page, address):
    """A fault that merely speaks of a grid is ours; the same fault inside one is not."""
    page.add_init_script("delete window.trustedTypes")
    opened(page, address, "/trial?run=base")
    wait_for_cards(page)
    add = """(place) => {
      const made = document.createElement("button");
      made.className = "ag-looking";
      document.querySelector(place).append(made);
    }"""
    page.evaluate(add, ".ag-root-wrapper")
    assert serious(page) == []
    page.evaluate(add, "#page")
    assert [name for name, _ in serious(page)] == ["button-name"]


@pytest.fixture(scope="module")
def export(runs, tmp_path_factory):
    return export_site(runs / "base", tmp_path_factory.mktemp("export") / "site").parent


def test_the_static_export_works_from_disk(page, export):
    page.context.set_offline(True)
    page.goto((export / "index.html").as_uri())
    page.wait_for_selector(READY)
    page.locator("[data-layer='2']").click()
    page.get_by_text("At block 2 of 4").wait_for()
    page.get_by_role("button", name="Dark").click()
    page.wait_for_selector("html[data-theme='dark'] .main-svg[style*='rgb(22, 27, 34)']")
    page.locator(".fold-table summary").first.click()
    page.locator(".table-place td").first.wait_for()


def test_the_static_export_offers_nothing_that_nothing_follows(page, export):
    """No click that sets languages or a unit there, and no sentence that promises one."""
    page.goto((export / "meet.html").as_uri())
    wait_for_cards(page)
    sets = page.locator("[data-card]").evaluate_all("all => all.map(card => card.dataset.sets)")
    assert not [each for each in sets if "langs" in each or "unit" in each]
    text = page.locator("#page").inner_text()
    assert "Click a cell" not in text
    assert "Choose languages" not in text
    menu = page.get_by_role("combobox", name="Metric")
    menu.select_option("mexa")
    table = "[data-card='meet/table'] .js-plotly-plot, [data-card='meet/table'].js-plotly-plot"
    page.locator("[data-card='meet/table']").get_by_text("MEXA").first.wait_for()
    assert page.locator(table).count() == 1
    assert "metric=mexa" in page.url
