"""Everything that counts of firing neurons say, with intervals and nulls.

Arrays in, arrays out. Costs ``groups + exchanges + halves`` selections for each of two thresholds:
seconds for 350,000 neurons.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from probekit.measures.checks import AnyArray, FloatArray
from probekit.measures.lape import (
    LanguageNeurons,
    below_cutoff,
    firing_rates,
    language_entropy,
    language_neurons,
)
from probekit.measures.neuron_sets import agreement, chance_jaccard, jaccard, pair_mean
from probekit.measures.neuron_types import TYPES, neuron_types
from probekit.measures.unit_groups import halves, jackknife_band, jackknife_error

Found = dict[str, AnyArray]
Select = Callable[[AnyArray], LanguageNeurons]


class Counts(Protocol):
    """Integer counts, as ``capture.firing`` makes them."""

    @property
    def by_group(self) -> AnyArray:
        """Array (group, layer, language, neuron)."""

    @property
    def exchanged(self) -> AnyArray:
        """Array (exchange, layer, language, neuron)."""

    @property
    def active(self) -> AnyArray:
        """Array (layer, language, neuron)."""

    @property
    def types(self) -> AnyArray:
        """Array (layer, unit, 4)."""


@dataclass(frozen=True)
class FiringEvidence:
    """Counts and the tokens that they were counted on.

    Attributes
    ----------
    by_group, exchanged : arrays of shape (n, n_layers, n_neurons, n_languages)
        Tokens on which a neuron fires: by group of units; by exchange of labels, over all units.
    group_tokens, exchanged_tokens : arrays of shape (n, n_languages)
        Content tokens.
    active : array of shape (n_layers, n_languages, n_neurons)
    types : array of shape (n_layers, n_units, 4)
    """

    by_group: AnyArray
    exchanged: AnyArray
    group_tokens: AnyArray
    exchanged_tokens: AnyArray
    active: AnyArray
    types: AnyArray

    @classmethod
    def of(
        cls, counts: Counts, lengths: AnyArray, *, groups: AnyArray, labels: AnyArray
    ) -> FiringEvidence:
        """From counts, content tokens of every text (language, unit), and what was drawn."""
        n_languages = len(lengths)
        n_groups = int(groups.max()) + 1
        exchanged = np.zeros((len(labels), n_languages), dtype=np.int64)
        for row, drawn in zip(exchanged, labels, strict=True):
            np.add.at(row, drawn, lengths.T)
        member = np.eye(n_groups, dtype=np.int64)[groups]
        return cls(
            by_group=np.swapaxes(counts.by_group, -1, -2),
            exchanged=np.swapaxes(counts.exchanged, -1, -2),
            group_tokens=(lengths @ member).T,
            exchanged_tokens=exchanged,
            active=counts.active,
            types=counts.types,
        )

    def rates(self, groups: AnyArray | None = None) -> FloatArray:
        """Rates over some groups of units, over all of them unless given."""
        chosen = slice(None) if groups is None else groups
        return firing_rates(self.by_group[chosen].sum(axis=0), self.group_tokens[chosen].sum(0))

    def without_each(self) -> Iterator[FloatArray]:
        """Rates without each group in turn."""
        counts, n_tokens = self.by_group.sum(axis=0), self.group_tokens.sum(axis=0)
        for part, size in zip(self.by_group, self.group_tokens, strict=True):
            yield firing_rates(counts - part, n_tokens - size)

    def exchanged_rates(self) -> Iterator[FloatArray]:
        """Rates of pseudo-languages, one exchange after another."""
        for counts, n_tokens in zip(self.exchanged, self.exchanged_tokens, strict=True):
            yield firing_rates(counts, n_tokens)


def measure_neurons(
    evidence: FiringEvidence,
    *,
    weights: AnyArray,
    share: float,
    quantile: float,
    active_share: float,
) -> Found:
    """Rates, entropies, selections with intervals and nulls, types, overlap.

    Parameters
    ----------
    evidence : FiringEvidence
    weights : array of shape (n_resamples, n_units)
        From `bootstrap_weights`; for the types, which are known unit by unit.
    share, quantile : float
        See `language_neurons`.
    active_share : float
        Neurons that fire on at least this share of a language's tokens are compared by Jaccard.

    Raises
    ------
    InputError
        Counts that do not fit their tokens, or a parameter outside its domain.
    """
    found = _rates(evidence)
    for end, by_layer in (("", False), ("_by_layer", True)):
        options: dict[str, Any] = {"share": share, "quantile": quantile, "by_layer": by_layer}

        def select(rates: AnyArray, options: dict[str, Any] = options) -> LanguageNeurons:
            return language_neurons(rates, **options)

        selection = _selection(evidence, select) | _stability(evidence, select)
        found |= {f"{name}{end}": value for name, value in selection.items()}
    return found | _types(evidence, weights) | _overlap(evidence, active_share)


def _rates(evidence: FiringEvidence) -> Found:
    """Counts, rates and entropies with delete-a-group errors; mean rates with intervals."""
    rates = evidence.rates()
    left = np.stack(list(evidence.without_each()))
    mean = rates.mean(axis=1)
    low, high = jackknife_band(mean, left.mean(axis=2), least=0, most=1)
    n_tokens = evidence.group_tokens.sum(axis=0)
    return {
        "count": evidence.by_group.sum(axis=0),
        "rate": rates.astype(np.float32),
        "rate_error": jackknife_error(left).astype(np.float32),
        "entropy": language_entropy(rates).astype(np.float32),
        "entropy_error": jackknife_error(language_entropy(left)).astype(np.float32),
        "mean_rate": mean,
        "mean_rate_low": low,
        "mean_rate_high": high,
        "n_tokens": n_tokens,
        "tokens_per_unit": n_tokens / evidence.types.shape[1],
    }


def _selection(evidence: FiringEvidence, select: Select) -> Found:
    """Who is selected, how many, how sure, and how many thresholds alone would select."""
    found = select(evidence.rates())
    left = [select(rates) for rates in evidence.without_each()]
    width = found.selected.shape[1]
    counted: Found = {
        "selected": found.selected,
        "belongs": found.belongs,
        "bar": found.bar,
        "cutoff": found.cutoff,
    }
    for name, axis, most in (
        ("n_selected", "selected", width),
        ("n_neurons", "belongs", width),
        ("n_total", "belongs", found.selected.size),
    ):
        over = (0, 1) if name == "n_total" else 1
        value = getattr(found, axis).sum(axis=over)
        replicates = np.stack([getattr(each, axis).sum(axis=over) for each in left])
        low, high = jackknife_band(value, replicates, least=0, most=most)
        counted |= {name: value, f"{name}_low": low, f"{name}_high": high}
    return counted | _null(evidence, found, select)


def _null(evidence: FiringEvidence, found: LanguageNeurons, select: Select) -> Found:
    """What the thresholds select when labels are exchanged, and where the cutoff would lie then."""
    exchanged = list(evidence.exchanged_rates())
    flags = [below_cutoff(rates, found) for rates in exchanged]
    by_language = np.stack([each.sum(axis=1) for each in flags])  # (exchange, layer, language)
    draws = np.moveaxis(by_language, 1, 0).reshape(by_language.shape[1], -1)
    return {
        "n_selected_null": np.mean([each.any(axis=2).sum(axis=1) for each in flags], axis=0),
        "n_neurons_null": draws.mean(axis=1),
        "n_neurons_null95": np.quantile(draws, 0.95, axis=1, method="higher").astype(np.float64),
        "cutoff_null": np.mean([select(rates).cutoff for rates in exchanged], axis=0),
    }


def _stability(evidence: FiringEvidence, select: Select) -> Found:
    """Jaccard of each language's neurons between halves of the corpus, over all ways to halve it.

    The range is that of the cuts, not an interval for the mean.
    """
    every = np.arange(len(evidence.by_group))
    pairs = []
    for half in halves(len(every)):
        first = select(evidence.rates(half))
        second = select(evidence.rates(np.setdiff1d(every, half)))
        pairs.append(agreement(first.belongs, second.belongs))
    found, chance = (np.stack(values) for values in zip(*pairs, strict=True))
    return {
        "stability": found.mean(axis=0),
        "stability_low": np.quantile(found, 0.025, axis=0, method="lower"),
        "stability_high": np.quantile(found, 0.975, axis=0, method="higher"),
        "stability_chance": chance.mean(axis=0),
    }


def _types(evidence: FiringEvidence, weights: AnyArray) -> Found:
    found = neuron_types(evidence.types, evidence.active, weights=weights)
    named: Found = {}
    for number, name in enumerate(TYPES):
        named |= {
            name: found.share[:, number],
            f"{name}_low": found.low[:, number],
            f"{name}_high": found.high[:, number],
            f"{name}_chance": found.chance[:, number],
        }
    return named


def _overlap(evidence: FiringEvidence, active_share: float) -> Found:
    """Jaccard between languages of the neurons that fire often, layer by layer."""

    def often(rates: AnyArray) -> AnyArray:
        flags: AnyArray = rates >= active_share
        return flags

    sets = often(evidence.rates())
    tables = jaccard(sets)
    left = np.stack([jaccard(often(rates)) for rates in evidence.without_each()])
    low, high = jackknife_band(tables, left, least=0, most=1)
    mean_low, mean_high = jackknife_band(pair_mean(tables), pair_mean(left), least=0, most=1)
    exchanged = [pair_mean(jaccard(often(rates))) for rates in evidence.exchanged_rates()]
    return {
        "jaccard": tables,
        "jaccard_low": low,
        "jaccard_high": high,
        "jaccard_mean": pair_mean(tables),
        "jaccard_mean_low": mean_low,
        "jaccard_mean_high": mean_high,
        "jaccard_mean_chance": pair_mean(chance_jaccard(sets)),
        "jaccard_mean_exchanged": np.mean(exchanged, axis=0),
    }
