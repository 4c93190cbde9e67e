"""The static export: a folder that says what the app says, for every layer, and asks nobody."""

from __future__ import annotations

import json
import re

import pytest

from probekit import open_run
from probekit.errors import InputError, RunError
from probekit_app import export_site


@pytest.fixture(scope="module")
def site(runs, tmp_path_factory):
    folder = tmp_path_factory.mktemp("site") / "made" / "here"
    export_site(runs / "base", folder)
    return folder


def state_of(site, name):
    text = (site / "data" / f"{name}.js").read_text(encoding="utf-8")
    match = re.fullmatch(r"workbench\.receive\(\"([^\"]+)\", (.*)\);\n", text, flags=re.DOTALL)
    assert match[1] == name
    return json.loads(match[2].replace("<\\/", "</"))


def test_every_page_and_what_it_loads_is_there(site):
    index = (site / "index.html").read_text(encoding="utf-8")
    assert index == (site / "overview.html").read_text(encoding="utf-8")
    for path in re.findall(r'(?:src|href)="([^"#]+)"', index):
        assert (site / path).is_file(), path
    assert "http" not in index


def test_every_layer_is_written_in_both_themes(site):
    for layer in range(-1, 4):
        for theme in ("light", "dark"):
            assert (
                f"block {layer} of 4" in state_of(site, f"overview-numbers_{layer}_{theme}")["html"]
                or layer < 0
            )


def test_the_numbers_are_the_run_files(site, finished_run):
    table = state_of(site, "overview-story_light")["table"]
    at = {name: place for place, name in enumerate(table["columns"])}
    found = [row[at["y"]] for row in table["rows"] if row[at["series"]] == "CKA"]
    assert found == finished_run.cka["mean"].to_numpy().tolist()


def test_no_folder_of_this_machine_is_named(site, runs):
    for path in [*site.glob("*.html"), *(site / "data").glob("*.js")]:
        assert str(runs) not in path.read_text(encoding="utf-8"), path.name


@pytest.fixture(scope="module")
def compared(runs, tmp_path_factory):
    folder = tmp_path_factory.mktemp("compared") / "site"
    export_site(runs / "base", folder, compare=runs / "group" / "other")
    return folder


def test_compare_is_written_for_a_second_run_alone(site, compared):
    assert not (site / "compare.html").exists()
    assert "compare.html" not in (site / "index.html").read_text(encoding="utf-8")
    page = (compared / "compare.html").read_text(encoding="utf-8")
    assert 'href="compare.html"' in (compared / "index.html").read_text(encoding="utf-8")
    assert "compared with other" in page
    assert "Choose a second run" not in page


def test_the_difference_written_is_that_of_the_runs(compared, runs):
    expected = open_run(runs / "base").diff(open_run(runs / "group" / "other")).rows()
    table = state_of(compared, "compare-differences_light")["table"]
    at = {name: place for place, name in enumerate(table["columns"])}
    found = {row[at["measure"]]: row[at["change"]] for row in table["rows"]}
    assert found == {row["measure"]: row["change"] for row in expected}


def test_runs_that_share_nothing_are_refused_before_anything_is_written(
    runs, tmp_path, monkeypatch
):
    def refuse(*_):
        msg = "no language in common"
        raise InputError(msg)

    monkeypatch.setattr("probekit.runs.Run.diff", refuse)
    with pytest.raises(InputError, match="no language in common"):
        export_site(runs / "base", tmp_path / "site", compare=runs / "group" / "other")
    assert not (tmp_path / "site").exists()


def test_what_is_compared_must_be_one_run(runs, tmp_path):
    with pytest.raises(RunError, match="is a folder of runs"):
        export_site(runs / "base", tmp_path / "site", compare=runs)


def test_what_would_be_too_many_states_is_said(runs, tmp_path, monkeypatch):
    monkeypatch.setattr("probekit_app.export.MOST_STATES", 20)
    folder = export_site(runs / "base", tmp_path / "site").parent
    page = (folder / "meet.html").read_text(encoding="utf-8")
    assert "written by layer alone: with Metric it has too many states" in page
    # the curves over depth vary by metric alone, and still do
    assert len(re.findall(r'<p class="reading">[^<]*too many states', page)) == 1
    assert 'data-set="metric"' in page
    assert len(list((folder / "data").glob("meet-table_*_light.js"))) == 5


def test_the_metric_is_written(site):
    for metric in ("debiased", "mexa"):
        assert state_of(site, f"meet-table_2_{metric}_light")["table"]["rows"]


def test_a_second_export_replaces_the_first(runs, tmp_path, writes_only):
    writes_only("/runs", "/overview")
    export_site(runs / "base", tmp_path / "site")
    old = tmp_path / "site" / "data" / "old.js"
    old.write_text("x", encoding="utf-8")
    export_site(runs / "base", tmp_path / "site")
    assert not old.exists()


def test_a_folder_with_other_things_is_left_alone(runs, tmp_path):
    (tmp_path / "thesis.tex").write_text("x", encoding="utf-8")
    with pytest.raises(InputError, match="must be new or empty"):
        export_site(runs / "base", tmp_path)
    assert (tmp_path / "thesis.tex").exists()


def test_only_a_run_can_be_exported(runs, tmp_path):
    with pytest.raises(RunError, match="folder of runs"):
        export_site(runs, tmp_path / "site")
    with pytest.raises(RunError, match="not finished"):
        export_site(runs / "half", tmp_path / "site")
