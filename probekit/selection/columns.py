"""One per-block column of a run with its uncertainty: stored resamples, or drawn from an interval.

A drawn column costs ``n_blocks · n_resamples`` normal numbers.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from probekit.errors import RuleError

FloatArray = NDArray[np.float64]
Origin = Literal["stored", "interval", "none"]

#: Standard deviations from the middle of a normal law to the end of its 95 % interval.
Z95 = 1.959963984540054


@dataclass(frozen=True, eq=False)
class Column:
    """Numbers by block, and how they would scatter.

    Attributes
    ----------
    name : str
        ``group.variable`` of the run.
    value : array of shape (n_blocks,)
        Point values, finite.
    low, high : array of shape (n_blocks,), optional
        95 % interval.
    samples, samples_left_out : array of shape (n_blocks, n_resamples), optional
        Resamples of the units; the same with language ``b % n_languages`` dropped.
    without : array of shape (n_blocks, n_languages), optional
        Point values without each language.
    origin : {"stored", "interval", "none"}
        Where the resamples come from; ``none`` means that the column is held at its value.
    """

    name: str
    value: FloatArray
    low: FloatArray | None = None
    high: FloatArray | None = None
    samples: FloatArray | None = None
    samples_left_out: FloatArray | None = None
    without: FloatArray | None = None
    origin: Origin = "none"

    def __post_init__(self) -> None:
        bad = np.flatnonzero(~np.isfinite(self.value))
        if len(bad):
            msg = (
                f"column {self.name!r} must be finite at every block. Got {self.value[bad[0]]} at "
                f"block {bad[0]} instead; use another column."
            )
            raise RuleError(msg)


def column_from_interval(
    name: str,
    value: FloatArray,
    interval: tuple[FloatArray, FloatArray] | None,
    *,
    n_resamples: int,
    seed: int,
    without: FloatArray | None = None,
) -> Column:
    """Column whose resamples are drawn from its 95 % intervals, where only those were stored.

    A draw is ``value + z · (high - value) / 1.96`` for z ≥ 0, with ``value - low`` below; z is
    standard normal and independent between blocks. Real resamples move all blocks together:
    independent draws overstate the noise of a difference, so stability is understated. A draw of
    the left-out kind adds the same deviation to the value without that language.

    Parameters
    ----------
    name : str
        ``group.variable``; it also moves the seed, so that columns are drawn independently.
    value : array of shape (n_blocks,)
        Point values.
    interval : pair of arrays of shape (n_blocks,), or None
        Ends of the 95 % interval; without them nothing is drawn.
    n_resamples, seed : int
        Number of draws, and their seed.
    without : array of shape (n_blocks, n_languages), optional
        Point values without each language.
    """
    if interval is None:
        return Column(name, value, without=without)
    low, high = (np.asarray(end, dtype=np.float64) for end in interval)
    rng = np.random.default_rng([seed, zlib.crc32(name.encode())])
    z = rng.standard_normal((len(value), n_resamples))
    below, above = (np.maximum(each, 0)[:, None] / Z95 for each in (value - low, high - value))
    deviation = np.where(z < 0, below, above) * z
    left_out = None
    if without is not None:
        turn = np.arange(n_resamples) % without.shape[1]
        left_out = without[:, turn] + deviation
    drawn = value[:, None] + deviation
    known = Column(name, value, low=low, high=high, without=without, origin="interval")
    return replace(known, samples=drawn, samples_left_out=left_out)
