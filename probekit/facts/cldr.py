"""Real facts from Unicode CLDR: a territory's currency and its official language.

Names are CLDR's, prompts are written by hand; which of them a subject knows is for
:func:`probekit.facts.known` to say. Many answers can be guessed from the territory's name ("Danish
Krone"): read accuracy beside the ``surface`` floor, not beside chance alone. Costs what
:func:`probekit.corpora.cldr_terms` costs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from probekit.corpora.cldr import cldr_terms
from probekit.errors import InputError
from probekit.facts.prompts import data, leading_space, some_languages
from probekit.facts.question import PARTS, FactSet, Question

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from probekit.corpora import ParallelCorpus

CLDR_LANGUAGES = ("en", "es", "fr", "de", "ru", "zh", "ja", "ar", "hi", "tr", "id", "sw")
CLDR_RELATIONS = ("currency", "official language")

_OFFICIAL = frozenset({"official", "de_facto_official"})
_MOST_SPOKEN = 50.0  # per cent of a territory's people
_TERRITORY_LENGTH = 2
_NO_COUNTRY = frozenset({"EU", "EZ", "UN"})
_FEWEST_CHOICES = 2


def cldr_facts(
    languages: Sequence[str] | None = None,
    *,
    relations: Sequence[str] = CLDR_RELATIONS,
    n_choices: int = 4,
    part: str = "retain",
    seed: int = 0,
) -> FactSet:
    """Territory → currency and territory → official language, as a statement and a question.

    A currency counts where it is its territory's only tender and bears its code (JPY of JP): one
    territory a currency. An official language counts in its home (CLDR's likely territory), where
    at least half of the people speak it and at most half as many another official one: one
    territory a language. So no answer is right twice. Which facts there are does not depend on
    ``languages``.

    Parameters
    ----------
    languages : some of ``CLDR_LANGUAGES``; None means all
    relations : ``currency``, ``official language``
    n_choices : answers to choose from. Every answer is offered ``n_choices`` times in a language,
        once where it is right
    part : part that the facts belong to
    seed : of the wrong choices

    Raises
    ------
    LanguageError
        A language that has no prompts.
    InputError
        An unknown relation or part, or a number of choices that cannot be.
    """
    codes = some_languages(languages, CLDR_LANGUAGES, "the CLDR set")
    _check_options(relations, n_choices, part)
    terms = cldr_terms(CLDR_LANGUAGES, ("territory", "language", "currency"))
    questions = (
        question
        for relation in relations
        for question in _of_relation(
            terms, relation, languages=codes, n_choices=n_choices, part=part, seed=seed
        )
    )
    return FactSet(tuple(questions), name="cldr")


def _check_options(relations: Sequence[str], n_choices: int, part: str) -> None:
    unknown = [name for name in relations if name not in CLDR_RELATIONS]
    if unknown or not relations or isinstance(relations, str):
        msg = f"relations must be some of {CLDR_RELATIONS}. Got {relations!r} instead: correct it."
        raise InputError(msg)
    if part not in PARTS:
        msg = f"part must be one of {', '.join(PARTS)}. Got {part!r} instead: correct it."
        raise InputError(msg)
    if n_choices < _FEWEST_CHOICES:
        msg = f"n_choices must be at least {_FEWEST_CHOICES}. Got {n_choices} instead."
        raise InputError(msg)


def _of_relation(
    terms: ParallelCorpus,
    relation: str,
    *,
    languages: Sequence[str],
    n_choices: int,
    part: str,
    seed: int,
) -> Iterator[Question]:
    pairs = _distinct(terms, _currencies() if relation == "currency" else _official_languages())
    if n_choices > len(pairs):
        msg = f"n_choices must be at most {len(pairs)}, the {relation} facts. Got {n_choices}."
        raise InputError(msg)
    row = {unit: number for number, unit in enumerate(terms.units)}
    offered = _offers(len(pairs), n_choices, seed=seed)
    for code in languages:
        names, space = terms.texts[code], leading_space(code)
        answers = [space + names[row[answer]] for _, answer in pairs]
        for number, (territory, _) in enumerate(pairs):
            for form, prompt in data("cldr_prompts")[relation][code].items():
                yield Question(
                    fact=f"{territory}/{relation}",
                    language=code,
                    prompt=prompt.format(names[row[territory]]),
                    answer=answers[number],
                    relation=relation,
                    part=part,
                    form=form,
                    choices=tuple(answers[other] for other in offered[number]),
                )


def _distinct(terms: ParallelCorpus, pairs: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """Facts whose names all languages have, no answer's name being another's in any of them."""
    row = {unit: number for number, unit in enumerate(terms.units)}
    named = [pair for pair in pairs if pair[0] in row and pair[1] in row]
    for texts in terms.texts.values():
        found = [texts[row[answer]] for _, answer in named]
        named = [pair for pair, name in zip(named, found, strict=True) if found.count(name) == 1]
    return named


def _offers(n: int, n_choices: int, *, seed: int) -> list[list[int]]:
    """Choices of every fact: its own and the next ones on a random circle, in ascending order."""
    circle = np.random.default_rng([seed, n]).permutation(n)
    found: list[list[int]] = [[] for _ in range(n)]
    for place, number in enumerate(circle):
        steps = (place + np.arange(n_choices)) % n
        found[int(number)] = sorted(int(other) for other in circle[steps])
    return found


def _currencies() -> list[tuple[str, str]]:
    """Territory and currency units, where the only tender bears the territory's code (ISO 4217)."""
    from babel.core import get_global
    from babel.numbers import get_territory_currencies

    territories = sorted(set(map(str, get_global("territory_currencies"))) - _NO_COUNTRY)
    found = []
    for territory in territories:
        current = get_territory_currencies(territory, tender=True)
        if len(current) == 1 and str(current[0])[:_TERRITORY_LENGTH] == territory:
            found.append((f"territory:{territory}", f"currency:{current[0]}"))
    return found


def _official_languages() -> list[tuple[str, str]]:
    """Territory and language units: the home of a language that most people there speak."""
    from babel.core import get_global

    likely = get_global("likely_subtags")
    found = []
    for territory, spoken in sorted(get_global("territory_languages").items()):
        shares = {
            str(code).partition("_")[0]: float(said["population_percent"])
            for code, said in spoken.items()
            if said["official_status"] in _OFFICIAL
        }
        for code, share in shares.items():
            home = str(likely.get(code, "")).rpartition("_")[2] == territory
            rivals = [other for language, other in shares.items() if language != code]
            clear = share >= _MOST_SPOKEN and all(2 * other <= share for other in rivals)
            if home and clear:
                found.append((f"territory:{territory}", f"language:{code}"))
    return found
