"""Nearest neighbours across languages: P@1, CSLS and MEXA hits, and mutual neighbours.

One product of ``n² d`` a pair gives P@1, CSLS and MEXA both ways; mutual neighbours need one a
language. Beyond 2,000 units a pair's cosines are made in blocks of 32 MB, twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from probekit.errors import InputError
from probekit.measures.checks import FloatArray

_CELLS = 1 << 22  # similarities held at once: 32 MB
_TIE = 1e-12  # closer than float64 can order: a tie

_Blocks = Callable[[], Iterator[tuple[slice, FloatArray]]]


class Retrieval(NamedTuple):
    """Hits (1) and misses (0) at ``[a, b, i]``, arrays (n_languages, n_languages, n_units).

    Attributes
    ----------
    p_at_1
        Unit i of b is strictly nearest to unit i of a among all units of b.
    csls
        The same after hubs are made up for.
    mexa
        The cosine of the pair is the largest of its row and of its column. Symmetric.
    """

    p_at_1: FloatArray
    csls: FloatArray
    mexa: FloatArray


def neighbourhood(n_units: int, k: int) -> int:
    """``k``, lowered to a quarter of the other units (at least 1): chance stays at most 1/4.

    Raises
    ------
    InputError
        ``k < 1``.
    """
    if k < 1:
        msg = f"k must be at least 1. Got {k} instead."
        raise InputError(msg)
    return min(k, max(1, (n_units - 1) // 4))


def retrieval(unit: FloatArray, *, k: int) -> Retrieval:
    """Whether translations find each other, in every ordered pair of languages.

    CSLS (Conneau et al. 2018) ranks by ``2 cos(x, y) − r(x) − r(y)``, r the mean cosine to the k
    nearest of the other language. MEXA (Kargaran et al. 2024, arXiv 2410.05873) wants
    ``cos(x_i, y_i) > max_{j≠i} cos(x_i, y_j), cos(x_j, y_i)``. A tie is a miss.

    Parameters
    ----------
    unit : array of shape (n_languages, n_units, d)
        Vectors of length 1.
    k : int
        Neighbours that make a vector a hub, from 1 to n_units.
    """
    n_languages, n, _ = unit.shape
    p_at_1, csls = np.empty((2, n_languages, n_languages, n))
    for a in range(n_languages):
        for b in range(a, n_languages):
            plain, corrected = _pair_hits(unit[a], unit[b], k=k)
            p_at_1[a, b], p_at_1[b, a] = plain
            csls[a, b], csls[b, a] = corrected
    return Retrieval(p_at_1, csls, p_at_1 * p_at_1.transpose(1, 0, 2))


def mutual_neighbours(unit: FloatArray, *, k: int) -> FloatArray:
    """Share of each unit's k nearest units that is the same in two languages.

    Neighbours are sought *within* each language, so no common space is needed (mutual k-nearest
    neighbours, Huh et al. 2024, arXiv 2405.07987). A unit that ties with one beyond the k-th is no
    neighbour. Chance is ``k / (n_units − 1)``.

    Parameters
    ----------
    unit : array of shape (n_languages, n_units, d)
        Vectors of length 1.
    k : int
        From 1 to n_units − 1.

    Returns
    -------
    array of shape (n_languages, n_languages, n_units)
        In [0, 1], symmetric; without ties 1 where both languages are the same.
    """
    n_languages, n, _ = unit.shape
    shared = np.empty((n_languages, n_languages, n))
    step = max(1, _CELLS // (n_languages * n))
    for start in range(0, n, step):
        rows = np.arange(start, min(start + step, n))
        near = np.stack([_nearest(x, rows, k=k) for x in unit])
        by_unit = near.transpose(1, 0, 2)
        shared[:, :, rows] = (by_unit @ by_unit.transpose(0, 2, 1)).transpose(1, 2, 0)
    shared /= k
    return shared


def _nearest(x: FloatArray, rows: np.ndarray, *, k: int) -> FloatArray:
    """1 for each of the k nearest other units, one line for each of `rows`."""
    cosines = x[rows] @ x.T
    cosines[np.arange(len(rows)), rows] = -np.inf
    # the first that is left out; with every other unit in, that is the unit itself
    bar = np.partition(cosines, -(k + 1), axis=1)[:, -(k + 1), None]
    near: FloatArray = (cosines > bar + _TIE).astype(np.float64)
    return near


def _pair_hits(
    x: FloatArray, y: FloatArray, *, k: int
) -> tuple[tuple[FloatArray, FloatArray], tuple[FloatArray, FloatArray]]:
    """P@1 and CSLS hits, each from x to y and from y to x."""
    blocks = _blocks(x, y)
    hub_x, hub_y = _hubness(blocks, len(x), k=k)
    own = np.einsum("nd,nd->n", x, y)
    best = np.full((4, len(x)), -np.inf)
    for rows, cosines in blocks():
        at = np.arange(rows.start, rows.stop)
        cosines[at - rows.start, at] = -np.inf  # the last use of this block
        best[0, rows] = cosines.max(axis=1)
        best[1] = np.maximum(best[1], cosines.max(axis=0))
        best[2, rows] = (2 * cosines - hub_y).max(axis=1)
        best[3] = np.maximum(best[3], (2 * cosines - hub_x[rows, None]).max(axis=0))
    rivals = (own, own, 2 * own - hub_y, 2 * own - hub_x)
    hits = [(mine > best[way] + _TIE).astype(np.float64) for way, mine in enumerate(rivals)]
    return (hits[0], hits[1]), (hits[2], hits[3])


def _blocks(x: FloatArray, y: FloatArray) -> _Blocks:
    """Cosines (rows, all) as often as asked: kept where one block is all, else made again."""
    n = len(x)
    step = max(1, _CELLS // n)
    kept = [(slice(0, n), x @ y.T)] if step >= n else None

    def blocks() -> Iterator[tuple[slice, FloatArray]]:
        if kept is not None:
            yield from kept
            return
        for start in range(0, n, step):
            rows = slice(start, min(start + step, n))
            yield rows, x[rows] @ y.T

    return blocks


def _hubness(blocks: _Blocks, n: int, *, k: int) -> tuple[FloatArray, FloatArray]:
    """Mean cosine of each vector of x, and of y, to its k nearest on the other side."""
    hub_x = np.empty(n)
    top_y = np.empty((0, n))
    for rows, cosines in blocks():
        hub_x[rows] = np.partition(cosines, -k, axis=1)[:, -k:].mean(axis=1)
        top_y = np.concatenate([top_y, cosines])
        top_y = np.partition(top_y, -min(k, len(top_y)), axis=0)[-k:]
    return hub_x, top_y.mean(axis=0)
