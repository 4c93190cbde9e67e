"""Page 5: its table is the run's numbers, and a row chosen by keyboard sets layer and neuron."""

from __future__ import annotations

import base64
import shutil
import threading
from dataclasses import replace

import numpy as np
import pytest

from probekit_app import create_app
from probekit_app.card_routes import draw
from probekit_app.page import pages
from probekit_app.pages import neurons
from probekit_app.serving import make_server

PAGE = pages()["/neurons"]


@pytest.fixture(scope="module")
def root(study, tmp_path_factory):
    """A run whose thresholds select more than one neuron, and one of two languages."""
    folder = tmp_path_factory.mktemp("neurons") / "runs"
    wanted = ("cka", "regions", "neurons", "mlp_regions")
    options = {"neurons": {"share": 0.2, "quantile": 0.5}}
    asked = study.model_copy(update={"analyses": wanted, "options": options})
    asked.run(folder / "full")
    asked.model_copy(update={"languages": ("en", "de")}).run(folder / "two")
    return folder


@pytest.fixture(scope="module")
def app(root):
    return create_app(root)


@pytest.fixture(scope="module")
def bench(app):
    return app.server.extensions["probekit"]


def look(bench, query):
    view, parsed = bench.look(query)
    assert parsed.notices == ()
    return replace(view, page=PAGE)


def drawn(bench, card, query):
    return draw(bench, {"card": f"neurons/{card}", "key": ""}, {"query": f"?{query}"})


@pytest.mark.parametrize(("option", "end"), [("", ""), ("&neurons.thresholds=layer", "_by_layer")])
def test_rows_are_the_selected_neurons_by_brute_force(bench, option, end):
    view = look(bench, f"run=full{option}")
    data = view.run.group("neurons")
    expected = {}
    for layer in data["layer"].to_numpy():
        for neuron in range(data.sizes["neuron"]):
            at = data.sel(layer=layer).isel(neuron=neuron)
            if bool(at[f"selected{end}"]):
                own = [c for c in view.run.languages if bool(at[f"belongs{end}"].sel(language=c))]
                expected[f"{layer}.{neuron}"] = (at, ", ".join(own))
    found = neurons.rows(view)
    assert {row["address"] for row in found} == set(expected)
    assert len(found) > 3
    for row in found:
        at, own = expected[row["address"]]
        assert row["address"] == f"{row['layer']}.{row['neuron']}"
        assert row["entropy"] == pytest.approx(float(at["entropy"]), rel=1e-5)
        assert row["error"] == pytest.approx(float(at["entropy_error"]), rel=1e-5)
        assert row["languages"] == own
        for code in view.run.languages:
            rate = float(at["rate"].sel(language=code))
            assert row[f"in_{code}"] == pytest.approx(rate, rel=1e-5)
    entropies = [row["entropy"] for row in found]
    assert entropies == sorted(entropies)


def test_the_table_can_show_z_scores(bench):
    view = look(bench, "run=full&neurons.cells=z")
    z = view.run.group("mlp_regions")["key_z"]
    for row in neurons.rows(view):
        for code in view.run.languages:
            at = float(z.sel(layer=row["layer"], language=code).isel(neuron=row["neuron"]))
            assert row[f"in_{code}"] == pytest.approx(at, rel=1e-5)


def test_two_languages_have_no_z_scores_and_the_card_says_so(bench):
    found = drawn(bench, "table", "run=two&neurons.cells=z")
    assert "at least three languages" in found.problem
    assert drawn(bench, "table", "run=two").content


def test_a_table_has_at_most_so_many_rows(bench, monkeypatch):
    view = look(bench, "run=full")
    every = neurons.rows(view)
    monkeypatch.setattr(neurons, "MOST_ROWS", 2)
    monkeypatch.setattr(neurons, "MOST_LANGUAGES", 1)
    assert [row["address"] for row in neurons.rows(view)] == [r["address"] for r in every[:2]]
    assert [column["headerName"] for column in neurons.language_columns(view)] == ["en"]


def test_the_chosen_neuron_is_drawn_whatever_the_layer(bench):
    found = drawn(bench, "rates", "run=full&neuron=2.5&layer=0")
    data = look(bench, "run=full").run.group("neurons")
    rate = data["rate"].sel(layer=2).isel(neuron=5).to_numpy()
    assert "neuron=5" in found.code
    y = found.content["data"][0]["y"]
    shown = np.frombuffer(base64.b64decode(y["bdata"]), y["dtype"])
    assert np.allclose(shown, rate)


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("run=full&neuron=0.99999", "neuron must be from 0 to"),
        ("run=full&layer=-1", "layer must be a block"),
    ],
)
def test_what_is_not_there_is_said(bench, query, said):
    assert said in drawn(bench, "rates", query).problem


def test_without_an_ablation_the_page_names_the_command(bench):
    found = drawn(bench, "ablation", "run=full").problem
    assert found.command.startswith("probekit ablate ")
    assert found.command.endswith("full --save")


@pytest.fixture(scope="module")
def address(app):
    server = make_server(app, host="127.0.0.1", port=0)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_row_chosen_by_keyboard_sets_layer_and_neuron(page, address, bench):
    every = neurons.rows(look(bench, "run=full"))
    last = max(row["neuron"] for row in every)
    page.goto(f"{address}/neurons?run=full")
    page.locator(".ag-row .ag-cell").first.wait_for()
    heading = page.locator(".ag-header-cell[col-id='neuron']")
    heading.focus()
    page.keyboard.press("Enter")
    page.wait_for_selector(".ag-header-cell[col-id='neuron'][aria-sort='ascending']")
    page.keyboard.press("Enter")
    page.wait_for_selector(".ag-header-cell[col-id='neuron'][aria-sort='descending']")
    top = page.locator(".ag-row[row-index='0']")
    assert top.locator("[col-id='neuron']").inner_text() == str(last)
    layer = top.locator("[col-id='layer']").inner_text()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Space")
    page.wait_for_url(f"**neuron={layer}.{last}*")
    page.wait_for_selector(f".cell.on[data-layer='{layer}']")
    page.wait_for_function(
        "said => document.querySelector(\"[data-card='neurons/rates'] .fold-code pre\")"
        ".textContent.includes(said)",
        arg=f"layer={layer}, neuron={last}",
    )


def test_an_ablation_in_the_folder_is_shown(root, bench):
    from tests.figures.test_ablation import saved_for

    folder = root / "shown"
    shutil.copytree(root / "full", folder)
    run = bench.runs.open("shown").run
    result = saved_for(run)
    found = drawn(bench, "ablation", "run=shown")
    assert found.problem is None
    (heat,) = bench.rows(PAGE, PAGE.card("ablation"), look(bench, "run=shown"))[:1]
    assert heat["value"] == pytest.approx(float(result.data["excess"][0, 0]))
    assert f"{result.data.attrs['n_units']} units" in found.method
