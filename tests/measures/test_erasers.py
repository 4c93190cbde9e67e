"""LEACE: the theorem of the paper, its published formula, and where points are few."""

from __future__ import annotations

import numpy as np
import pytest

from probekit.errors import InputError, NumericalError
from probekit.measures import Eraser, leace


def one_hot(z):
    return np.eye(z.max() + 1)[z]


def cross_covariance(x, z):
    labels = one_hot(z)
    return (x - x.mean(0)).T @ (labels - labels.mean(0)) / len(x)


def published(x, z):
    """``x − W⁺ P W (x − mean)``, W the whitening matrix: eq. 1 of the paper, written out."""
    centred = x - x.mean(0)
    values, vectors = np.linalg.eigh(centred.T @ centred / len(x))
    kept = values > values[-1] * len(values) * np.finfo(float).eps
    root = np.sqrt(values[kept])
    whiten = vectors[:, kept] / root @ vectors[:, kept].T
    unwhiten = vectors[:, kept] * root @ vectors[:, kept].T
    cross = whiten @ cross_covariance(x, z)
    return x - centred @ (unwhiten @ cross @ np.linalg.pinv(cross, rcond=1e-10) @ whiten).T


@pytest.fixture
def labelled(rng):
    """300 points in 12 dimensions, 4 uneven classes, features of very different size."""
    z = rng.choice(4, size=300, p=[0.5, 0.3, 0.15, 0.05])
    mixing = rng.standard_normal((12, 12)) * np.geomspace(1e-2, 30, 12)
    return (rng.standard_normal((300, 12)) + 2 * rng.standard_normal((4, 12))[z]) @ mixing + 50, z


def test_no_covariance_with_the_labels_is_left(labelled):
    x, z = labelled
    eraser = leace(x, z)
    before, after = cross_covariance(x, z), cross_covariance(eraser.apply(x), z)
    assert np.abs(before).max() > 1
    assert np.abs(after).max() < 1e-9 * np.abs(before).max()
    assert eraser.rank == 3


def test_no_linear_probe_beats_the_majority(labelled):
    from sklearn.linear_model import LogisticRegression

    x, z = labelled
    majority = np.bincount(z).max() / len(z)

    def accuracy(points):
        scaled = (points - points.mean(0)) / points.std(0)
        return LogisticRegression(C=1e4, max_iter=5000).fit(scaled, z).score(scaled, z)

    assert accuracy(x) > majority + 0.3
    assert accuracy(leace(x, z).apply(x)) == pytest.approx(majority)


def test_it_is_the_published_formula(labelled, rng):
    z = labelled[1]
    x = rng.standard_normal((300, 12)) * np.linspace(1, 9, 12) + rng.standard_normal((4, 12))[z]
    assert leace(x, z).apply(x) == pytest.approx(published(x, z), rel=1e-9)


@pytest.mark.parametrize("shape", [(40, 90), (90, 90), (91, 90), (60, 30)])
def test_the_published_formula_holds_with_few_points(rng, shape):
    z = np.arange(shape[0]) % 3
    x = rng.standard_normal(shape) + z[:, None]
    eraser = leace(x, z)
    assert eraser.apply(x) == pytest.approx(published(x, z), abs=1e-7)
    new = rng.standard_normal((5, shape[1]))
    assert eraser.apply(eraser.apply(new)) == pytest.approx(eraser.apply(new), abs=1e-9)


def test_with_fewer_points_than_features_each_class_moves_to_the_common_mean(rng):
    z = np.array([0, 1, 2, 0, 1, 2, 2, 2])
    x = rng.standard_normal((8, 40)) + 3 * z[:, None]
    means = np.stack([x[z == k].mean(0) for k in range(3)])
    assert leace(x, z).apply(x) == pytest.approx(x - means[z] + x.mean(0), abs=1e-9)


def test_points_in_a_subspace_stay_in_it(rng):
    z = np.arange(60) % 2
    inside = rng.standard_normal((60, 3)) + z[:, None]
    frame = np.linalg.qr(rng.standard_normal((8, 3)))[0]
    moved = leace(inside @ frame.T, z).apply(inside @ frame.T)
    assert moved @ frame @ frame.T == pytest.approx(moved, abs=1e-9)
    assert moved @ frame == pytest.approx(leace(inside, z).apply(inside), abs=1e-8)


def test_no_smaller_change_does_it(labelled, rng):
    """The orthogonal projection off the class means erases as well, and moves points more."""
    x, z = labelled
    moved = np.square(leace(x, z).apply(x) - x).sum()
    basis = np.linalg.svd(cross_covariance(x, z), full_matrices=False)[0][:, :3]
    centred = x - x.mean(0)
    orthogonal = x - centred @ basis @ basis.T
    assert np.abs(cross_covariance(orthogonal, z)).max() < 1e-9 * np.abs(x).max()
    assert moved < 0.999 * np.square(orthogonal - x).sum()


def test_applying_twice_is_applying_once(labelled):
    x, z = labelled
    eraser = leace(x, z)
    once = eraser.apply(x)
    assert eraser.apply(once) == pytest.approx(once, rel=1e-9)
    assert leace(once, z).apply(once) == pytest.approx(once, rel=1e-7)
    assert once.mean(0) == pytest.approx(x.mean(0), rel=1e-10)
    assert eraser.right @ eraser.left == pytest.approx(np.eye(3), abs=1e-9)


def test_labels_that_say_nothing_cost_nothing(rng):
    half = rng.standard_normal((50, 6))
    x, z = np.concatenate([half, half]), np.repeat([0, 1], 50)
    assert leace(x, z).rank == 0
    assert (leace(x, z).apply(x) == x).all()


def test_label_names_do_not_matter(labelled):
    x, z = labelled
    assert leace(x, 7 - 3 * z).apply(x) == pytest.approx(leace(x, z).apply(x), rel=1e-9)


def test_dtype_and_leading_axes_stay(labelled, rng):
    z = labelled[1]
    x = rng.standard_normal((300, 12)) + z[:, None]
    eraser = leace(x, z)
    single = eraser.apply(x.astype(np.float32).reshape(3, 100, 12))
    assert single.dtype == np.float32
    assert single.reshape(300, 12) == pytest.approx(eraser.apply(x), abs=1e-5)


@pytest.mark.parametrize(
    ("x", "z", "says"),
    [
        (np.zeros(4), np.zeros(4, int), "shape"),
        (np.ones((4, 2)), np.zeros(3, int), "one label per row"),
        (np.ones((4, 2)), np.zeros(4, int), "two classes or more"),
        (np.ones((4, 2)), np.array([0.5, 1, 0.5, 1]), "integer labels"),
    ],
)
def test_bad_input_is_named(x, z, says):
    with pytest.raises(InputError, match=says):
        leace(x, z)


def test_bad_numbers_are_named():
    x = np.ones((4, 2))
    with pytest.raises(NumericalError, match="nothing to erase from"):
        leace(x, np.array([0, 1, 0, 1]))
    x[2, 1] = np.nan
    with pytest.raises(NumericalError, match="Unit 2, feature 1"):
        leace(x, np.array([0, 1, 0, 1]))


def test_another_width_is_refused():
    eraser = Eraser(np.zeros(3), np.zeros((3, 1)), np.zeros((1, 3)))
    with pytest.raises(InputError, match=r"3 features.*\(2, 4\)"):
        eraser.apply(np.zeros((2, 4)))
