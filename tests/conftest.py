"""Shared by all tests: no network, one thread, and one tiny study that many tests look at."""

from __future__ import annotations

import os

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TRANSFORMERS_OFFLINE"] = "1"
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ["OMP_NUM_THREADS"] = "1"

import shutil
from typing import TYPE_CHECKING

import pytest

from tests.texts import parallel

if TYPE_CHECKING:
    from pathlib import Path

    from probekit import ParallelCorpus, Run, Study


@pytest.fixture(scope="session")
def corpus() -> ParallelCorpus:
    """Twelve units in English, German and Swahili."""
    return parallel(12)


@pytest.fixture(scope="session")
def corpus_file(corpus: ParallelCorpus, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return corpus.to_jsonl(tmp_path_factory.mktemp("corpus") / "units.jsonl")


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A saved random Llama of four blocks."""
    from tests.tiny import save_tiny

    return save_tiny("llama", tmp_path_factory.mktemp("model") / "llama", num_hidden_layers=4)


@pytest.fixture(scope="session")
def study(model_folder: Path, corpus_file: Path) -> Study:
    """Three shards of a few batches each."""
    from probekit import Study

    return Study(
        model=str(model_folder),
        corpus=str(corpus_file),
        units_per_shard=4,
        token_budget=96,
        analyses=("cka", "regions", "alignment"),
        bootstrap=40,
        permutations=40,
    )


@pytest.fixture(scope="session")
def finished_run(study: Study, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The study's run. Look, do not touch: ``run_copy`` is for that."""
    return study.run(tmp_path_factory.mktemp("runs") / "finished")


@pytest.fixture(scope="session")
def full_run(study: Study, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The same study with every instrument."""
    every = study.model_copy(update={"analyses": None})
    return every.run(tmp_path_factory.mktemp("runs") / "full")


@pytest.fixture
def run_copy(finished_run: Run, tmp_path: Path) -> Path:
    """Folder of a run that a test may damage."""
    return shutil.copytree(finished_run.folder, tmp_path / "copy")
