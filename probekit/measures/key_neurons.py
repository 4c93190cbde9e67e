"""Key neurons: neurons on which the texts of one language agree more than those of the others.

After Lingua Franca (arXiv 2410.11718), on unit vectors of MLP activations, with a leave-one-out
score in place of the population score. Costs one product of groups and vectors per language:
``L (K + R L) n width``, K groups and R exchanges of labels.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from probekit.errors import InputError
from probekit.measures.checks import AnyArray, FloatArray, check_pooled
from probekit.measures.regions import unit_vectors
from probekit.measures.unit_groups import jackknife_band

MIN_LANGUAGES = 3


@dataclass(frozen=True)
class KeyNeurons:
    """Leave-one-out scores of one layer, and how many neurons pass the threshold.

    Attributes
    ----------
    z : array of shape (n_neurons, n_languages)
        How far a language's agreement lies above the other languages', in their deviations.
    n_key, low, high : arrays of shape (n_languages,)
        Neurons with ``z > threshold``, with a 95 % delete-a-group interval over units.
    n_null, n_null95 : float
        The same count when labels are exchanged within units: mean and 95 % point.
    """

    z: FloatArray
    n_key: FloatArray
    low: FloatArray
    high: FloatArray
    n_null: float
    n_null95: float


def agreement_scores(sums: AnyArray, squares: AnyArray, n: AnyArray | int) -> FloatArray:
    """``s_j = ((Σ_i u_ij)² − Σ_i u_ij²) / (n (n − 1))``: mean product over pairs of distinct units.

    Parameters
    ----------
    sums, squares : arrays of shape (...)
        Of unit vectors, and of their squared entries, over n units.
    """
    sums = np.asarray(sums, dtype=np.float64)
    scores: FloatArray = (sums**2 - squares) / (np.asarray(n, dtype=np.float64) * (n - 1))
    return scores


def leave_one_out_z(scores: AnyArray) -> FloatArray:
    """``(s_a − mean_{b≠a} s_b) / sd_{b≠a}``, sd with one degree of freedom less, over axis -2.

    The population score ``(s_a − mean) / sd`` over all L languages can never exceed ``√(L−1)``, so
    a threshold of 2 never fires for L <= 5; leaving a out of its own yardstick removes the bound.
    Under exchangeable normal scores ``z / √(1 + 1/(L−1))`` is Student's t with L − 2 degrees of
    freedom: with few languages large values are common, hence the null. Where the others are all
    alike it is 0 if a is like them, else infinite with the sign of the difference.

    Parameters
    ----------
    scores : array of shape (..., n_languages, n_neurons)

    Raises
    ------
    InputError
        Fewer than three languages.
    """
    scores = np.asarray(scores, dtype=np.float64)
    n = scores.shape[-2]
    if n < MIN_LANGUAGES:
        msg = f"leave-one-out z needs at least {MIN_LANGUAGES} languages. Got {n} instead."
        raise InputError(msg)
    others = np.stack([np.delete(scores, a, axis=-2) for a in range(n)], axis=-2)
    difference = scores - others.mean(axis=-3)
    spread = others.std(axis=-3, ddof=1)
    alone = np.where(difference == 0, 0.0, np.copysign(np.inf, difference))
    z: FloatArray = np.divide(difference, spread, out=alone, where=spread > 0)
    return z


def key_neurons(
    pooled: AnyArray, *, groups: AnyArray, labels: AnyArray, threshold: float = 2.0
) -> KeyNeurons:
    """Leave-one-out scores of every neuron for every language, with interval and null.

    Parameters
    ----------
    pooled : array of shape (n_languages, n_units, n_neurons)
        Token-mean MLP activations of one layer; normalised here.
    groups : array of shape (n_units,)
        From `unit_groups`.
    labels : array of shape (n, n_units, n_languages)
        From `exchanged_labels`.
    threshold : float
        A neuron is key above it.

    Raises
    ------
    InputError
        Fewer than three languages or units, or groups of another length.
    NumericalError
        A value is not finite, or a vector is zero.
    """
    pooled = check_pooled(pooled, min_languages=MIN_LANGUAGES, min_units=3)
    parts, mixed = _sums(pooled, np.asarray(groups), np.asarray(labels))
    sizes = np.bincount(groups)
    total = parts.sum(axis=1)
    z = leave_one_out_z(agreement_scores(total[0], total[1], sizes.sum()))
    left = total[:, None] - parts
    replicates = leave_one_out_z(
        agreement_scores(left[0], left[1], (sizes.sum() - sizes)[:, None, None])
    )
    n_key = (z > threshold).sum(axis=-1).astype(np.float64)
    low, high = jackknife_band(
        n_key, (replicates > threshold).sum(axis=-1), least=0, most=pooled.shape[2]
    )
    null = leave_one_out_z(agreement_scores(mixed[0], mixed[1], sizes.sum())) > threshold
    n_null = null.sum(axis=-1).ravel()
    return KeyNeurons(
        z=z.T,
        n_key=n_key,
        low=low,
        high=high,
        n_null=float(n_null.mean()),
        n_null95=float(np.quantile(n_null, 0.95, method="higher")),
    )


def _sums(pooled: AnyArray, groups: AnyArray, labels: AnyArray) -> tuple[FloatArray, FloatArray]:
    """Sums of unit vectors and of their squares.

    Arrays (2, n_groups, n_languages, n_neurons) by group and (2, n, n_languages, n_neurons) by
    exchanged label; one language's unit vectors in memory at a time.
    """
    n_languages, n_units, width = pooled.shape
    if groups.shape != (n_units,) or labels.shape[1:] != (n_units, n_languages):
        msg = (
            f"groups and labels must be drawn for {n_units} units and {n_languages} languages. Got"
            f" shapes {groups.shape} and {labels.shape} instead."
        )
        raise InputError(msg)
    n_groups = int(groups.max()) + 1
    member = np.eye(n_groups)[groups].T
    parts = np.zeros((2, n_groups, n_languages, width))
    mixed = np.zeros((2, len(labels), n_languages, width))
    for language, rows in enumerate(pooled):
        unit = unit_vectors(rows, offset=np.zeros(width), language=language)
        renamed = np.moveaxis(np.eye(n_languages)[labels[:, :, language]], 1, 2)
        for power, values in enumerate((unit, unit**2)):
            parts[power, :, language] = member @ values
            mixed[power] += renamed @ values
    return parts, mixed
