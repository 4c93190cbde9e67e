"""Measures: arrays in, frozen results out. No model, no file, no plot lives here.

Every measure takes ``pooled : array (n_languages, n_units, d_model)`` of one layer, in float32 or
float64 (all sums are float64), with the same units in the same order in every language.
"""

from probekit.measures.alignment import AlignmentResult, alignment
from probekit.measures.cka import CKAResult, cka, linear_cka
from probekit.measures.left_out import LeftOut, lrds_left_out
from probekit.measures.planted import planted_pooled, pure_noise
from probekit.measures.regions import RegionScores, region_scores
from probekit.measures.resampling import (
    Interval,
    bootstrap_weights,
    centre_on,
    percentile_band,
    percentile_interval,
    permutations,
)
from probekit.measures.rogue import RogueDimensions, rogue_dimensions
from probekit.measures.streaming import MinibatchCKA, MinibatchResult

__all__ = [
    "AlignmentResult",
    "CKAResult",
    "Interval",
    "LeftOut",
    "MinibatchCKA",
    "MinibatchResult",
    "RegionScores",
    "RogueDimensions",
    "alignment",
    "bootstrap_weights",
    "centre_on",
    "cka",
    "linear_cka",
    "lrds_left_out",
    "percentile_band",
    "percentile_interval",
    "permutations",
    "planted_pooled",
    "pure_noise",
    "region_scores",
    "rogue_dimensions",
]
