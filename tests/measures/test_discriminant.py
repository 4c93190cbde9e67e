"""Discriminant axes: true classes are found, classes of noise are not, no unit sees itself."""

from __future__ import annotations

import numpy as np
import pytest

from probekit.errors import InputError
from probekit.measures import bootstrap_weights, project
from probekit.measures.discriminant import _Axes, discriminant

N, WIDTH = 60, 80
WEIGHTS = bootstrap_weights(N, n_resamples=100, seed=0)


def noise(seed=0, n_languages=3):
    return np.random.default_rng(seed).normal(size=(n_languages, N, WIDTH))


def by_unit(n_classes, n_languages=3):
    return np.tile(np.arange(N) % n_classes, (n_languages, 1))


def shifted(classes, *, by):
    places = np.random.default_rng(7).normal(size=(classes.max() + 1, WIDTH))
    return noise() + by * places[classes]


def test_planted_classes_are_found_and_drawn_apart():
    classes = by_unit(3)
    found = discriminant(shifted(classes, by=2.0), classes, weights=WEIGHTS)
    assert found.accuracy > 0.95
    assert found.accuracy_low > found.majority == pytest.approx(1 / 3)
    means = np.stack([found.coordinates[classes == at].mean(axis=0) for at in range(3)])
    spread = max(found.coordinates[classes == at].std(axis=0).max() for at in range(3))
    assert np.linalg.norm(means[0] - means[1]) > 3 * spread


def test_classes_of_noise_are_not_found():
    found = discriminant(noise(), by_unit(3), weights=WEIGHTS)
    assert found.accuracy_low < found.majority + 0.05
    assert found.accuracy < 0.5


def test_axes_that_have_seen_a_unit_would_place_it_right_in_noise():
    """The control: without holding units out, noise looks like classes."""
    classes, pooled = by_unit(2, n_languages=1), noise(n_languages=1)
    z = project(pooled, centred=False, n_components=59).coordinates
    seen = _Axes(z, classes, np.ones(N, dtype=bool), centred=False, width=1)
    assert seen.hits(z, classes).mean() > 0.95
    assert discriminant(pooled, classes, weights=WEIGHTS).accuracy < 0.7


def test_languages_on_their_own_means_are_not_told_apart():
    languages = np.repeat(np.arange(3)[:, None], N, axis=1)
    apart = shifted(languages, by=3.0)
    assert discriminant(apart, languages, weights=WEIGHTS).accuracy > 0.95
    centred = discriminant(apart, languages, weights=WEIGHTS, centred=True)
    assert centred.accuracy == pytest.approx(1 / 3, abs=0.15)


def test_two_classes_have_one_axis():
    classes = by_unit(2)
    found = discriminant(shifted(classes, by=2.0), classes, weights=WEIGHTS)
    assert found.coordinates.shape == (3, N, 1)


def test_texts_without_a_class_are_drawn_and_not_counted():
    classes = by_unit(3)
    pooled = shifted(classes, by=2.0)
    classes[:, :6] = -1
    found = discriminant(pooled, classes, weights=WEIGHTS)
    assert np.isfinite(found.coordinates).all()
    assert found.accuracy > 0.95


def test_it_is_the_same_every_time():
    classes = by_unit(3)
    pooled = shifted(classes, by=1.0)
    one, two = (discriminant(pooled, classes, weights=WEIGHTS) for _ in range(2))
    assert np.array_equal(one.coordinates, two.coordinates)
    other = discriminant(pooled, classes, weights=WEIGHTS, seed=1)
    assert not np.array_equal(one.coordinates, other.coordinates)


def test_what_is_no_class_is_refused():
    with pytest.raises(InputError, match=r"at least two classes\. Got shape \(3, 60\) with 1"):
        discriminant(noise(), np.zeros((3, N), dtype=int), weights=WEIGHTS)
    with pytest.raises(InputError, match="must be of shape"):
        discriminant(noise(), np.zeros(N, dtype=int), weights=WEIGHTS)
