"""Words for the concept lens: which tokens begin a word, and which words CLDR gives in pairs.

A word is scored by its *first* token: every token of the vocabulary that a tokenizer could begin
the word with. Token sets are looked up in the vocabulary, never by decoding all of it: a few
microseconds a word. The built-in words cost what :func:`probekit.corpora.cldr_terms` costs.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal

from probekit.corpora.cldr import cldr_terms

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from probekit.corpora import ParallelCorpus

Scheme = Literal["bytes", "mark", "plain"]

#: What CLDR says of a fact: "<country>: X - <official language>: Y", in the house's twelve
#: languages. Labels before a colon, so that no name has to be inflected.
FACT_LABELS: dict[str, tuple[str, str]] = {
    "en": ("Country", "Official language"),
    "es": ("País", "Idioma oficial"),
    "fr": ("Pays", "Langue officielle"),
    "de": ("Land", "Amtssprache"),
    "ru": ("Страна", "Официальный язык"),
    "zh": ("国家", "官方语言"),
    "ja": ("国", "公用語"),
    "ar": ("البلد", "اللغة الرسمية"),
    "hi": ("देश", "आधिकारिक भाषा"),
    "tr": ("Ülke", "Resmî dil"),
    "id": ("Negara", "Bahasa resmi"),
    "sw": ("Nchi", "Lugha rasmi"),
}

_OFFICIAL = frozenset({"official", "de_facto_official"})
# Units of time are the only everyday nouns among CLDR's terms that can be relied on: babel 2.18
# may give one locale the months of another, depending on which was read first.
_EVERYDAY = "unit:duration-"
_MOST_SPOKEN = 50.0  # per cent of a territory's people
_SPACE_MARKS = {"bytes": "Ġ", "mark": "▁"}


@dataclass(frozen=True)
class Spelling:
    """How a vocabulary spells the beginning of a word.

    Attributes
    ----------
    ids
        Raw token → id, special tokens left out.
    scheme
        ``bytes``: every token is a string of bytes (GPT-2 and its kin). ``mark``: characters, with
        ``▁`` for a space and ``<0xE6>`` for a byte (SentencePiece). ``plain``: characters, no mark
        of space.
    """

    ids: Mapping[str, int]
    scheme: Scheme

    @classmethod
    def of(cls, tokenizer: Any) -> Spelling:
        """Read a Hugging Face tokenizer's vocabulary; the scheme shows in how it spells a space."""
        special = set(tokenizer.all_special_ids)
        ids = {token: i for token, i in tokenizer.get_vocab().items() if i not in special}
        pieces = tokenizer.tokenize("a a")
        for scheme, mark in _SPACE_MARKS.items():
            if any(piece.startswith(mark) for piece in pieces):
                return cls(ids, scheme)  # type: ignore[arg-type]
        return cls(ids, "plain")

    def tokens(self, word: str) -> frozenset[int]:
        """Ids of the tokens that ``word`` may begin with.

        These are its prefixes, with and without the space mark, as far as the vocabulary has them;
        for a word whose script is not Latin also the tokens of its first character's first bytes
        (Wendler et al. 2024, arXiv 2402.10588). The first letter counts in either case: German
        writes nouns large and French languages small, which is no difference of words.
        """
        first, rest = word[0], word[1:]
        spelled = (head + rest for head in {first, first.upper(), first.lower()})
        pieces = (piece for form in spelled for piece in self._pieces(form))
        return frozenset(self.ids[piece] for piece in pieces if piece in self.ids)

    def _pieces(self, word: str) -> Iterator[str]:
        mark = _SPACE_MARKS.get(self.scheme)
        for stop in range(1, len(word) + 1):
            prefix = as_bytes(word[:stop]) if self.scheme == "bytes" else word[:stop]
            yield prefix
            if mark:
                yield mark + prefix
        if is_latin(word[0]):
            return
        first = word[0].encode()
        if self.scheme == "mark":
            yield f"<0x{first[0]:02X}>"
        elif self.scheme == "bytes":
            alphabet = byte_alphabet()
            for stop in range(1, len(first)):
                piece = "".join(alphabet[byte] for byte in first[:stop])
                yield piece
                yield f"{mark}{piece}"


def is_latin(character: str) -> bool:
    """Whether a character is a Latin letter."""
    return unicodedata.name(character, "").startswith("LATIN")


@lru_cache(maxsize=1)
def byte_alphabet() -> tuple[str, ...]:
    """Byte → the printable character that stands for it in byte-level vocabularies (GPT-2)."""
    printable = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    others = (byte for byte in range(256) if byte not in printable)
    stand_ins = {byte: chr(256 + number) for number, byte in enumerate(others)}
    return tuple(stand_ins.get(byte, chr(byte)) for byte in range(256))


def as_bytes(text: str) -> str:
    """Text as a byte-level vocabulary writes it: ``é`` is ``Ã©``."""
    alphabet = byte_alphabet()
    return "".join(alphabet[byte] for byte in text.encode())


def built_in_words(languages: Sequence[str]) -> ParallelCorpus:
    """Single words that CLDR has in all ``languages``.

    Countries and territories, languages that are official somewhere, and units of time; only where
    every language writes it as one word of letters.

    Raises
    ------
    LanguageError
        CLDR does not have a language.
    """
    terms = cldr_terms(languages, ("territory", "language", "unit"))
    official = {code for codes in _official_languages().values() for code in codes}
    kept = [
        unit
        for row, unit in enumerate(terms.units)
        if _is_common(unit, official) and all(_is_word(terms.texts[c][row]) for c in languages)
    ]
    return terms.select(units=kept)


def _is_common(unit: str, official: set[str]) -> bool:
    kind, _, code = unit.partition(":")
    if kind == "unit":
        return unit.startswith(_EVERYDAY)
    return kind == "territory" or code in official


def _is_word(term: str) -> bool:
    """One word: letters, the marks that belong to them, an apostrophe; no space, digit or sign."""
    return all(unicodedata.category(c)[0] in "LM" or c in "'’‘ʻ" for c in term)


def facts(languages: Sequence[str]) -> tuple[ParallelCorpus, ParallelCorpus]:
    """Countries and their official languages, as two corpora over the same units.

    A fact is a language, its home (CLDR's likely territory), where it is official, at least half of
    the people speak it and at most half as many speak another official language; both names one
    word in all ``languages``. One fact a language, so no answer comes twice.
    """
    terms = cldr_terms(languages, ("territory", "language"))
    row = {unit: number for number, unit in enumerate(terms.units)}
    pairs = [
        (home, unit)
        for unit in terms.units
        if unit.startswith("language:") and (home := _home(unit.partition(":")[2])) in row
        if all(_is_word(terms.texts[c][row[name]]) for c in languages for name in (home, unit))
    ]
    countries = terms.select(units=[home for home, _ in pairs])
    return countries, terms.select(units=[unit for _, unit in pairs])


def _home(code: str) -> str:
    """Unit of the territory whose people mostly speak a language officially; empty for none."""
    from babel.core import get_global

    territory = str(get_global("likely_subtags").get(code, "")).rpartition("_")[2]
    spoken = _official_languages().get(territory, {})
    share = spoken.get(code, 0.0)
    rivals = [other for language, other in spoken.items() if language != code]
    clear = share >= _MOST_SPOKEN and all(2 * other <= share for other in rivals)
    return f"territory:{territory}" if clear else ""


@lru_cache(maxsize=1)
def _official_languages() -> dict[str, dict[str, float]]:
    """Territory → its official languages → share of its people, in per cent."""
    from babel.core import get_global

    return {
        str(territory): {
            str(code).partition("_")[0]: float(said["population_percent"])
            for code, said in spoken.items()
            if said["official_status"] in _OFFICIAL
        }
        for territory, spoken in get_global("territory_languages").items()
    }
