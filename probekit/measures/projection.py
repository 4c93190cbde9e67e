"""Two coordinates for every text: the first principal components of a layer.

By a Lanczos method on the vectors themselves, no matrix of the width: tens of passes over the data.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from probekit.errors import InputError, NumericalError
from probekit.measures.checks import AnyArray, FloatArray, check_pooled

_ROUNDING = 1e-12
_SMALL_WIDTH = 32  # below, the whole covariance is cheaper


@dataclass(frozen=True)
class Projection:
    """Principal components of all texts of a layer.

    Attributes
    ----------
    coordinates : array of shape (n_languages, n_units, n_components)
        Component of largest variance first; each with the feature that weighs most positive.
    explained : array of shape (n_components,)
        Share of the total variance, in [0, 1].
    """

    coordinates: FloatArray
    explained: FloatArray


def project(pooled: AnyArray, *, centred: bool, n_components: int = 2) -> Projection:
    """Principal components over all languages and units together.

    Parameters
    ----------
    pooled : array of shape (n_languages, n_units, d_model)
        One layer.
    centred : bool
        Subtract each language's mean first, so that the components show what languages share;
        otherwise the mean of everything.
    n_components : int
        Below d_model.

    Raises
    ------
    InputError
        ``n_components`` outside its range, or fewer than two units.
    NumericalError
        A value is not finite, or the vectors do not vary.
    """
    pooled = check_pooled(pooled, min_languages=1)
    n_languages, n, d = pooled.shape
    if not 1 <= n_components < d:
        msg = f"n_components must be between 1 and {d - 1}. Got {n_components} instead."
        raise InputError(msg)
    mean = pooled.mean(axis=1 if centred else (0, 1), dtype=np.float64)
    x = (pooled - (mean[:, None] if centred else mean)).reshape(-1, d)
    total = float(np.einsum("nd,nd->", x, x))
    if total <= _ROUNDING**2 * n_languages * n * float(np.square(mean).sum()) or total == 0:
        msg = "pooled must vary over units. All vectors are equal: check the pooling."
        raise NumericalError(msg)
    variances, axes = _leading(x, n_components)
    heaviest = np.abs(axes).argmax(axis=0)
    axes = axes * np.sign(axes[heaviest, np.arange(n_components)])
    return Projection(
        (x @ axes).reshape(n_languages, n, n_components), np.clip(variances / total, 0, 1)
    )


def _leading(x: FloatArray, n_components: int) -> tuple[FloatArray, FloatArray]:
    """Largest eigenvalues of X'X and their vectors (d, n_components), largest first."""
    d = x.shape[1]
    if d <= _SMALL_WIDTH or n_components > d // 4:
        values, vectors = np.linalg.eigh(x.T @ x)
    else:
        from scipy.sparse.linalg import LinearOperator, eigsh

        product = LinearOperator((d, d), matvec=lambda v: x.T @ (x @ v), dtype=np.float64)
        # a start of its own making, so that equal data gives equal bytes
        start = np.random.default_rng(0).standard_normal(d)
        values, vectors = eigsh(product, k=n_components, v0=start)
    order = np.argsort(-values, kind="stable")[:n_components]
    return values[order], vectors[:, order]
