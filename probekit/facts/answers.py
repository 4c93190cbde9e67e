"""Answers that a subject wrote: right, wrong, or right in another language.

An answer is told by how the text begins: with the right answer, with the same fact's answer in
another language, with another answer of the relation in some language; else by the script of its
first letter. Letter case and Unicode composition do not count. Costs a few string comparisons.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from probekit.corpora.languages import language_info
from probekit.errors import InputError
from probekit.facts.intervals import fact_means, mean_interval
from probekit.logit_lens.token_languages import script_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from probekit.facts.question import FactSet, Question

_SCRIPTS = {
    "Aran": ("Arab",),
    "Hans": ("Hani",),
    "Hant": ("Hani",),
    "Jpan": ("Hani", "Hira", "Kana"),
    "Kore": ("Hang", "Hani"),
}
_Names = dict[str, dict[str, set[str]]]


@dataclass(frozen=True)
class Answers:
    """What was written after every prompt, in the order of ``facts.questions``.

    Attributes
    ----------
    facts
        What was asked.
    texts
        Everything that was written after the prompt.
    languages
        Language of the answer where it is one of the relation's answers (the question's own where
        several languages write it so); ``""`` where it is none.
    right
        The text begins with the answer.
    wrong_language
        The text begins with the answer of the same fact in another language.
    foreign
        The answer is in another language than the question: by its words, or by a script that the
        question's language is not written in.
    """

    facts: FactSet
    texts: tuple[str, ...]
    languages: tuple[str, ...]
    right: NDArray[np.bool_]
    wrong_language: NDArray[np.bool_]
    foreign: NDArray[np.bool_]

    def table(
        self, *, n_resamples: int = 1000, level: float = 0.95, seed: int = 0
    ) -> list[dict[str, Any]]:
        """One row a language and part: shares ``right``, ``wrong_language`` and ``foreign``.

        Each with ``_low`` and ``_high``, an interval over facts as in :meth:`Scores.table`.
        """
        groups: dict[tuple[str, str], list[int]] = {}
        for row, question in enumerate(self.facts):
            groups.setdefault((question.language, question.part), []).append(row)
        table = []
        for (language, part), rows in groups.items():
            ids = [self.facts.questions[row].fact for row in rows]
            found: dict[str, Any] = {"language": language, "part": part, "n_facts": len(set(ids))}
            for name in ("right", "wrong_language", "foreign"):
                shares = fact_means(ids, getattr(self, name)[rows])
                low, high = mean_interval(shares, n_resamples=n_resamples, level=level, seed=seed)
                found |= {name: float(shares.mean()), f"{name}_low": low, f"{name}_high": high}
            table.append(found)
        return table


def identify(facts: FactSet, texts: tuple[str, ...], *, reference: FactSet) -> Answers:
    """Say of every text what it answers, and in which language.

    Raises
    ------
    InputError
        Not one text a question.
    """
    if len(texts) != len(facts):
        msg = f"texts must be one a question. Got {len(texts)} for {len(facts)} questions instead."
        raise InputError(msg)
    of_fact, of_relation = _answers_by(reference, "fact"), _answers_by(reference, "relation")
    told = [
        _tell(question, text, (of_fact, of_relation))
        for question, text in zip(facts, texts, strict=True)
    ]
    return Answers(
        facts=facts,
        texts=tuple(texts),
        languages=tuple(language for language, *_ in told),
        right=np.array([right for _, right, *_ in told], dtype=bool),
        wrong_language=np.array([other for *_, other, _ in told], dtype=bool),
        foreign=np.array([foreign for *_, foreign in told], dtype=bool),
    )


def _answers_by(reference: FactSet, field: str) -> _Names:
    """Fact or relation → language → its answers; of a relation the choices too."""
    found: _Names = {}
    for question in reference:
        names = found.setdefault(getattr(question, field), {})
        more = question.choices if field == "relation" else ()
        names.setdefault(question.language, set()).update((question.answer, *more))
    return found


def _tell(
    question: Question, text: str, names: tuple[_Names, _Names]
) -> tuple[str, bool, bool, bool]:
    """Language, right, right in another language, foreign."""
    own, (of_fact, of_relation) = question.language, names
    if _begins(text, question.answer):
        return own, True, False, False
    others = of_relation.get(question.relation, {})
    if _language(text, {own: others.get(own, set())}, own):
        return own, False, False, False
    if elsewhere := _language(text, of_fact.get(question.fact, {}), own):
        return elsewhere, False, True, True
    if language := _language(text, others, own):
        return language, False, False, True
    return "", False, False, _other_script(text, own)


def _language(text: str, names: dict[str, set[str]], own: str) -> str:
    """The language whose answer begins the text: the longest one, the question's own if tied."""
    found = [
        (len(answer.strip()), code == own, code)
        for code, answers in names.items()
        for answer in answers
        if _begins(text, answer)
    ]
    return max(found)[2] if found else ""


def _begins(text: str, answer: str) -> bool:
    """Whether the text begins with the answer, as whole words where the script has words."""
    said, wanted = _plain(text), _plain(answer)
    if not said.startswith(wanted):
        return False
    rest = said[len(wanted) :]
    spaced = answer[:1].isspace()
    return not (spaced and rest and unicodedata.category(rest[0])[0] in "LMN")


def _plain(text: str) -> str:
    return unicodedata.normalize("NFC", text).strip().casefold()


def _other_script(text: str, language: str) -> bool:
    script = language_info(language).script
    seen = next((found for c in text if (found := script_of(c)) is not None), None)
    return seen is not None and seen not in _SCRIPTS.get(script, (script,))
