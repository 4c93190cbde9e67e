"""Measures: arrays in, frozen results out. No model, no file, no plot lives here.

Every measure takes ``pooled : array (n_languages, n_units, d_model)`` of one layer, in float32 or
float64 (all sums are float64), with the same units in the same order in every language.
"""

from probekit.measures.alignment import AlignmentResult, alignment
from probekit.measures.anc import ANCResult, anc
from probekit.measures.cka import CKAResult, cka, linear_cka
from probekit.measures.erasers import Eraser, leace
from probekit.measures.geometry import GeometryResult, geometry
from probekit.measures.isotropy import IsotropyResult, isotropy
from probekit.measures.left_out import LeftOut, lrds_left_out
from probekit.measures.planted import planted_pooled, pure_noise
from probekit.measures.procrustes import ProcrustesResult, procrustes
from probekit.measures.projection import Projection, project
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
from probekit.measures.subspace import language_subspace, lsar

__all__ = [
    "ANCResult",
    "AlignmentResult",
    "CKAResult",
    "Eraser",
    "GeometryResult",
    "Interval",
    "IsotropyResult",
    "LeftOut",
    "MinibatchCKA",
    "MinibatchResult",
    "ProcrustesResult",
    "Projection",
    "RegionScores",
    "RogueDimensions",
    "alignment",
    "anc",
    "bootstrap_weights",
    "centre_on",
    "cka",
    "geometry",
    "isotropy",
    "language_subspace",
    "leace",
    "linear_cka",
    "lrds_left_out",
    "lsar",
    "percentile_band",
    "percentile_interval",
    "permutations",
    "planted_pooled",
    "procrustes",
    "project",
    "pure_noise",
    "region_scores",
    "rogue_dimensions",
]
