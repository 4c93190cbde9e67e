"""Published parallel data sets as corpora: FLORES+, SIB-200, XNLI, Belebele, MASSIVE.

Rows of all languages are joined by the data set's own keys; a unit that a language lacks goes to
the missing policy. Needs the extra ``hub``; holds the rows of all the languages in memory.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from probekit.corpora.entity import Entity
from probekit.corpora.hub_rows import HubRow, HubSource, LocalSource, RowSource, require_datasets
from probekit.corpora.languages import choose_config, to_bcp47
from probekit.corpora.missing import MissingPolicy, Table, check_limit, check_policy
from probekit.corpora.presets import PRESETS, Preset, TextColumn
from probekit.corpora.readers import build
from probekit.errors import CorpusError, LanguageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from probekit.corpora.corpus import ParallelCorpus

UNLABELLED = "unlabelled"

_SLOT = re.compile(r"\[\s*(?P<kind>[^\[\]:]+?)\s*:\s*(?P<words>[^\[\]]+?)\s*\]")


@dataclass
class _Side:
    """One language of a data set, by unit."""

    texts: dict[str, str | None] = field(default_factory=dict)
    labels: dict[str, dict[str, str]] = field(default_factory=dict)
    entities: dict[str, tuple[Entity, ...]] = field(default_factory=dict)


def read_hub(
    name: str,
    *,
    languages: Sequence[str],
    split: str | None = None,
    data_dir: str | Path | None = None,
    missing: MissingPolicy = "refuse",
    limit: int | None = None,
    text: str | None = None,
) -> ParallelCorpus:
    """Read a published data set, joined by unit; labels are the first language's that has it.

    Parameters
    ----------
    name : a key of ``PRESETS``
    languages : BCP 47 codes, or the data set's own (``eng_Latn``, ``en-US``)
    split : None reads the preset's
    data_dir : folder with local files of the same layout, read instead of the Hub
    missing : ``refuse``, ``drop-unit`` or ``drop-language``
    limit : read only so many units, the first; counted before any is dropped
    text : column that is the text; None is the preset's first

    Raises
    ------
    InputError
        The library ``datasets`` is not installed.
    CorpusError
        No such preset, column, split or file, or rows that cannot be joined.
    LanguageError
        A language that the data set does not have.
    """
    check_policy(missing)
    preset = _preset(name)
    column = _text_column(preset, name, text)
    codes = _codes(languages)
    check_limit(limit)
    require_datasets()
    split = split or preset.split
    source: RowSource = HubSource(preset, split)
    if data_dir is not None:
        source = LocalSource(preset, Path(data_dir), split)
    configs = {code: choose_config(asked, source.configs) for code, asked in codes.items()}
    sides = {code: _side(source.rows(c), column, preset) for code, c in configs.items()}
    return build(
        _join(sides, column, limit),
        missing,
        name=name,
        provenance=f"{preset.repo}, {column.column}, split {split} ({preset.license})",
    )


def _preset(name: str) -> Preset:
    if name not in PRESETS:
        msg = f"data set must be one of {', '.join(PRESETS)}. Got {name!r} instead: choose one."
        raise CorpusError(msg)
    return PRESETS[name]


def _text_column(preset: Preset, name: str, text: str | None) -> TextColumn:
    for column in preset.texts:
        if text in (None, column.column):
            return column
    has = ", ".join(column.column for column in preset.texts)
    msg = f"text of {name!r} must be one of {has}. Got {text!r} instead: choose one."
    raise CorpusError(msg)


def _codes(languages: Sequence[str]) -> dict[str, str]:
    """BCP 47 → what was asked for."""
    codes = {to_bcp47(asked): asked for asked in languages}
    if len(codes) < len(languages) or not codes or isinstance(languages, str):
        msg = f"languages must differ, and be at least one. Got {languages!r}: correct the list."
        raise LanguageError(msg)
    return codes


def _side(rows: list[HubRow], column: TextColumn, preset: Preset) -> _Side:
    """Index one language's rows by unit.

    Raises
    ------
    CorpusError
        A column is absent, or one unit has two texts.
    """
    side = _Side()
    for number, row in enumerate(rows):
        _check_columns(row, column)
        unit = "#".join(str(row[key]) for key in column.key) if column.key else str(number)
        text = row[column.column]
        if not isinstance(text, str | None):
            msg = (
                f"column {column.column!r} must be text. Got {text!r} for unit {unit!r}: quote it."
            )
            raise CorpusError(msg)
        if side.texts.setdefault(unit, text) != text:
            keys = ", ".join(column.key)
            msg = f"{keys} must identify a {column.column!r}. Got two for {unit!r}: remove one."
            raise CorpusError(msg)
        side.labels[unit] = {name: _label(row.get(name), name, preset) for name in column.labels}
        if column.annotated and text:
            side.entities[unit] = slot_entities(text, row.get(column.annotated) or "")
    return side


def _check_columns(row: HubRow, column: TextColumn) -> None:
    for name in (column.column, *column.key):
        if name not in row:
            msg = (
                f"rows must have column {name!r} (has: {', '.join(row)}). Check that the files are "
                "of this data set."
            )
            raise CorpusError(msg)


def _label(value: object, name: str, preset: Preset) -> str:
    names = preset.class_names.get(name, ())
    if isinstance(value, int) and 0 <= value < len(names):
        return names[value]
    return UNLABELLED if value in (None, "", -1) else str(value)


def slot_entities(text: str, annotated: str) -> tuple[Entity, ...]:
    """Entities of ``wake me at [time : five am]``; none if it does not spell ``text``.

    Offsets are code points of ``text``.
    """
    plain, spans, last = "", [], 0
    for slot in _SLOT.finditer(annotated):
        plain += annotated[last : slot.start()]
        words = slot["words"]
        spans.append(Entity(len(plain), len(plain) + len(words), slot["kind"], words))
        plain, last = plain + words, slot.end()
    plain += annotated[last:]
    return tuple(spans) if plain == text else ()


def _join(sides: dict[str, _Side], column: TextColumn, limit: int | None) -> Table:
    if not column.key and len({len(side.texts) for side in sides.values()}) > 1:
        counts = ", ".join(f"{code} {len(side.texts)}" for code, side in sides.items())
        msg = f"rows without ids must be as many in every language. Got {counts}: use whole files."
        raise CorpusError(msg)
    units = list(dict.fromkeys(unit for side in sides.values() for unit in side.texts))
    if column.distinct:
        units = _distinct(units, sides)
    units = units[:limit]
    first = {unit: next(s for s in sides.values() if unit in s.texts) for unit in units}
    return Table(
        units=units,
        texts={code: [side.texts.get(u) for u in units] for code, side in sides.items()},
        labels={name: [first[u].labels[u][name] for u in units] for name in column.labels},
        entities={
            code: [side.entities.get(unit, ()) for unit in units] for code, side in sides.items()
        },
    )


def _distinct(units: list[str], sides: dict[str, _Side]) -> list[str]:
    said: dict[tuple[str | None, ...], str] = {}
    for unit in units:
        said.setdefault(tuple(side.texts.get(unit) for side in sides.values()), unit)
    return list(said.values())
