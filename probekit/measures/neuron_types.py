"""Silent, specific, partly shared and shared neurons, unit by unit.

After Sharing Matters (arXiv 2406.09265): a neuron is classed anew for every unit by the number of
languages in which that unit's text activates it. Costs one product of weights and counts.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from probekit.measures.checks import AnyArray, FloatArray, check_weights
from probekit.measures.resampling import percentile_band

#: Active in no language, in exactly one, in some, in all.
TYPES = ("silent", "specific", "partial", "shared")


@dataclass(frozen=True)
class NeuronTypes:
    """Shares of neurons by type, each an average over units; over the types they sum to 1.

    Attributes
    ----------
    share, low, high : arrays of shape (n_layers, 4)
        In the order of `TYPES`, with a 95 % bootstrap interval over units.
    chance : array of shape (n_layers, 4)
        The expected share if the units were paired at random between languages: what the neurons'
        rates alone give. ``share > chance`` for *shared* means that neurons follow the meaning.
    """

    share: FloatArray
    low: FloatArray
    high: FloatArray
    chance: FloatArray


def neuron_types(types: AnyArray, active: AnyArray, *, weights: AnyArray) -> NeuronTypes:
    """Average the types over units and compare with random pairing.

    Parameters
    ----------
    types : array of shape (n_layers, n_units, 4)
        Neurons of each type in each unit.
    active : array of shape (n_layers, n_languages, n_neurons)
        Units whose text activates the neuron.
    weights : array of shape (n_resamples, n_units)
        From `bootstrap_weights`.

    Raises
    ------
    InputError
        Weights of another shape.
    """
    n_units, n_neurons = types.shape[1], active.shape[2]
    weights = check_weights(weights, n_units)
    shares = np.asarray(types, dtype=np.float64) / n_neurons
    samples = np.einsum("ru,lut->rlt", weights, shares, optimize=True)
    low, high = percentile_band(samples / weights.sum(axis=1)[:, None, None])
    return NeuronTypes(
        share=shares.mean(axis=1), low=low, high=high, chance=chance_types(active / n_units)
    )


def chance_types(shares: AnyArray) -> FloatArray:
    """Expected types if languages were independent, averaged over neurons.

    Exact under independent uniform permutations of the units of each language: unit i then meets a
    random unit of every other language.

    Parameters
    ----------
    shares : array of shape (..., n_languages, n_neurons)
        Share of units that activate the neuron, in [0, 1].

    Returns
    -------
    array of shape (..., 4)
        In the order of `TYPES`.
    """
    by_language = np.moveaxis(np.asarray(shares, dtype=np.float64), -2, 0)
    none = np.ones(by_language.shape[1:])
    every, one = none.copy(), np.zeros_like(none)
    for q in by_language:
        one = one * (1 - q) + none * q
        none = none * (1 - q)
        every = every * q
    means = [part.mean(axis=-1) for part in (none, one, every)]
    silent, specific, shared = means
    partial = np.maximum(1 - silent - specific - shared, 0.0)
    return np.stack([silent, specific, partial, shared], axis=-1)
