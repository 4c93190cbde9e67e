"""CKA between layers: its diagonal is CKA, planted layers are found, noise stays at the null."""

from __future__ import annotations

import numpy as np
import pytest

from probekit.errors import InputError, NumericalError
from probekit.measures import bootstrap_weights, cka, linear_cka, permutations
from probekit.measures.biased_cka import biased_chance
from probekit.measures.layer_cka import layer_cka

N = 40
WEIGHTS = bootstrap_weights(N, n_resamples=200, seed=1)
ORDERS = permutations(N, n=200, seed=1)


def rng(seed=0):
    return np.random.default_rng(seed)


def layers(seed=0, shape=(3, N, 12), n=3):
    """Languages share half of what each layer is."""
    return [
        rng(seed + k).normal(size=(1, *shape[1:])) + 0.7 * rng(seed + 9 + k).normal(size=shape)
        for k in range(n)
    ]


def measured(given, **options):
    known = {"n_layers": len(given), "weights": WEIGHTS, "permutations": ORDERS}
    return layer_cka(iter(given), **known | options)


def test_every_cell_is_the_cka_of_two_layers():
    given = layers()
    found = measured(given)
    for row, one in enumerate(given):
        for column, two in enumerate(given):
            expected = [[linear_cka(a, b) for b in two] for a in one]
            assert found.pairs[row, column] == pytest.approx(np.array(expected), abs=1e-6)
    off = ~np.eye(3, dtype=bool)
    assert found.across == pytest.approx(found.pairs[:, :, off].mean(axis=-1))
    assert found.within == pytest.approx(found.pairs[:, :, ~off].mean(axis=-1))
    assert np.diag(found.within) == pytest.approx(1)


def test_its_diagonal_is_cka_with_its_interval():
    given = layers()
    found = measured(given)
    for row, pooled in enumerate(given):
        same = cka(pooled, weights=WEIGHTS, permutations=ORDERS)
        assert found.across[row, row] == pytest.approx(same.mean, abs=1e-6)
        # one weighs influences, the other resamples: first order alike
        assert found.across_low[row, row] == pytest.approx(same.mean_low, abs=0.05)
        assert found.across_high[row, row] == pytest.approx(same.mean_high, abs=0.05)
        assert found.pairs_low[row, row] == pytest.approx(same.pair_low, abs=0.08)


def test_a_language_that_is_a_layer_ahead_is_found():
    one, two, three, four = layers(n=4, shape=(1, N, 12))
    found = measured([np.concatenate(pair) for pair in ((one, two), (two, three), (three, four))])
    assert found.pairs[1:, :, 0, 1].argmax(axis=1).tolist() == [0, 1]
    assert found.pairs[:2, :, 1, 0].argmax(axis=1).tolist() == [1, 2]
    assert found.pairs[1, 0, 0, 1] == pytest.approx(1)
    assert np.array_equal(found.pairs[0, 2], found.pairs[2, 0].T)


def test_rotations_and_scales_change_nothing():
    given = layers()
    turn = np.linalg.qr(rng(5).normal(size=(12, 12)))[0]
    turned = [given[0], 7 * given[1] @ turn + 3, given[2]]
    assert measured(turned).pairs == pytest.approx(measured(given).pairs, abs=1e-6)


def test_unrelated_layers_stay_at_their_null():
    noise = [rng(k).normal(size=(4, N, 30)) for k in range(3)]
    found = measured(noise)
    assert np.abs(found.across).max() < 0.08
    assert (found.across <= found.across_null95 + 0.05).all()
    shared = measured(layers())
    assert (np.diag(shared.across) > 5 * np.diag(shared.across_null95)).all()


def test_few_units_are_read_where_asked_and_the_result_says_so():
    given = layers()
    found = measured(given, max_units=10)
    assert found.n_units == 10
    chosen = np.linspace(0, N - 1, 10).round().astype(int)
    expected = linear_cka(given[0][0, chosen], given[2][1, chosen])
    assert found.pairs[0, 2, 0, 1] == pytest.approx(expected, abs=1e-6)


def test_pairs_are_left_out_where_they_are_many(monkeypatch):
    monkeypatch.setattr("probekit.measures.layer_cka.MAX_PAIR_CELLS", 80)
    given = layers()
    assert measured(given).pairs.size == 0
    monkeypatch.setattr("probekit.measures.layer_cka.MAX_CELLS", 9 * 20**2)
    assert measured(given).n_units == 20


def test_what_cannot_be_measured_is_refused():
    given = layers()
    with pytest.raises(InputError, match=r"max_units must be at least 4\. Got 3"):
        measured(given, max_units=3)
    with pytest.raises(InputError, match=r"n_layers must be the number of layers, 3\. Got 4"):
        measured(given, n_layers=4)
    given[2][1] = 5.0
    with pytest.raises(NumericalError, match="language 1 at layer 1"):
        measured(given)


def test_biased_chance_is_the_mean_over_permutations():
    pooled = layers(shape=(2, 24, 30))[0]
    draws = [
        linear_cka(pooled[0], pooled[1][rng(k).permutation(24)], debiased=False) for k in range(400)
    ]
    spread = np.std(draws) / 20
    assert biased_chance(pooled) == pytest.approx(np.mean(draws), abs=4 * spread)


def test_biased_chance_of_isotropic_noise_is_about_d_over_d_plus_n():
    noise = rng().normal(size=(3, 200, 50))
    assert biased_chance(noise) == pytest.approx(50 / 250, rel=0.03)
    batched = biased_chance(noise, max_units=100)
    assert batched == pytest.approx(50 / 150, rel=0.03)


def test_biased_chance_refuses_a_constant_language():
    pooled = layers()[0]
    pooled[2] = 1.0
    with pytest.raises(NumericalError, match="Language 2 is constant"):
        biased_chance(pooled)
