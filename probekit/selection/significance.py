"""Is there anything to select? Two tests: the permutation null is beaten, and blocks differ.

The second costs one product of (n_blocks × n_resamples) with (n_resamples × 2000): milliseconds.
"""

from __future__ import annotations

import numpy as np

from probekit.selection.columns import FloatArray

N_DRAWS = 2000
_ROUNDING = 1e-12


def adjusted_p(p: FloatArray) -> FloatArray:
    """Benjamini–Hochberg adjusted p-values: ``q_(k) = min_{j ≥ k} m p_(j) / j``, at most 1.

    Under the global null, ``min q ≤ α`` has probability at most α (Simes), for independent and for
    positively dependent blocks. Bonferroni would not do here: a permutation p cannot fall below
    ``1 / (1 + n_permutations)``, so a deep model could never pass.

    Parameters
    ----------
    p : array of shape (n_blocks,)
        p-values in [0, 1].

    Returns
    -------
    array of shape (n_blocks,)
        Adjusted p-values in the same order.

    References
    ----------
    Benjamini & Hochberg 1995; Simes 1986.
    """
    order = np.argsort(p)[::-1]
    rank = np.arange(len(p), 0, -1)
    adjusted = np.minimum.accumulate(p[order] * len(p) / rank)
    result = np.empty_like(p)
    result[order] = np.minimum(adjusted, 1.0)
    return result


def flatness_p(values: FloatArray, samples: FloatArray, *, seed: int) -> float:
    """P-value of "every block has the same value", by a sup-t test on paired resamples.

    Statistic ``max_l |d_l| / s_l`` with ``d_l = value_l - mean over blocks`` and ``s_l`` the
    bootstrap standard deviation of ``d_l``. The reference is Gaussian with the bootstrap's own
    covariance (2000 seeded draws), so noise that all blocks share cancels and few resamples still
    give a fine p-value. Under independence the bootstrap overstates the spread of a debiased CKA,
    which makes the test refuse more, not less.

    Parameters
    ----------
    values : array of shape (n_blocks,)
        Point values.
    samples : array of shape (n_blocks, n_resamples)
        Resamples sharing one index over blocks.
    seed : int
        Seed of the draws.

    Returns
    -------
    float
        In (0, 1]; large means flat. Exactly equal blocks give 1.

    References
    ----------
    Montiel Olea & Plagborg-Møller 2019 (sup-t bands).
    """
    contrast = values - values.mean()
    spread = samples - samples.mean(axis=0)
    spread = spread - spread.mean(axis=1, keepdims=True)
    tolerance = _ROUNDING * max(1.0, float(np.abs(values).max()))
    if np.abs(contrast).max() <= tolerance:
        return 1.0
    n_resamples = samples.shape[1]
    scale = np.sqrt((spread**2).sum(axis=1) / (n_resamples - 1))
    scale = np.maximum(scale, tolerance)
    observed = np.max(np.abs(contrast) / scale)
    normal = np.random.default_rng(seed).standard_normal((n_resamples, N_DRAWS))
    draws = spread @ normal / np.sqrt(n_resamples - 1)
    reference = np.max(np.abs(draws) / scale[:, None], axis=0)
    return float((1 + np.count_nonzero(reference >= observed)) / (1 + N_DRAWS))
