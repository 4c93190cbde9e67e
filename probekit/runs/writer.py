"""Writes ``results.zarr``: groups of named, labelled arrays that xarray opens without probekit.

The store is made beside its place and renamed when whole. Its bytes depend on the results alone,
so equal runs are equal files. Large arrays are written layer by layer, never held whole.
"""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

from probekit.sites import LAYER

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    import numpy as np
    import xarray as xr

    LayerPart = tuple[xr.Dataset, str, Callable[[int], np.ndarray]]

RESULTS = "results.zarr"


def write_results(
    folder: Path,
    groups: Mapping[str, xr.Dataset],
    *,
    by_layer: Mapping[str, LayerPart] | None = None,
    compressor: Any = None,
) -> None:
    """Write groups, whole or not at all.

    Parameters
    ----------
    folder
        The run's folder, which exists.
    groups
        Group name → dataset.
    by_layer
        Group name → part too large to hold: (coordinates, with the axes after ``layer`` in the
        attribute ``axes``; the variable's name; a function from a layer's row to its array).
    compressor
        A numcodecs codec for the groups' numbers; zarr's default when not given.
    """
    import xarray as xr

    scratch = folder / f".{RESULTS}.partial"
    shutil.rmtree(scratch, ignore_errors=True)
    tree = xr.DataTree.from_dict({f"/{name}": dataset for name, dataset in groups.items()})
    options: dict[str, Any] = {"zarr_format": 2, "consolidated": False}
    tree.to_zarr(scratch, mode="w", encoding=_whole_chunks(groups, compressor), **options)
    for name, part in (by_layer or {}).items():
        _write_by_layer(scratch, name, part)
    import zarr

    zarr.consolidate_metadata(str(scratch), zarr_format=2)
    shutil.rmtree(folder / RESULTS, ignore_errors=True)
    scratch.rename(folder / RESULTS)


def _whole_chunks(
    groups: Mapping[str, xr.Dataset], compressor: Any
) -> dict[str, dict[str, dict[str, Any]]]:
    """One chunk an array: the arrays are small and are read whole."""

    def written(array: xr.Variable) -> dict[str, Any]:
        chunks = {"chunks": tuple(max(1, n) for n in array.shape)}
        number = compressor is not None and array.dtype.kind in "fiu"
        return chunks | ({"compressors": compressor} if number else {})

    return {
        f"/{name}": {
            str(key): written(array) for key, array in dataset.variables.items() if array.ndim
        }
        for name, dataset in groups.items()
    }


def _write_by_layer(scratch: Path, name: str, part: LayerPart) -> None:
    import zarr

    shell, variable, read = part
    shell.to_zarr(scratch, group=name, mode="w", zarr_format=2, consolidated=False)
    first = read(0)
    n_layers = shell.sizes[LAYER]
    array = zarr.open_group(str(scratch), mode="r+", path=name, zarr_format=2).create_array(
        variable,
        shape=(n_layers, *first.shape),
        chunks=(1, 1, *first.shape[1:]),
        dtype=first.dtype,
        fill_value=float("nan"),  # xarray reads the fill value as missing: 0 is a value here
        attributes={"_ARRAY_DIMENSIONS": [LAYER, *shell.attrs["axes"].split()]},
    )
    for row in range(n_layers):
        array[row] = first if row == 0 else read(row)
