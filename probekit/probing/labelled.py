"""Labelled text from a file: CSV, TSV, JSON Lines, or CoNLL columns for words.

A *table* has columns ``text``, ``label`` and, unless one language is named, ``language``; every
other name is given by the caller. *CoNLL* has one word a line, its label in the last column (or
another), and a blank line between sentences; ``B-`` and ``I-`` prefixes can be dropped. The whole
file is held in memory.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from probekit.corpora.languages import check_language, to_bcp47
from probekit.corpora.readers import decode, delimited_rows, json_line_rows
from probekit.errors import CorpusError, LanguageError
from probekit.probing.tasks import Task

if TYPE_CHECKING:
    from collections.abc import Sequence

TABLES = (".csv", ".tsv", ".jsonl")
COLUMNS = (".conll", ".conllu", ".bio", ".iob", ".txt")


@dataclass(frozen=True)
class LabelledTexts:
    """Texts with a label each.

    Attributes
    ----------
    name
        Of the task.
    texts, labels, languages
        One each a row.
    """

    name: str
    texts: tuple[str, ...]
    labels: tuple[str, ...]
    languages: tuple[str, ...]

    def task(self) -> Task:
        """The labels as classes, one a text."""
        return Task.of(self.name, self.labels)

    def of(self, language: str) -> LabelledTexts:
        """Those in one language.

        Raises
        ------
        LanguageError
            There are none.
        """
        kept = _rows_of(self.languages, language)
        return LabelledTexts(
            self.name,
            *(
                tuple(column[i] for i in kept)
                for column in (self.texts, self.labels, self.languages)
            ),
        )


@dataclass(frozen=True)
class LabelledWords:
    """Sentences whose words have a label each.

    Attributes
    ----------
    name
        Of the task.
    sentences, labels
        Words, and their labels, of every sentence.
    languages
        One a sentence.
    """

    name: str
    sentences: tuple[tuple[str, ...], ...]
    labels: tuple[tuple[str, ...], ...]
    languages: tuple[str, ...]

    def task(self) -> Task:
        """The labels as classes, one a word, sentence after sentence."""
        return Task.of(self.name, [label for labels in self.labels for label in labels])

    def of(self, language: str) -> LabelledWords:
        """Those in one language.

        Raises
        ------
        LanguageError
            There are none.
        """
        kept = _rows_of(self.languages, language)
        return LabelledWords(
            self.name,
            tuple(self.sentences[i] for i in kept),
            tuple(self.labels[i] for i in kept),
            tuple(self.languages[i] for i in kept),
        )


def _rows_of(languages: Sequence[str], language: str) -> list[int]:
    kept = [at for at, code in enumerate(languages) if code == language]
    if not kept:
        has = ", ".join(sorted(set(languages)))
        msg = f"labelled file has no language {language!r} (has: {has}). Choose one of these."
        raise LanguageError(msg)
    return kept


def read_labelled(
    path: str | Path,
    *,
    language: str | None = None,
    text: str = "text",
    label: str | int = "label",
    language_column: str = "language",
    prefixes: bool = True,
) -> LabelledTexts | LabelledWords:
    """Read a labelled file; the suffix says the format.

    Parameters
    ----------
    path
        ``.csv``, ``.tsv`` or ``.jsonl`` with a text a row; ``.conll``, ``.conllu``, ``.bio``,
        ``.iob`` or ``.txt`` with a word a line.
    language
        Code of every text; None reads it from ``language_column``. CoNLL files need it.
    text, label, language_column
        Names of columns; for CoNLL, ``label`` may be the number of a column (the last unless said).
    prefixes
        False drops ``B-``, ``I-``, ``E-`` and ``S-`` from the labels of words.

    Raises
    ------
    CorpusError
        The file cannot be read as such; the message says where.
    LanguageError
        A code that names no language, or none given where one must be.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in (*TABLES, *COLUMNS):
        msg = (
            f"labelled file must end in {', '.join((*TABLES, *COLUMNS))}. Got {path.name!r} "
            "instead: convert or rename it."
        )
        raise CorpusError(msg)
    try:
        data = path.read_bytes()
    except OSError as error:
        msg = f"labelled file {path} cannot be read ({error.strerror}). Check the path."
        raise CorpusError(msg) from error
    if suffix in COLUMNS:
        column = label if isinstance(label, int) else -1
        return _words(path, data, language=language, column=column, prefixes=prefixes)
    return _table(path, data, language=language, columns=(text, str(label), language_column))


def _table(
    path: Path, data: bytes, *, language: str | None, columns: tuple[str, str, str]
) -> LabelledTexts:
    text, label, code = columns
    rows = (
        json_line_rows(data)
        if path.suffix.lower() == ".jsonl"
        else delimited_rows(data, sep="," if path.suffix.lower() == ".csv" else "\t")
    )
    if not rows:
        msg = f"{path.name}: labelled file must hold one row or more. Got none: check the file."
        raise CorpusError(msg)
    texts, labels, languages = [], [], []
    for row in rows:
        texts.append(_value(path, row, text))
        labels.append(_value(path, row, label))
        languages.append(to_bcp47(language or _value(path, row, code)))
    return LabelledTexts(label, tuple(texts), tuple(labels), tuple(languages))


def _value(path: Path, row: Any, column: str) -> str:
    """A cell that is there and not empty; numbers and truth values are labels too."""
    value = row.cells.get(column)
    if value is None or not str(value).strip():
        has = ", ".join(map(str, row.cells))
        msg = (
            f"{path.name}: {row.where}: column {column!r} must be there and not be empty (columns: "
            f"{has}). Name it with text, label or language_column, or name the language."
        )
        raise CorpusError(msg)
    return str(value)


def _words(
    path: Path, data: bytes, *, language: str | None, column: int, prefixes: bool
) -> LabelledWords:
    if language is None:
        msg = f"{path.name}: a CoNLL file does not say its language: give language='en'."
        raise LanguageError(msg)
    code = check_language(language)
    sentences: list[list[tuple[str, str]]] = [[]]
    comments = ("#", "-DOCSTART-") if path.suffix.lower() == ".conllu" else ("-DOCSTART-",)
    for number, line in enumerate(decode(data).split("\n"), start=1):
        cells = line.rstrip("\r").split("\t" if "\t" in line else None)
        if not line.strip():
            sentences.append([])
        elif not line.startswith(comments):
            sentences[-1].append(_word(path, number, cells, column))
    kept = [sentence for sentence in sentences if sentence]
    if not kept:
        msg = f"{path.name}: labelled file must hold one word or more. Got none: check the file."
        raise CorpusError(msg)
    return LabelledWords(
        path.stem,
        tuple(tuple(word for word, _ in sentence) for sentence in kept),
        tuple(tuple(_plain(tag, prefixes=prefixes) for _, tag in sentence) for sentence in kept),
        (code,) * len(kept),
    )


def _word(path: Path, number: int, cells: list[str], column: int) -> tuple[str, str]:
    """The word of a line and its label; CoNLL-U numbers its words in the first column."""
    first = 1 if path.suffix.lower() == ".conllu" else 0
    needed = max(first + 2, column + 1 if column >= 0 else -column)
    if len(cells) < needed:
        msg = (
            f"{path.name}: line {number}: a word must have {needed} columns or more. Got "
            f"{len(cells)} instead: separate them by tabs or spaces."
        )
        raise CorpusError(msg)
    return cells[first], cells[column]


def _plain(tag: str, *, prefixes: bool) -> str:
    kind, dash, rest = tag.partition("-")
    return rest if not prefixes and dash and kind in {"B", "I", "E", "S", "L", "U"} else tag
