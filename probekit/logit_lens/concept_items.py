"""Prompts of the concept lens, and the token sets their answers are scored with.

All three tasks have one shape, four solved lines and an open one::

    Français: "fleur" - Deutsch: "Blume"      translation
    Deutsch: "Blume" - Deutsch: "Blume"       repetition
    Land: "Ungarn" - Amtssprache: "Ungarisch" cloze, a fact that CLDR knows
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np

from probekit.corpora.builtin import BUILTIN_LANGUAGES
from probekit.corpora.languages import language_info, no_such_language
from probekit.errors import CorpusError, InputError, LanguageError
from probekit.logit_lens.words import FACT_LABELS, built_in_words, facts

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from probekit.corpora import ParallelCorpus
    from probekit.logit_lens.words import Spelling

Task = Literal["translation", "repetition", "cloze"]
TASKS: tuple[Task, ...] = get_args(Task)

ENGLISH = "en"
SHOTS = 4
#: Fewest words from which a language gets a curve.
LEAST_WORDS = 8
EVERY_SOURCE = "all"


@dataclass(frozen=True)
class Item:
    """One prompt.

    Attributes
    ----------
    word
        Row of the word in its corpus: the unit of every interval.
    prompt
        Text up to the opening quotation mark of the answer.
    target, english, source
        Tokens that the answer, its English and its source word begin with; no two meet. ``source``
        is empty where the task has none.
    """

    word: int
    prompt: str
    target: frozenset[int]
    english: frozenset[int]
    source: frozenset[int]


@dataclass(frozen=True)
class Items:
    """Prompts of one language, and what was left out.

    Attributes
    ----------
    sources
        Languages translated from.
    n_candidates
        Prompts that the words would give.
    n_meets_english, n_meets_source
        Of those: dropped because the English set meets the answer's; because the source's set meets
        one of the two.
    """

    items: tuple[Item, ...]
    sources: tuple[str, ...]
    n_candidates: int
    n_meets_english: int
    n_meets_source: int

    @property
    def n_words(self) -> int:
        """Different words."""
        return len({item.word for item in self.items})


@dataclass(frozen=True)
class Lexicon:
    """What a task asks and what it wants to hear: two corpora over the same units.

    Attributes
    ----------
    task
        Which task.
    asked, answers
        ``asked`` stands in the first quotation marks, in the source language where there is one.
    """

    task: Task
    asked: ParallelCorpus
    answers: ParallelCorpus

    def labels(self, source: str, target: str) -> tuple[str, str]:
        """Words before the two colons."""
        return FACT_LABELS[target] if self.task == "cloze" else (autonym(source), autonym(target))


def autonym(code: str) -> str:
    """A language's own name for itself, with a capital where its script has any."""
    name = language_info(code).autonym
    return name[0].upper() + name[1:]


def choose_languages(languages: Sequence[str] | None, task: Task) -> tuple[str, ...]:
    """Targets of a task: those asked for, or the built-in ones without English.

    Raises
    ------
    InputError
        No such task.
    LanguageError
        English as a target, a language twice, or one that the cloze task has no template for.
    """
    if task not in TASKS:
        msg = f"task must be one of {', '.join(TASKS)}. Got {task!r} instead."
        raise InputError(msg)
    if languages is None:
        return tuple(code for code in BUILTIN_LANGUAGES if code != ENGLISH)
    chosen = tuple(languages)
    if not chosen or len(set(chosen)) < len(chosen):
        msg = f"languages must be different and at least one. Got {list(chosen)!r}: correct them."
        raise LanguageError(msg)
    if ENGLISH in chosen:
        msg = "languages must not have 'en': English is what the other curves are held against."
        raise LanguageError(msg)
    for code in chosen:
        language_info(code)
        if task == "cloze" and code not in FACT_LABELS:
            raise no_such_language(code, FACT_LABELS)
    return chosen


def choose_sources(source: str | None, targets: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Languages to translate from, by target.

    None: for each target the next built-in language, in turn, whose script is neither the target's
    nor English's, because words of one script often begin with the same letter.
    ``all``: every other target. Or one language.

    Raises
    ------
    LanguageError
        English, or a language that is its own only target.
    """
    if source == ENGLISH:
        msg = "source must not be 'en': the English curve would then be the word on the prompt."
        raise LanguageError(msg)
    if source is None:
        return {target: (_next_of_another_script(target),) for target in targets}
    pool = tuple(targets) if source == EVERY_SOURCE else (source,)
    if source != EVERY_SOURCE:
        language_info(source)
    chosen = {target: tuple(code for code in pool if code != target) for target in targets}
    alone = [target for target, codes in chosen.items() if not codes]
    if alone:
        msg = (
            f"language {alone[0]!r} has no source but itself. Give another source, or leave it out "
            "of the languages."
        )
        raise LanguageError(msg)
    return chosen


def _next_of_another_script(target: str) -> str:
    ring = [code for code in BUILTIN_LANGUAGES if code != ENGLISH]
    start = ring.index(target) + 1 if target in ring else 0
    scripts = {language_info(code).script for code in (target, ENGLISH)}
    turn = ring[start:] + ring[:start]
    return next(code for code in turn if language_info(code).script not in scripts)


def open_lexicon(
    task: Task, languages: Sequence[str], words: ParallelCorpus | None = None
) -> Lexicon:
    """Words of a task in all ``languages`` and English: CLDR's, or the caller's.

    Raises
    ------
    InputError
        Words given to the cloze task, which needs facts.
    LanguageError
        ``words`` lacks a language.
    """
    codes = list(dict.fromkeys([ENGLISH, *languages]))
    if task == "cloze":
        if words is not None:
            msg = "words cannot be given to task 'cloze', which asks for facts. Leave words out."
            raise InputError(msg)
        return Lexicon(task, *facts(codes))
    chosen = built_in_words(codes) if words is None else words.select(languages=codes)
    return Lexicon(task, chosen, chosen)


def make_items(
    lexicon: Lexicon,
    spelling: Spelling,
    *,
    target: str,
    sources: Sequence[str],
    n_words: int,
    seed: int,
) -> Items:
    """Prompts of one target language: the first ``n_words`` usable words of a seeded order.

    The order of words is the same for every language, so that languages share as many words as
    their spelling allows. A prompt whose token sets meet is dropped.
    """
    order = np.random.default_rng([seed, 5]).permutation(lexicon.answers.n_units)
    kept: list[Item] = []
    used: set[int] = set()
    dropped = {"english": 0, "source": 0}
    for word in order.tolist():
        for source in sources:
            item, reason = _item(lexicon, spelling, word, target=target, source=source)
            if reason:
                dropped[reason] += 1
            elif len(used) < n_words or word in used:
                used.add(word)
                prompt = _prompt(lexicon, word, target=target, source=source, seed=seed)
                kept.append(Item(word, prompt, *item))
    return Items(
        items=tuple(kept),
        sources=tuple(sources) if lexicon.task == "translation" else (),
        n_candidates=len(order) * len(sources),
        n_meets_english=dropped["english"],
        n_meets_source=dropped["source"],
    )


def _item(
    lexicon: Lexicon, spelling: Spelling, word: int, *, target: str, source: str
) -> tuple[tuple[frozenset[int], ...], str]:
    """Token sets of target, English and source, and why they cannot be used."""
    texts = lexicon.answers.texts
    sets = [spelling.tokens(texts[code][word]) for code in (target, ENGLISH)]
    if sets[0] & sets[1] or not all(sets):
        return (), "english"
    if lexicon.task != "translation":
        return (*sets, frozenset()), ""
    said = spelling.tokens(texts[source][word])
    if said & (sets[0] | sets[1]) or not said:
        return (), "source"
    return (*sets, said), ""


def _prompt(lexicon: Lexicon, word: int, *, target: str, source: str, seed: int) -> str:
    """Four solved lines of other words, then the open one."""
    asked, answers = lexicon.asked.texts[source], lexicon.answers.texts[target]
    first, second = lexicon.labels(source, target)
    shots = _shots(answers, word, seed=seed)
    solved = [f'{first}: "{asked[i]}" - {second}: "{answers[i]}"' for i in shots]
    return "\n".join([*solved, f'{first}: "{asked[word]}" - {second}: "'])


def _shots(answers: Sequence[str], word: int, *, seed: int) -> Iterator[int]:
    """Rows of other words with other answers; the same for every language."""
    others = [i for i, answer in enumerate(answers) if answer != answers[word]]
    if len(others) < SHOTS:
        msg = f"words must be at least {SHOTS + 1} with different spelling. Add words."
        raise CorpusError(msg)
    drawn = np.random.default_rng([seed, 6, word]).choice(len(others), SHOTS, replace=False)
    return (others[i] for i in drawn.tolist())
