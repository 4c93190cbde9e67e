"""Runs a study: check everything, read once, measure layer by layer, write the run.

Nothing is written before every input was checked. The model is let go before the measures begin,
which then hold one layer at a time.
"""

from __future__ import annotations

import shutil
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from probekit.capture import (
    PassSettings,
    PooledVectors,
    ShardStore,
    TokenStatistics,
    capture,
    tokenize,
)
from probekit.capture.engine import Silent
from probekit.capture.observers import shard_bytes
from probekit.capture.shards import storage_errors, write_atomically
from probekit.errors import InterruptedRun, StorageError
from probekit.instruments import Setting
from probekit.runs import Manifest, Run, open_run, write_results
from probekit.runs import manifest as manifests
from probekit.studies.analysis import analyse
from probekit.studies.choice import choose
from probekit.studies.identity import (
    check_folder,
    claim_folder,
    fingerprint,
    pass_identity,
    study_identity,
)
from probekit.studies.provenance import corpus_card, model_card, token_card, versions

if TYPE_CHECKING:
    from probekit.capture import Observer, TokenizedCorpus
    from probekit.capture.engine import Captured, Progress
    from probekit.corpora import ParallelCorpus
    from probekit.instruments import Instrument
    from probekit.models import Subject
    from probekit.studies.study import Study

MIN_UNITS, MIN_LANGUAGES = 8, 2
SHARDS = "shards"
#: What a run needs on disk besides its vectors.
SPARE_BYTES = 8 << 20


@dataclass(frozen=True)
class Prepared:
    """A study with its inputs read and checked, and nothing written yet."""

    study: Study
    corpus: ParallelCorpus
    tokens: TokenizedCorpus
    settings: PassSettings
    passed: dict[str, Any]
    identity: dict[str, Any]
    model: dict[str, Any]
    instruments: tuple[Instrument, ...]
    left_out: dict[str, str]


def run_study(
    study: Study,
    folder: Path,
    *,
    subject: Subject | None = None,
    corpus: ParallelCorpus | None = None,
    progress: Progress | None = None,
) -> Run:
    """Run a study into a folder, resume it, or open it when it is finished; see ``Study.run``."""
    told = progress or Silent()
    try:
        text = _chosen(study, corpus) if corpus is not None else read_corpus(study)
        said = _naming(study, corpus, subject)
        return _run(said, folder, text, subject=subject, progress=told)
    except KeyboardInterrupt:
        msg = f"interrupted. Finished shards are kept in {str(folder)!r}; the same command resumes."
        raise InterruptedRun(msg) from None


def _run(
    study: Study,
    folder: Path,
    corpus: ParallelCorpus,
    *,
    subject: Subject | None,
    progress: Progress,
) -> Run:
    corpus.require(MIN_UNITS, MIN_LANGUAGES)
    if corpus.dropped:
        progress.say(corpus.dropped.summary())
    prepared, captured, seconds = _read(study, corpus, folder, subject=subject, progress=progress)
    if captured is None:
        finished = open_run(folder)
        progress.say(f"{folder} holds this finished run already")
        _drop_shards(study, folder)
        return finished
    started = time.perf_counter()
    _write(prepared, captured, folder, progress)
    seconds["measures"] = round(time.perf_counter() - started, 3)
    _sign(prepared, captured, folder, seconds)
    _drop_shards(study, folder)
    return open_run(folder, verify=False)


def _drop_shards(study: Study, folder: Path) -> None:
    if not study.keep_shards:
        shutil.rmtree(folder / SHARDS, ignore_errors=True)


def read_corpus(study: Study) -> ParallelCorpus:
    """The text that a study names; see :func:`probekit.open_corpus`."""
    from probekit.corpora import open_corpus

    return open_corpus(
        study.corpus,
        languages=study.languages,
        missing=study.missing,
        limit=study.limit,
        **study.corpus_options,
    )


def _chosen(study: Study, corpus: ParallelCorpus) -> ParallelCorpus:
    """Languages and units of a corpus in memory that a study asks for."""
    units = corpus.units if study.limit is None else corpus.units[: study.limit]
    return corpus.select(languages=study.languages, units=units)


def _naming(study: Study, corpus: ParallelCorpus | None, subject: Subject | None) -> Study:
    """The study as run: what came from memory is named as such, not as what it stood in for."""
    given = {"corpus": corpus and f"memory:{corpus.name}", "model": subject and subject.source}
    return study.model_copy(update={name: value for name, value in given.items() if value})


def _rooted(study: Study) -> Study:
    """The study with its files named from the root, so that it resumes from any folder."""
    files = {
        name: str(Path(value).absolute())
        for name, value in (("corpus", study.corpus), ("model", study.model))
        if Path(value).exists()
    }
    return study.model_copy(update=files)


def load_subject(study: Study) -> Subject:
    """The model that a study names; see :func:`probekit.load`."""
    from probekit.models import load

    return load(
        study.model,
        study.revision,
        study.dtype,
        device=study.device,
        adapter=study.adapter,
        stack=study.stack,
        trust_remote_code=study.trust_remote_code,
    )


def _read(
    study: Study,
    corpus: ParallelCorpus,
    folder: Path,
    *,
    subject: Subject | None,
    progress: Progress,
) -> tuple[Prepared, Captured | None, dict[str, float]]:
    """Load the model, check the folder, read what is not read yet, and let the model go."""
    from probekit.models.backends import open_backend

    started = time.perf_counter()
    subject = subject or load_subject(study)
    prepared, observers = prepare(study, corpus, subject=subject)
    for name, reason in prepared.left_out.items():
        progress.say(f"analysis {name!r} left out: {reason}")
    check_folder(folder, prepared.identity)
    seconds = {"load": round(time.perf_counter() - started, 3)}
    if (folder / manifests.NAME).is_file():
        return prepared, None, seconds
    backend = open_backend(study.backend, subject)
    _check_disk(prepared, folder, subject=subject, observers=observers)
    claim_folder(folder, prepared.identity, _rooted(prepared.study).to_yaml())
    store = ShardStore(folder / SHARDS, fingerprint(prepared.passed))
    started = time.perf_counter()
    captured = capture(
        subject,
        prepared.tokens,
        observers,
        store=store,
        backend=backend,
        settings=prepared.settings,
        progress=progress,
    )
    seconds["pass"] = round(time.perf_counter() - started, 3)
    return prepared, captured, seconds


def prepare(
    study: Study, corpus: ParallelCorpus, *, subject: Subject
) -> tuple[Prepared, tuple[Observer, ...]]:
    """Tokenize, choose instruments and fix everything that decides the numbers.

    Observers come beside the rest because they may hold the model, which is let go after the pass.

    Raises
    ------
    StudyError
        A setting that this subject cannot follow.
    """
    tokens = tokenize(
        subject, corpus, max_tokens=study.max_tokens, keep_first_token=study.keep_first_token
    )
    settings = PassSettings(study.token_budget, study.units_per_shard, study.padding_side)
    settings = settings.resolve(subject, tokens.n_languages)
    setting = Setting(subject, corpus, tokens, study.seed)
    chosen, left_out = choose(study, setting)
    observers: tuple[Observer, ...] = (
        PooledVectors(study.pooling),
        TokenStatistics(),
        *(observer for instrument in chosen for observer in instrument.observers(setting)),
    )
    passed = pass_identity(subject, tokens, study=study, settings=settings, observers=observers)
    prepared = Prepared(
        study=_as_run(study, chosen),
        corpus=corpus,
        tokens=tokens,
        settings=settings,
        passed=passed,
        identity=study_identity(study, corpus.sha256, passed, instruments=chosen),
        model=model_card(subject),
        instruments=chosen,
        left_out=left_out,
    )
    return prepared, observers


def _as_run(study: Study, chosen: tuple[Instrument, ...]) -> Study:
    """The study with every analysis and every setting said."""
    options = {
        instrument.name: said
        for instrument in chosen
        if (said := instrument.options.model_dump(mode="json"))
    }
    names = tuple(instrument.name for instrument in chosen)
    return study.model_copy(update={"analyses": names, "options": options})


def _check_disk(
    prepared: Prepared, folder: Path, *, subject: Subject, observers: tuple[Observer, ...]
) -> None:
    """Refuse before anything is written when the disk cannot hold the run."""
    sizes = {"n_languages": prepared.tokens.n_languages, "n_units": prepared.corpus.n_units}
    shards = sum(shard_bytes(each, subject.anatomy, **sizes) for each in observers)
    pooled = shard_bytes(observers[0], subject.anatomy, **sizes)
    there = sum(path.stat().st_size for path in (folder / SHARDS).glob("*.safetensors"))
    needed = shards + (pooled if prepared.study.keep_pooled else 0) + SPARE_BYTES
    needed -= min(there, shards)
    place = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    free = shutil.disk_usage(place).free
    if free < needed:
        msg = (
            f"output {str(folder)!r} needs about {needed / 1e6:,.0f} MB and the disk has "
            f"{free / 1e6:,.0f} MB free. Make room, choose another folder, or set "
            "keep_pooled: false."
        )
        raise StorageError(msg)


def _write(prepared: Prepared, captured: Captured, folder: Path, progress: Progress) -> None:
    groups, by_layer = analyse(
        prepared.study,
        prepared.corpus,
        prepared.tokens,
        instruments=prepared.instruments,
        captured=captured,
        progress=progress,
    )
    with storage_errors(folder):
        write_results(folder, groups, by_layer=by_layer)


def _sign(prepared: Prepared, captured: Captured, folder: Path, seconds: dict[str, float]) -> None:
    """Write the manifest, last: from here on the run is finished."""
    study = prepared.study
    n_tokens = prepared.tokens.n_tokens
    read_now = sum(
        len(text.ids)
        for shard in captured.made
        for text in prepared.tokens.of_units(shard.start, shard.stop)
    )
    budgets = sorted({note["token_budget"] for note in captured.notes}, reverse=True)
    signed = Manifest(
        fingerprint=fingerprint(prepared.identity),
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        model=prepared.model,
        corpus=corpus_card(study, prepared.corpus),
        tokens=token_card(prepared.corpus, prepared.tokens),
        passed={
            "shards": len(captured.plan),
            "resumed_shards": captured.n_resumed,
            "token_budgets": budgets,
            "tokens": n_tokens,
            "tokens_per_second": round(read_now / max(seconds["pass"], 1e-3), 1),
        },
        estimators={
            "pooling": study.pooling,
            "keep_first_token": study.keep_first_token,
            "after": study.after,
            "analyses": {name: study.options.get(name, {}) for name in study.analyses or ()},
            "left_out": prepared.left_out,
            "bootstrap": study.bootstrap,
            "permutations": study.permutations,
            "seed": study.seed,
            "interval": "95 % percentile of a bootstrap over units, weighted form",
            "null": "unit ids permuted within each language but the first",
        },
        seconds=seconds,
        versions=versions(),
        files=manifests.hash_files(folder),
    )
    with storage_errors(folder):
        write_atomically(folder / manifests.NAME, signed.to_json().encode())
