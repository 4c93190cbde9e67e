"""The figure of pure noise shows the numbers it is given, against the truth."""

from __future__ import annotations

import pytest

from probekit.errors import InputError
from probekit.figures.noise import noise_by_units


def test_every_estimate_is_a_curve_against_zero():
    figure = noise_by_units((20, 50), {"biased": (0.9, 0.7), "debiased": (0.0, 0.01)}, width=640)
    biased, debiased, truth = figure.data
    assert (biased.name, list(biased.x), list(biased.y)) == ("biased", [20, 50], [0.9, 0.7])
    assert list(debiased.y) == [0.0, 0.01]
    assert biased.text[0] == "0.900, n = 20"
    assert not any(truth.y)
    assert "width 640 · one draw, so no interval" in figure.layout.annotations[0].text


@pytest.mark.parametrize("estimates", [{"biased": (0.9,)}, {}, {str(at): (1, 2) for at in "abcde"}])
def test_what_cannot_be_drawn_is_refused(estimates):
    with pytest.raises(InputError, match="estimates must be 1 to 4"):
        noise_by_units((20, 50), estimates, width=640)
