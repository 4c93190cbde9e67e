"""Other words: whether a forgotten fact is still answered when it is asked for differently.

An erasure is trained on one form of a question. Costs one forward over the other forms a model.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from probekit.erasure.exam import exact_right, exam_form
from probekit.erasure.verify.shares import Key, Known, chance_by_key, shares_of

if TYPE_CHECKING:
    from probekit.erasure.memory import Memory
    from probekit.erasure.verify.settings import VerifySettings
    from probekit.facts.question import FactSet
    from probekit.models import Subject


def paraphrase_attack(
    base: Subject,
    erased: Subject,
    facts: FactSet,
    *,
    known: Known,
    how: VerifySettings,
    memory: Memory,
) -> tuple[str, dict[str, Any] | None]:
    """Known facts answered in some other form in which the base answers them; why not, else.

    ``chance`` of a fact is the sum of its chance over those forms, at most 1: what a guesser
    gets at best who may try each. A fact that the base answers in no other form is left out.
    """
    forget = facts.where(part="forget")
    forms = [form for form in forget.forms if form != exam_form(facts)]
    if not forms:
        return "the facts have one form", None
    asked, tokens = forget.where(form=forms), how.batch_tokens

    def answers(subject: Subject) -> Any:
        return exact_right(subject, asked, batch_tokens=tokens)

    before = memory.once("forms", base, lambda: answers(base), facts=asked, settings=tokens)
    hits: dict[Key, bool] = {}
    floor = chance_by_key(asked, known)
    chance: dict[Key, float] = {}
    for question, knew, says in zip(asked, before, answers(erased), strict=True):
        key = (question.language, question.fact)
        if knew:
            hits[key] = hits.get(key, False) or bool(says)
            chance[key] = min(1.0, chance.get(key, 0.0) + floor.get(key, 0.0))
    found = shares_of(hits, chance, known)
    if not found:
        return "the base answers none of its known facts in another form", None
    return "", {"by_language": found, "forms": forms}
