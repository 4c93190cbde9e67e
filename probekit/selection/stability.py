"""How much a region owes to the units, the languages and the thresholds at hand.

The rule is applied once per resample, in Python: about 20 µs each.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from probekit.selection.blocks import Blocks, jaccard
from probekit.selection.columns import FloatArray
from probekit.selection.rule import Ranges, Rule
from probekit.selection.tables import Frame, Tables

UNSTABLE_BELOW = 0.5


@dataclass(frozen=True)
class Redrawn:
    """A region drawn under another condition, and its overlap with the chosen one in [0, 1]."""

    region: Blocks
    jaccard: float


@dataclass(frozen=True)
class Variant:
    """A region under another threshold."""

    parameter: str
    value: float
    redrawn: Redrawn


@dataclass(frozen=True)
class Stability:
    """What moves the region.

    Attributes
    ----------
    bootstrap_n : int
        Resamples, both kinds together.
    unit : {"item", "both"}
        ``both`` when languages were left out as well as units resampled.
    region_jaccard_mean : float
        Mean overlap of the resamples' regions with the chosen one, in [0, 1].
    threshold_sensitivity : tuple of Variant
        The region under neighbouring settings.
    ranges : mapping of str to (float, float or None)
        Parameter → the values between which the region stays as it is.
    leave_one_language_out : mapping of str to Redrawn
        The region without each language; empty with two languages.
    """

    bootstrap_n: int
    unit: Literal["item", "both"]
    region_jaccard_mean: float
    threshold_sensitivity: tuple[Variant, ...]
    leave_one_language_out: Mapping[str, Redrawn]
    ranges: Ranges = field(default_factory=dict)

    @property
    def share_of_settings(self) -> float | None:
        """Share of neighbouring settings whose region overlaps this one by half or more."""
        alike = [each.redrawn.jaccard >= UNSTABLE_BELOW for each in self.threshold_sensitivity]
        return float(np.mean(alike)) if alike else None


def clearing_probability(rule: Rule, tables: Tables) -> FloatArray:
    """Share of resamples in which each block clears that resample's bars, shape (n_blocks,)."""
    return np.asarray(rule.clears(tables.resampled).mean(axis=1), dtype=np.float64)


def assess(rule: Rule, tables: Tables, *, region: Blocks, languages: tuple[str, ...]) -> Stability:
    """Redraw the region under every resample, threshold and set of languages."""
    probability = clearing_probability(rule, tables)
    drawn = _redraw(rule, tables.resampled, region=region, probability=probability)
    left_out = (
        _redraw(rule, tables.without, region=region, probability=probability)
        if tables.without
        else []
    )
    return Stability(
        bootstrap_n=len(drawn),
        unit="both" if tables.without else "item",
        region_jaccard_mean=float(np.mean([each.jaccard for each in drawn])),
        threshold_sensitivity=_sensitivity(rule, tables, region),
        leave_one_language_out=dict(zip(languages, left_out, strict=False)),
        ranges=rule.ranges(tables),
    )


def _redraw(rule: Rule, frame: Frame, *, region: Blocks, probability: FloatArray) -> list[Redrawn]:
    regions = [rule.shape(cleared, probability) for cleared in rule.clears(frame).T]
    return [Redrawn(each, jaccard(each, region)) for each in regions]


def _sensitivity(rule: Rule, tables: Tables, region: Blocks) -> tuple[Variant, ...]:
    variants = []
    for parameter, value, other in rule.variants():
        drawn = other.region(tables, clearing_probability(other, tables))
        variants.append(Variant(parameter, value, Redrawn(drawn, jaccard(drawn, region))))
    return tuple(variants)
