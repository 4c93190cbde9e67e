"""``plateau``, the default rule: above-average Align and below-average LRDS, no hand-set number.

One comparison per block and resample: O(n_blocks · n_resamples).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from probekit.selection.blocks import Blocks, describe, longest_run
from probekit.selection.evidence import FloatArray
from probekit.selection.rule import BoolArray, within_bars
from probekit.selection.tables import Column, Pair, Tables
from probekit.selection.target import Prefer

PROBABILITIES = (0.3, 0.5, 0.7)
SHIFTS = (-0.25, 0.25)


@dataclass(frozen=True)
class Plateau:
    """Longest run of blocks that keep ``Align ≥ mean`` and ``centred LRDS ≤ mean`` when resampled.

    Parameters
    ----------
    probability : float
        Share of resamples, in (0, 1], in which a block must clear the bars of that resample.
    shift : float
        Moves both bars the strict way, in standard deviations over blocks; only the sensitivity
        table moves it.
    """

    probability: float = 0.5
    shift: float = 0.0
    name: str = "plateau"
    column: Column = "lrds_centred"
    prefer: Prefer = "peak"

    @property
    def expression(self) -> str:
        """The rule as one line of arithmetic."""
        return (
            "longest run of P[align >= mean(align) and lrds_centred <= mean(lrds_centred)] "
            f">= {self.probability:g}"
        )

    def bars(self, pair: Pair) -> tuple[FloatArray, FloatArray]:
        """Means over blocks, shape (1, n) each."""
        align, lrds = pair.align, pair.lrds
        return (
            align.mean(axis=0, keepdims=True) + self.shift * align.std(axis=0, keepdims=True),
            lrds.mean(axis=0, keepdims=True) - self.shift * lrds.std(axis=0, keepdims=True),
        )

    def clears(self, pair: Pair) -> BoolArray:
        """Whether each block clears both bars of its own column, shape (n_blocks, n)."""
        return within_bars(pair, *self.bars(pair))

    def shape(self, cleared: BoolArray, probability: FloatArray) -> Blocks:
        """Longest run of the blocks that cleared."""
        return longest_run(np.flatnonzero(cleared).tolist(), probability)

    def region(self, tables: Tables, probability: FloatArray) -> Blocks:
        """Longest run of blocks with at least the asked probability."""
        del tables  # the resamples speak through the probability
        return self.shape(probability >= self.probability, probability)

    def refusals(self, tables: Tables) -> list[str]:
        """Means exist for every evidence: nothing to refuse."""
        del tables
        return []

    def statement(self, tables: Tables, *, region: Blocks, probability: FloatArray) -> str:
        """One sentence with numbers: why these blocks."""
        align_bar, lrds_bar = (float(bar[0, 0]) for bar in self.bars(tables.point))
        weakest = min(region, key=lambda block: probability[block])
        return (
            f"blocks {describe(region)} keep Align >= {align_bar:.3g} and centred LRDS <= "
            f"{lrds_bar:.3g} (means over {len(probability)} blocks) in at least "
            f"{self.probability:.0%} of {tables.resampled.align.shape[1]} resamples; "
            f"the weakest is block {weakest} with {probability[weakest]:.0%}"
        )

    def cautions(self, tables: Tables) -> list[str]:
        """None beyond what holds for every rule."""
        del tables
        return []

    def variants(self) -> Sequence[tuple[str, float, Plateau]]:
        """Other probability bars, and both bars looser and stricter."""
        bars = [("probability", p, replace(self, probability=p)) for p in PROBABILITIES]
        return [*bars, *(("bar_shift_sd", s, replace(self, shift=s)) for s in SHIFTS)]

    def thresholds(self, tables: Tables) -> Mapping[str, Mapping[str, Any]]:
        """Both bars at the point values (from the data) and the fixed probability."""
        align_bar, lrds_bar = self.bars(tables.point)
        return {
            "align": {"value": float(align_bar[0, 0]), "source": "data"},
            "lrds_centred": {"value": float(lrds_bar[0, 0]), "source": "data"},
            "probability": {"value": self.probability},
        }
