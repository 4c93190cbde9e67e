"""Transforms remove language, keep meaning, and cannot make alignment out of nothing."""

from __future__ import annotations

import numpy as np
import pytest

from probekit.errors import InputError
from probekit.measures import (
    alignment,
    bootstrap_weights,
    geometry,
    planted_pooled,
    pure_noise,
    transforms,
)

REMOVING = ("centre", "lsar", "leace")


@pytest.fixture
def layer():
    """Four languages that share meaning, each moved far off."""
    return planted_pooled(1, 4, 60, d=16, shared_layers=[0], seed=0, noise=0.4)[0] + (
        2 * np.random.default_rng(1).standard_normal((4, 1, 16)) + 3
    )


def hits(pooled):
    weights = bootstrap_weights(pooled.shape[1], n_resamples=20, seed=0)
    return alignment(pooled, weights=weights).p_at_1_mean


def distance(pooled):
    weights = bootstrap_weights(pooled.shape[1], n_resamples=20, seed=0)
    return geometry(pooled, weights=weights)


def test_none_changes_nothing(layer):
    assert (transforms.apply("none", layer) == layer).all()
    assert transforms.fit("none", layer).rank == 0


@pytest.mark.parametrize("name", REMOVING)
def test_language_means_fall_together(layer, name):
    moved = transforms.apply(name, layer)
    assert distance(layer).centroid_distance_mean > 1
    assert distance(moved).centroid_distance == pytest.approx(np.zeros((4, 4)), abs=1e-6)
    assert distance(moved).fisher == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("name", REMOVING)
def test_translations_are_found_once_language_is_gone(layer, name):
    assert hits(transforms.apply(name, layer)) > hits(layer) + 0.3


def noise_hits(name, folds):
    """60 draws of four languages of 50 units: standard error .0009."""
    layers = (pure_noise(1, 4, 50, d=20, seed=s)[0] for s in range(60))
    return np.mean([hits(transforms.apply(name, layer, folds=folds)) for layer in layers])


@pytest.mark.parametrize("name", REMOVING)
def test_noise_stays_at_chance(name):
    assert noise_hits(name, folds=1) == pytest.approx(1 / 50, abs=0.003)


def test_folds_mark_their_units_and_lift_noise_above_chance():
    """Why one map is the default."""
    assert noise_hits("lsar", folds=2) > noise_hits("lsar", folds=1) + 0.003


@pytest.mark.parametrize("name", REMOVING)
def test_the_map_does_not_know_which_units_are_translations(layer, name, rng):
    shuffled = np.stack([rows[rng.permutation(60)] for rows in layer])
    plain, other = transforms.fit(name, layer), transforms.fit(name, shuffled)
    assert other.apply(layer) == pytest.approx(plain.apply(layer), abs=1e-9)


@pytest.mark.parametrize(("name", "rank"), [("centre", 0), ("lsar", 3), ("leace", 3)])
def test_rank(layer, name, rank):
    moved = transforms.apply(name, layer)
    assert transforms.fit(name, layer).rank == rank
    flat = (moved - moved.mean(axis=(0, 1))).reshape(-1, 16)
    assert np.linalg.matrix_rank(flat, tol=1e-6) == 16 - rank


def test_centre_puts_every_language_at_the_origin(layer):
    assert transforms.apply("centre", layer).mean(axis=1) == pytest.approx(
        np.zeros((4, 16)), abs=1e-12
    )


def test_leace_moves_points_less_than_lsar(layer):
    leace, lsar = (transforms.apply(name, layer) for name in ("leace", "lsar"))
    spread = layer - layer.mean(axis=(0, 1))
    kept = lsar - lsar.mean(axis=(0, 1))
    assert np.square(leace - layer).sum() < np.square(spread - kept).sum()


@pytest.mark.parametrize("name", REMOVING)
def test_with_folds_each_unit_is_moved_by_a_map_fitted_without_it(layer, name):
    moved = transforms.apply(name, layer, folds=3, seed=5)
    assert not np.allclose(moved, transforms.apply(name, layer))
    other = layer.copy()
    # unit 7 decides the maps of all units but those of its own fold
    other[0, 7] += 100 * np.random.default_rng(2).standard_normal(16)
    same = np.isclose(transforms.apply(name, other, folds=3, seed=5), moved).all(axis=(0, 2))
    assert same.sum() == 19  # its fold has 20 units: it moves itself, the others stay
    assert not same[7]


def test_the_seed_deals_the_folds(layer):
    first, again, other = (
        transforms.apply("leace", layer, folds=2, seed=seed) for seed in (0, 0, 1)
    )
    assert (first == again).all()
    assert not np.allclose(first, other)


def test_single_precision_stays_single(layer):
    moved = transforms.apply("leace", layer.astype(np.float32), folds=2)
    assert moved.dtype == np.float32
    assert moved == pytest.approx(transforms.apply("leace", layer, folds=2), abs=1e-4)


def test_an_unknown_name_is_refused(layer):
    with pytest.raises(InputError, match=r"none, centre, lsar, leace\. Got 'pca'"):
        transforms.apply("pca", layer)


@pytest.mark.parametrize("folds", [0, 31])
def test_folds_outside_their_range_are_refused(layer, folds):
    with pytest.raises(InputError, match=f"half of the 60 units. Got {folds}"):
        transforms.apply("leace", layer, folds=folds)
