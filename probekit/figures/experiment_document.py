"""The document of ``experiment`` as figures read it: checked whole before one is drawn.

A file can come from anywhere. Only checked values reach :class:`~probekit.experiment.Outcome`,
which does the arithmetic once a document; what else a file holds is left alone.
"""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, model_validator

from probekit.figures.erasure_values import Code, Count, Part, Proportion

if TYPE_CHECKING:
    from collections.abc import Iterator

    from probekit.experiment import Outcome

__all__ = ["EXPERIMENT", "ExperimentDocument"]

#: As the room that writes it says; that one loads torch, and reading a file needs none.
EXPERIMENT = "erasure-experiment/1"
#: More would make its intervals slow to draw.
MOST_ARMS, MOST_FACTS = 2000, 10_000
PARTS = ("forget", "retain")

Facts = dict[Code, list[Code]]


class ArmId(Part):
    """What an arm erased with, in which languages, where, and its seed."""

    algorithm: Code
    source: Annotated[list[Code], Field(min_length=1)]
    place: Code
    seed: int


class Answered(Part):
    """Facts answered before and after, by part and language."""

    before: dict[str, Facts]
    after: dict[str, Facts]

    @model_validator(mode="after")
    def _whole(self) -> Answered:
        for part in PARTS:
            before, after = self.before.get(part), self.after.get(part)
            if not before or after is None or set(before) != set(after):
                rule = f"have before.{part} and after.{part} in the same languages"
                raise ValueError(rule)
            if any(len(set(facts)) < len(facts) for facts in (*before.values(), *after.values())):
                rule = f"name no fact of {part} twice in a language"
                raise ValueError(rule)
        return self


class Word(Part):
    """A verdict's word."""

    word: str


class Verified(Part):
    """A verification of an arm, as far as it is counted here."""

    verdicts: dict[Code, Word] = Field(default_factory=dict)


class ArmRecord(Part):
    """An erasure of the experiment."""

    arm: ArmId
    blocks: list[Count]
    steps: Count
    stopped: str
    contract: bool
    answered: Answered
    verifications: list[Verified] = Field(default_factory=list)
    forget_bar: Proportion | None = None

    @property
    def name(self) -> str:
        """As in ``rmu.en.selection.0``."""
        arm = self.arm
        return f"{arm.algorithm}.{'+'.join(arm.source)}.{arm.place}.{arm.seed}"


class Level(Part):
    """What is known of a language."""

    accuracy: Proportion


class Teaching(Part):
    """How the facts were taught."""

    steps: Count
    after: dict[Code, Level]


class Chosen(Part):
    """The selection."""

    status: str
    region: Annotated[list[int], Field(min_length=1)]
    update_layers: list[Count]
    names_sha256: str = ""


class Asked(Part):
    """The plan, as far as it is shown."""

    model: str
    seeds: list[int]
    languages: Annotated[list[Code], Field(min_length=2)]


class FactSetName(Part):
    """What was taught."""

    name: str
    sha256: str = ""


class ExperimentDocument(Part):
    """What ``experiment`` found."""

    kind: Literal["experiment"] = "experiment"
    name: str = Field(default="document", exclude=True)
    plan: Asked
    facts: FactSetName
    teaching: Teaching
    selection: Chosen
    arms: Annotated[list[ArmRecord], Field(min_length=1, max_length=MOST_ARMS)]
    notes: list[str] = Field(default_factory=list)

    @model_validator(mode="after")
    def _whole(self) -> ExperimentDocument:
        names = [each.name for each in self.arms]
        if len(set(names)) < len(names):
            rule = "have arms that differ in algorithm, source, place or seed"
            raise ValueError(rule)
        spoken = [set(each.answered.before[part]) for each in self.arms for part in PARTS]
        if any(codes != set(self.plan.languages) for codes in spoken):
            rule = "ask in plan.languages, and no other, in every arm"
            raise ValueError(rule)
        n = len(set(self._fact_names()))
        if n > MOST_FACTS:
            rule = f"be about at most {MOST_FACTS:,} facts, not {n:,}"
            raise ValueError(rule)
        return self

    def _fact_names(self) -> Iterator[str]:
        for each in self.arms:
            for part in PARTS:
                for facts in each.answered.before[part].values():
                    yield from facts

    @cached_property
    def languages(self) -> tuple[str, ...]:
        """Languages that were asked in: those erased in first."""
        asked = dict.fromkeys(code for group in self.sources.values() for code in group)
        codes = tuple(asked | dict.fromkeys(self.plan.languages))
        return tuple(code for code in codes if code in self.plan.languages)

    @cached_property
    def sources(self) -> dict[str, tuple[str, ...]]:
        """Groups of languages that were erased in, as ``en`` or ``en+sw``."""
        return {"+".join(each.arm.source): tuple(each.arm.source) for each in self.arms}

    @cached_property
    def algorithms(self) -> tuple[str, ...]:
        """In the order of the arms."""
        return tuple(dict.fromkeys(each.arm.algorithm for each in self.arms))

    @cached_property
    def places(self) -> tuple[str, ...]:
        """In the order of the arms, the selection first."""
        found = dict.fromkeys(each.arm.place for each in self.arms)
        return tuple(sorted(found, key=lambda place: place != "selection"))

    @property
    def broken(self) -> list[str]:
        """Arms whose contract is broken."""
        return [each.name for each in self.arms if not each.contract]

    @property
    def bar(self) -> float | None:
        """What counts as forgotten, where every arm says the same."""
        bars = {each.forget_bar for each in self.arms}
        return next(iter(bars)) if len(bars) == 1 else None

    def side(self, code: str) -> str:
        """``source``, ``held out``, or nothing where it is both."""
        inside = [code in group for group in self.sources.values()]
        return "source" if all(inside) else "" if any(inside) else "held out"

    @cached_property
    def outcome(self) -> Outcome:
        """The arithmetic over what was checked."""
        from probekit.experiment.outcome import Outcome

        return Outcome(self.model_dump(exclude={"kind"}), Path())

    @cached_property
    def rows(self) -> list[dict[str, Any]]:
        """A row an algorithm, source and place: :meth:`~probekit.experiment.Outcome.rows`."""
        return self.outcome.rows()

    @cached_property
    def contrasts(self) -> list[dict[str, Any]]:
        """The selection against each place."""
        return self.outcome.contrasts()

    def matrix(self, algorithm: str, place: str) -> dict[str, dict[str, dict[str, Any]]]:
        """``{source: {language: {n, share, low, high}}}`` of facts to forget still answered."""
        return self.outcome.matrix(algorithm, place)
