"""All-pairs debiased CKA with interval and null, against a loop over pairs.

One command, one table::

    python benchmarks/bench_cka.py [--json]

The peer is the public Gram form of debiased CKA (Kornblith et al. 2019, the authors' notebook)
restated: zero the diagonal, U-centre, normalised inner product of two Grams. To give every pair an
interval and a null it must be called once per layer, pair and draw, on rows picked by that draw. It
is timed on a share of those calls and scaled to all of them; the package's time is measured whole.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from itertools import combinations

import numpy as np

from probekit.measures import bootstrap_weights, cka, permutations, planted_pooled


def u_centred(gram: np.ndarray) -> np.ndarray:
    n = len(gram)
    np.fill_diagonal(gram, 0.0)
    means = gram.sum(axis=0) / (n - 2)
    means -= means.sum() / (2 * (n - 1))
    gram -= means[:, None]
    gram -= means[None, :]
    np.fill_diagonal(gram, 0.0)
    return gram


def pairwise_cka(x: np.ndarray, y: np.ndarray) -> float:
    """Debiased CKA of two matrices, the public algorithm."""
    k, m = u_centred(x @ x.T).ravel(), u_centred(y @ y.T).ravel()
    return float(k @ m / (np.linalg.norm(k) * np.linalg.norm(m)))


def seconds(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def loop_seconds(pooled: np.ndarray, orders: np.ndarray, *, timed_calls: int) -> float:
    """Seconds per call of the peer: one pair, one order of the second language's units."""
    pairs = list(combinations(range(len(pooled)), 2))

    def loop() -> None:
        for call in range(timed_calls):
            a, b = pairs[call % len(pairs)]
            pairwise_cka(pooled[a], pooled[b][orders[call % len(orders)]])

    pairwise_cka(pooled[0], pooled[1])
    return seconds(loop) / timed_calls


def measure(
    *,
    n_layers: int = 19,
    n_languages: int = 12,
    n_units: int = 200,
    width: int = 640,
    n_resamples: int = 200,
    n_permutations: int = 200,
    timed_calls: int = 200,
) -> dict[str, float]:
    """Time both; the numbers of the table."""
    weights = bootstrap_weights(n_units, n_resamples=n_resamples, seed=0)
    orders = permutations(n_units, n=n_permutations, seed=0)
    shape = (1, n_languages, n_units)
    layers = [
        planted_pooled(*shape, d=width, shared_layers=[0] if k % 2 else [], seed=k)[0].astype(
            np.float32
        )
        for k in range(n_layers)
    ]
    found = cka(layers[0], weights=weights, permutations=orders)
    ours = sum(seconds(lambda x=x: cka(x, weights=weights, permutations=orders)) for x in layers)
    first = layers[0].astype(np.float64)
    differences = [
        abs(pairwise_cka(first[a], first[b]) - found.debiased[a, b])
        for a, b in combinations(range(n_languages), 2)
    ]
    per_call = loop_seconds(first, orders, timed_calls=timed_calls)
    calls = n_layers * len(differences) * (1 + n_resamples + n_permutations)
    return {
        "layers": n_layers,
        "languages": n_languages,
        "units": n_units,
        "width": width,
        "resamples": n_resamples,
        "permutations": n_permutations,
        "probekit_seconds": ours,
        "loop_seconds_scaled": per_call * calls,
        "loop_calls": calls,
        "loop_calls_timed": timed_calls,
        "ratio": per_call * calls / ours,
        "largest_difference": max(differences),
    }


def table(row: dict[str, float]) -> str:
    title = (
        f"debiased CKA: {row['layers']} layers × {row['languages']} languages × {row['units']}"
        f" units × width {row['width']}, {row['resamples']} resamples,"
        f" {row['permutations']} permutations"
    )
    lines = [
        title,
        f"{'method':<34}{'seconds':>10}   note",
        f"{'probekit.measures.cka':<34}{row['probekit_seconds']:>10.2f}   measured whole; also the"
        " biased, standardised and no-rogue tables",
        f"{'loop over layers, pairs, draws':<34}{row['loop_seconds_scaled']:>10.0f}   scaled from"
        f" {row['loop_calls_timed']:,} of {row['loop_calls']:,} calls",
        f"ratio {row['ratio']:.0f}×; largest difference of a pair {row['largest_difference']:.1e}",
    ]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print JSON instead of the table")
    parser.add_argument("--layers", type=int, default=19)
    parser.add_argument("--languages", type=int, default=12)
    parser.add_argument("--units", type=int, default=200)
    parser.add_argument("--width", type=int, default=640)
    options = parser.parse_args()
    row = measure(
        n_layers=options.layers,
        n_languages=options.languages,
        n_units=options.units,
        width=options.width,
    )
    print(json.dumps(row) if options.json else table(row))


if __name__ == "__main__":
    main()
