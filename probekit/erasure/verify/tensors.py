"""Which tensors moved between two models, against those that were selected: the first check.

Two passes over the weights; see :mod:`probekit.erasure.contract`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from probekit.erasure.contract import check_contract, fingerprint
from probekit.erasure.target import target_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from probekit.erasure.memory import Memory
    from probekit.models import Subject


def allowed_names(
    base: Subject, selection: Any, record: dict[str, Any] | None, *, check_weights: bool = True
) -> tuple[str, ...] | None:
    """Names that may have moved: of a selection, else of the erasure's record; None: neither."""
    if selection is not None:
        target = target_of(base, selection, check_weights=check_weights, allow_tied=True)
        return (*target.names, *target.tied)
    if record is not None:
        return (*record["target"]["names"], *record["target"].get("tied", ()))
    return None


def contract_of(
    base: Subject, erased: Subject, allowed: Iterable[str] | None, *, memory: Memory
) -> dict[str, Any]:
    """Contract as plain values, with ``checked``: whether there was something to hold it against.

    Without allowed names every tensor that moved is listed under ``moved`` and ``ok`` says
    nothing.
    """
    before = memory.once("tensors", base, lambda: fingerprint(base))
    after = fingerprint(erased)
    if allowed is None:
        names = {*before, *after}
        moved = sorted(name for name in names if before.get(name) != after.get(name))
        found = check_contract(before, after, moved)
        return {"checked": False, **found.to_json()}
    return {"checked": True, **check_contract(before, after, allowed).to_json()}
