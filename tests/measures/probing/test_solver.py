"""The batched solver: every problem of a batch is solved as if alone."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from probekit.measures.probing.basis import standardised_basis
from probekit.measures.probing.solver import Problems, solve


def batch(*, n_sets=3, n=40, d=10, n_problems=4, n_classes=3, dtype=torch.float64, seed=0):
    rng = np.random.default_rng(seed)
    vectors = torch.from_numpy(rng.standard_normal((n_sets, n, d))).to(dtype)
    rows = torch.ones(n_sets, n, dtype=dtype)
    labels = torch.from_numpy(rng.integers(0, n_classes, (n_sets, n, n_problems)))
    penalty = torch.from_numpy(10.0 ** rng.uniform(-1.5, 3, (n_sets, n_problems))).to(dtype)
    return vectors, rows, labels, penalty


def problems(vectors, rows, labels, penalty, **options):
    basis = standardised_basis(vectors, rows)
    n_classes = options.pop("n_classes", 3)
    return Problems(
        basis.features, basis.spectrum, basis.rows, labels, penalty, n_classes, **options
    )


@pytest.mark.parametrize("d", [10, 70])
def test_a_batch_gives_what_single_problems_give(d):
    vectors, rows, labels, penalty = batch(d=d)
    together = solve(problems(vectors, rows, labels, penalty), tolerance=1e-6)
    assert bool(together.converged.all())
    for s in range(3):
        for p in range(4):
            part = (vectors[s : s + 1], rows[s : s + 1], labels[s : s + 1, :, p : p + 1])
            alone = solve(problems(*part, penalty[s : s + 1, p : p + 1]), tolerance=1e-6)
            difference = together.weights[s, :, :, p] - alone.weights[0, :, :, 0]
            size = alone.weights.abs().max()
            # eigenvectors are the same arrays, so weights compare coordinate by coordinate
            assert float(difference.abs().max()) < 1e-5 * float(size)


def test_padded_rows_count_for_nothing():
    vectors, rows, labels, penalty = batch(n_sets=1, n=30, d=6)
    plain = solve(problems(vectors, rows, labels, penalty), tolerance=1e-7)
    more = torch.cat([vectors, torch.full((1, 5, 6), torch.nan, dtype=torch.float64)], dim=1)
    there = torch.cat([rows, torch.zeros(1, 5, dtype=torch.float64)], dim=1)
    said = torch.cat([labels, torch.zeros(1, 5, 4, dtype=torch.long)], dim=1)
    padded_basis = standardised_basis(more, there)
    padded = solve(problems(more, there, said, penalty), tolerance=1e-7)
    basis = standardised_basis(vectors, rows)
    one = basis.lift(plain.weights.flatten(2))
    other = padded_basis.lift(padded.weights.flatten(2))
    assert torch.allclose(one, other, atol=1e-6)
    assert torch.allclose(plain.intercept, padded.intercept, atol=1e-6)


def test_a_start_changes_the_steps_and_not_the_end():
    given = problems(*batch(n_sets=2))
    cold = solve(given, tolerance=1e-6)
    warm = solve(given, tolerance=1e-6, start=cold)
    assert warm.n_steps < cold.n_steps
    assert torch.allclose(warm.weights, cold.weights, atol=1e-5)


def test_float32_agrees_with_float64():
    vectors, rows, labels, penalty = batch(d=60)
    double = standardised_basis(vectors, rows)
    single = standardised_basis(vectors.float(), rows.float())
    exact = solve(problems(vectors, rows, labels, penalty))
    rough = solve(problems(vectors.float(), rows.float(), labels, penalty.float()))
    one, other = (
        basis.lift(found.weights.flatten(2)).double()
        for basis, found in ((double, exact), (single, rough))
    )
    assert float((one - other).abs().max()) < 2e-3 * float(one.abs().max())


def test_weights_of_the_classes_sum_to_zero():
    found = solve(problems(*batch()))
    assert float(found.weights.sum(2).abs().max()) < 1e-8
    assert float(found.intercept.sum(1).abs().max()) < 1e-8


def test_a_penalised_intercept_is_smaller_than_a_free_one():
    vectors, rows, labels, penalty = batch(n_sets=1, n_problems=1)
    labels = (labels > 1).long()
    given = (vectors, rows, labels, torch.full_like(penalty, 1e3))
    free = solve(problems(*given, n_classes=2))
    held = solve(problems(*given, n_classes=2, intercept_penalty=50.0))
    assert float(held.intercept.abs().max()) < 0.7 * float(free.intercept.abs().max())


def test_too_few_steps_are_said():
    found = solve(problems(*batch()), tolerance=1e-9, max_steps=2)
    assert not bool(found.converged.all())
    assert found.n_steps == 2


@pytest.mark.parametrize("shape", [(30, 8), (12, 40)])
def test_the_basis_rotates_standardised_vectors(shape):
    rng = np.random.default_rng(1)
    X = rng.standard_normal(shape) * 3 + 5
    basis = standardised_basis(torch.from_numpy(X)[None], torch.ones(1, shape[0]).double())
    Z = (X - X.mean(0)) / X.std(0)
    features = basis.features[0].numpy()
    assert np.allclose(features @ features.T, Z @ Z.T, atol=1e-9)
    assert np.allclose(features.T @ features, np.diag(basis.spectrum[0].numpy()), atol=1e-9)
    weights = torch.from_numpy(rng.standard_normal((1, features.shape[1], 2)))
    weights *= (basis.spectrum > 0)[..., None]
    assert np.allclose(Z @ basis.lift(weights)[0].numpy(), features @ weights[0].numpy(), atol=1e-8)
