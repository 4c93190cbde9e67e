"""Sums behind CKA: HSIC of all language pairs at once, plain, weighted and permuted.

Cost for L languages, n units, R resamples: ``L n² d`` for the Grams, ``L² n² R / 2`` for the
weighted form, ``L n² R / 2`` look-ups for the null. Grams are made in blocks of rows, so working
memory is a few times 64 MB whatever n is; only `permuted_hsic` keeps whole ones (8 L n² bytes, or,
where that passes 512 MB, one at a time and more slowly).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from probekit.measures.checks import AnyArray, FloatArray

_CELLS = 1 << 23  # float64 numbers held at once by a tile: 64 MB
_KEPT = 1 << 26  # Grams kept for the null: 512 MB, enough for 12 languages × 2048 units
_BLOCK = 1 << 16  # numbers gathered at once: few enough for a processor cache
_TILES = 8  # of a Gram; fewer waste work under its diagonal, more are slow to loop over
_ROUNDING = 1e-12  # centred data this small against the raw data is rounding, not spread


def centred(x: AnyArray) -> FloatArray:
    """Subtract each feature's mean over units (axis -2), in float64.

    HSIC does not change, but its sums no longer cancel. A constant array gives exact zeros rather
    than the rounding of its mean.
    """
    x = np.asarray(x, dtype=np.float64)
    mean = x.mean(axis=-2, keepdims=True)
    shifted: FloatArray = x - mean
    spread = np.einsum("...nd,...nd->...", shifted, shifted)
    offset = x.shape[-2] * np.einsum("...nd,...nd->...", mean, mean)
    shifted[spread <= _ROUNDING**2 * offset] = 0.0
    return shifted


def hsic_tables(x: AnyArray) -> tuple[FloatArray, FloatArray]:
    r"""Unbiased and biased HSIC of all language pairs.

    For centred rows, ``k_i = |x_i|²`` is the diagonal of K and ``-k_i`` the sum of the rest of
    its row, which turns the unbiased estimator of Song et al. (2012) into
    ``(<K,L> - n/(n-2) k·l + Σk Σl / ((n-1)(n-2))) / (n(n-3))``. The biased one is
    ``<HKH, HLH> / (n-1)²``.

    Parameters
    ----------
    x : array of shape (n_languages, n_units, d)
        n_units >= 4.

    Returns
    -------
    unbiased, biased : arrays of shape (n_languages, n_languages)
    """
    x = centred(x)
    n = x.shape[1]
    norms = np.einsum("lnd,lnd->ln", x, x)
    inner = _gram_products(x)
    totals = norms.sum(axis=1)
    return _unbiased(inner, norms @ norms.T, np.outer(totals, totals), n), inner / (n - 1) ** 2


def hsic_pair(x: AnyArray, y: AnyArray) -> tuple[float, float]:
    """Unbiased and biased HSIC of two matrices (n, d1) and (n, d2); see `hsic_tables`.

    The cheaper of ``|X'Y|²`` (features) and ``<XX', YY'>`` (units) is used.
    """
    x, y = centred(x), centred(y)
    n = len(x)
    k, m = (np.einsum("nd,nd->n", z, z) for z in (x, y))
    in_features = max(x.shape[1], y.shape[1]) < n
    inner = np.sum((x.T @ y) ** 2) if in_features else np.vdot(x @ x.T, y @ y.T)
    unbiased = _unbiased(np.asarray(inner), k @ m, k.sum() * m.sum(), n)
    return float(unbiased), float(inner / (n - 1) ** 2)


def weighted_hsic(x: AnyArray, weights: FloatArray) -> FloatArray:
    r"""Average the unbiased HSIC kernel over quadruples of distinct units, weighted by products.

    ``Σ w_i w_j w_q w_r (K_ij L_ij − 2 K_ij L_iq + K_ij L_qr) / Σ w_i w_j w_q w_r`` over distinct
    i, j, q, r. With w = 1 it is the unbiased HSIC; with bootstrap multiplicities a duplicated unit
    is never paired with itself. Because every quadruple carries one weight, it shares what the
    plain form has: shifting X changes nothing, HSIC(X, X) >= 0, and |CKA| <= 1 in each resample.

    Parameters
    ----------
    x : array of shape (n_languages, n_units, d)
        One layer.
    weights : array of shape (n_resamples, n_units)
        Multiplicities >= 0.

    Returns
    -------
    array of shape (n_resamples, n_languages, n_languages)
        Zero in a resample that has fewer than four distinct units.
    """
    x = centred(x)
    n_languages, n, _ = x.shape
    out = np.empty((len(weights), n_languages, n_languages))
    step = max(1, _CELLS // (4 * n_languages * n))
    for start in range(0, len(weights), step):
        out[start : start + step] = _weighted_block(x, weights[start : start + step])
    return out


def permuted_hsic(x: AnyArray, scale: FloatArray, permutations: NDArray[np.intp]) -> FloatArray:
    """Sum over a < b of ``scale_a scale_b HSIC(a, b)`` after every language is reordered.

    Language 0 keeps its order and every other language gets a permutation of its own, so all
    pairs are broken at once. With K̃ U-centred, the sum over pairs is half of
    ``|Σ_a scale_a K̃_a|²`` without the self terms, which no permutation changes: one gather per
    language and draw, no product per pair.

    Parameters
    ----------
    x : array of shape (n_languages, n_units, d)
        One layer.
    scale : array of shape (n_languages,)
        ``1 / sqrt(HSIC(a, a))`` turns the sum into a sum of CKA.
    permutations : array of shape (n_draws, n_units)
        Rows are dealt to the languages so that no two share one within a draw.

    Returns
    -------
    array of shape (n_draws,)
    """
    x = centred(x)
    n = x.shape[1]
    orders, offsets = _deal(permutations, len(x))
    grams = _UCentred(x, scale)
    own = sum(float(np.vdot(grams[a], grams[a])) for a in range(len(x)))
    squares = np.zeros(len(permutations))
    # one draw at a time stays in cache; where Grams are made again, many draws share each
    step = 1 if grams.kept else max(1, _CELLS // n**2)
    for start in range(0, len(permutations), step):
        draws = np.arange(start, min(start + step, len(permutations)))
        dealt = [orders[(draws + offset) % len(orders)] for offset in offsets]
        squares[draws] = _squared_sums(grams, dealt)
    sums: FloatArray = (squares - own) / (2 * n * (n - 3))
    return sums


class _UCentred:
    """U-centred, scaled Gram of one language; kept if all fit in memory, else made again."""

    def __init__(self, x: FloatArray, scale: FloatArray) -> None:
        self._x, self._scale = x, scale
        self.kept = len(x) * x.shape[1] ** 2 <= _KEPT
        self._grams = [self._make(a) for a in range(len(x))] if self.kept else []

    def __getitem__(self, language: int) -> FloatArray:
        return self._grams[language] if self.kept else self._make(language)

    def _make(self, language: int) -> FloatArray:
        x = self._x[language]
        n = len(x)
        gram: FloatArray = x @ x.T
        rows = -gram.diagonal() / (n - 2)  # centred rows sum to zero
        gram -= rows[:, None] + rows[None, :]
        gram += rows.sum() / (n - 1)
        np.fill_diagonal(gram, 0.0)
        gram *= self._scale[language]
        return gram


def _deal(
    permutations: NDArray[np.intp], n_languages: int
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Rows to draw from, and each later language's offset into them: draw r takes row r + offset.

    Offsets are scattered, so two draws seldom share the *relative* order of a pair. With fewer rows
    than languages, rotated copies are added: two languages on rotations of one row share no unit.
    """
    copies = -(-(n_languages - 1) // len(permutations))
    rows = np.concatenate([np.roll(permutations, shift, axis=1) for shift in range(copies)])
    offsets = np.random.default_rng(0).permutation(len(rows))[: n_languages - 1]
    return rows, offsets


def _squared_sums(grams: _UCentred, dealt: list[NDArray[np.intp]]) -> FloatArray:
    """``|Σ_a K̃_a|²`` per draw, language 0 in place and language a in the order ``dealt[a - 1]``.

    By blocks of rows, each from the diagonal on: what is right of its square counts twice.
    """
    n_draws, n = dealt[0].shape
    squares = np.zeros(n_draws)
    height = max(1, min(-(-n // 3), _BLOCK // n))
    totals = [np.tile(grams[0][k : k + height, k:], (n_draws, 1, 1)) for k in range(0, n, height)]
    for language, orders in enumerate(dealt, start=1):
        gram = grams[language]
        for total, first in zip(totals, range(0, n, height), strict=True):
            _add_permuted(total, gram, orders, first=first)
    for total in totals:
        square = total[:, :, : total.shape[1]]
        squares += 2 * np.einsum("rij,rij->r", total, total)
        squares -= np.einsum("rij,rij->r", square, square)
    return squares


def _add_permuted(
    total: FloatArray, gram: FloatArray, orders: NDArray[np.intp], *, first: int
) -> None:
    rows = np.empty((total.shape[1], len(gram)))
    block = np.empty(total.shape[1:])
    last = first + total.shape[1]
    for draw, order in enumerate(orders):
        # "clip" lets numpy write into `out` unbuffered
        gram.take(order[first:last], axis=0, out=rows, mode="clip")
        rows.take(order[first:], axis=1, out=block, mode="clip")
        total[draw] += block


def _unbiased(inner: FloatArray, diagonals: FloatArray, totals: FloatArray, n: int) -> FloatArray:
    return (inner - n / (n - 2) * diagonals + totals / ((n - 1) * (n - 2))) / (n * (n - 3))


def _gram_products(x: FloatArray) -> FloatArray:
    """Table of <K_a, K_b>, diagonal included, through the smaller of units and features."""
    n_languages, n, d = x.shape
    if d * (n_languages + 1) < n:
        flat = x.transpose(1, 0, 2).reshape(n, -1)
        squares = (flat.T @ flat) ** 2
        table: FloatArray = squares.reshape(n_languages, d, n_languages, d).sum(axis=(1, 3))
        return table
    table = np.zeros((n_languages, n_languages))
    for _, block in _gram_blocks(x):
        height = block.shape[1]
        everything = block.reshape(n_languages, -1)
        square = block[:, :, :height].reshape(n_languages, -1)
        # entries right of the diagonal square stand for themselves and their mirror image
        table += 2 * (everything @ everything.T) - square @ square.T
    return table


def _gram_blocks(x: FloatArray) -> Iterator[tuple[int, FloatArray]]:
    """Rows of all Grams from the diagonal on: (first row, block (n_languages, n_rows, n - first)).

    Tall blocks: the product of a few rows with all others is several times slower per number.
    """
    n = x.shape[1]
    step = max(1, _CELLS // (2 * len(x) * n))
    for start in range(0, n, step):
        yield start, x[:, start : start + step] @ x[:, start:].transpose(0, 2, 1)


def _gram_tiles(x: FloatArray, *, others: int) -> Iterator[tuple[slice, slice, FloatArray]]:
    """Cut all Grams into low tiles of their strict upper triangle, zeros below.

    Yields (rows, columns, tile of shape (n_languages, n_rows, n_columns)). `others` counts the
    arrays of a tile's size that the caller makes, so that all fit the memory budget together.
    """
    n = x.shape[1]
    step = max(1, min(-(-n // _TILES), _CELLS // (n * (len(x) + others))))
    for first, block in _gram_blocks(x):
        for start in range(0, block.shape[1], step):
            tile = block[:, start : start + step, start:].copy()
            height = tile.shape[1]
            tile[:, :, :height] *= np.triu(np.ones((height, height)), 1)
            yield slice(first + start, first + start + height), slice(first + start, n), tile


def _weighted_block(x: FloatArray, w: FloatArray) -> FloatArray:
    """`weighted_hsic` for as many resamples as fit in memory.

    Written out with H = K∘L, r = K w, r₂ = K w², p_k = Σ w^k, the sum over distinct quadruples is
    ``Σ_ij H_ij v_ij − 2 Σ_i w_i (p₁ + w_i) r_i r'_i + 2 Σ_i w_i (r₂_i r'_i + r_i r₂'_i) + s s'``,
    v_ij = (p₁²−p₂) w_i w_j − p₁ (w_i² w_j + w_i w_j²) + 2 w_i² w_j²: one matrix product per tile
    for all pairs and all resamples.
    """
    n_languages = len(x)
    first, second = np.triu_indices(n_languages)
    powers = np.stack([w, w * w])
    p1, p2, p3, p4 = ((w**k).sum(axis=1) for k in (1, 2, 3, 4))
    quadruples = p1**4 - 6 * p1**2 * p2 + 3 * p2**2 + 8 * p1 * p3 - 6 * p4
    left, right = _pair_weights(powers, p1, p2)
    pairs = np.zeros((len(first), len(w)))
    sums = np.zeros((n_languages, 2 * len(w), x.shape[1]))
    stacked = powers.reshape(2 * len(w), -1)
    for rows, columns, tile in _gram_tiles(x, others=3 * len(first) + len(w)):
        both = (left[:, rows] @ right[:, :, columns]).reshape(len(w), -1)
        pairs += (tile[first] * tile[second]).reshape(len(first), -1) @ both.T
        sums[:, :, rows] += stacked[:, columns] @ tile.transpose(0, 2, 1)
        sums[:, :, columns] += stacked[:, rows] @ tile
    table = _row_terms(sums, w, p1)
    table[:, first, second] += pairs.T
    table[:, second, first] = table[:, first, second]
    # fewer than four distinct units leave no quadruple: 0 / 0 is counted as 0
    possible = np.where(quadruples > 0, quadruples, np.inf)
    return table / possible[:, None, None]


def _pair_weights(
    powers: FloatArray, p1: FloatArray, p2: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Factors whose product is 2 v_ij of `_weighted_block`: (R, n, 2) and (R, 2, n)."""
    w, w2 = powers
    p1, p2 = p1[:, None], p2[:, None]
    right = np.stack([2 * (p1**2 - p2) * w - 2 * p1 * w2, 4 * w2 - 2 * p1 * w], axis=1)
    return powers.transpose(1, 2, 0), right


def _row_terms(sums: FloatArray, w: FloatArray, p1: FloatArray) -> FloatArray:
    """Terms of `_weighted_block` made of row sums, shape (R, L, L)."""
    r, r2 = (part.transpose(1, 0, 2) for part in np.split(sums, 2, axis=1))
    half = (w[:, None] * (2 * r2 - (p1[:, None] + w)[:, None] * r)) @ r.transpose(0, 2, 1)
    s = np.einsum("rn,rln->rl", w, r)
    table: FloatArray = half + half.transpose(0, 2, 1) + s[:, :, None] * s[:, None, :]
    return table
