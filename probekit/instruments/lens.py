"""The logit lens over the corpus: wiring of :class:`~probekit.logit_lens.LensStatistics`.

What every layer would predict, by language: how sure it is, how far from the model's own output,
where the true token ranks, and on which language's tokens its probability lies. On a GPU all
content tokens are read; on a CPU 96 positions of each language.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from probekit.errors import ModelError
from probekit.instruments.instrument import Instrument, InstrumentOptions
from probekit.logit_lens.estimates import Estimate, interval, merge_sums, resampled
from probekit.logit_lens.observer import WITH_FLOOR, LensStatistics
from probekit.logit_lens.sampling import sample_positions, texts_with_positions
from probekit.logit_lens.token_languages import UNDETERMINED, token_languages
from probekit.sites import LANGUAGE, LAYER, TOKEN_LANGUAGE

if TYPE_CHECKING:
    from collections.abc import Mapping

    import xarray as xr

    from probekit.capture import Observer
    from probekit.capture.observers import State
    from probekit.instruments.instrument import Evidence, Setting
    from probekit.models import Subject

    Variables = dict[str, tuple[tuple[str, ...], Any]]

CPU_POSITIONS = 96
#: Texts of a language with a position to read, below which no resample is worth drawing.
FEWEST_TEXTS = 4
#: Name in a run → statistic that is summed.
NAMES = {
    "entropy": "entropy",
    "kl": "kl",
    "agreement": "agreement",
    "surprisal": "surprisal",
    "log_rank": "log_rank",
    "mrr": "reciprocal_rank",
}
_SUMMARY = ("entropy", "kl", "agreement", "log_rank", "mrr", "own_mass")


class Lens(Instrument):
    """What every layer would predict, and in which language."""

    name = "lens"
    summary: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "lens": (
            *(f"{name}_mean{end}" for name in _SUMMARY for end in ("", "_low", "_high")),
            "own_mass_mean_chance",
            "undetermined_mean",
        )
    }
    by_language: ClassVar[Mapping[str, str]] = {"lens": "own_mass"}

    class Options(InstrumentOptions):
        """Settings of the corpus lens.

        Attributes
        ----------
        positions
            Positions read of each language, or ``all``; None: ``all`` on a GPU, 96 on a CPU.
        random_vectors
            Random vectors behind the chance level, at least 8.
        smoothing
            Pseudo-count of a token when its language is told from counts; at least 0.
        share
            Smoothed share of its occurrences that makes a token a language's; above 0.5, up to 1.
        """

        positions: int | Literal["all"] | None = Field(default=None)
        random_vectors: int = Field(default=64, ge=8)
        smoothing: float = Field(default=0.5, ge=0, allow_inf_nan=False)
        share: float = Field(default=0.75, gt=0.5, le=1)

        def model_post_init(self, _context: Any) -> None:
            """Refuse a number of positions below one."""
            if isinstance(self.positions, int) and self.positions < 1:
                msg = f"positions must be at least 1, or 'all'. Got {self.positions} instead."
                raise ValueError(msg)

    def refusal(self, setting: Setting) -> str:
        """No unembedding to read with, or too few texts with a token to predict."""
        from probekit.models.head import unembedding

        try:
            unembedding(setting.subject)
        except ModelError as error:
            return str(error)
        counts = texts_with_positions(setting.tokens, next_token=_predicts_next(setting.subject))
        fewest = int(counts.argmin())
        if counts[fewest] < FEWEST_TEXTS:
            return (
                f"language {setting.corpus.languages[fewest]!r} has {counts[fewest]} texts with a "
                f"token to predict; the lens needs {FEWEST_TEXTS}. Use longer or more texts."
            )
        return ""

    def observers(self, setting: Setting) -> tuple[Observer, ...]:
        """One observer, with its positions and token classes drawn beforehand."""
        from probekit.models.head import unembedding

        subject, options = setting.subject, self.options
        on_cpu = subject.device.type == "cpu"
        positions: int | Literal["all"] = options.positions or (CPU_POSITIONS if on_cpu else "all")
        sample = sample_positions(
            setting.tokens,
            per_language=positions,
            next_token=_predicts_next(subject),
            n_floor=options.random_vectors,
            seed=setting.seed,
        )
        classes = token_languages(
            setting.tokens,
            subject.tokenizer,
            languages=setting.corpus.languages,
            vocabulary=unembedding(subject).vocabulary,
            smoothing=options.smoothing,
            share=options.share,
        )
        settings = options.model_dump() | {"positions": positions}
        return (
            LensStatistics(
                subject,
                sample=sample,
                token_languages=classes,
                seed=setting.seed,
                settings=settings,
            ),
        )

    def finish(self, groups: dict[str, xr.Dataset], evidence: Evidence) -> dict[str, xr.Dataset]:
        """The group ``lens``."""
        sums = merge_sums(evidence.states(LensStatistics.name))
        variables: Variables = {}
        for name, statistic in NAMES.items():
            by_language = _by_language(sums, statistic, evidence.weights)
            variables |= _with_mean(name, by_language)
            if statistic in WITH_FLOOR:
                chance = _floor(sums, statistic, evidence.weights)
                variables |= _estimate(f"{name}_chance", chance, (LAYER,))
        variables |= _masses(sums, evidence)
        group = evidence.dataset(variables)
        names = np.array([*evidence.corpus.languages, UNDETERMINED], dtype=object)
        group = group.assign_coords({TOKEN_LANGUAGE: (TOKEN_LANGUAGE, names)})
        group.attrs.update(_attributes(sums))
        return {**groups, "lens": group}


def _predicts_next(subject: Subject) -> bool:
    """Whether the model reads one way: then the truth is the next token, else the token itself."""
    return subject.anatomy.stack == "decoder"


def _by_language(sums: State, statistic: str, weights: np.ndarray) -> np.ndarray:
    """Ratios of every language: array (1 + n_resamples, layer, language, …)."""
    arrays = [
        resampled(sums[statistic][:, language], counts, weights)
        for language, counts in enumerate(sums["n"])
    ]
    return np.stack(arrays, axis=2)


def _floor(sums: State, statistic: str, weights: np.ndarray) -> Estimate:
    """The same of random vectors: estimate over (layer, …)."""
    return interval(resampled(sums[f"floor_{statistic}"], sums["floor_n"], weights))


def _estimate(name: str, found: Estimate, axes: tuple[str, ...]) -> Variables:
    ends = zip(("", "_low", "_high"), found, strict=True)
    return {f"{name}{end}": (axes, values) for end, values in ends}


def _with_mean(name: str, ratios: np.ndarray) -> Variables:
    """A statistic by layer and language, and its mean over languages, all with intervals."""
    return _estimate(name, _intervals(ratios), (LAYER, LANGUAGE)) | _estimate(
        f"{name}_mean", interval(ratios.mean(axis=2)), (LAYER,)
    )


def _intervals(ratios: np.ndarray) -> Estimate:
    """Intervals language by language: each leaves out the resamples that drew none of its own."""
    found = [interval(ratios[:, :, language]) for language in range(ratios.shape[2])]
    return Estimate(*(np.stack(parts, axis=1) for parts in zip(*found, strict=True)))


def _masses(sums: State, evidence: Evidence) -> Variables:
    """Mass by class, on the own language and undetermined, with their chance floor."""
    ratios = _by_language(sums, "mass", evidence.weights)
    floor = _floor(sums, "mass", evidence.weights)
    own = np.moveaxis(np.diagonal(ratios[..., :-1], axis1=2, axis2=3), -1, 2)
    chance = floor.value[:, :-1]
    return {
        **_estimate("mass", _intervals(ratios), (LAYER, LANGUAGE, TOKEN_LANGUAGE)),
        **_estimate("mass_chance", floor, (LAYER, TOKEN_LANGUAGE)),
        **_with_mean("own_mass", own),
        "own_mass_chance": ((LAYER, LANGUAGE), chance),
        "own_mass_mean_chance": ((LAYER,), chance.mean(axis=1)),
        **_estimate("undetermined_mean", interval(ratios[..., -1].mean(axis=2)), (LAYER,)),
        "own_share_of_truth": ((LANGUAGE,), sums["n_own"].sum(axis=1) / sums["n"].sum(axis=1)),
        "n_positions": ((LANGUAGE,), sums["n"].sum(axis=1)),
        "n_texts": ((LANGUAGE,), (sums["n"] > 0).sum(axis=1)),
        "class_tokens": ((TOKEN_LANGUAGE,), sums["class_tokens"]),
    }


def _attributes(sums: State) -> dict[str, Any]:
    vocabulary = int(sums["class_tokens"].sum())
    ranks = np.arange(1, vocabulary + 1)
    return {
        "vocabulary": vocabulary,
        "predicts": "next token" if sums["next_token"][0] else "the token itself, unmasked",
        "n_positions": int(sums["n"].sum()),
        "n_random_vectors": int(sums["floor_n"].sum()),
        "entropy_most": float(np.log2(vocabulary)),
        "log_rank_uniform": float(np.log2(ranks).mean()),
        "mrr_uniform": float((1.0 / ranks).mean()),
        "units": "entropy, kl, surprisal: bits; log_rank: log2 of the true token's rank, 1 is best",
        "kl_direction": "KL(final || lens)",
        "estimator": "ratio of sums over units: mean over sampled positions",
        "interval": "95 % percentile of the bootstrap over units",
        "chance": "random vectors of the same norms, through the same norm and unembedding",
    }
