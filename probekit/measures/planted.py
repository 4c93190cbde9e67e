"""Pooled arrays with a known answer, for tests and documentation.

Costs one draw of n_layers × n_languages × n_units × d normal numbers.
"""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from probekit.errors import InputError
from probekit.measures.checks import FloatArray

_SHARED_OFFSET = 0.2  # length of a language's offset against the length of a meaning
_APART_OFFSET = 3.0


def planted_pooled(
    n_layers: int,
    n_languages: int,
    n_units: int,
    *,
    d: int,
    shared_layers: Collection[int],
    seed: int,
    noise: float = 0.5,
) -> FloatArray:
    """Pooled vectors in which languages share one space in `shared_layers` and in no other.

    Shared: ``x[a,i] = z[i] + noise · e[a,i] + small offset of a``, one z for all languages, no
    rotation. Elsewhere each language has a z of its own and a large offset. So CKA is high and
    LRDS low exactly in the shared layers.

    Parameters
    ----------
    n_layers, n_languages, n_units, d : int
        Axes of the result.
    shared_layers : collection of int
        Indices into the first axis.
    seed : int
    noise : float
        Standard deviation of what is a language's own, against 1 for the meaning; >= 0.

    Returns
    -------
    array of shape (n_layers, n_languages, n_units, d)

    Raises
    ------
    InputError
        A shared layer that does not exist, or negative noise.
    """
    outside = sorted(set(shared_layers) - set(range(n_layers)))
    if outside or noise < 0:
        msg = (
            f"shared_layers must lie in 0 … {n_layers - 1} and noise must not be negative."
            f" Got {outside or noise} instead."
        )
        raise InputError(msg)
    rng = np.random.default_rng(seed)
    layers = [
        _layer(rng, (n_languages, n_units, d), noise=noise, shared=layer in shared_layers)
        for layer in range(n_layers)
    ]
    return np.stack(layers)


def _layer(
    rng: np.random.Generator, shape: tuple[int, int, int], *, noise: float, shared: bool
) -> FloatArray:
    n_languages, n_units, d = shape
    meaning = rng.standard_normal((1 if shared else n_languages, n_units, d))
    offset = rng.standard_normal((n_languages, 1, d))
    offset *= _SHARED_OFFSET if shared else _APART_OFFSET
    layer: FloatArray = meaning + offset + noise * rng.standard_normal(shape)
    return layer


def pure_noise(n_layers: int, n_languages: int, n_units: int, *, d: int, seed: int) -> FloatArray:
    """Independent standard normal vectors: no shared meaning, no language offset, any layer alike.

    Returns
    -------
    array of shape (n_layers, n_languages, n_units, d)
    """
    rng = np.random.default_rng(seed)
    return rng.standard_normal((n_layers, n_languages, n_units, d))
