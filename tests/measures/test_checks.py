"""Input is refused with the argument, the rule, the value and the place."""

from __future__ import annotations

import numpy as np
import pytest

from probekit.errors import InputError, NumericalError
from probekit.measures import alignment, bootstrap_weights, cka, permutations, region_scores

WEIGHTS = bootstrap_weights(10, n_resamples=4, seed=0)
ORDERS = permutations(10, n=4, seed=0)

MEASURES = {
    "cka": lambda pooled: cka(pooled, weights=WEIGHTS, permutations=ORDERS),
    "regions": lambda pooled: region_scores(pooled, weights=WEIGHTS),
    "alignment": lambda pooled: alignment(pooled, weights=WEIGHTS),
}
each_measure = pytest.mark.parametrize("measure", MEASURES.values(), ids=MEASURES.keys())


@each_measure
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_value_that_is_not_finite_is_named(measure, value, rng):
    pooled = rng.standard_normal((3, 10, 5))
    pooled[2, 7, 4] = value
    with pytest.raises(NumericalError, match=r"language 2.*Unit 7, feature 4"):
        measure(pooled)


@each_measure
@pytest.mark.parametrize("shape", [(10, 5), (1, 10, 5), (3, 1, 5), (3, 10, 0), (2, 3, 4, 5)])
def test_a_wrong_shape_is_refused(measure, shape):
    with pytest.raises(InputError, match="pooled must"):
        measure(np.ones(shape))


@each_measure
@pytest.mark.parametrize("dtype", [bool, complex, object])
def test_what_is_not_a_real_number_is_refused(measure, dtype):
    with pytest.raises(InputError, match="dtype"):
        measure(np.ones((3, 10, 5), dtype=dtype))


@each_measure
def test_float32_is_measured_in_float64(measure, rng):
    single = rng.standard_normal((3, 10, 5)).astype(np.float32)
    narrow, wide = measure(single), measure(single.astype(np.float64))
    for name, value in vars(wide).items():
        assert np.asarray(getattr(narrow, name)) == pytest.approx(np.asarray(value), abs=1e-13)


@each_measure
def test_input_is_left_as_it_was(measure, rng):
    pooled = rng.standard_normal((3, 10, 5))
    before = pooled.copy()
    measure(pooled)
    assert (pooled == before).all()


def test_cka_needs_four_units(rng):
    with pytest.raises(InputError, match="at least 4 units"):
        cka(rng.standard_normal((2, 3, 5)), weights=np.ones((2, 3)), permutations=ORDERS)


@pytest.mark.parametrize(
    "weights",
    [WEIGHTS[:, :9], WEIGHTS[0], WEIGHTS[:0], -WEIGHTS, np.eye(10), np.full((2, 10), np.nan)],
)
@each_measure
def test_weights_that_cannot_be_used_are_refused(measure, weights, rng, monkeypatch):
    monkeypatch.setitem(globals(), "WEIGHTS", weights)
    with pytest.raises(InputError, match="weights must"):
        measure(rng.standard_normal((3, 10, 5)))


@pytest.mark.parametrize("orders", [ORDERS[:, :9], ORDERS[:0], ORDERS[0], np.zeros((2, 10), int)])
def test_rows_that_are_no_permutation_are_refused(orders, rng):
    with pytest.raises(InputError, match="permutations must"):
        cka(rng.standard_normal((3, 10, 5)), weights=WEIGHTS, permutations=orders)
