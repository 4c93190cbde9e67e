"""The built-in corpus: short sentences in twelve languages, written for this package.

Balanced by topic and labelled for sentiment, form, tense and negation, with named entities marked.
Read from package data, about 0.4 MB, once per process.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING

from probekit.corpora.layouts import Columns, table_from_rows
from probekit.corpora.readers import build, json_line_rows
from probekit.errors import CorpusError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from probekit.corpora.corpus import ParallelCorpus

BUILTIN_LANGUAGES = ("en", "es", "fr", "de", "ru", "zh", "ja", "ar", "hi", "tr", "id", "sw")


def builtin_sentences(languages: Sequence[str] | None = None) -> ParallelCorpus:
    """Read the built-in corpus: 168 units × 12 languages, or only ``languages``, in that order.

    Labels: ``topic`` (8), ``sentiment`` (3), ``form`` (statement, question), ``tense`` (3) and
    ``negation`` (yes, no). Entities: person, place, organisation.

    Raises
    ------
    LanguageError
        A language that it does not have.
    """
    corpus = _sentences()
    return corpus if languages is None else corpus.select(languages=languages)


@lru_cache(maxsize=1)
def _sentences() -> ParallelCorpus:
    source = files("probekit.corpora") / "data" / "sentences.jsonl"
    try:
        data = source.read_bytes()
    except FileNotFoundError as error:
        msg = "the built-in corpus is not in this installation. Install probekit again."
        raise CorpusError(msg) from error
    table = table_from_rows(json_line_rows(data), Columns(languages=BUILTIN_LANGUAGES))
    digest = hashlib.sha256(data).hexdigest()[:12]
    return build(
        table,
        "refuse",
        name="builtin",
        provenance=f"sentences written for probekit (sha256 {digest}…)",
    )
