"""Key neurons against brute force, and why the population score is not used."""

from __future__ import annotations

import numpy as np
import pytest

from probekit.errors import InputError
from probekit.measures.key_neurons import (
    agreement_scores,
    key_neurons,
    leave_one_out_z,
)
from probekit.measures.unit_groups import exchanged_labels, unit_groups


def brute_scores(pooled):
    """Mean over ordered pairs of distinct units of u_ij u_kj, by loops."""
    n_languages, n, width = pooled.shape
    scores = np.zeros((n_languages, width))
    for a in range(n_languages):
        unit = pooled[a] / np.linalg.norm(pooled[a], axis=1, keepdims=True)
        for i in range(n):
            for k in range(n):
                if i != k:
                    scores[a] += unit[i] * unit[k] / (n * (n - 1))
    return scores


def brute_z(scores):
    z = np.zeros_like(scores)
    for a in range(len(scores)):
        others = np.array([scores[b] for b in range(len(scores)) if b != a])
        for j in range(scores.shape[1]):
            deviation = np.sqrt(
                ((others[:, j] - others[:, j].mean()) ** 2).sum() / (len(others) - 1)
            )
            z[a, j] = (scores[a, j] - others[:, j].mean()) / deviation
    return z


def measured(pooled, **options):
    n_languages, n, _ = pooled.shape
    drawn = {
        "groups": unit_groups(n, 4, seed=0),
        "labels": exchanged_labels(n, n_languages, n=3, seed=0),
    }
    return key_neurons(pooled, **(drawn | options))


@pytest.fixture
def pooled(rng):
    return rng.standard_normal((4, 12, 9)) + rng.standard_normal((4, 1, 9))


def test_scores_and_z_are_brute_force(pooled):
    found = measured(pooled)
    np.testing.assert_allclose(found.z.T, brute_z(brute_scores(pooled)), rtol=1e-9)


def test_counts_are_those_of_the_threshold(pooled):
    for threshold in (0.5, 3.0):
        found = measured(pooled, threshold=threshold)
        assert found.n_key.tolist() == (found.z > threshold).sum(axis=0).tolist()
        assert (found.low <= found.n_key).all()
        assert (found.n_key <= found.high).all()


def test_the_population_score_never_passes_two_with_five_languages(rng):
    scores = rng.standard_normal((5, 4000)) ** 5
    population = (scores - scores.mean(0)) / scores.std(0)
    assert population.max() <= 2 + 1e-12
    assert leave_one_out_z(scores).max() > 20


def test_leave_one_out_z_is_students_t_for_exchangeable_scores(rng):
    from scipy import stats

    z = leave_one_out_z(rng.standard_normal((6, 20_000))) / np.sqrt(1 + 1 / 5)
    assert abs((z > 2).mean() - stats.t.sf(2, df=4)) < 0.004  # z of six languages depend a little


def test_a_planted_neuron_is_key_for_its_language_alone(rng):
    pooled = rng.standard_normal((8, 40, 30))
    pooled[2, :, 7] += 6
    found = measured(pooled, threshold=20.0)
    assert np.argwhere(found.z > 20).tolist() == [[7, 2]]
    assert found.n_key.tolist() == [0, 0, 1, 0, 0, 0, 0, 0]


def test_exchanged_labels_leave_a_planted_difference_at_the_null(rng):
    pooled = rng.standard_normal((6, 60, 200))
    pooled[0, :, :50] += 3
    found = measured(pooled, threshold=3.0)
    assert found.n_key[0] >= 45
    assert found.n_null < 20
    assert found.n_null <= found.n_null95 < found.n_key[0]


def test_identical_others_give_zero_or_infinity():
    scores = np.array([[1.0, 1.0], [1.0, 1.0], [1.0, 2.0]])
    z = leave_one_out_z(scores)
    assert z[:, 0].tolist() == [0, 0, 0]
    assert z[2, 1] == np.inf
    assert np.isfinite(z[:2]).all()


def test_scores_of_one_shared_direction_are_its_square():
    assert agreement_scores(np.array([5.0]), np.array([5.0]), 5).tolist() == [1.0]


def test_two_languages_are_refused(rng):
    with pytest.raises(InputError, match="at least 3 languages"):
        measured(rng.standard_normal((2, 6, 4)))


def test_groups_of_another_corpus_are_refused(pooled):
    with pytest.raises(InputError, match="drawn for 12 units"):
        measured(pooled, groups=unit_groups(10, 4, seed=0))
