"""The parts of an erasure document, each with the range that its numbers must keep.

Other keys are ignored; a missing one, a number outside its range or an interval that does not hold
its value is an error that :mod:`probekit.figures.erasure_document` puts into words.
"""

from __future__ import annotations

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


class Contract(Part):
    """Which tensors moved."""

    checked: bool
    ok: bool
    n_tensors: Count
    moved: list[str]
    extra: list[str] = []
    missing: list[str] = []


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
