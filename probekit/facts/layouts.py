"""Layouts of question files: which columns a question, its answer, its fact and its choices are in.

``plain`` has columns of the caller's naming. ``tofu``: question and answer, authors one after the
other. ``rwku``: query, answer, level, subject. ``mmlu``: question, subject, choices and the index
of the right one. The layouts follow how those data sets lay out their rows; no data set is
downloaded. Costs one pass over the rows.
"""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

from probekit.corpora.languages import to_bcp47
from probekit.errors import CorpusError
from probekit.facts.prompts import FRAMES, leading_space
from probekit.facts.question import Question

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from probekit.corpora.layouts import Row

Layout = Literal["plain", "tofu", "rwku", "mmlu"]
LAYOUTS: tuple[Layout, ...] = get_args(Layout)

#: Fields of a question that a column can give, with the column's name where none is said.
FIELDS = ("question", "answer", "language", "fact", "part", "form", "relation", "choices")
_NAMES: dict[Layout, dict[str, str]] = {
    "plain": {},
    "tofu": {"choices": "perturbed_answer"},
    "rwku": {"question": "query", "form": "level", "relation": "subject"},
    "mmlu": {"relation": "subject"},
}
_REQUIRED: dict[Layout, tuple[str, ...]] = {
    "plain": ("question", "answer", "fact"),
    "tofu": ("question", "answer"),
    "rwku": ("question", "answer", "relation"),
    "mmlu": ("question", "answer", "choices"),
}


@dataclass(frozen=True)
class Reading:
    """How rows are read.

    Attributes
    ----------
    layout
        One of ``LAYOUTS``.
    columns
        Field → column, for columns that are named otherwise.
    language, part, form
        What a row is that does not say so.
    frame
        Text around a question, ``{}`` for it; None: the layout's.
    group
        Questions about one author (``tofu``).
    stem
        Beginning of fact ids that the rows do not give.
    """

    layout: Layout
    columns: Mapping[str, str]
    language: str | None
    part: str
    form: str
    frame: str | None
    group: int
    stem: str

    def column(self, field: str) -> str:
        """Name of a field's column."""
        return self.columns.get(field) or _NAMES[self.layout].get(field, field)

    def check(self, names: Sequence[str]) -> None:
        """See that the columns which must be there are.

        Raises
        ------
        CorpusError
            One is not; the message says which columns there are.
        """
        needed = [*_REQUIRED[self.layout], *self.columns]
        if self.language is None:
            needed.append("language")
        for field in needed:
            if self.column(field) not in names:
                way = "give language=... or " if field == "language" else ""
                msg = (
                    f"facts must have a column {self.column(field)!r} for the {field} (has: "
                    f"{', '.join(names)}): {way}name it with columns={{{field!r}: ...}}."
                )
                raise CorpusError(msg)


def questions_from_rows(rows: Sequence[Row], reading: Reading) -> tuple[Question, ...]:
    """Read rows of one layout into questions.

    Raises
    ------
    CorpusError
        No rows, a missing column, or a cell that is empty or of the wrong kind; says where.
    LanguageError
        A row in no known language.
    InputError
        A question that breaks the rules of :class:`Question`.
    """
    if not rows:
        msg = "facts must hold at least one question. Got an empty file instead: check the source."
        raise CorpusError(msg)
    reading.check(list(dict.fromkeys(name for row in rows for name in row.cells)))
    return tuple(_question(row, reading, number=n) for n, row in enumerate(rows))


def _question(row: Row, reading: Reading, *, number: int) -> Question:
    code = to_bcp47(_cell(row, reading, "language", default=reading.language or ""))
    space = leading_space(code)
    asked = _cell(row, reading, "question")
    relation = _cell(row, reading, "relation", default="")
    answer, choices = _answer_and_choices(row, reading, space)
    return Question(
        fact=_fact(row, reading, number=number, relation=relation),
        language=code,
        prompt=_framed(asked, reading, code),
        answer=answer,
        relation=relation,
        part=_cell(row, reading, "part", default=reading.part),
        form=_form(row, reading),
        choices=choices,
    )


def _answer_and_choices(row: Row, reading: Reading, space: str) -> tuple[str, tuple[str, ...]]:
    listed = [_spaced(text, space) for text in _choices(row, reading)]
    if reading.layout == "mmlu":
        answer = listed[_index(row, reading, len(listed))]
    else:
        answer = _spaced(_cell(row, reading, "answer"), space)
    if reading.layout == "tofu" and listed:
        listed = [answer, *(text for text in listed if text != answer)]
    return answer, tuple(listed)


def _spaced(text: str, space: str) -> str:
    """Text with its own leading space, or else the script's."""
    return text if text[:1].isspace() else space + text


def _framed(asked: str, reading: Reading, language: str) -> str:
    frame = reading.frame
    if frame is None:
        frame = "{}" if reading.layout == "plain" else FRAMES.get(language, "{}")
    return frame.replace("{}", asked.strip()).rstrip()


def _form(row: Row, reading: Reading) -> str:
    level = _cell(row, reading, "form", default="")
    if not level:
        return reading.form
    return f"level-{level}" if reading.layout == "rwku" and level.isdecimal() else level


def _fact(row: Row, reading: Reading, *, number: int, relation: str) -> str:
    given = _cell(row, reading, "fact", default="")
    if given:
        return given
    if reading.layout == "tofu":
        author, place = divmod(number, reading.group)
        return f"{reading.stem}/author-{author + 1:03d}/{place + 1:02d}"
    return "/".join(part for part in (reading.stem, relation, f"{number + 1:05d}") if part)


def _cell(row: Row, reading: Reading, field: str, *, default: str | None = None) -> str:
    """Text of a cell; the default where there is no cell or nothing in it."""
    value = row.cells.get(reading.column(field))
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if isinstance(value, str) and value.strip():
        return value
    if (default and field == "language") or (value in (None, "") and default is not None):
        return default or ""
    msg = (
        f"{row.where}: {reading.column(field)!r} must be a text that is not empty. Got {value!r} "
        "instead: fill it in, or remove the row."
    )
    raise CorpusError(msg)


def _choices(row: Row, reading: Reading) -> list[str]:
    """A list, or a JSON list in a cell of a CSV; nothing where there are none."""
    value = row.cells.get(reading.column("choices"))
    if isinstance(value, str) and value.strip():
        with suppress(json.JSONDecodeError):
            value = json.loads(value)
    if value in (None, "", []):
        return []
    if not isinstance(value, list) or not all(isinstance(text, str) and text for text in value):
        msg = (
            f"{row.where}: {reading.column('choices')!r} must be a list of texts (JSON in CSV and "
            f"TSV). Got {value!r} instead: correct it."
        )
        raise CorpusError(msg)
    return value


def _index(row: Row, reading: Reading, n: int) -> int:
    """Index of the right choice: a whole number from 0, or a letter from A."""
    value = row.cells.get(reading.column("answer"))
    text = str(value).strip()
    if not isinstance(value, bool):
        if text.isdecimal() and int(text) < n:
            return int(text)
        if len(text) == 1 and 0 <= ord(text.upper()) - ord("A") < n:
            return ord(text.upper()) - ord("A")
    msg = (
        f"{row.where}: answer must be the index of a choice, 0 to {n - 1}, or its letter. Got "
        f"{value!r} instead: correct it."
    )
    raise CorpusError(msg)
