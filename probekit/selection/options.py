"""Options of a rule as data, so that a command line, a page and a check read the same list.

Costs nothing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from probekit.errors import RuleError

Kind = Literal["number", "choice", "switch", "text"]


@dataclass(frozen=True)
class Option:
    """One setting of a rule.

    Attributes
    ----------
    name : str
        Keyword of ``run.select(rule=…, name=value)``, and NAME of ``--set NAME=VALUE``.
    kind : {"number", "choice", "switch", "text"}
        What a form should offer.
    default
        Value when nothing is said; ``None`` for a ``text`` that must be given.
    help : str
        One sentence for a person.
    low, high : float, optional
        A number must be above ``low`` and at most ``high``.
    choices : tuple of str
        Values of a ``choice``.
    """

    name: str
    kind: Kind
    default: Any
    help: str
    low: float = -math.inf
    high: float = math.inf
    choices: tuple[str, ...] = ()

    @property
    def words(self) -> str:
        """What the value must be, in words."""
        if self.kind == "choice":
            return f"one of {', '.join(self.choices)}"
        if self.kind != "number":
            return {"switch": "true or false", "text": "text"}[self.kind]
        if self.low == 0 and self.high == math.inf:
            return "a positive finite number"
        return f"a finite number above {self.low:g} and at most {self.high:g}"

    def allows(self, value: Any) -> bool:
        """Whether a value may be given."""
        if self.kind == "number":
            number = isinstance(value, int | float) and not isinstance(value, bool)
            return number and math.isfinite(value) and self.low < value <= self.high
        if self.kind == "switch":
            return isinstance(value, bool)
        return isinstance(value, str) and (self.kind == "text" or value in self.choices)


#: Taken by every rule that asks how often a block clears its bars.
PROBABILITY = Option(
    "probability",
    "number",
    0.5,
    "Share of resamples in which a block must clear the bars.",
    low=0,
    high=1,
)


def check_options(rule: str, options: Sequence[Option], given: Mapping[str, Any]) -> dict[str, Any]:
    """Values of all options that were given; ``None`` counts as not given.

    Raises
    ------
    RuleError
        An option that the rule does not have, a value that it does not take, or none where one
        is needed.
    """
    said = {name: value for name, value in given.items() if value is not None}
    known = {option.name: option for option in options}
    for name, value in said.items():
        if name not in known:
            has = f"(it has: {', '.join(known)})" if known else "(it has none)"
            msg = (
                f"{name} must be left out with rule {rule!r}, which has none {has}. Got {value!r} "
                "instead; drop it or name another rule."
            )
            raise RuleError(msg)
        if not known[name].allows(value):
            msg = (
                f"{name} must be {known[name].words} for rule {rule!r}. Got {value!r} instead; "
                f"{known[name].help}"
            )
            raise RuleError(msg)
    for option in options:
        if option.default is None and option.name not in said:
            msg = f"rule {rule!r} needs {option.name}. Got none; {option.help}"
            raise RuleError(msg)
    return said
