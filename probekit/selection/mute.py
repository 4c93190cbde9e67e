"""``mute``: the rule of MUTE (arXiv 2602.22562, from notes), with its hand-set α.

One comparison per block and resample: O(n_blocks · n_resamples).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from probekit.selection.blocks import Blocks, describe, is_contiguous
from probekit.selection.evidence import FloatArray
from probekit.selection.rule import BoolArray, within_bars
from probekit.selection.tables import Column, Pair, Tables
from probekit.selection.target import Prefer

PUBLISHED_ALPHAS = (1.5, 2.5, 4.4)
DEFAULT_ALPHA = 2.5


@dataclass(frozen=True)
class Mute:
    """All blocks with ``Align ≥ mean Align`` and ``LRDS ≤ α · min LRDS``, on raw LRDS.

    Parameters
    ----------
    alpha : float
        Positive; under 1 no block can clear. Published: 2.5, 4.4 and 1.5 for three models.
    alpha_source : {"paper", "user"}
        Where α comes from.
    """

    alpha: float = DEFAULT_ALPHA
    alpha_source: Literal["paper", "user"] = "paper"
    name: str = "mute"
    column: Column = "lrds"
    prefer: Prefer = "earliest"

    @property
    def expression(self) -> str:
        """The rule as one line of arithmetic."""
        return f"align >= mean(align) and lrds <= {self.alpha:g} * min(lrds)"

    def bars(self, pair: Pair) -> tuple[FloatArray, FloatArray]:
        """Mean Align and α times the least LRDS, shape (1, n) each."""
        return (
            pair.align.mean(axis=0, keepdims=True),
            self.alpha * pair.lrds.min(axis=0, keepdims=True),
        )

    def clears(self, pair: Pair) -> BoolArray:
        """Whether each block clears both bars; none does where the least LRDS is not positive."""
        posed = pair.lrds.min(axis=0, keepdims=True) > 0
        return np.asarray(within_bars(pair, *self.bars(pair)) & posed)

    def shape(self, cleared: BoolArray, probability: FloatArray) -> Blocks:
        """Every block that cleared, contiguous or not."""
        del probability
        return tuple(np.flatnonzero(cleared).tolist())

    def region(self, tables: Tables, probability: FloatArray) -> Blocks:
        """Every block that clears at the point values; the paper resamples nothing."""
        return self.shape(self.clears(tables.point)[:, 0], probability)

    def refusals(self, tables: Tables) -> list[str]:
        """α times a minimum that is not positive is no upper bar."""
        least = float(tables.point.lrds.min())
        if least > 0:
            return []
        block = int(tables.point.lrds[:, 0].argmin())
        return [
            f"alpha * min(LRDS) is ill-posed: LRDS is {least:.3g} at block {block}, not positive; "
            "use --rule plateau"
        ]

    def statement(self, tables: Tables, *, region: Blocks, probability: FloatArray) -> str:
        """One sentence with numbers: why these blocks."""
        align_bar, lrds_bar = (float(bar[0, 0]) for bar in self.bars(tables.point))
        weakest = min(region, key=lambda block: probability[block])
        return (
            f"blocks {describe(region)} have Align >= {align_bar:.3g} (mean over "
            f"{len(probability)} blocks) and LRDS <= {lrds_bar:.3g} ({self.alpha:g} times its "
            f"minimum); the weakest is block {weakest}, which clears both in "
            f"{probability[weakest]:.0%} of {tables.resampled.align.shape[1]} resamples"
        )

    def cautions(self, tables: Tables) -> list[str]:
        """Warn of a hand-set α, resamples without a positive minimum, a region with holes."""
        notes = []
        if self.alpha_source == "paper":
            notes.append(
                f"alpha {self.alpha:g} is a published value for another model (2.5, 4.4 and 1.5 "
                "were published for three); see threshold_sensitivity"
            )
        ill_posed = float(np.mean(tables.resampled.lrds.min(axis=0) <= 0))
        if ill_posed:
            notes.append(f"min(LRDS) is not positive in {ill_posed:.1%} of resamples")
        region = self.shape(self.clears(tables.point)[:, 0], tables.point.lrds[:, 0])
        if not is_contiguous(region):
            notes.append(f"the region has holes: blocks {describe(region)}")
        return notes

    def variants(self) -> Sequence[tuple[str, float, Mute]]:
        """List the published α and the one in use."""
        grid = sorted({*PUBLISHED_ALPHAS, self.alpha})
        return [("alpha", alpha, replace(self, alpha=alpha)) for alpha in grid]

    def thresholds(self, tables: Tables) -> Mapping[str, Mapping[str, Any]]:
        """Give the Align bar and α times the minimum (from the data), and α itself."""
        align_bar, lrds_bar = self.bars(tables.point)
        return {
            "align": {"value": float(align_bar[0, 0]), "source": "data"},
            "lrds": {"value": float(lrds_bar[0, 0]), "source": "data"},
            "alpha": {"value": self.alpha, "source": self.alpha_source},
        }
