"""What a model knows of some facts: teacher-forced exact accuracy and loss, by part and language.

A fact counts as known when every token of its answer is the model's likeliest given the tokens
before. Intervals are over facts (``probekit.facts.intervals``). Costs the blocks that may move and
the unembedding of the answers.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from probekit.erasure.answers import answer_logp
from probekit.erasure.losses import mean_by_text
from probekit.erasure.tail import Tail
from probekit.erasure.texts import make_batches, read_items
from probekit.errors import NumericalError
from probekit.facts.guessing import guessing
from probekit.facts.intervals import mean_interval

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from probekit.erasure.texts import TextBatch
    from probekit.facts.question import FactSet, Question
    from probekit.models import Subject

#: The form that accuracy is taken on, where a set has it: one question a fact and language.
FORM = "statement"

Report = dict[str, dict[str, dict[str, float]]]
#: Facts that are answered, by part and language.
Answered = dict[str, dict[str, list[str]]]


@dataclass(frozen=True)
class Exam:
    """Questions that are asked again and again, as batches.

    Attributes
    ----------
    tail
        Runs the model.
    batches
        The questions.
    """

    tail: Tail
    batches: tuple[TextBatch, ...]

    def report(self) -> Report:
        """``{part: {language: {n, known, accuracy, low, high, nll}}}``; see :meth:`sit`."""
        return self.sit()[0]

    def sit(self) -> tuple[Report, Answered]:
        """Accuracy by part and language, and the facts that are answered.

        ``nll`` is the mean over facts of ``−log π(y|x) / |y|``, in nats per token.

        Raises
        ------
        NumericalError
            A loss that is not finite.
        """
        found: dict[tuple[str, str], list[tuple[str, bool, float]]] = {}
        for batch in self.batches:
            for question, right, nll in self.ask(batch):
                row = (question.fact, right, nll)
                found.setdefault((question.part, question.language), []).append(row)
        parts: Report = {}
        answered: Answered = {}
        for (part, language), rows in sorted(found.items()):
            parts.setdefault(part, {})[language] = _summary([row[1:] for row in rows])
            facts = sorted({fact for fact, right, _ in rows if right})
            answered.setdefault(part, {})[language] = facts
        return parts, answered

    def ask(self, batch: TextBatch) -> list[tuple[Question, bool, float]]:
        """Every question of a batch: whether it is right, and its nats per token."""
        with torch.no_grad():
            hidden = self.tail.run(batch)
            logp, right = answer_logp(self.tail.subject, hidden, batch)
            n = len(batch.items)
            mean = mean_by_text(logp, batch.rows, n)
            wrong = torch.zeros(n, device=logp.device).index_add(0, batch.rows, (~right).float())
        if not bool(torch.isfinite(mean).all()):
            fact = batch.items[int((~torch.isfinite(mean)).nonzero()[0])].question.fact
            msg = f"the loss of fact {fact!r} is not finite. Load the subject in float32."
            raise NumericalError(msg)
        known, losses = (wrong == 0).tolist(), (-mean).double().tolist()
        asked = [item.question for item in batch.items]
        return list(zip(asked, known, losses, strict=True))


def exam_form(facts: FactSet) -> str:
    """Form that accuracy is taken on: statements, else the form with the most questions."""
    counts = Counter(question.form for question in facts)
    return FORM if FORM in counts else max(sorted(counts), key=lambda form: counts[form])


def make_exam(subject: Subject, facts: FactSet, tail: Tail, *, token_budget: int) -> Exam:
    """Tokenize questions once for an exam."""
    items = read_items(subject, facts)
    return Exam(tail, make_batches(subject, items, token_budget=token_budget))


def _summary(rows: list[tuple[bool, float]]) -> dict[str, float]:
    rights = np.array([right for right, _ in rows], dtype=np.float64)
    low, high = mean_interval(rights)
    return {
        "n": len(rows),
        "known": int(rights.sum()),
        "accuracy": float(rights.mean()),
        "low": low,
        "high": high,
        "nll": float(np.mean([nll for _, nll in rows])),
    }


def exact_right(subject: Subject, facts: FactSet, *, batch_tokens: int) -> NDArray[np.bool_]:
    """Whether every token of the answer is the likeliest, a question in the set's order.

    As ``facts.score(…).exact``, at the cost of the answers without the other choices.
    """
    tail = Tail(subject, 0, cache_bytes=0)
    exam = make_exam(subject, facts, tail, token_budget=batch_tokens)
    found: dict[Question, bool] = {}
    for batch in exam.batches:
        found |= {question: right for question, right, _ in exam.ask(batch)}
    return np.array([found[question] for question in facts], dtype=np.bool_)


def chance(facts: FactSet) -> float:
    """Accuracy of who knows only the answers of each relation: the mean of ``guessing``."""
    return float(np.mean(list(guessing(facts).values())))


def worst(report: dict[str, dict[str, float]]) -> float:
    """Lowest accuracy over languages."""
    return min(row["accuracy"] for row in report.values())


def best(report: dict[str, dict[str, float]]) -> float:
    """Highest accuracy over languages."""
    return max(row["accuracy"] for row in report.values())


def largest_fall(before: dict[str, Any], after: dict[str, Any]) -> float:
    """Largest loss of accuracy over the languages of two reports of one part."""
    return max(float(before[code]["accuracy"] - after[code]["accuracy"]) for code in before)
