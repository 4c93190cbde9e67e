"""Runs made of arrays alone: no model, no file, for comparisons with a known answer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from probekit.runs import Manifest, Run

LANGUAGES = ("en", "de", "sw")


def planted_run(
    name: str,
    groups: dict[str, dict[str, Any]],
    *,
    n_blocks: int = 4,
    languages: tuple[str, ...] = LANGUAGES,
    **about: Any,
) -> Run:
    """A run whose groups hold these variables: arrays, or (dimensions, array).

    ``about`` may say ``text`` (what the corpus hash stands for), ``seed``, ``weights``, ``units``.
    """
    manifest = Manifest(
        fingerprint="0",
        created="2026",
        model={"id": name, "n_blocks": n_blocks, "state_sha256": about.get("weights", "w")},
        corpus={
            "sha256": about.get("text", "t"),
            "name": "made-up",
            "languages": list(languages),
            "n_units": about.get("units", 20),
        },
        tokens={},
        passed={},
        estimators={"seed": about.get("seed", 0), "bootstrap": 50, "pooling": "mean"},
        seconds={},
        versions={},
    )
    run = Run(Path(name), manifest)
    tree = {key: _dataset(key, found, n_blocks, languages) for key, found in groups.items()}
    run.__dict__["results"] = xr.DataTree.from_dict(tree)
    return run


def _dataset(
    analysis: str, variables: dict[str, Any], n_blocks: int, languages: tuple[str, ...]
) -> xr.Dataset:
    shaped = {
        name: value if isinstance(value, tuple) else (("layer",), np.asarray(value, dtype=float))
        for name, value in variables.items()
    }
    found = xr.Dataset(shaped, attrs={"analysis": analysis})
    n_layers = found.sizes["layer"]
    codes = np.array(languages, dtype=object)
    coordinates = {"layer": np.arange(n_blocks - n_layers, n_blocks)}
    for axis in ("language", "language_b"):
        if axis in found.sizes:
            coordinates[axis] = codes
    return found.assign_coords(coordinates)


def band(value: Any, down: Any = 0.1, up: Any = None, *, name: str = "mean") -> dict[str, Any]:
    """A variable by layer with its interval."""
    value = np.asarray(value, dtype=float)
    up = down if up is None else up
    return {name: value, f"{name}_low": value - down, f"{name}_high": value + up}


def table(value: Any, half: float = 0.1, *, name: str = "score") -> dict[str, Any]:
    """A variable by layer and language with its interval."""
    value = np.asarray(value, dtype=float)
    axes = ("layer", "language")
    ends = {"": value, "_low": value - half, "_high": value + half}
    return {f"{name}{end}": (axes, found) for end, found in ends.items()}
