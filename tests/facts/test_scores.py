from __future__ import annotations

import numpy as np
import pytest

from probekit.errors import InputError
from probekit.facts import FactSet, Question, Scores
from probekit.facts.intervals import fact_means, mean_interval
from probekit.facts.surface import surface_floor


def made(logps, *, facts=None, exact=None):
    """Scores of questions with two choices of one token, the first one right."""
    n = len(logps)
    names = facts or [f"f{i}" for i in range(n)]
    questions = tuple(
        Question(fact=name, language="en", prompt=f"q{i}", answer=" a", choices=(" a", " b"))
        for i, name in enumerate(names)
    )
    return Scores(
        facts=FactSet(questions),
        logp=np.array([pair[0] for pair in logps]),
        exact=np.zeros(n, dtype=bool) if exact is None else np.array(exact),
        n_answer_tokens=np.ones(n, dtype=np.int64),
        choice_logp=tuple(logps),
        choice_tokens=((1, 1),) * n,
    )


GOOD, BAD = (-1.0, -2.0), (-2.0, -1.0)


def test_accuracy_is_a_mean_over_facts_not_over_questions():
    scores = made([GOOD, GOOD, GOOD, BAD], facts=["a", "a", "a", "b"])
    (row,) = scores.table()
    assert row["accuracy"] == 0.5
    assert (row["n_facts"], row["n_questions"]) == (2, 4)
    assert row["nats_per_token"] == pytest.approx(1.25)


def test_more_forms_of_the_same_facts_do_not_narrow_the_interval():
    once = made([GOOD, BAD] * 10)
    thrice = made([GOOD, BAD] * 30, facts=[f"f{i % 20}" for i in range(60)])
    a, b = once.table()[0], thrice.table()[0]
    assert (a["accuracy_low"], a["accuracy_high"]) == (b["accuracy_low"], b["accuracy_high"])
    assert a["accuracy_low"] < 0.5 < a["accuracy_high"]


def test_where_all_facts_are_right_the_interval_still_has_a_width():
    (row,) = made([GOOD] * 20).table()
    assert row["accuracy"] == row["accuracy_high"] == 1.0
    assert row["accuracy_low"] == pytest.approx(0.025 ** (1 / 20))
    assert row["exact"] == row["exact_low"] == 0.0
    assert row["exact_high"] == pytest.approx(1 - 0.025 ** (1 / 20))


def test_the_interval_covers_the_truth():
    rng = np.random.default_rng(0)
    covered = 0
    for seed in range(200):
        values = (rng.random(60) < 0.7).astype(float)
        low, high = mean_interval(values, n_resamples=300, seed=seed)
        covered += low <= 0.7 <= high
    assert covered >= 178  # 89 %, two standard errors and rounding under 95 %


def test_one_fact_says_nothing_and_bad_levels_are_refused():
    assert mean_interval(np.array([0.5])) == (0.0, 1.0)
    assert mean_interval(np.array([1.0]))[0] == pytest.approx(0.025)
    with pytest.raises(InputError, match="level"):
        mean_interval(np.array([1.0, 0.0]), level=1.0)
    assert fact_means(["b", "a", "b"], np.array([1.0, 0.0, 0.0])).tolist() == [0.5, 0.0]


def test_a_table_has_the_rows_asked_for():
    scores = made([GOOD, BAD])
    assert set(scores.table(by=["form"])[0]) >= {"form", "accuracy", "surface", "chance"}
    assert scores.table(n_resamples=50, seed=1) == scores.table(n_resamples=50, seed=1)
    for by in (["fact"], [], "language"):
        with pytest.raises(InputError, match="by must be"):
            scores.table(by=by)


def test_a_guess_by_looks_finds_the_name_in_the_answer():
    def ask(prompt, choices):
        return Question(fact="f", language="en", prompt=prompt, answer=choices[0], choices=choices)

    floor = surface_floor(
        [
            ask("Country: Denmark. Currency:", (" Danmark Krone", " Japanese Yen")),
            ask("Country: Japan. Currency:", (" Danish Krone", " Japanese Yen")),
            ask("xyz", (" ab", " cd")),
            Question(fact="f", language="en", prompt="x", answer=" y"),
        ]
    )
    assert floor.tolist() == [1.0, 0.0, 0.5, 0.0]
