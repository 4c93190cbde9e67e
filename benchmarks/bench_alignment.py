"""Retrieval, neighbours, neurons and shapes of all pairs, against a loop over pairs.

One command, one table::

    python -m benchmarks --only alignment

The loop calls, for every layer and pair of languages, a plain function per measure, each as its
paper states it: P@1 and CSLS both ways and MEXA from a cosine matrix of their own, mutual-kNN from
two, ANC from numpy's standardised columns, Procrustes from scipy. It gives estimates only, without
the intervals and chance levels that the package's time includes. It is timed on a share of the
pairs of one layer and scaled to all; the package is measured whole.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations
from typing import Any

import numpy as np
from scipy.spatial import procrustes as scipy_procrustes

from benchmarks.common import Row, at_most, seconds_of, speed_ratio, spread, take_turns
from probekit.measures import (
    alignment,
    anc,
    bootstrap_weights,
    permutations,
    planted_pooled,
    procrustes,
)

K = 10


def cosines(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    x = x / np.linalg.norm(x, axis=1, keepdims=True)
    y = y / np.linalg.norm(y, axis=1, keepdims=True)
    return x @ y.T


def p_at_1(x: np.ndarray, y: np.ndarray) -> float:
    return float((cosines(x, y).argmax(axis=1) == np.arange(len(x))).mean())


def csls(x: np.ndarray, y: np.ndarray) -> float:
    similar = cosines(x, y)
    hub_x = np.sort(similar, axis=1)[:, -K:].mean(axis=1)
    hub_y = np.sort(similar, axis=0)[-K:].mean(axis=0)
    scores = 2 * similar - hub_x[:, None] - hub_y
    return float((scores.argmax(axis=1) == np.arange(len(x))).mean())


def mexa(x: np.ndarray, y: np.ndarray) -> float:
    similar = cosines(x, y)
    own = similar.diagonal().copy()
    np.fill_diagonal(similar, -np.inf)
    return float((own > np.maximum(similar.max(axis=0), similar.max(axis=1))).mean())


def mutual_knn(x: np.ndarray, y: np.ndarray) -> float:
    near = []
    for z in (x, y):
        similar = cosines(z, z)
        np.fill_diagonal(similar, -np.inf)
        near.append(np.argsort(similar, axis=1)[:, -K:])
    return float(np.mean([len(np.intersect1d(a, b)) / K for a, b in zip(*near, strict=True)]))


def correlation(x: np.ndarray, y: np.ndarray) -> float:
    a, b = ((z - z.mean(axis=0)) / z.std(axis=0) for z in (x, y))
    return float((a * b).mean())


def pair(x: np.ndarray, y: np.ndarray, *, shapes: bool = True) -> dict[str, float]:
    """Give every measure of one pair as a script computes it; Procrustes on request."""
    found = {
        "p_at_1": p_at_1(x, y),
        "p_at_1, back": p_at_1(y, x),
        "csls": csls(x, y),
        "csls, back": csls(y, x),
        "mexa": mexa(x, y),
        "mutual_knn": mutual_knn(x, y),
        "anc": correlation(x, y),
    }
    return found | {"procrustes": float(scipy_procrustes(x, y)[2])} if shapes else found


def largest_difference(pooled: np.ndarray, found: Mapping[str, np.ndarray]) -> float:
    """Compare the first row of every table with the loop's."""
    worst = 0.0
    for b in range(1, len(pooled)):
        for name, value in pair(pooled[0], pooled[b]).items():
            table = found[name.partition(",")[0]]
            worst = max(worst, abs(value - (table[b, 0] if "back" in name else table[0, b])))
    return worst


def measure(*, quick: bool = False) -> dict[str, Any]:
    """Time all in turns, with Procrustes and without: its d × d decomposition is most of a loop."""
    n_layers, n_languages, n_units, width = (2, 4, 60, 96) if quick else (19, 12, 168, 640)
    n_pairs_timed, repeats = (2, 1) if quick else (11, 3)
    shape = (1, n_languages, n_units)
    layers = [
        planted_pooled(*shape, d=width, shared_layers=[0] if k % 2 else [], seed=k)[0]
        for k in range(n_layers)
    ]
    weights = bootstrap_weights(n_units, n_resamples=200, seed=0)
    orders = permutations(n_units, n=200, seed=0)
    pairs = list(combinations(range(n_languages), 2))[:n_pairs_timed]

    def near(pooled: np.ndarray) -> dict[str, np.ndarray]:
        found = alignment(pooled, weights=weights, k=K)
        tables = {name: getattr(found, name) for name in ("p_at_1", "csls", "mexa", "mutual_knn")}
        return tables | {"anc": anc(pooled, weights=weights).table}

    def ours(pooled: np.ndarray) -> dict[str, np.ndarray]:
        shapes = procrustes(pooled, weights=weights, permutations=orders)
        return near(pooled) | {"procrustes": shapes.table}

    def loop(*, shapes: bool) -> None:
        for a, b in pairs:
            pair(layers[1][a], layers[1][b], shapes=shapes)

    contestants = {
        "probekit": lambda: ours(layers[1]),
        "loop": lambda: loop(shapes=True),
        "probekit, no Procrustes": lambda: near(layers[1]),
        "loop, no Procrustes": lambda: loop(shapes=False),
    }
    seconds = take_turns(contestants, repeats=repeats)
    scale = n_languages * (n_languages - 1) / 2 / len(pairs)
    for name in ("loop", "loop, no Procrustes"):
        seconds[name] = [value * scale for value in seconds[name]]
    return {
        "layers": n_layers,
        "languages": n_languages,
        "units": n_units,
        "width": width,
        "pairs_timed": len(pairs),
        "probekit_seconds": seconds_of(lambda: [ours(pooled) for pooled in layers]),
        "seconds_a_layer": seconds,
        "ratio": speed_ratio(seconds, "probekit", "loop"),
        "ratio_no_procrustes": speed_ratio(
            seconds, "probekit, no Procrustes", "loop, no Procrustes"
        ),
        "largest_difference": largest_difference(layers[1], ours(layers[1])),
    }


def rows(result: Mapping[str, Any]) -> list[Row]:
    """All layers, the ratios, and whether both say the same."""
    size = (
        f"{result['layers']} layers × {result['languages']} languages × {result['units']} units"
        f" × width {result['width']}"
    )
    ratio, bare = spread(result["ratio"]), spread(result["ratio_no_procrustes"])
    difference = result["largest_difference"]
    same = Row("alignment", "largest difference of a pair", f"{difference:.1e}")
    taken = f"{result['probekit_seconds']:.1f} s"
    return [
        Row("alignment", f"all pairs with intervals, {size}", taken),
        Row("alignment", "loop over pairs, no intervals / ours", f"{ratio} (scaled)"),
        Row("alignment", "the same without Procrustes", f"{bare} (scaled)"),
        at_most(same, difference, target=1e-6, unit=""),
    ]
