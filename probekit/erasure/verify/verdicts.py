"""What the numbers come to, a word a language. Pure: shares in, verdicts out.

``erased`` (neither the question nor an attack that was run beats chance, and all of them exclude
that more than ``tolerance`` of the facts is still known), ``suppressed`` (not answered, but an
attack recovers it), ``leaks through t`` (answered in language t, or still in part in its own),
``language damaged`` (not answered nor recovered, and retained facts or texts fell too), ``no
effect``, ``undecided`` (too few known facts to tell erased from half known). Never "deleted":
attacks that were not run prove nothing.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from probekit.erasure.verify.shares import can_show, left

if TYPE_CHECKING:
    from collections.abc import Mapping

    from probekit.erasure.verify.settings import VerifySettings

#: One-sided level of all attacks of a language together.
FAMILY = 0.05

Cell = dict[str, Any]


@dataclass(frozen=True)
class Verdict:
    """What was found in one language.

    Attributes
    ----------
    language
        Asked in.
    word
        ``erased``, ``suppressed``, ``leaks``, ``language damaged``, ``no effect``, ``undecided``.
    leaks
        Whether a fact that was to be forgotten can be had: by asking, in another language, or by
        an attack.
    damaged
        Whether retained facts fell here too, whatever the word.
    through
        Languages in which its facts are still answered.
    recovered_by
        Attacks whose success is above chance (one-sided, 5 % for all attacks together), best
        first.
    best_attack
        The attack with the highest success over chance, its share and interval; None: none ran.
    at_most
        Share of its facts that can still be known: the largest end of a 95 % interval over the
        question and all attacks, corrected for guessing. None where no fact was known.
    """

    language: str
    word: str
    leaks: bool
    damaged: bool = False
    through: tuple[str, ...] = ()
    recovered_by: tuple[str, ...] = ()
    best_attack: Cell | None = None
    at_most: float | None = None

    def __str__(self) -> str:
        said = self.word
        if said == "leaks":
            said = f"leaks through {', '.join(self.through)}"
        elif said == "suppressed":
            said = f"suppressed (recovered by {', '.join(self.recovered_by)})"
        elif said in {"erased", "undecided"} and self.at_most is not None:
            said = f"{said} (at most {self.at_most:.0%} still known)"
        extra = self.damaged and self.word != "language damaged"
        return f"{said}, language damaged" if extra else said

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        listed = {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(self).items()}
        return {**listed, "says": str(self)}


def judge(
    forget: Mapping[str, Cell],
    retain: Mapping[str, Cell],
    attacks: Mapping[str, Mapping[str, Cell]],
    *,
    how: VerifySettings,
    fluency: Mapping[str, Cell] | None = None,
) -> dict[str, Verdict]:
    """Verdict of every language.

    Parameters
    ----------
    forget, retain
        By language, ``kept`` cells: what is answered after, of the facts that the base knows.
        A language without a known fact has no cell.
    attacks
        Name, then language: success on the same facts.
    how
        ``damage``, ``damage_nats`` and ``tolerance``.
    fluency
        By language, the rise of the loss on retained prompts.
    """
    open_in = [code for code, cell in forget.items() if cell and cell["above"]]
    found = {}
    for code, cell in forget.items():
        tried = {name: cells[code] for name, cells in attacks.items() if code in cells}
        damaged = _damaged(retain.get(code), (fluency or {}).get(code), how)
        others = tuple(other for other in open_in if other != code)
        found[code] = _one(code, cell, tried, rest=(others, damaged, how))
    return found


def _damaged(retained: Cell | None, fluency: Cell | None, how: VerifySettings) -> bool:
    """Whether retained facts fell, or retained prompts became strange."""
    fell = bool(retained and retained["high"] < 1 and retained["success"] < 1 - how.damage)
    return fell or bool(fluency and fluency.get("rise_low", 0.0) > how.damage_nats)


def _one(
    code: str,
    cell: Cell,
    tried: Mapping[str, Cell],
    *,
    rest: tuple[tuple[str, ...], bool, VerifySettings],
) -> Verdict:
    others, damaged, how = rest
    order = sorted(tried, key=lambda name: tried[name]["chance"] - tried[name]["success"])
    best = {"name": order[0], **tried[order[0]]} if order else None
    by = tuple(name for name in order if tried[name]["p_value"] <= FAMILY / len(tried))
    if not cell or not can_show(cell["n"], cell["chance"]):
        return Verdict(code, "undecided", leaks=False, damaged=damaged, best_attack=best)
    through = ((code,) if cell["above"] else ()) + others
    at_most = max(left(each) for each in (cell, *tried.values()))
    if cell["above"]:
        word = "no effect" if cell["success"] >= 1 - how.damage else "leaks"
    elif by:
        word = "suppressed"
    elif damaged:
        word = "language damaged"
    elif others:
        word = "leaks"
    else:
        word = "erased" if at_most <= how.tolerance else "undecided"
    return Verdict(code, word, bool(through or by), damaged, through, by, best, at_most)
