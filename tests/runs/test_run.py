"""A run in the hand: groups when touched, one table, doors to figures and selection."""

from __future__ import annotations

import math
import subprocess
import sys

import pytest

from probekit import Run, open_run
from probekit.errors import RuleError, RunError
from probekit.runs.run import COLUMNS


@pytest.fixture(scope="module")
def only_cka(study, tmp_path_factory):
    lean = study.model_copy(update={"analyses": ("cka",), "keep_pooled": False})
    return lean.run(tmp_path_factory.mktemp("lean") / "run")


def test_the_table_has_a_row_a_layer_and_the_columns_in_order(finished_run):
    table = finished_run.table()
    assert [row["layer"] for row in table] == [-1, 0, 1, 2, 3]
    assert [row["depth"] for row in table] == [0, 0.25, 0.5, 0.75, 1]
    for row in table:
        assert list(row) == ["layer", "depth", *COLUMNS]
        assert not any(math.isnan(value) for value in row.values())


def test_the_table_says_what_the_groups_say(finished_run):
    row = finished_run.table()[3]
    assert row["cka"] == float(finished_run.cka["mean"].sel(layer=2))
    assert row["lrds_ratio"] == float(finished_run.regions["ratio"].sel(layer=2))
    assert row["p_at_1"] == float(finished_run.alignment["p_at_1_mean"].sel(layer=2))


def test_small_arrays_are_read_once_and_large_ones_when_touched(finished_run, monkeypatch):
    whole = open_run(finished_run.folder).regions
    assert all(array._in_memory for array in whole.variables.values())
    monkeypatch.setattr("probekit.runs.run.SMALL", 40)
    lazy = open_run(finished_run.folder).regions
    assert lazy["lrds"].variable._in_memory  # five layers, eight bytes each
    assert not all(array._in_memory for array in lazy.variables.values())
    assert lazy.equals(whole)


def test_who_was_read(finished_run):
    assert finished_run.languages == ("en", "de", "sw")
    assert finished_run.n_blocks == 4
    assert "4 blocks, 12 units × 3 languages" in repr(finished_run)
    assert finished_run._repr_html_().count("<tr>") == 6


@pytest.mark.parametrize("name", ["regions", "alignment", "pooled"])
def test_a_group_that_was_not_computed_is_named_with_those_that_were(only_cka, name):
    held = "cka, cka_layers, corpus, norms"
    with pytest.raises(RunError, match=rf"no results '{name}' \(has: {held}\)"):
        getattr(only_cka, name)


def test_the_table_of_a_lean_run_leaves_out_what_it_lacks(only_cka):
    row = only_cka.table()[0]
    assert "cka" in row
    assert "lrds" not in row
    assert "p_at_1" not in row


def test_selection_needs_regions(only_cka):
    with pytest.raises(RunError, match="regions"):
        only_cka.select()


def test_an_unknown_rule_is_refused(finished_run):
    with pytest.raises(RuleError, match="vibes"):
        finished_run.select(rule="vibes")


def test_the_same_run_selects_the_same(finished_run):
    again = Run(finished_run.folder, finished_run.manifest)
    assert again.select().to_json() == finished_run.select().to_json()


def test_opening_a_run_loads_no_model_library(finished_run):
    code = (
        "import sys, probekit; run = probekit.open_run(sys.argv[1]); run.table(); "
        "print(sorted({'torch', 'transformers', 'plotly'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(finished_run.folder)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "[]"
