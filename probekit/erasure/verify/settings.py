"""What is checked, and how hard; refused before a model runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from probekit.erasure.settings import (
    known,
    require_above_zero,
    require_one_of,
    require_share,
    require_whole,
)
from probekit.errors import LanguageError

if TYPE_CHECKING:
    from probekit.facts.question import FactSet

#: Checks in the order in which they run. Contract, answers and fluency are always taken.
CHECKS = ("choices", "paraphrase", "language", "lens", "probe", "relearn", "rounding", "damage")


@dataclass(frozen=True, kw_only=True)
class VerifySettings:
    """How a verification is done.

    Attributes
    ----------
    budget
        Blocks that the lens attack may try: a fact counts where any of them gives it away.
    damage
        Retained accuracy (absolute) that may be lost before a language counts as damaged; the
        interval must exclude no loss as well. Less than that lost of the facts to forget is no
        effect.
    damage_nats
        Rise of the loss on retained prompts, in nats a token, that may come before a language
        counts as damaged; the interval must exclude a smaller one.
    tolerance
        Share of the facts that may still be known (the end of the 95 % interval, corrected for
        guessing, of the question and of every attack) where a language is called erased.
    max_new_tokens
        Length of a written answer.
    relearn_steps, relearn_lr
        Steps and rate of AdamW on every tensor of the blocks.
    relearn_languages
        Languages that facts are relearnt in; None: the source languages.
    bits, group
        Of the rounded weights: bits a weight, weights that share a scale.
    ridge
        Penalty of the probe, in mean squared lengths of what it reads.
    n_permutations
        Shuffled training answers that the probe is compared with.
    batch_tokens, seed
        As in :class:`~probekit.erasure.EraseSettings`.
    """

    budget: int = 3
    damage: float = 0.1
    damage_nats: float = 0.5
    tolerance: float = 0.5
    max_new_tokens: int = 16
    relearn_steps: int = 20
    relearn_lr: float = 5e-5
    relearn_languages: tuple[str, ...] | None = None
    bits: int = 4
    group: int = 32
    ridge: float = 1.0
    n_permutations: int = 20
    batch_tokens: int = 2048
    seed: int = 0

    def __post_init__(self) -> None:
        whole = ("budget", "max_new_tokens", "relearn_steps", "group", "n_permutations")
        for name in (*whole, "batch_tokens", "bits"):
            require_whole(name, getattr(self, name))
        for name in ("relearn_lr", "ridge", "damage_nats"):
            require_above_zero(name, getattr(self, name))
        require_share("damage", self.damage)
        require_share("tolerance", self.tolerance)
        require_one_of("bits", str(self.bits), ("2", "3", "4", "8"))

    @classmethod
    def of(cls, said: Any) -> VerifySettings:
        """Settings from what was said.

        Raises
        ------
        InputError
            An unknown setting, or a value outside its domain.
        """
        return cls(**known(cls, said))

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(self).items()}


def chosen_checks(checks: Sequence[str] | None) -> tuple[str, ...]:
    """Checks that were asked for, in their order; all where nothing is said.

    Raises
    ------
    InputError
        One that there is not.
    """
    if checks is None:
        return CHECKS
    for name in checks:
        require_one_of("checks", name, CHECKS)
    return tuple(name for name in CHECKS if name in checks)


def chosen_languages(
    facts: FactSet, source: Sequence[str], held_out: Sequence[str]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Source and held-out languages; what is left open is taken from the facts.

    Raises
    ------
    LanguageError
        A language that the facts to forget lack, or one on both sides.
    """
    has = facts.where(part="forget").languages
    for code in (*source, *held_out):
        if code not in has or (code in source and code in held_out):
            rule = "on one side only" if code in has else f"among those to forget ({_list(has)})"
            msg = f"languages must be {rule}. Got {code!r}; correct source or held_out."
            raise LanguageError(msg)
    taken = tuple(dict.fromkeys(source))
    if not taken and held_out:
        taken = tuple(code for code in has if code not in held_out)
    rest = tuple(dict.fromkeys(held_out)) or tuple(c for c in has if taken and c not in taken)
    return taken, rest


def _list(codes: Sequence[str]) -> str:
    return ", ".join(codes)
