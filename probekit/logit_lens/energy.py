"""How much of a residual vector the unembedding can see.

``E(h) = sqrt(h'Gh) / ‖G‖_F`` on unit ``h``, with ``G = U'U / V`` and ``U`` the unembedding seen
from the residual stream, each row scaled to length one (Wendler et al. 2024, arXiv 2402.10588).
About 1 for a random direction of an unembedding that fills its space evenly. Costs one or two
products of the unembedding with a ``d_model × d_model`` matrix.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from probekit.errors import ModelError
from probekit.models.head import before_unembedding, unembedding

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor

    from probekit.models import Subject

_CHUNK = 1 << 14
# So large that what a norm adds to its variance cannot be seen.
_PROBE = 1e3


@dataclass(frozen=True, eq=False)
class Energy:
    """The Gram matrix of an unembedding, for vectors of the residual stream.

    Attributes
    ----------
    gram
        ``G``: tensor (d_model, d_model), float64, trace 1.
    centred
        Whether the final norm takes a vector's mean away (LayerNorm); the energy does then, too.
    """

    gram: Float[Tensor, "d d"]
    centred: bool = False

    @classmethod
    def of(cls, subject: Subject) -> Energy:
        """Measure it for a subject; the gain is the one that its final norm applies.

        Raises
        ------
        ModelError
            No unembedding, or a head that transforms before it unembeds (masked language models).
        """
        import torch

        gain, centred = _gain(subject)
        weight = unembedding(subject).weight
        d = subject.anatomy.d_model
        gram = torch.zeros(d, d, dtype=torch.float64, device=weight.device)
        for start in range(0, len(weight), _CHUNK):
            part = weight[start : start + _CHUNK]
            seen = part.float() * gain if gain.ndim == 1 else part.float() @ gain
            rows = torch.nn.functional.normalize(seen, dim=1)
            gram += (rows.T @ rows).double()
        return cls(gram / len(weight), centred)

    @cached_property
    def norm(self) -> float:
        """``‖G‖_F``."""
        import torch

        return float(torch.linalg.matrix_norm(self.gram))

    @property
    def chance(self) -> float:
        """Root mean square over random directions: ``sqrt(tr G / d) / ‖G‖_F``."""
        return math.sqrt(float(self.gram.trace()) / len(self.gram)) / self.norm

    def __call__(self, hidden: Float[Tensor, "*rows d"]) -> Float[Tensor, "*rows"]:
        """Energy of vectors, float64, from 0 to ``sqrt(λ_max) / ‖G‖_F``; 0 for a zero vector."""
        import torch

        h = hidden.double()
        if self.centred:
            h = h - h.mean(-1, keepdim=True)
        unit = torch.nn.functional.normalize(h, dim=-1)
        square = ((unit @ self.gram.to(unit.device)) * unit).sum(-1)
        return square.clamp(min=0).sqrt() / self.norm


def _gain(subject: Subject) -> tuple[Tensor, bool]:
    """What a head multiplies a normed vector by before its last product, and whether it centres.

    Found by running the head on the unit vectors, so it holds for every way of writing a gain
    (``w``, ``1 + w``), with a projection or without. A vector (d,), or a matrix (width, d).
    """
    import torch

    d = subject.anatomy.d_model
    with torch.inference_mode():
        probes = _PROBE * torch.eye(d, device=subject.device)
        response = _odd(subject, probes)
        twice, negated = _odd(subject, 2 * probes), _odd(subject, probes.roll(1, 0) + probes)
        centred = _close(_odd(subject, probes + _PROBE), response)
        normed = _close(twice, response)
        if normed:
            spread = probes - probes.mean(1, keepdim=True) if centred else probes
            response = response * spread.square().mean(1, keepdim=True).sqrt()
        both = response + response.roll(1, 0)
        if normed:
            pair = probes.roll(1, 0) + probes
            pair = pair - pair.mean(1, keepdim=True) if centred else pair
            negated = negated * pair.square().mean(1, keepdim=True).sqrt()
    if not (normed or _close(twice, 2 * response)) or not _close(negated, both):
        msg = (
            f"subject {subject.source!r} transforms vectors before it unembeds them, so the energy "
            "has no Gram matrix. Use a causal language model."
        )
        raise ModelError(msg)
    matrix = response.T / _PROBE
    diagonal = matrix.shape == (d, d) and not centred and _is_diagonal(matrix)
    return (matrix.diagonal().clone() if diagonal else matrix), centred


def _odd(subject: Subject, probes: Tensor) -> Tensor:
    """The head up to its product, without what it adds to any vector (the norm's bias)."""
    x = probes.to(subject.dtype)
    there, back = before_unembedding(subject, x), before_unembedding(subject, -x)
    return (there.float() - back.float()) / 2


def _close(found: Tensor, expected: Tensor) -> bool:
    return bool((found - expected).abs().max() <= 0.02 * expected.abs().max())


def _is_diagonal(matrix: Tensor) -> bool:
    import torch

    off = matrix - torch.diag(matrix.diagonal())
    return bool(off.abs().max() <= 1e-6 * matrix.abs().max())
