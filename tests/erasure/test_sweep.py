"""The selection beside its controls: which tensors move in each, one table, resumed by cell."""

from __future__ import annotations

import json

import pytest

from probekit.erasure import apply_delta, fingerprint, sweep
from probekit.erasure.report import erasure_as_table, sweep_as_table
from probekit.erasure.sweep import same_size
from probekit.errors import InputError, InterruptedRun
from tests.erasure.conftest import make_facts
from tests.erasure.test_erase import Stopper
from tests.erasure.test_inputs import document_for
from tests.tiny import tiny_subject

HOW = {"source": ["en"], "max_steps": 2, "check_every": 2, "allow_unknown": True}
HOW |= {"retain_budget": 1.0, "forget_target": 0.0}


@pytest.fixture(scope="module")
def deep():
    return tiny_subject("llama", num_hidden_layers=8)


@pytest.fixture(scope="module")
def document(deep):
    return document_for(deep)


@pytest.fixture(scope="module")
def swept(deep, document, tmp_path_factory):
    folder = tmp_path_factory.mktemp("sweep") / "out"
    return sweep(deep, make_facts(), selection=document, folder=folder, algorithm="simnpo", **HOW)


def test_there_is_a_cell_for_the_selection_and_each_control(swept, document):
    kinds = [control["kind"] for control in document["controls"]]
    assert swept.cells[0] == "selection"
    assert len(swept.cells) == 1 + len(kinds)
    assert {"random-1", "random-2", "random-3", "shallow", "deep", "all-layers"} <= set(swept.cells)


def test_each_cell_moves_its_own_blocks_only(swept, deep, document):
    wanted = {c["kind"].replace("_", "-"): c["layers"] for c in document["controls"]}
    for cell in swept.record["cells"]:
        before = fingerprint(deep)
        after = fingerprint(apply_delta(deep, swept.folder / cell["folder"]))
        moved = {name for name in before if before[name] != after[name]}
        assert {int(name.split(".")[2]) for name in moved} <= set(cell["blocks"])
        assert all(name.endswith("mlp.down_proj.weight") for name in moved)
        assert len(moved) == cell["n_tensors"] == len(cell["blocks"])
        if cell["kind"] in {"all_layers", "paper_default"}:
            assert cell["blocks"] == wanted[cell["cell"]]


def test_a_control_moves_as_many_blocks_as_the_selection(swept, document):
    blocks = {cell["cell"]: cell["blocks"] for cell in swept.record["cells"]}
    region, size = document["selection"]["region"], len(blocks["selection"])
    assert size < len(region), "the block that RMU reads is not the last of the region here"
    assert blocks["shallow"] == list(range(size))
    assert blocks["deep"] == list(range(8 - size, 8))
    for number in (1, 2, 3):
        assert len(blocks[f"random-{number}"]) == size
        wanted = [c["layers"] for c in document["controls"] if c["kind"] == "random_same_size"]
        assert set(blocks[f"random-{number}"]) <= set(wanted[number - 1])


def test_the_nearest_neighbours_are_taken_and_lots_are_fair():
    assert same_size((2, 3, 8, 9), "neighbours", (4, 5), stream=0) == (3, 8)
    assert same_size((1, 4), "random_same_size", (4, 5), stream=0) == (1, 4)
    lots = [same_size((0, 2, 4, 6), "random_same_size", (4, 5), stream=n) for n in range(600)]
    counts = [sum(block in lot for lot in lots) for block in (0, 2, 4, 6)]
    assert all(abs(count - 300) < 60 for count in counts)


def test_the_table_has_every_part_and_language_with_intervals(swept):
    rows = swept.rows()
    assert len(rows) == (1 + len(swept.cells)) * 2 * 3
    assert all(row["low"] <= row["accuracy"] <= row["high"] for row in rows)
    assert {row["language"] for row in rows if row["source"]} == {"en"}
    saved = json.loads((swept.folder / "sweep.json").read_text(encoding="utf-8"))
    assert saved == swept.record


def test_rmu_reads_the_deepest_block_of_a_control(deep, document, tmp_path):
    done = sweep(
        deep,
        make_facts(),
        selection=document,
        folder=tmp_path / "out",
        cells=["selection", "deep", "shallow"],
        **HOW,
    )
    read = {cell["cell"]: cell["read_layer"] for cell in done.record["cells"]}
    blocks = {cell["cell"]: cell["blocks"] for cell in done.record["cells"]}
    assert read["selection"] == document["selection"]["read_layer"]
    assert read["deep"] == 7
    assert read["shallow"] == blocks["shallow"][-1]


def test_a_stopped_sweep_makes_only_the_cells_that_lack(deep, document, swept, tmp_path):
    how = {"selection": document, "algorithm": "simnpo", **HOW}

    class Third(Stopper):
        cells = 0

        def say(self, message):
            self.cells += message.startswith("cell ")

        def step(self, done, note):
            if self.cells == 3:
                raise KeyboardInterrupt

    with pytest.raises(InterruptedRun):
        sweep(deep, make_facts(), folder=tmp_path / "out", progress=Third(0), **how)
    first = tmp_path / "out" / "selection" / "delta.safetensors"
    stamp = first.stat().st_mtime_ns
    again = sweep(deep, make_facts(), folder=tmp_path / "out", **how)
    assert first.stat().st_mtime_ns == stamp
    assert again.record == swept.record


def test_an_unknown_cell_is_refused(deep, document, tmp_path):
    with pytest.raises(InputError, match="cells must be among selection, random-1"):
        sweep(deep, make_facts(), selection=document, folder=tmp_path, cells=["nowhere"], **HOW)


def test_tables_show_every_cell_and_language(swept):
    from io import StringIO

    from rich.console import Console

    out = Console(file=StringIO(), width=200)
    for part in sweep_as_table(swept):
        out.print(part)
    text = out.file.getvalue()
    assert all(name in text for name in (*swept.cells, "base", "de*", "sw*"))
    assert erasure_as_table.__doc__
