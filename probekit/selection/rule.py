"""What every selection rule offers, and what rules made of bars share. Costs nothing by itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from probekit.selection.blocks import Blocks, describe, longest_run
from probekit.selection.columns import FloatArray
from probekit.selection.tables import ALIGN, Frame, Tables
from probekit.selection.target import Prefer

BoolArray = NDArray[np.bool_]
Ranges = Mapping[str, tuple[float, float | None]]

_ROUNDING = 1e-12
PROBABILITIES = (0.3, 0.5, 0.7)
SHIFTS = (-0.5, -0.25, -0.1, 0.1, 0.25, 0.5)


class Rule(Protocol):
    """Says of every block, in every resample, whether it clears; and draws a region from that."""

    @property
    def name(self) -> str:
        """Name on the command line and in the document."""

    @property
    def expression(self) -> str:
        """The rule as one line of arithmetic."""

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns that it reads, as ``group.variable``."""

    @property
    def decisive(self) -> tuple[str, ...]:
        """Columns of which one at least must differ between blocks, or the rule refuses."""

    @property
    def target_column(self) -> str:
        """Column whose peak in the region is the target."""

    @property
    def prefer(self) -> Prefer:
        """Which block of the region is the target unless the caller says otherwise."""

    def margins(self, frame: Frame) -> FloatArray:
        """How far each block is above its bars, in standard deviations over blocks.

        Shape (n_blocks, n); not negative exactly where a block clears (up to rounding).
        """

    def clears(self, frame: Frame) -> BoolArray:
        """Whether each block clears the bars of its own resample, shape (n_blocks, n)."""

    def shape(self, cleared: BoolArray, probability: FloatArray) -> Blocks:
        """Region from one column of :meth:`clears`; ``probability`` breaks ties."""

    def region(self, tables: Tables, probability: FloatArray) -> Blocks:
        """Region that the rule draws from the evidence."""

    def refusals(self, tables: Tables) -> list[str]:
        """Why the rule cannot work on this evidence, or its own chance stands; empty when not."""

    def statement(self, tables: Tables, *, region: Blocks, probability: FloatArray) -> str:
        """One sentence with numbers: why these blocks."""

    def cautions(self, tables: Tables) -> list[str]:
        """Say what a reader of a region drawn by this rule must know."""

    def variants(self) -> Sequence[tuple[str, float, Rule]]:
        """Neighbouring settings as (parameter, value, rule), for the sensitivity table."""

    def ranges(self, tables: Tables) -> Ranges:
        """Parameter → the values between which the region stays as it is; ``None`` is no end."""

    def thresholds(self, tables: Tables) -> Mapping[str, Mapping[str, Any]]:
        """Thresholds with their source, as in the document."""


@dataclass(frozen=True, eq=False)
class Bar:
    """``column ≥ level`` or ``column ≤ level``; the level has shape (1, n) or (n_blocks, n)."""

    label: str
    column: str
    at_least: bool
    level: FloatArray

    def margin(self, frame: Frame) -> FloatArray:
        """Distance to the bar on its good side, in standard deviations over blocks."""
        values = frame[self.column]
        distance = values - self.level if self.at_least else self.level - values
        return np.asarray(distance / spread(values))

    def clears(self, frame: Frame) -> BoolArray:
        """Whether each block is on the good side, with room for the rounding of a mean.

        Without the room, equal values can all miss their own mean by one unit in the last place.
        """
        values = frame[self.column]
        room = _ROUNDING * np.maximum(1.0, np.abs(self.level))
        if self.at_least:
            return np.asarray(values >= self.level - room)
        return np.asarray(values <= self.level + room)


@dataclass(frozen=True)
class BarRule:
    """A rule made of bars: the longest run of blocks that clear all of them when resampled.

    Subclasses name their columns and define :meth:`bars`.

    Parameters
    ----------
    probability : float
        Share of resamples, in (0, 1], in which a block must clear the bars of that resample.
    shifts : tuple of (str, float)
        Moves the bar of that label the strict way, in standard deviations over blocks; only the
        sensitivity table moves it.
    """

    probability: float = 0.5
    shifts: tuple[tuple[str, float], ...] = ()

    name: ClassVar[str] = "bars"
    prefer: ClassVar[Prefer] = "peak"

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns that it reads."""
        raise NotImplementedError

    @property
    def labels(self) -> tuple[str, ...]:
        """Labels of the bars, for the sensitivity table."""
        raise NotImplementedError

    @property
    def decisive(self) -> tuple[str, ...]:
        """Columns of which one must differ between blocks: the target's."""
        return (self.target_column,)

    @property
    def target_column(self) -> str:
        """Column whose peak in the region is the target: Align."""
        return ALIGN

    def bars(self, frame: Frame) -> tuple[Bar, ...]:
        """All bars of every resample, unmoved."""
        raise NotImplementedError

    @property
    def condition(self) -> str:
        """What one block must be, as one line of arithmetic."""
        raise NotImplementedError

    @property
    def expression(self) -> str:
        """The rule as one line of arithmetic."""
        return f"longest run of P[{self.condition}] >= {self.probability:g}"

    def moved_bars(self, frame: Frame) -> tuple[Bar, ...]:
        """All bars, moved by :attr:`shifts`."""
        by = dict(self.shifts)
        return tuple(
            replace(
                bar,
                level=bar.level
                + (1 if bar.at_least else -1) * by[bar.label] * spread(frame[bar.column]),
            )
            if bar.label in by
            else bar
            for bar in self.bars(frame)
        )

    def margins(self, frame: Frame) -> FloatArray:
        """Least margin over the bars."""
        margins = [bar.margin(frame) for bar in self.moved_bars(frame)]
        return np.asarray(np.min(np.broadcast_arrays(*margins), axis=0), dtype=np.float64)

    def clears(self, frame: Frame) -> BoolArray:
        """Whether each block clears every bar."""
        cleared = [bar.clears(frame) for bar in self.moved_bars(frame)]
        return np.asarray(np.logical_and.reduce(cleared))

    def shape(self, cleared: BoolArray, probability: FloatArray) -> Blocks:
        """Longest run of the blocks that cleared."""
        return longest_run(np.flatnonzero(cleared).tolist(), probability)

    def region(self, tables: Tables, probability: FloatArray) -> Blocks:
        """Longest run of blocks with at least the asked probability."""
        del tables  # the resamples speak through the probability
        return self.shape(probability >= self.probability, probability)

    def refusals(self, tables: Tables) -> list[str]:
        """Nothing to refuse: means exist for every evidence."""
        del tables
        return []

    def statement(self, tables: Tables, *, region: Blocks, probability: FloatArray) -> str:
        """One sentence with numbers: why these blocks."""
        weakest = min(region, key=lambda block: probability[block])
        return (
            f"blocks {describe(region)} keep {self.told(tables)} in at least "
            f"{self.probability:.0%} of {tables.resampled.shape[1]} resamples; "
            f"the weakest is block {weakest} with {probability[weakest]:.0%}"
        )

    def told(self, tables: Tables) -> str:
        """All bars with their values."""
        return " and ".join(
            f"{bar.label} {'>=' if bar.at_least else '<='} {float(bar.level[0, 0]):.3g}"
            for bar in self.bars(tables.point)
        )

    def cautions(self, tables: Tables) -> list[str]:
        """None beyond what holds for every rule."""
        del tables
        return []

    def variants(self) -> Sequence[tuple[str, float, Self]]:
        """Other probability bars; all bars looser and stricter, together and one at a time."""
        found = [("probability", p, replace(self, probability=p)) for p in PROBABILITIES]
        for s in SHIFTS:
            together = tuple((label, s) for label in self.labels)
            found.append(("bar_shift_sd", s, replace(self, shifts=together)))
        for label in self.labels if len(self.labels) > 1 else ():
            found.extend(
                (f"{label}_shift_sd", s, replace(self, shifts=((label, s),))) for s in SHIFTS
            )
        return found

    def ranges(self, tables: Tables) -> Ranges:
        """Probability bars that keep the region, read off the probabilities."""
        probability = np.asarray(self.clears(tables.resampled).mean(axis=1))
        region = self.region(tables, probability)
        alike = [
            bar
            for bar in np.unique(probability[probability > 0])
            if self.shape(probability >= bar, probability) == region
        ]
        if not region or not alike:
            return {}
        steps = np.unique(np.concatenate([[0.0], probability]))
        # the region at a bar p is that of the next probability that occurs at or above p
        below = steps[steps < alike[0]]
        return {"probability": (float(below[-1]) if len(below) else 0.0, float(alike[-1]))}

    def thresholds(self, tables: Tables) -> Mapping[str, Mapping[str, Any]]:
        """Bars at the point values (from the data) and the fixed probability."""
        found: dict[str, Mapping[str, Any]] = {
            bar.column.rpartition(".")[2]: {"value": float(bar.level[0, 0]), "source": "data"}
            for bar in self.bars(tables.point)
        }
        return found | {"probability": {"value": self.probability}}


def mean_bar(frame: Frame, column: str, *, label: str, at_least: bool) -> Bar:
    """Bar at the mean over blocks of a column."""
    return Bar(label, column, at_least, frame[column].mean(axis=0, keepdims=True))


def spread(values: FloatArray) -> FloatArray:
    """Standard deviation over blocks, never zero, shape (1, n)."""
    return np.asarray(np.maximum(values.std(axis=0, keepdims=True), _ROUNDING))
