"""One probe is scikit-learn's pipeline of StandardScaler and LogisticRegression."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from probekit.errors import InputError, NumericalError
from probekit.measures.probing import fit_logistic
from tests.measures.probing.planted import problem


def reference(X, y, C):
    scaler = StandardScaler().fit(X)
    model = LogisticRegression(C=C, tol=1e-10, max_iter=50_000)
    return scaler, model.fit(scaler.transform(X), y)


@pytest.mark.parametrize("C", [1e-3, 0.1, 1.0, 30.0])
@pytest.mark.parametrize("n_classes", [2, 3, 5])
@pytest.mark.parametrize("d", [8, 150], ids=["n > d", "n < d"])
def test_it_agrees_with_scikit_learn(d, n_classes, C):
    vectors, y = problem(1, 90, d, n_classes=n_classes, strength=1.0, seed=d)
    found = fit_logistic(vectors[0], y, penalty=C)
    scaler, model = reference(vectors[0], y, C)
    assert found.coef.shape == model.coef_.shape
    scale = np.abs(model.coef_).max()
    assert np.abs(found.coef - model.coef_).max() < 1e-3 * scale
    assert np.abs(found.intercept - model.intercept_).max() < 1e-3
    assert np.allclose(found.mean, scaler.mean_)
    assert np.allclose(found.scale, scaler.scale_)


def test_unbalanced_classes_move_the_intercept_as_in_scikit_learn():
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((80, 5)), (np.arange(80) < 12).astype(int)
    _, model = reference(X, y, 0.01)
    assert abs(model.intercept_[0]) > 1  # a penalised intercept would be near 0
    assert fit_logistic(X, y, penalty=0.01).intercept == pytest.approx(model.intercept_, abs=1e-4)


def test_a_constant_feature_has_scale_one_and_weight_zero():
    vectors, y = problem(1, 40, 6)
    X = vectors[0].copy()
    X[:, 5] = 7.25
    found = fit_logistic(X, y)
    assert found.scale[5] == 1.0
    assert np.abs(found.coef[:, 5]).max() < 1e-8


def test_scaling_and_shifting_features_changes_nothing_that_is_predicted():
    vectors, y = problem(1, 40, 6)
    X = vectors[0]
    other = X * np.array([1e3, 1e-3, 1, 5, 1, 1]) + 100
    assert np.allclose(fit_logistic(X, y).coef, fit_logistic(other, y).coef, atol=1e-4)


def test_the_gradient_is_zero_at_the_solution():
    vectors, y = problem(1, 50, 7, n_classes=4)
    found = fit_logistic(vectors[0], y, penalty=0.5)
    Z = (vectors[0] - found.mean) / found.scale
    scores = Z @ found.coef.T + found.intercept
    chances = np.exp(scores - scores.max(1, keepdims=True))
    chances /= chances.sum(1, keepdims=True)
    residual = chances - np.eye(4)[y]
    assert np.abs(residual.T @ Z + found.coef / 0.5).max() < 1e-4
    assert np.abs(residual.sum(0)).max() < 1e-4


@pytest.mark.parametrize(
    ("y", "C", "said"),
    [
        ([0, 0, 0, 0], 1.0, "two or more"),
        ([0, 2, 0, 2], 1.0, "0 … K - 1"),
        ([0, 1, 0], 1.0, "one class in y each"),
        ([0, 1, 0, 1], 0.0, "above 0"),
    ],
)
def test_what_cannot_be_fitted_is_refused(y, C, said):
    with pytest.raises(InputError, match=said):
        fit_logistic(np.eye(4), np.array(y), penalty=C)


def test_nan_is_named():
    X = np.eye(4)
    X[2, 1] = np.nan
    with pytest.raises(NumericalError, match="Unit 2, feature 1"):
        fit_logistic(X, np.array([0, 1, 0, 1]))
