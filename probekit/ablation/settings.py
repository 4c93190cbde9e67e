"""How an ablation is done: the settings of :func:`probekit.ablation.ablate`, checked once."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

from probekit.errors import InputError

LEAST = {"controls": 1, "limit": 1, "positions": 1, "token_budget": 1, "bootstrap": 20, "seed": 0}


@dataclass(frozen=True)
class AblationSettings:
    """How an ablation is done.

    Attributes
    ----------
    controls
        Draws of random neurons; unit i reads draw ``i mod controls``.
    seed
        Of draws, positions and resamples.
    limit
        Units read, spread evenly over the corpus; None: 16 on a CPU, 32 on a GPU.
    positions
        Tokens predicted in each text, drawn from its content tokens; None: all of them.
    max_tokens
        Where texts are cut.
    token_budget
        Most padded tokens in one forward; None: as a pass does.
    bootstrap
        Resamples of units behind the intervals.
    """

    controls: int = 3
    seed: int = 0
    limit: int | None = None
    positions: int | None = 8
    max_tokens: int = 128
    token_budget: int | None = None
    bootstrap: int = 1000

    def __post_init__(self) -> None:
        for name, least in LEAST.items():
            value = getattr(self, name)
            if value is not None and value < least:
                msg = f"{name} must be at least {least}. Got {value} instead."
                raise InputError(msg)

    @classmethod
    def of(cls, given: dict[str, Any]) -> AblationSettings:
        """Settings from keyword arguments.

        Raises
        ------
        InputError
            An unknown name, or a value outside its domain.
        """
        known = [field.name for field in fields(cls)]
        unknown = [name for name in given if name not in known]
        if unknown:
            msg = (
                f"ablate has no setting {unknown[0]!r} (has: {', '.join(known)}). Remove or "
                "rename it."
            )
            raise InputError(msg)
        return cls(**given)
