"""All checks of one erased model, in order: contract, behaviour, attacks, damage, verdicts.

Costs a few forwards over the facts a model, relearning a few dozen steps a source language; what
the base says is asked once for the erased model and all controls. Nothing given is changed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from probekit.erasure.erase import Erased
from probekit.erasure.exam import exam_form
from probekit.erasure.memory import Memory
from probekit.erasure.progress import SilentSteps, StepProgress, told_in_notebooks
from probekit.erasure.verify.behaviour import (
    Behaviour,
    behaviour,
    choice_attack,
    fluency,
    plain_texts,
    wrong_language,
)
from probekit.erasure.verify.beside import control_record, kept_shares
from probekit.erasure.verify.damage import damage
from probekit.erasure.verify.lens import lens_attack
from probekit.erasure.verify.paraphrase import paraphrase_attack
from probekit.erasure.verify.probe import MIN_FACTS, probe_attack
from probekit.erasure.verify.relearn import relearn_attack
from probekit.erasure.verify.report import SCHEMA, Report
from probekit.erasure.verify.rounding import rounding_attack
from probekit.erasure.verify.settings import (
    CHECKS,
    VerifySettings,
    chosen_checks,
    chosen_languages,
)
from probekit.erasure.verify.tensors import allowed_names, contract_of
from probekit.erasure.verify.verdicts import judge
from probekit.errors import ModelError
from probekit.facts.encoding import encode, require_next_token

if TYPE_CHECKING:
    from probekit.erasure.verify.shares import Known
    from probekit.facts.question import FactSet
    from probekit.models import Subject


@told_in_notebooks
def verify(
    base: Subject,
    erased: Subject | Erased,
    facts: FactSet,
    *,
    selection: Any = None,
    source: Sequence[str] = (),
    held_out: Sequence[str] = (),
    checks: Sequence[str] | None = None,
    check_weights: bool = True,
    record: dict[str, Any] | None = None,
    controls: Mapping[str, Subject | Erased] | None = None,
    memory: Memory | None = None,
    progress: StepProgress | None = None,
    **settings: Any,
) -> Report:
    """Compare an erased model with its base in every language of some facts.

    Parameters
    ----------
    base, erased, facts
        Models before and after; facts with a part ``forget``, and best ``retain`` and ``relearn``.
    selection, record, check_weights
        What may have moved: a selection, else an erasure's record (an ``Erased`` has its own);
        whether a selection made on other weights is refused.
    source, held_out, checks
        Languages erased in and not (open ones follow from record and facts); some of ``CHECKS``.
    controls, memory
        The same base erased elsewhere, by name; one memory for several verifications of a base.
    progress, **settings
        Told what runs; fields of :class:`VerifySettings`, such as ``relearn_steps=50``.

    Raises
    ------
    InputError
        No part to forget, languages the facts lack, a bad setting, a selection of another model.
    ModelError
        No next-token model, or two of different shape or tokenizer.
    """
    record = record or getattr(erased, "record", None)
    sides = chosen_languages(facts, _source(source, record, facts), held_out)
    how, wanted = VerifySettings.of(settings), chosen_checks(checks)
    rest = (Memory() if memory is None else memory, progress or SilentSteps())
    work = _Work(base, _subject(erased), facts, how, sides[0], *rest)
    beside = work.beside(controls or {})
    allowed = allowed_names(base, selection, record, check_weights=check_weights)
    made = work.report(allowed, wanted, held_out=sides[1])
    found = {name: each.control(name, wanted, controls) for name, each in beside.items()}
    return Report({**made.record, "controls": found}) if found else made


def _source(source: Sequence[str], record: Any, facts: FactSet) -> Sequence[str]:
    """Languages erased in: as said, else as recorded."""
    if source or record is None:
        return source
    return [code for code in record["source"] if code in facts.languages]


def _subject(erased: Subject | Erased) -> Subject:
    return erased.subject if isinstance(erased, Erased) else erased


@dataclass(frozen=True, eq=False)
class _Work:
    """A request that has passed its checks."""

    base: Subject
    erased: Subject
    facts: FactSet
    how: VerifySettings
    source: tuple[str, ...]
    memory: Memory
    told: StepProgress

    @property
    def pair(self) -> tuple[Subject, Subject]:
        """Before and after."""
        return self.base, self.erased

    @property
    def asked(self) -> FactSet:
        """One question a fact and language."""
        return self.facts.where(form=exam_form(self.facts))

    def report(
        self,
        allowed: tuple[str, ...] | None,
        wanted: tuple[str, ...],
        *,
        held_out: tuple[str, ...],
    ) -> Report:
        """Contract first, then everything else."""
        self.told.say("comparing tensors")
        contract = contract_of(self.base, self.erased, allowed, memory=self.memory)
        return Report(_record(self, contract, self.run(wanted), held_out=held_out))

    def beside(self, controls: Mapping[str, Subject | Erased]) -> dict[str, _Work]:
        """The same request of every control; all models are checked first."""
        found = {name: replace(self, erased=_subject(each)) for name, each in controls.items()}
        for work in (self, *found.values()):
            _check_pair(self.base, work.erased, self.facts)
        return found

    def control(self, name: str, wanted: tuple[str, ...], controls: Any) -> dict[str, Any]:
        """What is shown of a control: every check's numbers, not every table behind them."""
        self.told.say(f"control {name}")
        allowed = allowed_names(self.base, None, getattr(controls[name], "record", None))
        contract = contract_of(self.base, self.erased, allowed, memory=self.memory)
        found = self.run(wanted)
        kept = kept_shares(found["behaviour"], "kept")
        attacks = {key: done["by_language"] for key, done in found["attacks"].items()}
        words = judge(
            kept["forget"], kept.get("retain", {}), attacks, how=self.how, fluency=found["fluency"]
        )
        return control_record(found, words, contract)

    def run(self, wanted: tuple[str, ...]) -> dict[str, Any]:
        """Everything but the contract."""
        self.told.say("asking both models")
        answers = behaviour(self.pair, self.asked, self.how, memory=self.memory)
        texts = plain_texts(self.base, self.asked)
        known = answers.known("forget")
        attacks: dict[str, Any] = {}
        skipped = {name: "not asked for" for name in CHECKS if name not in wanted}
        for name, attack in self._attacks(answers, known).items():
            if name in wanted:
                self.told.say(f"check: {name}")
                why, done = attack()
                if done is None:
                    skipped[name] = why
                else:
                    attacks[name] = done
        found: dict[str, Any] = {
            "behaviour": answers.table(),
            "known": {code: list(facts) for code, facts in known.items()},
            "fluency": fluency(self.pair, texts, self.how, memory=self.memory),
            "attacks": attacks,
            "skipped": skipped,
        }
        if "damage" in wanted:
            self.told.say("check: damage")
            found["damage"] = damage(self.pair, texts, self.how, memory=self.memory)
        return found

    def _attacks(self, answers: Behaviour, known: Known) -> dict[str, Callable[[], Any]]:
        """By name: what gives (why it could not run, what it found or None)."""
        how, asked = self.how, self.asked
        if not any(known.values()):
            none = ("the base knows no fact to forget", None)
            return {name: lambda: none for name in CHECKS if name != "damage"}
        every: dict[str, Any] = {"known": known, "how": how, "memory": self.memory}
        pair = self.pair
        return {
            "choices": lambda: ("", choice_attack(answers, known)),
            "paraphrase": lambda: paraphrase_attack(*pair, self.facts, **every),
            "language": lambda: ("", wrong_language(pair, asked, **every)),
            "lens": lambda: ("", lens_attack(*pair, asked, **every)),
            "probe": lambda: (
                f"needs {MIN_FACTS} questions with choices that are not to be forgotten",
                probe_attack(*pair, asked, **every),
            ),
            "relearn": lambda: self._relearn(known),
            "rounding": lambda: ("", rounding_attack(*pair, asked, **every)),
        }

    def _relearn(self, known: Known) -> tuple[str, Any]:
        if "relearn" not in self.asked.parts:
            return "the facts have no part 'relearn'", None
        has = self.asked.where(part="relearn").languages
        asked = self.how.relearn_languages or self.source or has
        codes = tuple(code for code in asked if code in has)
        if not codes:
            return f"no fact to relearn in {', '.join(asked)}", None
        made = relearn_attack(self.erased, self.asked, known=known, languages=codes, how=self.how)
        return "", made


def _check_pair(base: Subject, erased: Subject, facts: FactSet) -> None:
    """See that both models can be asked the same questions and have the same blocks."""
    for subject in (base, erased):
        require_next_token(subject)
    mine, other = base.anatomy, erased.anatomy
    what = ""
    if (mine.n_blocks, mine.d_model, mine.blocks) != (other.n_blocks, other.d_model, other.blocks):
        what = f"{other.n_blocks} blocks of width {other.d_model}, not {mine.n_blocks} of "
        what += str(mine.d_model)
    elif encode(base, facts) != encode(erased, facts):
        what = "another tokenizer"
    if what:
        msg = (
            f"subject {erased.source!r} was not made from {base.source!r}: it has {what}. Give "
            "the model that was erased from this base."
        )
        raise ModelError(msg)


def _record(
    work: _Work, contract: dict[str, Any], found: dict[str, Any], *, held_out: tuple[str, ...]
) -> dict[str, Any]:
    """Everything, as plain values."""
    from probekit import __version__

    table = found["behaviour"]
    forget = {code: cell.get("kept", {}) for code, cell in table["forget"].items()}
    retain = {c: cell["kept"] for c, cell in table.get("retain", {}).items() if "kept" in cell}
    attacks = {name: done["by_language"] for name, done in found["attacks"].items()}
    verdicts = judge(forget, retain, attacks, how=work.how, fluency=found["fluency"])
    columns = {
        code: {key: cell[key] for key in ("before_exact", "after_exact", "kept") if key in cell}
        for code, cell in table["forget"].items()
    }
    notes = [] if held_out else ["no language is held out"]
    if not work.source:
        notes = ["source languages are not known: give source"]
    return {
        "schema_version": SCHEMA,
        "tool": {"name": "probekit", "version": __version__},
        "base": _about(work.base),
        "erased": _about(work.erased),
        "facts": {"name": work.facts.name, "sha256": work.facts.sha256, "n": len(work.facts)},
        "source": list(work.source),
        "held_out": list(held_out),
        "settings": work.how.to_json(),
        "contract": contract,
        **found,
        "matrix": {"sources": list(work.source), "held_out": list(held_out), "row": columns},
        "verdicts": {code: verdict.to_json() for code, verdict in verdicts.items()},
        "notes": notes,
    }


def _about(subject: Subject) -> dict[str, Any]:
    return {
        "source": subject.source,
        "revision": subject.revision,
        "state_sha256": subject.state_sha256,
        "dtype": str(subject.dtype).removeprefix("torch."),
    }
