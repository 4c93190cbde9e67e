"""One door to every corpus: a word or a path. Costs what the corpus behind it costs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from probekit.corpora.builtin import BUILTIN_LANGUAGES, builtin_sentences
from probekit.corpora.cldr import cldr_terms
from probekit.corpora.hub import read_hub
from probekit.corpora.missing import MissingPolicy, check_limit, check_policy
from probekit.corpora.presets import PRESETS
from probekit.corpora.readers import read_corpus
from probekit.errors import CorpusError, LanguageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from probekit.corpora.corpus import ParallelCorpus

_HUB = "hub:"

SOURCES: tuple[str, ...] = ("builtin", "cldr", *(f"{_HUB}{name}" for name in PRESETS))

# Which further options each kind of source understands.
_OPTIONS = {
    "builtin": (),
    "cldr": ("kinds",),
    "hub": ("split", "data_dir", "text"),
    "file": ("unit", "name", "sep", "labels", "ignore", "quotes"),
}


def open_corpus(
    source: str | Path,
    *,
    languages: Sequence[str] | None = None,
    missing: MissingPolicy = "refuse",
    limit: int | None = None,
    **options: Any,
) -> ParallelCorpus:
    """Open ``builtin``, ``cldr``, ``hub:NAME`` or a file.

    Parameters
    ----------
    source : one of ``SOURCES``, or the path of a file that ``read_corpus`` reads
    languages : languages, in this order; None is all (for ``cldr``: those of ``builtin``)
    missing : ``refuse``, ``drop-unit`` or ``drop-language``
    limit : keep the first so many units
    options : those of ``read_corpus``, ``read_hub`` or ``cldr_terms``

    Raises
    ------
    CorpusError
        No such source, an option that the source does not take, or a corpus that cannot be read.
    LanguageError
        A language that the corpus does not have, or none named where some must be.
    """
    check_policy(missing)
    word = str(source)
    kind = _kind(word)
    _check_options(word, kind, options)
    check_limit(limit)
    if kind == "hub":
        if languages is None:
            msg = f"languages must be named for {word}, which has too many: add --languages en,sw."
            raise LanguageError(msg)
        name = word.removeprefix(_HUB)
        return read_hub(name, languages=languages, missing=missing, limit=limit, **options)
    if kind == "builtin":
        corpus = builtin_sentences(languages)
    elif kind == "cldr":
        corpus = cldr_terms(BUILTIN_LANGUAGES if languages is None else languages, **options)
    else:
        corpus = read_corpus(source, languages=languages, missing=missing, **options)
    return corpus if limit is None else corpus.select(units=corpus.units[:limit])


def _kind(word: str) -> str:
    if word in ("builtin", "cldr"):
        return word
    if word.startswith(_HUB):
        return "hub"
    if Path(word).suffix or Path(word).exists():
        return "file"
    msg = f"corpus must be a file or one of {', '.join(SOURCES)}. Got {word!r} instead: choose one."
    raise CorpusError(msg)


def _check_options(word: str, kind: str, options: dict[str, Any]) -> None:
    for option in options:
        if option not in _OPTIONS[kind]:
            takes = ", ".join(_OPTIONS[kind]) or "none"
            msg = (
                f"corpus {word!r} does not take the option {option!r} (takes: {takes}): remove it."
            )
            raise CorpusError(msg)
