"""From blocks to tensors: exact names first, then a pattern derived from them and checked.

One pass over the model's tensor names per call; no tensor is touched.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from probekit.errors import RuleError
from probekit.selection.blocks import Blocks, describe
from probekit.selection.evidence import ModelCard

LEAVES = ("", ".weight", ".bias")  # "" is a bare tensor, as in fused experts


@dataclass(frozen=True)
class ParameterSet:
    """Tensors that an update may change.

    Attributes
    ----------
    names : tuple of str
        Exact names, in the model's order of blocks.
    numel : int
        Elements in all of them.
    share : float
        ``numel`` over all elements of the model, in [0, 1].
    names_sha256 : str
        SHA-256 of the sorted names joined by a newline (UTF-8).
    pattern : str or None
        Regular expression whose ``re.fullmatch`` accepts exactly these names among the model's.
    """

    names: tuple[str, ...] = ()
    numel: int = 0
    share: float = 0.0
    names_sha256: str = hashlib.sha256(b"").hexdigest()
    pattern: str | None = None


def name_parameters(
    card: ModelCard, blocks: Blocks, roles: Sequence[str]
) -> tuple[ParameterSet, list[str]]:
    """Weights, and biases where they exist, of the given roles in the given blocks.

    Returns
    -------
    ParameterSet, list of str
        The tensors, and a warning when some block lacks a role's tensors.

    Raises
    ------
    RuleError
        A role that the card does not have, or no tensor at all under the names it gives.
    """
    check_roles(card, roles)
    if not blocks:
        return ParameterSet(), []
    found = {
        (block, role): _under(card, f"{card.layers_path}.{block}.{card.roles[role]}")
        for block in blocks
        for role in roles
    }
    names = tuple(name for each in found.values() for name in each)
    if not names:
        stem = f"{card.layers_path}.{blocks[0]}.{card.roles[roles[0]]}"
        msg = (
            f"roles {tuple(roles)} must name tensors of the model. Got none under "
            f"{stem!r}; correct card.roles or card.layers_path."
        )
        raise RuleError(msg)
    holes = [f"{role} of block {block}" for (block, role), each in found.items() if not each]
    notes = [f"the model has no tensor for {', '.join(holes)}"] if holes else []
    return _parameter_set(card, names), notes


def check_roles(card: ModelCard, roles: Sequence[str]) -> None:
    """Raise :class:`RuleError` for a role the card lacks."""
    unknown = [role for role in roles if role not in card.roles]
    if unknown:
        msg = (
            f"roles must be among {', '.join(card.roles)} for {card.id}. Got {unknown[0]!r} "
            "instead; choose others (--roles), or name its module in card.roles."
        )
        raise RuleError(msg)


def names_sha256(names: Iterable[str]) -> str:
    r"""SHA-256 of the sorted names joined by ``\n``."""
    return hashlib.sha256("\n".join(sorted(names)).encode()).hexdigest()


def _under(card: ModelCard, stem: str) -> list[str]:
    return [stem + leaf for leaf in LEAVES if stem + leaf in card.parameters]


def _parameter_set(card: ModelCard, names: tuple[str, ...]) -> ParameterSet:
    numel = sum(card.parameters[name] for name in names)
    return ParameterSet(
        names=names,
        numel=numel,
        share=numel / sum(card.parameters.values()),
        names_sha256=names_sha256(names),
        pattern=_pattern(card, names),
    )


def _pattern(card: ModelCard, names: tuple[str, ...]) -> str:
    prefix = f"{card.layers_path}."
    split = [name.removeprefix(prefix).split(".", 1) for name in names]
    blocks = "|".join(dict.fromkeys(block for block, _ in split))
    tails = "|".join(dict.fromkeys(re.escape(tail) for _, tail in split))
    pattern = f"{re.escape(prefix)}(?:{blocks})\\.(?:{tails})"
    matched = {name for name in card.parameters if re.fullmatch(pattern, name)}
    if matched == set(names):
        return pattern
    # blocks of unequal make: the product of blocks and tails would reach too far
    return "|".join(re.escape(name) for name in names)


def tell(parameters: ParameterSet, *, blocks: Blocks, roles: Sequence[str]) -> str:
    """One sentence: how many tensors, how much of the model."""
    n = len(parameters.names)
    return (
        f"{n} tensor{'' if n == 1 else 's'} ({', '.join(roles)} of blocks {describe(blocks)}), "
        f"{parameters.numel:,} elements, {parameters.share:.2%} of the model"
    )
