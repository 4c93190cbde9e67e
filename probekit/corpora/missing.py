"""What to do when a unit lacks a language: refuse, drop the unit, or drop the language.

A translation is missing when it is absent, null, empty or only whitespace. Nothing is dropped
unless it was asked for, and what was dropped is kept with the corpus. Costs one look at each text.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, get_args

from probekit.errors import CorpusError

if TYPE_CHECKING:
    from probekit.corpora.entity import Entity

MissingPolicy = Literal["refuse", "drop-unit", "drop-language"]
POLICIES: tuple[MissingPolicy, ...] = get_args(MissingPolicy)

_SHOWN = 3  # examples in a refusal


@dataclass(frozen=True)
class Dropped:
    """What was left out for want of translations.

    Attributes
    ----------
    units, languages
        Ids and codes that were dropped, in the order they had.
    missing
        Missing texts per language, before dropping.
    of_units, of_languages
        How many there were before dropping.
    """

    units: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()
    missing: Mapping[str, int] = field(default_factory=dict)
    of_units: int = 0
    of_languages: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "missing", MappingProxyType(dict(self.missing)))

    def __reduce__(self) -> tuple[Any, ...]:
        # A mapping proxy cannot be pickled; workers on other machines need the corpus.
        counts = (self.of_units, self.of_languages)
        return Dropped, (self.units, self.languages, dict(self.missing), *counts)

    def __bool__(self) -> bool:
        return bool(self.units or self.languages)

    def summary(self) -> str:
        """Say it in a sentence: ``dropped 3 of 160 units (missing translations: sw 2, hi 1)``."""
        if not self:
            return "nothing dropped"
        parts = []
        if self.units:
            parts.append(f"{len(self.units)} of {self.of_units} units")
        if self.languages:
            parts.append(f"{len(self.languages)} of {self.of_languages} languages")
        by_count = sorted(self.missing.items(), key=lambda item: -item[1])
        counts = ", ".join(f"{code} {count}" for code, count in by_count)
        return f"dropped {' and '.join(parts)} (missing translations: {counts})"


@dataclass(frozen=True)
class Table:
    """Units × languages as read, before anything is known to be complete.

    ``texts[language][i]`` is the text of ``units[i]``, or None where the source has none.
    """

    units: list[str]
    texts: dict[str, list[str | None]]
    labels: dict[str, list[str]] = field(default_factory=dict)
    entities: dict[str, list[tuple[Entity, ...]]] = field(default_factory=dict)

    def keep(self, kept: list[int]) -> Table:
        """Only the units at those positions, in that order."""
        return Table(
            units=[self.units[i] for i in kept],
            texts={code: [column[i] for i in kept] for code, column in self.texts.items()},
            labels={name: [values[i] for i in kept] for name, values in self.labels.items()},
            entities={code: [spans[i] for i in kept] for code, spans in self.entities.items()},
        )


def is_missing(text: str | None) -> bool:
    """Whether a translation is absent, null, empty or only whitespace."""
    return text is None or not text.strip()


def check_policy(policy: str) -> MissingPolicy:
    """Return the policy if there is one of that name.

    Raises
    ------
    CorpusError
        There is none.
    """
    for known in POLICIES:
        if policy == known:
            return known
    msg = f"missing must be one of {', '.join(POLICIES)}. Got {policy!r} instead."
    raise CorpusError(msg)


def check_limit(limit: int | None) -> None:
    """Refuse a limit that keeps no unit.

    Raises
    ------
    CorpusError
        It is less than 1.
    """
    if limit is not None and limit < 1:
        msg = f"limit must be at least 1. Got {limit}: give how many units to keep, or None."
        raise CorpusError(msg)


def apply_missing(table: Table, policy: MissingPolicy) -> tuple[Table, Dropped]:
    """Make a table complete, or say why it is not.

    Raises
    ------
    CorpusError
        The policy is ``refuse`` and a text is missing, nothing would be left, or there is no such
        policy.
    """
    policy = check_policy(policy)
    holes = {
        code: [i for i, text in enumerate(column) if is_missing(text)]
        for code, column in table.texts.items()
    }
    holes = {code: where for code, where in holes.items() if where}
    if not holes:
        return table, Dropped()
    if policy == "refuse":
        raise CorpusError(_refusal(table, holes))
    counts = {
        "missing": {code: len(where) for code, where in holes.items()},
        "of_units": len(table.units),
        "of_languages": len(table.texts),
    }
    if policy == "drop-unit":
        return _drop_units(table, holes, counts)
    return _drop_languages(table, holes, counts)


def _drop_units(
    table: Table, holes: dict[str, list[int]], counts: dict[str, Any]
) -> tuple[Table, Dropped]:
    bad = {i for where in holes.values() for i in where}
    kept = [i for i in range(len(table.units)) if i not in bad]
    if not kept:
        worst = max(holes, key=lambda code: len(holes[code]))
        msg = (
            f"missing='drop-unit' leaves no unit: all {len(table.units)} lack some language "
            f"({worst!r} lacks {len(holes[worst])}). Use missing='drop-language', or leave it out."
        )
        raise CorpusError(msg)
    dropped = tuple(table.units[i] for i in sorted(bad))
    return table.keep(kept), Dropped(units=dropped, **counts)


def _drop_languages(
    table: Table, holes: dict[str, list[int]], counts: dict[str, Any]
) -> tuple[Table, Dropped]:
    if len(holes) == len(table.texts):
        msg = (
            f"missing='drop-language' leaves no language: each of {', '.join(holes)} lacks a "
            "translation. Use missing='drop-unit', or complete the texts."
        )
        raise CorpusError(msg)
    kept = Table(
        units=table.units,
        texts={code: column for code, column in table.texts.items() if code not in holes},
        labels=table.labels,
        entities={code: spans for code, spans in table.entities.items() if code not in holes},
    )
    return kept, Dropped(languages=tuple(holes), **counts)


def _refusal(table: Table, holes: dict[str, list[int]]) -> str:
    """How many are missing, the first three by unit, and the two ways out."""
    pairs = sorted((i, code) for code, where in holes.items() for i in where)
    shown = "; ".join(_one_hole(table, i, code) for i, code in pairs[:_SHOWN])
    more = "; …" if len(pairs) > _SHOWN else ""
    total = len(table.units) * len(table.texts)
    return (
        f"missing='refuse' needs every text: {len(pairs)} of {total} are missing ({shown}{more}). "
        "Complete them, or read with missing='drop-unit' or missing='drop-language'."
    )


def _one_hole(table: Table, i: int, code: str) -> str:
    kind = "absent" if table.texts[code][i] is None else "empty text"
    return f"unit {table.units[i]!r} in {code}: {kind}"
