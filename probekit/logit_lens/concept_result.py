"""From prompts to curves: means over words with intervals, as a dataset, a table, JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from probekit.measures.resampling import percentile_band
from probekit.sites import LANGUAGE, LAYER, depth

if TYPE_CHECKING:
    from collections.abc import Mapping

    import xarray as xr
    from rich.table import Table

    from probekit.logit_lens.concept_items import Items

RESAMPLES = 1000
CHANCE = "_chance"
_COLUMNS = (
    ("target", "target"),
    ("english", "English"),
    ("english_other", "its other words"),
    ("source", "source"),
    ("right", "right"),
    ("entropy", "entropy"),
    ("energy", "energy"),
)


def dataset(
    found: Mapping[str, Mapping[str, np.ndarray]],
    usable: Mapping[str, Items],
    *,
    n_units: int,
    seed: int,
    attributes: dict[str, Any],
) -> xr.Dataset:
    """Curves of every language and their mean; see :class:`ConceptLens`.

    Parameters
    ----------
    found
        Language → name → array (prompts, layers).
    usable
        Language → its prompts, which name the words.
    n_units
        Words of the lexicon.
    """
    import xarray as xr

    words = {code: np.array([item.word for item in items.items]) for code, items in usable.items()}
    weights = word_weights(list(words.values()), n_units, seed=seed)
    names = sorted(next(iter(found.values())))
    variables: dict[str, Any] = {}
    for name in names:
        columns = [_by_word(found[code][name], words[code], n_units) for code in usable]
        variables |= _curves(name, columns, weights)
    for count in ("n_words", "n_candidates", "n_meets_english", "n_meets_source"):
        counts = [int(getattr(items, count)) for items in usable.values()]
        variables[count] = (LANGUAGE, np.array(counts))
    variables["n_prompts"] = (LANGUAGE, np.array([len(items.items) for items in usable.values()]))
    n_layers = next(iter(found.values()))[names[0]].shape[1]
    layers = np.arange(-1, n_layers - 1)
    coordinates = {
        LAYER: layers,
        "depth": (LAYER, np.array([depth(int(layer), n_layers - 1) for layer in layers])),
        LANGUAGE: list(usable),
        "sources": (LANGUAGE, [",".join(items.sources) for items in usable.values()]),
    }
    attributes |= {
        "seed": seed,
        "interval": f"95 % percentile, {RESAMPLES} bootstrap resamples of words",
        "entropy_unit": "bits",
    }
    return xr.Dataset(variables, coords=coordinates, attrs=attributes)


def word_weights(words: list[np.ndarray], n_units: int, *, seed: int) -> np.ndarray:
    """How often each resample draws each word, the same for all languages.

    Drawn from the words in use; a resample that leaves a language without any is drawn again.

    Returns
    -------
    array of shape (RESAMPLES, n_units)
    """
    rng = np.random.default_rng([seed, 7])
    used = np.unique(np.concatenate(words))
    has = np.zeros((len(words), n_units))
    for row, of_language in enumerate(words):
        has[row, of_language] = 1
    weights = np.zeros((RESAMPLES, n_units))
    empty = np.ones(RESAMPLES, dtype=bool)
    while empty.any():
        drawn = rng.multinomial(len(used), np.full(len(used), 1 / len(used)), size=empty.sum())
        weights[np.ix_(empty, used)] = drawn
        empty = ((weights @ has.T) == 0).any(axis=1)
    return weights


def _by_word(values: np.ndarray, words: np.ndarray, n_units: int) -> tuple[np.ndarray, np.ndarray]:
    """Sums over the prompts of each word, and their number: arrays (units, layers), (units,)."""
    sums = np.zeros((n_units, values.shape[1]))
    np.add.at(sums, words, values)
    return sums, np.bincount(words, minlength=n_units).astype(float)


def _curves(
    name: str, columns: list[tuple[np.ndarray, np.ndarray]], weights: np.ndarray
) -> dict[str, tuple[tuple[str, ...], np.ndarray]]:
    """Ratio of sums over words by layer and language, and its mean over languages."""
    value = np.stack([sums.sum(0) / n.sum() for sums, n in columns], axis=1)
    curves = {name: ((LAYER, LANGUAGE), value), f"{name}_mean": ((LAYER,), value.mean(1))}
    if name.endswith(CHANCE):
        return curves
    draws = np.stack([(weights @ sums) / (weights @ n)[:, None] for sums, n in columns], axis=2)
    for key, axes, sample in (
        (name, (LAYER, LANGUAGE), draws),
        (f"{name}_mean", (LAYER,), draws.mean(2)),
    ):
        low, high = percentile_band(sample)
        curves |= {f"{key}_low": (axes, low), f"{key}_high": (axes, high)}
    return curves


def as_document(results: xr.Dataset) -> dict[str, Any]:
    """Attributes, coordinates and variables as JSON has them."""
    return {
        "attributes": dict(results.attrs),
        "coordinates": {str(n): v.to_numpy().tolist() for n, v in results.coords.items()},
        "variables": {
            str(name): {"axes": list(value.dims), "values": value.to_numpy().tolist()}
            for name, value in results.data_vars.items()
        },
    }


def layer_table(results: xr.Dataset) -> Table:
    """Means over languages with their intervals, one row a layer; floors in the last line."""
    from rich.table import Table

    shown = [(name, title) for name, title in _COLUMNS if f"{name}_mean" in results]
    attrs, n = results.attrs, int(results["n_prompts"].sum())
    table = Table(
        box=None,
        padding=(0, 1),
        header_style="bold",
        title=f"{attrs['task']}: {n} prompts, mean over {results.sizes[LANGUAGE]} languages",
        title_justify="left",
        caption=_floors(results),
        caption_justify="left",
    )
    for title in ("layer", *(title for _, title in shown)):
        table.add_column(title, justify="right")
    for row, layer in enumerate(results[LAYER].to_numpy()):
        label = "emb" if layer < 0 else str(layer)
        table.add_row(label, *(_cell(results, name, row) for name, _ in shown))
    return table


def _cell(results: xr.Dataset, name: str, row: int) -> str:
    value, low, high = (float(results[f"{name}_mean{end}"][row]) for end in ("", "_low", "_high"))
    return f"{value:.2f} [{low:.2f} {high:.2f}]"


def _floors(results: xr.Dataset) -> str:
    """What random vectors get, and what the intervals are."""
    masses = [str(name) for name in results if str(name).endswith(f"{CHANCE}_mean")]
    most = max(float(results[name].max()) for name in masses)
    return (
        f"random vectors: masses of {most:.1g} at most, energy "
        f"{float(results.attrs['energy_chance']):.2f} · entropy in bits · "
        f"[{results.attrs['interval']}]"
    )
