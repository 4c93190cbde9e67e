"""Rows of a data set, per language: from the Hugging Face Hub or from local files of its layout.

Only this module knows the ``datasets`` library (extra ``hub``). A language is read whole, one at a
time; local files pass through a temporary Arrow cache that is deleted.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from probekit.errors import CorpusError, InputError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from probekit.corpora.presets import Preset

HubRow = dict[str, Any]

_READERS = {".jsonl": "json", ".json": "json", ".csv": "csv", ".tsv": "csv", ".parquet": "parquet"}


class RowSource(Protocol):
    """Where rows come from: the names of its languages, and the rows of each."""

    @property
    def configs(self) -> tuple[str, ...]:
        """Names of the languages, as the data set spells them."""

    def rows(self, config: str) -> list[HubRow]:
        """All rows of one language, in the data set's order."""


def require_datasets() -> Any:
    """Import the ``datasets`` library.

    Raises
    ------
    InputError
        It is not installed.
    """
    try:
        import datasets
    except ImportError as error:
        msg = (
            "reading data sets needs the library 'datasets'. Got none installed: "
            "pip install 'probekit[hub]'."
        )
        raise InputError(msg) from error
    return datasets


@dataclass(frozen=True)
class HubSource:
    """A data set on the Hugging Face Hub; downloads on first use, then reads its cache."""

    preset: Preset
    split: str

    @cached_property
    def configs(self) -> tuple[str, ...]:
        """Names of its configurations."""
        datasets = require_datasets()
        if self.preset.parquet_branch:
            return tuple(_folders(self._branch))
        try:
            return tuple(datasets.get_dataset_config_names(self.preset.repo))
        except Exception as error:  # the Hub's client raises dozens of kinds
            raise _unreadable(self.preset.repo, error) from error

    def rows(self, config: str) -> list[HubRow]:
        """Rows of one configuration, classes by name."""
        datasets = require_datasets()
        where: tuple[str, ...] = (self.preset.repo, config)
        options: dict[str, Any] = {"split": self.split}
        if self.preset.parquet_branch:
            where = ("parquet",)
            pattern = f"hf://{self._branch}/{config}/{self.split}/*.parquet"
            options = {"data_files": {self.split: pattern}, "split": self.split}
        try:
            return _named_classes(datasets.load_dataset(*where, **options))
        except Exception as error:
            what = f"{self.preset.repo} ({config}, {self.split})"
            raise _unreadable(what, error) from error

    @property
    def _branch(self) -> str:
        return f"datasets/{self.preset.repo}@refs/convert/parquet"


@dataclass(frozen=True)
class LocalSource:
    """Files of a data set's layout in a folder: one per language, or one for all languages.

    Looked for as ``<language>.jsonl`` (``.json``, ``.csv``, ``.tsv``, ``.parquet``) in the folder
    or in its folder ``<split>``.
    """

    preset: Preset
    folder: Path
    split: str

    @cached_property
    def files(self) -> dict[str, Path]:
        """Stem → file.

        Raises
        ------
        CorpusError
            No folder, no file in it, or two files of one stem.
        """
        inner = self.folder / self.split
        folder = inner if inner.is_dir() else self.folder
        if not folder.is_dir():
            msg = f"data_dir must be a folder. Got {str(self.folder)!r} instead: check the path."
            raise CorpusError(msg)
        found: dict[str, Path] = {}
        for path in sorted(folder.iterdir()):
            if path.suffix.lower() not in _READERS:
                continue
            if path.stem in found:
                msg = f"data_dir has {found[path.stem].name} and {path.name}: remove one of them."
                raise CorpusError(msg)
            found[path.stem] = path
        if not found:
            msg = (
                f"data_dir {str(folder)!r} has no .jsonl, .json, .csv, .tsv or .parquet file: add."
            )
            raise CorpusError(msg)
        return found

    @cached_property
    def _shared(self) -> dict[str, list[HubRow]] | None:
        """Rows by language if the only file holds all of them, else None."""
        if len(self.files) != 1:
            return None
        (path,) = self.files.values()
        return _by_language(self._in_split(_load_file(path)), self.preset)

    @property
    def configs(self) -> tuple[str, ...]:
        """Languages of the one file, or the files' stems."""
        return tuple(self._shared if self._shared is not None else self.files)

    def rows(self, config: str) -> list[HubRow]:
        """Rows of one language, of the split where rows name theirs."""
        if self._shared is not None:
            return self._shared[config]
        return self._in_split(_load_file(self.files[config]))

    def _in_split(self, rows: list[HubRow]) -> list[HubRow]:
        column = self.preset.partition
        if column is None or not rows or column not in rows[0]:
            return rows
        kept = [row for row in rows if row[column] == self.split]
        if not kept:
            has = ", ".join(sorted({str(row[column]) for row in rows}))
            msg = (
                f"split must be in column {column!r} (has: {has}). Got {self.split!r}: choose one."
            )
            raise CorpusError(msg)
        return kept


def _by_language(rows: list[HubRow], preset: Preset) -> dict[str, list[HubRow]] | None:
    """Part the rows of one file by language; None if the file is of a single language."""
    texts = [text.column for text in preset.texts]
    if rows and any(isinstance(rows[0].get(column), dict) for column in texts):
        return _translations(rows, texts)
    if not rows or not preset.language or not all(c in rows[0] for c in preset.language):
        return None
    parts: dict[str, list[HubRow]] = {}
    for row in rows:
        parts.setdefault("_".join(str(row[c]) for c in preset.language), []).append(row)
    return parts


def _translations(rows: list[HubRow], texts: Iterable[str]) -> dict[str, list[HubRow]]:
    """Unfold ``{"premise": {"en": …, "sw": …}}``, the layout of XNLI's ``all_languages``."""
    unfolded = [{column: _by_code(row.get(column)) for column in texts} for row in rows]
    codes = dict.fromkeys(code for row in unfolded for column in row.values() for code in column)
    return {
        code: [
            {**row, **{column: said.get(code) for column, said in texts_of.items()}}
            for row, texts_of in zip(rows, unfolded, strict=True)
        ]
        for code in codes
    }


def _by_code(value: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        return {}
    if set(value) == {"language", "translation"}:  # the "variable languages" form
        return dict(zip(value["language"], value["translation"], strict=True))
    return value


def _load_file(path: Path) -> list[HubRow]:
    datasets = require_datasets()
    kind = _READERS[path.suffix.lower()]
    options: dict[str, Any] = {}
    if kind == "csv":  # "NA" and "null" are words
        options = {"keep_default_na": False, "sep": "\t" if path.suffix.lower() == ".tsv" else ","}
    shown = datasets.are_progress_bars_disabled()
    datasets.disable_progress_bars()
    try:
        with tempfile.TemporaryDirectory() as cache:
            loaded = datasets.load_dataset(
                kind, data_files=str(path), split="train", cache_dir=cache, **options
            )
            return _named_classes(loaded)
    except Exception as error:
        raise _unreadable(path.name, error) from error
    finally:
        if not shown:
            datasets.enable_progress_bars()


def _named_classes(loaded: Any) -> list[HubRow]:
    """Rows with class numbers replaced by the names that the data set gives them."""
    rows: list[HubRow] = loaded.to_list()
    named = {c: f.int2str for c, f in loaded.features.items() if hasattr(f, "int2str")}
    for row in rows:
        for column, int2str in named.items():
            if isinstance(row[column], int) and row[column] >= 0:  # -1: no label
                row[column] = int2str(row[column])
    return rows


def _folders(path: str) -> list[str]:
    from huggingface_hub import HfFileSystem

    try:
        found: Any = HfFileSystem().ls(path, detail=True)
    except Exception as error:
        raise _unreadable(path, error) from error
    return [Path(entry["name"]).name for entry in found if entry["type"] == "directory"]


def _unreadable(what: str, error: Exception) -> CorpusError:
    first = (str(error).splitlines() or [type(error).__name__])[0]
    msg = f"{what} cannot be read ({first}). Check the network, access and split, or use data_dir."
    return CorpusError(msg)
