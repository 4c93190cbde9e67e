"""A run of any size for the workbench's benchmark, stretched from the example run.

Every array keeps its meaning and its values; layers are repeated along the depth, languages and
units in turn. Such a run says nothing about any model: it weighs what a real one would weigh.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from probekit.runs import Run, open_run, write_results
from probekit.runs.manifest import NAME, hash_files
from probekit.sites import depth

if TYPE_CHECKING:
    from pathlib import Path

    import xarray as xr

#: Dimensions that are languages.
LANGUAGES = ("language", "language_b")


def stretch(run: Run, folder: Path, *, blocks: int, languages: int) -> Run:
    """Write a run of so many blocks and languages, made from another one's numbers."""
    codes = _codes(run, languages)
    groups = {
        str(name): _stretched(run, run.group(str(name)), blocks=blocks, codes=codes)
        for name in run.results.children
    }
    folder.mkdir(parents=True)
    write_results(folder, groups)
    (folder / "study.yaml").write_bytes((run.folder / "study.yaml").read_bytes())
    corpus: dict[str, Any] = {
        **run.manifest.corpus,
        "languages": list(codes),
        "names": {code: f"Language {code}" for code in codes},
    }
    manifest = replace(
        run.manifest,
        model={**run.manifest.model, "n_blocks": blocks, "id": "stretched"},
        corpus=corpus,
        files=hash_files(folder),
    )
    (folder / NAME).write_text(manifest.to_json(), encoding="utf-8")
    return open_run(folder)


def _codes(run: Run, languages: int) -> tuple[str, ...]:
    """The run's own codes, then private-use ones: ``en-x-1``."""
    own = run.languages
    return tuple(
        own[i] if i < len(own) else f"{own[i % len(own)]}-x-{i // len(own)}"
        for i in range(languages)
    )


def _stretched(run: Run, group: xr.Dataset, *, blocks: int, codes: tuple[str, ...]) -> xr.Dataset:
    taken: dict[str, Any] = {}
    if "layer" in group.dims:
        own = group["layer"].to_numpy()
        first = int(own[0])
        wanted = np.arange(first, blocks)
        taken["layer"] = np.rint(np.linspace(0, len(own) - 1, len(wanted))).astype(int)
        if "layer_b" in group.dims:
            taken["layer_b"] = taken["layer"]
    for name in LANGUAGES:
        if name in group.dims:
            taken[name] = np.arange(len(codes)) % len(run.languages)
    big = group.load().isel(taken)
    if "layer" in taken:
        big = big.assign_coords({axis: wanted for axis in ("layer", "layer_b") if axis in taken})
        if "depth" in big.coords:
            big = big.assign_coords(depth=("layer", [depth(int(i), blocks) for i in wanted]))
    for name in LANGUAGES:
        if name in taken:
            big = big.assign_coords({name: _labels(codes, group[name].dtype)})
    return big.drop_encoding()


def _labels(codes: tuple[str, ...], dtype: np.dtype[Any]) -> np.ndarray:
    """As the run keeps its labels; texts of a fixed width get the width that these need."""
    return np.array(codes) if dtype.kind == "U" else np.array(codes, dtype=dtype)
