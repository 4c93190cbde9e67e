"""Zero each language's neurons in turn, beside random ones, and tabulate what every language loses.

Costs ``1 + 2 × languages`` readings of the chosen units, however many control draws there are: each
unit reads one draw. Sixteen units of the built-in corpus take some minutes on two cores.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from probekit.ablation.log_loss import Scored, choose_targets, require_next_token, text_losses
from probekit.ablation.result import AblationResult
from probekit.ablation.settings import AblationSettings
from probekit.ablation.zeroing import NeuronSet, as_sets, random_like, size
from probekit.capture import PassSettings, tokenize
from probekit.capture.engine import Progress
from probekit.capture.notebook_progress import standing
from probekit.errors import InputError, LanguageError
from probekit.measures.resampling import bootstrap_weights, percentile_band
from probekit.sites import ABLATED, DRAW, LANGUAGE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from probekit.corpora import ParallelCorpus
    from probekit.models import Subject

#: Units read unless said otherwise.
UNITS_CPU, UNITS_GPU = 16, 32
LEAST_UNITS = 4
_DRAWS = 6  # a random stream of its own


def ablate(
    subject: Subject,
    corpus: ParallelCorpus,
    neurons_by_language: Mapping[str, Any],
    *,
    progress: Progress | None = None,
    **settings: Any,
) -> AblationResult:
    """Change of log-perplexity of every language when one language's neurons are zeroed.

    ``change[a, b]`` is the next-token loss on texts of language b with the neurons of a zeroed at
    the input of the down projections, minus the loss of the untouched model: sums of losses over
    sums of tokens, in nats per token. ``random`` is the same for as many random neurons in the
    same blocks, ``excess`` their difference. Nothing in the model is changed.

    Parameters
    ----------
    subject
        A causal language model with readable neurons.
    corpus
        Texts to predict, best not those that the neurons were found on.
    neurons_by_language
        Language code → pairs ``(block, neuron)``; a language without neurons changes nothing.
    progress
        Told how far it is. Unless given, a notebook shows a bar and anything else nothing.
    **settings
        Fields of :class:`AblationSettings`, such as ``limit``, ``controls=3`` and ``seed=0``.

    Raises
    ------
    ModelError
        The subject predicts no next token, or its neurons cannot be read.
    InputError
        Neurons that the model does not have, no language, too few units, or a bad setting.
    NumericalError
        A loss that is not finite.
    """
    how = AblationSettings.of(settings)
    require_next_token(subject)
    anatomy = subject.anatomy
    width = anatomy.require_neurons().width
    sets = as_sets(neurons_by_language, n_blocks=anatomy.n_blocks, width=width)
    _check_languages(sets, corpus)
    units = spread_units(corpus.units, how.limit or _default_limit(subject))
    chosen = corpus.select(units=units)
    scored = _scored(subject, chosen, how)
    with standing(progress) as told:
        losses = _Reader(subject, scored, how, told).read_all(sets, width)
    return AblationResult(_tabulate(subject, chosen, scored, losses=losses, sets=sets, how=how))


def _default_limit(subject: Subject) -> int:
    return UNITS_CPU if subject.device.type == "cpu" else UNITS_GPU


def spread_units(units: Sequence[str], n: int) -> tuple[str, ...]:
    """``n`` units at equal distances, all of them where there are fewer.

    Raises
    ------
    InputError
        Fewer than four.
    """
    if min(n, len(units)) < LEAST_UNITS:
        msg = (
            f"ablation needs at least {LEAST_UNITS} units for an interval. Got "
            f"{min(n, len(units))} instead: raise limit or add units."
        )
        raise InputError(msg)
    at = np.unique(np.linspace(0, len(units) - 1, min(n, len(units))).round().astype(int))
    return tuple(units[place] for place in at)


def _check_languages(sets: Mapping[str, NeuronSet], corpus: ParallelCorpus) -> None:
    if not sets:
        msg = "neurons_by_language must name at least one language. Got none instead."
        raise InputError(msg)
    unknown = [code for code in sets if code not in corpus.languages]
    if unknown:
        msg = (
            f"neurons_by_language names {unknown[0]!r}, which the corpus does not have (has: "
            f"{', '.join(corpus.languages)}). Leave it out or add its texts."
        )
        raise LanguageError(msg)


def _scored(subject: Subject, corpus: ParallelCorpus, how: AblationSettings) -> Scored:
    """What is predicted; every text needs something, since any resample may draw its unit."""
    tokens = tokenize(subject, corpus, max_tokens=how.max_tokens)
    scored = choose_targets(tokens, most=how.positions, seed=how.seed)
    empty = np.argwhere(scored.counts == 0)
    if len(empty):
        language, unit = (int(k) for k in empty[0])
        msg = (
            f"unit {corpus.units[unit]!r} in {corpus.languages[language]!r} has no token that "
            "follows another, so nothing is predicted. Leave that unit out."
        )
        raise InputError(msg)
    return scored


@dataclass(frozen=True)
class Losses:
    """Sums of losses by text, arrays (language, unit), and by whose neurons were zeroed."""

    untouched: np.ndarray
    ablated: dict[str, np.ndarray]
    random: dict[str, np.ndarray]
    draw_of_unit: np.ndarray


@dataclass(frozen=True)
class _Reader:
    subject: Subject
    scored: Scored
    how: AblationSettings
    progress: Progress

    def read_all(self, sets: Mapping[str, NeuronSet], width: int) -> Losses:
        """The untouched model, then each language's neurons, then its controls."""
        n_units = self.scored.tokens.n_units
        work = 1 + 2 * sum(bool(chosen) for chosen in sets.values())
        self.progress.start(n_tokens=work * self.scored.tokens.n_tokens, done=0)
        one = np.zeros(n_units, dtype=np.int64)
        draw_of_unit = np.arange(n_units) % self.how.controls
        untouched = self._read([], one)
        ablated, random = {}, {}
        for code, chosen in sets.items():
            if not chosen:
                ablated[code] = random[code] = untouched
                continue
            ablated[code] = self._read([chosen], one)
            place = self.scored.tokens.languages.index(code)
            random[code] = self._read(self._draws(chosen, place, width=width), draw_of_unit)
        return Losses(untouched, ablated, random, draw_of_unit)

    def _draws(self, chosen: NeuronSet, place: int, *, width: int) -> list[NeuronSet]:
        """Draws of random neurons; those of one language do not depend on the others asked for."""
        streams = ([self.how.seed, _DRAWS, place, draw] for draw in range(self.how.controls))
        return [
            random_like(chosen, width=width, rng=np.random.default_rng(stream))
            for stream in streams
        ]

    def _read(self, sets: Sequence[NeuronSet], set_of_unit: np.ndarray) -> np.ndarray:
        pass_settings = PassSettings(self.how.token_budget)
        budget = pass_settings.resolve(self.subject, self.scored.tokens.n_languages).token_budget
        assert budget is not None
        return text_losses(
            self.subject,
            self.scored,
            sets,
            set_of_unit=set_of_unit,
            token_budget=budget,
            advance=self.progress.advance,
        )


def _tabulate(
    subject: Subject,
    corpus: ParallelCorpus,
    scored: Scored,
    *,
    losses: Losses,
    sets: Mapping[str, NeuronSet],
    how: AblationSettings,
) -> Any:
    """Changes with intervals, as a dataset."""
    import xarray as xr

    counts = scored.counts
    weights = bootstrap_weights(corpus.n_units, n_resamples=how.bootstrap, seed=how.seed)
    by_text = {
        "change": np.stack([losses.ablated[code] - losses.untouched for code in sets]),
        "random": np.stack([losses.random[code] - losses.untouched for code in sets]),
    }
    by_text["excess"] = by_text["change"] - by_text["random"]
    pair, one = (ABLATED, LANGUAGE), (LANGUAGE,)
    variables: dict[str, Any] = {}
    for name, sums in by_text.items():
        for end, tokens in (("", counts), ("_text", np.ones_like(counts))):
            for side, value in zip(
                ("", "_low", "_high"), _ratio(sums, tokens, weights), strict=True
            ):
                variables[f"{name}{end}{side}"] = (pair, value)
    base = _ratio(losses.untouched, counts, weights)
    for side, value in zip(("", "_low", "_high"), base, strict=True):
        variables[f"log_perplexity{side}"] = (one, value)
    variables["random_draw"] = (
        (ABLATED, DRAW, LANGUAGE),
        _by_draw(by_text["random"], counts, losses.draw_of_unit),
    )
    variables["n_neurons"] = (ABLATED, [size(chosen) for chosen in sets.values()])
    variables["n_scored"] = (one, counts.sum(axis=1))
    per_language = scored.tokens.tokens_per_language() / corpus.n_units
    variables["tokens_per_unit"] = (one, per_language)
    coordinates = {ABLATED: list(sets), LANGUAGE: list(corpus.languages)}
    return xr.Dataset(variables, coords=coordinates, attrs=_said(subject, corpus, scored, how=how))


def _ratio(
    sums: np.ndarray, tokens: np.ndarray, weights: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Sum over units by sum over units, with its 95 % interval; (…, language, unit) in."""
    estimate = sums.sum(axis=-1) / tokens.sum(axis=-1)
    samples = np.moveaxis(sums @ weights.T, -1, 0) / (weights @ tokens.T).reshape(
        len(weights), *(1,) * (sums.ndim - 2), -1
    )
    return (estimate, *percentile_band(samples))


def _by_draw(sums: np.ndarray, tokens: np.ndarray, draw_of_unit: np.ndarray) -> np.ndarray:
    """Each draw's change over the units that read it, (ablated, draw, language)."""
    draws = [draw_of_unit == draw for draw in range(int(draw_of_unit.max()) + 1)]
    return np.stack(
        [sums[..., rows].sum(axis=-1) / tokens[:, rows].sum(axis=-1) for rows in draws], axis=1
    )


def _said(
    subject: Subject, corpus: ParallelCorpus, scored: Scored, *, how: AblationSettings
) -> dict[str, Any]:
    return {
        "model": subject.source,
        "state_sha256": subject.state_sha256,
        "corpus": corpus.name,
        "n_units": corpus.n_units,
        "n_scored_total": int(scored.counts.sum()),
        "positions": how.positions or "all",
        "controls": how.controls,
        "seed": how.seed,
        "change": "next-token loss, zeroed minus untouched; nats per token, _text: per text",
        "random": "as many random neurons of the same blocks; each unit reads one of the draws",
        "interval": f"95 % percentile of {how.bootstrap} bootstrap resamples of units",
    }
