"""Planted probing problems: vectors in which a label is readable, or is not."""

from __future__ import annotations

import numpy as np

from probekit.measures.probing import Items, Labels


def tiled(values, n_languages):
    return np.tile(np.asarray(values), (n_languages, 1))


def text_items(vectors):
    """One item a unit and language."""
    n_languages, n_units, _ = vectors.shape
    return Items(vectors, tiled(np.arange(n_units), n_languages), n_units)


def problem(
    n_languages=2, n_units=60, d=12, *, n_classes=3, strength=4.0, seed=0, dtype=np.float64
):
    """Vectors of which a label shifts the first dimensions by ``strength``, and the label."""
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.arange(n_units) % n_classes)
    vectors = rng.standard_normal((n_languages, n_units, d)) * rng.uniform(0.5, 3.0, d)
    vectors += rng.standard_normal((n_languages, 1, d))
    vectors[:, :, :n_classes] += strength * np.eye(n_classes)[labels]
    return vectors.astype(dtype), labels


def task(labels, n_languages=2, *, name="task", seed=1):
    """A task with its two baselines."""
    rng = np.random.default_rng(seed)
    companions = {
        name: tiled(rng.permutation(labels), n_languages) for name in ("shuffled", "control")
    }
    return Labels(name, int(labels.max()) + 1, tiled(labels, n_languages), companions)
