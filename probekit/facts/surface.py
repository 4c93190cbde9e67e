"""What can be guessed from spelling alone: the choice that looks most like its prompt.

"Denmark → Danish Krone" needs no knowledge. This floor says how far such looks go, so that an
accuracy is read beside it. Costs ``|prompt| × |choice|`` character comparisons a choice.
"""

from __future__ import annotations

from difflib import SequenceMatcher
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from probekit.facts.question import Question


def surface_floor(questions: Sequence[Question]) -> NDArray[np.float64]:
    """Probability that a guess by looks is right, array (n_questions,).

    The guess is the choice with the longest run of characters in common with the prompt, letter
    case aside; a tie is broken by chance, so ``1 / tied`` where the answer is among them. 0 where a
    question is open.
    """
    return np.array([_guess(question) for question in questions])


def _guess(question: Question) -> float:
    if question.right is None:
        return 0.0
    prompt = question.prompt.casefold()
    shared = [_longest_run(prompt, choice.strip().casefold()) for choice in question.choices]
    best = max(shared)
    return 1 / shared.count(best) if shared[question.right] == best else 0.0


def _longest_run(a: str, b: str) -> int:
    return SequenceMatcher(None, a, b, autojunk=False).find_longest_match().size
