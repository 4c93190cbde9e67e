"""Results are there whole or not at all, and equal results are equal bytes."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from probekit.runs import write_results


def groups():
    values = np.arange(6.0).reshape(3, 2)
    coords = {"layer": [-1, 0, 1], "language": np.array(["en", "sw"], dtype=object)}
    return {"cka": xr.Dataset({"mean": (("layer", "language"), values)}, coords=coords)}


def by_layer(read):
    shell = xr.Dataset(coords={"layer": [-1, 0, 1]})
    shell.attrs["axes"] = "language unit"
    return {"pooled": (shell, "vectors", read)}


def layer(row):
    return np.full((2, 4), float(row), dtype=np.float32)


def opened(folder):
    return xr.open_datatree(folder / "results.zarr", engine="zarr").load()


def bytes_of(folder):
    return {p.relative_to(folder): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_what_was_written_is_read(tmp_path):
    write_results(tmp_path, groups(), by_layer=by_layer(layer))
    tree = opened(tmp_path)
    xr.testing.assert_identical(tree["cka"].to_dataset(), groups()["cka"])
    vectors = tree["pooled"]["vectors"]
    assert vectors.dims == ("layer", "language", "unit")
    assert np.array_equal(vectors, np.stack([layer(row) for row in range(3)]))
    assert vectors.dtype == np.float32


def test_equal_results_are_equal_bytes(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        write_results(tmp_path / name, groups(), by_layer=by_layer(layer))
    assert bytes_of(tmp_path / "a") == bytes_of(tmp_path / "b")


def test_a_crash_leaves_no_results_and_the_next_attempt_is_clean(tmp_path):
    def crash(row):
        if row == 2:
            raise ZeroDivisionError
        return layer(row)

    with pytest.raises(ZeroDivisionError):
        write_results(tmp_path, groups(), by_layer=by_layer(crash))
    assert not (tmp_path / "results.zarr").exists()
    write_results(tmp_path, groups())
    assert set(opened(tmp_path).children) == {"cka"}
    assert [path.name for path in tmp_path.iterdir()] == ["results.zarr"]
