"""From text to selection: a planted region is found exactly, and noise has none."""

from __future__ import annotations

import json
import sys

import pytest

from probekit import Study, cli
from probekit.measures.planted import planted_pooled, pure_noise
from tests.studies.planted import plant
from tests.texts import parallel
from tests.tiny import D_MODEL, save_tiny

LANGUAGES = ("en", "de", "sw", "fi")
N_BLOCKS, N_UNITS = 12, 60
REGION = range(5, 10)
ROWS = {layer + 1 for layer in REGION}
SHAPE = (N_BLOCKS + 1, len(LANGUAGES), N_UNITS)


@pytest.fixture(scope="module")
def planted_corpus():
    return parallel(N_UNITS, LANGUAGES, most_words=3)


@pytest.fixture(scope="module")
def planted_study(planted_corpus, tmp_path_factory):
    folder = tmp_path_factory.mktemp("planted")
    save_tiny("llama", folder / "model", num_hidden_layers=N_BLOCKS)
    planted_corpus.to_jsonl(folder / "units.jsonl")
    return Study(
        model=str(folder / "model"),
        corpus=str(folder / "units.jsonl"),
        bootstrap=200,
        permutations=100,
        analyses=("cka", "regions", "alignment"),  # the planted backend has no neurons
    )


@pytest.mark.parametrize("seed", [0, 1])
def test_a_shared_space_in_blocks_5_to_9_is_found_exactly(
    planted_study, planted_corpus, monkeypatch, tmp_path, seed
):
    vectors = planted_pooled(*SHAPE, d=D_MODEL, shared_layers=ROWS, seed=seed)
    plant(monkeypatch, planted_corpus, vectors)
    run = planted_study.run(tmp_path / "run")
    assert run.pooled["vectors"].to_numpy() == pytest.approx(vectors, rel=1e-5, abs=1e-5)
    assert tuple(run.select().region) == tuple(REGION)
    assert run.select().read_layer in REGION


def test_pure_noise_has_no_region_and_select_exits_1(
    planted_study, planted_corpus, monkeypatch, tmp_path, capsys
):
    plant(monkeypatch, planted_corpus, pure_noise(*SHAPE, d=D_MODEL, seed=3))
    run = planted_study.run(tmp_path / "run")
    assert run.select().status == "no_signal"
    monkeypatch.setattr(sys, "argv", ["probekit", "select", str(run.folder)])
    with pytest.raises(SystemExit) as left:
        cli.main()
    assert left.value.code == 1
    out, err = capsys.readouterr()
    assert json.loads(out)["selection"]["status"] == "no_signal"
    assert err.strip()
