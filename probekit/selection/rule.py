"""What every selection rule offers, and what the rules share. Costs nothing by itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from probekit.selection.blocks import Blocks
from probekit.selection.evidence import FloatArray
from probekit.selection.tables import Column, Pair, Tables
from probekit.selection.target import Prefer

BoolArray = NDArray[np.bool_]

_ROUNDING = 1e-12


class Rule(Protocol):
    """Two bars per block, and a way to turn the blocks that clear them into a region."""

    @property
    def name(self) -> str:
        """Name on the command line and in the document."""

    @property
    def expression(self) -> str:
        """The rule as one line of arithmetic."""

    @property
    def column(self) -> Column:
        """Which LRDS is read."""

    @property
    def prefer(self) -> Prefer:
        """Which block of the region is the target unless the caller says otherwise."""

    def bars(self, pair: Pair) -> tuple[FloatArray, FloatArray]:
        """Lowest Align and highest LRDS that clear, each of shape (1, n)."""

    def clears(self, pair: Pair) -> BoolArray:
        """Whether each block clears both bars of its own column, shape (n_blocks, n)."""

    def shape(self, cleared: BoolArray, probability: FloatArray) -> Blocks:
        """Region from one column of :meth:`clears`; ``probability`` breaks ties."""

    def region(self, tables: Tables, probability: FloatArray) -> Blocks:
        """Region that the rule draws from the evidence."""

    def refusals(self, tables: Tables) -> list[str]:
        """Why the rule itself cannot work on this evidence; empty when it can."""

    def statement(self, tables: Tables, *, region: Blocks, probability: FloatArray) -> str:
        """One sentence with numbers: why these blocks."""

    def cautions(self, tables: Tables) -> list[str]:
        """Say what a reader of a region drawn by this rule must know."""

    def variants(self) -> Sequence[tuple[str, float, Rule]]:
        """Neighbouring settings as (parameter, value, rule), for the sensitivity table."""

    def thresholds(self, tables: Tables) -> Mapping[str, Mapping[str, Any]]:
        """Thresholds with their source, as in the document."""


def within_bars(pair: Pair, align_bar: FloatArray, lrds_bar: FloatArray) -> BoolArray:
    """``align >= align_bar and lrds <= lrds_bar``, with room for the rounding of a mean.

    Without the room, equal values can all miss their own mean by one unit in the last place.
    """
    above = pair.align >= align_bar - _ROUNDING * np.maximum(1.0, np.abs(align_bar))
    below = pair.lrds <= lrds_bar + _ROUNDING * np.maximum(1.0, np.abs(lrds_bar))
    return np.asarray(above & below)


def margins(rule: Rule, pair: Pair) -> FloatArray:
    """Smaller of the two distances to the bars, in standard deviations over blocks.

    Shape (n_blocks, n); not negative exactly where a block clears (up to rounding).
    """
    align_bar, lrds_bar = rule.bars(pair)
    above = (pair.align - align_bar) / _spread(pair.align)
    below = (lrds_bar - pair.lrds) / _spread(pair.lrds)
    return np.asarray(np.minimum(above, below), dtype=np.float64)


def _spread(values: FloatArray) -> FloatArray:
    return np.asarray(np.maximum(values.std(axis=0, keepdims=True), _ROUNDING))
