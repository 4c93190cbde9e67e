"""``mute``: the rule of MUTE (arXiv 2602.22562, from notes), with its hand-set α.

One comparison per block and resample: O(n_blocks · n_resamples).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal

import numpy as np

from probekit.selection.blocks import Blocks, describe, is_contiguous
from probekit.selection.columns import FloatArray
from probekit.selection.options import Option
from probekit.selection.rule import Bar, BarRule, BoolArray, Ranges, mean_bar
from probekit.selection.tables import ALIGN, LRDS, Frame, Tables
from probekit.selection.target import Prefer

PUBLISHED_ALPHAS = (1.5, 2.5, 4.4)
DEFAULT_ALPHA = 2.5
#: The sensitivity table moves α by these factors, besides the published values.
FACTORS = (0.7, 0.8, 0.9, 1.1, 1.2, 1.4)

MUTE_OPTIONS = (
    Option(
        "alpha",
        "number",
        DEFAULT_ALPHA,
        "LRDS may be alpha times its minimum; published values are 1.5, 2.5 and 4.4.",
        low=0,
    ),
)


@dataclass(frozen=True)
class Mute(BarRule):
    """All blocks with ``Align ≥ mean Align`` and ``LRDS ≤ α · min LRDS``, on raw LRDS.

    Not to be trusted when the least LRDS is near zero: α times it is then no bar, or one that a
    few units move. The published α were set by hand for three models of 7 to 8 billion parameters.

    Parameters
    ----------
    alpha : float
        Positive; under 1 no block can clear. Published: 2.5, 4.4 and 1.5 for three models.
    alpha_source : {"paper", "user"}
        Where α comes from.
    """

    alpha: float = DEFAULT_ALPHA
    alpha_source: Literal["paper", "user"] = "paper"

    name: ClassVar[str] = "mute"
    prefer: ClassVar[Prefer] = "earliest"

    @property
    def columns(self) -> tuple[str, ...]:
        """Align and raw LRDS."""
        return (ALIGN, LRDS)

    @property
    def labels(self) -> tuple[str, ...]:
        """Labels of the two bars."""
        return ("Align", "LRDS")

    @property
    def condition(self) -> str:
        """What one block must be, as one line of arithmetic."""
        return f"align >= mean(align) and lrds <= {self.alpha:g} * min(lrds)"

    @property
    def expression(self) -> str:
        """The rule as one line of arithmetic."""
        return self.condition

    def bars(self, frame: Frame) -> tuple[Bar, ...]:
        """Mean Align and α times the least LRDS."""
        least = frame[LRDS].min(axis=0, keepdims=True)
        return (
            mean_bar(frame, ALIGN, label="Align", at_least=True),
            Bar("LRDS", LRDS, at_least=False, level=self.alpha * least),
        )

    def clears(self, frame: Frame) -> BoolArray:
        """Whether each block clears both bars; none does where the least LRDS is not positive."""
        posed = frame[LRDS].min(axis=0, keepdims=True) > 0
        return np.asarray(super().clears(frame) & posed)

    def shape(self, cleared: BoolArray, probability: FloatArray) -> Blocks:
        """Every block that cleared, contiguous or not."""
        del probability
        return tuple(np.flatnonzero(cleared).tolist())

    def region(self, tables: Tables, probability: FloatArray) -> Blocks:
        """Every block that clears at the point values; the paper resamples nothing."""
        return self.shape(self.clears(tables.point)[:, 0], probability)

    def refusals(self, tables: Tables) -> list[str]:
        """α times a minimum that is not positive is no upper bar."""
        least = float(tables.point[LRDS].min())
        if least > 0:
            return []
        block = int(tables.point[LRDS][:, 0].argmin())
        return [
            f"alpha * min(LRDS) is ill-posed: LRDS is {least:.3g} at block {block}, not positive; "
            "use --rule plateau"
        ]

    def statement(self, tables: Tables, *, region: Blocks, probability: FloatArray) -> str:
        """One sentence with numbers: why these blocks."""
        align, lrds = (float(bar.level[0, 0]) for bar in self.bars(tables.point))
        weakest = min(region, key=lambda block: probability[block])
        return (
            f"blocks {describe(region)} have Align >= {align:.3g} (mean over "
            f"{len(probability)} blocks) and LRDS <= {lrds:.3g} ({self.alpha:g} times its "
            f"minimum); the weakest is block {weakest}, which clears both in "
            f"{probability[weakest]:.0%} of {tables.resampled.shape[1]} resamples"
        )

    def cautions(self, tables: Tables) -> list[str]:
        """Warn of a hand-set α, resamples without a positive minimum, a region with holes."""
        notes = []
        if self.alpha_source == "paper":
            notes.append(
                f"alpha {self.alpha:g} is a published value for another model (2.5, 4.4 and 1.5 "
                "were published for three); see threshold_sensitivity"
            )
        ill_posed = float(np.mean(tables.resampled[LRDS].min(axis=0) <= 0))
        if ill_posed:
            notes.append(f"min(LRDS) is not positive in {ill_posed:.1%} of resamples")
        region = self.shape(self.clears(tables.point)[:, 0], tables.point[LRDS][:, 0])
        if not is_contiguous(region):
            notes.append(f"the region has holes: blocks {describe(region)}")
        return notes

    def variants(self) -> Sequence[tuple[str, float, Mute]]:
        """The published α, those around the one in use, and a moved Align bar."""
        around = {round(self.alpha * factor, 6) for factor in FACTORS}
        grid = sorted({*PUBLISHED_ALPHAS, self.alpha, *around})
        alphas = [("alpha", alpha, replace(self, alpha=alpha)) for alpha in grid]
        shifted = [each for each in super().variants() if each[0] == "Align_shift_sd"]
        return [*alphas, *shifted]

    def ranges(self, tables: Tables) -> Ranges:
        """Exact: from the largest LRDS / min of the region to the next block's that has Align."""
        lrds = tables.point[LRDS][:, 0]
        align = self.bars(tables.point)[0].clears(tables.point)[:, 0]
        region = np.flatnonzero(self.clears(tables.point)[:, 0])
        if not len(region):
            return {}
        ratios = lrds / lrds.min()
        beyond = ratios[align & (ratios > ratios[region].max())]
        return {
            "alpha": (float(ratios[region].max()), float(beyond.min()) if len(beyond) else None)
        }

    def thresholds(self, tables: Tables) -> Mapping[str, Mapping[str, Any]]:
        """Give the Align bar and α times the minimum (from the data), and α itself."""
        align, lrds = self.bars(tables.point)
        return {
            "align": {"value": float(align.level[0, 0]), "source": "data"},
            "lrds": {"value": float(lrds.level[0, 0]), "source": "data"},
            "alpha": {"value": self.alpha, "source": self.alpha_source},
        }


def make_mute(alpha: float | None = None) -> Mute:
    """Build the rule from its option; α not given is a published one."""
    return Mute() if alpha is None else Mute(alpha=float(alpha), alpha_source="user")
