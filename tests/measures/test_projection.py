"""Coordinates are principal components: variances, signs, and scikit-learn as the reference."""

from __future__ import annotations

import numpy as np
import pytest

from probekit.errors import InputError, NumericalError
from probekit.measures.projection import project


@pytest.fixture(params=[12, 90])
def layer(request, rng):
    """Below and above the width from which components are sought one by one."""
    d = request.param
    stretched = rng.standard_normal((3, 40, d)) * np.r_[6, 3, np.ones(d - 2)]
    return stretched @ np.linalg.qr(rng.standard_normal((d, d)))[0] + rng.standard_normal((3, 1, d))


@pytest.mark.parametrize("centred", [False, True])
def test_it_is_scikit_learns_pca(layer, centred):
    from sklearn.decomposition import PCA

    result = project(layer, centred=centred)
    points = layer - layer.mean(axis=1, keepdims=True) if centred else layer
    reference = PCA(2, svd_solver="full").fit(points.reshape(-1, layer.shape[2]))
    found = result.coordinates.reshape(-1, 2)
    expected = reference.transform(points.reshape(-1, layer.shape[2]))
    assert np.abs(found) == pytest.approx(np.abs(expected), abs=1e-8)
    assert result.explained == pytest.approx(reference.explained_variance_ratio_)


def test_the_heaviest_feature_of_a_component_is_positive(layer):
    for points in (layer, -layer):
        coordinates = project(points, centred=False).coordinates.reshape(-1, 2)
        moved = (points - points.mean(axis=(0, 1))).reshape(-1, layer.shape[2])
        axes = moved.T @ coordinates
        assert (axes[np.abs(axes).argmax(axis=0), [0, 1]] > 0).all()


def test_equal_data_gives_equal_bytes(layer):
    first, again = (project(layer.copy(), centred=True) for _ in range(2))
    assert first.coordinates.tobytes() == again.coordinates.tobytes()


def test_centring_takes_the_languages_apart_from_the_map(rng):
    pooled = rng.standard_normal((3, 40, 40)) + 9 * rng.standard_normal((3, 1, 40))
    raw, centred = (project(pooled, centred=c) for c in (False, True))
    between = [np.var(p.coordinates.mean(axis=1), axis=0).sum() for p in (raw, centred)]
    assert between[0] > 10
    assert between[1] == pytest.approx(0, abs=1e-16)


def test_axes_are_language_unit_component(rng):
    pooled = rng.standard_normal((2, 7, 50))
    result = project(pooled, centred=False, n_components=3)
    assert result.coordinates.shape == (2, 7, 3)
    assert (np.diff(result.explained) <= 0).all()
    swapped = project(pooled[::-1], centred=False, n_components=3)
    assert swapped.coordinates[::-1] == pytest.approx(result.coordinates, abs=1e-8)


def test_bad_input_is_named(rng):
    with pytest.raises(InputError, match=r"between 1 and 4\. Got 5"):
        project(rng.standard_normal((2, 8, 5)), centred=False, n_components=5)
    with pytest.raises(NumericalError, match="All vectors are equal"):
        project(np.full((2, 8, 5), 3.3), centred=False)
