"""Every page over a run with every analysis: axe, many clients at once, two browsers on one run."""

from __future__ import annotations

import json
import shutil
import threading
import urllib.request
from concurrent.futures import ThreadPoolExecutor

import pytest

from probekit_app import create_app
from probekit_app.page import pages
from tests.app.test_browser import READY, only_in_grid
from tests.figures.erasures import make_report

CLIENTS, ASKED = 32, 6


@pytest.fixture(scope="module")
def address(full_run, tmp_path_factory):
    from probekit_app.serving import make_server

    root = tmp_path_factory.mktemp("every")
    for name in ("one", "two"):
        shutil.copytree(full_run.folder, root / name)
    (root / "report.json").write_text(json.dumps(make_report()), encoding="utf-8")
    server = make_server(create_app(root), host="127.0.0.1", port=0)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize("path", [path for path in pages() if path != "/trial"])
def test_axe_finds_nothing_serious_in_either_theme(page, address, path):
    from axe_playwright_python.sync_playwright import Axe

    page.add_init_script("delete window.trustedTypes")
    page.goto(f"{address}{path}?run=one&vs=two")
    page.wait_for_load_state("networkidle")
    for theme in ("Light", "Dark"):
        page.get_by_role("button", name=theme, exact=True).click()
        page.wait_for_load_state("networkidle")
        found = Axe().run(page).response["violations"]
        bad = [each for each in found if each["impact"] in {"serious", "critical"}]
        ours = [each for each in bad if not only_in_grid(each)]
        assert ours == [], json.dumps([(e["id"], e["nodes"][0]["html"][:200]) for e in ours])


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
