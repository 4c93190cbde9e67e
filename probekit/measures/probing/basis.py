"""Train-only standardisation, and the coordinates in which a probe is cheap to fit.

``Z = (X − mean) / scale`` over the training rows alone, then ``Z = Φ V'`` with orthogonal columns
Φ: from the Gram matrix when there are fewer rows than features (the dual form), else from the
covariance. Ridge penalties do not see the rotation, so weights found for Φ are weights for Z.
Costs one product of ``rows² × width`` (or ``rows × width²``) and one eigendecomposition for a
training set, however many tasks and penalties share it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from probekit.measures.probing.solver import thin

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor


@dataclass(frozen=True)
class Basis:
    """Standardised training sets in orthogonal coordinates.

    Attributes
    ----------
    features, spectrum, rows
        As :class:`~probekit.measures.probing.solver.Problems` wants them.
    mean, scale
        Tensors (sets, d_model) of the training rows; a constant feature has scale 1.
    """

    features: Float[Tensor, "sets rows width"]
    spectrum: Float[Tensor, "sets width"]
    rows: Float[Tensor, "sets rows"]
    mean: Float[Tensor, "sets d_model"]
    scale: Float[Tensor, "sets d_model"]
    _standard: Tensor
    _axes: Tensor | None

    def lift(self, weights: Float[Tensor, "sets width columns"]) -> Float[Tensor, "sets d columns"]:
        """Weights of Φ as weights of the standardised features Z."""
        if self._axes is not None:
            return thin(self._axes, weights)
        back = self.spectrum.reciprocal().where(self.spectrum > 0, 0.0)
        return thin(self._standard.mT, thin(self.features, back[..., None] * weights))


def standardised_basis(
    vectors: Float[Tensor, "sets rows d_model"], rows: Float[Tensor, "sets rows"]
) -> Basis:
    """Standardise every training set by itself and rotate it.

    Parameters
    ----------
    vectors
        Training rows, in float32 or float64; what stands in padded rows does not matter.
    rows
        1 for a row, 0 for padding; at least one row a set.
    """
    import torch

    there = rows[..., None]
    n = rows.sum(1)[:, None]
    clean = vectors.where(there > 0, vectors.new_zeros(()))
    mean = clean.sum(1) / n
    standard = clean.sub_(mean[:, None]).mul_(there)
    scale = (standard.square().sum(1) / n).sqrt()
    scale = scale.where(~_constant(scale, mean, n), scale.new_ones(()))
    standard /= scale[:, None]
    dual = standard.shape[1] <= standard.shape[2]
    square = standard @ standard.mT if dual else standard.mT @ standard
    spectrum, axes = torch.linalg.eigh(square)
    spectrum = _clean(spectrum, square)
    if dual:
        features = axes * spectrum.sqrt()[:, None] * there
        return Basis(features, spectrum, rows, mean, scale, standard, None)
    kept = axes * (spectrum > 0)[:, None]
    return Basis(standard @ kept, spectrum, rows, mean, scale, standard, kept)


def _constant(scale: Tensor, mean: Tensor, n: Tensor) -> Tensor:
    """Features whose deviation is rounding error: the rule of scikit-learn's StandardScaler."""
    import torch

    epsilon = torch.finfo(scale.dtype).eps
    variance = scale.square()
    constant: Tensor = variance <= n * epsilon * variance + (n * mean * epsilon).square()
    return constant


def _clean(spectrum: Tensor, square: Tensor) -> Tensor:
    """Set eigenvalues that are rounding error to zero: their directions carry nothing."""
    import torch

    least = torch.finfo(spectrum.dtype).eps * square.shape[-1] * spectrum[:, -1:]
    return spectrum.where(spectrum > least, spectrum.new_zeros(()))
