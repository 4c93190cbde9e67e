"""What a comparison of two runs is: frozen results, their JSON form, their text.

Made by :func:`probekit.runs.compare.compare_runs`; reads no run.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from probekit.errors import InputError
from probekit.runs.bands import Band

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    FloatArray = NDArray[np.float64]
    BoolArray = NDArray[np.bool_]

SCHEMA = "probekit-comparison/1"

#: How the interval of a difference was made.
How = Literal["paired", "independent"]


@dataclass(frozen=True)
class Compared:
    """One of the two runs: its folder's name, its model, its blocks, units and languages."""

    name: str
    model: str
    n_blocks: int
    n_units: int
    languages: tuple[str, ...]
    weights: str | None


@dataclass(frozen=True, eq=False)
class ByLanguage:
    """A measure by layer and language in both runs; arrays (n_points, n_languages)."""

    a: Band
    b: Band
    change: Band
    differs: BoolArray


@dataclass(frozen=True, eq=False)
class Difference:
    """One measure in both runs, at the same relative depths.

    Attributes
    ----------
    key, analysis
        ``group/variable``; the instrument that wrote it.
    depths
        Array (n_points,) in [0, 1], ascending.
    a, b
        The measure in either run, with its interval; arrays (n_points,).
    change
        ``b − a`` with a pointwise 95 % interval.
    differs
        Where that interval, widened to hold for everything compared at once, leaves zero out.
    how
        ``paired``: from the resamples that both runs share. ``independent``: from both intervals.
    averaged
        Whether the measure is the mean over the shared languages, with its widest interval,
        because the runs' own means are over other languages.
    by_language
        The same by language; None where the runs have no such table.
    """

    key: str
    analysis: str
    depths: FloatArray
    a: Band
    b: Band
    change: Band
    differs: BoolArray
    how: How
    averaged: bool = False
    by_language: ByLanguage | None = None

    @property
    def largest(self) -> int:
        """Point of the largest change."""
        return int(np.abs(self.change.value).argmax())

    @property
    def any_differs(self) -> bool:
        """Whether it differs at any depth, over languages or in one of them."""
        mine = self.by_language
        return bool(self.differs.any()) or (mine is not None and bool(mine.differs.any()))


@dataclass(frozen=True, eq=False)
class RunComparison:
    """Two runs measure by measure: how ``b`` differs from ``a``.

    Attributes
    ----------
    a, b
        The runs.
    languages
        Those that both have, in the order of ``a``; everything is over these.
    same_weights, same_corpus
        Equal hashes; None where one is not known.
    joint
        How many times wider an interval is that holds for everything compared at once.
    differences
        By key, ``cka/mean`` first.
    left_out
        Measure → why it is not compared.
    warnings
        What weakens the comparison, in sentences.
    """

    a: Compared
    b: Compared
    languages: tuple[str, ...]
    same_weights: bool | None
    same_corpus: bool
    joint: float
    differences: Mapping[str, Difference]
    left_out: Mapping[str, str]
    warnings: tuple[str, ...]

    def __getitem__(self, key: str) -> Difference:
        """One measure.

        Raises
        ------
        InputError
            It is not among those compared; says why where that is known.
        """
        if key in self.differences:
            return self.differences[key]
        reason = self.left_out.get(key, f"has: {', '.join(self.differences)}")
        msg = (
            f"measure {key!r} is not compared in {self.a.name!r} and {self.b.name!r} ({reason}). "
            "Choose another measure."
        )
        raise InputError(msg)

    @property
    def differing(self) -> tuple[str, ...]:
        """Measures that differ at some depth beyond the joint interval."""
        return tuple(key for key, each in self.differences.items() if each.any_differs)

    @property
    def same_depth(self) -> bool:
        """Whether layers stand beside the layers of the same number."""
        return self.a.n_blocks == self.b.n_blocks

    def layers(self, key: str, *, of: Compared | None = None) -> FloatArray:
        """Points of a measure as layers of a run (``a`` by default); fractions between layers."""
        return self[key].depths * (of or self.a).n_blocks - 1

    def rows(self, *, by_point: bool = False) -> list[dict[str, Any]]:
        """One row a measure, at its largest change; or one a measure and depth.

        ``differs`` of a measure says whether it does at any depth or in any language.
        """
        if by_point:
            return [
                _at(self, each, at) | {"differs": bool(each.differs[at])}
                for each in self.differences.values()
                for at in range(len(each.depths))
            ]
        return [
            _at(self, each, each.largest)
            | {
                "mean_change": float(each.change.value.mean()),
                "points_that_differ": int(each.differs.sum()),
                "points": len(each.depths),
                "differs": each.any_differs,
            }
            for each in self.differences.values()
        ]

    def headline(self) -> str:
        """Both runs in a line."""
        weights = {True: "same weights", False: "other weights", None: "weights not known"}
        corpus = "same text" if self.same_corpus else "other text"
        return (
            f"{self.b.name} − {self.a.name}: {_short(self.b.model)} ({self.b.n_blocks} blocks) "
            f"against {_short(self.a.model)} ({self.a.n_blocks} blocks), "
            f"{weights[self.same_weights]}, {corpus}, "
            f"{len(self.languages)} shared language{'' if len(self.languages) == 1 else 's'}"
        )

    def verdict(self) -> str:
        """How many measures differ, and what that rests on."""
        found, every = self.differing, len(self.differences)
        said = f"{len(found)} of {every} measures differ" if found else f"none of {every} differs"
        return f"{said} at some depth (95 % over all of them at once: intervals × {self.joint:.2f})"

    def __str__(self) -> str:
        lines = [self.headline(), *(f"  ! {each}" for each in self.warnings), self.verdict()]
        lines += [
            f"  - {row['measure']}: {row['change']:+.3f} [{row['low']:+.3f}, {row['high']:+.3f}] "
            f"at depth {row['depth']:.2f}"
            for row in self.rows()
            if row["differs"]
        ]
        return "\n".join(lines)

    def to_document(self) -> dict[str, Any]:
        """Plain JSON values; :meth:`from_document` reads them back without loss."""
        return {
            "schema": SCHEMA,
            "a": _compared(self.a),
            "b": _compared(self.b),
            "languages": list(self.languages),
            "same_weights": self.same_weights,
            "same_corpus": self.same_corpus,
            "joint": self.joint,
            "differing": list(self.differing),
            "warnings": list(self.warnings),
            "left_out": dict(self.left_out),
            "differences": {key: _difference(each) for key, each in self.differences.items()},
        }

    def to_json(self) -> str:
        """The document as text; floats are written in full."""
        return json.dumps(self.to_document(), indent=1, ensure_ascii=False, allow_nan=False)

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> RunComparison:
        """Read :meth:`to_document` back.

        Raises
        ------
        InputError
            It is of another schema.
        """
        if document.get("schema") != SCHEMA:
            msg = (
                f"comparison must have schema {SCHEMA!r}. Got {document.get('schema')!r} instead; "
                "make it with 'probekit diff --json'."
            )
            raise InputError(msg)
        plain = ("same_weights", "same_corpus", "joint", "left_out")
        differences = {k: _to_difference(k, each) for k, each in document["differences"].items()}
        return cls(
            a=_to_compared(document["a"]),
            b=_to_compared(document["b"]),
            languages=tuple(document["languages"]),
            differences=differences,
            warnings=tuple(document["warnings"]),
            **{name: document[name] for name in plain},
        )


def _short(model: str) -> str:
    """The last two parts of a path or hub id."""
    return "/".join(model.rstrip("/").split("/")[-2:])


def _at(comparison: RunComparison, each: Difference, at: int) -> dict[str, Any]:
    """A measure at one of its points."""
    depth = float(each.depths[at])
    return {
        "measure": each.key,
        "depth": depth,
        "layer": depth * comparison.a.n_blocks - 1,
        "layer_b": depth * comparison.b.n_blocks - 1,
        "a": float(each.a.value[at]),
        "b": float(each.b.value[at]),
        "change": float(each.change.value[at]),
        "low": float(each.change.low[at]),
        "high": float(each.change.high[at]),
        "interval": each.how,
    }


def _compared(run: Compared) -> dict[str, Any]:
    return {**vars(run), "languages": list(run.languages)}


def _to_compared(found: Mapping[str, Any]) -> Compared:
    return Compared(**{**found, "languages": tuple(found["languages"])})


def _bands(a: Band, b: Band, change: Band) -> dict[str, Any]:
    named = {"a": a, "b": b, "change": change}
    return {
        name: {part: getattr(band, part).tolist() for part in Band._fields}
        for name, band in named.items()
    }


def _to_bands(found: Mapping[str, Any]) -> dict[str, Any]:
    named = {
        name: Band(*(np.array(found[name][part], dtype=np.float64) for part in Band._fields))
        for name in ("a", "b", "change")
    }
    return {**named, "differs": np.array(found["differs"], dtype=bool)}


def _difference(each: Difference) -> dict[str, Any]:
    mine = each.by_language
    return {
        "analysis": each.analysis,
        "interval": each.how,
        "averaged": each.averaged,
        "depths": each.depths.tolist(),
        **_bands(each.a, each.b, each.change),
        "differs": each.differs.tolist(),
        "by_language": None
        if mine is None
        else {**_bands(mine.a, mine.b, mine.change), "differs": mine.differs.tolist()},
    }


def _to_difference(key: str, found: Mapping[str, Any]) -> Difference:
    mine = found["by_language"]
    return Difference(
        key=key,
        analysis=found["analysis"],
        how=found["interval"],
        averaged=found["averaged"],
        depths=np.array(found["depths"], dtype=np.float64),
        by_language=None if mine is None else ByLanguage(**_to_bands(mine)),
        **_to_bands(found),
    )
