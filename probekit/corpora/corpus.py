"""The parallel corpus: units × languages, checked once when built and then never changed.

Everything downstream may rely on equal unit ids in equal order in every language. Costs one pass
over the texts to check them, and one more for the hash, when it is first asked for.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from probekit.corpora import checks
from probekit.corpora.display import corpus_html
from probekit.corpora.languages import no_such_language
from probekit.corpora.missing import Dropped
from probekit.errors import CorpusError, LanguageError, StorageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from probekit.corpora.entity import Entity


@dataclass(frozen=True, eq=False, repr=False)
class ParallelCorpus:
    """The same meanings in several languages: ``texts[language][i]`` says ``units[i]``.

    Attributes
    ----------
    name
        Shown in figures and records.
    units
        Ids, unique, in the order of every column below.
    texts
        BCP 47 code → one text per unit. Text is kept as it was read: no normalisation, no strip.
    labels
        Label name → one value per unit, the same for all its languages.
    entities
        Code → named entities of each text; languages without any are left out.
    dropped
        What the missing policy left out.
    provenance
        Where the text came from, in words.

    Raises
    ------
    CorpusError
        Columns of unequal length, repeated unit ids, empty texts, spans that miss their text.
    LanguageError
        A code that names no language, or two spellings of one language.
    """

    name: str
    units: tuple[str, ...]
    texts: Mapping[str, tuple[str, ...]]
    labels: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    entities: Mapping[str, tuple[tuple[Entity, ...], ...]] = field(default_factory=dict)
    dropped: Dropped = field(default_factory=Dropped)
    provenance: str = ""

    def __post_init__(self) -> None:
        checks.check_units(self.units)
        checks.check_languages(tuple(self.texts))
        for language, texts in self.texts.items():
            checks.check_texts(language, texts, self.units)
        checks.check_labels(self.labels, self.units)
        checks.check_entities(self.entities, self.texts, self.units)
        self._freeze()

    def _freeze(self) -> None:
        """Copy the columns into tuples and close the mappings: the hash must stay true."""
        entities = {
            code: tuple(tuple(spans) for spans in column)
            for code, column in self.entities.items()
            if any(column)
        }
        closed: dict[str, Any] = {
            "units": tuple(self.units),
            "texts": MappingProxyType({code: tuple(t) for code, t in self.texts.items()}),
            "labels": MappingProxyType({name: tuple(v) for name, v in self.labels.items()}),
            "entities": MappingProxyType(entities),
        }
        for name, value in closed.items():
            object.__setattr__(self, name, value)

    def __reduce__(self) -> tuple[Any, ...]:
        # A mapping proxy cannot be pickled; workers on other machines need the corpus.
        mappings = (dict(self.texts), dict(self.labels), dict(self.entities))
        return ParallelCorpus, (self.name, self.units, *mappings, self.dropped, self.provenance)

    @property
    def languages(self) -> tuple[str, ...]:
        """Codes, in the order they were given."""
        return tuple(self.texts)

    @property
    def n_units(self) -> int:
        """How many units there are."""
        return len(self.units)

    @cached_property
    def sha256(self) -> str:
        """SHA-256 over the canonical JSON of units, languages, texts and labels, in hex.

        The order of units and languages counts; name, provenance and entities do not.
        """
        content = {
            "units": self.units,
            "languages": self.languages,
            "texts": dict(self.texts),
            "labels": dict(self.labels),
        }
        canonical = json.dumps(content, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode("utf-8")).hexdigest()

    def __len__(self) -> int:
        return len(self.units)

    def __eq__(self, other: object) -> bool:
        """Compare name, units, languages, texts, labels and entities; provenance may differ."""
        if not isinstance(other, ParallelCorpus):
            return NotImplemented
        same_text = (self.name, self.sha256) == (other.name, other.sha256)
        return same_text and self.entities == other.entities

    def __hash__(self) -> int:
        return hash(self.sha256)

    def __repr__(self) -> str:
        codes = ", ".join(self.languages)
        return f"ParallelCorpus({self.name!r}, {self.n_units} units × {len(self.texts)}: {codes})"

    def _repr_html_(self) -> str:
        return corpus_html(self)

    def require(self, min_units: int = 8, min_languages: int = 2) -> None:
        """Check that a study has enough to work with.

        Raises
        ------
        CorpusError
            Fewer units or languages than that.
        """
        for what, has, least in (
            ("units", self.n_units, min_units),
            ("languages", len(self.texts), min_languages),
        ):
            if has < least:
                msg = f"corpus {self.name!r} needs at least {least} {what}. Got {has}: add {what}."
                raise CorpusError(msg)

    def select(
        self, *, languages: Sequence[str] | None = None, units: Sequence[str] | None = None
    ) -> ParallelCorpus:
        """Part of the corpus, in the order asked for; None keeps all.

        Raises
        ------
        LanguageError
            A language that the corpus does not have, or one asked for twice.
        CorpusError
            A unit that the corpus does not have, or one asked for twice.
        """
        codes = self.languages if languages is None else tuple(languages)
        ids = self.units if units is None else tuple(units)
        self._check_selection(codes, ids)
        place = {unit: i for i, unit in enumerate(self.units)}
        kept = [place[unit] for unit in ids]
        marked = [code for code in codes if code in self.entities]
        return ParallelCorpus(
            name=self.name,
            units=ids,
            texts={code: tuple(self.texts[code][i] for i in kept) for code in codes},
            labels={name: tuple(v[i] for i in kept) for name, v in self.labels.items()},
            entities={code: tuple(self.entities[code][i] for i in kept) for code in marked},
            dropped=self.dropped,
            provenance=self.provenance,
        )

    def _check_selection(self, codes: tuple[str, ...], ids: tuple[str, ...]) -> None:
        for code in codes:
            if code not in self.texts:
                raise no_such_language(code, self.languages)
        known = set(self.units)
        for unit in ids:
            if unit not in known:
                msg = f"corpus {self.name!r} has no unit {unit!r} (first: {self.units[0]!r})."
                msg += " See corpus.units."
                raise CorpusError(msg)
        twice = [code for code, count in Counter(codes).items() if count > 1]
        if twice:
            msg = f"languages must differ. Got {twice[0]!r} more than once: ask for it once."
            raise LanguageError(msg)

    def to_jsonl(self, path: str | Path) -> Path:
        """Write one unit a line, in the nested layout that ``read_corpus`` reads.

        Raises
        ------
        StorageError
            The file cannot be written.
        """
        path = Path(path)
        data = "".join(f"{line}\n" for line in self._lines()).encode("utf-8")
        try:
            path.write_bytes(data)
        except OSError as error:
            msg = f"corpus cannot be written to {path} ({error.strerror}). Choose another path."
            raise StorageError(msg) from error
        return path

    def _lines(self) -> Iterator[str]:
        for i, unit in enumerate(self.units):
            row: dict[str, Any] = {"unit": unit}
            row["text"] = {code: texts[i] for code, texts in self.texts.items()}
            if self.labels:
                row["labels"] = {name: values[i] for name, values in self.labels.items()}
            spans = {
                code: [vars(entity) for entity in column[i]]
                for code, column in self.entities.items()
                if column[i]
            }
            if spans:
                row["entities"] = spans
            yield json.dumps(row, ensure_ascii=False)
