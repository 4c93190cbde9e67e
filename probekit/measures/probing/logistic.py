"""One probe on one training set: standardise, fit, hand back the numbers. For single use.

Agrees with scikit-learn's ``Pipeline(StandardScaler, LogisticRegression(C))``. Costs one
eigendecomposition of ``min(rows, width)²``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from probekit.errors import InputError, NumericalError
from probekit.measures.checks import check_finite

if TYPE_CHECKING:
    from jaxtyping import Float, Int

    from probekit.measures.checks import AnyArray
    from probekit.measures.probing.basis import Basis
    from probekit.measures.probing.solver import Solution

#: Relative error of the weights.
_TOLERANCE = 1e-5


@dataclass(frozen=True)
class Logistic:
    """A fitted logistic regression over standardised features.

    Attributes
    ----------
    coef, intercept
        Arrays (n_classes, d_model) and (n_classes,); one row for two classes, as in scikit-learn.
    mean, scale
        Arrays (d_model,): ``(x − mean) / scale`` is what ``coef`` multiplies.
    """

    coef: Float[np.ndarray, "rows d_model"]
    intercept: Float[np.ndarray, rows]  # noqa: F821
    mean: Float[np.ndarray, d_model]  # noqa: F821
    scale: Float[np.ndarray, d_model]  # noqa: F821


def fit_logistic(
    X: Float[np.ndarray, "items d_model"],
    y: Int[np.ndarray, items],  # noqa: F821
    *,
    penalty: float = 1.0,
    device: str = "cpu",
) -> Logistic:
    """``min ½‖W‖² + C Σ loss`` over standardised X, the intercept free.

    Parameters
    ----------
    X
        Vectors, fitted in float64.
    y
        Classes 0 … K - 1, each of them at least once; K at least 2.
    penalty
        C of scikit-learn.

    Raises
    ------
    InputError
        Shapes that do not fit, fewer than two classes, or a penalty that is not positive.
    NumericalError
        A value of X that is not finite, or no convergence (C too large for data that a plane
        separates).
    """
    rows, labels = _checked(X, y, penalty)
    basis, found = _solved(rows, labels, penalty=penalty, device=device)
    if not bool(found.converged.all()):
        msg = (
            f"probe did not converge with C = {penalty} in {found.n_steps} steps. Choose a "
            "smaller C."
        )
        raise NumericalError(msg)
    coef = basis.lift(found.weights[..., 0])[0].T.cpu().numpy()
    intercept = found.intercept[0, :, 0].cpu().numpy()
    if len(coef) == 2:
        coef, intercept = coef[1:] - coef[:1], intercept[1:] - intercept[:1]
    return Logistic(coef, intercept, basis.mean[0].cpu().numpy(), basis.scale[0].cpu().numpy())


def _solved(
    rows: AnyArray, labels: AnyArray, *, penalty: float, device: str
) -> tuple[Basis, Solution]:
    """One problem, in the directions that its rows span."""
    from probekit.measures.probing.basis import standardised_basis
    from probekit.measures.probing.items import tensor
    from probekit.measures.probing.solver import Problems, solve

    vectors = tensor(rows, device=device)[None]
    basis = standardised_basis(vectors, vectors.new_ones(1, len(rows)))
    problems = Problems(
        basis.features,
        basis.spectrum,
        basis.rows,
        tensor(labels, device=device)[None, :, None],
        vectors.new_full((1, 1), 1 / penalty),
        int(labels.max()) + 1,
    )
    return basis, solve(problems, tolerance=_TOLERANCE, max_steps=5000)


def _checked(X: AnyArray, y: AnyArray, penalty: float) -> tuple[AnyArray, AnyArray]:
    X, y = np.asarray(X), np.asarray(y)
    if X.ndim != 2 or y.shape != X.shape[:1] or X.dtype.kind not in "fiu":
        msg = (
            f"X must be numbers of shape (n_items, d_model) with one class in y each. Got shapes "
            f"{X.shape} and {y.shape} instead."
        )
        raise InputError(msg)
    present = np.unique(y)
    if len(present) < 2 or not np.array_equal(present, np.arange(len(present))):
        msg = f"y must hold classes 0 … K - 1, two or more. Got {present[:9].tolist()} instead."
        raise InputError(msg)
    if not penalty > 0:
        msg = f"C must be above 0. Got {penalty} instead."
        raise InputError(msg)
    check_finite(X, name="X")
    return X.astype(np.float64), y.astype(np.intp)
