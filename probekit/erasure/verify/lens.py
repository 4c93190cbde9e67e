"""The answer inside: whether a block, decoded with the head of the base, still ranks it first.

The final norm and the unembedding are the *base's*, so an erasure that only edits the head is seen
through. Costs one forward over the prompts a model (``decoding``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from probekit.erasure.verify.decoding import named
from probekit.erasure.verify.patching import require_sound_hooks
from probekit.erasure.verify.shares import Key, Known, by_key, chance_by_key, shares_of
from probekit.erasure.working_copy import working_copy

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from probekit.erasure.memory import Memory
    from probekit.erasure.verify.settings import VerifySettings
    from probekit.facts.question import FactSet
    from probekit.models import Subject


def with_head(subject: Subject, base: Subject) -> Subject:
    """Subject that unembeds as ``base`` does; shares every tensor, changes neither."""
    made = working_copy(subject, ())
    for path in base.anatomy.head:
        made.model.set_submodule(path, base.model.get_submodule(path))
    made.model.requires_grad_(requires_grad=False)
    return made


def best_blocks(recall: NDArray[np.float64], budget: int) -> tuple[int, ...]:
    """Blocks of the highest recall on other facts, at most ``budget``; deeper ones win ties."""
    order = sorted(range(len(recall)), key=lambda block: (-recall[block], -block))
    return tuple(sorted(order[:budget]))


def any_of(
    right: NDArray[np.bool_], first: NDArray[np.int64], n_choices: NDArray[np.int64]
) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """Whether some block gives a fact away, and the share that chance gives.

    Parameters
    ----------
    right, first
        Of the blocks that are tried: the answer ranks first; the choice that does.
    n_choices
        Choices of every question, 0 where it is open.

    Returns
    -------
    hits, chance : arrays (n_questions,)
        ``chance`` is ``|different choices that rank first| / choices``: what a guesser gets who
        may name them all. Exact where the right answer is any of the choices alike.
    """
    named = np.array([len(set(column)) for column in first.T])
    chance = np.where(n_choices > 0, named / np.maximum(n_choices, 1), 0.0)
    return np.asarray(right.any(axis=0), dtype=bool), np.minimum(chance, 1.0)


def lens_attack(
    base: Subject,
    erased: Subject,
    facts: FactSet,
    *,
    known: Known,
    how: VerifySettings,
    memory: Memory,
) -> dict[str, Any]:
    """Recall by block before and after, and the success of the ``budget`` best blocks.

    The blocks are chosen on facts that are *not* to be forgotten, in the erased model, so that
    the success on the forgotten ones is not chosen with them; without such facts the last blocks.

    Parameters
    ----------
    base, erased, facts, memory
        As everywhere; one question a fact and language.
    known, how
        Facts to forget that the base knows; ``budget``, blocks that may be tried.

    Raises
    ------
    NumericalError
        A block's own output, put back, changes what the erased model says.
    """
    forget, budget, tokens = facts.where(part="forget"), how.budget, how.batch_tokens
    others = [part for part in facts.parts if part != "forget"]
    own = with_head(erased, base)
    require_sound_hooks(own, forget)
    before = memory.once("lens", base, lambda: named(base, forget), facts=forget).right
    after, first = named(own, forget, batch_tokens=tokens)
    n_blocks = base.anatomy.n_blocks
    blocks = tuple(range(max(0, n_blocks - budget), n_blocks))
    if others:
        rest = named(own, facts.where(part=others), batch_tokens=tokens)
        blocks = best_blocks(rest.right.mean(axis=1), budget)
    n_choices = np.array([len(q.choices) for q in forget])
    hits, luck = any_of(after[list(blocks)], first[list(blocks)], n_choices)
    floor, chance = chance_by_key(forget, known), dict[Key, float]()
    for question, value in zip(forget, luck, strict=True):
        key = (question.language, question.fact)
        chance[key] = max(float(value), floor.get(key, 0.0))
    found = shares_of(by_key(forget, hits), chance, known)
    return {
        "blocks": list(blocks),
        "by_language": found,
        "recall": _recall(forget, before, after, known),
    }


def _recall(
    facts: FactSet, before: NDArray[np.bool_], after: NDArray[np.bool_], known: Known
) -> dict[str, dict[str, list[dict[str, Any]]]]:
    """``{language: {before, after: [share a block]}}`` on known facts."""
    chance = chance_by_key(facts, known)
    found: dict[str, dict[str, list[dict[str, Any]]]] = {}
    for name, rights in (("before", before), ("after", after)):
        for right in rights:
            for code, cell in shares_of(by_key(facts, right), chance, known).items():
                found.setdefault(code, {}).setdefault(name, []).append(cell)
    return found
