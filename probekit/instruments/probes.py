"""Probing classifiers by layer: wiring of :mod:`probekit.measures.probing`.

Costs no observer for tasks over texts, one row gather a layer and batch for tasks over words, and
after the pass two to four seconds a layer for the built-in corpus on two cores.
"""

from __future__ import annotations

from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from pydantic import Field, field_validator

from probekit.capture.words import WordVectors, find_words
from probekit.errors import StudyError
from probekit.instruments.instrument import Axes, Instrument, InstrumentOptions, Row
from probekit.instruments.probe_rows import AXES, LANGUAGE_AXES, language_row, removal_row, stack
from probekit.instruments.probe_rows import finish as finish_groups
from probekit.measures.probing import (
    PENALTIES,
    crossfit,
    majority_accuracy,
    online_code,
    probe_scores,
)
from probekit.measures.probing.jobs import side_by_side
from probekit.probing.plan import make_plan
from probekit.probing.tasks import WORD_TASKS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    import xarray as xr

    from probekit.capture import Observer
    from probekit.capture.observers import State
    from probekit.capture.words import Word
    from probekit.corpora import ParallelCorpus
    from probekit.instruments.instrument import Evidence, Setting
    from probekit.measures.probing import Items
    from probekit.probing.plan import Plan, Sheet

GROUP, LANGUAGE_GROUP = "probes", "language_id"


class Probes(Instrument):
    """What a linear probe can read at each layer, in each language and across languages."""

    name = GROUP
    axes: ClassVar[Axes] = {GROUP: AXES, LANGUAGE_GROUP: LANGUAGE_AXES}
    summary: ClassVar[Mapping[str, tuple[str, ...]]] = {
        GROUP: (
            "accuracy_all",
            "accuracy_all_low",
            "accuracy_all_high",
            "majority_all",
            "control_all",
            "transfer_all",
            "transfer_centred_all",
            "compression_all",
        ),
        LANGUAGE_GROUP: (
            "accuracy",
            "accuracy_low",
            "accuracy_high",
            "mdl",
            "mdl_low",
            "mdl_high",
            "compression",
            "leace_rank",
            "leace_accuracy",
            "inlp_directions",
            "inlp_at_chance",
        ),
    }
    by_language: ClassVar[Mapping[str, str]] = {
        GROUP: "accuracy_by_language",
        LANGUAGE_GROUP: "recall",
    }

    class Options(InstrumentOptions):
        """Settings of the probes.

        Attributes
        ----------
        tasks
            Labels of the corpus, ``entity``, ``entity_kind`` (words at their last sub-token) and
            ``language``; None for all that the corpus allows.
        folds
            Of units; at least 3.
        penalties
            C of scikit-learn, smallest first; chosen on inner folds when there are several.
        language_penalty
            C of the probes of language identity.
        language_texts
            Most texts that language identity is probed on.
        mdl
            Whether to compute online codes.
        removal_steps
            Most steps of null-space projection; 0 leaves LEACE and INLP out.
        entities_per_text
            Most entities of one text.
        sources, targets
            Languages whose mean transfer is reported apart, from the first to the second.
        device
            Where the algebra runs.
        """

        tasks: tuple[str, ...] | None = Field(default=None, min_length=1)
        folds: int = Field(default=5, ge=3, le=20)
        penalties: tuple[float, ...] = Field(default=PENALTIES, min_length=1)
        language_penalty: float = Field(default=1e-2, gt=0)
        language_texts: int = Field(default=1024, ge=64)
        mdl: bool = True
        removal_steps: int = Field(default=12, ge=0)
        entities_per_text: int = Field(default=1, ge=1)
        sources: tuple[str, ...] = ()
        targets: tuple[str, ...] = ()
        device: Literal["cpu", "cuda", "mps"] = "cpu"

        @field_validator("penalties")
        @classmethod
        def _rising(cls, value: tuple[float, ...]) -> tuple[float, ...]:
            if not all(c > 0 for c in value) or any(a >= b for a, b in pairwise(value)):
                msg = "must be above 0, the smallest first"
                raise ValueError(msg)
            return value

    def __init__(self, options: Any = None) -> None:
        super().__init__(options)
        self._plan: Plan | None = None
        self._words: tuple[Word, ...] = ()

    def refusal(self, setting: Setting) -> str:
        """A task that was named and cannot be probed, or no task at all."""
        options, languages = self.options, setting.corpus.languages
        for code in (*options.sources, *options.targets):
            if code not in languages:
                return (
                    f"options sources and targets must be languages of the corpus. Got {code!r} "
                    f"(has: {', '.join(languages)}): correct them."
                )
        if bool(options.sources) != bool(options.targets):
            return "options sources and targets belong together: give both, or none."
        plan = self._prepare(setting)
        if options.tasks is not None and plan.problems:
            name, problem = next(iter(plan.problems.items()))
            return f"task {name!r}: {problem}."
        if plan.sheets or plan.language:
            return ""
        return "no task can be probed: " + "; ".join(
            f"{name}: {problem}" for name, problem in plan.problems.items()
        )

    def observers(self, setting: Setting) -> tuple[Observer, ...]:
        """Vectors of words, where a task needs them."""
        plan = self._prepare(setting)
        needed = any(sheet.words is not None for sheet in plan.sheets)
        return (WordVectors(self._words),) if needed else ()

    def _prepare(self, setting: Setting) -> Plan:
        """Fix what is probed; the words are found with the tokenizer, which is gone later."""
        corpus, wanted, unreadable = setting.corpus, self.options.tasks, ""
        self._words = ()
        if corpus.entities and (wanted is None or set(wanted) & set(WORD_TASKS)):
            try:
                self._words = find_words(
                    setting.subject,
                    corpus,
                    setting.tokens,
                    per_text=self.options.entities_per_text,
                    seed=setting.seed,
                )
            except StudyError as error:
                unreadable = str(error)
        self._plan = self._planned(corpus, setting.seed)
        if unreadable:
            problems = dict.fromkeys(self._plan.problems.keys() & set(WORD_TASKS), unreadable)
            self._plan = self._plan.with_problems(problems)
        return self._plan

    def _planned(self, corpus: ParallelCorpus, seed: int) -> Plan:
        options = self.options
        return make_plan(corpus, self._words, named=options.tasks, n_folds=options.folds, seed=seed)

    def measure(self, vectors: np.ndarray, *, row: int, evidence: Evidence) -> dict[str, Row]:
        """All tasks and languages of one layer."""
        plan = self._plan or self._planned(evidence.corpus, evidence.seed)
        self._plan = plan
        sheets = [
            (sheet, sheet.items(vectors, lambda: _word_rows(evidence.states("words"), row)))
            for sheet in plan.sheets
        ]
        fits, codes, language = self._results(vectors, sheets, plan, evidence)
        found: dict[str, Row] = {}
        if sheets:
            found[GROUP] = stack(fits, codes, evidence.weights)
        if plan.language:
            found[LANGUAGE_GROUP] = language
        return found

    def _results(
        self,
        vectors: np.ndarray,
        sheets: Sequence[tuple[Sheet, Items]],
        plan: Plan,
        evidence: Evidence,
    ) -> tuple[list[Any], list[Any], Row]:
        """Scores, codes and language identity; the longest pieces of work begin first."""
        options = self.options
        jobs: dict[str, list[Callable[[], Any]]] = {"scores": [], "language": [], "codes": []}
        for sheet, items in sheets:
            jobs["scores"].append(partial(self._scores, items, sheet, plan, evidence))
            if options.mdl:
                jobs["codes"].append(partial(self._codes, items, sheet, plan, evidence))
        if plan.language:
            jobs["language"].append(
                partial(language_row, vectors, plan, options, evidence=evidence)
            )
        if plan.language and options.removal_steps:
            jobs["language"].append(partial(removal_row, vectors, plan, options))
        done = iter(side_by_side([job for kind in jobs.values() for job in kind]))
        results = {kind: [next(done) for _ in pieces] for kind, pieces in jobs.items()}
        language = {name: value for row in results["language"] for name, value in row.items()}
        fits = [fit for sheet in results["scores"] for fit in sheet]
        return fits, [code for sheet in results["codes"] for code in sheet], language

    def _scores(self, items: Items, sheet: Sheet, plan: Plan, evidence: Evidence) -> list[Any]:
        options, languages = self.options, evidence.corpus.languages
        fits = crossfit(
            items, sheet.labels, plan.folds, penalties=options.penalties, device=options.device
        )
        groups = None
        if options.sources:
            groups = (
                [languages.index(code) for code in options.sources],
                [languages.index(code) for code in options.targets],
            )
        return [
            (
                probe_scores(
                    items,
                    task,
                    fits[task.name],
                    weights=evidence.weights,
                    majority=majority_accuracy(items, task),
                    groups=groups,
                ),
                fits[task.name].penalty,
            )
            for task in sheet.labels
        ]

    def _codes(self, items: Items, sheet: Sheet, plan: Plan, evidence: Evidence) -> list[Any]:
        found = online_code(
            items,
            sheet.labels,
            plan.order,
            weights=evidence.weights,
            penalties=self.options.penalties,
            device=self.options.device,
        )
        return [found[task.name] for task in sheet.labels]

    def finish(self, groups: dict[str, xr.Dataset], evidence: Evidence) -> dict[str, xr.Dataset]:
        """Add levels that do not depend on the layer, and what made the numbers."""
        assert self._plan is not None
        return finish_groups(groups, self._plan, self.options, evidence=evidence)


def _word_rows(states: Iterable[State], row: int) -> np.ndarray:
    """Vectors of all words at one layer."""
    return np.concatenate([state["words"][row] for state in states])
