"""The rules that a parallel corpus keeps, one function each; every refusal names the way out.

Costs one pass over the texts, when a corpus is built.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from probekit.corpora.languages import canonical_language
from probekit.errors import CorpusError, LanguageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from probekit.corpora.entity import Entity

_SHOWN = 5  # duplicated ids named in a message


def check_units(units: Sequence[str]) -> None:
    """At least one unit; ids are non-empty strings and unique."""
    if not units:
        msg = "units must hold at least one unit. Got none instead: check the source of the corpus."
        raise CorpusError(msg)
    for position, unit in enumerate(units):
        if not isinstance(unit, str) or not unit.strip():
            msg = (
                f"unit ids must be non-empty strings. Got {unit!r} at position {position}: name it."
            )
            raise CorpusError(msg)
        check_encodable(unit, f"unit id {unit!r}")
    twice = [unit for unit, count in Counter(units).items() if count > 1]
    if twice:
        shown = ", ".join(repr(unit) for unit in twice[:_SHOWN]) + (", …" if twice[_SHOWN:] else "")
        msg = f"unit ids must be unique. Got {len(twice)} more than once ({shown}): rename them."
        raise CorpusError(msg)


def check_languages(languages: Sequence[str]) -> None:
    """At least one language; codes valid; no language under two spellings."""
    if not languages:
        msg = "texts must hold at least one language. Got none instead: add one, as {'en': [...]}."
        raise LanguageError(msg)
    seen: dict[str, str] = {}
    for code in languages:
        canonical = canonical_language(code)
        if canonical in seen:
            msg = (
                f"languages must differ. Got {seen[canonical]!r} and {code!r}, which are both "
                f"{canonical!r}: remove one."
            )
            raise LanguageError(msg)
        seen[canonical] = code


def check_column(values: Sequence[str], n_units: int, what: str) -> None:
    """One value per unit."""
    if isinstance(values, str):
        msg = f"{what} must be a sequence with one text per unit. Got one string instead: wrap it."
        raise CorpusError(msg)
    if len(values) != n_units:
        msg = (
            f"{what} must have one value per unit. Got {len(values)} for {n_units} units instead: "
            "complete it, or read with missing='drop-unit'."
        )
        raise CorpusError(msg)


def check_texts(language: str, texts: Sequence[str], units: Sequence[str]) -> None:
    """Every text is a non-empty string that UTF-8 can carry."""
    check_column(texts, len(units), f"texts of {language!r}")
    for unit, text in zip(units, texts, strict=True):
        if not isinstance(text, str) or not text.strip():
            got = "an empty text" if isinstance(text, str) else repr(text)
            msg = (
                f"texts must be non-empty strings. Got {got} for unit {unit!r} in {language!r} "
                "instead: translate it, or drop the unit."
            )
            raise CorpusError(msg)
        check_encodable(text, f"text of unit {unit!r} in {language!r}")


def check_encodable(text: str, what: str) -> None:
    """No lone surrogate: such a string is half a character, and no tokenizer takes it."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        msg = f"{what} must be valid Unicode. Got a lone surrogate at {error.start}: repair it."
        raise CorpusError(msg) from None


def check_labels(labels: Mapping[str, Sequence[str]], units: Sequence[str]) -> None:
    """Every label has a string for every unit."""
    for name, values in labels.items():
        check_column(values, len(units), f"label {name!r}")
        for unit, value in zip(units, values, strict=True):
            if not isinstance(value, str):
                msg = f"label {name!r} must be strings. Got {value!r} for unit {unit!r}: use str()."
                raise CorpusError(msg)
            check_encodable(value, f"label {name!r} of unit {unit!r}")


def check_entities(
    entities: Mapping[str, Sequence[Sequence[Entity]]],
    texts: Mapping[str, Sequence[str]],
    units: Sequence[str],
) -> None:
    """Every span lies in its text and equals its slice (offsets in code points)."""
    for language, column in entities.items():
        if language not in texts:
            msg = f"entities name language {language!r}, which has no texts: add them or remove it."
            raise LanguageError(msg)
        if len(column) != len(units):
            msg = (
                f"entities of {language!r} must have one tuple per unit. Got {len(column)} for "
                f"{len(units)} units instead: use () where there are none."
            )
            raise CorpusError(msg)
        for unit, text, spans in zip(units, texts[language], column, strict=True):
            for span in spans:
                _check_span(span, text, f"entity of unit {unit!r} in {language!r}")


def _check_span(span: Entity, text: str, what: str) -> None:
    if not 0 <= span.start < span.end <= len(text):
        msg = (
            f"{what} must lie in its text of {len(text)} characters. Got {span.start}:{span.end} "
            "instead: count code points, end exclusive."
        )
        raise CorpusError(msg)
    if text[span.start : span.end] != span.text:
        msg = (
            f"{what} must equal its slice {text[span.start : span.end]!r}. Got {span.text!r} "
            "instead: count code points, not bytes or UTF-16 units."
        )
        raise CorpusError(msg)
