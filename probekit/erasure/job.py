"""One erasure, put together: what is forgotten and retained where, who it starts from, its record.

Everything that can be wrong with a request is found here, before anything is trained.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from probekit.erasure.contract import fingerprint
from probekit.erasure.exam import Answered, Exam, Report, chance, exam_form, make_exam
from probekit.erasure.memory import Memory
from probekit.erasure.tail import Tail
from probekit.erasure.target import Target, require_read_layer
from probekit.errors import InputError, LanguageError
from probekit.facts.encoding import require_next_token

if TYPE_CHECKING:
    from collections.abc import Sequence

    from probekit.erasure.settings import EraseSettings
    from probekit.facts.question import FactSet
    from probekit.models import Subject


@dataclass(frozen=True, eq=False)
class Job:
    """A request that has passed its checks.

    Attributes
    ----------
    subject
        The base.
    facts
        All questions, of all parts and languages.
    source
        Languages in which facts are erased; the others are held out.
    target
        Tensors that may move.
    how
        Settings.
    memory
        What earlier erasures of the same base have asked it.
    """

    subject: Subject
    facts: FactSet
    source: tuple[str, ...]
    target: Target
    how: EraseSettings
    memory: Memory = field(default_factory=Memory)

    @property
    def held_out(self) -> tuple[str, ...]:
        """Languages that the erasure never sees."""
        return tuple(code for code in self.facts.languages if code not in self.source)

    @property
    def forms(self) -> tuple[str, ...]:
        """Forms that are trained on."""
        return self.how.forms or (exam_form(self.facts),)

    @property
    def forget(self) -> FactSet:
        """Questions to forget, in the source languages."""
        return self.facts.where(part="forget", language=self.source, form=self.forms)

    @property
    def retain(self) -> FactSet:
        """Questions to retain, in the source languages."""
        return self.facts.where(part=self.how.retain_parts, language=self.source, form=self.forms)

    @property
    def asked(self) -> FactSet:
        """One question a fact and language: what accuracy is taken on."""
        return self.facts.where(form=exam_form(self.facts))

    @property
    def bar(self) -> float:
        """Accuracy at which facts count as forgotten."""
        if self.how.forget_target is not None:
            return self.how.forget_target
        return chance(self.asked.where(part="forget", language=self.source))

    @property
    def read_layer(self) -> int | None:
        """Block that RMU reads; None for the others."""
        if self.how.algorithm != "rmu":
            return None
        return require_read_layer(self.subject, self.target)

    def outcome(self, subject: Subject) -> tuple[Report, Answered]:
        """What a subject knows: accuracy by part and language, and which facts.

        What the blocks that no erasure of this base moved make of the questions is kept.
        """
        first = self.target.first_block(self.subject) if subject is not self.subject else 0
        shape = self.how.batch_tokens
        questions = self.memory.once(
            "questions",
            self.subject,
            lambda: (
                make_exam(
                    self.subject,
                    self.asked,
                    Tail(self.subject, 0, cache_bytes=0),
                    token_budget=shape,
                ).batches
            ),
            facts=self.asked,
            settings=shape,
        )
        starts = self.memory.once(
            "starts", self.subject, dict, facts=self.asked, settings=(shape, first)
        )
        tail = Tail(subject, first, cache_bytes=self.how.cache_bytes // 2, kept=starts)
        return Exam(tail, questions).sit()

    def before(self) -> tuple[Report, Answered]:
        """What the base knows."""
        found: tuple[Report, Answered] = self.memory.once(
            "exam",
            self.subject,
            lambda: self.outcome(self.subject),
            facts=self.asked,
            settings=self.how.batch_tokens,
        )
        return found

    def tensors(self) -> dict[str, str]:
        """Hash of every tensor of the base."""
        made = self.memory.once("tensors", self.subject, lambda: fingerprint(self.subject))
        return dict(made)

    def fingerprint(self, *, delta: bool) -> str:
        """Identity of the result: everything that decides it."""
        return identity(
            {
                "base": self.subject.state_sha256,
                "facts": self.facts.sha256,
                "source": list(self.source),
                "names": list(self.target.names),
                "read_layer": self.read_layer,
                "settings": self.how.to_json(),
                "delta": delta,
            }
        )


def identity(content: dict[str, Any]) -> str:
    """SHA-256 of plain values."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def make_job(
    subject: Subject,
    facts: FactSet,
    *,
    source: Sequence[str],
    target: Target,
    how: EraseSettings,
    one_language: bool,
) -> Job:
    """Job of a request.

    Raises
    ------
    ModelError
        A subject that predicts no next token.
    LanguageError, InputError
        Languages or parts that the facts do not have, or a target that the algorithm cannot use.
    """
    require_next_token(subject)
    languages = check_source(facts, source)
    if len(facts.languages) < 2 and not one_language:
        msg = (
            f"facts {facts.name!r} have one language ({facts.languages[0]}), so nothing can be "
            "said about another. Add languages, or say so with one_language=True (--one-language)."
        )
        raise InputError(msg)
    job = Job(subject, facts, languages, target, how)
    _ = job.forget, job.retain, job.read_layer  # each says what is wrong with it
    return job


def check_source(facts: FactSet, source: Sequence[str]) -> tuple[str, ...]:
    """Source languages, each once.

    Raises
    ------
    LanguageError
        None given, or one that the facts do not have.
    """
    chosen = (source,) if isinstance(source, str) else tuple(dict.fromkeys(source))
    unknown = [code for code in chosen if code not in facts.languages]
    if unknown or not chosen:
        got = repr(unknown[0]) if unknown else "none"
        msg = (
            f"languages must be among those of the facts ({', '.join(facts.languages)}). Got {got} "
            "instead; correct it or add its questions."
        )
        raise LanguageError(msg)
    return chosen


def require_known(job: Job, before: Report) -> list[str]:
    """See that the subject knows what it is to forget; returns notes about what it knows in part.

    Raises
    ------
    InputError
        A source language in which no fact to forget is known.
    """
    notes = []
    for code in job.source:
        row = before["forget"][code]
        if row["known"] == 0:
            msg = (
                f"subject {job.subject.source!r} knows none of the {row['n']:.0f} facts to forget "
                f"in {code!r}, so erasing them there would prove nothing. Teach them first, drop "
                "the language, or say so with allow_unknown=True (--allow-unknown)."
            )
            raise InputError(msg)
        if row["known"] < row["n"]:
            notes.append(
                f"{row['known']:.0f} of {row['n']:.0f} facts to forget are known in {code} "
                "before: the others cannot be erased there"
            )
    return notes
