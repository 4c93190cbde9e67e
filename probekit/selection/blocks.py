"""Sets of blocks: consecutive runs, overlap, and how they are written; pure, O(n_blocks)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

import numpy as np

from probekit.selection.columns import FloatArray

Blocks = tuple[int, ...]


def runs_of(blocks: Iterable[int]) -> list[Blocks]:
    """Maximal runs of consecutive blocks, shallow first: {1, 2, 5} is [(1, 2), (5,)]."""
    runs: list[list[int]] = []
    for block in sorted(set(blocks)):
        if runs and block == runs[-1][-1] + 1:
            runs[-1].append(block)
        else:
            runs.append([block])
    return [tuple(run) for run in runs]


def longest_run(blocks: Iterable[int], weight: FloatArray) -> Blocks:
    """Longest run of consecutive blocks; ties go to the larger mean weight, then the shallower.

    Parameters
    ----------
    blocks : iterable of int
        The blocks to choose from; none gives the empty run.
    weight : array of shape (n_blocks,)
        Decides between runs of one length.
    """
    runs = runs_of(blocks)
    return max(
        runs, key=lambda run: (len(run), float(np.mean(weight[list(run)])), -run[0]), default=()
    )


def jaccard(a: Collection[int], b: Collection[int]) -> float:
    """Overlap |a ∩ b| / |a ∪ b| in [0, 1]; two empty sets agree: 1."""
    union = set(a) | set(b)
    return len(set(a) & set(b)) / len(union) if union else 1.0


def is_contiguous(blocks: Collection[int]) -> bool:
    """Whether the blocks form one run; the empty set does."""
    return len(runs_of(blocks)) <= 1


def describe(blocks: Sequence[int]) -> str:
    """Blocks as people write them: ``5–9``, ``3, 5–7``; ``none`` when empty."""
    spans = [
        str(run[0]) if len(run) == 1 else f"{run[0]}–{run[-1]}"  # a range of two reads 5–6
        for run in runs_of(blocks)
    ]
    return ", ".join(spans) or "none"
