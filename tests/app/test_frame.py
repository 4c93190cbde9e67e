"""Opening pages: what is there, what is lacking with its command, what fails in one sentence."""

from __future__ import annotations

import os
import re
import shutil
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import numpy as np
import pytest

from probekit_app import workbench
from probekit_app.card_routes import draw
from probekit_app.frame import frame
from probekit_app.kept import Kept
from probekit_app.missing import instrument_of
from probekit_app.page import pages
from probekit_app.runs_folder import RunsFolder
from probekit_app.shell import problem
from probekit_app.static_html import to_html
from probekit_app.workbench import Workbench, find_card


def drawn(bench, card, query="?run=base", key="", theme="light"):
    return draw(bench, {"card": card, "key": key}, {"query": query, "theme": theme})


def html_of(found):
    return to_html([*found.navigation, *found.bar, *found.notices, found.content])


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("/", ""),
        ("/runs", "?run=base"),
        ("/overview", "?run=group/other&layer=2"),
        ("/overview", ""),
        ("/overview", "?run=damaged"),
        ("/overview", "?run=half"),
        ("/overview", "?run=../outside"),
        ("/nowhere", "?run=base"),
        ("/<script>", "?run=<script>&layer=<script>"),
        ("/trial", "?run=base&vs=group/other"),
    ],
)
def test_every_address_makes_a_page(bench, path, query):
    text = html_of(frame(bench, path, query)) if path != "/trial" else ""
    assert "<script" not in text
    assert "Traceback" not in text


def test_the_address_is_put_right_and_what_was_wrong_is_said(bench):
    found = frame(bench, "/overview", "?run=base&layer=77&langs=en,de,sw&x=1")
    assert found.query == "run=base"
    assert len(found.notices) == 2
    assert "layers −1 (embedding) to 3" in to_html(found.notices)


def test_a_run_that_cannot_be_opened_says_why_on_any_page(bench):
    assert "damaged manifest.json" in to_html(frame(bench, "/overview", "?run=damaged").content)
    found = frame(bench, "/runs", "?run=damaged")
    assert "damaged manifest.json" in to_html(found.notices)
    assert "group/other" in to_html(found.content)


def test_the_page_of_runs_lists_each_with_its_state(bench):
    text = to_html(frame(bench, "/", "").content)
    for name in ("base", "group/other", "half", "damaged", "unfinished"):
        assert name in text


def test_the_headline_is_the_run_files(bench, finished_run):
    text = drawn(bench, "runs/headline", "", key="base").content
    best = max(
        (row for row in finished_run.table() if row["layer"] >= 0), key=lambda row: row["cka"]
    )
    assert f"CKA peaks at block {best['layer']}: {best['cka']:.2f}" in text


@pytest.mark.parametrize(
    ("metric", "place", "words"),
    [
        ("debiased", "cka/mean", "Debiased CKA peaks"),
        ("without_rogue", "cka/mean_without_rogue", "CKA without rogue dimensions peaks"),
        ("mexa", "alignment/mexa_mean", "MEXA peaks"),
        ("procrustes", "alignment/procrustes_mean", "Procrustes disparity is least"),
    ],
)
def test_the_metric_of_the_bar_is_the_run_files_everywhere(
    bench, finished_run, metric, place, words
):
    """Headline and numbers at a layer; both keep the run's own number."""
    group, variable = place.split("/")
    values = finished_run.group(group)[variable].sel(layer=slice(0, None))
    best = np.argmin if "least" in words else np.argmax
    at = int(best(values.to_numpy()))
    query = f"?run=base&metric={metric}"
    text = drawn(bench, "runs/headline", query, key="base").content
    assert f"{words} at block {at}: {float(values[at]):.2f}" in text
    view, parsed = bench.look(f"{query}&layer=2")
    assert parsed.notices == ()
    first = bench.rows(*find_card("overview/numbers"), view)[0]
    assert first["value"] == float(values.sel(layer=2))
    shown = drawn(bench, "overview/numbers", f"{query}&layer=2").content
    assert f"{first['measure']}</th><td" in shown


def test_a_run_made_again_under_its_name_has_a_new_headline(runs, tmp_path, monkeypatch):
    """Also where another run is the chosen one."""
    root = tmp_path / "runs"
    for name in ("one", "two"):
        shutil.copytree(runs / "base", root / name)
    bench = Workbench(RunsFolder(root))
    before = drawn(bench, "runs/headline", "?run=one", key="two").content
    monkeypatch.setattr("probekit_app.pages.runs.peak", lambda _: "another peak")
    assert drawn(bench, "runs/headline", "?run=one", key="two").content == before
    os.utime(root / "two" / "manifest.json", ns=(1, 1))
    assert "another peak" in drawn(bench, "runs/headline", "?run=one", key="two").content


def test_the_numbers_at_a_layer_are_the_run_files(bench, finished_run):
    row = next(row for row in finished_run.table() if row["layer"] == 2)
    text = drawn(bench, "overview/numbers", "?run=base&layer=2").content
    assert f"{row['cka']:.3f}" in text
    assert f"[{row['cka_low']:.3f}, {row['cka_high']:.3f}]" in text
    assert "block 2 of 4" in text


def test_what_is_not_computed_comes_with_its_command(bench, finished_run):
    found = drawn(bench, "trial/lacking").problem
    assert found.analyses == ("neurons",)
    (asked,) = re.findall(r"--analyses (\S+)", found.command)
    assert set(asked.split(",")) == {*finished_run.analyses, "neurons"}
    assert found.command.startswith("probekit run ")
    assert "Not computed in this run: neurons" in to_html(problem(found))


def test_groups_are_known_by_their_instrument():
    assert instrument_of("language_id") == "probes"
    assert instrument_of("projection") == "geometry"
    assert instrument_of("something_else") == "something_else"


def test_a_view_that_fails_says_so_and_nothing_more(bench, caplog):
    found = drawn(bench, "trial/broken")
    assert found.problem == "This view failed (LookupError); the log says more."
    assert "no such thing" in caplog.text


@pytest.mark.parametrize("card", ["overview/nothing", "nowhere/story", "", "../x", "overview"])
def test_a_card_that_is_not_there_is_one_sentence(bench, card):
    assert drawn(bench, card).problem == "There is no such view."


def test_the_code_of_a_figure_names_its_arguments(bench):
    found = drawn(bench, "trial/pairs", "?run=base&layer=2")
    assert "run.plot.pairs(layer=2)" in found.code
    assert "probekit.open_run(" in found.code


@pytest.fixture
def drawings(bench, monkeypatch):
    """The figures that are drawn from here on; none is kept from before."""
    calls = []
    original = workbench.figure_of
    monkeypatch.setattr(workbench, "figure_of", lambda *a: calls.append(a) or original(*a))
    monkeypatch.setattr(bench, "_figures", Kept(4))
    bench._drawn.clear()
    return calls


def test_a_figure_is_drawn_once_for_what_it_follows(bench, drawings):
    for query in ("?run=base&layer=0", "?run=base&layer=1", "?run=base&unit=nowhere"):
        drawn(bench, "overview/story", query)
    assert len(drawings) == 1
    for query in ("?run=base&layer=0", "?run=base&layer=1", "?run=base&layer=1&langs=en"):
        drawn(bench, "trial/pairs", query)
    assert len(drawings) == 3


def test_another_theme_and_the_numbers_of_a_figure_draw_it_no_more(bench, drawings):
    query = "?run=base&layer=1"
    light, dark = (drawn(bench, "meet/table", query, theme=each) for each in ("light", "dark"))
    rows = bench.rows(*find_card("meet/table"), bench.look(query)[0])
    assert light.content["data"][0]["z"] == dark.content["data"][0]["z"]
    assert light.content["layout"]["font"] != dark.content["layout"]["font"]
    assert len(rows) == 9
    assert len(drawings) == 1
    drawn(bench, "meet/table", "?run=base&layer=0")
    assert len(drawings) == 2


def test_two_who_ask_for_a_figure_at_once_get_one_drawing(bench, drawings, monkeypatch):
    original, take = workbench.figure_of, bench._take
    looks, both_look = [], Event()

    def draws(*asked):
        assert both_look.wait(30)
        return original(*asked)

    def looked(known):
        found = take(known)
        looks.append(found)
        if len(looks) == 3:  # the first twice, the other once
            both_look.set()
        return found

    monkeypatch.setattr(workbench, "figure_of", draws)
    monkeypatch.setattr(bench, "_take", looked)
    with ThreadPoolExecutor(2) as pool:
        one, other = pool.map(lambda _: drawn(bench, "overview/story"), range(2))
    assert one.content == other.content
    assert looks == [None, None, None, one]
    assert len(drawings) == 1


def test_a_run_deleted_while_open_is_a_card_not_a_crash(runs, tmp_path):
    root = shutil.copytree(runs / "base", tmp_path / "runs" / "one").parent
    bench = Workbench(RunsFolder(root))
    assert frame(bench, "/overview", "?run=one").query == "run=one"
    shutil.rmtree(root / "one")
    assert "has no run" in drawn(bench, "overview/story", "?run=one").problem
    assert "has no run" in to_html(frame(bench, "/overview", "?run=one").content)


def test_a_run_with_a_damaged_array_fails_card_by_card(runs, tmp_path, caplog):
    root = shutil.copytree(runs / "base", tmp_path / "runs" / "one").parent
    for chunk in (root / "one" / "results.zarr" / "cka" / "mean").glob("[0-9c]*"):
        shutil.rmtree(chunk) if chunk.is_dir() else chunk.write_bytes(b"not a chunk")
    bench = Workbench(RunsFolder(root))
    assert drawn(bench, "overview/story", "?run=one").problem
    assert html_of(frame(bench, "/overview", "?run=one"))
    assert "Traceback" not in html_of(frame(bench, "/overview", "?run=one"))


def test_an_empty_folder_says_what_makes_a_run(tmp_path):
    text = to_html(frame(Workbench(RunsFolder(tmp_path)), "/", "").content)
    assert "probekit demo -o" in text


def test_pages_are_found_in_their_folder_and_ordered():
    found = list(pages())
    assert found[:2] == ["/runs", "/overview"]
