"""Targets of a prompt lens: words whose probability is asked for, and how they are scored.

A layer predicts one token, so a word is scored by the *first* token of each of its spellings, with
and without a space before it; probabilities of distinct first tokens are added, the rank is the
best one's. The last block alone also has the joint probability of the whole word after the text.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from probekit.capture.tokens import TokenizedText
from probekit.errors import InputError
from probekit.logit_lens.residuals import residuals
from probekit.logit_lens.vocabulary import lens_rows, read_vocabulary

if TYPE_CHECKING:
    from collections.abc import Sequence

    from probekit.models import Subject
    from probekit.models.head import Unembedding

SCORING = (
    "first token of the target's spellings, with and without a space before it: probabilities of "
    "distinct first tokens added, rank of the best one"
)


@dataclass(frozen=True)
class Target:
    """A word that is asked for.

    Attributes
    ----------
    text
        As given.
    spellings
        Token ids of each spelling that begins with another token; what is scored is the first id.
    """

    text: str
    spellings: tuple[tuple[int, ...], ...]

    @property
    def first_ids(self) -> tuple[int, ...]:
        """Ids that are scored, each once."""
        return tuple(ids[0] for ids in self.spellings)

    @property
    def is_single(self) -> bool:
        """Whether every spelling is one token: then the first token is the word."""
        return all(len(ids) == 1 for ids in self.spellings)


def spell_target(tokenizer: Any, text: str) -> Target:
    """Spellings of a target with and without a space before it.

    Raises
    ------
    InputError
        The target is empty, or holds what the vocabulary cannot spell.
    """
    if not text.strip():
        msg = "targets must be words. Got an empty one instead: leave it out."
        raise InputError(msg)
    word = text.strip()
    plain = _ids(tokenizer, word)
    anchor = _ids(tokenizer, "a")
    spaced = _ids(tokenizer, f"a {word}")
    # a text may begin otherwise than it goes on (a dummy space, a byte merge): cut the anchor off
    after = spaced[len(anchor) :] if spaced[: len(anchor)] == anchor else ()
    found: dict[int, tuple[int, ...]] = {}
    for ids in (plain, after):
        if ids and tokenizer.decode([ids[0]]).strip():  # a bare space says nothing of the word
            found.setdefault(ids[0], ids)
    unknown = tokenizer.unk_token_id
    if not found or (unknown is not None and any(unknown in ids for ids in found.values())):
        msg = f"target {text!r} cannot be spelled by this tokenizer. Leave it out, or respell it."
        raise InputError(msg)
    return Target(text, tuple(found.values()))


def _ids(tokenizer: Any, text: str) -> tuple[int, ...]:
    return tuple(tokenizer(text, add_special_tokens=False)["input_ids"])


def joint_probability(
    subject: Subject, head: Unembedding, ids: Sequence[int], *, target: Target
) -> float:
    """Probability that the model itself continues ``ids`` with the whole target.

    ``Σ Π_k p(t_k | ids, t_1 … t_{k−1})`` over spellings; one short forward each.
    """
    total = 0.0
    for spelling in target.spellings:
        whole = (*ids, *spelling[:-1])
        places = tuple(range(len(ids) - 1, len(whole)))
        ((_, vectors),) = residuals(subject, [TokenizedText(0, 0, whole, places)])
        rows = lens_rows(subject, vectors[-1:].transpose(0, 1))
        found = read_vocabulary(rows, head, targets=np.array(spelling)[:, None], ranks=False)
        total += float(np.exp2(found.target_log2.sum()))
    return total
