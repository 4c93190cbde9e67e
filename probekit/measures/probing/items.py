"""What is probed at one layer: vectors by language, the unit each belongs to, labels of tasks.

Costs views, and one copy of the rows that a training set needs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from probekit.errors import InputError
from probekit.measures.checks import check_finite

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from jaxtyping import Bool, Float, Int
    from torch import Tensor

#: Bytes of vectors that one batch of training sets may hold.
BATCH_BYTES = 128 << 20


@dataclass(frozen=True)
class Items:
    """Vectors of texts or words.

    Attributes
    ----------
    vectors
        Array (language, item, d_model).
    units
        Array (language, item): row of the unit that the item comes from; -1 for padding.
    n_units
        Units of the corpus.

    Raises
    ------
    InputError
        Shapes that do not fit, or a language without items.
    NumericalError
        A vector that is not finite.
    """

    vectors: Float[np.ndarray, "language item d_model"]
    units: Int[np.ndarray, "language item"]
    n_units: int

    def __post_init__(self) -> None:
        if self.vectors.ndim != 3 or self.units.shape != self.vectors.shape[:2]:
            msg = (
                "items must be vectors (language, item, d_model) with units (language, item). Got "
                f"shapes {self.vectors.shape} and {self.units.shape} instead."
            )
            raise InputError(msg)
        if not (self.units >= 0).any(axis=1).all() or self.units.max() >= self.n_units:
            msg = (
                f"units must be rows below {self.n_units}, with items in every language. Got "
                f"up to {self.units.max()} instead: leave languages without items out."
            )
            raise InputError(msg)
        for language, rows in enumerate(self.vectors):
            check_finite(rows[self.units[language] >= 0], name=f"items, language {language}")

    @property
    def n_languages(self) -> int:
        """Languages."""
        return len(self.vectors)

    def by_unit(self, of_unit: np.ndarray, *, padding: Any) -> np.ndarray:
        """What a unit has, for each of its items: array (language, item)."""
        found: np.ndarray = np.where(self.units >= 0, of_unit[self.units.clip(0)], padding)
        return found

    def sums(self, values: np.ndarray) -> np.ndarray:
        """Sums over the items of a unit: (..., language, item) → (..., language, unit)."""
        found = np.zeros((*values.shape[:-1], self.n_units))
        for language, units in enumerate(self.units):
            kept = np.flatnonzero(units >= 0)
            place = units[kept]
            if len(np.unique(place)) == len(place):
                found[..., language, place] = values[..., language, kept]
                continue
            onto = np.zeros((len(kept), self.n_units))
            onto[np.arange(len(kept)), place] = 1.0
            found[..., language, :] = values[..., language, kept] @ onto
        return found


@dataclass(frozen=True)
class Labels:
    """One task over items.

    Attributes
    ----------
    name
        Of the task.
    n_classes
        At least 2.
    values
        Array (language, item): class 0 … n_classes - 1; anything in range for padding.
    companions
        Other labels over the same items, fitted with the penalty that is chosen for this task:
        its baselines, by name.
    """

    name: str
    n_classes: int
    values: Int[np.ndarray, "language item"]
    companions: dict[str, Int[np.ndarray, "language item"]]


@dataclass(frozen=True)
class Rows:
    """Some rows of every language and set, padded to one length.

    Attributes
    ----------
    index
        Array (language, set, row) into the items of the language.
    there
        Array (language, set, row): whether it is a row.
    """

    index: Int[np.ndarray, "language set row"]
    there: Bool[np.ndarray, "language set row"]

    @classmethod
    def where(cls, kept: Bool[np.ndarray, "language set item"]) -> Rows:
        """Rows where ``kept`` is true."""
        counts = kept.sum(axis=2)
        order = np.argsort(~kept, axis=2, kind="stable")[..., : max(1, int(counts.max()))]
        there = np.arange(order.shape[2]) < counts[..., None]
        return cls(np.where(there, order, 0), there)

    def of(self, values: np.ndarray) -> np.ndarray:
        """Rows of an array (language, item, …): array (language, set, row, …)."""
        languages = np.arange(len(values))[:, None, None]
        found: np.ndarray = values[languages, self.index]
        return found

    def batches(self, bytes_per_row: int) -> Iterator[slice]:
        """Languages to take together so that their rows stay below ``BATCH_BYTES``."""
        n_languages, n_sets, n_rows = self.index.shape
        size = max(1, BATCH_BYTES // max(1, n_sets * n_rows * bytes_per_row))
        return (slice(at, at + size) for at in range(0, n_languages, size))

    def part(self, languages: slice) -> Rows:
        """Those of some languages."""
        return Rows(self.index[languages], self.there[languages])


def tensor(values: np.ndarray, *, like: Tensor | None = None, device: str = "cpu") -> Tensor:
    """An array as a tensor, of the type and on the device of another."""
    import torch

    found = torch.from_numpy(np.ascontiguousarray(values))
    return found.to(device) if like is None else found.to(like)


def same_size(labels: Sequence[Labels]) -> list[list[Labels]]:
    """Tasks grouped by number of classes, in order of first appearance."""
    groups: dict[int, list[Labels]] = {}
    for task in labels:
        groups.setdefault(task.n_classes, []).append(task)
    return list(groups.values())
