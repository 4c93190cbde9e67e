"""Two layouts of parallel text, from rows of any format to one table of units × languages.

*Nested*: ``{"unit": …, "text": {"en": …}, "labels": {…}, "entities": {"en": [{…}]}}``.
*Wide*: a column of unit ids, one column per language, labels as ``label:NAME`` or named by the
caller. No column is guessed away: what is neither is an error. Costs one pass over the rows.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from probekit.corpora.entity import Entity
from probekit.corpora.languages import is_language, language_info, no_such_language, to_bcp47
from probekit.corpora.missing import Table
from probekit.errors import CorpusError, LanguageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

LABEL_PREFIX = "label:"

# English words that are also codes of small languages ("src" is Logudorese Sardinian). As the name
# of a column they are more often words, so the caller has to say which is meant.
COLUMN_WORDS = frozenset(
    {"age", "cat", "day", "doc", "ids", "key", "lab", "len", "max", "min", "num", "pid", "pos"}
    | {"pre", "raw", "row", "set", "sid", "src", "std", "sum", "tag", "tgt", "tok", "txt", "url"}
)


@dataclass(frozen=True)
class Row:
    """One record of a file, and where it stands, for messages."""

    where: str
    cells: Mapping[str, object]


@dataclass(frozen=True)
class Columns:
    """How the caller wants columns to be understood.

    Attributes
    ----------
    unit
        The column of unit ids; None means ``unit``.
    languages
        The languages to read, in this order; None means all.
    labels, ignore
        Further columns that are labels, and columns to leave out.
    """

    unit: str | None = None
    languages: tuple[str, ...] | None = None
    labels: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()

    @property
    def unit_column(self) -> str:
        """The column of unit ids."""
        return self.unit or "unit"


@dataclass
class _Record:
    where: str
    unit: str
    texts: dict[str, str | None]
    labels: dict[str, str] = field(default_factory=dict)
    entities: dict[str, tuple[Entity, ...]] = field(default_factory=dict)


def table_from_rows(rows: Sequence[Row], columns: Columns) -> Table:
    """Read rows of either layout into one table.

    Raises
    ------
    CorpusError
        No rows, no unit column, a column that is neither text nor label, a label that some units
        lack, a text that is not a string.
    LanguageError
        An invalid code, two columns of one language, or a language that is not there.
    """
    if not rows:
        msg = "corpus must hold at least one unit. Got an empty file instead: check the source."
        raise CorpusError(msg)
    nested = any(isinstance(row.cells.get("text"), Mapping) for row in rows)
    records = _nested(rows, columns) if nested else _wide(rows, columns)
    return _assemble(records, columns)


def _assemble(records: list[_Record], columns: Columns) -> Table:
    found = _ordered(code for record in records for code in record.texts)
    codes = found if columns.languages is None else _requested(columns.languages, found)
    labels = _ordered(name for record in records for name in record.labels)
    _check_labels(records, labels)
    marked = [code for code in codes if any(record.entities.get(code) for record in records)]
    return Table(
        units=[record.unit for record in records],
        texts={code: [record.texts.get(code) for record in records] for code in codes},
        labels={name: [record.labels[name] for record in records] for name in labels},
        entities={code: [r.entities.get(code, ()) for r in records] for code in marked},
    )


def _requested(languages: tuple[str, ...], found: list[str]) -> list[str]:
    codes = [to_bcp47(code) for code in languages]
    for code in codes:
        if code not in found:
            raise no_such_language(code, found)
    twice = [code for code in codes if codes.count(code) > 1]
    if twice:
        msg = f"languages must differ. Got {twice[0]!r} more than once: ask for it once."
        raise LanguageError(msg)
    return codes


def _check_labels(records: list[_Record], labels: list[str]) -> None:
    for name in labels:
        for record in records:
            if name not in record.labels:
                msg = (
                    f"label {name!r} must be given for every unit. Got none for unit "
                    f"{record.unit!r} ({record.where}): give it a value such as 'none'."
                )
                raise CorpusError(msg)


# ------------------------------------------------------------------------------------- nested


def _nested(rows: Sequence[Row], columns: Columns) -> list[_Record]:
    known = {columns.unit_column, "text", "labels", "entities", *columns.labels, *columns.ignore}
    records = []
    for row in rows:
        for key in row.cells:
            if key not in known:
                msg = (
                    f"{row.where}: key {key!r} must be unit, text, labels or entities. Name it in "
                    f"labels=[{key!r}], or leave it out with ignore=[{key!r}]."
                )
                raise CorpusError(msg)
        records.append(_nested_record(row, columns))
    return records


def _nested_record(row: Row, columns: Columns) -> _Record:
    unit = _unit_id(row, columns)
    labels = {**_mapping(row, "labels"), **{k: row.cells.get(k) for k in columns.labels}}
    return _Record(
        where=row.where,
        unit=unit,
        texts=_by_language(row, {k: _text(row, k, v) for k, v in _mapping(row, "text").items()}),
        labels={name: _label(row, name, v) for name, v in labels.items() if v is not None},
        entities={
            to_bcp47(code): tuple(_entity(row, code, span) for span in _spans(row, code, spans))
            for code, spans in _mapping(row, "entities").items()
        },
    )


def _by_language(row: Row, texts: dict[str, str | None]) -> dict[str, str | None]:
    named: dict[str, str | None] = {}
    spelled: dict[str, str] = {}
    for key, text in texts.items():
        code = to_bcp47(key)
        if code in named:
            raise LanguageError(_two_of_one(spelled[code], key, code=code, where=row.where))
        named[code], spelled[code] = text, key
    return named


def _mapping(row: Row, key: str) -> dict[str, object]:
    value = row.cells.get(key)
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        msg = f"{row.where}: {key!r} must be an object. Got {value!r}: see the nested layout."
        raise CorpusError(msg)
    return dict(value)


def _spans(row: Row, code: str, spans: object) -> list[object]:
    if spans is None:  # Parquet writes null where a unit has no entity in that language
        return []
    if not isinstance(spans, list):
        msg = f"{row.where}: entities of {code!r} must be a list. Got {spans!r}: use [] for none."
        raise CorpusError(msg)
    return spans


def _entity(row: Row, code: str, span: object) -> Entity:
    if isinstance(span, Mapping) and set(span) == {"start", "end", "kind", "text"}:
        start, end, kind, text = (span[key] for key in ("start", "end", "kind", "text"))
        offsets = all(isinstance(i, int) and not isinstance(i, bool) for i in (start, end))
        if offsets and isinstance(kind, str) and isinstance(text, str):
            return Entity(start, end, kind, text)
    msg = (
        f"{row.where}: an entity of {code!r} must have whole numbers start and end, and strings "
        f"kind and text. Got {span!r} instead: correct it."
    )
    raise CorpusError(msg)


# --------------------------------------------------------------------------------------- wide


def _wide(rows: Sequence[Row], columns: Columns) -> list[_Record]:
    names = _ordered(name for row in rows for name in row.cells)
    if columns.unit_column not in names:
        raise CorpusError(_no_unit_column(names, columns))
    labels = _label_columns(names, columns)
    texts = _language_columns(names, columns, skip={columns.unit_column, *labels})
    _check_id_column(rows, texts)
    return [
        _Record(
            where=row.where,
            unit=_unit_id(row, columns),
            texts={c: _text(row, name, row.cells.get(name)) for name, c in texts.items()},
            labels={
                label: _label(row, label, row.cells[name])
                for name, label in labels.items()
                if row.cells.get(name) is not None
            },
        )
        for row in rows
    ]


def _no_unit_column(names: list[str], columns: Columns) -> str:
    msg = (
        f"unit must name the column of unit ids. Got no column {columns.unit_column!r} (has: "
        f"{', '.join(names)}): name it with unit=..., or give sep=... if columns were not split."
    )
    if "id" in names:
        msg += " A column 'id' is Indonesian unless you say unit='id'."
    return msg


def _label_columns(names: list[str], columns: Columns) -> dict[str, str]:
    """Column → label name."""
    for name in columns.labels:
        if name not in names:
            msg = f"labels must name columns. Got {name!r} (has: {', '.join(names)}): correct it."
            raise CorpusError(msg)
    found = {name: name for name in columns.labels}
    for name in names:
        if name.startswith(LABEL_PREFIX) and name not in (*found, *columns.ignore):
            found[name] = name.removeprefix(LABEL_PREFIX)
    return found


def _language_columns(names: list[str], columns: Columns, *, skip: set[str]) -> dict[str, str]:
    """Column → BCP 47; refuses what is neither language, label, unit nor ignored."""
    asked = {to_bcp47(code) for code in columns.languages or ()}
    found: dict[str, str] = {}
    for name in names:
        if name in skip or name in columns.ignore:
            continue
        code = _column_language(name, asked)
        if code in found.values():
            first = next(column for column, known in found.items() if known == code)
            raise LanguageError(_two_of_one(first, name, code=code, where="header"))
        found[name] = code
    if not found:
        msg = f"corpus must have language columns. Got none (has: {', '.join(names)}): add one."
        raise LanguageError(msg)
    return found


def _column_language(name: str, asked: set[str]) -> str:
    ways = f"labels=[{name!r}] if it is a label, or ignore=[{name!r}] to leave it out"
    if not is_language(name):
        msg = f"column {name!r} is neither the unit, a label nor a language code. Use {ways}."
        raise CorpusError(msg)
    code = to_bcp47(name)
    if name in COLUMN_WORDS and code not in asked:
        language = language_info(code).name
        msg = f"column {name!r} may be {language} or a word. Ask for it with languages=..., {ways}."
        raise CorpusError(msg)
    return code


def _check_id_column(rows: Sequence[Row], texts: Mapping[str, str]) -> None:
    """Refuse a column ``id`` of plain numbers: it identifies rows, and is not Indonesian."""
    if "id" not in texts:
        return
    values = [str(value) for row in rows if (value := row.cells.get("id")) is not None]
    if values and all(value.isdecimal() for value in values):
        msg = (
            "column 'id' is Indonesian, but holds only numbers. Use unit='id' if it identifies the "
            "units, or ignore=['id'] to leave it out."
        )
        raise CorpusError(msg)


# -------------------------------------------------------------------------------------- cells


def _unit_id(row: Row, columns: Columns) -> str:
    value = row.cells.get(columns.unit_column)
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if isinstance(value, str) and value.strip():
        return value
    msg = (
        f"{row.where}: unit id {columns.unit_column!r} must be a non-empty string or a whole "
        f"number. Got {value!r} instead: give every unit an id, or name its column with unit=..."
    )
    raise CorpusError(msg)


def _text(row: Row, name: str, value: object) -> str | None:
    if value is None or isinstance(value, str):
        return value
    msg = f"{row.where}: text {name!r} must be a string. Got {value!r} instead: quote it."
    raise CorpusError(msg)


def _label(row: Row, name: str, value: object) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool | int | float):
        return json.dumps(value)
    msg = f"{row.where}: label {name!r} must be a string or a number. Got {value!r}: correct it."
    raise CorpusError(msg)


def _two_of_one(first: str, second: str, *, code: str, where: str) -> str:
    return (
        f"{where}: {first!r} and {second!r} are both language {code!r}. Remove one, or leave it "
        f"out with ignore=[{second!r}]."
    )


def _ordered(names: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(names))
