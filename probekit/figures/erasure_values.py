"""The parts of an erasure document, each with the range that its numbers must keep.

Other keys are ignored; a missing one, a number outside its range or an interval that does not hold
its value is an error that :mod:`probekit.figures.erasure_document` puts into words.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

_ROUNDING = 1e-9

Proportion = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=0)]
Code = Annotated[str, Field(min_length=1, max_length=200)]


class Part(BaseModel):
    """Read-only, and strict: a text is no number, and a number is finite."""

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True, allow_inf_nan=False)


class _Interval(Part):
    n: Annotated[int, Field(ge=1)]
    low: Proportion
    high: Proportion

    @model_validator(mode="after")
    def _ordered(self) -> _Interval:
        if not self.low - _ROUNDING <= self.value <= self.high + _ROUNDING:
            rule = f"lie in its interval [{self.low}, {self.high}], not at {self.value}"
            raise ValueError(rule)
        return self

    @property
    def value(self) -> float:
        """The share itself."""
        raise NotImplementedError

    @property
    def told(self) -> str:
        """``0.250 [0.062, 0.500]``."""
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"


class Share(_Interval):
    """A share of facts with its interval and its chance, as ``verify`` writes it."""

    success: Proportion
    chance: Proportion
    p_value: Proportion
    above: bool

    @property
    def value(self) -> float:
        """Share of facts."""
        return self.success


class NamedShare(Share):
    """The share of an attack that is named."""

    name: str


class Accuracy(_Interval):
    """What is known of a part in a language, as ``sweep`` writes it."""

    accuracy: Proportion
    known: Count
    nll: float

    @property
    def value(self) -> float:
        """Share of facts."""
        return self.accuracy


class Asked(Part):
    """A part and language asked of both models; ``kept`` only where the base knows a fact."""

    n: Count
    known: Count
    before_exact: Share
    after_exact: Share
    kept: Share | None = None


class Recall(Part):
    """A share a block, before and after."""

    before: list[Share]
    after: list[Share]


class Attack(Part):
    """An attack by language; a lens also has recall by block, relearning also its matrix."""

    by_language: dict[Code, Share]
    blocks: list[int] = []
    recall: dict[Code, Recall] = {}
    matrix: dict[Code, dict[Code, Share]] = {}


class Fluency(Part):
    """Nats a token, before and after."""

    rise: float
    rise_low: float | None = None
    rise_high: float | None = None


class Judged(Part):
    """A verdict."""

    word: str
    says: str
    leaks: bool
    damaged: bool = False
    through: list[str] = []
    recovered_by: list[str] = []
    best_attack: NamedShare | None = None
    at_most: Proportion | None = None


class Contract(Part):
    """Which tensors moved."""

    checked: bool
    ok: bool
    n_tensors: Count
    moved: list[str]
    extra: list[str] = []
    missing: list[str] = []

    @property
    def line(self) -> str:
        """Which moved, against those that were selected, in a line."""
        n, moved = self.n_tensors, len(self.moved)
        if not self.checked:
            return f"contract not checked (no selection given): {moved} of {n} tensors moved"
        if self.ok:
            return f"contract kept: {moved} of {n} tensors moved, all selected"
        wrong = (*self.extra, *self.missing)
        first = f" (first: {wrong[0]})" if wrong else ""
        return f"contract BROKEN: {len(wrong)} of {n} tensors moved or are missing{first}"


class Block(Part):
    """CKA of a block with the base's; none where the block says the same for every text."""

    block: Count
    cka: float | None = None
    low: float | None = None
    high: float | None = None


class Likeness(Part):
    """The block least like the base's, and how many blocks have no spread left."""

    block: Count | None = None
    cka: float | None = None
    low: float | None = None
    high: float | None = None
    collapsed: Count = 0

    @property
    def told(self) -> str:
        """``0.912 [0.871, 0.950] at block 7``, and how many blocks have collapsed."""
        lost = f"{self.collapsed} collapsed" if self.collapsed else ""
        if self.cka is None:
            return lost
        ends = "" if None in (self.low, self.high) else f" [{self.low:.2f}, {self.high:.2f}]"
        return f"{self.cka:.2f}{ends} at block {self.block}{lost and '; ' + lost}"


def least_like(blocks: Sequence[Block]) -> Likeness:
    """The block of the lowest CKA among those that have one."""
    alive = [block for block in blocks if block.cka is not None]
    lowest = min(alive, key=lambda block: block.cka or 0.0, default=None)
    said = {} if lowest is None else dict(lowest)
    return Likeness(**said, collapsed=len(blocks) - len(alive))


class RecallBeside(Part):
    """Recall of a control by block, as columns."""

    n: Annotated[int, Field(ge=1)]
    success: list[Proportion]
    low: list[Proportion]
    high: list[Proportion]

    @model_validator(mode="after")
    def _even(self) -> RecallBeside:
        if not len(self.success) == len(self.low) == len(self.high) > 0:
            rule = "have as many low and high ends as values, and one at least"
            raise ValueError(rule)
        return self


class LensBeside(Part):
    """Recall of a control inside, by language."""

    blocks: list[int] = []
    recall: dict[Code, RecallBeside] = {}


class Beside(Part):
    """The same base erased elsewhere: every check's numbers, by language.

    ``verdicts`` are words; older documents have no more than these, ``kept`` and ``attacks``.
    """

    kept: dict[str, dict[Code, Share]]
    attacks: dict[str, dict[Code, Share]]
    verdicts: dict[Code, str]
    after: dict[str, dict[Code, Share]] = {}
    judged: dict[Code, Judged] = {}
    fluency: dict[Code, Fluency] = {}
    damage: dict[Code, Likeness] = {}
    lens: LensBeside | None = None
    contract: Contract | None = None

    @property
    def broken(self) -> str:
        """What is wrong with its contract; nothing where it was kept or not checked."""
        return "" if self.contract is None or self.contract.ok else self.contract.line


class Model(Part):
    """A model by where it came from."""

    source: str
    state_sha256: str = ""


class Facts(Part):
    """What was asked."""

    name: str
    n: Count
    sha256: str = ""


class MatrixCell(Part):
    """A language of the matrix: all facts before and after, and those that the base knows."""

    before_exact: Share
    after_exact: Share
    kept: Share | None = None


class Matrix(Part):
    """One row: the languages erased in; a column a language asked in."""

    row: dict[Code, MatrixCell]
