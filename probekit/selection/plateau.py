"""``plateau``, the default rule: above-average Align and below-average LRDS, no hand-set number.

One comparison per block and resample: O(n_blocks · n_resamples).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from probekit.selection.rule import Bar, BarRule, mean_bar
from probekit.selection.tables import ALIGN, LRDS_CENTRED, Frame, Tables


@dataclass(frozen=True)
class Plateau(BarRule):
    """Longest run of blocks that keep ``Align ≥ mean`` and ``centred LRDS ≤ mean`` when resampled.

    Not to be trusted alone: Align rises where a few rogue dimensions rule the norm, and the mean
    over blocks makes a bar even where every block is good. It says where languages meet, not where
    a fact is stored (Hase et al. 2301.04213).
    """

    name: ClassVar[str] = "plateau"

    @property
    def columns(self) -> tuple[str, ...]:
        """Align and centred LRDS."""
        return (ALIGN, LRDS_CENTRED)

    @property
    def labels(self) -> tuple[str, ...]:
        """Labels of the two bars."""
        return ("Align", "centred LRDS")

    @property
    def condition(self) -> str:
        """What one block must be, as one line of arithmetic."""
        return "align >= mean(align) and lrds_centred <= mean(lrds_centred)"

    def bars(self, frame: Frame) -> tuple[Bar, ...]:
        """Means over blocks."""
        return (
            mean_bar(frame, ALIGN, label="Align", at_least=True),
            mean_bar(frame, LRDS_CENTRED, label="centred LRDS", at_least=False),
        )

    def told(self, tables: Tables) -> str:
        """Both bars with their values."""
        return f"{super().told(tables)} (means over {tables.point.shape[0]} blocks)"
