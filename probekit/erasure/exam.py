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
from probekit.erasure.texts import make_batches, read_items
from probekit.errors import NumericalError
from probekit.facts.intervals import mean_interval

if TYPE_CHECKING:
    from probekit.erasure.tail import Tail
    from probekit.erasure.texts import TextBatch
    from probekit.facts.question import FactSet, Question
    from probekit.models import Subject

#: The form that accuracy is taken on, where a set has it: one question a fact and language.
FORM = "statement"

Report = dict[str, dict[str, dict[str, float]]]


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
        """``{part: {language: {n, known, accuracy, low, high, nll}}}``.

        ``nll`` is the mean over facts of ``−log π(y|x) / |y|``, in nats per token.

        Raises
        ------
        NumericalError
            A loss that is not finite.
        """
        found: dict[tuple[str, str], list[tuple[bool, float]]] = {}
        for batch in self.batches:
            for question, right, nll in self._ask(batch):
                found.setdefault((question.part, question.language), []).append((right, nll))
        parts: Report = {}
        for (part, language), rows in sorted(found.items()):
            parts.setdefault(part, {})[language] = _summary(rows)
        return parts

    def _ask(self, batch: TextBatch) -> list[tuple[Question, bool, float]]:
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


def chance(facts: FactSet) -> float:
    """Accuracy of who knows only how often each answer comes: mean of ``1 / choices``, open 0."""
    return float(np.mean([1 / len(q.choices) if q.choices else 0.0 for q in facts]))


def worst(report: dict[str, dict[str, float]]) -> float:
    """Lowest accuracy over languages."""
    return min(row["accuracy"] for row in report.values())


def best(report: dict[str, dict[str, float]]) -> float:
    """Highest accuracy over languages."""
    return max(row["accuracy"] for row in report.values())


def largest_fall(before: dict[str, Any], after: dict[str, Any]) -> float:
    """Largest loss of accuracy over the languages of two reports of one part."""
    return max(float(before[code]["accuracy"] - after[code]["accuracy"]) for code in before)
