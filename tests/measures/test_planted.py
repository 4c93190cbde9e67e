"""Planted data have what they promise, and nothing else."""

from __future__ import annotations

import numpy as np
import pytest

from probekit.errors import InputError
from probekit.measures import planted_pooled, pure_noise


def correlation(x, y):
    return np.corrcoef(x.ravel(), y.ravel())[0, 1]


def test_languages_share_meaning_only_in_shared_layers():
    layers = planted_pooled(3, 2, 200, d=20, shared_layers={1}, seed=0, noise=0.5)
    assert layers.shape == (3, 2, 200, 20)
    centred = layers - layers.mean(axis=2, keepdims=True)
    assert correlation(*centred[1]) == pytest.approx(1 / 1.25, abs=0.03)
    assert abs(correlation(*centred[0])) < 0.05
    offsets = layers.mean(axis=2)
    apart = np.linalg.norm(offsets[:, 0] - offsets[:, 1], axis=1)
    assert apart[1] < 0.2 * apart[[0, 2]].min()


def test_noise_sets_how_much_is_shared():
    quiet, loud = (
        planted_pooled(1, 2, 200, d=20, shared_layers=[0], seed=0, noise=v)[0] for v in (0.0, 2.0)
    )
    quiet = quiet - quiet.mean(axis=1, keepdims=True)
    assert quiet[0] == pytest.approx(quiet[1], abs=1e-12)
    loud = loud - loud.mean(axis=1, keepdims=True)
    assert correlation(*loud) == pytest.approx(0.2, abs=0.06)


def test_the_seed_decides():
    first, again, other = (
        planted_pooled(2, 2, 5, d=3, shared_layers=[0], seed=s) for s in (1, 1, 2)
    )
    assert (first == again).all()
    assert (first != other).any()
    assert (pure_noise(1, 2, 5, d=3, seed=1) != pure_noise(1, 2, 5, d=3, seed=2)).any()


def test_pure_noise_is_standard_normal_and_independent():
    layers = pure_noise(2, 3, 400, d=10, seed=0)
    assert layers.shape == (2, 3, 400, 10)
    assert layers.std() == pytest.approx(1, abs=0.02)
    assert abs(layers.mean()) < 0.02
    assert abs(correlation(layers[0, 0], layers[0, 1])) < 0.05
    assert abs(correlation(layers[0, 0], layers[1, 0])) < 0.05


@pytest.mark.parametrize("options", [{"shared_layers": [3]}, {"shared_layers": [-1]}])
def test_a_layer_that_does_not_exist_is_refused(options):
    with pytest.raises(InputError, match="shared_layers"):
        planted_pooled(3, 2, 5, d=4, seed=0, **options)


def test_negative_noise_is_refused():
    with pytest.raises(InputError, match="noise"):
        planted_pooled(3, 2, 5, d=4, seed=0, shared_layers=[0], noise=-0.1)
