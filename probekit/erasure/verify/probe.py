"""A linear probe for the answer: from the residual stream to the unembedding of what was asked for.

Ridge regression from the output of a block, at the last token of the prompt, to the mean
unembedding row of the answer, learnt on facts that are not to be forgotten; a forgotten fact
counts when its answer's row is nearest (by product) among its choices. Two probes: learnt on the
erased model, and learnt on the base and carried over. The control learns shuffled answers (Hewitt
& Liang 2019). Costs one pass over the prompts a model and one solve of ``n_facts`` a block.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from probekit.erasure.verify.residuals import prompt_residuals
from probekit.erasure.verify.shares import Known, best_of, chance_by_key, shares_of
from probekit.facts.encoding import encode

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from probekit.erasure.memory import Memory
    from probekit.erasure.verify.settings import VerifySettings
    from probekit.facts.question import FactSet, Question
    from probekit.models import Subject

    Rows = NDArray[np.float64]

MIN_FACTS = 16  # questions that a probe learns from


@dataclass(frozen=True, eq=False)
class Lesson:
    """What probes learn from and are asked.

    Attributes
    ----------
    train, test
        Questions, as rows of the residuals.
    targets
        Centred row of the answer of every question, array (n_questions, width).
    options
        Centred rows of every question's choices.
    right
        Index of the answer among them.
    groups
        Relation and language of every question: answers are shuffled within them.
    """

    train: NDArray[np.intp]
    test: NDArray[np.intp]
    targets: Rows
    options: tuple[Rows, ...]
    right: NDArray[np.int64]
    groups: tuple[tuple[str, str], ...]

    def shuffled(self, seed: int) -> Rows:
        """Targets of the training rows, each from another question of its group by chance."""
        rng, mixed = np.random.default_rng([seed, 13]), self.targets[self.train].copy()
        groups = [self.groups[row] for row in self.train]
        for group in dict.fromkeys(groups):
            own = np.array([i for i, each in enumerate(groups) if each == group])
            mixed[own] = mixed[rng.permutation(own)]
        return mixed


def ridge_predict(X: Rows, Y: Rows, Z: Rows, *, penalty: float) -> Rows:
    """``Z W`` with ``W = argmin |XW − Y|² + λ|W|²``, rows centred on X and Y's means.

    ``λ = penalty · mean |x|²``. Solved in the dual: ``n × n``.
    """
    x_mean, y_mean = X.mean(axis=0), Y.mean(axis=0)
    A, B = X - x_mean, Z - x_mean
    gram = A @ A.T
    size = penalty * max(float(np.trace(gram)) / len(gram), np.finfo(float).tiny)
    weights = np.linalg.solve(gram + size * np.eye(len(gram)), Y - y_mean)
    made: Rows = (B @ A.T) @ weights + y_mean
    return made


def hits_of(predicted: Rows, lesson: Lesson, rows: NDArray[np.intp]) -> NDArray[np.bool_]:
    """Whether the answer has the highest product among its choices; a tie counts against it."""
    found = []
    for made, row in zip(predicted, rows, strict=True):
        values, right = lesson.options[row] @ made, int(lesson.right[row])
        found.append(int((values >= values[right]).sum()) == 1)
    return np.array(found, dtype=bool)


def make_lesson(base: Subject, facts: FactSet) -> Lesson | None:
    """Lesson on closed questions; None where there is too little to learn from."""
    import torch

    weight = base.model.get_submodule(str(base.anatomy.unembed)).weight.detach()
    options, right, groups = [], [], []
    train: list[int] = []
    test: list[int] = []
    for row, (question, found) in enumerate(zip(facts, encode(base, facts), strict=True)):
        rows = [weight[torch.tensor(ids)].float().mean(dim=0) for ids in found.choices]
        table = torch.stack(rows).double().cpu().numpy() if rows else np.zeros((1, 1))
        options.append(table - table.mean(axis=0))
        right.append(question.right or 0)
        groups.append((question.relation, question.language))
        if question.choices:
            (test if question.part == "forget" else train).append(row)
    if len(train) < MIN_FACTS or not test:
        return None
    width = max(table.shape[1] for table in options)
    targets = np.stack(
        [
            table[at] if table.shape[1] == width else np.zeros(width)
            for table, at in zip(options, right, strict=True)
        ]
    )
    places = (np.array(train), np.array(test))
    return Lesson(*places, targets, tuple(options), np.array(right), tuple(groups))


def probe_attack(
    base: Subject,
    erased: Subject,
    facts: FactSet,
    *,
    known: Known,
    how: VerifySettings,
    memory: Memory,
) -> dict[str, Any] | None:
    """Both probes at their best block, by language; None where there is too little to learn from.

    The block is the one where the training facts, each left to a probe that did not see its half,
    are told best; ``chance`` is the larger of ``1 / choices`` and the mean of shuffled answers.
    """
    lesson = make_lesson(base, facts)
    if lesson is None:
        return None
    tokens = how.batch_tokens
    before = memory.once(
        "prompts", base, lambda: prompt_residuals(base, facts, tokens), facts=facts, settings=tokens
    )
    sides = (before, prompt_residuals(erased, facts, tokens))
    found = {
        "erased": _probe(lesson, (sides[1], sides[1]), facts, known=known, how=how),
        "carried": _probe(lesson, (sides[0], sides[1]), facts, known=known, how=how),
    }
    codes = {code for probe in found.values() for code in probe["by_language"]}
    best = {
        code: best_of([p["by_language"][code] for p in found.values()]) for code in sorted(codes)
    }
    return {"by_language": best, "probes": found, "n_train": len(lesson.train)}


def _probe(
    lesson: Lesson, sides: tuple[Rows, Rows], facts: FactSet, *, known: Known, how: VerifySettings
) -> dict[str, Any]:
    learnt, read = sides
    halves = [_halves(lesson, layer, how) for layer in learnt]
    block = int(np.argmax(halves))
    X, Z = learnt[block][lesson.train], read[block][lesson.test]
    asked = [facts.questions[row] for row in lesson.test]

    def hits(targets: Rows) -> NDArray[np.bool_]:
        made = ridge_predict(X, targets, Z, penalty=how.ridge)
        return hits_of(made, lesson, lesson.test)

    luck = np.mean([hits(lesson.shuffled(how.seed + n)) for n in range(how.n_permutations)], axis=0)
    control, forget = _by_language(asked, luck), facts.where(part="forget")
    floor = {k: max(v, control.get(k[0], 0.0)) for k, v in chance_by_key(forget, known).items()}
    told = hits(lesson.targets[lesson.train])
    right = {(q.language, q.fact): bool(ok) for q, ok in zip(asked, told, strict=True)}
    return {
        "block": block,
        "by_language": shares_of(right, floor, known),
        "control": control,
        "train_accuracy": float(halves[block]),
    }


def _halves(lesson: Lesson, layer: Rows, how: VerifySettings) -> float:
    """Accuracy on training facts, each told by a probe learnt on the other half of them."""
    found = []
    for side in (0, 1):
        learn, ask = lesson.train[side::2], lesson.train[1 - side :: 2]
        targets = lesson.targets[learn]
        made = ridge_predict(layer[learn], targets, layer[ask], penalty=how.ridge)
        found.append(hits_of(made, lesson, ask))
    return float(np.concatenate(found).mean())


def _by_language(asked: list[Question], values: NDArray[np.float64]) -> dict[str, float]:
    codes = dict.fromkeys(q.language for q in asked)
    return {
        code: float(np.mean([v for q, v in zip(asked, values, strict=True) if q.language == code]))
        for code in codes
    }
