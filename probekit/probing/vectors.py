"""Vectors of texts and words outside a study, for probes of one's own. Costs one pass."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from probekit.capture import PassSettings, PooledVectors, ShardStore, capture, tokenize
from probekit.capture.words import UNSPACED, WordVectors, locate_words
from probekit.corpora import ParallelCorpus, language_info
from probekit.errors import CorpusError
from probekit.models.backends import open_backend

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jaxtyping import Float, Int

    from probekit.capture import Observer, TokenizedCorpus
    from probekit.capture.observers import Pooling
    from probekit.models import Subject


def text_vectors(
    subject: Subject,
    texts: Sequence[str],
    *,
    language: str,
    pooling: Pooling = "mean",
    max_tokens: int = 128,
) -> Float[np.ndarray, "layer text d_model"]:
    """Pooled vectors of texts at every layer (-1 … n_blocks - 1), as a study takes them.

    Raises
    ------
    InputError
        No texts, an empty text, an unknown language, or a token limit that the model lacks.
    """
    corpus = _corpus(texts, language)
    tokens = tokenize(subject, corpus, max_tokens=max_tokens)
    parts = _read(subject, tokens, PooledVectors(pooling), key="pooled/vectors")
    return np.concatenate([part[:, 0] for part in parts], axis=1)


def word_vectors(
    subject: Subject,
    sentences: Sequence[Sequence[str]],
    *,
    language: str,
    max_tokens: int = 128,
) -> tuple[Float[np.ndarray, "layer word d_model"], Int[np.ndarray, "word 2"]]:
    """Vectors at the last sub-token of words, and (sentence, word) of each.

    Words are joined by a space, or by nothing where the script has none. Those that the token
    limit cut off, and those in the first token of a text, have no vector.

    Raises
    ------
    InputError
        As for :func:`text_vectors`, or a tokenizer that does not say where its tokens are.
    """
    space = "" if language_info(language).script in UNSPACED else " "
    corpus = _corpus([space.join(words) for words in sentences], language)
    tokens = tokenize(subject, corpus, max_tokens=max_tokens)
    spans = [_spans(words, len(space)) for words in sentences]
    words = locate_words(subject, corpus, tokens, spans={language: spans})
    parts = _read(subject, tokens, WordVectors(words), key="words/words")
    place = np.array([(word.unit, int(word.kind)) for word in words], dtype=np.intp)
    return np.concatenate(parts, axis=1), place.reshape(-1, 2)


def _corpus(texts: Sequence[str], language: str) -> ParallelCorpus:
    if isinstance(texts, str) or not len(texts):
        msg = (
            f"texts must be a sequence of one text or more. Got {texts!r} instead: wrap it in [ ]."
        )
        raise CorpusError(msg)
    units = tuple(str(number) for number in range(len(texts)))
    return ParallelCorpus(name="texts", units=units, texts={language: tuple(texts)})


def _spans(words: Sequence[str], space: int) -> list[tuple[int, int, str]]:
    """Where words stand in their sentence; their number is their kind."""
    found, at = [], 0
    for number, word in enumerate(words):
        found.append((at, at + len(word), str(number)))
        at += len(word) + space
    return found


def _read(
    subject: Subject, tokens: TokenizedCorpus, observer: Observer, *, key: str
) -> list[np.ndarray]:
    """One array of an observer, shard by shard."""
    name, _, array = key.partition("/")
    with tempfile.TemporaryDirectory(prefix="probekit-") as folder:
        store = ShardStore(Path(folder), "vectors")
        captured = capture(
            subject,
            tokens,
            (observer,),
            store=store,
            backend=open_backend("hooks", subject),
            settings=PassSettings(),
        )
        return [store.read(shard, name)[array] for shard in captured.plan]
