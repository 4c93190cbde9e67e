"""Which tensors moved: a hash of every tensor before and after, compared with what was allowed.

One pass over the weights a fingerprint (about a second a gigabyte on a CPU with SHA extensions).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from probekit.errors import InputError, NumericalError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


@dataclass(frozen=True)
class Contract:
    """Whether exactly the allowed tensors moved.

    Attributes
    ----------
    moved
        Allowed tensors whose bytes changed.
    unmoved
        Allowed tensors whose bytes did not.
    extra
        Tensors that changed, appeared or vanished without being allowed to: a broken contract.
    missing
        Allowed tensors that the model does not have: a broken contract.
    n_tensors
        Tensors compared.
    """

    moved: tuple[str, ...]
    unmoved: tuple[str, ...]
    extra: tuple[str, ...]
    missing: tuple[str, ...]
    n_tensors: int

    @property
    def ok(self) -> bool:
        """Nothing moved that must not, and every allowed tensor exists."""
        return not self.extra and not self.missing

    def require(self) -> Contract:
        """Return the contract, or raise.

        Raises
        ------
        NumericalError
            The contract is broken; the message names the first tensor.
        """
        if self.ok:
            return self
        what, names = (
            ("moved without being selected", self.extra)
            if self.extra
            else ("were selected and do not exist", self.missing)
        )
        msg = (
            f"contract is broken: {len(names)} of {self.n_tensors} tensors {what} (first: "
            f"{names[0]}). Nothing was written; please report this."
        )
        raise NumericalError(msg)

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "ok": self.ok,
            "n_tensors": self.n_tensors,
            "moved": list(self.moved),
            "unmoved": list(self.unmoved),
            "extra": list(self.extra),
            "missing": list(self.missing),
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Contract:
        """Read what :meth:`to_json` wrote."""
        names = {key: tuple(content[key]) for key in ("moved", "unmoved", "extra", "missing")}
        return cls(n_tensors=int(content["n_tensors"]), **names)

    def __str__(self) -> str:
        verdict = "kept" if self.ok else "BROKEN"
        parts = [f"{len(self.moved)} of {self.n_tensors} tensors moved"]
        for name in ("unmoved", "extra", "missing"):
            found = getattr(self, name)
            if found:
                parts.append(f"{len(found)} {name} (first: {found[0]})")
        return f"contract {verdict}: {', '.join(parts)}"


def fingerprint(model: Any) -> dict[str, str]:
    """SHA-256 of every tensor of a model's state by name: type, shape and bytes.

    Parameters
    ----------
    model
        A module, a Subject, or a mapping of names to tensors. A tensor with two names (a tied head)
        is there under both.
    """
    owner = model if hasattr(model, "state_dict") or hasattr(model, "items") else model.model
    tensors = owner if hasattr(owner, "items") else owner.state_dict()
    return {name: tensor_sha256(tensor) for name, tensor in sorted(tensors.items())}


def tensor_sha256(tensor: Any) -> str:
    """SHA-256 of one tensor: type, shape and bytes, wherever it lies."""
    import torch

    digest = hashlib.sha256(f"{tensor.dtype}|{tuple(tensor.shape)}\n".encode())
    flat = tensor.detach().cpu().contiguous().reshape(-1)
    if flat.numel():
        digest.update(memoryview(flat.view(torch.uint8).numpy()))
    return digest.hexdigest()


def check_contract(
    before: Mapping[str, str], after: Mapping[str, str], allowed: Iterable[str]
) -> Contract:
    """Compare two fingerprints: what is allowed may move, nothing else may.

    Raises
    ------
    InputError
        A fingerprint without a tensor.
    """
    if not before or not after:
        msg = "fingerprints must hold a tensor each. Got an empty one; use fingerprint(model)."
        raise InputError(msg)
    may = dict.fromkeys(allowed)
    changed = {name for name in {*before, *after} if before.get(name) != after.get(name)}
    missing = tuple(name for name in may if name not in before or name not in after)
    return Contract(
        moved=tuple(name for name in may if name in changed and name not in missing),
        unmoved=tuple(name for name in may if name not in changed and name not in missing),
        extra=tuple(sorted(changed - set(may))),
        missing=missing,
        n_tensors=len({*before, *after}),
    )
