"""LSAR: the directions in which the means of languages differ, to be projected away.

After Xie et al. 2022 (EMNLP; arXiv 2401.05792). Costs two decompositions of a matrix of
language means, ``L² d``.
"""

from __future__ import annotations

import numpy as np

from probekit.errors import InputError, NumericalError
from probekit.measures.checks import AnyArray, FloatArray, check_finite
from probekit.measures.erasers import Eraser

_ROUNDING = 1e-12


def language_subspace(means: AnyArray, *, rank: int | None = None) -> FloatArray:
    r"""Orthonormal basis of the language-specific part of ``M ≈ μ_c 1' + M_s Γ'``, ``μ_c ⊥ M_s``.

    The common vector μ_c is the one that all means project onto alike; the rest is language. At
    full rank (the default) M_s spans all differences of means, so nothing of them is left.

    Parameters
    ----------
    means : array of shape (n_languages, d)
        Mean vector of each language.
    rank : int, optional
        Directions kept, at most n_languages − 1 and d; by default all of them. Fewer come back
        where the means span fewer.

    Returns
    -------
    array of shape (d, <= rank)

    Raises
    ------
    InputError
        Fewer than two languages, or a rank outside its range.
    NumericalError
        A value is not finite.
    """
    means = np.asarray(means, dtype=np.float64)
    if means.ndim != 2 or len(means) < 2:
        msg = f"means must have shape (n_languages >= 2, d). Got {means.shape}: add languages."
        raise InputError(msg)
    check_finite(means, name="means")
    most = min(len(means) - 1, means.shape[1])
    rank = most if rank is None else rank
    if not 1 <= rank <= most:
        msg = (
            f"rank must be between 1 and {most} (languages - 1, at most the width). Got {rank}"
            " instead: leave it out for all of them."
        )
        raise InputError(msg)
    middle = means.mean(axis=0)
    least = _ROUNDING * float(np.linalg.norm(means))
    specific, coordinates = _top(means - middle, rank, least=least)
    low_rank = middle + coordinates @ specific
    return _top(low_rank - _common(low_rank), rank, least=least)[0].T


def lsar(pooled: AnyArray, *, rank: int | None = None) -> Eraser:
    """Projection off the language subspace of one layer: ``x → x − M_s M_s' x``.

    Parameters
    ----------
    pooled : array of shape (n_languages, n_units, d)
    rank : int, optional
        See `language_subspace`.

    Raises
    ------
    InputError
        As `language_subspace`.
    NumericalError
        A value is not finite, or the subspace is the whole space.
    """
    means = np.asarray(pooled).mean(axis=1, dtype=np.float64)
    basis = language_subspace(means, rank=rank)
    if basis.shape[1] == means.shape[1]:
        msg = (
            f"pooled must be wider than the language subspace. Got {means.shape[1]} features and"
            f" as many directions of {len(means)} languages: use centre, or fewer languages."
        )
        raise NumericalError(msg)
    return Eraser(np.zeros(means.shape[1]), basis, basis.T)


def _top(rows: FloatArray, rank: int, *, least: float) -> tuple[FloatArray, FloatArray]:
    """Leading right singular vectors (<= rank, d), and the coordinates of the rows in them."""
    u, s, vt = np.linalg.svd(rows, full_matrices=False)
    rank = min(rank, int((s > least).sum()))
    return vt[:rank], u[:, :rank] * s[:rank]


def _common(means: FloatArray) -> FloatArray:
    """Vector c with ``m·c = |c|²`` for every mean m, or 0 where the means have none in common."""
    solution = np.linalg.pinv(means) @ np.ones(len(means))
    square = solution @ solution
    fits = np.allclose(means @ solution, 1.0, atol=1e-8)
    return solution / square if fits else np.zeros(means.shape[1])
