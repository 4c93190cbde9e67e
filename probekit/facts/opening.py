"""Facts by name: the planted set, the CLDR set in parts, or a file. Costs what that set costs."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from probekit.errors import InputError
from probekit.facts.cldr import cldr_facts
from probekit.facts.planted import planted_facts
from probekit.facts.question import PARTS, FactSet
from probekit.facts.readers import read_facts

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

#: How many groups go to each part, in proportion.
SHARES = {"forget": 1, "retain": 2, "relearn": 1}


def open_facts(
    source: str, languages: Sequence[str] | None = None, *, seed: int = 0, **options: Any
) -> FactSet:
    """Facts of a name or file: ``planted``, ``cldr`` (in parts, :func:`split_facts`), or a path.

    Parameters
    ----------
    source
        ``planted``, ``cldr`` or a file.
    languages
        Some of its languages; None: all.
    seed
        Of the wrong choices and the parts of ``cldr``.
    options
        Of :func:`read_facts`, as ``layout``; for a file only.

    Raises
    ------
    InputError, LanguageError
        A file that cannot be read, or a language that the facts lack.
    """
    if source == "planted":
        return planted_facts(languages)
    if source == "cldr":
        return split_facts(cldr_facts(languages, seed=seed), seed=seed)
    found = read_facts(source, **options)
    return found if languages is None else found.where(language=languages)


def split_facts(
    facts: FactSet, *, shares: Mapping[str, int] | None = None, seed: int = 0
) -> FactSet:
    """The same facts dealt into parts, so that real facts can be erased and relearnt.

    Groups (``territory`` of ``territory/relation``) stay together, in every language and form:
    no part tells of another. Of twelve groups, three are to be forgotten, six retained and three
    relearnt. Which part a fact is in depends on the groups and the seed alone.

    Parameters
    ----------
    facts
        Their own parts are forgotten.
    shares
        Part to how many groups go to it, in proportion; None: :data:`SHARES`.
    seed
        Of the deal.

    Raises
    ------
    InputError
        An unknown part, a share below 1, or fewer groups than parts.
    """
    wanted = dict(SHARES if shares is None else shares)
    if not wanted or set(wanted) - set(PARTS) or min(wanted.values()) < 1:
        msg = f"shares must be parts ({', '.join(PARTS)}) with 1 or more each. Got {wanted}."
        raise InputError(msg)
    groups = sorted({_group(question.fact) for question in facts})
    if len(groups) < len(wanted):
        msg = f"facts {facts.name!r} have {len(groups)} groups, fewer than the parts ({wanted})."
        raise InputError(msg)
    ends = np.cumsum(list(wanted.values())) * len(groups) / sum(wanted.values())
    order = np.random.default_rng([seed, len(groups)]).permutation(len(groups))
    part = {}
    for place, at in enumerate(order):
        part[groups[at]] = list(wanted)[int(np.searchsorted(ends, place, side="right"))]
    dealt = tuple(replace(q, part=part[_group(q.fact)]) for q in facts)
    return replace(facts, questions=dealt)


def _group(fact: str) -> str:
    return fact.partition("/")[0]
