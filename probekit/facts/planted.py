"""Fictional facts: 32 invented people × 4 relations, in eight languages, no subject knows them.

A subject is taught them first, so that *known*, *never known* and *erased* have a ground truth.
Eight people to a part; in every part each of a relation's four answers is right for two people, so
a subject that knows no more than how often an answer comes is right in one of four. Costs a tenth
of a second.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from probekit.corpora.languages import language_info
from probekit.facts.prompts import data, leading_space, some_languages
from probekit.facts.question import FactSet, Question

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

PLANTED_LANGUAGES = ("en", "es", "de", "ru", "zh", "ar", "hi", "sw")


def planted_facts(languages: Sequence[str] | None = None) -> FactSet:
    """128 facts, each as a statement, two paraphrases and a question, in ``languages``.

    Relations: ``birthplace`` (an invented city), ``science``, ``instrument`` and ``birth month``.
    Parts, of eight people each: ``forget``; ``neighbour``, who bear the family names of the people
    to forget; ``retain``; ``relearn``. Between ``forget`` and ``relearn`` no name and no pair of
    answers is shared, and the answer of a neighbour is that of the namesake as often as chance has
    it. Fact ids are ``person/relation``.

    Parameters
    ----------
    languages : some of ``PLANTED_LANGUAGES``, in any order; None means all

    Raises
    ------
    LanguageError
        A language that it has no prompts in.
    """
    codes = some_languages(languages, PLANTED_LANGUAGES, "the planted set")
    people, relations = data("planted_people"), data("planted_relations")
    questions = (
        question
        for code in codes
        for person in people
        for relation, answer in zip(relations, person["answers"], strict=True)
        for question in _questions(person, relation, answer=answer, language=code)
    )
    return FactSet(tuple(questions), name="planted")


def _questions(
    person: dict[str, Any], relation: str, *, answer: int, language: str
) -> Iterator[Question]:
    about = data("planted_relations")[relation]
    name = person[language_info(language).script]
    choices = tuple(leading_space(language) + text for text in about["answers"][language])
    for form, prompts in about["prompts"][language].items():
        for prompt in [prompts] if isinstance(prompts, str) else prompts:
            yield Question(
                fact=f"{person['id']}/{relation}",
                language=language,
                prompt=prompt.format(name),
                answer=choices[answer],
                relation=relation,
                part=person["part"],
                form=form,
                choices=choices,
            )
