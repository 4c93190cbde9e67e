"""LAPE against closed forms, against a plain reading of the paper's rule, and planted neurons."""

from __future__ import annotations

import numpy as np
import pytest

from probekit.errors import InputError
from probekit.measures.lape import (
    below_cutoff,
    firing_rates,
    language_entropy,
    language_neurons,
    rate_bar,
)


def by_the_paper(rates, share, quantile):
    """The rule of the released code, loops instead of arrays: sets of (layer, neuron, language)."""
    n_layers, width, n_languages = rates.shape
    every = sorted(float(p) for p in rates.ravel())
    bar = every[round(len(every) * quantile) - 1]
    scored = []
    for layer in range(n_layers):
        for neuron in range(width):
            p = rates[layer, neuron]
            if not any(value > bar for value in p):
                continue
            shares = p / p.sum()
            entropy = -sum(float(s) * np.log(s) for s in shares if s > 0)
            scored.append((entropy, layer, neuron))
    scored.sort()
    kept = scored[: round(n_layers * width * share)]
    return {
        (layer, neuron, a)
        for _, layer, neuron in kept
        for a in range(n_languages)
        if rates[layer, neuron, a] > bar
    }


def planted(rng, *, width=400, n_languages=6, per_language=2):
    """Three layers of neurons that fire for all alike, and some for one language only."""
    rates = rng.uniform(0.05, 0.9, (3, width, 1)) * rng.uniform(0.9, 1.0, (3, width, n_languages))
    places = rng.permutation(3 * width)[: per_language * n_languages]
    for number, place in enumerate(places):
        own = number % n_languages
        rates[place // width, place % width] = 0.02
        rates[place // width, place % width, own] = 0.97
    return rates, {(p // width, p % width, n % n_languages) for n, p in enumerate(places)}


def found_set(flags):
    return {tuple(int(k) for k in where) for where in np.argwhere(flags)}


def test_equal_rates_have_entropy_ln_l_and_one_language_has_zero():
    rates = np.array([[0.3] * 7, [0, 0, 0.4, 0, 0, 0, 0], [0.0] * 7])
    np.testing.assert_allclose(language_entropy(rates), [np.log(7), 0, np.log(7)], atol=1e-15)


def test_entropy_does_not_depend_on_how_often_a_neuron_fires(rng):
    rates = rng.uniform(0, 0.5, (4, 6))
    np.testing.assert_allclose(language_entropy(rates), language_entropy(rates / 3))
    assert not np.allclose(language_entropy(rates), language_entropy(rates**2))


@pytest.mark.parametrize(("share", "quantile"), [(0.01, 0.95), (0.05, 0.9)])
def test_selection_is_the_released_rule(rng, share, quantile):
    rates = rng.beta(0.3, 1.0, (4, 150, 6))
    found = language_neurons(rates, share=share, quantile=quantile)
    assert found_set(found.belongs) == by_the_paper(rates, share, quantile)
    assert found.selected.sum() == round(share * 600)
    assert (found.selected == found.belongs.any(axis=2)).all()


def test_by_layer_is_the_rule_within_each_layer(rng):
    rates = rng.beta(0.3, 1.0, (3, 200, 4)) * np.array([1, 0.3, 0.1])[:, None, None]
    found = language_neurons(rates, by_layer=True)
    for layer in range(3):
        one = by_the_paper(rates[layer : layer + 1], 0.01, 0.95)
        assert found_set(found.belongs[layer]) == {(j, a) for _, j, a in one}
    assert found.selected.sum(axis=1).tolist() == [2, 2, 2]
    assert language_neurons(rates).selected[2].sum() == 0  # rare firing never reaches the model's
    assert len(set(found.bar)) == 3
    assert len(set(language_neurons(rates).bar)) == 1


def test_a_language_without_neurons_stays(rng):
    rates = rng.beta(0.3, 1.0, (2, 200, 4))
    rates[..., 3] = 0.01
    found = language_neurons(rates)
    assert found.belongs.shape == (2, 200, 4)
    assert found.belongs[..., 3].sum() == 0
    assert found.belongs[..., :3].sum() > 0


def test_silent_neurons_are_never_selected():
    rates = np.zeros((1, 100, 3))
    rates[0, 7] = (0.9, 0.1, 0.1)
    found = language_neurons(rates, share=0.1)
    assert found_set(found.selected) == {(0, 7)}
    nothing = language_neurons(np.full((1, 100, 3), 0.5))
    assert nothing.selected.sum() == 0
    assert nothing.cutoff[0] == -np.inf


def test_planted_neurons_are_found(rng):
    rates, truth = planted(rng)
    found = found_set(language_neurons(rates).belongs)
    assert len(truth) == round(0.01 * 1200)
    assert len(found & truth) / len(truth) >= 0.95
    assert len(found & truth) / len(found) >= 0.95


def test_thresholds_select_nothing_when_planted_neurons_are_mixed(rng):
    rates, _ = planted(rng)
    found = language_neurons(rates)
    mixed = np.broadcast_to(rates.mean(axis=2, keepdims=True), rates.shape)
    assert below_cutoff(mixed, found).sum() == 0
    assert np.array_equal(below_cutoff(rates, found), found.belongs)


def test_the_bar_is_an_order_statistic(rng):
    values = rng.permutation(np.arange(1.0, 101.0))
    assert rate_bar(values, 0.95) == 95.0
    assert rate_bar(values[:1], 0.95) == values[0]


def test_rates_are_counts_over_tokens():
    rates = firing_rates(np.array([[2, 0], [4, 3]]), np.array([4, 6]))
    np.testing.assert_allclose(rates, [[0.5, 0], [1, 0.5]])


@pytest.mark.parametrize("n_tokens", [[0, 3], [3], [3, 1]])
def test_counts_that_do_not_fit_their_tokens_are_refused(n_tokens):
    with pytest.raises(InputError):
        firing_rates(np.array([[1, 2]]), np.array(n_tokens))


@pytest.mark.parametrize("options", [{"share": 0.0}, {"share": 1.0}, {"quantile": 1.5}])
def test_parameters_outside_their_domain_are_refused(options):
    with pytest.raises(InputError, match=r"must lie in \(0, 1\)"):
        language_neurons(np.full((1, 2, 2), 0.5), **options)


def test_one_language_is_refused():
    with pytest.raises(InputError, match="n_languages >= 2"):
        language_neurons(np.zeros((2, 3, 1)))
