"""CKA between layers: which layers of one language arrange the units like which of another.

Debiased CKA as in :mod:`probekit.measures.cka` (Kornblith et al. 2019; Song et al. 2012) of every
language at every layer with every other, through one matrix product a pair of layers. For 19
layers × 12 languages × 168 units a second of one core. The Gram matrices are kept, at most 256 MB
of them: where they would be more, fewer units are read, evenly spaced.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from probekit.errors import InputError, NumericalError
from probekit.measures.checks import (
    AnyArray,
    FloatArray,
    check_permutations,
    check_pooled,
    check_weights,
)
from probekit.measures.cka import MIN_UNITS
from probekit.measures.hsic import centred
from probekit.measures.influence import influence_interval
from probekit.measures.resampling import percentile_band

MAX_UNITS = 512
MAX_CELLS = 1 << 26  # of all Grams together, float32: 256 MB
MAX_PAIR_CELLS = 1 << 20  # of `pairs`, float32: 4 MB, and as much for either end
_NO_SPREAD = 1e-12

_Grams = NDArray[np.float32]


@dataclass(frozen=True)
class LayerCKA:
    """Debiased CKA of layers with layers; 0 is what unrelated vectors have.

    Attributes
    ----------
    across, across_low, across_high : arrays of shape (n_layers, n_layers)
        Mean over ordered pairs of two languages a, b of CKA(a at the row, b at the column), in
        [-1, 1], with a 95 % interval over units. Its diagonal is the mean CKA of each layer.
    across_null95 : array of shape (n_layers, n_layers)
        95 % point of the same mean (a = b too) when the units of the column are permuted.
    within, within_low, within_high : arrays of shape (n_layers, n_layers)
        Mean over languages of CKA(a at the row, a at the column); diagonal 1.
    pairs, pairs_low, pairs_high : arrays of shape (n_layers, n_layers, n_languages, n_languages)
        CKA(a at the row, b at the column); empty where they would be more than
        ``MAX_PAIR_CELLS``.
    n_units : int
        Units read.
    """

    across: FloatArray
    across_low: FloatArray
    across_high: FloatArray
    across_null95: FloatArray
    within: FloatArray
    within_low: FloatArray
    within_high: FloatArray
    pairs: FloatArray
    pairs_low: FloatArray
    pairs_high: FloatArray
    n_units: int


def layer_cka(
    layers: Iterable[AnyArray],
    *,
    n_layers: int,
    weights: AnyArray,
    permutations: AnyArray,
    max_units: int = MAX_UNITS,
) -> LayerCKA:
    """``<K̃_a(l), K̃_b(m)> / (|K̃_a(l)| |K̃_b(m)|)`` with U-centred Grams, for all a, b, l and m.

    The interval weighs each unit's influence (infinitesimal jackknife).

    Parameters
    ----------
    layers : iterable of arrays of shape (n_languages, n_units, d_model)
        The layers in order; each is read once and not kept.
    n_layers : int
        How many they are.
    weights, permutations : arrays of shape (n_resamples or n_permutations, n_units)
        From `bootstrap_weights` and `permutations`.
    max_units : int
        With more units, this many are used, evenly spaced; at least 4.

    Raises
    ------
    InputError
        Options of the wrong shape or range, or fewer than 2 languages or 4 units.
    NumericalError
        A value is not finite, or a language does not vary over the units read.
    """
    if max_units < MIN_UNITS:
        msg = f"max_units must be at least {MIN_UNITS}. Got {max_units} instead."
        raise InputError(msg)
    chosen: NDArray[np.intp] = np.empty(0, dtype=np.intp)
    grams: list[_Grams] = []
    for row, layer in enumerate(layers):
        pooled = check_pooled(layer, min_units=MIN_UNITS)
        if not row:
            chosen = _units(pooled.shape[1], n_layers * len(pooled), max_units=max_units)
            weights = check_weights(weights, pooled.shape[1])[:, chosen]
            orders = check_permutations(permutations, pooled.shape[1])[:, chosen]
        grams.append(_normed(pooled[:, chosen], row=row))
    if len(grams) != n_layers:
        msg = f"n_layers must be the number of layers, {len(grams)}. Got {n_layers} instead."
        raise InputError(msg)
    weights = weights[weights.sum(axis=1) > 0]
    tables = _Tables(grams, weights)
    null = _null95(grams, np.argsort(orders, axis=1))
    return LayerCKA(**tables.found(), across_null95=null, n_units=len(chosen))


def _units(n: int, n_grams: int, *, max_units: int) -> NDArray[np.intp]:
    """Units read, evenly spaced: as many as fit in memory as Grams of all languages and layers."""
    fit = max(MIN_UNITS, int((MAX_CELLS / n_grams) ** 0.5))
    rows: NDArray[np.intp] = np.linspace(0, n - 1, min(n, max_units, fit)).round().astype(np.intp)
    return rows


def _normed(pooled: AnyArray, *, row: int) -> _Grams:
    """U-centred Grams of norm 1, unit first: (n_units, n_languages, n_units)."""
    x = centred(pooled)
    n = x.shape[1]
    grams = x @ x.transpose(0, 2, 1)
    biased = np.einsum("lij,lij->l", grams, grams)
    diagonal = np.einsum("lii->li", grams)
    rows = -diagonal / (n - 2)  # centred rows sum to zero
    grams -= rows[:, :, None] + rows[:, None, :]
    grams += rows.sum(axis=1)[:, None, None] / (n - 1)
    np.einsum("lii->li", grams)[:] = 0
    own = np.einsum("lij,lij->l", grams, grams)
    flat = ~(own > _NO_SPREAD * biased)
    if flat.any():
        msg = (
            "layers must vary over units in every language. CKA is undefined for language"
            f" {int(np.argmax(flat))} at layer {row - 1}: read more units, or drop it."
        )
        raise NumericalError(msg)
    grams /= np.sqrt(own)[:, None, None]
    return np.ascontiguousarray(grams.transpose(1, 0, 2), dtype=np.float32)


class _Tables:
    """All pairs of layers, filled from the diagonal on: the other half is its mirror."""

    def __init__(self, grams: list[_Grams], weights: FloatArray) -> None:
        self._grams, self._weights = grams, weights
        n_layers, (_, n_languages, _) = len(grams), grams[0].shape
        # each unit's share of a language's own norm
        self._shares = [np.einsum("ilj,ilj->il", gram, gram, dtype=np.float64) for gram in grams]
        self._means = {
            f"{name}{end}": np.zeros((n_layers, n_layers))
            for name in ("across", "within")
            for end in ("", "_low", "_high")
        }
        kept = n_layers**2 * n_languages**2 <= MAX_PAIR_CELLS
        shape = (n_layers, n_layers, n_languages, n_languages) if kept else (0,) * 4
        self._pairs = {f"pairs{end}": np.zeros(shape) for end in ("", "_low", "_high")}

    def found(self) -> dict[str, Any]:
        """Every table by its name in the result."""
        for first in range(len(self._grams)):
            for second in range(first, len(self._grams)):
                self._fill(first, second)
        return {**self._means, **self._pairs}

    def _fill(self, first: int, second: int) -> None:
        products = self._grams[first] @ self._grams[second].transpose(0, 2, 1)
        products = products.astype(np.float64)  # (unit, language, language)
        table = np.clip(products.sum(axis=0), -1, 1)
        if first == second:
            np.fill_diagonal(table, 1.0)
        shares = self._shares[first][:, :, None] + self._shares[second][:, None, :]
        influence = len(products) * (2 * products - table * shares)
        own, n = np.eye(len(table), dtype=bool), len(table)
        for name, chosen in (("across", ~own), ("within", own)):
            moved = influence[:, chosen].mean(axis=1)
            mean = float(table[chosen].mean())
            low, high = influence_interval(mean, moved, weights=self._weights)
            self._put(self._means, name, (first, second), (mean, max(-1, low), min(1, high)))
        if self._pairs["pairs"].size:
            steps = self._weights @ influence.reshape(-1, n * n)
            steps /= self._weights.sum(axis=1, keepdims=True)
            band = percentile_band(table.ravel() + steps)
            ends = (np.clip(end.reshape(n, n), -1, 1) for end in band)
            self._put(self._pairs, "pairs", (first, second), (table, *ends))

    @staticmethod
    def _put(
        tables: dict[str, FloatArray], name: str, place: tuple[int, int], values: tuple[Any, ...]
    ) -> None:
        for end, value in zip(("", "_low", "_high"), values, strict=True):
            tables[f"{name}{end}"][place] = value
            tables[f"{name}{end}"][place[::-1]] = np.transpose(value)


def _null95(grams: list[_Grams], orders: NDArray[np.intp]) -> FloatArray:
    """95 % point of the mean over all pairs, the units of the second layer permuted."""
    n_languages = grams[0].shape[1]
    sums = np.stack([gram.sum(axis=1, dtype=np.float64) for gram in grams]) / n_languages
    flat = sums.reshape(len(grams), -1)
    draws = np.stack(
        [flat @ sums[:, order[:, None], order].reshape(flat.shape).T for order in orders]
    )
    null: FloatArray = np.quantile(draws, 0.95, axis=0, method="higher")
    upper = np.triu(null)
    return upper + np.triu(null, 1).T
