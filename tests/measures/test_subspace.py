"""LSAR: a planted language subspace is found and removed, and nothing else."""

from __future__ import annotations

import numpy as np
import pytest

from probekit.errors import InputError, NumericalError
from probekit.measures import language_subspace, lsar


@pytest.fixture
def planted(rng):
    """Five languages whose offsets lie in a plane; what units mean is orthogonal to it."""
    frame = np.linalg.qr(rng.standard_normal((20, 20)))[0]
    plane, rest = frame[:, :2], frame[:, 2:]
    offsets = rng.standard_normal((5, 2)) @ plane.T
    meaning = rng.standard_normal((40, 18)) @ rest.T
    return meaning, offsets, plane


def test_the_planted_subspace_is_found(planted):
    meaning, offsets, plane = planted
    means = meaning.mean(0) + offsets
    basis = language_subspace(means, rank=2)
    assert basis @ basis.T == pytest.approx(plane @ plane.T, abs=1e-9)


def test_exactly_the_planted_subspace_is_removed(planted):
    meaning, offsets, _ = planted
    eraser = lsar(meaning + offsets[:, None])
    assert eraser.rank == 2  # four differences of means, in a plane
    for cleaned in eraser.apply(meaning + offsets[:, None]):
        assert cleaned == pytest.approx(meaning, abs=1e-9)


def test_all_differences_of_means_are_gone_at_full_rank(rng):
    pooled = rng.standard_normal((4, 30, 12)) + 5 * rng.standard_normal((4, 1, 12))
    eraser = lsar(pooled)
    means = eraser.apply(pooled).mean(axis=1)
    assert eraser.rank == 3
    assert np.ptp(means, axis=0) == pytest.approx(np.zeros(12), abs=1e-12)
    assert np.abs(means[0]).max() > 0.1  # what languages have in common stays


def test_the_common_part_is_orthogonal_to_the_subspace(rng):
    means = rng.standard_normal((4, 12)) + 3
    basis = language_subspace(means)
    common = means - means @ basis @ basis.T
    assert common @ basis == pytest.approx(np.zeros((4, 3)), abs=1e-12)
    assert basis.T @ basis == pytest.approx(np.eye(3), abs=1e-12)


def test_a_lower_rank_keeps_the_strongest_directions(rng):
    offsets = np.zeros((3, 8))
    offsets[0, 0], offsets[1, 0], offsets[2, 0] = 5, -5, 0
    offsets[2, 1] = 0.1
    basis = language_subspace(offsets + 2 * np.eye(8)[7], rank=1)
    assert abs(basis[0, 0]) == pytest.approx(1, abs=1e-3)


def test_means_around_the_origin_have_nothing_in_common():
    basis = language_subspace(np.array([[1.0, 0, 0], [-1, 0, 0]]))
    assert np.abs(basis[:, 0]) == pytest.approx([1, 0, 0])


def test_equal_means_leave_everything(rng):
    one = rng.standard_normal((10, 6))
    pooled = np.stack([one, one[::-1]])
    assert lsar(pooled).rank == 0
    assert (lsar(pooled).apply(pooled) == pooled).all()


@pytest.mark.parametrize("rank", [0, 3])
def test_a_rank_that_cannot_be_is_refused(rank):
    with pytest.raises(InputError, match=f"between 1 and 2.*Got {rank}"):
        language_subspace(np.eye(3), rank=rank)


def test_bad_shapes_are_refused():
    with pytest.raises(InputError, match="n_languages >= 2"):
        language_subspace(np.ones((1, 4)))
    with pytest.raises(NumericalError, match="wider than the language subspace"):
        lsar(np.arange(24.0).reshape(4, 3, 2) ** 2)
