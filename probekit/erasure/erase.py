"""Erase facts from a subject by moving chosen tensors only, and write what happened.

RMU on Gemma 3 270M costs about a second a step on two cores; ``benchmarks/bench_erase.py`` compares
a step with the plain way. Memory: the tensors that move, four times over, and the cache of outputs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from probekit.erasure import slug
from probekit.erasure.contract import Contract, check_contract, fingerprint
from probekit.erasure.delta import DELTA, RECORD, apply_delta, write_delta
from probekit.erasure.exam import Report, best, largest_fall, make_exam
from probekit.erasure.job import Job, make_job, require_known
from probekit.erasure.loop import Log, Loop, LoopSettings, Verdict
from probekit.erasure.memory import Memory
from probekit.erasure.objectives import Material, make_objective
from probekit.erasure.progress import SilentSteps, StepProgress, told_in_notebooks
from probekit.erasure.settings import EraseSettings
from probekit.erasure.storage import Workplace, bytes_of, refuse_base, reloaded, save_model
from probekit.erasure.tail import Tail
from probekit.erasure.target import target_of
from probekit.erasure.texts import make_batches, read_items
from probekit.erasure.working_copy import trainable, working_copy
from probekit.errors import InterruptedRun
from probekit.models.fingerprint import names_sha256

if TYPE_CHECKING:
    import os

    from probekit.facts.question import FactSet
    from probekit.models import Subject


@dataclass(frozen=True, eq=False)
class Erased:
    """An erasure and what it did.

    Attributes
    ----------
    subject
        The changed subject; it shares the tensors that did not move with the base.
    record
        Everything that decided it and everything it measured, as written to ``erasure.json``.
    folder
        Where it lies, if it was written.
    """

    subject: Subject
    record: dict[str, Any]
    folder: Path | None = None

    @property
    def contract(self) -> Contract:
        """Which tensors moved."""
        return Contract.from_json(self.record["contract"])

    @property
    def stopped(self) -> str:
        """Why it stopped: ``forget_target``, ``retain_budget``, ``max_steps``, ``max_seconds``."""
        return str(self.record["stopped"])

    @property
    def before(self) -> Report:
        """What the base knew, by part and language."""
        return dict(self.record["before"])

    @property
    def after(self) -> Report:
        """What the changed subject knows, by part and language."""
        return dict(self.record["after"])

    def __str__(self) -> str:
        where = self.record
        return (
            f"{where['settings']['algorithm']}: {where['steps']} steps, stopped by {self.stopped}; "
            f"{self.contract}"
        )


@told_in_notebooks
def erase(
    subject: Subject,
    facts: FactSet,
    *,
    source: Sequence[str],
    algorithm: str = "rmu",
    selection: Any = None,
    folder: str | os.PathLike[str] | None = None,
    delta: bool = False,
    check_weights: bool = True,
    allow_tied: bool = False,
    allow_unknown: bool = False,
    one_language: bool = False,
    memory: Memory | None = None,
    progress: StepProgress | None = None,
    **settings: Any,
) -> Erased:
    """Erase the facts of part ``forget`` in the source languages; only selected tensors move.

    Parameters
    ----------
    subject, facts, source
        A causal language model, which stays as it is; facts to forget and to retain; languages
        that are trained on (the facts' others are held out).
    algorithm, selection
        One of ``ALGORITHMS``; file, document, LayerSelection or Target, None for every block.
    folder, delta
        Where to write it, resuming what was begun there (None: memory only); only what moved.
    check_weights, allow_tied, allow_unknown, one_language, memory
        Switch off a refusal (see the errors); of several erasures of a base, which is asked once.
    progress, **settings
        Told how far it is; fields of :class:`EraseSettings`, such as ``max_steps=100``.

    Raises
    ------
    InputError
        A selection of another model, a tied tensor, a read layer below one that moves, facts that
        are not known in a source language, facts of one language, a bad setting, a folder in use.
    StorageError, InterruptedRun
        No room; Ctrl-C (the same call resumes).
    NumericalError
        A loss that is not finite, or a tensor that moved without being selected.
    """
    how = EraseSettings.of(algorithm, settings)
    target = target_of(subject, selection, check_weights=check_weights, allow_tied=allow_tied)
    job = make_job(subject, facts, source=source, target=target, how=how, one_language=one_language)
    job = job if memory is None else replace(job, memory=memory)
    told = progress or SilentSteps()
    return _resume(job, _place(job, folder, delta=delta), told, delta=delta, unknown=allow_unknown)


def _resume(
    job: Job, place: Workplace | None, told: StepProgress, *, delta: bool, unknown: bool
) -> Erased:
    """Open what is finished, make what is not."""
    done = place.finished() if place else None
    if place and done:
        told.say(f"{place.folder} holds this finished erasure already")
        return Erased(_open(job.subject, place.folder), done, place.folder)
    try:
        return _make(job, place, told, delta=delta, allow_unknown=unknown)
    except KeyboardInterrupt:
        msg = "interrupted. The same command resumes where it stopped."
        raise InterruptedRun(msg) from None


def _place(job: Job, folder: str | os.PathLike[str] | None, *, delta: bool) -> Workplace | None:
    if folder is None:
        return None
    refuse_base(Path(folder), job.subject)
    return Workplace(Path(folder), RECORD, job.fingerprint(delta=delta))


def _open(subject: Subject, folder: Path) -> Subject:
    return apply_delta(subject, folder) if (folder / DELTA).exists() else reloaded(subject, folder)


def _make(
    job: Job, place: Workplace | None, told: StepProgress, *, delta: bool, allow_unknown: bool
) -> Erased:
    """Train, check the contract, write."""
    copy = working_copy(job.subject, job.target.names)
    moving = trainable(copy)
    if place:
        room = 16 * sum(tensor.numel() for tensor in moving.values())
        whole = 0 if delta else bytes_of(copy.model.parameters())
        place.open(job.subject, needed=room + whole)
    told.say(f"asking what {job.subject.source} knows")
    before, knew = job.before()
    notes = [] if allow_unknown else require_known(job, before)
    hashes = job.tensors()
    log, derived = _train(job, copy, before, place=place, told=told)
    copy.model.requires_grad_(requires_grad=False)
    after_hashes = fingerprint(copy)
    allowed = [*_may_move(job, derived, moving), *job.target.tied]
    contract = check_contract(hashes, after_hashes, allowed).require()
    record = _record(job, log, notes, derived=derived, contract=contract)
    after, knows = job.outcome(copy)
    record |= {"before": before, "after": after, "answered": {"before": knew, "after": knows}}
    record["tensors"] = {name: [hashes[name], after_hashes[name]] for name in sorted(hashes)}
    if place is None:
        return Erased(copy, record)
    record = {"fingerprint": place.fingerprint, **record}
    write = (
        (lambda new: write_delta(copy, contract.moved, new))
        if delta
        else (lambda new: save_model(copy, new))
    )
    place.finish(write, record, timing={"seconds": log.seconds})
    return Erased(copy, record, place.folder)


def _may_move(job: Job, derived: dict[str, Any], moving: dict[str, Any]) -> list[str]:
    """Selected tensors; of SLUG those of its block."""
    block = derived.get("block")
    stem = f"{job.subject.anatomy.blocks}.{block}."
    return [name for name in moving if block is None or name.startswith(stem)]


def _train(
    job: Job, copy: Subject, before: Report, *, place: Workplace | None, told: StepProgress
) -> tuple[Log, dict[str, Any]]:
    """Move the copy's tensors."""
    how, first = job.how, job.target.first_block(job.subject)
    tail = Tail(copy, first, cache_bytes=how.cache_bytes // 2)
    forget, retain = (
        make_batches(copy, read_items(copy, part), token_budget=how.batch_tokens)
        for part in (job.forget, job.retain)
    )
    frozen = Tail(job.subject, 0, cache_bytes=0)
    material = Material(tail, forget, retain, frozen)
    parts = ("forget", *how.retain_parts)
    asked = job.asked.where(part=parts, language=job.source)
    exam = make_exam(copy, asked, tail, token_budget=how.batch_tokens)
    base = {p: {code: before[p][code] for code in job.source if code in before[p]} for p in parts}

    # where no more is known than chance at the start, reaching chance says nothing: go on
    bar = job.bar if best(base["forget"]) > job.bar else -1.0

    def score() -> tuple[dict[str, Any], float, float]:
        found = exam.report()
        fall = max(largest_fall(base[part], found[part]) for part in how.retain_parts)
        return found, best(found["forget"]), fall

    def check() -> tuple[dict[str, Any], Verdict]:
        found, known, fall = score()
        if fall > how.retain_budget:
            return {"report": found}, Verdict("retain_budget", back=True)
        return {"report": found}, Verdict("forget_target" if known <= bar else "")

    if how.algorithm == "slug":
        return _slug(job, material, lambda: score()[1:], told, bar=bar)
    objective, derived = make_objective(material, how, read_layer=job.read_layer)
    limits = LoopSettings(
        what=how.algorithm,
        lr=how.lr,
        max_steps=how.max_steps,
        check_every=how.check_every,
        clip=how.clip,
        max_seconds=how.max_seconds,
    )
    loop = Loop(trainable(copy), limits, place=place, progress=told)
    return loop.run(objective, check), derived


def _slug(
    job: Job, material: Material, score: Any, told: StepProgress, *, bar: float
) -> tuple[Log, dict[str, Any]]:
    """One step; nothing is kept on the way, a stopped search starts again."""
    how, own = job.how, trainable(material.subject)
    told.start("slug", total=how.max_steps, done=0)
    towards = slug.gradients(material.tail, material.forget)
    against = slug.gradients(material.tail, material.retain)
    blocks = slug.compare_blocks(own, towards, against, path=job.subject.anatomy.blocks)
    block = slug.pick_block(blocks, how.slug_block)
    step = slug.Step.of(material, towards, block)

    def trial(size: float) -> tuple[float, float]:
        step.go(size)
        known, fall = score()
        return known, fall

    size, trials = slug.search_step(
        trial,
        target=bar,
        budget=how.retain_budget,
        most=how.max_steps,
        told=told.step,
    )
    step.go(size)
    chosen = next((each for each in trials if each.size == size), None)
    done = chosen is not None and chosen.forget <= bar
    stopped = "forget_target" if done else "retain_budget" if chosen is None else "max_steps"
    log = Log(steps=1 if chosen else 0, stopped=stopped, checks=[asdict(each) for each in trials])
    return log, {
        "block": block,
        "size": size,
        "blocks": [asdict(each) for each in blocks],
    }


def _record(
    job: Job, log: Log, notes: list[str], *, derived: dict[str, Any], contract: Contract
) -> dict[str, Any]:
    """Everything about an erasure that is the same on every run of it."""
    from probekit import __version__

    base, target = job.subject, job.target
    if not job.held_out:
        notes = [*notes, "no language of the facts is held out"]
    return {
        "schema_version": "erasure/1",
        "tool": {"name": "probekit", "version": __version__},
        "base": {
            "source": base.source,
            "revision": base.revision,
            "state_sha256": base.state_sha256,
            "dtype": str(base.dtype).removeprefix("torch."),
        },
        "facts": {"name": job.facts.name, "sha256": job.facts.sha256, "n": len(job.facts)},
        "source": list(job.source),
        "held_out": list(job.held_out),
        "settings": job.how.to_json(),
        "target": {
            "kind": target.kind,
            "read_layer": job.read_layer,
            "names": list(target.names),
            "names_sha256": names_sha256(list(target.names)),
            "tied": list(target.tied),
        },
        "derived": derived,
        "forget_bar": job.bar,
        "steps": log.steps,
        "stopped": log.stopped,
        "losses": log.losses,
        "checks": log.checks,
        "contract": contract.to_json(),
        "notes": notes,
    }
