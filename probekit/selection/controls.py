"""Sets of blocks that a selection must beat: localisation is contested, so they travel along.

A handful of small random draws.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from probekit.selection.blocks import Blocks

Kind = Literal["random_same_size", "shallow", "deep", "neighbours", "all_layers", "paper_default"]

N_RANDOM = 3
RMU_LAYERS: Blocks = (5, 6, 7)
RMU_NOTE = "RMU's default (arXiv 2403.03218): update blocks 5-7, read block 7, at any depth"


@dataclass(frozen=True)
class Control:
    """Blocks to update instead of the region, and where they come from."""

    kind: Kind
    layers: Blocks
    seed: int | None = None
    note: str | None = None


def make_controls(
    region: Blocks, *, n_blocks: int, seed: int
) -> tuple[tuple[Control, ...], list[str]]:
    """Draw controls of the region's size, add all blocks and RMU's default; warn of missing ones.

    Without a region only the two that need no size remain. A control is left out when it equals
    the region or does not fit the model; random ones also differ from each other.

    Parameters
    ----------
    region : tuple of int
        Chosen blocks, possibly none.
    n_blocks, seed : int
        Depth of the model; seed of the first random control (the next use seed + 1, …).

    Returns
    -------
    tuple of Control, list of str
        Controls, and one warning per control left out.
    """
    everything = tuple(range(n_blocks))
    wanted = [
        Control("all_layers", everything),
        Control("paper_default", RMU_LAYERS, note=RMU_NOTE),
    ]
    if not region:
        return _fitting(wanted, region=region, n_blocks=n_blocks)
    size = len(region)
    wanted = [
        Control("shallow", everything[:size]),
        Control("deep", everything[-size:]),
        Control("neighbours", _neighbours(region, n_blocks)),
        *wanted,
    ]
    random = _random_sets(region, n_blocks=n_blocks, seed=seed)
    kept, notes = _fitting(wanted, region=region, n_blocks=n_blocks)
    if len(random) < N_RANDOM:
        notes.append(
            f"{len(random)} of {N_RANDOM} random controls: {n_blocks} blocks hold no other sets "
            f"of {size}"
        )
    return (*random, *kept), notes


def _random_sets(region: Blocks, *, n_blocks: int, seed: int) -> list[Control]:
    available = math.comb(n_blocks, len(region)) - 1
    seen, controls = {region}, []
    for offset in range(min(N_RANDOM, available)):
        rng = np.random.default_rng(seed + offset)
        drawn = region
        while drawn in seen:
            picked = rng.choice(n_blocks, size=len(region), replace=False)
            drawn = tuple(sorted(picked.tolist()))
        seen.add(drawn)
        controls.append(Control("random_same_size", drawn, seed=seed + offset))
    return controls


def _neighbours(region: Blocks, n_blocks: int) -> Blocks:
    """As many blocks outside the region as it has, nearest first; fewer when they run out."""
    outside = [block for block in range(n_blocks) if block not in region]
    nearest = sorted(outside, key=lambda block: min(abs(block - member) for member in region))
    return tuple(sorted(nearest[: len(region)]))


def _fitting(
    wanted: list[Control], *, region: Blocks, n_blocks: int
) -> tuple[tuple[Control, ...], list[str]]:
    kept, notes = [], []
    for control in wanted:
        if control.layers == region:
            notes.append(f"control {control.kind} is left out: it equals the region")
        elif control.layers and control.layers[-1] >= n_blocks:
            notes.append(
                f"control {control.kind} is left out: block {control.layers[-1]} is beyond the "
                f"last of {n_blocks} blocks"
            )
        elif control.kind == "neighbours" and len(control.layers) < len(region):
            notes.append(
                f"control neighbours is left out: only {len(control.layers)} blocks lie outside "
                f"the region of {len(region)}"
            )
        else:
            kept.append(control)
    return tuple(kept), notes
