"""What is right without knowing a fact: the floor that every share of facts is read beside.

A model that has lost a fact may still know what answers its relation has, and which of them comes
most often. Pure, one pass over the questions.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Container

    from probekit.facts.question import FactSet

Key = tuple[str, str]  # language, fact


def guessing(facts: FactSet, *, among: Container[Key] | None = None) -> dict[Key, float]:
    """``max(1 / choices, share of the commonest answer)`` of every language and fact, in [0, 1].

    The commonest answer is taken over the facts of the same part, language and relation: who
    always says it is right that often. It counts where two facts share it; where an open question
    (no choices) has none such, the floor is 0.

    Parameters
    ----------
    facts
        What is asked.
    among
        Languages and facts that the share is about; None: all. Others are left out.
    """
    asked = [q for q in facts if among is None or (q.language, q.fact) in among]
    answers = {(q.part, q.language, q.relation, q.fact): q.answer for q in asked}
    counts: dict[tuple[str, str, str], Counter[str]] = {}
    for (*group, _), answer in answers.items():
        counts.setdefault((group[0], group[1], group[2]), Counter())[answer] += 1
    commonest = {key: _commonest(each) for key, each in counts.items()}
    found: dict[Key, float] = {}
    for q in asked:
        blind = 1 / len(q.choices) if q.choices else 0.0
        floor = max(blind, commonest[q.part, q.language, q.relation])
        found[q.language, q.fact] = max(floor, found.get((q.language, q.fact), 0.0))
    return found


def _commonest(answers: Counter[str]) -> float:
    most = max(answers.values())
    return most / answers.total() if most > 1 else 0.0
