"""Documents of erasures as figures read them: checked whole before one is drawn.

A file can come from anywhere: every value that is drawn must be there, be a number where one is
due, and lie in its range; what else a document holds is left alone. Milliseconds a megabyte.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar

from pydantic import Field, ValidationError, model_validator

from probekit.errors import InputError
from probekit.figures.erasure_values import (
    Accuracy,
    Asked,
    Attack,
    Beside,
    Block,
    Code,
    Contract,
    Count,
    Facts,
    Fluency,
    Judged,
    Matrix,
    Model,
    Part,
    Proportion,
)
from probekit.figures.experiment_document import EXPERIMENT, ExperimentDocument

if TYPE_CHECKING:
    import os

    from probekit.erasure import Report, Sweep
    from probekit.experiment import Outcome

#: As the rooms that write them say; those load torch, and reading a file needs none.
REPORT, SWEEP = "erasure-report/1", "erasure-sweep/1"
MAKE = {
    REPORT: "probekit verify BASE ERASED -o report.json",
    SWEEP: "probekit sweep BASE … -o folder",
    EXPERIMENT: "probekit experiment PLAN -o folder",
}


class _Document(Part):
    name: str = Field(default="document", exclude=True)
    facts: Facts
    source: list[Code]
    held_out: list[Code]
    notes: list[str] = Field(default_factory=list)

    @property
    def asked_in(self) -> Sequence[str]:
        """Languages that facts to forget were asked in."""
        raise NotImplementedError

    @cached_property
    def languages(self) -> tuple[str, ...]:
        """Source languages, then held-out ones, then others, as far as facts were asked in them."""
        asked = dict.fromkeys((*self.source, *self.held_out, *self.asked_in))
        return tuple(code for code in asked if code in self.asked_in)

    def side(self, code: str) -> str:
        """``source``, ``held out``, or nothing where the document does not say."""
        return "source" if code in self.source else "held out" if code in self.held_out else ""


class ReportDocument(_Document):
    """What ``verify`` found."""

    kind: Literal["report"] = "report"
    base: Model
    erased: Model
    contract: Contract
    behaviour: dict[str, dict[Code, Asked]]
    fluency: dict[Code, Fluency] = Field(default_factory=dict)
    attacks: dict[str, Attack]
    skipped: dict[str, str]
    matrix: Matrix
    verdicts: dict[Code, Judged]
    damage: dict[Code, list[Block]] = Field(default_factory=dict)
    controls: dict[Code, Beside] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _whole(self) -> ReportDocument:
        forget = self.behaviour.get("forget", {})
        lacking = [code for code in forget if code not in self.verdicts]
        if not forget:
            rule = "have facts to forget under behaviour.forget"
            raise ValueError(rule)
        if lacking or set(self.verdicts) - set(forget):
            rule = "have a verdict for every language of behaviour.forget, and no other"
            raise ValueError(rule)
        for name, each in (("lens", "recall"), ("relearn", "matrix")):
            if name in self.attacks and not getattr(self.attacks[name], each):
                rule = f"have attacks.{name}.{each}"
                raise ValueError(rule)
        for name, control in self.controls.items():
            if set(control.verdicts) != set(forget) or "forget" not in control.kept:
                rule = f"have controls.{name} with kept.forget and a verdict for every language"
                raise ValueError(rule)
        return self

    @property
    def asked_in(self) -> Sequence[str]:
        """Languages that facts to forget were asked in."""
        return tuple(self.behaviour["forget"])

    def why_not(self, check: str) -> str:
        """Why a check was not run; nothing where it was."""
        return "" if check in self.attacks else self.skipped.get(check, "not in this report")


class Cell(Part):
    """An erasure of a sweep."""

    cell: str
    kind: str
    blocks: list[int]
    read_layer: int | None = None
    steps: Count
    stopped: str
    contract: bool
    report: dict[str, dict[Code, Accuracy]]


class SweepDocument(_Document):
    """What ``sweep`` found."""

    kind: Literal["sweep"] = "sweep"
    model: Model
    settings: dict[str, Any]
    forget_bar: Proportion
    base: dict[str, dict[Code, Accuracy]]
    cells: Annotated[list[Cell], Field(min_length=1)]

    @model_validator(mode="after")
    def _whole(self) -> SweepDocument:
        if not self.base.get("forget"):
            rule = "have facts to forget under base.forget"
            raise ValueError(rule)
        return self

    @property
    def asked_in(self) -> Sequence[str]:
        """Languages that facts to forget were asked in."""
        return tuple(self.base["forget"])


Document = ReportDocument | SweepDocument | ExperimentDocument
if TYPE_CHECKING:
    Given = Document | Report | Sweep | Outcome | Mapping[str, Any]
Kind = TypeVar("Kind", ReportDocument, SweepDocument, ExperimentDocument)
_KINDS: dict[str, type[ReportDocument] | type[SweepDocument] | type[ExperimentDocument]] = {
    REPORT: ReportDocument,
    SWEEP: SweepDocument,
    EXPERIMENT: ExperimentDocument,
}


def read_document(given: Given, *, name: str = "") -> Document:
    """A document, checked: what ``verify``, ``sweep`` or ``experiment`` wrote, or gave.

    Parameters
    ----------
    given
        A mapping, a ``Report``, a ``Sweep``, an ``Outcome``, or a document already read.
    name
        What messages call it: its file.

    Raises
    ------
    InputError
        Another schema, a missing key, or a value outside its range.
    """
    if isinstance(given, ReportDocument | SweepDocument | ExperimentDocument):
        return given
    content = getattr(given, "record", given)
    name = name or "document"
    if not isinstance(content, Mapping):
        msg = f"{name!r} must be a JSON object. Got {_cut(content)}: {_again(REPORT)}."
        raise InputError(msg)
    version = content.get("schema_version")
    if not isinstance(version, str) or version not in _KINDS:
        msg = (
            f"{name!r} must have schema_version {', '.join((REPORT, SWEEP))} or {EXPERIMENT}. "
            f"Got {_cut(version)}: update probekit, or {_again(REPORT)}."
        )
        raise InputError(msg)
    try:
        return _KINDS[version].model_validate({**content, "name": name})
    except ValidationError as error:
        msg = f"{name!r} ({version}) {_broken(error)}: {_again(version)}."
        raise InputError(msg) from None


def read_file(path: str | os.PathLike[str], *, name: str = "") -> Document:
    """The document of a JSON file.

    Raises
    ------
    InputError
        It cannot be read, is not JSON, or is not a document of ours.
    """
    name = name or str(path)
    try:
        content = json.loads(Path(path).read_bytes())
    except OSError as error:
        msg = f"{name!r} cannot be read: {error.strerror}. Give a file of verify or sweep."
        raise InputError(msg) from error
    except (ValueError, RecursionError) as error:
        msg = f"{name!r} must be JSON in UTF-8. It is cut off or something else: "
        msg += f"{_again(REPORT)}."
        raise InputError(msg) from error
    return read_document(content, name=name)


def read_report(given: Given) -> ReportDocument:
    """A document of ``verify``.

    Raises
    ------
    InputError
        It is none.
    """
    return _of(ReportDocument, given)


def read_sweep(given: Given) -> SweepDocument:
    """A document of ``sweep``.

    Raises
    ------
    InputError
        It is none.
    """
    return _of(SweepDocument, given)


def read_experiment(given: Given) -> ExperimentDocument:
    """A document of ``experiment``.

    Raises
    ------
    InputError
        It is none.
    """
    return _of(ExperimentDocument, given)


def _of(kind: type[Kind], given: Given) -> Kind:
    """A document of one kind."""
    found = read_document(given)
    if isinstance(found, kind):
        return found
    versions = {each: version for version, each in _KINDS.items()}
    has, needs = versions[type(found)], versions[kind]
    msg = f"{found.name!r} must be {needs}. Got {has}: make one with '{MAKE[needs]}'."
    raise InputError(msg)


def _broken(error: ValidationError) -> str:
    """The first rule that a document breaks: ``has no 'attacks.lens.recall'``."""
    first = error.errors(include_url=False)[0]
    place = ".".join(str(part) for part in first["loc"])
    if first["type"] == "missing":
        return f"has no {_cut(place)}"
    if first["type"] == "value_error":
        where = f"{_cut(place)} must " if place else "must "
        return where + str(first["ctx"]["error"])
    rule = first["msg"].removeprefix("Input should ").replace("a valid ", "a ")
    return f"has {_cut(place)} that must {rule}. Got {_cut(first['input'])}"


def _again(version: str) -> str:
    return f"write it again with '{MAKE[version]}'"


def _cut(value: Any) -> str:
    """A value as it may be repeated in a message."""
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:79]}…"
