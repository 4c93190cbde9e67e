"""Units in seeded groups: delete-a-group intervals, halves of a corpus, exchanged language labels.

For statistics of sums too large to keep unit by unit (a count per neuron and language). Groups and
exchanged labels are drawn for a whole corpus from a seed, so that it does not matter where a pass
was cut. Costs one more evaluation of the statistic for every group.
"""

from __future__ import annotations

from itertools import combinations

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from probekit.errors import InputError
from probekit.measures.checks import AnyArray, FloatArray

_GROUPS, _LABELS = 3, 4  # random streams of their own; resampling.py has 1 and 2
MIN_GROUPS = 2


def unit_groups(n_units: int, n_groups: int, *, seed: int) -> NDArray[np.intp]:
    """Group of every unit: sizes differ by at most one, membership is drawn.

    Returns
    -------
    array of shape (n_units,)
        Values 0 … n_groups - 1.

    Raises
    ------
    InputError
        ``n_groups`` is below 2 or above ``n_units``.
    """
    if not MIN_GROUPS <= n_groups <= n_units:
        msg = (
            f"n_groups must lie between {MIN_GROUPS} and the {n_units} units. Got {n_groups}"
            " instead: lower it or add units."
        )
        raise InputError(msg)
    order = np.random.default_rng([seed, _GROUPS]).permutation(n_units)
    groups = np.empty(n_units, dtype=np.intp)
    groups[order] = np.arange(n_units) % n_groups
    return groups


def exchanged_labels(n_units: int, n_languages: int, *, n: int, seed: int) -> NDArray[np.intp]:
    """Language labels exchanged within every unit: what is left when languages mean nothing.

    Entry ``[r, i, a]`` is the pseudo-language of the text of unit i in language a. Each
    pseudo-language still has one text of every unit, so meaning is balanced and only language is
    mixed.

    Returns
    -------
    array of shape (n, n_units, n_languages)
        Every last row orders ``range(n_languages)``.

    Raises
    ------
    InputError
        ``n < 1``, fewer than one unit or fewer than two languages.
    """
    if n < 1 or n_units < 1 or n_languages < 2:
        msg = (
            "exchanged_labels needs n >= 1, n_units >= 1 and n_languages >= 2. Got"
            f" {n}, {n_units} and {n_languages} instead."
        )
        raise InputError(msg)
    rng = np.random.default_rng([seed, _LABELS])
    plain = np.broadcast_to(np.arange(n_languages, dtype=np.intp), (n, n_units, n_languages))
    return rng.permuted(plain, axis=2)


def halves(n_groups: int) -> list[NDArray[np.intp]]:
    """First halves of every way to cut the groups in two equal parts, each cut once."""
    rest = combinations(range(1, n_groups), n_groups // 2 - 1)
    return [np.array([0, *chosen], dtype=np.intp) for chosen in rest]


def jackknife_error(replicates: AnyArray) -> FloatArray:
    """Delete-a-group standard error ``√((K−1)/K · Σ_g (θ_(g) − mean)²)`` over the first axis.

    Parameters
    ----------
    replicates : array of shape (n_groups, ...)
        The statistic without each group in turn.

    Raises
    ------
    InputError
        Fewer than two groups.
    """
    replicates = np.asarray(replicates, dtype=np.float64)
    k = len(replicates) if replicates.ndim else 0
    if k < MIN_GROUPS:
        msg = f"replicates must have at least {MIN_GROUPS} groups. Got {k} instead."
        raise InputError(msg)
    error: FloatArray = np.sqrt((k - 1) * replicates.var(axis=0))
    return error


def jackknife_band(
    estimate: AnyArray | float,
    replicates: AnyArray,
    *,
    least: float = -np.inf,
    most: float = np.inf,
) -> tuple[FloatArray, FloatArray]:
    """95 % interval ``estimate ± t_{K−1} · error``, cut to the range that the statistic has.

    Deleting whole groups (Kott 2001) also works for counts behind a threshold, for which deleting
    single units fails. With few groups it is wide: t has K − 1 degrees of freedom.

    Returns
    -------
    low, high : arrays of the estimate's shape
    """
    error = jackknife_error(replicates)
    reach = stats.t.ppf(0.975, df=len(replicates) - 1) * error
    estimate = np.asarray(estimate, dtype=np.float64)
    return np.clip(estimate - reach, least, most), np.clip(estimate + reach, least, most)
