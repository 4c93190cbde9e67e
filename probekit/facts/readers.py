"""Facts from files: JSON Lines, JSON, CSV, TSV and Parquet, in four layouts.

- ``plain``: ``question``, ``answer``, ``fact``, ``language``; may have ``part``, ``form``,
  ``relation`` and ``choices``.
- ``tofu``: ``question``, ``answer``; ``perturbed_answer`` gives wrong choices.
- ``rwku``: ``query``, ``answer``, ``subject``; ``level`` gives the form.
- ``mmlu``: ``question``, ``choices`` and ``answer``, the index of the right choice or its letter;
  ``subject`` gives the relation.

Text is kept as it is in the file; an answer gets its script's leading space where it has none. The
whole file is held in memory while it is read.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from probekit.corpora.readers import (
    delimited_rows,
    json_line_rows,
    json_list_rows,
    parquet_rows,
)
from probekit.errors import CorpusError, InputError
from probekit.facts.layouts import FIELDS, LAYOUTS, Layout, Reading, questions_from_rows
from probekit.facts.question import PARTS, FactSet

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from probekit.corpora.layouts import Row

_PARSERS: dict[str, Callable[[bytes], list[Row]]] = {
    ".jsonl": json_line_rows,
    ".json": json_list_rows,
    ".csv": delimited_rows,
    ".tsv": lambda data: delimited_rows(data, sep="\t"),
    ".parquet": parquet_rows,
}


def read_facts(
    path: str | Path,
    *,
    layout: Layout = "plain",
    columns: Mapping[str, str] | None = None,
    language: str | None = None,
    part: str = "forget",
    form: str = "question",
    frame: str | None = None,
    group: int = 20,
    name: str | None = None,
) -> FactSet:
    """Read questions and answers; the suffix says the format, the layout says the columns.

    The module's docstring says which columns a layout has. A file that :meth:`FactSet.to_jsonl`
    wrote is read as what it is.

    Parameters
    ----------
    path : path of a ``.jsonl``, ``.json`` (list), ``.csv``, ``.tsv`` or ``.parquet`` file
    layout : ``plain``, ``tofu``, ``rwku`` or ``mmlu``
    columns : field → column, as in ``{"question": "Frage"}``
    language, part, form : of rows that do not say theirs
    frame : text around a question, as in ``"Q: {} A:"``. None: the bare question in ``plain``, else
        "Question: … Answer:" in the question's language where it is known
    group : questions about one author (``tofu``)
    name : name of the set, if not the file's

    Raises
    ------
    CorpusError
        The file cannot be read as such facts; the message says where.
    LanguageError
        A language that is none.
    InputError
        An option outside its values, or questions that contradict each other.
    """
    path = Path(path)
    names = dict(columns or {})
    reading = Reading(layout, names, language, part, form, frame, group, path.stem)
    _check_options(reading)
    rows = _rows(path)
    if layout == "plain" and not columns and {"prompt", "answer", "fact"} <= set(rows[0].cells):
        return FactSet.from_jsonl(path, name=name)
    try:
        return FactSet(questions_from_rows(rows, reading), name=name or path.stem)
    except InputError as error:
        msg = f"{path.name}: {error}"
        raise type(error)(msg) from error.__cause__


def _check_options(reading: Reading) -> None:
    for option, value, allowed in (
        ("layout", reading.layout, LAYOUTS),
        ("part", reading.part, PARTS),
        *(("columns", field, FIELDS) for field in reading.columns),
    ):
        if value not in allowed:
            msg = f"{option} must be of {', '.join(allowed)}. Got {value!r} instead: correct it."
            raise InputError(msg)
    if reading.frame is not None and "{}" not in reading.frame:
        msg = f"frame must hold {{}} for the question. Got {reading.frame!r} instead: add it."
        raise InputError(msg)
    if reading.group < 1:
        msg = f"group must be at least 1. Got {reading.group} instead."
        raise InputError(msg)


def _rows(path: Path) -> list[Row]:
    parse = _PARSERS.get(path.suffix.lower())
    if parse is None:
        msg = (
            f"fact file must end in {', '.join(_PARSERS)}. Got {path.name!r} instead: convert it, "
            "or use 'planted' or 'cldr'."
        )
        raise CorpusError(msg)
    if not path.is_file():
        msg = f"fact file {path} does not exist. Check the path, or use 'planted' or 'cldr'."
        raise CorpusError(msg)
    try:
        rows = parse(path.read_bytes())
    except CorpusError as error:
        msg = f"{path.name}: {error}"
        raise type(error)(msg) from error.__cause__
    if not rows:
        msg = f"fact file {path} must hold at least one question. Got none: check the source."
        raise CorpusError(msg)
    return rows
