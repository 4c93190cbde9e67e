"""Token vectors of named entities and of other words: the observer behind token-level probes.

A word is probed at its last sub-token, which in a causal model is the first that has seen all of
it. Every entity of a text is taken, and as many other words of the same text. Costs one row gather
a layer and batch, and ``layers × words × width`` float32 on disk until the run is written.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from probekit.corpora import language_info
from probekit.errors import StudyError
from probekit.sites import residual_sites

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from jaxtyping import Float
    from torch import Tensor

    from probekit.capture.observers import Batch, State
    from probekit.capture.tokens import ShardPlan, TokenizedCorpus, TokenizedText
    from probekit.corpora import ParallelCorpus
    from probekit.models import Anatomy, Subject
    from probekit.sites import Site

#: Scripts written without spaces: a token stands for a word there.
UNSPACED = frozenset(
    {"Hani", "Hans", "Hant", "Jpan", "Hira", "Kana", "Thai", "Laoo", "Khmr", "Mymr", "Tibt"}
)
OTHER = "other"

Span = tuple[int, int]


@dataclass(frozen=True)
class Word:
    """One word that is probed.

    Attributes
    ----------
    unit, language
        Row and column in the corpus.
    position
        Its last sub-token, from the first token of the text, padding aside.
    kind
        Kind of the entity, or ``other``.
    surface
        What stands in the text.
    """

    unit: int
    language: int
    position: int
    kind: str
    surface: str


def find_words(
    subject: Subject,
    corpus: ParallelCorpus,
    tokens: TokenizedCorpus,
    *,
    per_text: int = 4,
    seed: int = 0,
) -> tuple[Word, ...]:
    """Entities and as many other words of each text that has some, unit after unit.

    Entities that the token limit cut off, or that lie in the first token (an attention sink), are
    left out, and so are texts with no other word.

    Parameters
    ----------
    subject, corpus, tokens
        Whose tokenizer read which texts how.
    per_text
        Most entities of one text.
    seed
        Of the draw of other words.

    Raises
    ------
    StudyError
        The tokenizer does not say where in the text its tokens are.
    """
    _check_offsets(subject)
    found: list[Word] = []
    for language, code in enumerate(corpus.languages):
        spans = corpus.entities.get(code)
        if spans is None:
            continue
        reader = _Reader(subject, corpus.texts[code], code, tokens.max_tokens)
        rng = np.random.default_rng([seed, 4, language])
        for unit, entities in enumerate(spans):
            text = tokens.texts[unit * tokens.n_languages + language]
            chosen = [(e.start, e.end, e.kind) for e in entities][:per_text]
            everywhere = [(e.start, e.end) for e in entities]
            found += reader.words(text, chosen, everywhere, rng=rng)
    return tuple(sorted(found, key=lambda word: (word.unit, word.language)))


def locate_words(
    subject: Subject,
    corpus: ParallelCorpus,
    tokens: TokenizedCorpus,
    *,
    spans: Mapping[str, Sequence[Sequence[tuple[int, int, str]]]],
) -> tuple[Word, ...]:
    """Words at given spans (start, end, kind) of every text, by language; unit after unit.

    Spans whose end the token limit cut off, or that lie in the first token, are left out.

    Raises
    ------
    StudyError
        The tokenizer does not say where in the text its tokens are.
    """
    _check_offsets(subject)
    found: list[Word] = []
    for code, column in spans.items():
        language = corpus.languages.index(code)
        reader = _Reader(subject, corpus.texts[code], code, tokens.max_tokens)
        for unit, wanted in enumerate(column):
            found += reader.at(tokens.texts[unit * tokens.n_languages + language], wanted)
    return tuple(sorted(found, key=lambda word: (word.unit, word.language)))


def _check_offsets(subject: Subject) -> None:
    if not getattr(subject.tokenizer, "is_fast", False):
        msg = (
            f"tokenizer of {subject.source!r} must say where its tokens are in the text (a fast "
            "one). Leave the tasks entity and entity_kind out with the option tasks."
        )
        raise StudyError(msg)


class _Reader:
    """Where the tokens of one language's texts are."""

    def __init__(self, subject: Subject, texts: Sequence[str], code: str, max_tokens: int) -> None:
        self.texts = texts
        self.spaced = language_info(code).script not in UNSPACED
        encoded: Any = subject.tokenizer(
            list(texts),
            truncation=True,
            max_length=max_tokens,
            return_offsets_mapping=True,
            return_attention_mask=False,
        )
        self.ids, self.offsets = encoded["input_ids"], encoded["offset_mapping"]

    def words(
        self,
        text: TokenizedText,
        entities: Sequence[tuple[int, int, str]],
        everywhere: Sequence[Span],
        *,
        rng: np.random.Generator,
    ) -> list[Word]:
        """Entities of one text, and as many other words."""
        if not entities:
            return []
        raw = self.texts[text.unit]
        named = self.at(text, entities)
        others = self.at(text, [(*s, OTHER) for s in self._other_spans(text, raw, everywhere)])
        n = min(len(named), len(others))
        drawn = rng.choice(len(others), size=n, replace=False) if n else ()
        return [*named[:n], *(others[at] for at in sorted(drawn))]

    def at(self, text: TokenizedText, spans: Sequence[tuple[int, int, str]]) -> list[Word]:
        """Words at spans of one text that end in a content token."""
        assert tuple(self.ids[text.unit]) == text.ids, "the tokenizer read the text otherwise"
        raw = self.texts[text.unit]
        return [
            Word(text.unit, text.language, position, kind, raw[start:end])
            for start, end, kind in spans
            if (position := self._last_token(text, (start, end))) is not None
        ]

    def _last_token(self, text: TokenizedText, span: Span) -> int | None:
        """The last content token that holds a part of a span; None unless its end is there."""
        start, end = span
        offsets = self.offsets[text.unit]
        inside = [p for p in text.content if offsets[p][0] < end and offsets[p][1] > start]
        return inside[-1] if inside and offsets[inside[-1]][1] >= end else None

    def _other_spans(self, text: TokenizedText, raw: str, taken: Sequence[Span]) -> Iterator[Span]:
        """Words, or tokens where words are not marked, that touch no entity."""
        if self.spaced:
            spans = [_bare(raw, match.span()) for match in re.finditer(r"\S+", raw)]
        else:
            spans = [tuple(self.offsets[text.unit][p]) for p in text.content]
        for start, end in dict.fromkeys(spans):
            letters = any(letter.isalpha() for letter in raw[start:end])
            if letters and all(end <= a or start >= b for a, b in taken):
                yield start, end


def _bare(raw: str, span: Span) -> Span:
    """A word without the punctuation around it; vowel signs are marks and belong to it."""
    start, end = span
    while start < end and unicodedata.category(raw[start])[0] not in "LMN":
        start += 1
    while start < end and unicodedata.category(raw[end - 1])[0] not in "LMN":
        end -= 1
    return start, end


class WordVectors:
    """Residual-stream vectors at chosen tokens, at every layer.

    Parameters
    ----------
    words
        Unit after unit, as :func:`find_words` gives them.
    """

    name = "words"

    def __init__(self, words: Sequence[Word]) -> None:
        self.words = tuple(words)

    def sites(self, anatomy: Anatomy) -> tuple[Site, ...]:
        """The residual stream at every layer."""
        return residual_sites(anatomy.n_blocks)

    def settings(self) -> dict[str, Any]:
        """Which tokens of which texts."""
        said = ";".join(f"{w.unit},{w.language},{w.position}" for w in self.words)
        return {"words": hashlib.sha256(said.encode()).hexdigest()}

    def shard_bytes(self, anatomy: Anatomy, *, n_languages: int, n_units: int) -> int:
        """Bytes of the vectors of all words."""
        del n_languages, n_units
        return 4 * (anatomy.n_blocks + 1) * len(self.words) * anatomy.d_model

    def start(self, shard: ShardPlan, *, n_languages: int, anatomy: Anatomy) -> None:
        """Begin a shard."""
        here = [w for w in self.words if shard.start <= w.unit < shard.stop]
        self._shape = (anatomy.n_blocks + 1, len(here), anatomy.d_model)
        self._places: dict[tuple[int, int], list[tuple[int, int]]] = {}
        for slot, word in enumerate(here):
            self._places.setdefault((word.unit, word.language), []).append((slot, word.position))
        self._vectors: Tensor | None = None

    def observe(
        self, site: Site, content: Float[Tensor, "content width"], *, hidden: Tensor, batch: Batch
    ) -> None:
        """Take the rows of the words of a batch."""
        import torch

        if self._vectors is None:
            self._vectors = torch.full(self._shape, torch.nan, device=content.device)
        slots, flat = [], []
        for row, text in enumerate(batch.texts):
            shift = 0 if batch.side == "right" else batch.width - len(text.ids)
            for slot, position in self._places.get((text.unit, text.language), ()):
                slots.append(slot)
                flat.append(row * batch.width + shift + position)
        if slots:
            index = torch.tensor(flat, device=hidden.device)
            rows = hidden.reshape(-1, hidden.shape[-1]).index_select(0, index).float()
            self._vectors[site.layer + 1, torch.tensor(slots, device=rows.device)] = rows

    def state(self) -> State:
        """``words``: array (layer, word, d_model), float32, in the order of the words."""
        if self._vectors is None:  # a shard whose texts hold no word that is probed
            return {"words": np.zeros(self._shape, dtype=np.float32)}
        return {"words": self._vectors.cpu().numpy()}
