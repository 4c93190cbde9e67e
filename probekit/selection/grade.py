"""Raising a selection's evidence grade, and only by the file of an intervention that supports it.

Reads one JSON file.
"""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast, get_args

from probekit.errors import RuleError

if TYPE_CHECKING:
    import os

Grade = Literal["descriptive", "causal", "confirmed_by_sweep"]
GRADES: tuple[Grade, ...] = get_args(Grade)
#: Grade → the kind of result that supports it.
KINDS = {"causal": "ablation", "confirmed_by_sweep": "sweep"}


@dataclass(frozen=True)
class Support:
    """The result that a grade rests on.

    Attributes
    ----------
    kind : {"ablation", "sweep"}
        What was done.
    file, sha256 : str
        Name of the file and its SHA-256.
    effect, low, high : float
        What changing the selection's tensors did, with its 95 % interval.
    controls : tuple of (str, float)
        Kind of each control and what changing it did.
    """

    kind: str
    file: str
    sha256: str
    effect: float
    low: float
    high: float
    controls: tuple[tuple[str, float], ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {
            "kind": self.kind,
            "file": self.file,
            "sha256": self.sha256,
            "effect": self.effect,
            "ci95": [self.low, self.high],
            "controls": [{"kind": kind, "effect": effect} for kind, effect in self.controls],
        }


def read_support(
    source: str | os.PathLike[str], *, grade: str, current: str, names_sha256: str
) -> Support:
    """Result in a file that supports a higher grade.

    The file is a JSON object with ``kind``, ``names_sha256`` of the tensors that were changed,
    ``effect`` and its 95 % interval ``ci95``; a sweep also has ``controls``, each with ``kind`` and
    ``effect``. ``causal`` needs an ``ablation`` whose interval leaves out 0. ``confirmed_by_sweep``
    needs a ``sweep`` whose interval lies above the effect of every control.

    Raises
    ------
    RuleError
        A grade that is not higher, a file that is no such result, one about other tensors, or one
        that does not support the grade.
    """
    if grade not in KINDS or GRADES.index(grade) <= GRADES.index(current):
        higher = GRADES[GRADES.index(current) + 1 :]
        said = f"above {current!r} ({', '.join(higher) or 'none is'})"
        msg = f"grade must be {said}. Got {grade!r} instead; a grade only rises."
        raise RuleError(msg)
    path = Path(source)
    content, digest = _read(path)
    support = _support(content, path=path, digest=digest)
    problem = _problem(content, support, grade=grade, names_sha256=names_sha256)
    if problem:
        msg = f"source {path.name!r} must support {grade!r}. Got {problem} instead; {_REMEDY}"
        raise RuleError(msg)
    return support


def grade_of(source: str | os.PathLike[str]) -> Grade:
    """The grade that a file's kind of result can support; whether it does is not asked.

    Raises
    ------
    RuleError
        No JSON result, or one of an unknown kind.
    """
    kind = _read(Path(source))[0].get("kind")
    for grade, wanted in KINDS.items():
        if kind == wanted:
            return cast("Grade", grade)
    msg = (
        f"source {Path(source).name!r} must hold the kind {' or '.join(KINDS.values())}. Got "
        f"{kind!r} instead; {_REMEDY}"
    )
    raise RuleError(msg)


_REMEDY = "give the result of an intervention on this very selection."


def _read(path: Path) -> tuple[dict[str, Any], str]:
    try:
        raw = path.read_bytes()
        content = json.loads(raw)
    except OSError as error:
        msg = f"source {path.name!r} cannot be read ({error.strerror}). Give the file of a result."
        raise RuleError(msg) from error
    except ValueError as error:
        msg = f"source {path.name!r} is not JSON ({error}). Give the file of a result."
        raise RuleError(msg) from error
    if not isinstance(content, dict):
        msg = f"source {path.name!r} must be a JSON object. Got another value instead; {_REMEDY}"
        raise RuleError(msg)
    return content, hashlib.sha256(raw).hexdigest()


def _support(content: dict[str, Any], *, path: Path, digest: str) -> Support:
    try:
        low, high = (float(end) for end in content["ci95"])
        controls = tuple(
            (str(each["kind"]), float(each["effect"])) for each in content.get("controls", ())
        )
        effect = float(content["effect"])
        kind = str(content["kind"])
    except (KeyError, TypeError, ValueError) as error:
        msg = (
            f"source {path.name!r} must hold kind, names_sha256, effect and ci95. Got none that "
            f"can be read ({type(error).__name__}: {error}) instead; {_REMEDY}"
        )
        raise RuleError(msg) from error
    numbers = (low, effect, high, *(each for _, each in controls))
    if not all(map(math.isfinite, numbers)) or not low <= effect <= high:
        msg = (
            f"source {path.name!r} must hold finite numbers, the effect inside its ci95. Got "
            f"{effect:g} and [{low:g}, {high:g}] instead; {_REMEDY}"
        )
        raise RuleError(msg)
    return Support(kind, path.name, digest, effect, low, high, controls)


def _problem(content: dict[str, Any], support: Support, *, grade: str, names_sha256: str) -> str:
    """Why the result does not support the grade; empty when it does."""
    if support.kind != KINDS[grade]:
        return f"a result of kind {support.kind!r}"
    if content.get("names_sha256") != names_sha256:
        return "a result about other tensors (names_sha256 differs)"
    if grade == "causal":
        straddles = support.low <= 0 <= support.high
        return f"an interval [{support.low:g}, {support.high:g}] with 0" if straddles else ""
    if not support.controls:
        return "a sweep without controls"
    best, effect = max(support.controls, key=lambda each: each[1])
    if support.low <= effect:
        return f"control {best!r} with {effect:g}, which the selection's {support.low:g} may equal"
    return ""
