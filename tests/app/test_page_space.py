"""Page 7 in a browser: a point sets the unit, whose texts stand beside in their own direction."""

from __future__ import annotations

import re
import shutil

import pytest

from probekit import open_run
from probekit_app import create_app
from probekit_app.card_routes import draw
from probekit_app.export import _ranges
from probekit_app.pages.space import PAGE, translations
from probekit_app.workbench import figure_of

MAP = "[data-card='space/map']"


@pytest.fixture(scope="module")
def app(full_run, tmp_path_factory):
    """The workbench over a run with every analysis."""
    root = tmp_path_factory.mktemp("space")
    shutil.copytree(full_run.folder, root / "full")
    return create_app(root)


@pytest.fixture(scope="module")
def bench(app):
    return app.server.extensions["probekit"]


@pytest.fixture(scope="module")
def address(app):
    import threading

    from probekit_app.serving import make_server

    server = make_server(app, host="127.0.0.1", port=0)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.port}"
    server.shutdown()
    thread.join()
    server.server_close()


def point(page, unit):
    """Where the first drawn text of a unit lies on the screen."""
    return page.evaluate(
        """([card, unit]) => {
        const gd = document.querySelector(`${card} .js-plotly-plot`);
        gd.scrollIntoView({block: "center"});
        const trace = gd._fullData[0], at = trace.customdata.indexOf(unit);
        const box = gd.getBoundingClientRect(), {xaxis, yaxis} = gd._fullLayout;
        return [box.left + xaxis._offset + xaxis.c2p(trace.x[at]),
                box.top + yaxis._offset + yaxis.c2p(trace.y[at])];
    }""",
        [MAP, unit],
    )


def test_a_point_sets_the_unit_and_its_texts(page, address, bench):
    view, _ = bench.look("?run=full")
    page.goto(f"{address}/space?run=full&layer=2&langs=en")
    page.wait_for_selector(f"{MAP} .slot-figure[data-ready='1']")
    unit = view.opened.units[-1]
    place = point(page, unit)
    page.mouse.move(*place)
    page.locator(f"{MAP} .hoverlayer .hovertext").first.wait_for(state="attached")
    over = page.evaluate(
        f"document.querySelector(`{MAP} .js-plotly-plot`)._hoverdata[0].customdata"
    )
    page.mouse.click(*place)
    page.wait_for_url(f"**unit={over}**")
    found, _ = bench.look(f"?run=full&unit={over}&langs=en")
    (row,) = translations(found)
    said = page.locator(".translations .sentence")
    said.get_by_text(row["text"], exact=True).wait_for()
    assert said.locator("bdi").first.get_attribute("dir") == "auto"
    assert said.first.get_attribute("lang") == "en"


def test_the_vectors_are_centred_by_the_shared_switch(page, address):
    page.goto(f"{address}/space?run=full&layer=2")
    page.wait_for_selector(f"{MAP} .slot-figure[data-ready='1']")
    page.get_by_role("button", name="Each language centred").click()
    page.wait_for_url("**centred=1**")
    page.get_by_role("button", name="LDA").click()
    page.locator(f"{MAP} .method").get_by_text("LDA by language").wait_for()
    page.get_by_role("button", name="half").click()
    page.locator("[data-card='space/colours'] .language").first.wait_for()
    page.locator(f"{MAP} .method").get_by_text("LDA by half").wait_for()


@pytest.mark.parametrize(("width", "height"), [(1440, 900), (1024, 768)])
def test_the_map_is_seen_without_scrolling_and_is_wide(page, address, width, height):
    page.set_viewport_size({"width": width, "height": height})
    page.goto(f"{address}/space?run=full&layer=2")
    page.wait_for_selector(f"{MAP} .slot-figure[data-ready='1']")
    plot = page.evaluate(
        """card => {
        const gd = document.querySelector(`${card} .js-plotly-plot`);
        const {xaxis, yaxis} = gd._fullLayout, top = gd.getBoundingClientRect().top;
        return {wide: xaxis._length, high: yaxis._length, end: top + yaxis._offset + yaxis._length};
    }""",
        MAP,
    )
    assert plot["wide"] > 1.4 * plot["high"]
    assert plot["high"] > 400
    assert plot["end"] < height + 30
    rows = page.evaluate("[...document.querySelectorAll('.control')].map(c => c.offsetTop)")
    assert len(set(rows)) <= (1 if width > 1100 else 2)


@pytest.mark.parametrize("card", ["map", "apart", "filled"])
def test_the_code_shown_draws_the_same_figure(bench, card):
    query = "?run=full&layer=1&langs=de,sw&centred=1&space.method=lda&space.by=half"
    view, _ = bench.look(query)
    code = draw(bench, {"card": f"space/{card}", "key": ""}, {"query": query}).code
    call = re.search(r"^figure = (.*)$", code, re.MULTILINE)[1]
    run = open_run(view.run.folder, verify=False)
    assert eval(call, {"run": run}) == figure_of(PAGE.card(card), view)


def test_the_texts_are_rows_of_the_chosen_languages(bench):
    view, _ = bench.look("?run=full&langs=en,sw")
    rows = bench.rows(PAGE, PAGE.card("texts"), view)
    corpus = view.run.corpus.sel(unit=view.state.unit)
    assert [row["language"] for row in rows] == ["en", "sw"]
    assert rows[1]["text"] == str(corpus["text"].sel(language="sw").item())


def test_a_static_site_has_the_map_by_layer_and_centring(bench):
    view, _ = bench.look("?run=full")
    found, dropped = _ranges(PAGE.card("map"), view)
    assert dropped == ()
    assert list(found) == ["layer", "centred"]
    assert found["centred"] == ("0", "1")


@pytest.mark.parametrize(
    "query", ["space.by=mood", "space.method=tsne", "unit=nobody", "centred=2"]
)
def test_a_wrong_value_is_said_and_the_page_stands(bench, query):
    view, parsed = bench.look(f"?run=full&{query}")
    assert len(parsed.notices) == 1
    assert figure_of(PAGE.card("map"), view).data
