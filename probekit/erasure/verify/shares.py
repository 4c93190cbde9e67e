"""Shares of facts beside their chance: every attack is told by these numbers.

Facts are the units. Intervals are Clopper and Pearson's; chance is the larger of ``1 / choices``
and what the commonest answer of a relation gets (:func:`probekit.facts.guessing`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.stats import binom

from probekit.errors import InputError
from probekit.facts.guessing import guessing
from probekit.facts.intervals import exact_interval

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from probekit.facts.question import FactSet

#: One-sided level at which a share is above chance.
ALPHA = 0.025

Key = tuple[str, str]  # language, fact
Known = dict[str, tuple[str, ...]]  # language: facts


def share(values: Sequence[float], chance: Sequence[float]) -> dict[str, Any]:
    """Share of facts with its interval, what chance gives, and whether it is above that.

    ``p_value`` is ``P(X ≥ hits)`` of a binomial with the mean chance, one-sided (conservative where
    chances differ); ``above`` is ``p_value ≤ .025``.

    Parameters
    ----------
    values
        One a fact, 0 or 1.
    chance
        What each would be with no knowledge.

    Raises
    ------
    InputError
        No fact, or one that is neither right nor wrong.
    """
    hits = np.asarray(values, dtype=np.float64)
    if not len(hits) or not np.isin(hits, (0.0, 1.0)).all():
        msg = f"share needs facts that are right (1) or wrong (0). Got {list(values)[:3]} instead."
        raise InputError(msg)
    n_hits = int(hits.sum())
    low, high = exact_interval(n_hits, len(hits))
    luck = float(np.mean(chance))
    p_value = float(binom.sf(n_hits - 1, len(hits), luck))
    return {
        "n": len(hits),
        "success": float(hits.mean()),
        "low": low,
        "high": high,
        "chance": luck,
        "p_value": p_value,
        "above": p_value <= ALPHA,
    }


def best_of(cells: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Cell of the smallest p-value, which is multiplied by how many were tried (Bonferroni)."""
    best = min(cells, key=lambda cell: (cell["p_value"], -cell["success"]))
    p_value = min(1.0, best["p_value"] * len(cells))
    return {**best, "p_value": p_value, "above": p_value <= ALPHA}


def left(cell: dict[str, Any]) -> float:
    """Most that can still be known, corrected for guessing: ``(high − chance) / (1 − chance)``.

    ``high`` ends the 95 % interval. In [0, 1]; 1 where chance is 1.
    """
    room = 1 - cell["chance"]
    return 1.0 if room <= 0 else min(1.0, max(0.0, (cell["high"] - cell["chance"]) / room))


def can_show(n: int, chance: float) -> bool:
    """Whether ``n`` of ``n`` right would beat chance: fewer facts can prove nothing."""
    return n > 0 and chance**n <= ALPHA


def by_key(facts: FactSet, right: NDArray[np.bool_]) -> dict[Key, bool]:
    """Whether every question of a fact is right, by language and fact."""
    found: dict[Key, bool] = {}
    for question, ok in zip(facts, right, strict=True):
        key = (question.language, question.fact)
        found[key] = found.get(key, True) and bool(ok)
    return found


def chance_by_key(facts: FactSet, known: Known | None = None) -> dict[Key, float]:
    """Chance of who knows a relation's answers alone; over the known facts where given."""
    if known is None:
        return guessing(facts)
    return guessing(facts, among={(code, fact) for code, own in known.items() for fact in own})


def exact_known(facts: FactSet, exact: NDArray[np.bool_]) -> Known:
    """Facts whose every question is answered token by token, by language."""
    right = by_key(facts, exact)
    return {
        code: tuple(f for (language, f), ok in right.items() if language == code and ok)
        for code in facts.languages
    }


def shares_of(
    hits: Mapping[Key, float],
    chance: Mapping[Key, float],
    known: Known,
) -> dict[str, dict[str, Any]]:
    """:func:`share` of the known facts of every language that has some."""
    found = {}
    for code, facts in known.items():
        keys = [(code, fact) for fact in facts if (code, fact) in hits]
        if keys:
            found[code] = share([hits[k] for k in keys], [chance[k] for k in keys])
    return found
