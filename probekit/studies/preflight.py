"""``preflight``: what a study will read, need and take, before any weight is loaded.

Texts, tokens, refusals and disk are counted as the run itself counts them. Memory and time are
estimates: of the sizes of arrays, and of the floating-point operations of pass, lens and measures
over the rate of a small product measured here and now. Takes seconds; writes nothing.
"""

from __future__ import annotations

import os
import shutil
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from probekit.capture import PassSettings, PooledVectors, TokenStatistics, tokenize
from probekit.capture.observers import shard_bytes
from probekit.errors import CorpusError
from probekit.instruments import Setting
from probekit.studies.choice import asked
from probekit.studies.runner import MIN_LANGUAGES, MIN_UNITS, SPARE_BYTES, read_corpus

if TYPE_CHECKING:
    from collections.abc import Sequence

    from probekit.capture import Observer, TokenizedCorpus
    from probekit.corpora import ParallelCorpus
    from probekit.instruments import Instrument
    from probekit.models.outline import Outline
    from probekit.studies.study import Study

#: Libraries, interpreter and bookkeeping of a process that studies a model.
BASE_BYTES = 900 << 20
#: Share of the rate of a plain product that a forward pass of small batches reaches.
PASS_SHARE = 0.5
#: Bytes a second in which weights are read and hashed.
LOAD_RATE = 250e6
#: Libraries are imported and the corpus is tokenised.
START_SECONDS = 12.0
#: Seconds that an analysis took on the built-in model and text (19 layers, 12 languages, 168 units,
#: 640 wide, 200 resamples) on two cores that multiply ``REFERENCE_RATE`` operations a second.
REFERENCE_SECONDS = {
    "cka": 10.0,
    "regions": 5.0,
    "alignment": 6.0,
    "geometry": 8.0,
    "norms": 0.3,
    "lens": 0.5,
    "mlp_regions": 8.0,
    "neurons": 12.0,
    "probes": 185.0,
}
REFERENCE_RATE = 60e9
OTHER_SECONDS = 10.0
#: What an analysis takes a layer, however small the model and the text.
LEAST_SECONDS = 0.15


@dataclass(frozen=True)
class Preflight:
    """What a study will read, need and take.

    Attributes
    ----------
    languages, n_units, n_texts, n_tokens
        What is read. Tokens are counted by the model's own tokenizer.
    available
        Languages of the corpus before the study chose among them.
    model, n_blocks, d_model, n_parameters, dtype, device
        The model.
    analyses
        Instruments that would run.
    refused
        Instrument → why this model or corpus cannot have it, also those that were not asked for.
    blocked
        Instruments that the study names and cannot have: the run would refuse to start.
    memory, memory_free
        Bytes: estimate of the largest resident size; free now, 0 where that is not known.
    disk, disk_free
        Bytes: what shards and pooled vectors need; free now.
    seconds
        Estimate by part: ``load``, ``pass``, ``measures``.
    """

    languages: tuple[str, ...]
    available: tuple[str, ...]
    n_units: int
    n_texts: int
    n_tokens: int
    model: str
    n_blocks: int
    d_model: int
    n_parameters: int
    dtype: str
    device: str
    analyses: tuple[str, ...]
    refused: dict[str, str]
    blocked: tuple[str, ...]
    memory: int
    memory_free: int
    disk: int
    disk_free: int
    seconds: dict[str, float]

    @property
    def problems(self) -> tuple[str, ...]:
        """Why the run would not start, or would not fit; empty when nothing speaks against it."""
        found = [f"analysis {name!r}: {self.refused[name]}" for name in self.blocked]
        if self.disk > self.disk_free:
            found.append(
                f"the disk has {self.disk_free / 1e6:,.0f} MB free and the run needs about "
                f"{self.disk / 1e6:,.0f} MB. Make room, or set keep_pooled: false."
            )
        if self.memory_free and self.memory > self.memory_free:
            found.append(
                f"memory has {self.memory_free / 1e9:.1f} GB free and the run needs about "
                f"{self.memory / 1e9:.1f} GB (estimate). Use a smaller model or dtype bfloat16."
            )
        return tuple(found)

    def to_dict(self) -> dict[str, Any]:
        """Everything as JSON has it, the problems included."""
        return {**asdict(self), "problems": list(self.problems)}


def preflight(study: Study, output: str | os.PathLike[str] = "runs") -> Preflight:
    """Look at a study before it runs; ``output`` says which disk is meant.

    Raises
    ------
    InputError
        What the run itself would refuse about model, corpus, languages or settings.
    """
    from probekit.models.outline import outline

    corpus = read_corpus(study)
    corpus.require(MIN_UNITS, MIN_LANGUAGES)
    subject = outline(
        study.model, study.revision, dtype=study.dtype, device=study.device, stack=study.stack
    )
    tokens = tokenize(
        subject, corpus, max_tokens=study.max_tokens, keep_first_token=study.keep_first_token
    )
    setting = Setting(subject, corpus, tokens, study.seed)
    refused, blocked = _refusals(study, setting)
    chosen = tuple(each for each in asked(study) if each.name not in refused)
    observers: tuple[Observer, ...] = (
        PooledVectors(study.pooling),
        TokenStatistics(),
        *(observer for each in chosen for observer in each.observers(setting)),
    )
    return Preflight(
        languages=corpus.languages,
        available=_available(study, corpus),
        n_units=corpus.n_units,
        n_texts=len(tokens.texts),
        n_tokens=tokens.n_tokens,
        model=study.model,
        n_blocks=subject.anatomy.n_blocks,
        d_model=subject.anatomy.d_model,
        n_parameters=subject.n_parameters,
        dtype=str(subject.dtype).removeprefix("torch."),
        device=subject.device.type,
        analyses=tuple(each.name for each in chosen),
        refused=refused,
        blocked=blocked,
        memory=_memory(study, subject, tokens, chosen),
        memory_free=_memory_free(),
        disk=_disk(study, subject, tokens, observers),
        disk_free=_disk_free(Path(output)),
        seconds=_seconds(study, subject, tokens, chosen),
    )


def _refusals(study: Study, setting: Setting) -> tuple[dict[str, str], tuple[str, ...]]:
    """Why each instrument cannot be had, and those of them that the study cannot do without."""
    every = study.model_copy(update={"analyses": None})
    refused = {each.name: reason for each in asked(every) if (reason := each.refusal(setting))}
    blocked = tuple(
        each.name
        for each in asked(study)
        if each.name in refused and (each.always or study.analyses is not None)
    )
    return refused, blocked


def _available(study: Study, corpus: ParallelCorpus) -> tuple[str, ...]:
    """Every language that the source has; a hub's are not listed, so those named stand for it."""
    if study.languages is None or study.corpus.startswith("hub:"):
        return corpus.languages
    try:
        return read_corpus(study.model_copy(update={"languages": None})).languages
    except CorpusError:  # a language that the study leaves out has gaps
        return corpus.languages


def _memory(
    study: Study, subject: Outline, tokens: TokenizedCorpus, chosen: Sequence[Instrument]
) -> int:
    """Weights and one batch during the pass, or one layer during the measures: the larger."""
    anatomy, budget = subject.anatomy, _settings(study, subject, tokens).token_budget or 1
    widest = max(anatomy.d_model * 8, anatomy.neurons.width * 4 if anatomy.neurons else 0)
    batch = 4 * budget * (widest + anatomy.d_model * (anatomy.n_blocks + 1))
    reading = subject.n_bytes + batch
    if any(each.name == "lens" for each in chosen):
        reading += 6 * 4 * 128 * _vocabulary(subject)
    layer = 4 * len(tokens.texts) * anatomy.d_model
    measuring = 12 * layer + 16 * tokens.n_units**2 * tokens.n_languages
    return int(BASE_BYTES + max(reading, measuring))


def _settings(study: Study, subject: Outline, tokens: TokenizedCorpus) -> PassSettings:
    settings = PassSettings(study.token_budget, study.units_per_shard, study.padding_side)
    return settings.resolve(subject, tokens.n_languages)


def _vocabulary(subject: Outline) -> int:
    path = subject.anatomy.unembed
    weight = subject.model.get_submodule(path).weight if path else None
    return 0 if weight is None else int(weight.shape[0])


def _disk(
    study: Study, subject: Outline, tokens: TokenizedCorpus, observers: Sequence[Observer]
) -> int:
    """The same sum that the run checks before it writes anything."""
    sizes = {"n_languages": tokens.n_languages, "n_units": tokens.n_units}
    shards = [shard_bytes(each, subject.anatomy, **sizes) for each in observers]
    return sum(shards) + (shards[0] if study.keep_pooled else 0) + SPARE_BYTES


def _disk_free(output: Path) -> int:
    place = next(path for path in (output, *output.absolute().parents) if path.exists())
    return shutil.disk_usage(place).free


def _memory_free() -> int:
    """Bytes of main memory that a new process could have; 0 where the system does not say."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        said = {
            name: int(rest.split()[0]) << 10 for name, _, rest in (x.partition(":") for x in lines)
        }
        return said["MemAvailable"]
    except (OSError, ValueError, KeyError, IndexError):
        pass
    try:
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):
        return 0


def _seconds(
    study: Study, subject: Outline, tokens: TokenizedCorpus, chosen: Sequence[Instrument]
) -> dict[str, float]:
    rate, host = measured_rate(subject.device), measured_rate("cpu")
    inner = max(0, subject.n_parameters - _vocabulary(subject) * subject.anatomy.d_model)
    operations = 2.0 * inner * tokens.n_tokens
    lens = next((each for each in chosen if each.name == "lens"), None)
    if lens is not None:
        operations += _lens_operations(subject, tokens, lens)
    return {
        "load": round(START_SECONDS + subject.n_bytes / LOAD_RATE, 1),
        "pass": round(operations / (PASS_SHARE * rate), 1),
        "measures": round(
            _measure_seconds(study, subject, tokens, chosen) * REFERENCE_RATE / host, 1
        ),
    }


def _lens_operations(subject: Outline, tokens: TokenizedCorpus, lens: Instrument) -> float:
    """Every position is unembedded at every layer: ``2 · vocabulary · width`` each."""
    positions = lens.options.positions or (96 if subject.device.type == "cpu" else "all")
    n = (
        tokens.n_tokens
        if positions == "all"
        else min(positions * tokens.n_languages, tokens.n_tokens)
    )
    n += lens.options.random_vectors
    anatomy = subject.anatomy
    operations: float = 2.0 * n * (anatomy.n_blocks + 1) * _vocabulary(subject) * anatomy.d_model
    return operations


def _measure_seconds(
    study: Study, subject: Outline, tokens: TokenizedCorpus, chosen: Sequence[Instrument]
) -> float:
    """The reference, scaled by layers and texts; by resamples too, where most of it is those."""
    scale = (subject.anatomy.n_blocks + 1) / 19 * len(tokens.texts) / (12 * 168)
    resamples = (study.bootstrap + study.permutations) / 400
    least = LEAST_SECONDS * (subject.anatomy.n_blocks + 1) * len(chosen)
    return least + sum(
        REFERENCE_SECONDS.get(each.name, OTHER_SECONDS) * scale * (0.5 + 0.5 * resamples)
        for each in chosen
    )


def measured_rate(device: Any, *, size: int = 768, seconds: float = 0.15) -> float:
    """Floating-point operations a second of a product of two ``size`` × ``size`` matrices here."""
    import torch

    on = torch.device(device)
    x = torch.ones(size, size, device=on)

    def synchronise() -> None:
        if on.type == "cuda":
            torch.cuda.synchronize(on)

    x @ x
    synchronise()
    started, n = time.perf_counter(), 0
    while (spent := time.perf_counter() - started) < seconds or n == 0:
        x @ x
        synchronise()
        n += 1
    return 2.0 * size**3 * n / max(spent, 1e-6)
