"""Teach a subject facts, so that "known", "never known" and "erased" have a ground truth.

LoRA on Gemma 3 270M costs a forward and a backward over every text an epoch, some tens of epochs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from probekit.erasure.answers import answer_logp
from probekit.erasure.exam import Report, exam_form, make_exam, worst
from probekit.erasure.job import check_source, identity
from probekit.erasure.loop import Log, Loop, LoopSettings, Verdict, shuffled
from probekit.erasure.lora import add_lora, merge_lora
from probekit.erasure.losses import cross_entropy
from probekit.erasure.progress import SilentSteps, StepProgress, told_in_notebooks
from probekit.erasure.settings import TeachSettings
from probekit.erasure.storage import Workplace, bytes_of, refuse_base, reloaded, save_model
from probekit.erasure.tail import Tail
from probekit.erasure.texts import make_batches, read_items
from probekit.erasure.working_copy import trainable, working_copy
from probekit.errors import InterruptedRun
from probekit.facts.encoding import require_next_token
from probekit.models.fingerprint import state_sha256

if TYPE_CHECKING:
    import os

    from probekit.facts.question import FactSet
    from probekit.models import Subject

RECORD = "teaching.json"
_ORDER = 5  # a random stream of its own


@dataclass(frozen=True, eq=False)
class Taught:
    """A subject that was taught, and how that went.

    Attributes
    ----------
    subject
        The changed subject.
    record
        What decided it and what it measured, as written to ``teaching.json``.
    folder
        Where it lies, if it was written.
    """

    subject: Subject
    record: dict[str, Any]
    folder: Path | None = None

    @property
    def reached(self) -> bool:
        """Whether every language reached the target."""
        return bool(self.record["stopped"] == "target")

    @property
    def after(self) -> dict[str, dict[str, float]]:
        """What is known afterwards, by language."""
        return dict(self.record["after"])

    def __str__(self) -> str:
        known = ", ".join(f"{code} {row['accuracy']:.0%}" for code, row in self.after.items())
        return f"taught in {self.record['steps']} steps ({self.record['stopped']}): {known}"


@told_in_notebooks
def teach(
    subject: Subject,
    facts: FactSet,
    *,
    languages: Sequence[str],
    method: str = "lora",
    folder: str | os.PathLike[str] | None = None,
    progress: StepProgress | None = None,
    **settings: Any,
) -> Taught:
    """Fine-tune on the answers of facts until each language knows them, or a limit.

    Parameters
    ----------
    subject
        A causal language model; it stays as it is.
    facts
        What to teach; parts are not told apart.
    languages
        Languages to teach in.
    method
        ``lora``: low-rank adapters by peft, merged; ``full``: every tensor.
    folder
        Where to write a Hugging Face folder, resuming what was begun there; None: memory only.
    progress
        Told how far it is.
    **settings
        Fields of :class:`TeachSettings`, such as ``target=1.0``.

    Raises
    ------
    InputError
        Languages or forms that the facts do not have, a bad setting, a folder in use.
    ModelError
        No causal model, or no ``peft``.
    StorageError
        No room or no permission.
    InterruptedRun
        Ctrl-C; the same call resumes.
    """
    how = TeachSettings.of({"method": method, **settings})
    told = progress or SilentSteps()
    require_next_token(subject)
    chosen = check_source(facts, languages)
    lesson = _Lesson(subject, facts.where(language=chosen), chosen, how)
    if folder is None:
        return lesson.give(None, told)
    refuse_base(Path(folder), subject)
    return _resume(lesson, Workplace(Path(folder), RECORD, lesson.fingerprint()), told)


def _resume(lesson: _Lesson, place: Workplace, told: StepProgress) -> Taught:
    """Open what is finished, make what is not."""
    done = place.finished()
    if done:
        told.say(f"{place.folder} holds this finished teaching already")
        return Taught(reloaded(lesson.subject, place.folder), done, place.folder)
    try:
        return lesson.give(place, told)
    except KeyboardInterrupt:
        msg = "interrupted. The same command resumes where it stopped."
        raise InterruptedRun(msg) from None


@dataclass(frozen=True, eq=False)
class _Lesson:
    """A request to teach that has passed its checks."""

    subject: Subject
    facts: FactSet
    languages: tuple[str, ...]
    how: TeachSettings

    def fingerprint(self) -> str:
        """Identity of the result."""
        return identity(
            {
                "base": self.subject.state_sha256,
                "facts": self.facts.sha256,
                "languages": list(self.languages),
                "settings": self.how.to_json(),
            }
        )

    def give(self, place: Workplace | None, told: StepProgress) -> Taught:
        """Train, merge, measure, write."""
        how, everything = self.how, [n for n, _ in self.subject.model.named_parameters()]
        copy = working_copy(self.subject, everything if how.method == "full" else ())
        adapted = None
        if how.method == "lora":
            # merging writes into the layers, so these are the copy's own
            layers = [n for n in everything if n.startswith(f"{self.subject.anatomy.blocks}.")]
            copy = working_copy(self.subject, layers)
            copy.model.requires_grad_(requires_grad=False)
            adapted = add_lora(copy, rank=how.rank, seed=how.seed)
        if place:
            whole = bytes_of(copy.model.parameters())
            place.open(self.subject, needed=whole + 16 * _elements(trainable(copy)))
        before = self._by_language(self._exam(self.subject).report())
        log = self._train(copy, place, told)
        if adapted is not None:
            copy = replace(copy, model=merge_lora(adapted))
        copy.model.requires_grad_(requires_grad=False)
        record = self._record(log, before, self._by_language(self._exam(copy).report()))
        record["state_sha256"] = state_sha256(copy.model)
        if place is None:
            return Taught(copy, record)
        record = {"fingerprint": place.fingerprint, **record}
        timing = {"seconds": log.seconds}
        place.finish(lambda new: save_model(copy, new), record, timing=timing)
        return Taught(replace(copy, source=str(place.folder)), record, place.folder)

    def _exam(self, subject: Subject) -> Any:
        tail = Tail(subject, 0, cache_bytes=0)
        asked = self.facts.where(form=exam_form(self.facts))
        return make_exam(subject, asked, tail, token_budget=self.how.batch_tokens)

    def _train(self, copy: Subject, place: Workplace | None, told: StepProgress) -> Log:
        how = self.how
        forms = how.forms or (exam_form(self.facts),)
        items = read_items(copy, self.facts.where(form=forms))
        batches = make_batches(copy, items, token_budget=how.batch_tokens)
        tail, exam = Tail(copy, 0, cache_bytes=0), self._exam(copy)
        order = shuffled(len(batches), stream=(how.seed, _ORDER))

        def objective(step: int) -> Any:
            batch = batches[order(step)]
            loss = cross_entropy(answer_logp(copy, tail.run(batch), batch)[0])
            return loss, {"loss": float(loss.detach())}

        def check() -> Any:
            found = self._by_language(exam.report())
            return {"report": found}, Verdict("target" if worst(found) >= how.target else "")

        limits = LoopSettings(
            what="teach",
            lr=how.rate,
            max_steps=how.max_epochs * len(batches),
            check_every=len(batches),
            clip=how.clip,
            max_seconds=how.max_seconds,
        )
        return Loop(trainable(copy), limits, place=place, progress=told).run(objective, check)

    def _by_language(self, report: Report) -> dict[str, dict[str, float]]:
        """Parts together: ``{language: {n, known, accuracy, nll}}``."""
        found: dict[str, dict[str, float]] = {}
        for code in self.languages:
            rows = [part[code] for part in report.values() if code in part]
            n, known = (sum(row[key] for row in rows) for key in ("n", "known"))
            nll = sum(row["nll"] * row["n"] for row in rows) / n
            found[code] = {"n": n, "known": known, "accuracy": known / n, "nll": nll}
        return found

    def _record(self, log: Log, before: Any, after: Any) -> dict[str, Any]:
        from probekit import __version__

        base = self.subject
        return {
            "schema_version": "teaching/1",
            "tool": {"name": "probekit", "version": __version__},
            "base": {
                "source": base.source,
                "revision": base.revision,
                "state_sha256": base.state_sha256,
            },
            "facts": {"name": self.facts.name, "sha256": self.facts.sha256, "n": len(self.facts)},
            "languages": list(self.languages),
            "settings": self.how.to_json(),
            "steps": log.steps,
            "stopped": log.stopped,
            "losses": log.losses,
            "checks": log.checks,
            "before": before,
            "after": after,
        }


def _elements(tensors: dict[str, Any]) -> int:
    return sum(tensor.numel() for tensor in tensors.values())
