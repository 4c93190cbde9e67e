"""``user``: a rule that its user writes as an expression over the per-layer columns of a run.

Costs one numpy operation a node of the expression on arrays of shape (n_blocks, n_resamples).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from probekit.selection.blocks import describe
from probekit.selection.evaluate import margin, truth
from probekit.selection.expression import Arithmetic, Call, Comparison, Logic, columns_of, parse
from probekit.selection.expression import Number as Constant
from probekit.selection.options import PROBABILITY, Option
from probekit.selection.rule import PROBABILITIES, SHIFTS, Bar, BarRule, BoolArray
from probekit.selection.tables import ALIGN

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from probekit.selection.columns import FloatArray
    from probekit.selection.expression import Node
    from probekit.selection.tables import Frame, Tables

USER_OPTIONS = (
    Option(
        "where",
        "text",
        None,
        "What a block must be, as in 'cka.mean > mean(cka.mean) and depth < 0.8'.",
    ),
    PROBABILITY,
)
#: Constants of the expression are moved by these factors for the sensitivity table.
FACTORS = (0.8, 0.9, 1.1, 1.2)
#: Quantile levels are moved by these steps.
STEPS = (-0.1, -0.05, 0.05, 0.1)


#: True at every block.
EVERYWHERE = Logic("and", ())


@dataclass(frozen=True)
class User(BarRule):
    """Longest run of blocks where the user's expression holds when resampled.

    The expression says what to believe; the selection only says how firmly the evidence supports
    it. An expression written after a look at the curves is fitted to them: its stability then
    flatters it.

    Parameters
    ----------
    where : str
        Expression in the language of :mod:`probekit.selection.expression`.
    tree : Node
        Its tree.
    shift : float
        Moves every comparison the strict way, in standard deviations over blocks; only the
        sensitivity table moves it.
    """

    where: str = ""
    tree: Node = EVERYWHERE
    shift: float = 0.0

    name: ClassVar[str] = "user"

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns that the expression reads."""
        return columns_of(self.tree)

    @property
    def labels(self) -> tuple[str, ...]:
        """None: its comparisons move together."""
        return ()

    @property
    def decisive(self) -> tuple[str, ...]:
        """Any column of the expression."""
        return self.columns

    @property
    def condition(self) -> str:
        """The expression itself."""
        return " ".join(self.where.split())

    def bars(self, frame: Frame) -> tuple[Bar, ...]:
        """None: the expression is evaluated as a whole."""
        del frame
        return ()

    def margins(self, frame: Frame) -> FloatArray:
        """Margin of the expression (least over ``and``, largest over ``or``)."""
        return np.asarray(margin(self.tree, frame) - self.shift, dtype=np.float64)

    def clears(self, frame: Frame) -> BoolArray:
        """Whether the expression holds at each block."""
        if not self.shift:
            return truth(self.tree, frame)
        return np.asarray(self.margins(frame) >= 0)

    def told(self, tables: Tables) -> str:
        """The expression."""
        del tables
        return f"({self.condition})"

    def cautions(self, tables: Tables) -> list[str]:
        """Say what stands behind the columns."""
        notes = []
        if not self.columns:
            notes.append("the expression reads no column of the run: it is no evidence")
        elif ALIGN not in self.columns:
            notes.append("the expression does not read cka.mean: no permutation null was tested")
        held = [name for name, each in tables.columns.items() if each.origin == "none"]
        if held:
            notes.append(
                f"{', '.join(held)} has no interval in the run: held at its value in all resamples"
            )
        point = truth(self.tree, tables.point)[:, 0]
        probability = self.clears(tables.resampled).mean(axis=1)
        lost = np.flatnonzero(point & (probability < self.probability)).tolist()
        if lost:
            notes.append(
                f"the expression holds at blocks {describe(lost)} as measured, but in under "
                f"{self.probability:.0%} of resamples"
            )
        return notes

    def variants(self) -> Sequence[tuple[str, float, User]]:
        """Other probability bars, all comparisons moved, every constant moved a little."""
        found = [("probability", p, replace(self, probability=p)) for p in PROBABILITIES]
        found += [("bar_shift_sd", s, replace(self, shift=s)) for s in SHIFTS]
        for at, number in enumerate(_constants(self.tree)):
            for value in _near(number):
                moved = replace(self, tree=_with_constant(self.tree, at, value))
                found.append((f"constant_{at + 1}", value, moved))
        return found

    def thresholds(self, tables: Tables) -> Mapping[str, Mapping[str, Any]]:
        """The probability and every constant, in order of appearance."""
        del tables
        constants = {
            f"constant_{at + 1}": {"value": _value(each), "source": "user"}
            for at, each in enumerate(_constants(self.tree))
        }
        return {**constants, "probability": {"value": self.probability}}


def make_user(where: str, probability: float = 0.5) -> User:
    """Build the rule from its options.

    Raises
    ------
    RuleError
        The expression is not in the language.
    """
    return User(where=where, tree=parse(where), probability=probability)


def _value(node: Node) -> float:
    return node.value if isinstance(node, Constant) else node.level  # type: ignore[union-attr]


def _near(node: Node) -> list[float]:
    value = _value(node)
    if isinstance(node, Call):
        steps = (round(value + step, 6) for step in STEPS)
        return [step for step in steps if 0 <= step <= 1]
    return [round(value * factor, 9) for factor in FACTORS] if value else []


def _parts(node: Node) -> tuple[Node, ...]:
    """What a node is made of; the 0 of a sign is nobody's constant."""
    match node:
        case Arithmetic(op, Constant(0.0), right) if op in "+-":
            return (right,)
        case Arithmetic(_, left, right) | Comparison(_, left, right):
            return left, right
        case Logic(_, parts):
            return parts
        case Call(_, argument):
            return (argument,)
    return ()


def _constants(node: Node) -> list[Node]:
    """Numbers and quantile levels of a tree, from left to right."""
    found = [each for part in _parts(node) for each in _constants(part)]
    own = isinstance(node, Constant) or (isinstance(node, Call) and node.function == "quantile")
    return [*found, node] if own else found


def _with_constant(node: Node, at: int, value: float) -> Node:
    """The tree with its constant number ``at`` replaced."""
    parts = list(_parts(node))
    for place, part in enumerate(parts):
        n = len(_constants(part))
        if at < n:
            parts[place] = _with_constant(part, at, value)
            return _rebuilt(node, parts)
        at -= n
    return replace(node, level=value) if isinstance(node, Call) else Constant(value)


def _rebuilt(node: Node, parts: Sequence[Node]) -> Node:
    match node:
        case Logic(op, _):
            return Logic(op, tuple(parts))
        case Call():
            return replace(node, argument=parts[0])
        case Arithmetic() | Comparison() if len(parts) == 2:
            return replace(node, left=parts[0], right=parts[1])
        case Arithmetic():
            return replace(node, right=parts[0])
    return node
