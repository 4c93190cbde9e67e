"""A plan: what is taught, where it is erased and how that is checked. Refused before a model loads.

Costs nothing: fields and their checks.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from probekit.erasure.settings import EraseSettings, TeachSettings
from probekit.erasure.verify.settings import CHECKS, VerifySettings
from probekit.errors import ProbekitError, StudyError

if TYPE_CHECKING:
    import os

#: Places that an arm can erase in: the selection, and its controls.
PLACES = ("selection", "shallow", "deep", "random", "all")


@dataclass(frozen=True)
class Arm:
    """One erasure of a plan.

    Attributes
    ----------
    algorithm, source, place, seed
        How, in which languages, where, and the seed, which also decides which of the taught facts
        are to be forgotten and which random blocks are moved.
    """

    algorithm: str
    source: tuple[str, ...]
    place: str
    seed: int

    @property
    def name(self) -> str:
        """As in ``rmu.en.selection.0``."""
        return f"{self.algorithm}.{'+'.join(self.source)}.{self.place}.{self.seed}"


class Checks(BaseModel):
    """A verification of some arms.

    Attributes
    ----------
    checks
        Some of ``probekit.erasure.CHECKS``.
    places, seeds, sources
        Arms that it is made of; None: all.
    settings
        Fields of :class:`~probekit.erasure.VerifySettings`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    checks: tuple[Literal[CHECKS], ...]  # type: ignore[valid-type]
    places: tuple[str, ...] | None = None
    seeds: tuple[int, ...] | None = None
    sources: tuple[tuple[str, ...], ...] | None = None
    settings: dict[str, Any] = Field(default_factory=dict)

    def holds(self, arm: Arm) -> bool:
        """Whether an arm is verified so."""
        pairs = ((self.places, arm.place), (self.seeds, arm.seed), (self.sources, arm.source))
        return all(legal is None or value in legal for legal, value in pairs)


class Plan(BaseModel):
    """An experiment in erasing by layer.

    Attributes
    ----------
    model, dtype, device
        The subject before it is taught.
    facts, n_facts
        ``planted``, ``cldr`` or a file; how many facts of each part are used (None: all).
    languages
        Languages that the facts are taught in.
    teach
        Fields of :class:`~probekit.erasure.TeachSettings`.
    study
        Fields of :class:`~probekit.Study` for the run that the selection is made from.
    rule, seen
        Selection rule, and the languages whose parallel text it sees (None: all, the held-out ones
        too; never the facts).
    sources
        Groups of languages that are erased in; the others are held out.
    places, seeds
        Where (``selection`` and controls), and seeds: each deals the taught facts anew into those
        to forget and those to retain (0: as they are), and draws order, direction, random blocks.
    algorithms
        Name to fields of :class:`~probekit.erasure.EraseSettings`.
    verify
        Verifications, each of some arms.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())

    model: str = "builtin"
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    device: str = "auto"
    facts: str = "planted"
    n_facts: int | None = Field(default=None, ge=4)
    languages: tuple[str, ...] = Field(min_length=2)
    teach: dict[str, Any] = Field(default_factory=dict)
    study: dict[str, Any] = Field(default_factory=dict)
    rule: str = "plateau"
    seen: tuple[str, ...] | None = None
    sources: tuple[tuple[str, ...], ...] = Field(min_length=1)
    places: tuple[Literal[PLACES], ...] = ("selection", "shallow", "deep", "random")  # type: ignore[valid-type]
    seeds: tuple[int, ...] = Field(default=(0, 1, 2), min_length=1)
    algorithms: dict[str, dict[str, Any]] = Field(min_length=1)
    verify: tuple[Checks, ...] = ()

    @model_validator(mode="after")
    def _settings_are_legal(self) -> Self:
        TeachSettings.of(self.teach)
        for name, said in self.algorithms.items():
            EraseSettings.of(name, said)
        for each in self.verify:
            VerifySettings.of(each.settings)
        for group in self.sources:
            strange = [code for code in group if code not in self.languages]
            if strange or not group or len(set(group)) == len(set(self.languages)):
                rule = f"some of languages ({', '.join(self.languages)}), not all"
                msg = f"sources must be groups of {rule}. Got {list(group)}"
                raise ValueError(msg)
        if self.seen is not None and (
            len(set(self.seen)) < 2 or set(self.seen) - set(self.languages)
        ):
            rule = f"two or more of languages ({', '.join(self.languages)})"
            msg = f"seen must be {rule}. Got {list(self.seen)}"
            raise ValueError(msg)
        for name in ("languages", "sources", "places", "seeds"):
            values = getattr(self, name)
            if len(set(values)) < len(values):
                msg = f"{name} must differ. Got one twice"
                raise ValueError(msg)
        return self

    @property
    def arms(self) -> tuple[Arm, ...]:
        """Every erasure, seeds outermost: what is finished early is a whole comparison."""
        return tuple(
            Arm(algorithm, source, place, seed)
            for seed in self.seeds
            for source in self.sources
            for algorithm in self.algorithms
            for place in self.places
        )

    @classmethod
    def of(cls, **fields: Any) -> Plan:
        """A plan from fields.

        Raises
        ------
        StudyError
            An unknown field or a value outside its domain.
        """
        try:
            return cls(**fields)
        except ValidationError as error:
            first = error.errors()[0]
            name = ".".join(str(part) for part in first["loc"]) or "plan"
            said = first["msg"].removeprefix("Value error, ")
            msg = f"plan field {name!r}: {said}. Correct it; docs/experiment.md lists the fields."
            raise StudyError(msg) from None
        except ProbekitError as error:
            msg = f"plan: {error}"
            raise StudyError(msg) from None

    @classmethod
    def from_yaml(cls, path: str | os.PathLike[str], **overrides: Any) -> Plan:
        """Read a plan; ``overrides`` win, None is no override.

        Raises
        ------
        StudyError
            No such file, not YAML, or no plan.
        """
        import yaml

        file = Path(path)
        try:
            content = yaml.safe_load(file.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            reason = " ".join(str(error).split())
            msg = f"plan {str(file)!r} cannot be read: {reason}. Give a YAML file."
            raise StudyError(msg) from None
        if not isinstance(content, dict):
            msg = f"plan {str(file)!r} must hold fields such as 'languages: [en, sw]'. Got none."
            raise StudyError(msg)
        said = {name: value for name, value in overrides.items() if value is not None}
        return cls.of(**({str(name): value for name, value in content.items()} | said))
