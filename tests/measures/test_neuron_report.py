"""The whole report on counts with planted language neurons: truth found, null empty, sums kept."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from probekit.measures import bootstrap_weights
from probekit.measures.lape import language_neurons
from probekit.measures.neuron_report import FiringEvidence, measure_neurons
from probekit.measures.unit_groups import exchanged_labels, unit_groups

N_LAYERS, WIDTH, N_LANGUAGES, N_UNITS = 2, 300, 4, 24
SETTINGS = {"share": 0.02, "quantile": 0.95, "active_share": 0.5}


def simulate(rng):
    """Firing of every text, and the planted (layer, neuron, language); fertility differs."""
    rates = np.repeat(rng.uniform(0.05, 0.85, (N_LAYERS, WIDTH, 1)), N_LANGUAGES, axis=2)
    truth = set()
    for number, place in enumerate(rng.permutation(N_LAYERS * WIDTH)[:12]):
        rates[place // WIDTH, place % WIDTH] = 0.03
        rates[place // WIDTH, place % WIDTH, number % 4] = 0.95
        truth.add((place // WIDTH, place % WIDTH, number % 4))
    lengths = rng.integers(15, 25, (N_LANGUAGES, N_UNITS)) * np.array([1, 1, 2, 3])[:, None]
    fired = rng.binomial(lengths[:, :, None, None], np.moveaxis(rates, 2, 0)[:, None])
    return fired, lengths, truth


def evidence_of(fired, lengths, seed=0):
    """Sums by loops over texts, as the observer must make them."""
    groups = unit_groups(N_UNITS, 8, seed=seed)
    labels = exchanged_labels(N_UNITS, N_LANGUAGES, n=4, seed=seed)
    by_group = np.zeros((8, N_LAYERS, N_LANGUAGES, WIDTH), dtype=np.int64)
    exchanged = np.zeros((4, N_LAYERS, N_LANGUAGES, WIDTH), dtype=np.int64)
    for a in range(N_LANGUAGES):
        for i in range(N_UNITS):
            by_group[groups[i], :, a] += fired[a, i]
            for r in range(4):
                exchanged[r, :, labels[r, i, a]] += fired[a, i]
    active = fired >= 0.5 * lengths[:, :, None, None]
    n = active.sum(axis=0)
    inner = (n > 1) & (n < N_LANGUAGES)
    types = np.stack([(n == 0).sum(2), (n == 1).sum(2), inner.sum(2), (n == 4).sum(2)], axis=-1)
    counts = SimpleNamespace(
        by_group=by_group,
        exchanged=exchanged,
        active=np.moveaxis(active.sum(axis=1), 0, 1),
        types=np.moveaxis(types, 0, 1),
    )
    return FiringEvidence.of(counts, lengths, groups=groups, labels=labels)


@pytest.fixture(scope="module")
def simulated():
    return simulate(np.random.default_rng(5))


@pytest.fixture(scope="module")
def evidence(simulated):
    return evidence_of(*simulated[:2])


@pytest.fixture(scope="module")
def found(evidence):
    weights = bootstrap_weights(N_UNITS, n_resamples=50, seed=0)
    return measure_neurons(evidence, weights=weights, **SETTINGS)


def test_planted_neurons_are_found_and_the_null_is_empty(simulated, found):
    truth = simulated[2]
    got = {tuple(int(k) for k in where) for where in np.argwhere(found["belongs"])}
    assert len(got & truth) / len(truth) >= 0.95
    assert len(got & truth) / len(got) >= 0.95
    assert found["n_selected_null"].sum() == 0
    assert found["n_neurons_null95"].max() == 0
    assert (found["cutoff_null"] > found["cutoff"]).all()


def test_without_planted_neurons_the_null_is_as_large_as_the_selection(rng):
    rates = rng.uniform(0.05, 0.95, (1, 1, N_LAYERS, WIDTH))
    lengths = rng.integers(15, 25, (N_LANGUAGES, N_UNITS))
    shape = (N_LANGUAGES, N_UNITS, N_LAYERS, WIDTH)
    fired = rng.binomial(lengths[:, :, None, None], np.broadcast_to(rates, shape))
    weights = bootstrap_weights(N_UNITS, n_resamples=20, seed=0)
    found = measure_neurons(evidence_of(fired, lengths), weights=weights, **SETTINGS)
    selected = found["n_selected"].sum()
    assert selected == 12
    assert 0.4 < found["n_selected_null"].sum() / selected < 2.5


def test_totals_do_not_depend_on_the_groups(simulated, found):
    fired, lengths, _ = simulated
    weights = bootstrap_weights(N_UNITS, n_resamples=20, seed=0)
    other = measure_neurons(evidence_of(fired, lengths, seed=9), weights=weights, **SETTINGS)
    for name in ("count", "rate", "entropy", "belongs", "silent", "jaccard", "n_tokens"):
        assert np.array_equal(found[name], other[name]), name
    assert not np.array_equal(found["rate_error"], other["rate_error"])
    expected = np.moveaxis(fired.sum(axis=1), 0, 2)
    assert np.array_equal(found["count"], expected)


def test_rates_lie_within_their_errors_of_the_truth(simulated, evidence, found):
    plain = language_neurons(evidence.rates(), share=0.02)
    assert np.array_equal(plain.belongs, found["belongs"])
    spread = found["rate_error"] / np.sqrt(found["rate"] * (1 - found["rate"]) / found["n_tokens"])
    assert 0.8 < np.median(spread) < 1.2  # binomial tokens: the textbook error


def test_tokens_add_up(simulated, evidence, found):
    lengths = simulated[1]
    assert np.array_equal(found["n_tokens"], lengths.sum(axis=1))
    np.testing.assert_allclose(found["tokens_per_unit"], lengths.mean(axis=1))
    assert (evidence.exchanged_tokens.sum(axis=1) == lengths.sum()).all()


def test_estimates_lie_in_their_intervals(found):
    for low in (name for name in found if name.endswith("_low")):
        name = low.removesuffix("_low")
        assert (found[low] <= found[name] + 1e-12).all(), name
        assert (found[name] <= found[f"{name}_high"] + 1e-12).all(), name


def test_stability_is_far_above_chance_for_planted_neurons(found):
    assert (found["stability"] > 0.8).all()
    assert (found["stability_chance"] < 0.1).all()


def test_share_quantile_and_active_share_change_the_result(evidence, found):
    weights = bootstrap_weights(N_UNITS, n_resamples=20, seed=0)
    for name, value, touched in (
        ("share", 0.05, "belongs"),
        ("quantile", 0.7, "bar"),
        ("active_share", 0.9, "jaccard"),
    ):
        other = measure_neurons(evidence, weights=weights, **(SETTINGS | {name: value}))
        assert not np.array_equal(found[touched], other[touched]), name
