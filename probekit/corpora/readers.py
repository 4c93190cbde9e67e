"""Parallel text from files: JSON Lines, JSON, CSV, TSV and Parquet, in two layouts.

*Nested* JSON: ``{"unit": "u1", "text": {"en": "…", "sw": "…"}, "labels": {"topic": "health"},
"entities": {"en": [{"start": 0, "end": 5, "kind": "person", "text": "…"}]}}``. *Wide* (any format):
a column ``unit``, a column per language, labels as ``label:NAME``. Text is kept exactly as it is in
the file: no Unicode normalisation, no stripping. The whole file is held in memory, a few times its
size, while it is read.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from probekit.corpora.corpus import ParallelCorpus
from probekit.corpora.layouts import Columns, Row, table_from_rows
from probekit.corpora.missing import MissingPolicy, Table, apply_missing, check_policy
from probekit.errors import CorpusError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

_BOM = b"\xef\xbb\xbf"


def read_corpus(
    path: str | Path,
    *,
    languages: Sequence[str] | None = None,
    unit: str | None = None,
    missing: MissingPolicy = "refuse",
    name: str | None = None,
    sep: str | None = None,
    labels: Sequence[str] = (),
    ignore: Sequence[str] = (),
    quotes: bool = True,
) -> ParallelCorpus:
    """Read a parallel corpus; the suffix says the format, and ``eng_Latn`` is read as ``en``.

    Parameters
    ----------
    path : path of a ``.jsonl``, ``.json`` (list), ``.csv``, ``.tsv`` or ``.parquet`` file
    languages : languages to read, in this order; None reads all
    unit : column of unit ids, if not ``unit``. A column ``id`` is Indonesian unless named here
    missing : ``refuse``, ``drop-unit`` or ``drop-language``
    name : name of the corpus, if not the file's
    sep : separator, if not the comma of CSV and the tab of TSV
    labels : columns that are labels
    ignore : columns to leave out
    quotes : False reads quotation marks in CSV and TSV as text

    Raises
    ------
    CorpusError
        The file cannot be read as such a corpus; the message says where.
    LanguageError
        An invalid code, two columns of one language, or a language that is not there.
    """
    check_policy(missing)
    path = Path(path)
    data = _read_bytes(path)
    parse = _parser(path, sep=sep, quotes=quotes)
    columns = Columns(
        unit=unit,
        languages=None if languages is None else tuple(languages),
        labels=tuple(labels),
        ignore=tuple(ignore),
    )
    digest = hashlib.sha256(data).hexdigest()[:12]
    with _naming(path):
        table = table_from_rows(parse(data), columns)
        provenance = f"file {path.name} (sha256 {digest}…)"
        return build(table, missing, name=name or path.stem, provenance=provenance)


def build(table: Table, missing: MissingPolicy, *, name: str, provenance: str) -> ParallelCorpus:
    """Apply the missing policy to a table and check what is left."""
    complete, dropped = apply_missing(table, missing)
    texts = {
        code: tuple(text for text in column if text is not None)
        for code, column in complete.texts.items()
    }
    return ParallelCorpus(
        name=name,
        units=tuple(complete.units),
        texts=texts,
        labels={label: tuple(values) for label, values in complete.labels.items()},
        entities={code: tuple(spans) for code, spans in complete.entities.items()},
        dropped=dropped,
        provenance=provenance,
    )


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Put the file's name before the message of any error inside."""
    try:
        yield
    except CorpusError as error:
        msg = f"{path.name}: {error}"
        raise type(error)(msg) from error.__cause__


def _read_bytes(path: Path) -> bytes:
    if path.is_dir():
        msg = f"corpus must be a file. Got the folder {path}: name a file in it."
        raise CorpusError(msg)
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        msg = f"corpus file {path} does not exist. Check the path, or use 'builtin' or 'cldr'."
        raise CorpusError(msg) from None
    except OSError as error:
        msg = f"corpus file {path} cannot be read ({error.strerror}). Check its permissions."
        raise CorpusError(msg) from error
    if not data.removeprefix(_BOM).strip():
        msg = f"corpus file {path} is empty. It must hold at least one unit: check the source."
        raise CorpusError(msg)
    return data


def _parser(path: Path, *, sep: str | None, quotes: bool) -> Callable[[bytes], list[Row]]:
    suffix = path.suffix.lower()
    if suffix in (".csv", ".tsv"):
        usual = "," if suffix == ".csv" else "\t"
        separator = usual if sep is None else sep
        return lambda data: delimited_rows(data, sep=separator, quotes=quotes)
    parsers = {".jsonl": json_line_rows, ".json": json_list_rows, ".parquet": parquet_rows}
    if suffix not in parsers:
        msg = (
            f"corpus file must end in .jsonl, .json, .csv, .tsv or .parquet. Got {path.name!r} "
            "instead: convert or rename it."
        )
        raise CorpusError(msg)
    return parsers[suffix]


def decode(data: bytes) -> str:
    """UTF-8 with or without a byte order mark.

    Raises
    ------
    CorpusError
        Another encoding; the message says at which byte and line.
    """
    data = data.removeprefix(_BOM)
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        msg = (
            f"text must be UTF-8. Got byte 0x{data[error.start]:02x} at offset {error.start} "
            f"(line {line}) instead: save the file as UTF-8."
        )
        raise CorpusError(msg) from None


def json_line_rows(data: bytes) -> list[Row]:
    """One JSON object a line; blank lines are skipped."""
    # Only "\n" ends a line: U+2028 and its like are text.
    lines = enumerate(decode(data).split("\n"), start=1)
    return [
        Row(f"line {number}", _json_object(line, f"line {number}"))
        for number, line in lines
        if line.strip()
    ]


def json_list_rows(data: bytes) -> list[Row]:
    """One JSON list of objects."""
    rows = _json(decode(data), "file")
    if not isinstance(rows, list):
        msg = f"JSON must be a list of objects. Got {_kind(rows)} instead: wrap it in [ ]."
        raise CorpusError(msg)
    return [
        Row(f"item {number}", _checked_object(row, f"item {number}"))
        for number, row in enumerate(rows, start=1)
    ]


def delimited_rows(data: bytes, *, sep: str = ",", quotes: bool = True) -> list[Row]:
    """CSV or TSV with a header; a row of another length than the header is refused."""
    if len(sep) != 1 or sep in "\r\n":
        msg = f"sep must be one character. Got {sep!r} instead: give ',', ';' or a tab."
        raise CorpusError(msg)
    lines = io.StringIO(decode(data), newline="")
    with _long_fields():
        reader = csv.reader(
            lines,
            delimiter=sep,
            quoting=csv.QUOTE_MINIMAL if quotes else csv.QUOTE_NONE,
            strict=True,
        )
        try:
            return _delimited(reader)
        except csv.Error as error:
            msg = (
                f"line {reader.line_num}: quotation marks are not those of CSV ({error}). Double "
                "them inside a quoted field, or read with quotes=False if they are text."
            )
            raise CorpusError(msg) from error


def _delimited(reader: Any) -> list[Row]:
    header: list[str] = next((row for row in reader if row), [])
    twice = {name for name in header if header.count(name) > 1}
    if twice:
        msg = f"columns must differ. Got {sorted(twice)[0]!r} more than once: rename one."
        raise CorpusError(msg)
    rows = []
    for cells in reader:
        if not cells:  # a blank line
            continue
        if len(cells) != len(header):
            msg = (
                f"line {reader.line_num}: a row must have {len(header)} fields, like the header. "
                f"Got {len(cells)} instead: quote fields that hold the separator."
            )
            raise CorpusError(msg)
        rows.append(Row(f"line {reader.line_num}", dict(zip(header, cells, strict=True))))
    return rows


@contextmanager
def _long_fields() -> Iterator[None]:
    """Lift the csv module's limit of 131072 characters a field; it is global, so put it back."""
    before = csv.field_size_limit(sys.maxsize)
    try:
        yield
    finally:
        csv.field_size_limit(before)


def parquet_rows(data: bytes) -> list[Row]:
    """Parquet, wide or nested (structs)."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        rows = pq.read_table(io.BytesIO(data)).to_pylist()
    except (pa.ArrowException, OSError) as error:
        first = str(error).splitlines()[0]
        msg = f"file must be Parquet ({first}). Write it again, or rename it to its true format."
        raise CorpusError(msg) from error
    return [Row(f"row {number}", row) for number, row in enumerate(rows, start=1)]


def _json(text: str, where: str) -> object:
    try:
        return json.loads(text, object_pairs_hook=_unique)
    except json.JSONDecodeError as error:
        at = f"line {error.lineno}" if where == "file" else where
        msg = f"{at}: broken JSON ({error.msg} at column {error.colno}). Each unit is one object."
        raise CorpusError(msg) from None
    except RecursionError:
        msg = f"{where}: JSON is nested too deeply. Each unit is one flat object."
        raise CorpusError(msg) from None
    except ValueError as error:
        msg = f"{where}: {error}. Correct the line."
        raise CorpusError(msg) from None


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """Refuse a key given twice: the last would win in silence."""
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        msg = f"key {twice!r} is given more than once"
        raise ValueError(msg)
    return found


def _json_object(line: str, where: str) -> dict[str, object]:
    return _checked_object(_json(line, where), where)


def _checked_object(value: object, where: str) -> dict[str, object]:
    if isinstance(value, dict):
        return value
    msg = f"{where}: a unit must be a JSON object. Got {_kind(value)} instead: see the layouts."
    raise CorpusError(msg)


def _kind(value: object) -> str:
    names = {dict: "an object", list: "a list", str: "a string", type(None): "null"}
    return names.get(type(value), "a number or a boolean")
