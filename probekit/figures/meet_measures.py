"""What can be shown by pair of languages: CKA in its variants, and the measures of alignment.

Reads tables, means, intervals and levels of a run; draws nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from probekit.errors import InputError
from probekit.figures.alignment import PAIR_TABLES, held

if TYPE_CHECKING:
    from collections.abc import Sequence

    import xarray as xr

    from probekit.runs import Run

#: Variants of CKA by pair, with their names.
CKA_TABLES = {
    "debiased": "debiased CKA",
    "biased": "biased CKA",
    "standardised": "CKA, dimensions standardised",
    "without_rogue": "CKA without rogue dimensions",
}
MEASURES = {**CKA_TABLES, **PAIR_TABLES}


@dataclass(frozen=True)
class PairMeasure:
    """One measure of a run by layer and pair.

    Attributes
    ----------
    name, words
        Its key in ``MEASURES``, and its name.
    data
        The group that holds it.
    """

    name: str
    words: str
    data: xr.Dataset

    @cached_property
    def layers(self) -> list[int]:
        """−1 (the embedding), then every block."""
        return [int(layer) for layer in self.data["layer"].to_numpy()]

    @cached_property
    def tables(self) -> np.ndarray:
        """Array (layer, language, language)."""
        values: np.ndarray = self.data[self.name].to_numpy()
        return values

    @cached_property
    def ends(self) -> tuple[np.ndarray, np.ndarray] | None:
        """Interval of every pair, arrays like `tables`, where the run has one."""
        if self.name != "debiased":
            return None
        return self.data["pair_low"].to_numpy(), self.data["pair_high"].to_numpy()

    def spans(self, a: int, b: int) -> list[str]:
        """The interval of a pair at every layer in words; empty ones where there is none."""
        if self.ends is None:
            return [""] * len(self.layers)
        low, high = (end[:, a, b] for end in self.ends)
        return [f" [{one:.3f}, {two:.3f}]" for one, two in zip(low, high, strict=True)]

    @cached_property
    def directed(self) -> bool:
        """Whether a → b can differ from b → a."""
        tables = self.tables
        return not np.allclose(tables, tables.transpose(0, 2, 1))

    @property
    def less_is_more(self) -> bool:
        """Whether lower is more alike."""
        return self.name == "procrustes"

    @cached_property
    def mean(self) -> np.ndarray:
        """Mean over pairs by layer."""
        values: np.ndarray = self.data[self._mean].to_numpy()
        return values

    @property
    def mean_ends(self) -> tuple[np.ndarray, np.ndarray] | None:
        """Interval of the mean, where the run has one."""
        names = (f"{self._mean}_low", f"{self._mean}_high")
        if not set(names) <= set(self.data.data_vars):
            return None
        return self.data[names[0]].to_numpy(), self.data[names[1]].to_numpy()

    @property
    def level(self) -> tuple[str, np.ndarray] | None:
        """Null or chance level of the mean by layer and what it is; None where none is held."""
        if self.name == "debiased":
            return "null (95 %)", self.data["mean_null95"].to_numpy()
        if self.name == "biased":
            if "mean_biased_chance" not in self.data:
                return None
            return "units permuted", self.data["mean_biased_chance"].to_numpy()
        zeros = np.zeros(len(self.layers))
        if self.name in CKA_TABLES:
            return "unrelated (0)", zeros
        chance = f"{self.name}_chance"
        if chance in self.data:
            return "units permuted", self.data[chance].to_numpy()
        return "chance", zeros + float(self.data.attrs[chance])

    @property
    def zero(self) -> np.ndarray:
        """What one pair is expected to have by layer where languages are unrelated."""
        if self.name == "debiased" or self.level is None:
            return np.zeros(len(self.layers))
        return self.level[1]

    @property
    def _mean(self) -> str:
        if self.name in CKA_TABLES:
            return "mean" if self.name == "debiased" else f"mean_{self.name}"
        return f"{self.name}_mean"


def pair_measure(run: Run, name: str) -> PairMeasure:
    """A measure by its name.

    Raises
    ------
    InputError
        No such measure.
    RunError
        The run does not have it.
    """
    if name not in MEASURES:
        msg = f"measure must be one of {', '.join(MEASURES)}. Got {name!r} instead."
        raise InputError(msg)
    group = "cka" if name in CKA_TABLES else "alignment"
    return PairMeasure(name, MEASURES[name], held(run, group, name))


def measures_of(run: Run) -> dict[str, str]:
    """Measures that a run has, with their names; debiased CKA first."""
    return {
        name: words
        for name, words in MEASURES.items()
        if (group := "cka" if name in CKA_TABLES else "alignment") in run.results.children
        and name in run.results[group].data_vars
    }


def chosen_languages(run: Run, languages: Sequence[str]) -> tuple[str, ...]:
    """Languages in the run's order; all of them where none is named.

    Raises
    ------
    InputError
        The run has not got one.
    """
    for code in languages:
        if code not in run.languages:
            msg = (
                f"languages must be of the run ({', '.join(run.languages)}). Got {code!r} instead."
            )
            raise InputError(msg)
    return tuple(code for code in run.languages if not languages or code in languages)


def pairs_of(
    languages: Sequence[str], *, every: Sequence[str], directed: bool
) -> list[tuple[int, int]]:
    """Pairs among languages as places in ``every``; of a single one, its pairs with all others."""
    places = [every.index(code) for code in languages]
    alone = len(places) == 1
    return [
        (a, b)
        for a in range(len(every))
        for b in range(len(every))
        if a != b
        and (directed or a < b)
        and ((a in places or b in places) if alone else (a in places and b in places))
    ]
