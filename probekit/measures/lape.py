"""LAPE: neurons whose firing rate says which language they read, and how sure that is.

After Tang et al. 2024 (arXiv 2402.16438) as their released code does it. Everything is derived from
integer counts. One selection sorts ``n_layers × n_neurons`` entropies; the interval repeats it for
every group of units, the null for every exchange of labels, the stability for every pair of halves.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from probekit.errors import InputError
from probekit.measures.checks import AnyArray, FloatArray

Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class LanguageNeurons:
    """Neurons selected by LAPE.

    Attributes
    ----------
    rates : array of shape (n_layers, n_neurons, n_languages)
        ``p[j,a]``: share of the language's tokens on which the neuron fires, in [0, 1].
    entropy : array of shape (n_layers, n_neurons)
        LAPE in nats, in [0, ln n_languages]; ``ln n_languages`` for a neuron that never fires.
    selected : array of shape (n_layers, n_neurons)
        Lowest entropies among neurons with some rate above the bar.
    belongs : array of shape (n_layers, n_neurons, n_languages)
        Selected, and this language's rate is above the bar. A language without any stays.
    bar, cutoff : arrays of shape (n_layers,)
        Rate above which a neuron counts for a language; highest selected entropy (minus infinity
        where nothing was selected). Constant over layers for a global threshold.
    """

    rates: FloatArray
    entropy: FloatArray
    selected: Flags
    belongs: Flags
    bar: FloatArray
    cutoff: FloatArray


def firing_rates(counts: AnyArray, n_tokens: AnyArray) -> FloatArray:
    """``counts / n_tokens``: array (…, n_languages).

    Raises
    ------
    InputError
        A language without tokens, or a count outside 0 … n_tokens.
    """
    counts, n_tokens = np.asarray(counts), np.asarray(n_tokens)
    if counts.shape[-1:] != n_tokens.shape or (n_tokens < 1).any():
        msg = (
            "n_tokens must say for every language how many tokens were counted, at least 1. Got"
            f" {n_tokens.tolist()} for counts of shape {counts.shape} instead."
        )
        raise InputError(msg)
    if counts.min(initial=0) < 0 or (counts > n_tokens).any():
        msg = (
            "counts must lie between 0 and n_tokens. Got values from"
            f" {counts.min()} to {counts.max()} instead: count and n_tokens must see one corpus."
        )
        raise InputError(msg)
    return counts / n_tokens


def language_entropy(rates: AnyArray) -> FloatArray:
    """LAPE ``−Σ_a p'_a ln p'_a`` with ``p' = p / Σ_a p``, over the last axis.

    In [0, ln L]: 0 if one language alone fires the neuron, ln L if all do alike. A neuron that
    never fires tells no language and gets ln L.
    """
    rates = np.asarray(rates, dtype=np.float64)
    total = rates.sum(axis=-1, keepdims=True)
    shares = np.divide(rates, total, out=np.full_like(rates, 1 / rates.shape[-1]), where=total > 0)
    logs = np.log(shares, out=np.zeros_like(shares), where=shares > 0)
    entropy: FloatArray = np.abs(np.einsum("...a,...a->...", shares, logs))
    return entropy


def language_neurons(
    rates: AnyArray, *, share: float = 0.01, quantile: float = 0.95, by_layer: bool = False
) -> LanguageNeurons:
    """The ``round(share · N)`` neurons of lowest LAPE, and the languages that they belong to.

    Neurons are dropped unless some language's rate is above the bar, the ``round(quantile · M)``-th
    smallest of all M rates; a selected neuron belongs to every language whose rate is above the
    same bar. Equal entropies are taken in the order of the neurons.

    Parameters
    ----------
    rates : array of shape (n_layers, n_neurons, n_languages)
        From `firing_rates`.
    share, quantile : float
        In (0, 1); the paper's .01 and .95.
    by_layer : bool
        Take bar and share within every layer, instead of over all neurons of the model.

    Raises
    ------
    InputError
        Another shape, fewer than two languages, or a parameter outside its domain.
    """
    rates = _checked(rates, share=share, quantile=quantile)
    entropy = language_entropy(rates)
    n_layers = len(rates)
    pools = rates if by_layer else rates.reshape(1, -1, rates.shape[-1])
    scores = entropy.reshape(pools.shape[:2])
    chosen = [
        _select(pool, score, share=share, quantile=quantile)
        for pool, score in zip(pools, scores, strict=True)
    ]
    selected = np.stack([flags for flags, _, _ in chosen]).reshape(entropy.shape)
    bar = np.resize([bar for _, bar, _ in chosen], n_layers)
    return LanguageNeurons(
        rates=rates,
        entropy=entropy,
        selected=selected,
        belongs=selected[..., None] & (rates > bar[:, None, None]),
        bar=bar,
        cutoff=np.resize([cutoff for _, _, cutoff in chosen], n_layers),
    )


def _select(
    rates: FloatArray, entropy: FloatArray, *, share: float, quantile: float
) -> tuple[Flags, float, float]:
    """Flags of one pool of neurons, its bar and its highest selected entropy."""
    bar = rate_bar(rates, quantile)
    eligible = (rates > bar).any(axis=1)
    count = min(round(share * len(rates)), int(eligible.sum()))
    order = np.argsort(np.where(eligible, entropy, np.inf), kind="stable")[:count]
    flags = np.zeros(len(rates), dtype=np.bool_)
    flags[order] = True
    return flags, bar, float(entropy[order].max(initial=-np.inf))


def rate_bar(rates: AnyArray, quantile: float) -> float:
    """The ``round(quantile · M)``-th smallest of all M rates."""
    flat = np.asarray(rates).ravel()
    rank = max(round(quantile * flat.size), 1)
    return float(np.partition(flat, rank - 1)[rank - 1])


def below_cutoff(rates: AnyArray, found: LanguageNeurons) -> Flags:
    """What the thresholds of `found` select from other rates: array (layer, neuron, language).

    On rates of exchanged languages, every one is a false discovery.
    """
    passing = language_entropy(rates) <= found.cutoff[:, None]
    flags: Flags = passing[..., None] & (np.asarray(rates) > found.bar[:, None, None])
    return flags


def _checked(rates: AnyArray, *, share: float, quantile: float) -> FloatArray:
    rates = np.asarray(rates, dtype=np.float64)
    if rates.ndim != 3 or rates.shape[-1] < 2 or not rates.size:
        msg = (
            "rates must have shape (n_layers, n_neurons, n_languages >= 2). Got"
            f" {rates.shape} instead."
        )
        raise InputError(msg)
    if not (0 < share < 1 and 0 < quantile < 1):
        msg = f"share and quantile must lie in (0, 1). Got {share} and {quantile} instead."
        raise InputError(msg)
    return rates
