"""All probes of a layer together, against a loop of scikit-learn fits.

One command, one table::

    python -m benchmarks --only probes

Both sides standardise every training fold by itself and fit every task at every penalty: the
package in one batch with shared products, the loop with ``StandardScaler`` once a fold and
``LogisticRegression``, two fits at a time with joblib. The loop runs twice: at its default
tolerance, where its weights are far from the optimum, and at 1e-6, where they are about as near as
the package's, which stops at relative errors of 3e-4. Weights are compared with scikit-learn at a
tolerance of 1e-8. The loops are timed on a share of the folds and scaled; the package is measured
whole, for one layer.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from itertools import product
from typing import Any

import numpy as np
import torch
from joblib import Parallel, delayed
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from benchmarks.common import Row, at_least, at_most, speed_ratio, spread, take_turns
from probekit.measures.probing import PENALTIES, unit_folds
from probekit.measures.probing.crossfit import bytes_per_row, flat_basis, rows_in
from probekit.measures.probing.folds import outer_sets
from probekit.measures.probing.items import Items, Rows, tensor
from probekit.measures.probing.jobs import side_by_side
from probekit.measures.probing.solver import Problems, solve

FOLDS = 5
EXACT = 1e-6  # tolerance at which the loop's weights are about as exact as ours
CLASSES = (8, 3, 2, 3, 2)  # topic, sentiment, form, tense, negation
Fits = dict[tuple[int, int, int, float], np.ndarray]


def sample(n_languages: int, n_units: int, width: int) -> tuple[np.ndarray, list[np.ndarray]]:
    """Vectors with a falling spectrum, in which five labels are written, and the labels."""
    rng = np.random.default_rng(0)
    labels = [rng.permutation(np.arange(n_units) % k) for k in CLASSES]
    spectrum = np.arange(1, width + 1) ** -0.5
    hidden = rng.standard_normal((n_languages, n_units, width)) * spectrum
    for values in labels:
        place = rng.integers(0, width, values.max() + 1)
        hidden[:, np.arange(n_units), place[values]] += 3 * spectrum[place[values]]
    mixing = rng.standard_normal((width, width)) / np.sqrt(width)
    return (hidden @ mixing).astype(np.float32), labels


def ours(vectors: np.ndarray, labels: list[np.ndarray], folds: np.ndarray) -> Fits:
    """Weights (d_model, classes) of every language, fold, task and penalty."""
    n = len(vectors)
    items = Items(vectors, np.tile(np.arange(len(folds)), (n, 1)), len(folds))
    fold_of = np.tile(folds, (n, 1))
    # two pieces of work: half of the languages each, or half of the folds
    by_language = [(half, np.arange(FOLDS)) for half in halves(n)]
    by_fold = [(slice(0, n), np.arange(FOLDS)[half]) for half in halves(FOLDS)]
    jobs = [
        lambda part=part, kept=kept: batch(items, fold_of, labels, part, kept)
        for part, kept in (by_language if n > 1 else by_fold)
    ]
    return {key: value for found in side_by_side(jobs) for key, value in found.items()}


def halves(n: int) -> list[slice]:
    return [slice(0, -(-n // 2)), slice(-(-n // 2), n)]


def batch(
    items: Items, fold_of: np.ndarray, labels: list[np.ndarray], languages: slice, kept: np.ndarray
) -> Fits:
    """Some languages and folds, as many languages at a time as memory allows."""
    train = rows_in(fold_of, outer_sets(FOLDS)[kept])
    found: Fits = {}
    for piece in train.part(languages).batches(bytes_per_row(items)):
        start = languages.start + piece.start
        stop = min(languages.start + piece.stop, languages.stop)
        found |= piece_of(items, train, labels, slice(start, stop), kept)
    return found


def piece_of(
    items: Items, train: Rows, labels: list[np.ndarray], languages: slice, kept: np.ndarray
) -> Fits:
    found: Fits = {}
    basis = flat_basis(items, train, languages, device="cpu")
    rows = train.part(languages)
    for k in sorted(set(CLASSES)):
        tasks = [at for at, own in enumerate(CLASSES) if own == k]
        values = np.stack([np.tile(labels[at], (len(items.vectors), 1)) for at in tasks], axis=-1)
        targets = tensor(rows.of(values[languages])).flatten(0, 1)
        solution, path = None, []
        for penalty in PENALTIES:
            strength = basis.features.new_full((len(targets), len(tasks)), 1 / penalty)
            problems = Problems(basis.features, basis.spectrum, basis.rows, targets, strength, k)
            solution = solve(problems, start=solution)
            path.append(solution.weights)
        lifted = basis.lift(torch.stack(path, dim=-1).flatten(2)).numpy()
        shape = (-1, len(kept), lifted.shape[1], k, len(tasks), len(PENALTIES))
        for (at, fold), weights in by_set(lifted.reshape(shape)):
            for (number, task), (place, C) in product(enumerate(tasks), enumerate(PENALTIES)):
                key = (languages.start + at, int(kept[fold]), task, C)
                found[key] = weights[..., number, place]
    return found


def by_set(weights: np.ndarray) -> Iterator[tuple[tuple[int, int], np.ndarray]]:
    """Weights of every language and fold."""
    for at, fold in product(*map(range, weights.shape[:2])):
        yield (at, fold), weights[at, fold]


def one_fit(X: np.ndarray, y: np.ndarray, C: float, *, tol: float = 1e-4) -> LogisticRegression:
    return LogisticRegression(C=C, tol=tol, max_iter=10_000).fit(X, y)


def loop(
    vectors: np.ndarray,
    labels: list[np.ndarray],
    folds: np.ndarray,
    *,
    share: int,
    tol: float = 1e-4,
) -> list[Any]:
    """Fit ``share`` folds of the first language as a script does, two fits at a time."""
    jobs = []
    for fold in range(share):
        X = StandardScaler().fit_transform(vectors[0][folds != fold])
        train = [y[folds != fold] for y in labels]
        jobs += [delayed(one_fit)(X, y, C, tol=tol) for y in train for C in PENALTIES]
    with threadpool_limits(1):  # two fits side by side are faster than one on two cores
        return Parallel(n_jobs=min(2, os.cpu_count() or 1), backend="threading")(jobs)


def largest_difference(
    found: Fits, vectors: np.ndarray, labels: list[np.ndarray], folds: np.ndarray
) -> tuple[float, list[float], int]:
    """Relative difference of weights, ours and the loops', and held-out answers that differ."""
    train, test = folds != 0, folds == 0
    scaler = StandardScaler().fit(vectors[0][train].astype(float))
    X, held = (scaler.transform(vectors[0][rows].astype(float)) for rows in (train, test))
    worst, loops, other = 0.0, [0.0, 0.0], 0
    for task, y in enumerate(labels[:3]):
        for C in PENALTIES:
            exact = one_fit(X, y[train], C, tol=1e-8)
            weights = found[0, 0, task, C].T
            weights = weights[1:] - weights[:1] if len(weights) == 2 else weights
            size = np.abs(exact.coef_).max()
            worst = max(worst, float(np.abs(weights - exact.coef_).max() / size))
            for number, tol in enumerate((1e-4, EXACT)):
                usual = one_fit(X.astype(np.float32), y[train], C, tol=tol).coef_
                gap = float(np.abs(usual - exact.coef_).max() / size)
                loops[number] = max(loops[number], gap)
            scores = held @ weights.T + exact.intercept_
            said = (scores[:, 0] > 0) if len(weights) == 1 else scores.argmax(1)
            other += int((said != exact.predict(held)).sum())
    return worst, loops, other


def contest(n_languages: int, n_units: int, width: int, *, share: int, repeats: int) -> Any:
    """One size: seconds of both, and how far they agree."""
    vectors, labels = sample(n_languages, n_units, width)
    folds = unit_folds(n_units, n_folds=FOLDS, seed=0, labels={"a": labels[0]})
    seconds = take_turns(
        {
            "probekit": lambda: ours(vectors, labels, folds),
            "loop": lambda: loop(vectors, labels, folds, share=share),
            "exact loop": lambda: loop(vectors, labels, folds, share=share, tol=EXACT),
        },
        repeats=repeats,
    )
    scale = n_languages * FOLDS / share
    for name in ("loop", "exact loop"):
        seconds[name] = [value * scale for value in seconds[name]]
    worst, loops, other = largest_difference(ours(vectors, labels, folds), vectors, labels, folds)
    return {
        "size": f"{n_languages} languages × {n_units} units × width {width}",
        "fits": n_languages * FOLDS * len(CLASSES) * len(PENALTIES),
        "seconds": seconds,
        "ratio": speed_ratio(seconds, "probekit", "loop"),
        "exact_ratio": speed_ratio(seconds, "probekit", "exact loop"),
        "largest_difference": worst,
        "loop_differences": loops,
        "answers_that_differ": other,
    }


def measure(*, quick: bool = False) -> dict[str, Any]:
    """Two sizes: a layer of the built-in corpus, and many units of a wide model."""
    if quick:
        return {
            "small": contest(2, 60, 96, share=1, repeats=1),
            "large": contest(1, 100, 256, share=1, repeats=1),
        }
    return {
        "small": contest(12, 168, 640, share=1, repeats=3),
        "large": contest(1, 1000, 4096, share=1, repeats=2),
    }


def rows(result: Mapping[str, Any]) -> list[Row]:
    """Ratios and agreement at both sizes."""
    lines = []
    for name, target in (("small", 5.0), ("large", 15.0)):
        found = result[name]
        what = f"scikit-learn loop / ours, {found['size']}, {found['fits']:,} fits"
        ratio = Row("probes", what, f"{spread(found['ratio'])} (scaled)")
        exact = f"{spread(found['exact_ratio'])} (scaled)"
        usual, tight = (f"{value:.1e}" for value in found["loop_differences"])
        seconds = f"{min(found['seconds']['probekit']):.2f} s"
        difference = found["largest_difference"]
        agreed = Row("probes", "largest difference of a weight, relative", f"{difference:.1e}")
        lines += [
            at_least(ratio, found["ratio"]["median"], target=target),
            Row("probes", f"the same, loop at tolerance {EXACT:g}", exact),
            Row("probes", "one layer, ours, best round", seconds),
            at_most(agreed, difference, target=1e-3, unit=""),
            Row("probes", "the same of the loops' fits", f"{usual}; {tight}"),
            Row("probes", "held-out answers that differ", str(found["answers_that_differ"])),
        ]
    return lines
