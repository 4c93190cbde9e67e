"""References written the slow and obvious way, in float64, sharing no code with the package."""

from __future__ import annotations

from itertools import permutations as tuples

import numpy as np
import pytest


def _u_centred(gram):
    """U-centring of Székely & Rizzo, by explicit sums of the zero-diagonal Gram."""
    n = len(gram)
    k = gram - np.diag(np.diag(gram))
    out = np.zeros((n, n))
    for i in range(n):
        for j in range(n):
            if i != j:
                out[i, j] = (
                    k[i, j]
                    - k[i].sum() / (n - 2)
                    - k[:, j].sum() / (n - 2)
                    + k.sum() / ((n - 1) * (n - 2))
                )
    return out


def _reference_hsic(x, y, debiased=True):
    n = len(x)
    k, m = x @ x.T, y @ y.T
    if debiased:
        return np.sum(_u_centred(k) * _u_centred(m)) / (n * (n - 3))
    h = np.eye(n) - np.full((n, n), 1 / n)
    return np.trace(k @ h @ m @ h) / (n - 1) ** 2


def _reference_cka(x, y, debiased=True):
    own = _reference_hsic(x, x, debiased) * _reference_hsic(y, y, debiased)
    return _reference_hsic(x, y, debiased) / np.sqrt(own)


def _brute_weighted_hsic(x, y, w):
    """Average of the kernel over every quadruple of distinct units; 0 where there is none."""
    k, m = x @ x.T, y @ y.T
    total = mass = 0.0
    for i, j, q, r in tuples(range(len(x)), 4):
        weight = float(w[i] * w[j] * w[q] * w[r])
        total += weight * (k[i, j] * m[i, j] - 2 * k[i, j] * m[i, q] + k[i, j] * m[q, r])
        mass += weight
    return total / mass if mass else 0.0


def _brute_cosines(pooled, w):
    """Weighted mean cosines (within, across, paired) by loops over languages and units."""
    n_languages, n, _ = pooled.shape
    sums = {"within": [0.0, 0.0], "across": [0.0, 0.0], "paired": [0.0, 0.0]}

    def add(kind, cosine, weight):
        sums[kind][0] += weight * cosine
        sums[kind][1] += weight

    for a in range(n_languages):
        for b in range(n_languages):
            for i in range(n):
                for j in range(n):
                    x, y = pooled[a, i], pooled[b, j]
                    cosine = x @ y / np.sqrt((x @ x) * (y @ y))
                    if i != j:
                        add("within" if a == b else "across", cosine, w[i] * w[j])
                    elif a != b:
                        add("paired", cosine, w[i])
    return {kind: total / mass for kind, (total, mass) in sums.items()}


@pytest.fixture
def reference_cka():
    return _reference_cka


@pytest.fixture
def reference_hsic():
    return _reference_hsic


@pytest.fixture
def brute_weighted_hsic():
    return _brute_weighted_hsic


@pytest.fixture
def brute_cosines():
    return _brute_cosines


@pytest.fixture
def rng():
    return np.random.default_rng(20240)


@pytest.fixture
def aligned(rng):
    """Three languages, thirty units: one meaning each, plus noise, offset and a mean far off."""
    meaning = rng.standard_normal((1, 30, 12))
    offset = 2 * rng.standard_normal((3, 1, 12)) + 5
    return meaning + offset + 0.5 * rng.standard_normal((3, 30, 12))
