"""IsoScore: one for a ball and zero for a line, whatever the number of units."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import ortho_group

from probekit.errors import InputError, NumericalError
from probekit.measures import bootstrap_weights, isotropy, pure_noise
from probekit.measures.isotropy import plug_in_ceiling


def measure(pooled, n_resamples=60):
    return isotropy(
        pooled, weights=bootstrap_weights(pooled.shape[1], n_resamples=n_resamples, seed=0)
    )


@pytest.mark.parametrize(("n", "d"), [(400, 10), (60, 40), (30, 100)])
def test_a_ball_is_one_even_with_fewer_units_than_dimensions(n, d):
    result = measure(pure_noise(1, 8, n, d=d, seed=0)[0])
    assert result.isoscore_mean == pytest.approx(1, abs=0.06)
    assert result.participation_mean == pytest.approx(d, rel=0.06)


def test_a_line_is_zero(rng):
    line = rng.standard_normal((2, 30, 1)) * rng.standard_normal((2, 1, 12)) + 4
    result = measure(line)
    assert result.isoscore == pytest.approx([0, 0], abs=0.02)
    assert result.participation_ratio == pytest.approx([1, 1], abs=0.2)


def test_a_known_spectrum(rng):
    """Variances 4, 1, 1: (Σ v)² / Σ v² = 36 / 18."""
    pooled = rng.standard_normal((2, 3000, 3)) * np.array([2.0, 1, 1])
    result = measure(pooled, n_resamples=20)
    assert result.participation_mean == pytest.approx(2, rel=0.05)
    assert result.isoscore_mean == pytest.approx(0.5, abs=0.05)


def test_the_square_of_the_covariance_is_an_average_over_quadruples(rng):
    from itertools import permutations as arranged

    x = rng.standard_normal((1, 6, 3)) + 2
    quads = list(arranged(range(6), 4))
    square = np.mean([((x[0, i] - x[0, j]) @ (x[0, q] - x[0, r])) ** 2 for i, j, q, r in quads])
    trace = np.mean([np.square(x[0, i] - x[0, j]).sum() / 2 for i, j in arranged(range(6), 2)])
    assert measure(x).participation_ratio[0] == pytest.approx(trace**2 / (square / 4))


def test_resamples_never_pair_a_unit_with_itself(rng):
    """Weights of 0 and 1 are the same as leaving units out."""
    x = rng.standard_normal((1, 12, 5))
    weights = np.ones((1, 12), dtype=int)
    weights[0, [2, 7]] = 0
    module_ratio = measure(np.delete(x, [2, 7], axis=1)).participation_ratio[0]
    from probekit.measures.isotropy import _participation

    assert _participation(x[0], weights.astype(float), language=0)[0] == pytest.approx(module_ratio)


def test_rotation_scale_and_offset_change_nothing(aligned):
    turned = 1e-3 * aligned @ ortho_group.rvs(12, random_state=0) + 9
    plain, moved = measure(aligned), measure(turned)
    for name, value in vars(plain).items():
        assert getattr(moved, name) == pytest.approx(value, rel=1e-6), name


def test_intervals_contain_the_estimate_and_cover_the_truth():
    covered = 0
    for seed in range(40):
        result = measure(pure_noise(1, 2, 60, d=6, seed=seed)[0], n_resamples=100)
        assert (result.isoscore_low <= result.isoscore).all()
        assert (result.isoscore <= result.isoscore_high).all()
        assert result.isoscore_mean_low < result.isoscore_mean < result.isoscore_mean_high
        covered += result.participation_low[0] <= 6 <= result.participation_high[0]
    assert covered >= 32


def test_the_plug_in_ceiling_is_where_sample_covariances_end():
    rng = np.random.default_rng(0)
    clouds = rng.standard_normal((200, 20, 30))
    spectra = [np.linalg.eigvalsh(np.cov(cloud.T)) for cloud in clouds]
    shown = np.mean([s.sum() ** 2 for s in spectra]) / np.mean([(s**2).sum() for s in spectra])
    assert plug_in_ceiling(20, 30) == pytest.approx(shown, rel=0.01)
    assert plug_in_ceiling(20, 30) < 20
    assert measure(clouds[:1]).plug_in_ceiling == plug_in_ceiling(20, 30)


def test_what_has_no_dimensionality_is_refused(rng):
    pooled = rng.standard_normal((2, 10, 4))
    with pytest.raises(InputError, match="at least 2 features"):
        measure(pooled[:, :, :1])
    with pytest.raises(InputError, match="at least 4 units"):
        isotropy(pooled[:, :3], weights=np.ones((2, 3)))
    pooled[1] = 1.0
    pooled[1, 3] = 2.0
    with pytest.raises(NumericalError, match="language 1, where at most one unit differs"):
        measure(pooled)
