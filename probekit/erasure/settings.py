"""Settings of teaching and erasing, checked when made; defaults differ by algorithm, as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from types import MappingProxyType
from typing import Any

from probekit.errors import InputError

ALGORITHMS = ("rmu", "simnpo", "slug", "gradient-ascent")
METHODS = ("lora", "full")

#: What an algorithm uses where nothing is said. Found on Gemma 3 270M with taught facts; RMU's
#: paper has ``retain_weight`` 1200 at 5e-5 on 7B models with plain text to retain.
DEFAULTS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "rmu": {"lr": 3e-4, "retain_weight": 100.0, "max_steps": 200},
        "simnpo": {"lr": 1e-4, "retain_weight": 1.0, "max_steps": 200},
        "slug": {"lr": 1.0, "retain_weight": 1.0, "max_steps": 12},
        "gradient-ascent": {"lr": 1e-5, "retain_weight": 0.0, "max_steps": 100},
    }
)


@dataclass(frozen=True, kw_only=True)
class EraseSettings:
    """How facts are erased.

    Attributes
    ----------
    algorithm
        ``rmu``, ``simnpo``, ``slug`` or ``gradient-ascent``.
    lr
        Learning rate of AdamW (no weight decay). SLUG has none: its step is searched.
    max_steps
        Most steps; most evaluations of SLUG's search.
    max_seconds
        Stop after so many seconds of training; None: never. The only setting that makes the result
        depend on the machine's speed.
    check_every
        Steps between checks of the targets, each of which writes a checkpoint.
    forget_target
        Stop when the accuracy on the facts to forget, in every source language, is at or below it;
        None: chance, which is what a subject has that never knew them (0 where questions are open).
    retain_budget
        Stop, and go back to the check before, when the accuracy on retained facts in some language
        fell by more than this (absolute).
    retain_weight
        Weight of the retain loss beside the forget loss.
    beta, gamma
        Of SimNPO: its temperature, and the margin γ.
    coefficient
        Of RMU: length of the vector that activations are pushed to, in median norms of the read
        layer's output over the facts to forget (so that one value fits every model and layer).
    bound
        Of gradient ascent: nats a token at which ascent stops; None: ``ln`` of the vocabulary.
    slug_block
        Of SLUG: ``deepest`` block of the selection (MUTE's choice), or ``pareto``: among blocks
        that no other beats in both, the one whose forget gradient is least aligned with the retain
        gradient for its size.
    forms
        Forms of the questions that are trained on; None: statements, on which accuracy is taken.
    retain_parts
        Parts that are retained.
    batch_tokens
        Most padded tokens in a batch.
    cache_bytes
        Memory for what frozen blocks make of the texts.
    clip
        Largest norm of a gradient.
    seed
        Of the order of batches and of RMU's direction.
    """

    algorithm: str = "rmu"
    lr: float = 1e-4
    max_steps: int = 200
    max_seconds: float | None = None
    check_every: int = 5
    forget_target: float | None = None
    retain_budget: float = 0.1
    retain_weight: float = 1.0
    beta: float = 2.5
    gamma: float = 0.0
    coefficient: float = 2.0
    bound: float | None = None
    slug_block: str = "deepest"
    forms: tuple[str, ...] | None = None
    retain_parts: tuple[str, ...] = ("retain",)
    batch_tokens: int = 512
    cache_bytes: int = 1 << 30
    clip: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        require_one_of("algorithm", self.algorithm, ALGORITHMS)
        require_one_of("slug_block", self.slug_block, ("deepest", "pareto"))
        for name in ("lr", "beta", "coefficient", "clip"):
            require_above_zero(name, getattr(self, name))
        for name in ("max_steps", "check_every", "batch_tokens"):
            require_whole(name, getattr(self, name))
        for name in ("max_seconds", "bound"):
            if getattr(self, name) is not None:
                require_above_zero(name, getattr(self, name))
        require_share("retain_budget", self.retain_budget)
        if self.forget_target is not None:
            require_share("forget_target", self.forget_target)
        if self.retain_weight < 0 or self.gamma < 0 or self.cache_bytes < 0:
            msg = "retain_weight, gamma and cache_bytes must be 0 or more. Got less; raise it."
            raise InputError(msg)

    @classmethod
    def of(cls, algorithm: str, said: Mapping[str, Any]) -> EraseSettings:
        """Settings of an algorithm: what was said over its own defaults.

        Raises
        ------
        InputError
            An unknown algorithm or setting, or a value outside its domain.
        """
        require_one_of("algorithm", algorithm, ALGORITHMS)
        return cls(algorithm=algorithm, **{**DEFAULTS[algorithm], **known(cls, said)})

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {key: _plain(value) for key, value in asdict(self).items()}


@dataclass(frozen=True, kw_only=True)
class TeachSettings:
    """How facts are taught.

    Attributes
    ----------
    method
        ``lora`` (merged at the end; extra ``peft``) or ``full``.
    target
        Teacher-forced exact accuracy that every language must reach.
    forms
        Forms that are taught, as ``("statement", "paraphrase")``; None: statements, on which
        accuracy is taken.
    max_epochs
        Most passes over the facts.
    max_seconds
        Stop after so many seconds; None: never.
    lr
        Learning rate of AdamW; None: 1e-3 for LoRA, 5e-5 for the full model.
    rank
        Of LoRA, with ``alpha = 2 · rank``, on every linear layer of the blocks.
    batch_tokens, clip, seed
        As in :class:`EraseSettings`.
    """

    method: str = "lora"
    target: float = 0.95
    forms: tuple[str, ...] | None = None
    max_epochs: int = 40
    max_seconds: float | None = None
    lr: float | None = None
    rank: int = 16
    batch_tokens: int = 512
    clip: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        require_one_of("method", self.method, METHODS)
        for name in ("max_epochs", "rank", "batch_tokens"):
            require_whole(name, getattr(self, name))
        for name in ("max_seconds", "lr"):
            if getattr(self, name) is not None:
                require_above_zero(name, getattr(self, name))
        require_above_zero("clip", self.clip)
        require_share("target", self.target)

    @classmethod
    def of(cls, said: Mapping[str, Any]) -> TeachSettings:
        """Settings from what was said.

        Raises
        ------
        InputError
            An unknown setting, or a value outside its domain.
        """
        return cls(**known(cls, said))

    @property
    def rate(self) -> float:
        """Learning rate that is used."""
        return self.lr or (1e-3 if self.method == "lora" else 5e-5)

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {key: _plain(value) for key, value in asdict(self).items()} | {"lr": self.rate}


def known(cls: Any, said: Mapping[str, Any]) -> dict[str, Any]:
    """Return what was said, without what was left open (None).

    Raises
    ------
    InputError
        A setting that there is not.
    """
    names = [field.name for field in fields(cls)]
    for name in said:
        if name not in names:
            msg = f"setting {name!r} does not exist (has: {', '.join(names)}). Correct its name."
            raise InputError(msg)
    return {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in said.items()
        if value is not None
    }


def require_one_of(name: str, value: str, legal: tuple[str, ...]) -> None:
    """Raise :class:`InputError` for a word that is not legal."""
    if value not in legal:
        msg = f"{name} must be one of {', '.join(legal)}. Got {value!r} instead; pick one."
        raise InputError(msg)


def require_above_zero(name: str, value: float) -> None:
    """Raise :class:`InputError` for zero, less, or no number."""
    if not value > 0 or value == float("inf"):
        msg = f"{name} must be a number above 0. Got {value} instead."
        raise InputError(msg)


def require_whole(name: str, value: int) -> None:
    """Raise :class:`InputError` for anything but 1, 2, …."""
    if not isinstance(value, int) or value < 1:
        msg = f"{name} must be a whole number of 1 or more. Got {value} instead."
        raise InputError(msg)


def require_share(name: str, value: float) -> None:
    """Raise :class:`InputError` for a number outside [0, 1]."""
    if not 0 <= value <= 1:
        msg = f"{name} must be in [0, 1]. Got {value} instead."
        raise InputError(msg)


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
