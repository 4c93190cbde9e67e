"""Held-out predictions to accuracy, macro-F1, selectivity and transfer, with intervals over units.

An interval resamples units, with one set of weights for every language and layer: a resample counts
the predictions of each unit as often as it draws the unit; probes are not fitted again. Costs
matrix products of ``pairs × units × resamples``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from probekit.measures.resampling import percentile_band

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int

    from probekit.measures.checks import AnyArray, FloatArray
    from probekit.measures.probing.crossfit import CrossFit
    from probekit.measures.probing.items import Items, Labels

    Ratio = tuple[FloatArray, FloatArray]


@dataclass(frozen=True)
class Estimate:
    """A number with its 95 % interval over units; arrays of one shape."""

    value: FloatArray
    low: FloatArray
    high: FloatArray


@dataclass(frozen=True)
class ProbeScores:
    """One task at one layer.

    Attributes
    ----------
    accuracy, macro_f1
        By language, of probes trained and tested in it.
    baselines
        Name of a companion → its accuracy by language.
    selectivity
        Accuracy minus the accuracy of the ``control`` companion, paired over units.
    transfer, transfer_centred
        (language, language_b): trained in the first, tested in the second; raw, and after each
        language's training mean was removed.
    transfer_normalised
        ``(T[a, b] − majority[b]) / (T[b, b] − majority[b])``; 0 where not ``normalisable``.
    normalisable
        By language_b: whether the interval of T[b, b] lies above the majority.
    mean
        Name → mean over languages, or over pairs of different languages; scalars.
    hits, counts
        (language, unit): correct predictions and items; their sums give the accuracy.
    confusion
        (language, class, class): items of the first class that were told to be of the second, by
        probes trained in the language itself; its diagonal sums to the hits.
    """

    accuracy: Estimate
    macro_f1: Estimate
    baselines: dict[str, Estimate]
    selectivity: Estimate
    transfer: Estimate
    transfer_centred: Estimate
    transfer_normalised: Float[np.ndarray, "language language_b"]
    normalisable: Bool[np.ndarray, language_b]  # noqa: F821
    mean: dict[str, Estimate]
    hits: Int[np.ndarray, "language unit"]
    counts: Int[np.ndarray, "language unit"]
    confusion: Int[np.ndarray, "language true told"]


class Resampler:
    """Sums over resamples of units.

    Parameters
    ----------
    weights
        Array (n_resamples, n_units): how often each resample draws each unit.
    """

    def __init__(self, weights: AnyArray) -> None:
        self._weights = np.asarray(weights, dtype=np.float64)

    def ratio(self, hits: AnyArray, counts: AnyArray) -> tuple[FloatArray, FloatArray]:
        """``Σ hits / Σ counts`` over units (last axis): the value, and a resample a row.

        A resample that drew nothing has the value of the whole.
        """
        hits, counts = np.broadcast_arrays(hits, counts)
        value = hits.sum(-1) / counts.sum(-1)
        above = np.moveaxis(hits @ self._weights.T, -1, 0)
        below = np.moveaxis(counts @ self._weights.T, -1, 0)
        drawn = np.divide(
            above, below, out=np.broadcast_to(value, above.shape).copy(), where=below > 0
        )
        return value, drawn

    def sums(self, values: AnyArray) -> FloatArray:
        """Sums over units (last axis) in every resample, which is the first axis."""
        found: FloatArray = np.moveaxis(values @ self._weights.T, -1, 0)
        return found


def estimate(value: AnyArray, samples: AnyArray) -> Estimate:
    """A value with the percentile interval of its resamples, which always holds the value."""
    low, high = percentile_band(samples)
    value = np.asarray(value, dtype=np.float64)
    return Estimate(value, np.minimum(low, value), np.maximum(high, value))


def probe_scores(
    items: Items,
    task: Labels,
    found: CrossFit,
    *,
    weights: AnyArray,
    majority: Float[np.ndarray, language],  # noqa: F821
    groups: tuple[list[int], list[int]] | None = None,
) -> ProbeScores:
    """Everything that held-out predictions of a task say.

    Parameters
    ----------
    items, task, found
        What was probed, its labels and the predictions of :func:`crossfit`.
    weights
        Bootstrap weights of units.
    majority
        By language: share of the commonest class.
    groups
        Source and target languages by number, whose mean transfer is reported as
        ``transfer_groups``.
    """
    draw = Resampler(weights)
    counts = items.sums((items.units >= 0) * 1.0)
    transfer, centred, baselines = _ratios(items, task, found, draw=draw)
    own = np.arange(items.n_languages)
    hits = _hits(items, found.predictions[own, own], task.values)
    accuracy = (transfer[0][own, own], transfer[1][:, own, own])
    f1 = macro_f1(items, task, found.predictions[own, own], draw=draw)
    control = baselines.get("control", (np.zeros(1), np.zeros((1, 1))))
    selectivity = (accuracy[0] - control[0], accuracy[1] - control[1])
    mean = {"accuracy": accuracy, "macro_f1": f1, "selectivity": selectivity, **baselines}
    whole = estimate(*accuracy)
    defined = whole.low > majority
    return ProbeScores(
        accuracy=whole,
        macro_f1=estimate(*f1),
        baselines={name: estimate(*pair) for name, pair in baselines.items()},
        selectivity=estimate(*selectivity),
        transfer=estimate(*transfer),
        transfer_centred=estimate(*centred),
        transfer_normalised=normalised_transfer(transfer[0], majority, defined),
        normalisable=defined,
        mean=_language_means(mean) | _pair_means(transfer, centred, groups),
        hits=hits.astype(np.int32),
        counts=counts.astype(np.int32),
        confusion=confusion(items, task, found.predictions[own, own]),
    )


def _ratios(
    items: Items, task: Labels, found: CrossFit, *, draw: Resampler
) -> tuple[Ratio, Ratio, dict[str, Ratio]]:
    """Accuracy of transfer, raw and centred, and of the companions, each with its resamples."""
    counts = items.sums((items.units >= 0) * 1.0)
    return (
        draw.ratio(_hits(items, found.predictions, task.values), counts),
        draw.ratio(_hits(items, found.centred, task.values), counts),
        {
            name: draw.ratio(_hits(items, said, task.companions[name]), counts)
            for name, said in found.companions.items()
        },
    )


def _language_means(found: dict[str, Ratio]) -> dict[str, Estimate]:
    """Means over languages."""
    return {
        name: estimate(value.mean(-1), drawn.mean(-1)) for name, (value, drawn) in found.items()
    }


def _hits(items: Items, said: AnyArray, true: AnyArray) -> FloatArray:
    """Right answers by unit, padding left out."""
    return items.sums(((said == true) & (items.units >= 0)) * 1.0)


def normalised_transfer(
    transfer: Float[np.ndarray, "language language_b"],
    chance: Float[np.ndarray, language_b],  # noqa: F821
    defined: Bool[np.ndarray, language_b],  # noqa: F821
) -> Float[np.ndarray, "language language_b"]:
    """``(T[a, b] − chance[b]) / (T[b, b] − chance[b])``: 1 is as at home; 0 where undefined."""
    above = np.diag(transfer) - chance
    safe = np.where(defined, above, 1.0)
    return np.where(defined, (transfer - chance) / safe, 0.0)


def _pair_means(
    transfer: tuple[FloatArray, FloatArray],
    centred: tuple[FloatArray, FloatArray],
    groups: tuple[list[int], list[int]] | None,
) -> dict[str, Estimate]:
    """Means over pairs of different languages; nothing with one language."""
    n = transfer[0].shape[0]
    pairs = {"": ~np.eye(n, dtype=bool)}
    if groups is not None:
        chosen = np.zeros((n, n), dtype=bool)
        chosen[np.ix_(*groups)] = True
        pairs["_groups"] = chosen & pairs[""]
    return {
        f"{name}{suffix}": estimate(value[kept].mean(), drawn[:, kept].mean(1))
        for suffix, kept in pairs.items()
        for name, (value, drawn) in (("transfer", transfer), ("transfer_centred", centred))
        if kept.any()
    }


def macro_f1(
    items: Items, task: Labels, predictions: Int[np.ndarray, "language item"], *, draw: Resampler
) -> tuple[FloatArray, FloatArray]:
    """Mean over classes of ``2 TP / (predicted + true)``: by language, and in every resample.

    A class that a resample neither holds nor predicts is left out of its mean.
    """
    there = items.units >= 0
    classes = np.arange(task.n_classes)[:, None, None]
    said, true = (predictions == classes) & there, (task.values == classes) & there
    agreed = 2.0 * items.sums((said & true) * 1.0)
    either = items.sums(said * 1.0) + items.sums(true * 1.0)
    value = _mean_of_ratios(agreed.sum(-1), either.sum(-1), axis=0)
    return value, _mean_of_ratios(draw.sums(agreed), draw.sums(either), axis=1)


def confusion(
    items: Items, task: Labels, predictions: Int[np.ndarray, "language item"]
) -> Int[np.ndarray, "language true told"]:
    """Items by class (row) and by the class that they are told to be of (column), by language."""
    n = task.n_classes
    found = np.zeros((items.n_languages, n, n), dtype=np.int32)
    language, item = np.nonzero(items.units >= 0)
    place = (language, task.values[language, item], predictions[language, item])
    np.add.at(found, place, 1)
    return found


def _mean_of_ratios(above: FloatArray, below: FloatArray, *, axis: int) -> FloatArray:
    shares = np.divide(above, below, out=np.zeros_like(above), where=below > 0)
    found: FloatArray = shares.sum(axis) / np.maximum(1, (below > 0).sum(axis))
    return found


def majority_accuracy(items: Items, task: Labels) -> Float[np.ndarray, language]:  # noqa: F821
    """By language: share of the commonest class, what always saying it would score."""
    there = items.units >= 0
    counts = np.stack([((task.values == k) & there).sum(1) for k in range(task.n_classes)])
    found: FloatArray = counts.max(0) / there.sum(1)
    return found
