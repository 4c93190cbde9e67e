"""What biased CKA shows where there is nothing to show: its mean over permutations of the units.

In closed form, no permutation is drawn. One Gram a language, of the smaller of units and width.
"""

from __future__ import annotations

import numpy as np

from probekit.errors import NumericalError
from probekit.measures.checks import AnyArray, FloatArray, check_pooled, language_pairs
from probekit.measures.cka import MIN_UNITS, unit_batches
from probekit.measures.hsic import centred


def biased_chance(pooled: AnyArray, *, max_units: int = 2048) -> float:
    r"""``tr K tr L / ((n − 1) |K| |L|)``, mean over pairs: biased CKA of unrelated languages.

    With centred Grams K and L, the mean of ``<K, P L P'>`` over all orders P of the units is
    ``tr K tr L / (n − 1)``. It is ``√(r_K r_L) / (n − 1)`` with participation ratios r, so near
    d / (d + n) for isotropic vectors: with fewer units than dimensions, close to 1.

    Parameters
    ----------
    pooled : array of shape (n_languages, n_units, d_model)
        One layer.
    max_units : int
        Largest batch, as of :func:`probekit.measures.cka`.

    Raises
    ------
    InputError
        Fewer than 2 languages or 4 units.
    NumericalError
        A value is not finite, or a language does not vary over its units.
    """
    pooled = check_pooled(pooled, min_units=MIN_UNITS)
    shared = np.zeros((len(pooled), len(pooled)))
    own = np.zeros(len(pooled))
    for batch in unit_batches(pooled.shape[1], max_units):
        x = centred(pooled[:, batch])
        n = x.shape[1]
        traces = np.einsum("lnd,lnd->l", x, x)
        shared += np.outer(traces, traces) / (n - 1) ** 3
        own += np.array([_squared(each) for each in x]) / (n - 1) ** 2
    if not own.all():
        msg = f"pooled must vary over units. Language {int(np.argmin(own))} is constant: drop it."
        raise NumericalError(msg)
    levels = shared / np.sqrt(np.outer(own, own))
    return float(levels[language_pairs(len(levels))].mean())


def _squared(x: FloatArray) -> float:
    """Squared norm of the Gram."""
    gram = x @ x.T if len(x) <= x.shape[1] else x.T @ x
    return float(np.vdot(gram, gram))
