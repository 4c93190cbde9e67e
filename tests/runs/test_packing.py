"""Packing: small, whole, told in the manifest; an unpacked run is a run and stays in its folder."""

from __future__ import annotations

import shutil
import zipfile

import numpy as np
import pytest

from probekit import open_run
from probekit.errors import RunError
from probekit.runs import pack, unpack
from probekit.runs.packing import LARGE, MANTISSA_BITS, _rounded


@pytest.fixture(scope="module")
def packed(full_run, tmp_path_factory):
    return pack(full_run, tmp_path_factory.mktemp("packed") / "run.zip")


def test_an_unpacked_run_has_every_group_but_the_vectors(full_run, packed, tmp_path):
    run = unpack(packed, tmp_path / "run")
    assert set(full_run.results.children) - set(run.results.children) == {"pooled"}
    assert run.analyses == full_run.analyses
    assert run.manifest.estimators["packed"]["left_out"] == ["pooled"]
    assert open_run(tmp_path / "run").manifest == run.manifest


def test_every_number_is_kept_to_its_stated_precision(full_run, packed, tmp_path):
    run = unpack(packed, tmp_path / "run")
    for name in run.results.children:
        before, after = full_run.group(name), run.group(name)
        assert list(before.variables) == list(after.variables)
        assert before.attrs == after.attrs
        for key, array in before.variables.items():
            kept = after[key].to_numpy()
            if array.dtype.kind == "f":
                within = 2.0**-MANTISSA_BITS if array.size >= LARGE else 1e-6
                np.testing.assert_allclose(kept, array.to_numpy(), rtol=within, err_msg=key)
            else:
                np.testing.assert_array_equal(kept, array.to_numpy())


def test_the_vectors_are_kept_when_asked(full_run, tmp_path):
    run = unpack(pack(full_run, tmp_path / "whole.zip", pooled=True), tmp_path / "run")
    np.testing.assert_allclose(
        run.pooled["vectors"], full_run.pooled["vectors"], rtol=2.0**-MANTISSA_BITS
    )
    assert run.manifest.estimators["packed"]["left_out"] == []


def test_rounding_is_to_the_nearest_and_leaves_what_is_not_finite():
    values = np.float32([1, 1 + 2**-11, 1 + 3 * 2**-11, -1 - 2**-9, 0, np.inf, -np.inf, 3e38])
    expected = np.float32([1, 1, 1 + 2**-9, -1 - 2**-9, 0, np.inf, -np.inf, 3e38])
    np.testing.assert_allclose(_rounded(values), expected, rtol=2**-12)
    drawn = np.random.default_rng(3).normal(size=5000).astype(np.float32)
    assert np.abs(_rounded(drawn) / drawn - 1).max() <= 2.0**-MANTISSA_BITS
    assert np.isnan(_rounded(np.float32([np.nan]))).all()


def test_the_same_run_makes_the_same_bytes(full_run, packed, tmp_path):
    again = pack(full_run, tmp_path / "again.zip")
    assert again.read_bytes() == packed.read_bytes()


def test_neither_way_overwrites(full_run, packed, tmp_path):
    with pytest.raises(RunError, match="must be a new file"):
        pack(full_run, packed)
    (tmp_path / "there").mkdir()
    with pytest.raises(RunError, match="must be new"):
        unpack(packed, tmp_path / "there")


@pytest.mark.parametrize("name", ["../escape", "/etc/escape", "results.zarr/../../escape", "x.py"])
def test_an_archive_cannot_write_elsewhere(packed, tmp_path, name):
    evil = tmp_path / "evil.zip"
    shutil.copy(packed, evil)
    with zipfile.ZipFile(evil, "a") as archive:
        archive.writestr(name, "x")
    with pytest.raises(RunError, match="it holds"):
        unpack(evil, tmp_path / "deep" / "run")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["deep", "evil.zip"]
    assert list((tmp_path / "deep").iterdir()) == []


def test_what_is_no_archive_or_altered_is_refused_and_leaves_nothing(packed, tmp_path):
    with pytest.raises(RunError, match="probekit pack"):
        unpack(tmp_path / "none.zip", tmp_path / "run")
    (tmp_path / "text.zip").write_text("no")
    with pytest.raises(RunError, match="probekit pack"):
        unpack(tmp_path / "text.zip", tmp_path / "run")
    with zipfile.ZipFile(packed) as source, zipfile.ZipFile(tmp_path / "bad.zip", "w") as target:
        for entry in source.infolist():
            content = source.read(entry)
            if entry.filename == "results.zarr/cka/mean/0":
                content = content[:-1] + bytes([content[-1] ^ 1])
            target.writestr(entry, content)
    with pytest.raises(RunError, match="was altered"):
        unpack(tmp_path / "bad.zip", tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_saved_ablation_goes_with_the_run_and_may_be_saved_anew(full_run, tmp_path):
    folder = shutil.copytree(full_run.folder, tmp_path / "ablated")
    (folder / "ablation.json").write_text('{"of": "this run"}', encoding="utf-8")
    run = unpack(pack(open_run(folder), tmp_path / "ablated.zip"), tmp_path / "run")
    kept = run.folder / "ablation.json"
    assert kept.read_bytes() == (folder / "ablation.json").read_bytes()
    kept.write_text("{}", encoding="utf-8")
    assert open_run(run.folder).manifest == run.manifest
