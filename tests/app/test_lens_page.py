"""The page Logit lens: figures of the run, the chosen unit, and the live lens in a real browser."""

from __future__ import annotations

import json
import os
import signal
import threading

import pytest

import probekit
from probekit_app import create_app
from probekit_app.card_routes import draw
from probekit_app.live.limits import TOP
from probekit_app.pages.lens import unit_texts
from probekit_app.runs_folder import RunsFolder
from probekit_app.text import visible
from probekit_app.workbench import Workbench

TEXTS = ["عاصمة فرنسا", "ไทย", "<script>window.hacked = 1</script>"]


@pytest.fixture(scope="module")
def lens_run(study, tmp_path_factory):
    lean = study.model_copy(update={"analyses": ("lens",)})
    return lean.run(tmp_path_factory.mktemp("lens-page") / "run")


@pytest.fixture(scope="module")
def bench(lens_run):
    return Workbench(RunsFolder(lens_run.folder), model="tiny")


def drawn(bench, card, query=""):
    return draw(bench, {"card": f"lens/{card}", "key": ""}, {"query": query})


@pytest.mark.parametrize("card", ["mass", "curves", "heatmap"])
def test_figures_follow_the_languages(bench, lens_run, card):
    every, some = drawn(bench, card), drawn(bench, card, "?langs=de,sw")
    assert every.problem is None
    assert "languages" not in every.code
    assert "languages=['de', 'sw']" in some.code
    assert some.content["data"] != every.content["data"]
    assert some.method.startswith(str(lens_run.manifest.model["id"]))


def test_the_heatmap_follows_its_control(bench):
    agreement, entropy = drawn(bench, "heatmap"), drawn(bench, "heatmap", "?lens.metric=entropy")
    assert "metric='entropy'" in entropy.code
    assert agreement.content["data"][0]["z"] != entropy.content["data"][0]["z"]


def test_the_unit_is_the_corpus_text(bench, lens_run):
    unit = str(lens_run.corpus["unit"][3].item())
    view, _ = bench.look(f"?unit={unit}&langs=en,sw")
    expected = lens_run.corpus["text"].sel(unit=unit)
    assert unit_texts(view) == {code: expected.sel(language=code).item() for code in ("en", "sw")}
    html = drawn(bench, "unit", f"?unit={unit}&langs=en,sw").content
    assert "data-live-texts" in html
    assert "Read these live" in html


def test_without_a_model_the_page_says_how_to_get_one(lens_run):
    bench = Workbench(RunsFolder(lens_run.folder))
    html = drawn(bench, "live").content
    assert "No model is loaded" in html
    assert f"--model {lens_run.manifest.model['id']}" in html
    assert "probekit lens" in html
    assert "data-live-texts" not in drawn(bench, "unit").content


def test_another_model_than_the_runs_is_said_calmly(bench, lens_run):
    own = Workbench(RunsFolder(lens_run.folder), model=str(lens_run.manifest.model["id"]))
    assert "read by tiny" in drawn(bench, "live").content
    assert "live-other" not in drawn(own, "live").content


@pytest.fixture(scope="module")
def live_app(lens_run, model_folder):
    app = create_app(lens_run.folder, model=str(model_folder))
    yield app
    app.server.extensions["probekit-live"].close()


@pytest.fixture(scope="module")
def address(live_app):
    from probekit_app.serving import make_server

    server = make_server(live_app, host="127.0.0.1", port=0)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.port}/lens"
    server.shutdown()
    thread.join()
    server.server_close()


def opened(page, address):
    page.goto(address)
    page.wait_for_selector(".live-text")
    return page


def read(page, texts):
    page.locator(".live-text").fill("\n".join(texts))
    page.get_by_role("button", name="Read", exact=True).click()
    page.locator(".live-status", has_text="Read by").wait_for()
    return page.locator(".token-grid")


def test_any_script_is_read_side_by_side_with_the_lens_own_numbers(page, address, model_folder):
    tables = read(opened(page, address), TEXTS)
    assert tables.count() == len(TEXTS)
    assert page.locator(".live-grid h3 bdi").all_inner_texts() == TEXTS
    assert page.evaluate("window.hacked") is None
    subject = probekit.load(str(model_folder))
    for at, text in enumerate(TEXTS):
        lens = probekit.lens(subject, text, top=TOP)
        grid = tables.nth(at).evaluate("table => table.grid")
        assert grid["top_ids"] == lens.top_ids.tolist()
        assert grid["entropy"][2][1] == pytest.approx(lens.entropy[2, 1], rel=1e-4)
        rows = tables.nth(at).locator("tbody tr")
        assert rows.count() == len(lens.layers)
        top = rows.first.locator("td")
        assert top.first.inner_text() == visible(lens.names[int(lens.top_ids[-1, 0, 0])])
        assert top.first.get_attribute("data-token") == str(lens.top_ids[-1, 0, 0])
        assert rows.first.locator("td.framed").count() == len(lens.positions)


def test_keys_move_and_a_choice_sets_layer_and_position(page, address, lens_run):
    table = read(opened(page, address), ["abc"])
    table.locator("td[tabindex='0']").focus()
    assert page.locator("#token-tip tr").count() == TOP
    for key in ("ArrowDown", "ArrowRight", "ArrowRight", "ArrowLeft"):
        page.keyboard.press(key)
    layer = str(lens_run.n_blocks - 2)
    here = page.evaluate("[document.activeElement.dataset.row, document.activeElement.dataset.pos]")
    assert here == [str(lens_run.n_blocks - 1), "1"]  # rows count from the embedding
    page.keyboard.press("Enter")
    page.wait_for_url("**pos=1**")
    assert page.locator("#layer").get_attribute("aria-valuenow") == layer
    assert page.locator(".token-grid tr.on").get_attribute("data-layer") == layer
    assert page.locator(".token-grid th.on").get_attribute("data-pos") == "1"
    page.keyboard.press("Escape")
    assert not page.locator("#token-tip").is_visible()


def test_colours_follow_the_control_without_another_reading(page, address):
    table = read(opened(page, address), ["abc"])
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    cell = table.locator("td").nth(7)
    before = cell.evaluate("cell => getComputedStyle(cell).backgroundColor")
    page.get_by_role("button", name="Rank of final token").click()
    page.locator(".scale-rank").wait_for()
    share = cell.evaluate("cell => getComputedStyle(cell).getPropertyValue('--share')")
    assert share == cell.evaluate("cell => cell.style.getPropertyValue('--rank')")
    assert cell.evaluate("cell => getComputedStyle(cell).backgroundColor") != before
    assert "lens.colour=rank" in page.url
    assert not [url for url in asked if "/live/" in url]


def test_limits_are_said_before_anything_is_sent(page, address):
    opened(page, address)
    for text, words in (("", "one text a line"), ("x" * 10_000, "1,000"), ("a\n" * 7, "At most 6")):
        page.locator(".live-text").fill(text)
        page.get_by_role("button", name="Read", exact=True).click()
        page.locator(".live-status.bad", has_text=words).wait_for()


def test_what_was_read_stays_when_the_theme_changes_and_after_another_page(page, address):
    read(opened(page, address), ["ab"])
    page.get_by_role("button", name="Dark").click()
    page.wait_for_selector("html[data-theme='dark']")
    page.locator(".token-grid td").first.wait_for()
    page.get_by_role("link", name="Overview").click()
    page.wait_for_url("**/overview**")
    page.go_back()
    page.locator(".token-grid td").first.wait_for()
    assert page.locator(".live-text").input_value() == "ab"


def test_the_units_texts_are_read_with_one_click(page, address, lens_run):
    opened(page, address)
    page.get_by_role("button", name="Read these live").click()
    page.locator(".live-status", has_text="Read by").wait_for()
    unit = lens_run.corpus["text"].isel(unit=0)
    expected = [str(unit.sel(language=code).item()) for code in lens_run.languages]
    assert page.locator(".live-grid h3").all_inner_texts() == expected


def test_a_killed_model_is_started_again(page, address, live_app):
    read(opened(page, address), ["a"])
    os.kill(live_app.server.extensions["probekit-live"].child.pid, signal.SIGKILL)
    assert read(page, ["bc"]).locator("thead th").count() == 3


def test_the_grids_can_be_kept(page, address):
    read(opened(page, address), ["=1+1"])
    with page.expect_download() as found:
        page.locator("[data-live-save='csv']").click()
    lines = found.value.path().read_text(encoding="utf-8").splitlines()
    assert lines[0].startswith("text,layer,position,token_id")
    assert lines[1].startswith("'=1+1,-1,0,")
    with page.expect_download() as found:
        page.locator("[data-live-save='json']").click()
    assert json.loads(found.value.path().read_text(encoding="utf-8"))[0]["text"] == "=1+1"


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_serious(page, address, theme):
    from axe_playwright_python.sync_playwright import Axe

    page.emulate_media(color_scheme=theme)
    page.add_init_script("delete window.trustedTypes")
    read(opened(page, address), TEXTS)
    page.locator(".token-grid td[tabindex='0']").first.focus()
    page.wait_for_load_state("networkidle")
    found = Axe().run(page, options={"resultTypes": ["violations"]}).response["violations"]
    bad = [each for each in found if each["impact"] in {"serious", "critical"}]
    assert bad == [], json.dumps([(e["id"], e["nodes"][0]["html"][:200]) for e in bad])
