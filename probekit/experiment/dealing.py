"""Which facts an experiment uses, and which of them each seed forgets.

A model that has lost a fact still knows the answers of its relation, so facts are drawn such that
no answer of a relation comes much more often than the others: the floor of guessing stays low. The
facts of one subject (``person`` of ``person/relation``) stay together. Costs a second at most.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations, islice
from math import comb
from typing import TYPE_CHECKING

import numpy as np

from probekit.errors import InputError

if TYPE_CHECKING:
    from probekit.facts.question import FactSet

PARTS = ("forget", "retain", "relearn")
TAUGHT = ("forget", "retain")
#: Draws among which the most even one is taken: of facts to use, and of facts to forget, where few
#: keep seeds apart.
N_DRAWS, N_DEALS = 2000, 12
_CHOOSE, _DEAL = 17, 23  # random streams of their own


def fewer(facts: FactSet, n_facts: int | None) -> FactSet:
    """``n_facts`` of each part that an experiment uses, whole groups, answers as even as can be.

    Raises
    ------
    InputError
        Facts without a part to forget or to retain.
    """
    missing = [part for part in TAUGHT if part not in facts.parts]
    if missing:
        msg = f"facts {facts.name!r} must have parts forget and retain. Got no {missing[0]!r}."
        raise InputError(msg)
    kept: list[str] = []
    for part in (name for name in PARTS if name in facts.parts):
        every = _Groups.of(facts, (part,))
        wanted = every.n_facts if n_facts is None else min(n_facts, every.n_facts)
        rng = np.random.default_rng([0, _CHOOSE])
        chosen = min(every.draws(wanted, rng), key=every.unevenness)
        kept += every.facts(chosen)[:wanted]
    return facts.where(fact=kept)


def deal(facts: FactSet, seed: int) -> FactSet:
    """The same facts, other ones to forget: a seed is another draw, 0 the parts as they are.

    The groups of parts forget and retain are dealt again, whole, as many facts to forget as before
    or as few more as whole groups allow: of a dozen draws the one with the most even answers.
    Groups to relearn that share two or more answers with one that is now to be forgotten are left
    out: relearning them would teach it.
    """
    if seed == 0:
        return facts
    every = _Groups.of(facts, TAUGHT)
    rng = np.random.default_rng([seed, _DEAL])
    least = len(facts.where(part="forget").facts)

    def uneven(chosen: Sequence[str]) -> float:
        rest = tuple(name for name in every.names if name not in chosen)
        return every.unevenness(chosen) + every.unevenness(rest)

    before = _Groups.of(facts, ("forget",)).names
    others = (draw for draw in every.draws(least, rng) if draw != before)
    draws = list(islice(others, N_DEALS)) or [before]
    forget = set(every.facts(min(draws, key=uneven)))
    dealt = [
        replace(q, part="forget" if q.fact in forget else "retain") if q.part in TAUGHT else q
        for q in facts
    ]
    made = replace(facts, questions=tuple(dealt))
    told = _telling(made)
    return replace(made, questions=tuple(q for q in made if q.fact not in told))


def _telling(facts: FactSet) -> set[str]:
    """Facts to relearn of groups that share two answers with a group to forget."""
    if "relearn" not in facts.parts:
        return set()
    forget, relearn = (_Groups.of(facts, (part,)) for part in ("forget", "relearn"))
    found: set[str] = set()
    for name in relearn.names:
        own = relearn.answers_of(name)
        if any(len(own & forget.answers_of(other)) > 1 for other in forget.names):
            found |= set(relearn.facts((name,)))
    return found


@dataclass(frozen=True)
class _Groups:
    """Facts by group, with what each says in one language: group → fact → (relation, answer)."""

    said: Mapping[str, Mapping[str, tuple[str, str]]]

    @classmethod
    def of(cls, facts: FactSet, parts: Sequence[str]) -> _Groups:
        """Groups of some parts, in the facts' order."""
        found: dict[str, dict[str, tuple[str, str]]] = {}
        for q in facts:
            if q.part in parts:
                own = found.setdefault(q.fact.partition("/")[0], {})
                own.setdefault(q.fact, (q.relation, q.answer))
        return cls(found)

    @property
    def names(self) -> tuple[str, ...]:
        """Groups in order."""
        return tuple(self.said)

    @property
    def n_facts(self) -> int:
        """Facts of all groups."""
        return sum(len(own) for own in self.said.values())

    def facts(self, names: Sequence[str]) -> list[str]:
        """Facts of some groups."""
        return [fact for name in names for fact in self.said[name]]

    def answers_of(self, name: str) -> set[tuple[str, str]]:
        """Relations and answers of a group."""
        return set(self.said[name].values())

    def draws(self, n_facts: int, rng: np.random.Generator) -> Iterator[tuple[str, ...]]:
        """Sets of groups with as many facts or as few more as whole groups allow, in random order.

        All sets where they are few and the groups alike, else some.
        """
        sizes = {len(own) for own in self.said.values()}
        n_groups = -(-n_facts // max(sizes))
        if len(sizes) == 1 and comb(len(self.names), n_groups) <= N_DRAWS:
            every = list(combinations(self.names, n_groups))
            yield from (every[at] for at in rng.permutation(len(every)))
            return
        for _ in range(N_DRAWS):
            yield self._filled([self.names[at] for at in rng.permutation(len(self.names))], n_facts)

    def _filled(self, order: Sequence[str], n_facts: int) -> tuple[str, ...]:
        """The first groups of an order that hold so many facts, in the groups' own order."""
        total = np.cumsum([len(self.said[name]) for name in order])
        taken = set(islice(order, int(np.searchsorted(total, n_facts)) + 1))
        return tuple(name for name in self.names if name in taken)

    def unevenness(self, names: Sequence[str]) -> float:
        """Facts that the commonest answers of their relations get right, of some groups."""
        counts: dict[str, dict[str, int]] = {}
        for name in names:
            for relation, answer in self.said[name].values():
                own = counts.setdefault(relation, {})
                own[answer] = own.get(answer, 0) + 1
        return float(sum(max(own.values()) for own in counts.values()))
