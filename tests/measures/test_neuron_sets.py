"""Jaccard against Python's sets, and its chance level against draws."""

from __future__ import annotations

import numpy as np

from probekit.measures.neuron_sets import agreement, chance_jaccard, jaccard, pair_mean


def plain(a, b):
    a, b = set(np.flatnonzero(a)), set(np.flatnonzero(b))
    return len(a & b) / len(a | b) if a | b else 0.0


def test_jaccard_is_that_of_sets(rng):
    flags = rng.random((3, 40, 4)) < 0.3
    flags[1, :, 2] = False
    found = jaccard(flags)
    for layer in range(3):
        for a in range(4):
            for b in range(4):
                expected = plain(flags[layer, :, a], flags[layer, :, b])
                assert found[layer, a, b] == expected
    assert found[0, 1, 1] == 1.0
    assert found[1, 2, 2] == 0.0  # two empty sets share nothing


def test_pair_mean_leaves_the_diagonal_out():
    table = np.array([[1.0, 0.2, 0.4], [0.2, 1.0, 0.6], [0.4, 0.6, 1.0]])
    np.testing.assert_allclose(pair_mean(table), 0.4)


def test_chance_is_the_jaccard_of_random_sets_of_the_same_sizes(rng):
    flags = np.zeros((500, 2), dtype=bool)
    flags[:100, 0] = flags[:50, 1] = True
    drawn = [jaccard(np.stack([rng.permutation(c) for c in flags.T], 1))[0, 1] for _ in range(400)]
    expected = chance_jaccard(flags)[0, 1]
    assert expected == 10 / 140
    assert abs(np.mean(drawn) - expected) < 4 * np.std(drawn) / 20 + 0.001  # a ratio's own bias


def test_agreement_of_a_selection_with_itself_and_with_another(rng):
    flags = rng.random((3, 50, 4)) < 0.2
    flags[..., 3] = False
    found, chance = agreement(flags, flags)
    assert found.tolist() == [1.0, 1.0, 1.0, 0.0]
    assert (chance[:3] > 0).all()
    assert (chance < 0.3).all()
    found, _ = agreement(flags, ~flags)
    assert found.tolist() == [0.0] * 4
