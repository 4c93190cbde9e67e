"""What the numbers come to, a word a language. Pure: shares in, verdicts out.

``erased`` (no attack that was run beats chance), ``suppressed`` (not answered, but an attack
recovers it), ``leaks through t`` (answered in language t, or still in part in its own),
``language damaged`` (not answered nor recovered, and retained facts fell too), ``no effect``,
``undecided`` (too few known facts to show anything). Never "deleted": attacks that were not run
prove nothing.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from probekit.erasure.verify.shares import can_show

if TYPE_CHECKING:
    from collections.abc import Mapping

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
    """

    language: str
    word: str
    leaks: bool
    damaged: bool = False
    through: tuple[str, ...] = ()
    recovered_by: tuple[str, ...] = ()
    best_attack: Cell | None = None

    def __str__(self) -> str:
        said = self.word
        if said == "leaks":
            said = f"leaks through {', '.join(self.through)}"
        elif said == "suppressed":
            said = f"suppressed (recovered by {', '.join(self.recovered_by)})"
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
    damage: float,
) -> dict[str, Verdict]:
    """Verdict of every language.

    Parameters
    ----------
    forget, retain
        By language, ``kept`` cells: what is answered after, of the facts that the base knows.
        A language without a known fact has no cell.
    attacks
        Name, then language: success on the same facts.
    damage
        Retained accuracy that may be lost.
    """
    open_in = [code for code, cell in forget.items() if cell and cell["above"]]
    found = {}
    for code, cell in forget.items():
        tried = {name: cells[code] for name, cells in attacks.items() if code in cells}
        found[code] = _one(code, cell, tried, retained=retain.get(code), rest=(open_in, damage))
    return found


def _one(
    code: str,
    cell: Cell,
    tried: Mapping[str, Cell],
    *,
    retained: Cell | None,
    rest: tuple[list[str], float],
) -> Verdict:
    open_in, damage = rest
    order = sorted(tried, key=lambda name: tried[name]["chance"] - tried[name]["success"])
    best = {"name": order[0], **tried[order[0]]} if order else None
    by = tuple(name for name in order if tried[name]["p_value"] <= FAMILY / len(tried))
    damaged = bool(retained and retained["high"] < 1 and retained["success"] < 1 - damage)
    if not cell or not can_show(cell["n"], cell["chance"]):
        return Verdict(code, "undecided", leaks=False, damaged=damaged, best_attack=best)
    others = tuple(other for other in open_in if other != code)
    through = ((code,) if cell["above"] else ()) + others
    if cell["above"]:
        word = "no effect" if cell["high"] >= 1 else "leaks"
    elif by:
        word = "suppressed"
    elif damaged:
        word = "language damaged"
    else:
        word = "leaks" if others else "erased"
    leaks = bool(through or by)
    return Verdict(code, word, leaks, damaged, through, by, best)
