"""The columns a rule compares, with their resamples.

Pooling the plain and the left-out resamples copies two (n_blocks, 2 · n_resamples) arrays a column.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from probekit.selection.columns import Column, FloatArray
from probekit.selection.evidence import Evidence

ALIGN, LRDS, LRDS_CENTRED = "cka.mean", "regions.lrds", "regions.lrds_centred"


class Frame(Mapping[str, FloatArray]):
    """Columns of the same blocks by name, arrays of shape (n_blocks, n)."""

    def __init__(self, columns: Mapping[str, FloatArray], shape: tuple[int, int]) -> None:
        self._columns = dict(columns)
        #: Blocks, and resamples (or languages, or 1).
        self.shape = shape

    def __getitem__(self, name: str) -> FloatArray:
        return self._columns[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._columns)

    def __len__(self) -> int:
        return len(self._columns)


@dataclass(frozen=True, eq=False)
class Tables:
    """What a rule reads, as :class:`Frame` of shape (n_blocks, n).

    Attributes
    ----------
    point : Frame
        Point values, n = 1.
    resampled : Frame
        Bootstrap over units, then the same with one language left out: n = R or 2 R.
    without : Frame or None
        Point values without each language, n = n_languages; ``None`` with two languages.
    columns : mapping of str to Column
        The columns themselves.
    """

    point: Frame
    resampled: Frame
    without: Frame | None
    columns: Mapping[str, Column]


def tabulate(evidence: Evidence, names: Iterable[str]) -> Tables:
    """Columns of a rule, pooled over both kinds of resample.

    A column without resamples keeps its value in all of them; one without values by left-out
    language keeps those of all languages.

    Raises
    ------
    RuleError
        The evidence has no such column, or the column is not finite.
    """
    columns = {name: evidence.column(name) for name in dict.fromkeys(names)}
    n_blocks, n_resamples = evidence.n_blocks, evidence.n_resamples
    pooled = {name: _pooled(each, evidence) for name, each in columns.items()}
    n = 2 * n_resamples if evidence.has_left_out else n_resamples
    without = None
    if evidence.has_left_out:
        n_languages = len(evidence.languages)
        without = Frame(
            {name: _without(each, n_languages) for name, each in columns.items()},
            (n_blocks, n_languages),
        )
    return Tables(
        point=Frame({name: each.value[:, None] for name, each in columns.items()}, (n_blocks, 1)),
        resampled=Frame(pooled, (n_blocks, n)),
        without=without,
        columns=columns,
    )


def samples_of(column: Column, n_resamples: int) -> FloatArray:
    """Resamples of the units; the point value repeated where there are none."""
    if column.samples is None:
        return np.repeat(column.value[:, None], n_resamples, axis=1)
    return column.samples


def _pooled(column: Column, evidence: Evidence) -> FloatArray:
    plain = samples_of(column, evidence.n_resamples)
    if not evidence.has_left_out:
        return plain
    left_out = column.samples_left_out
    return np.concatenate([plain, plain if left_out is None else left_out], axis=1)


def _without(column: Column, n_languages: int) -> FloatArray:
    if column.without is None:
        return np.repeat(column.value[:, None], n_languages, axis=1)
    return column.without
