"""Page 6: its task is one of the run's, its figures are its numbers, a click sets the layer."""

from __future__ import annotations

import threading

import pytest

from probekit import ParallelCorpus, Study
from probekit_app import create_app
from probekit_app.card_routes import draw
from probekit_app.page import pages
from probekit_app.pages import probes
from probekit_app.serving import make_server
from tests.texts import parallel

PAGE = pages()["/probes"]
N = 24


@pytest.fixture(scope="module")
def root(model_folder, tmp_path_factory):
    """A run with two tasks, and one without codes."""
    folder = tmp_path_factory.mktemp("probes") / "runs"
    plain = parallel(N)
    labels = {
        "three": tuple("abc"[i % 3] for i in range(N)),
        "two & more": tuple("xy"[i % 4 // 2] for i in range(N)),
    }
    corpus = ParallelCorpus(name="c", units=plain.units, texts=plain.texts, labels=labels)
    options = {"folds": 3, "penalties": (1e-2,), "removal_steps": 1}
    for name, more in (("tasks", {}), ("lean", {"mdl": False})):
        Study(
            model=str(model_folder),
            analyses=("cka", "probes"),
            bootstrap=20,
            permutations=20,
            options={"probes": options | more},
        ).run(folder / name, corpus=corpus)
    return folder


@pytest.fixture(scope="module")
def app(root):
    return create_app(root)


@pytest.fixture(scope="module")
def bench(app):
    return app.server.extensions["probekit"]


def drawn(bench, card, query):
    return draw(bench, {"card": f"probes/{card}", "key": ""}, {"query": f"?{query}"})


def rows(bench, card, query):
    view, _ = bench.look(query)
    return bench.rows(PAGE, PAGE.card(card), view)


def test_the_tasks_are_the_runs(bench):
    view, _ = bench.look("run=tasks")
    assert list(probes.TASK.of(view.opened).values) == ["three", "two & more"]
    assert probes.task(view) == {"task": "three"}
    view, parsed = bench.look("run=tasks&probes.task=two+%26+more")
    assert (probes.task(view), parsed.notices) == ({"task": "two & more"}, ())
    assert bench.canonical(view) == "run=tasks&probes.task=two%20%26%20more"


def test_another_task_is_dropped_with_a_sentence(bench):
    view, parsed = bench.look("run=tasks&probes.task=four")
    assert probes.task(view) == {"task": "three"}
    assert "Task cannot be “four” (one of three, two & more)" in parsed.notices[0]


@pytest.mark.parametrize("card", [card.name for card in PAGE.cards])
def test_every_card_draws_and_says_how(bench, card):
    found = drawn(bench, card, "run=tasks&probes.task=two+%26+more&langs=en,sw&layer=1")
    assert found.problem is None
    assert found.content["data"]
    assert "units" in found.method


def test_the_curves_are_the_tasks_numbers(bench):
    data = bench.runs.open("tasks").run.group("probes").sel(task="two & more")
    table = rows(bench, "accuracy", "run=tasks&probes.task=two+%26+more")
    shown = [row for row in table if row["series"] == "accuracy"]
    key = next(name for name in shown[0] if name not in {"panel", "series", "layer", "low", "high"})
    assert [row[key] for row in shown] == data["accuracy_mean"].to_numpy().tolist()
    assert [row["low"] for row in shown] == data["accuracy_mean_low"].to_numpy().tolist()


def test_the_matrix_follows_layer_languages_and_centring(bench):
    data = bench.runs.open("tasks").run.group("probes").sel(task="three", layer=2)
    for option, name in (("", "transfer"), ("&probes.vectors=centred", "transfer_centred")):
        table = rows(bench, "matrix", f"run=tasks&layer=2&langs=en,sw{option}")
        expected = data[name].sel(language=["en", "sw"], language_b=["en", "sw"]).to_numpy()
        assert [row["value"] for row in table] == expected.ravel().tolist()


def test_a_run_without_codes_says_which_option(bench):
    found = drawn(bench, "codes", "run=lean").problem
    assert "probes.mdl" in found.reason


def test_the_export_writes_every_task(root, tmp_path, writes_only):
    from probekit_app import export_site

    writes_only("/probes")
    export_site(root / "tasks", tmp_path / "site")
    names = {path.name for path in (tmp_path / "site" / "data").glob("probes-accuracy_*")}
    assert {"probes-accuracy_three_light.js", "probes-accuracy_two-more_dark.js"} <= names


@pytest.fixture(scope="module")
def address(app):
    server = make_server(app, host="127.0.0.1", port=0)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_task_is_chosen_and_a_click_sets_the_layer(page, address):
    page.goto(f"{address}/probes?run=tasks&layer=0")
    page.wait_for_selector("[data-card='probes/matrix'] .slot[data-ready='1']")
    page.get_by_role("button", name="two & more").click()
    page.wait_for_url("**probes.task=two*")
    code = page.locator("[data-card='probes/matrix'] .fold-code pre")
    page.wait_for_function(
        "() => document.querySelector(\"[data-card='probes/matrix'] .fold-code pre\")"
        ".textContent.includes(\"'two & more'\")"
    )
    cell = page.locator("[data-layer='3']").bounding_box()
    plot = page.locator("[data-card='probes/accuracy'] .js-plotly-plot").bounding_box()
    place = (cell["x"] + cell["width"] / 2, plot["y"] + 200)
    page.mouse.move(*place)
    page.wait_for_selector(".hoverlayer .legend, .hoverlayer .hovertext", state="attached")
    page.mouse.click(*place)
    page.wait_for_url("**layer=3*")
    page.wait_for_function(
        "() => document.querySelector(\"[data-card='probes/matrix'] .fold-code pre\")"
        ".textContent.includes('layer=3')"
    )
    assert "two & more" in code.text_content()
