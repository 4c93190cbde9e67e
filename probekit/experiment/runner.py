"""Carry out a plan: teach once, select once, then arm after arm. Every finished stage is kept.

Costs the teaching, one run, and for each arm its steps and one exam over the facts; see
``docs/experiment.md`` for measured times. One arm's tensors are in memory at a time.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from probekit.capture.shards import storage_errors, write_atomically
from probekit.erasure import erase, teach, verify
from probekit.erasure.job import identity
from probekit.erasure.memory import Memory
from probekit.erasure.progress import SilentSteps, StepProgress, told_in_notebooks
from probekit.erasure.settings import EraseSettings
from probekit.erasure.sweep import make_targets
from probekit.erasure.target import target_of
from probekit.erasure.verify.settings import VerifySettings
from probekit.errors import InputError, InterruptedRun, RuleError
from probekit.experiment.dealing import TAUGHT, deal, fewer
from probekit.experiment.outcome import OUTCOME, SCHEMA, Outcome
from probekit.experiment.times import Times
from probekit.facts import open_facts
from probekit.models import load
from probekit.studies import Study

if TYPE_CHECKING:
    import os

    from probekit.erasure import Erased, Taught
    from probekit.erasure.target import Target
    from probekit.experiment.plan import Arm, Checks, Plan
    from probekit.facts import FactSet
    from probekit.models import Subject


@told_in_notebooks
def run_plan(
    plan: Plan, folder: str | os.PathLike[str], *, progress: StepProgress | None = None
) -> Outcome:
    """Teach, select, erase in every arm, verify, compare.

    Parameters
    ----------
    plan
        What to do.
    folder
        Where everything goes: ``taught/``, ``run/``, ``selection.json``, ``arms/*.json``,
        ``experiment.json``, ``evidence/*.json``, ``times.json``. The same call goes on where a
        stop left off.
    progress
        Told how far it is.

    Raises
    ------
    InputError
        Facts that lack a language or part.
    RuleError
        The evidence carries no region: there is nothing to compare.
    InterruptedRun
        Ctrl-C; the same call resumes.
    """
    work = _Work(plan, Path(folder), progress or SilentSteps(), choose_facts(plan))
    try:
        return work.go()
    except KeyboardInterrupt:
        msg = "interrupted; finished arms are kept. The same command resumes where it stopped."
        raise InterruptedRun(msg) from None


def choose_facts(plan: Plan) -> FactSet:
    """Facts of the parts that an experiment uses, ``n_facts`` of each, in its languages.

    Raises
    ------
    InputError
        Facts without a part to forget or to retain, or without one of the languages.
    """
    return fewer(open_facts(plan.facts, tuple(plan.languages)), plan.n_facts)


@dataclass(eq=False)
class _Work:
    """A plan under way."""

    plan: Plan
    folder: Path
    told: StepProgress
    facts: FactSet
    memory: Memory = field(default_factory=Memory)

    @property
    def times(self) -> Times:
        """What the stages took."""
        return Times(self.folder)

    def go(self) -> Outcome:
        """All stages."""
        with self.times.stage("teach"):
            taught = self._teach()
        with self.times.stage("select"):
            document = self._select(taught.subject)
        targets, notes = make_targets(taught.subject, document, target_of(taught.subject, document))
        places = {place: self._named(place, targets) for place in self.plan.places}
        arms = []
        for number, arm in enumerate(self.plan.arms, start=1):
            self.told.say(f"arm {number} of {len(self.plan.arms)}: {arm.name}")
            ready = places[arm.place]
            arms.append(self._arm(arm, taught.subject, ready[arm.seed % len(ready)]))
        record = self._record(taught, document, arms, notes=notes)
        self._write(record, OUTCOME)
        done = Outcome(record, self.folder)
        for name, content in done.evidence().items():
            self._write(content, f"evidence/{name}.json")
        return done

    def _teach(self) -> Taught:
        plan = self.plan
        self.told.say(f"teaching {plan.model} in {', '.join(plan.languages)}")
        return teach(
            load(plan.model, dtype=plan.dtype, device=plan.device),
            self.facts.where(part=TAUGHT),
            languages=plan.languages,
            folder=self.folder / "taught",
            progress=self.told,
            **plan.teach,
        )

    def _select(self, taught: Subject) -> dict[str, Any]:
        """Document of the selection, made from a run of the taught subject."""
        plan = self.plan
        self.told.say("reading parallel text with the taught model")
        said = {"languages": plan.languages, "analyses": ("cka", "regions"), **plan.study}
        where = {"model": str(self.folder / "taught"), "dtype": plan.dtype, "device": plan.device}
        run = Study.of(**{**where, **said}).run(self.folder / "run")
        selection = run.select(rule=plan.rule, source=plan.seen)
        if selection.status == "no_signal":
            msg = (
                f"rule {plan.rule!r} finds no region in the taught model "
                f"({'; '.join(selection.reasons)}). Give more text (study: limit) or another rule."
            )
            raise RuleError(msg)
        document: dict[str, Any] = json.loads(selection.to_json())
        self._write(document, "selection.json")
        return document

    def _named(self, place: str, targets: dict[str, Target]) -> list[Target]:
        """Targets of a place; of ``random`` several, one a seed."""
        found = [t for name, t in targets.items() if name.partition("-")[0] == place]
        if not found:
            msg = (
                f"place {place!r} cannot be made of this selection (has: {', '.join(targets)}). "
                "Remove it from places."
            )
            raise InputError(msg)
        return found

    def _arm(self, arm: Arm, base: Subject, target: Target) -> dict[str, Any]:
        """One arm, from its file where that was made of the same things."""
        plan, facts = self.plan, deal(self.facts, arm.seed)
        settings = {"seed": arm.seed, **plan.algorithms[arm.algorithm]}
        checks = [each for each in plan.verify if each.holds(arm)]
        how = EraseSettings.of(arm.algorithm, settings)
        made_of = identity(
            {
                "base": base.state_sha256,
                "facts": facts.sha256,
                "names": list(target.names),
                "read_layer": target.read_layer,
                "arm": arm.name,
                "settings": how.to_json(),
                "verify": [
                    [list(each.checks), VerifySettings.of(each.settings).to_json()]
                    for each in checks
                ],
            }
        )
        file = self.folder / "arms" / f"{arm.name}.json"
        if file.is_file():
            kept: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
            if kept["made_of"] == made_of:
                return kept
            self.times.forget(arm.name)
        with self.times.stage(arm.name):
            erased = erase(
                base,
                facts.where(part=TAUGHT),
                source=arm.source,
                algorithm=arm.algorithm,
                selection=target,
                allow_tied=True,
                memory=self.memory,
                progress=self.told,
                **settings,
            )
            record = self._short(arm, target, erased) | {"made_of": made_of}
            record["verifications"] = [
                self._verify(base, erased, facts, how=each) for each in checks
            ]
        self._write(record, f"arms/{arm.name}.json")
        return record

    def _short(self, arm: Arm, target: Target, erased: Erased) -> dict[str, Any]:
        record = erased.record
        return {
            "arm": {**arm.__dict__, "source": list(arm.source), "name": arm.name},
            "blocks": list(target.blocks(erased.subject)),
            "read_layer": record["target"]["read_layer"],
            "forget_bar": record["forget_bar"],
            "steps": record["steps"],
            "stopped": record["stopped"],
            "contract": record["contract"]["ok"],
            "settings": record["settings"],
            "derived": record["derived"],
            "before": record["before"],
            "after": record["after"],
            "answered": record["answered"],
            "checks": record["checks"],
        }

    def _verify(
        self, base: Subject, erased: Erased, facts: FactSet, *, how: Checks
    ) -> dict[str, Any]:
        report = verify(
            base,
            erased,
            facts,
            checks=how.checks,
            memory=self.memory,
            progress=self.told,
            **how.settings,
        )
        return report.to_json()

    def _record(
        self, taught: Taught, document: dict[str, Any], arms: list[Any], *, notes: list[str]
    ) -> dict[str, Any]:
        from probekit import __version__

        chosen = document["selection"]
        keys = ("status", "region", "read_layer", "update_layers", "roles", "stability")
        return {
            "schema_version": SCHEMA,
            "tool": {"name": "probekit", "version": __version__},
            "plan": self.plan.model_dump(mode="json"),
            "model": document["model"],
            "facts": {"name": self.facts.name, "sha256": self.facts.sha256},
            "teaching": {k: taught.record[k] for k in ("steps", "stopped", "before", "after")},
            "selection": {
                **{key: chosen[key] for key in keys},
                "rule": document["rule"],
                "names_sha256": document["parameters"]["names_sha256"],
            },
            "arms": arms,
            "notes": [*notes, *self._seen()],
        }

    def _seen(self) -> list[str]:
        """A note where the selection saw text of a language that an arm holds out."""
        plan = self.plan
        seen = plan.languages if plan.seen is None else plan.seen
        held = [c for c in seen if any(c not in source for source in plan.sources)]
        if not held:
            return []
        return [
            f"the selection saw parallel text, not the facts, of {', '.join(held)}, which an arm "
            "holds out"
        ]

    def _write(self, content: dict[str, Any], name: str) -> None:
        text = json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False)
        path = self.folder / name
        with storage_errors(self.folder):
            path.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(path, f"{text}\n".encode())
