"""Which language a token of the vocabulary belongs to, as far as a corpus can tell.

A token whose letters are of a script that one language of the corpus alone is written in belongs to
that language. Any other token belongs to the language that uses it nearly alone, by smoothed counts
in the corpus itself. All the rest, unseen, shared, digits and signs, is *undetermined*: a class of
its own, never shared out. Costs one look at every token of the vocabulary, about two seconds for
262,144.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from probekit.corpora import language_info
from probekit.logit_lens.token_text import token_texts

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from probekit.capture import TokenizedCorpus

UNDETERMINED = "undetermined"

#: First word of a character's Unicode name → ISO 15924, where the two differ in letters.
_SCRIPTS = {
    "ARABIC": "Arab",
    "ARMENIAN": "Armn",
    "BENGALI": "Beng",
    "BOPOMOFO": "Bopo",
    "CJK": "Hani",
    "CYRILLIC": "Cyrl",
    "DEVANAGARI": "Deva",
    "ETHIOPIC": "Ethi",
    "GEORGIAN": "Geor",
    "GREEK": "Grek",
    "GUJARATI": "Gujr",
    "GURMUKHI": "Guru",
    "HANGUL": "Hang",
    "HEBREW": "Hebr",
    "HIRAGANA": "Hira",
    "IDEOGRAPHIC": "Hani",
    "KANNADA": "Knda",
    "KATAKANA": "Kana",
    "KATAKANA-HIRAGANA": "Kana",
    "KHMER": "Khmr",
    "LAO": "Laoo",
    "LATIN": "Latn",
    "MALAYALAM": "Mlym",
    "MONGOLIAN": "Mong",
    "MYANMAR": "Mymr",
    "NKO": "Nkoo",
    "ORIYA": "Orya",
    "SINHALA": "Sinh",
    "SYRIAC": "Syrc",
    "TAMIL": "Taml",
    "TELUGU": "Telu",
    "THAANA": "Thaa",
    "THAI": "Thai",
    "TIBETAN": "Tibt",
    "TIFINAGH": "Tfng",
}
_WIDTHS = {"HALFWIDTH", "FULLWIDTH"}
#: Scripts that stand for several; modern Korean is Hangul, its Han characters are rare.
_PARTS = {
    "Aran": ("Arab",),
    "Hans": ("Hani",),
    "Hant": ("Hani",),
    "Jpan": ("Hani", "Hira", "Kana"),
    "Kore": ("Hang",),
}


@dataclass(frozen=True)
class TokenLanguages:
    """Classes of a vocabulary's tokens.

    Attributes
    ----------
    languages
        Codes, in corpus order.
    classes
        Array (vocabulary,), int64: index of the language, ``len(languages)`` for undetermined.
    n_by_script
        Tokens that were told by their script; the other determined ones by counts.
    """

    languages: tuple[str, ...]
    classes: np.ndarray
    n_by_script: int

    @property
    def n_classes(self) -> int:
        """Languages and the undetermined class."""
        return len(self.languages) + 1

    @property
    def names(self) -> tuple[str, ...]:
        """Codes and ``undetermined``, in the order of the classes."""
        return (*self.languages, UNDETERMINED)

    @property
    def n_tokens(self) -> np.ndarray:
        """Tokens of each class, array (n_classes,)."""
        return np.bincount(self.classes, minlength=self.n_classes)


def token_languages(
    tokens: TokenizedCorpus,
    tokenizer: Any,
    *,
    languages: Sequence[str],
    vocabulary: int,
    smoothing: float = 0.5,
    share: float = 0.75,
) -> TokenLanguages:
    """Class of every token: by script where that decides, else by counts in the corpus.

    With ``c_a`` the times a token is content in language ``a``, scaled to equal numbers of tokens
    by language, its share is ``c_a / (Σ_b c_b + smoothing)``; the language with a share of at least
    ``share`` has it.

    Parameters
    ----------
    tokens
        The corpus as the model reads it.
    tokenizer
        Its tokenizer.
    languages
        Codes, in the order of the corpus.
    vocabulary
        Logits of the model, which may be more than the tokenizer has tokens.
    smoothing
        Pseudo-count of a token in no language; at least 0. With 0.5, a token seen once is
        undetermined, one seen twice in one language alone is that language's.
    share
        Above 0.5 and at most 1.
    """
    undetermined = len(languages)
    classes = by_counts(content_counts(tokens, vocabulary), smoothing=smoothing, share=share)
    owners = _owners(languages)
    n_by_script = 0
    for token, text in enumerate(token_texts(tokenizer)[:vocabulary]):
        script = script_of(text)
        if script in owners:
            classes[token] = owners[script]
            n_by_script += 1
    special = [number for number in tokenizer.all_special_ids if number < vocabulary]
    classes[special] = undetermined
    return TokenLanguages(tuple(languages), classes, n_by_script)


def content_counts(tokens: TokenizedCorpus, vocabulary: int) -> np.ndarray:
    """How often each token is content in each language, array (language, vocabulary)."""
    counts = np.zeros((tokens.n_languages, vocabulary), dtype=np.int64)
    for text in tokens.texts:
        np.add.at(counts[text.language], [text.ids[place] for place in text.content], 1)
    return counts


def by_counts(counts: np.ndarray, *, smoothing: float, share: float) -> np.ndarray:
    """Language with a smoothed share of at least ``share``, else the number of languages.

    Parameters
    ----------
    counts : array of shape (n_languages, vocabulary)
        Languages with more tokens are scaled down to the mean.
    """
    totals = counts.sum(axis=1, keepdims=True)
    scaled = counts * (totals.mean() / np.maximum(totals, 1))
    shares = scaled / np.maximum(scaled.sum(axis=0) + smoothing, 1e-300)
    best = shares.argmax(axis=0)
    sure = (shares.max(axis=0) >= share) & (counts.sum(axis=0) > 0)
    classes: np.ndarray = np.where(sure, best, len(counts)).astype(np.int64)
    return classes


def _owners(languages: Sequence[str]) -> dict[str | None, int]:
    """Script → the one language of the corpus written in it."""
    users: dict[str, list[int]] = {}
    for number, code in enumerate(languages):
        script = language_info(code).script
        for part in _PARTS.get(script, (script,)):
            users.setdefault(part, []).append(number)
    return {script: found[0] for script, found in users.items() if len(found) == 1}


def script_of(text: str) -> str | None:
    """Script of a text's letters (ISO 15924); None without letters or with several scripts."""
    found = _scripts(text)
    return next(iter(found)) if len(found) == 1 else None


def _scripts(characters: Iterable[str]) -> set[str]:
    return {script for c in characters if (script := _script(c)) is not None}


@cache
def _script(character: str) -> str | None:
    """Script of a letter or of a mark that belongs to a script; None for other characters."""
    if unicodedata.category(character)[0] not in "LM":
        return None
    words = unicodedata.name(character, "UNNAMED").split()
    first = words[1] if words[0] in _WIDTHS and len(words) > 1 else words[0]
    if first in _SCRIPTS:
        return _SCRIPTS[first]
    return None if unicodedata.category(character)[0] == "M" else first
