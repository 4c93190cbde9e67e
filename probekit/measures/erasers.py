"""LEACE: the smallest affine change after which no linear probe can tell the labels.

Costs one moment matrix of the smaller of points and features, and one Cholesky solve:
``n d min(n, d)``. Memory is one float64 copy of the data.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from probekit.errors import InputError, NumericalError
from probekit.measures.checks import AnyArray, FloatArray, check_finite

_NO_CORRELATION = 1e-12  # squared canonical correlation that is only rounding


@dataclass(frozen=True)
class Eraser:
    """``x → x − left right (x − mean)``, a projection of rank ``d − rank``.

    Attributes
    ----------
    mean : array of shape (d,)
        The point that stays where it is.
    left : array of shape (d, rank)
    right : array of shape (rank, d)
        ``right left`` is the identity, so applying twice changes nothing more.
    """

    mean: FloatArray
    left: FloatArray
    right: FloatArray

    @property
    def rank(self) -> int:
        """Directions removed."""
        return int(self.left.shape[1])

    def apply(self, X: AnyArray) -> AnyArray:
        """Erase, in float64; the result has the dtype of X where that is a float.

        Parameters
        ----------
        X : array of shape (..., d)

        Raises
        ------
        InputError
            Another width than the one it was fitted on.
        """
        X = np.asarray(X)
        d = len(self.mean)
        if not X.ndim or X.shape[-1] != d:
            msg = (
                f"X must have {d} features, as the data this eraser was fitted on. Got shape"
                f" {X.shape} instead: fit an eraser on that layer."
            )
            raise InputError(msg)
        moved = X - ((X - self.mean) @ self.right.T) @ self.left.T
        return moved.astype(X.dtype) if X.dtype.kind == "f" else moved


def leace(X: AnyArray, z: AnyArray) -> Eraser:
    r"""``I − Σ_xz (Σ_zx Σ_xx⁺ Σ_xz)⁺ Σ_zx Σ_xx⁺``, the least change that makes ``Σ_xz`` zero.

    Least-squares concept erasure (Belrose et al. 2023, arXiv 2306.03819), from plain sample
    covariances, without shrinkage: on the data it was fitted on every class has the same mean, so
    the best linear probe is the constant one. With fewer points than features that is all it does
    (each class moves onto the common mean), and other data keeps what the sample did not show.

    Parameters
    ----------
    X : array of shape (n, d)
        Any number of points; Σ_xx⁺ is the pseudo-inverse where they do not span the space.
    z : array of shape (n,)
        Integer labels, two classes or more.

    Raises
    ------
    InputError
        X is not a matrix, or z is not one label per row, or there is one class only.
    NumericalError
        A value is not finite, or all rows are equal.
    """
    x, classes = _checked(X, z)
    mean = x.mean(axis=0)
    x -= mean
    labels = _label_basis(classes)
    cross = x.T @ labels
    slopes = _slopes(x, labels, cross)
    # squared canonical correlations of points and labels, all in [0, 1]
    u, squares, vt = np.linalg.svd(slopes.T @ cross)
    rank = int((squares > _NO_CORRELATION).sum())
    right = (u[:, :rank] / squares[:rank]).T @ slopes.T
    return Eraser(mean, cross @ vt[:rank].T, right)


def _checked(X: AnyArray, z: AnyArray) -> tuple[FloatArray, NDArray[np.intp]]:
    """A float64 copy of X, and labels as 0 … n_classes − 1."""
    X, z = np.asarray(X), np.asarray(z)
    if X.ndim != 2 or z.shape != X.shape[:1] or X.dtype.kind not in "fiu":
        msg = (
            f"X must have shape (n, d) and z shape (n,). Got {X.shape} and {z.shape} instead:"
            " give one label per row."
        )
        raise InputError(msg)
    names, classes = np.unique(z, return_inverse=True)
    if z.dtype.kind not in "iub" or len(names) < 2:
        msg = (
            "z must hold integer labels of two classes or more. Got dtype"
            f" {z.dtype} with {len(names)}: number the classes."
        )
        raise InputError(msg)
    check_finite(X, name="X")
    x = X.astype(np.float64)
    if not np.ptp(x, axis=0).any():
        msg = "X must vary. All rows are equal: there is nothing to erase from."
        raise NumericalError(msg)
    return x, classes


def _label_basis(classes: NDArray[np.intp]) -> FloatArray:
    """Orthonormal basis (n, n_classes − 1) of centred one-hot labels."""
    counts = np.bincount(classes)
    scaled = np.eye(len(counts)) / np.sqrt(counts)
    # on class indicators of length 1, whatever is orthogonal to the constant is centred
    constant = np.sqrt(counts / counts.sum())[:, None]
    basis = np.linalg.svd(constant)[0][:, 1:]
    labels: FloatArray = (scaled @ basis)[classes]
    return labels


def _slopes(x: FloatArray, labels: FloatArray, cross: FloatArray) -> FloatArray:
    """``Σ_xx⁺ Σ_xz`` up to scale, (d, n_classes − 1), through the smaller moment matrix."""
    n, d = x.shape
    if d <= n:
        return _solve(x.T @ x, cross)
    gram = x @ x.T
    # centred rows sum to zero: fill that direction, which labels are orthogonal to
    gram += np.trace(gram) / n**2
    return x.T @ _solve(gram, labels)


def _solve(moments: FloatArray, targets: FloatArray) -> FloatArray:
    """``moments⁺ targets``: by Cholesky, or by eigenvectors where the matrix has no full rank."""
    from scipy.linalg import LinAlgError, cho_factor, cho_solve

    cut = len(moments) * np.finfo(np.float64).eps
    try:
        factor = cho_factor(moments, lower=True)
    except LinAlgError:
        factor = None
    if factor is not None:
        pivots = np.square(factor[0].diagonal())
        if pivots.min() > cut * pivots.max():
            solved: FloatArray = cho_solve(factor, targets)
            return solved
    values, vectors = np.linalg.eigh(moments)
    kept = values > cut * values[-1]
    vectors = vectors[:, kept]
    inverse: FloatArray = vectors @ ((vectors.T @ targets) / values[kept, None])
    return inverse
