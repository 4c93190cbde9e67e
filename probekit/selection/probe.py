"""``probe``: blocks where what a probe learnt in one language holds in the others.

One comparison per block and resample: O(n_blocks · n_resamples).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from probekit.selection.options import PROBABILITY, Option
from probekit.selection.rule import Bar, BarRule, mean_bar

if TYPE_CHECKING:
    from collections.abc import Mapping

    from probekit.selection.columns import FloatArray
    from probekit.selection.tables import Frame, Tables

RAW, CENTRED = "probes.transfer_all", "probes.transfer_centred_all"
COMMONEST, CONTROL = "probes.majority_all", "probes.control_all"

Transfer = Literal["raw", "centred"]

PROBE_OPTIONS = (
    PROBABILITY,
    Option(
        "transfer",
        "choice",
        "raw",
        "Accuracy in another language on vectors as they are, or after removing each language's "
        "mean.",
        choices=("raw", "centred"),
    ),
)


@dataclass(frozen=True)
class Probe(BarRule):
    """Longest run of blocks with ``transfer ≥ mean over blocks`` and ``transfer > chance``.

    ``transfer`` is the accuracy of linear probes trained in language a and tested, on units they
    never saw, in language b ≠ a, meaned over all ordered pairs and tasks (``probes.transfer_all``).
    ``chance`` is the larger of the commonest class and of the accuracy on random labels (control
    task). Target: the block of the region with the largest transfer.

    It is evidence that a direction that separates a label is *shared* by the languages at that
    block. It is not evidence that the model uses it: a probe finds what is there to be found, and
    removing it often changes nothing. Distrust it when the tasks are not what will be erased, when
    transfer is high at the embedding already (shared words and names), or when few classes make
    chance high.

    Parameters
    ----------
    transfer : {"raw", "centred"}
        Raw is stricter: a probe that leans on a language's own offset fails.

    References
    ----------
    Hewitt & Liang 2019 (control tasks); Chi, Hewitt & Manning 2020 and Conneau et al. 2020 (shared
    structure across languages); Ravichander, Belinkov & Hovy 2021 and Elazar et al. 2021 (what can
    be decoded need not be used).
    """

    transfer: Transfer = "raw"

    name: ClassVar[str] = "probe"

    @property
    def labels(self) -> tuple[str, ...]:
        """Labels of the two bars."""
        return ("transfer", "transfer over chance")

    @property
    def target_column(self) -> str:
        """Transfer: its peak in the region is the target."""
        return RAW if self.transfer == "raw" else CENTRED

    @property
    def columns(self) -> tuple[str, ...]:
        """Transfer and its two kinds of chance."""
        return (self.target_column, COMMONEST, CONTROL)

    @property
    def condition(self) -> str:
        """What one block must be, as one line of arithmetic."""
        column = self.target_column.removeprefix("probes.")
        return f"{column} >= mean({column}) and {column} > max(majority_all, control_all)"

    def bars(self, frame: Frame) -> tuple[Bar, ...]:
        """Mean over blocks, and chance of each block."""
        return (
            mean_bar(frame, self.target_column, label="transfer", at_least=True),
            Bar("transfer over chance", self.target_column, at_least=True, level=chance(frame)),
        )

    def told(self, tables: Tables) -> str:
        """Both bars with their values."""
        mean, floor = self.bars(tables.point)
        return (
            f"probe transfer >= {float(mean.level[0, 0]):.3g} (mean over {len(floor.level)} "
            f"blocks) and over chance ({floor.level.min():.3g} to {floor.level.max():.3g})"
        )

    def refusals(self, tables: Tables) -> list[str]:
        """Transfer at its best block must beat chance: its 95 % interval lies above."""
        column = tables.columns[self.target_column]
        level = chance(tables.point)[:, 0]
        best = int(np.argmax(column.value - level))
        low = column.value if column.low is None else column.low
        if low[best] > level[best]:
            return []
        return [
            f"probe transfer does not beat chance at any block: at best {column.value[best]:.3g} "
            f"at block {best}, from {low[best]:.3g}, against {level[best]:.3g} (the larger of "
            "commonest class and control task)"
        ]

    def thresholds(self, tables: Tables) -> Mapping[str, Mapping[str, Any]]:
        """Mean transfer and the largest chance (from the data), and the probability."""
        mean, floor = self.bars(tables.point)
        return {
            "transfer": {"value": float(mean.level[0, 0]), "source": "data"},
            "chance": {"value": float(floor.level.max()), "source": "data"},
            "probability": {"value": self.probability},
        }

    def cautions(self, tables: Tables) -> list[str]:
        """Say what a probe cannot."""
        del tables
        return ["a probe shows what can be read at a block, not what the model uses there"]


def chance(frame: Frame) -> FloatArray:
    """Larger of the commonest class and the control task, shape (n_blocks, n)."""
    return np.maximum(frame[COMMONEST], frame[CONTROL])
