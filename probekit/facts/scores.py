"""What a subject's scores on facts come to: right or wrong, tables with intervals and floors.

Arrays aligned with the questions; nothing here knows a model. Intervals are over *facts*, because
forms of one fact are right or wrong together. A table costs ``n_resamples`` weighted means a row.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from probekit.errors import InputError
from probekit.facts.intervals import fact_means, mean_interval
from probekit.facts.surface import surface_floor

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from probekit.facts.question import FactSet

Rule = Literal["choice", "exact"]
#: Fields of a question that a table can have a row for.
ROWS = ("language", "part", "relation", "form")


@dataclass(frozen=True)
class Scores:
    """Scores of every question, in the order of ``facts.questions``.

    Attributes
    ----------
    facts
        What was asked.
    logp
        Log-probability of the whole answer after its prompt, in nats.
    exact
        Whether every token of the answer is the most probable one after those before it (teacher
        forced; so greedy decoding gives the answer).
    n_answer_tokens
        Tokens of the answer.
    choice_logp, choice_tokens
        The same of every choice, in the question's order; empty for an open question.
    """

    facts: FactSet
    logp: NDArray[np.float64]
    exact: NDArray[np.bool_]
    n_answer_tokens: NDArray[np.int64]
    choice_logp: tuple[tuple[float, ...], ...]
    choice_tokens: tuple[tuple[int, ...], ...]

    @property
    def n_choices(self) -> NDArray[np.int64]:
        """Choices of every question; 0 where it is open."""
        return np.array([len(choices) for choices in self.choice_logp], dtype=np.int64)

    @property
    def chance(self) -> NDArray[np.float64]:
        """Accuracy of guessing: ``1 / n_choices``; 0 where the question is open."""
        n = self.n_choices
        return np.where(n > 0, 1 / np.maximum(n, 1), 0.0)

    @property
    def choice(self) -> NDArray[np.int64]:
        """Choice of highest mean log-probability per token; −1 where the question is open."""
        return np.array([int(np.argmax(v)) if len(v) else -1 for v in self._means])

    @property
    def choice_by_sum(self) -> NDArray[np.int64]:
        """Choice of highest log-probability; −1 where the question is open."""
        return np.array([int(np.argmax(v)) if v else -1 for v in self.choice_logp])

    @cached_property
    def rank(self) -> NDArray[np.int64]:
        """Place of the answer among the choices by mean log-probability per token; 1 is best.

        A tie counts against the answer. 0 where the question is open.
        """
        return self._ranks(self._means)

    @cached_property
    def correct(self) -> NDArray[np.bool_]:
        """The answer's mean log-probability per token beats every other choice's.

        Of an open question: ``exact``.
        """
        return np.where(self.n_choices > 0, self.rank == 1, self.exact)

    @cached_property
    def correct_by_sum(self) -> NDArray[np.bool_]:
        """``correct`` by whole log-probabilities."""
        sums = [np.array(values) for values in self.choice_logp]
        return np.where(self.n_choices > 0, self._ranks(sums) == 1, self.exact)

    @cached_property
    def _means(self) -> list[NDArray[np.float64]]:
        pairs = zip(self.choice_logp, self.choice_tokens, strict=True)
        return [np.array(logp) / np.array(tokens) for logp, tokens in pairs]

    def _ranks(self, values: Sequence[NDArray[np.float64]]) -> NDArray[np.int64]:
        pairs = zip(self.facts, values, strict=True)
        ranks = [int((v >= v[q.right]).sum()) if len(v) else 0 for q, v in pairs]
        return np.array(ranks, dtype=np.int64)

    def table(
        self,
        by: Sequence[str] = ("language", "part"),
        *,
        n_resamples: int = 1000,
        level: float = 0.95,
        seed: int = 0,
    ) -> list[dict[str, Any]]:
        """One row for each combination of ``by``, with intervals over facts.

        A row has the fields of ``by``, ``n_facts``, ``n_questions``; ``accuracy`` (share of
        ``correct``, mean over facts of the mean over their forms), ``by_sum``, ``exact``, each with
        ``_low`` and ``_high``; ``chance``; ``surface`` (accuracy of picking the choice that looks
        most like the prompt); ``nats_per_token`` of the answers. The interval is a percentile
        over facts: Clopper and Pearson's where each is right or wrong, else a bootstrap.

        Raises
        ------
        InputError
            ``by`` names other fields, or the level is not inside (0, 1).
        """
        wrong = [name for name in by if name not in ROWS]
        if wrong or not by or isinstance(by, str):
            msg = f"by must be a list of some of {ROWS}. Got {by!r} instead: correct it."
            raise InputError(msg)
        interval = {"n_resamples": n_resamples, "level": level, "seed": seed}
        return [
            {**dict(zip(by, key, strict=True)), **self._row(rows, interval)}
            for key, rows in self._groups(by)
        ]

    def _groups(self, by: Sequence[str]) -> Iterator[tuple[tuple[str, ...], list[int]]]:
        groups: dict[tuple[str, ...], list[int]] = {}
        for row, question in enumerate(self.facts):
            groups.setdefault(tuple(getattr(question, name) for name in by), []).append(row)
        yield from groups.items()

    def _row(self, rows: Sequence[int], interval: dict[str, Any]) -> dict[str, Any]:
        questions = [self.facts.questions[row] for row in rows]
        ids = [question.fact for question in questions]
        measured: dict[str, float] = {}
        columns = {"accuracy": self.correct, "by_sum": self.correct_by_sum, "exact": self.exact}
        for name, values in columns.items():
            of_facts = fact_means(ids, values[rows])
            low, high = mean_interval(of_facts, **interval)
            measured |= {name: float(of_facts.mean()), f"{name}_low": low, f"{name}_high": high}
        return {
            "n_facts": len(set(ids)),
            "n_questions": len(rows),
            **measured,
            "chance": float(fact_means(ids, self.chance[rows]).mean()),
            "surface": float(fact_means(ids, surface_floor(questions)).mean()),
            "nats_per_token": float(-(self.logp[rows] / self.n_answer_tokens[rows]).mean()),
        }

    def __repr__(self) -> str:
        return (
            f"Scores({self.facts.name!r}: {len(self.facts)} questions, {len(self.facts.facts)} "
            f"facts, {len(self.facts.languages)} languages, {self.correct.mean():.0%} correct)"
        )


def known(scores: Scores, *, rule: Rule = "choice") -> dict[str, tuple[str, ...]]:
    """Facts that a subject knows, by language: right in *every* question asked about them there.

    Languages are sorted, facts are in the set's order; a language without a known fact has an
    empty tuple. By luck alone a fact passes with probability ``Π 1 / n_choices`` over its forms, so
    ask several forms.

    Parameters
    ----------
    scores : of the facts
    rule : ``choice`` (the answer beats every other choice; open questions need ``exact``) or
        ``exact`` (every token is the most probable one)

    Raises
    ------
    InputError
        An unknown rule.
    """
    if rule not in ("choice", "exact"):
        msg = f"rule must be 'choice' or 'exact'. Got {rule!r} instead: correct it."
        raise InputError(msg)
    right = scores.correct if rule == "choice" else scores.exact
    always: dict[tuple[str, str], bool] = {}
    for question, ok in zip(scores.facts, right, strict=True):
        key = (question.language, question.fact)
        always[key] = always.get(key, True) and bool(ok)
    return {
        code: tuple(fact for (language, fact), ok in always.items() if language == code and ok)
        for code in scores.facts.languages
    }
