"""What a base says, kept for the next erasure or verification of the same base.

Many erasures of one base ask it the same questions. Everything is keyed by the hash of the
weights and of the facts, so that nothing is taken for another's. Holds what it is given until it
is dropped; nothing is written.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from probekit.facts.question import FactSet
    from probekit.models import Subject


class Memory:
    """Results by what they are, whose, and of which facts."""

    def __init__(self) -> None:
        self._kept: dict[Hashable, Any] = {}

    def __len__(self) -> int:
        """How many results are kept."""
        return len(self._kept)

    def once(
        self,
        what: str,
        subject: Subject,
        make: Callable[[], Any],
        *,
        facts: FactSet | None = None,
        settings: Hashable = (),
    ) -> Any:
        """``make()`` the first time, what it gave afterwards; do not change it.

        Parameters
        ----------
        what
            Name of the result.
        subject, facts, settings
            All that decides it.
        make
            Computes it.
        """
        asked = None if facts is None else facts.sha256
        key = (what, subject.state_sha256, str(subject.dtype), asked, settings)
        if key not in self._kept:
            self._kept[key] = make()
        return self._kept[key]
