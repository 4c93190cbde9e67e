"""Where in the region activations are read."""

import numpy as np
import pytest

from probekit.selection.target import find_target


@pytest.mark.parametrize(
    ("dip", "earliest"),
    [(0.1, 2), (0.002, 4)],  # a dip of ten standard deviations, and one of a fifth
)
def test_earliest_peak_is_the_first_that_noise_does_not_explain(evidence_of, dip, earliest):
    align = np.array([0.1, 0.1, 0.7, 0.7 - dip, 0.8, 0.75])
    evidence = evidence_of(align, align, align, sd=0.007)
    assert find_target(evidence, region=(2, 3, 4, 5), prefer="earliest") == earliest
    assert find_target(evidence, region=(2, 3, 4, 5), prefer="peak") == 4
    assert find_target(evidence, region=(2, 3, 4, 5), prefer="deepest") == 5


def test_a_rise_has_its_earliest_peak_at_its_end(evidence_of):
    align = np.linspace(0.1, 0.9, 6)
    evidence = evidence_of(align, align, align, sd=0.001)
    assert find_target(evidence, region=(1, 2, 3), prefer="earliest") == 3


def test_a_peak_outside_the_region_is_no_target(evidence_of):
    align = np.array([0.9, 0.3, 0.5, 0.4, 0.9])
    evidence = evidence_of(align, align, align)
    assert find_target(evidence, region=(1, 2, 3), prefer="peak") == 2


def test_equal_peaks_give_the_shallower(evidence_of):
    evidence = evidence_of([0.1, 0.8, 0.5, 0.8], [0.1] * 4, [0.1] * 4)
    assert find_target(evidence, region=(1, 2, 3), prefer="peak") == 1
