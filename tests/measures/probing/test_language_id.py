"""Language identity: read where it is written, gone where it was erased."""

from __future__ import annotations

import numpy as np
import pytest

from probekit.measures import bootstrap_weights
from probekit.measures.probing import language_identity, remove_language, unit_folds

N = 40


def vectors(strength, *, d=24, seed=0):
    """Four languages that differ in their means along three directions."""
    rng = np.random.default_rng(seed)
    offsets = np.zeros((4, 1, d))
    offsets[:, 0, :3] = [[1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]]  # a tetrahedron
    return rng.standard_normal((4, N, d)) + strength * offsets


def identity(given, units=None):
    return language_identity(
        given,
        np.arange(N) if units is None else units,
        folds=unit_folds(N, n_folds=5, seed=0),
        order=np.random.default_rng(1).permutation(N),
        weights=bootstrap_weights(N, n_resamples=40, seed=0),
        penalty=0.05,
        penalties=(1e-3, 1e-2, 1e-1),
    )


def removal(given, **options):
    settings = {"penalty": 0.05, "max_steps": 20, **options}
    held_out = unit_folds(N, n_folds=5, seed=0) == 0
    return remove_language(given, np.arange(N), held_out=held_out, **settings)


def test_languages_far_apart_are_told_apart_and_cheaply():
    found = identity(vectors(8.0))
    assert found.accuracy.value > 0.97
    assert found.recall.value.min() > 0.9
    assert found.code.mean_compression.value > 2
    assert found.chance == 0.25


def test_languages_that_do_not_differ_are_at_chance():
    found = identity(vectors(0.0))
    assert abs(found.accuracy.value - 0.25) < 3 * np.sqrt(0.25 * 0.75 / (4 * N))
    assert abs(found.code.mean_compression.value - 1) < 0.06
    assert found.accuracy.low < 0.25 < found.accuracy.high


def test_a_share_of_the_units_is_enough():
    some = identity(vectors(8.0), units=np.arange(0, N, 2))
    assert some.accuracy.value > 0.9
    assert some.code.by_unit.shape == (1, N // 2)


def test_erasing_takes_the_planted_directions_and_leaves_chance():
    found = removal(vectors(6.0))
    assert found.leace_rank == 3
    assert found.leace_accuracy.value < 0.25 + 3 * np.sqrt(0.25 * 0.75 / 32)
    assert found.accuracy[0].value > 0.9
    assert found.at_chance
    assert 3 <= found.directions < 24
    assert found.accuracy[-1].low <= 0.25


def test_nothing_is_removed_where_there_is_nothing():
    found = removal(vectors(0.0))
    assert found.at_chance
    assert found.directions <= 3


def test_too_few_steps_are_said():
    rng = np.random.default_rng(5)
    spread = vectors(0.0, d=60) + 6 * rng.standard_normal((4, 1, 60))
    # each language has a scale of its own too, which means do not show
    found = removal(spread * np.arange(1, 5)[:, None, None], max_steps=1)
    assert len(found.accuracy) <= 2
    assert found.at_chance == (found.accuracy[-1].low <= 0.25)


@pytest.mark.parametrize("d", [10, 200])
def test_more_or_fewer_texts_than_features(d):
    assert identity(vectors(8.0, d=d)).accuracy.value > 0.7
    assert removal(vectors(8.0, d=d)).leace_rank == 3
