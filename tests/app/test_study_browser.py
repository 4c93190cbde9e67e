"""A study from the form to its run, in a real browser; a second browser sees the same list."""

from __future__ import annotations

import json
import threading

import pytest

from probekit import open_run
from probekit_app import create_app
from probekit_app.serving import make_server

#: Two children import torch, on machines that may be slow.
LONG = 240_000


@pytest.fixture
def root(tmp_path):
    (tmp_path / "runs").mkdir()
    return tmp_path / "runs"


@pytest.fixture
def place(root):
    """A server over an empty folder that may start studies."""
    app = create_app(root, studies=True)
    server = make_server(app, host="127.0.0.1", port=0)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.port}"
    server.shutdown()
    thread.join()
    server.server_close()
    jobs = app.server.extensions["probekit"].jobs
    for job in jobs.listed():
        jobs.cancel(job.name)
        jobs.join(job.name)


def test_from_the_form_to_the_run(page, place, root, model_folder, corpus_file):
    from playwright.sync_api import expect

    page.goto(f"{place}/runs")
    page.get_by_role("link", name="New study").last.click()
    start = page.get_by_role("button", name="Start", exact=True)
    expect(start).to_be_disabled()
    page.get_by_label("Model", exact=True).fill(str(model_folder))
    page.get_by_label("Corpus", exact=True).fill(str(corpus_file))
    page.get_by_label("Name of the run").fill("../x")
    expect(page.get_by_text("name must have")).to_be_visible()
    page.get_by_label("Name of the run").fill("new")
    page.get_by_label("Units at most").fill("none")
    expect(page.get_by_text("valid integer")).to_be_visible()
    page.get_by_label("Units at most").fill("10")
    for analysis in ("lens", "probes", "neurons", "mlp_regions"):
        page.locator("#study-analyses label", has_text=analysis).first.click()
    expect(page.get_by_text("valid integer")).to_be_hidden()
    page.get_by_role("button", name="Check", exact=True).click()
    expect(page.get_by_text("10 units × 3 languages")).to_be_visible(timeout=LONG)
    expect(page.get_by_text("(estimate)")).to_be_visible()
    expect(page.locator("#study-languages label")).to_have_count(3)
    page.get_by_label("Seed").fill("4")
    expect(page.get_by_text("The form has changed")).to_be_visible()
    expect(start).to_be_disabled()
    page.get_by_label("Seed").fill("0")
    expect(start).to_be_enabled()
    start.click()
    expect(page.locator("[data-job=new] [role=progressbar]")).to_be_visible()
    other = page.context.browser.new_page()
    other.goto(f"{place}/study")
    expect(other.locator("[data-job=new][data-state=running]")).to_be_visible()
    for each in (page, other):
        expect(each.locator("[data-job=new][data-state=finished]")).to_be_visible(timeout=LONG)
    other.close()
    page.get_by_role("link", name="Open new").click()
    page.wait_for_selector(".slot-figure[data-ready='1']")
    assert page.url.endswith("/overview?run=new")
    run = open_run(root / "new")
    assert run.manifest.corpus["n_units"] == 10
    assert set(run.analyses) == {"cka", "regions", "alignment", "geometry", "norms"}


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_serious_in_the_form(page, place, theme):
    from axe_playwright_python.sync_playwright import Axe

    page.emulate_media(color_scheme=theme)
    page.add_init_script("delete window.trustedTypes")
    page.goto(f"{place}/study")
    page.wait_for_selector("#study-elsewhere code")
    page.locator("#study-languages label").first.click()
    page.get_by_text("--languages es,fr").wait_for()
    found = Axe().run(page, options={"resultTypes": ["violations"]}).response["violations"]
    bad = [each for each in found if each["impact"] in {"serious", "critical"}]
    assert bad == [], json.dumps([(each["id"], each["nodes"][0]["html"][:300]) for each in bad])
