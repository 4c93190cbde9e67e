"""How much nearer the tuned lens is to the model's own output, on units it has not seen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from probekit.measures.resampling import bootstrap_weights, percentile_band
from probekit.sites import LANGUAGE, LAYER, depth

if TYPE_CHECKING:
    from collections.abc import Sequence

    import xarray as xr

    from probekit.capture.tokens import TokenizedText

RESAMPLES = 1000
#: Type of the names ``plain``, ``ridge`` and ``refined``.
KINDS = "<U7"


def make_report(
    nats: np.ndarray,
    texts: Sequence[TokenizedText],
    *,
    kinds: Sequence[str],
    languages: Sequence[str],
    seed: int,
    **settings: int,
) -> xr.Dataset:
    """``KL(model ‖ lens)`` in nats by layer and language, before and after.

    ``plain`` and ``tuned``, each with ``_low`` and ``_high`` (95 % bootstrap over units), and the
    same as ``_mean`` over languages; ``kept`` says which lens each layer uses. ``constant`` is the
    divergence of one fixed guess, the mean of the last layer: what a lens that reads nothing gets.

    Parameters
    ----------
    nats : array of shape (positions, 2 · layers + 1)
        Plain lens, tuned lens, constant guess, at one position a text.
    texts
        The text of each position: every language of every unit.
    kinds
        ``plain``, ``ridge`` or ``refined``, by layer.
    """
    import xarray as xr

    n_layers = len(kinds)
    units = sorted({text.unit for text in texts})
    table = np.empty((len(units), len(languages), nats.shape[1]))
    for text, row in zip(texts, nats, strict=True):
        table[units.index(text.unit), text.language] = row
    weights = bootstrap_weights(len(units), n_resamples=RESAMPLES, seed=seed)
    by_layer = {"plain": table[..., :n_layers], "tuned": table[..., n_layers : 2 * n_layers]}
    variables: dict[str, Any] = {"kept": (LAYER, np.asarray(kinds))}
    for name, values in by_layer.items():
        variables |= _with_interval(name, values.transpose(0, 2, 1), weights, (LAYER, LANGUAGE))
        variables |= _with_interval(f"{name}_mean", values.mean(1), weights, (LAYER,))
    variables |= _with_interval("constant", table[..., -1], weights, (LANGUAGE,))
    attributes = {
        "unit": "nats",
        "n_units": len(units),
        "n_positions": len(texts),
        "constant_mean": float(table[..., -1].mean()),
        "interval": f"95 % percentile, {RESAMPLES} bootstrap resamples of units",
        "seed": seed,
        **settings,
    }
    return xr.Dataset(variables, coords=_coordinates(n_layers, languages), attrs=attributes)


def _coordinates(n_layers: int, languages: Sequence[str]) -> dict[str, Any]:
    layers = np.arange(-1, n_layers - 1)
    depths = np.array([depth(int(layer), n_layers) for layer in layers])
    return {LAYER: layers, "depth": (LAYER, depths), LANGUAGE: list(languages)}


def _with_interval(
    name: str, values: np.ndarray, weights: np.ndarray, axes: tuple[str, ...]
) -> dict[str, tuple[tuple[str, ...], np.ndarray]]:
    """Mean over units (first axis) and the ends of its interval."""
    draws = np.tensordot(weights, values, axes=1) / weights.sum(1)[(...,) + (None,) * len(axes)]
    low, high = percentile_band(draws)
    return {
        name: (axes, values.mean(0)),
        f"{name}_low": (axes, low),
        f"{name}_high": (axes, high),
    }
