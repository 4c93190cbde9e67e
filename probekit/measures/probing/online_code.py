"""Online code of labels given vectors: how many bits a probe needs to learn and tell the labels.

``L = n₁ log₂ K − Σ_j log₂ p_j(block j + 1)`` (Voita & Titov 2020, arXiv 2003.12298): units come in
blocks that end at .1, .2, .4, .8, 1.6, 3.2, 6.25, 12.5, 25, 50 and 100 % of them; the first block
is told with the uniform code, every other one by a probe trained on all units before it. The probe
on all units is not needed. Costs one eigendecomposition for a language and block.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from probekit.errors import InputError
from probekit.measures.probing.crossfit import bytes_per_row, flat_basis, rows_in
from probekit.measures.probing.items import same_size, tensor
from probekit.measures.probing.scores import Estimate, Resampler, estimate
from probekit.measures.probing.solver import Problems, solve, thin, unflatten

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from jaxtyping import Float, Int
    from numpy.typing import NDArray
    from torch import Tensor

    from probekit.measures.checks import AnyArray, FloatArray
    from probekit.measures.probing.basis import Basis
    from probekit.measures.probing.items import Items, Labels, Rows

FRACTIONS = (0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.0625, 0.125, 0.25, 0.5, 1.0)
#: λ of the intercept, so that a class that a block has not shown yet costs bits, not infinity.
INTERCEPT_PENALTY = 1.0
_TOLERANCE = 1e-2


@dataclass(frozen=True)
class OnlineCode:
    """Description length of one task.

    Attributes
    ----------
    bits
        By language: L, the choice of the penalty included.
    compression
        By language: ``n log₂ K / L``; 1 is the uniform code.
    mean_bits, mean_compression
        Means over languages.
    by_unit
        Array (language, unit): bits for the items of each unit.
    penalty
        By language: C whose code was the shortest.
    """

    bits: Estimate
    compression: Estimate
    mean_bits: Estimate
    mean_compression: Estimate
    by_unit: Float[np.ndarray, "language unit"]
    penalty: Float[np.ndarray, language]  # noqa: F821


def block_ends(n_units: int) -> NDArray[np.intp]:
    """Ends of the blocks, in units.

    Raises
    ------
    InputError
        Fewer than four units: not even two blocks.
    """
    if n_units < 4:
        msg = f"units must be at least 4 for an online code. Got {n_units} instead: add units."
        raise InputError(msg)
    return np.unique(np.ceil(np.asarray(FRACTIONS) * n_units - 1e-9).astype(np.intp))


def online_code(
    items: Items,
    labels: Sequence[Labels],
    order: Int[np.ndarray, unit],  # noqa: F821
    *,
    weights: AnyArray,
    penalties: Sequence[float],
    device: str = "cpu",
) -> dict[str, OnlineCode]:
    """Code the labels of every task, in each language.

    The whole code is made with every penalty and the shortest one is sent, with ``log₂`` of their
    number to say which. Blocks before which fewer items than classes were told belong to the
    first one: a probe that saw fewer would only repeat a part of the classes. Intervals resample
    units under the code as it is.

    Parameters
    ----------
    items, labels
        What is probed.
    order
        Units in the order in which they are told, the same for every language and layer.
    weights
        Bootstrap weights of units.
    penalties
        C of scikit-learn, smallest first.
    """
    rank = np.empty(items.n_units, dtype=np.intp)
    rank[order] = np.arange(items.n_units)
    ends = block_ends(items.n_units)
    block = items.by_unit(np.searchsorted(ends, rank, side="right"), padding=-1)
    groups = same_size(labels)
    shape = (len(penalties), *items.units.shape)
    bits = [np.full((*shape, len(g)), np.log2(g[0].n_classes)) for g in groups]
    for number in range(1, len(ends)):
        told = ((block >= 0) & (block < number)).sum(axis=1).min()
        able = [at for at, group in enumerate(groups) if told >= max(2, group[0].n_classes)]
        if able:
            kept = np.arange(len(ends))[None] < number
            coder = _Coder(items, rows_in(block, kept), rows_in(block, _only(number, len(ends))))
            coder.tell([groups[n] for n in able], penalties, [bits[n] for n in able], device=device)
    result = partial(_result, weights=weights, penalties=penalties)
    return {
        task.name: result(items, found[..., at], task.n_classes)
        for group, found in zip(groups, bits, strict=True)
        for at, task in enumerate(group)
    }


@dataclass(frozen=True)
class _Coder:
    """One block, told by probes of the rows before it."""

    items: Items
    train: Rows
    told: Rows

    def tell(
        self,
        groups: list[list[Labels]],
        penalties: Sequence[float],
        bits: list[FloatArray],
        *,
        device: str,
    ) -> None:
        """Write the bits of the block's items into arrays (penalty, language, item, task)."""
        for languages in self.train.batches(bytes_per_row(self.items)):
            basis = flat_basis(self.items, self.train, languages, device=device)
            rows = self.told.part(languages)
            vectors = tensor(rows.of(self.items.vectors[languages])).flatten(0, 1).to(basis.mean)
            standard = (vectors - basis.mean[:, None]) / basis.scale[:, None]
            for group, onto in zip(groups, bits, strict=True):
                values = np.stack([task.values for task in group], axis=-1)[languages]
                targets = tensor(self.train.part(languages).of(values)).flatten(0, 1)
                index = tensor(rows.of(values)).flatten(0, 1)[:, :, None].to(basis.rows.device)
                language, _, row = np.nonzero(rows.there)
                item = rows.index[:, 0][language, row]
                path = _path(basis, targets, group[0].n_classes, penalties)
                for number, (weights, intercept) in enumerate(path):
                    scores = unflatten(thin(standard, weights.flatten(2)), 2, weights.shape[2:])
                    scores = scores + intercept[:, None]
                    nats = scores.logsumexp(2) - scores.gather(2, index)[:, :, 0]
                    at = language + (languages.start or 0)
                    said = nats.double().cpu().numpy()[language, row]
                    onto[number, at, item] = said / np.log(2.0)


def _path(
    basis: Basis, targets: Tensor, n_classes: int, penalties: Sequence[float]
) -> Iterator[tuple[Tensor, Tensor]]:
    """Weights over standardised features and intercepts, penalty by penalty."""
    found = None
    for penalty in penalties:
        problems = Problems(
            basis.features,
            basis.spectrum,
            basis.rows,
            targets.to(basis.rows.device),
            basis.features.new_full((len(targets), targets.shape[2]), 1 / penalty),
            n_classes,
            intercept_penalty=INTERCEPT_PENALTY,
        )
        found = solve(problems, tolerance=_TOLERANCE, start=found)
        weights = unflatten(basis.lift(found.weights.flatten(2)), 2, found.weights.shape[2:])
        yield weights, found.intercept


def _only(number: int, n_blocks: int) -> np.ndarray:
    only: np.ndarray = np.arange(n_blocks)[None] == number
    return only


def _result(
    items: Items,
    bits: FloatArray,
    n_classes: int,
    *,
    weights: AnyArray,
    penalties: Sequence[float],
) -> OnlineCode:
    """The shortest code of each language, with intervals over units."""
    there = items.units >= 0
    by_unit = items.sums(np.where(there, bits, 0.0))
    choice = by_unit.sum(-1).argmin(0)
    own = by_unit[choice, np.arange(items.n_languages)]
    draw, extra = Resampler(weights), np.log2(len(penalties))
    total, drawn = own.sum(-1) + extra, draw.sums(own) + extra
    counts = items.sums(there * 1.0)
    uniform = counts.sum(-1) * np.log2(n_classes)
    factor = uniform / total
    factors = draw.sums(counts) * np.log2(n_classes) / drawn
    return OnlineCode(
        bits=estimate(total, drawn),
        compression=estimate(factor, factors),
        mean_bits=estimate(total.mean(), drawn.mean(1)),
        mean_compression=estimate(factor.mean(), factors.mean(1)),
        by_unit=own,
        penalty=np.asarray(penalties)[choice],
    )


def frequency_code(
    items: Items,
    task: Labels,
    order: Int[np.ndarray, unit],  # noqa: F821
) -> Float[np.ndarray, language]:  # noqa: F821
    """By language: bits of a code that sees no vectors, only how often a class came before.

    ``−Σ log₂ (count + 1) / (n + K)``, one label at a time (Laplace). What a probe saves beyond
    this, it learned from the vectors.
    """
    rank = np.empty(items.n_units, dtype=np.intp)
    rank[order] = np.arange(items.n_units)
    place = items.by_unit(rank, padding=items.n_units)
    found = np.zeros(items.n_languages)
    for language, values in enumerate(task.values):
        told = values[np.argsort(place[language], kind="stable")]
        told = told[: int((items.units[language] >= 0).sum())]
        hot = np.eye(task.n_classes)[told]
        before = (hot.cumsum(0) - hot)[np.arange(len(told)), told]
        found[language] = -np.log2((before + 1) / (np.arange(len(told)) + task.n_classes)).sum()
    return found
