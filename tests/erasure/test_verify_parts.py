"""Closed forms and brute force of the parts of a verification."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from probekit.erasure.verify import judge
from probekit.erasure.verify.lens import any_of, best_blocks
from probekit.erasure.verify.probe import ridge_predict
from probekit.erasure.verify.rounding import rounded
from probekit.erasure.verify.settings import VerifySettings
from probekit.erasure.verify.shares import best_of, can_show, left, share
from probekit.errors import InputError

HOW = VerifySettings()


def cell(right, n=16, chance=0.25):
    return share([1.0] * right + [0.0] * (n - right), [chance] * n)


def test_a_share_is_tested_against_its_chance_exactly():
    found = share([1, 1, 0], [0.5, 0.25, 0.75])
    assert found["chance"] == pytest.approx(0.5)
    assert found["p_value"] == pytest.approx(0.5)
    assert not found["above"]
    assert cell(16)["above"]
    assert cell(16)["p_value"] == pytest.approx(0.25**16)


def test_open_questions_have_no_chance_so_one_hit_is_above():
    assert share([1, 0, 0], [0, 0, 0])["above"]
    assert not share([0, 0, 0], [0, 0, 0])["above"]


def test_the_best_of_several_pays_for_the_choice():
    weak, strong = cell(5), cell(8)
    assert best_of([weak, strong])["success"] == strong["success"]
    assert best_of([weak, strong])["p_value"] == pytest.approx(2 * strong["p_value"])


@pytest.mark.parametrize(("n", "chance", "enough"), [(0, 0.1, 0), (2, 0.5, 0), (6, 0.5, 1)])
def test_how_many_facts_can_show_anything(n, chance, enough):
    assert can_show(n, chance) == bool(enough)
    if n:
        assert share([1] * n, [chance] * n)["above"] == bool(enough)


@pytest.mark.parametrize(
    ("after", "retained", "attack", "word"),
    [
        (16, 16, 16, "no effect"),
        (15, 16, 0, "no effect"),
        (13, 16, 0, "leaks"),
        (10, 16, 0, "leaks"),
        (2, 16, 2, "erased"),
        (5, 16, 5, "erased"),
        (7, 16, 2, "undecided"),
        (8, 16, 2, "undecided"),
        (2, 16, 7, "undecided"),
        (2, 16, 12, "suppressed"),
        (2, 4, 12, "suppressed"),
        (2, 4, 2, "language damaged"),
    ],
)
def test_a_word_a_language(after, retained, attack, word):
    found = judge(
        {"en": cell(after)}, {"en": cell(retained)}, {"lens": {"en": cell(attack)}}, how=HOW
    )["en"]
    assert found.word == word
    assert found.leaks == (word in {"no effect", "leaks", "suppressed"})
    assert found.damaged == (retained == 4)
    assert found.best_attack["name"] == "lens"


def test_answers_in_another_language_leak_through_it():
    found = judge({"en": cell(2), "de": cell(9), "sw": {}}, {}, {}, how=HOW)
    assert str(found["en"]) == "leaks through de"
    assert str(found["de"]) == "leaks through de"
    assert str(found["sw"]) == "undecided"
    assert found["en"].best_attack is None


def test_many_attacks_share_one_level():
    """9 of 16 beats a chance of .25 at 5 %, 8 beat it at 2.7 % alone and not beside twenty."""
    one = {"lens": {"en": cell(8)}}
    many = one | {f"try {n}": {"en": cell(3)} for n in range(20)}
    patient = VerifySettings(tolerance=0.8)
    assert judge({"en": cell(2)}, {}, one, how=HOW)["en"].word == "suppressed"
    assert judge({"en": cell(2)}, {}, many, how=patient)["en"].word == "erased"


@pytest.mark.parametrize(("right", "n"), [(2, 3), (4, 8), (7, 16), (8, 16)])
def test_half_of_the_facts_still_answered_is_never_erased(right, n):
    """None of these beats a chance of .25, and none of them shows that the facts are gone."""
    tried = {f"attack {number}": {"en": cell(right, n)} for number in range(7)}
    found = judge({"en": cell(right, n)}, {}, tried, how=HOW)["en"]
    assert found.word == "undecided"
    assert found.at_most > HOW.tolerance
    assert not cell(right, n)["above"]


def test_what_can_be_left_is_the_end_of_the_interval_without_the_guesses():
    """6 of 32 at chance .25: Clopper and Pearson's end is .3644."""
    assert cell(6, 32)["high"] == pytest.approx(0.3644, abs=1e-4)
    assert left(cell(6, 32)) == pytest.approx((0.3644 - 0.25) / 0.75, abs=2e-4)
    assert left(cell(0, 32, 0.9)) == 0.0
    assert left(cell(3, 4, 1.0)) == 1.0
    found = judge({"en": cell(4, 32)}, {}, {"lens": {"en": cell(6, 32)}}, how=HOW)["en"]
    assert found.at_most == pytest.approx(left(cell(6, 32)))
    assert str(found) == "erased (at most 15% still known)"


@pytest.mark.parametrize(("low", "damaged"), [(0.4, False), (0.6, True)])
def test_strange_texts_are_damage_too(low, damaged):
    texts = {"en": {"rise": 0.7, "rise_low": low, "rise_high": 1.0}}
    found = judge({"en": cell(2)}, {"en": cell(16)}, {}, how=HOW, fluency=texts)["en"]
    assert (found.word == "language damaged") == found.damaged == damaged


def test_a_share_is_of_facts_that_are_right_or_wrong():
    for values in ([], [0.5, 1.0]):
        with pytest.raises(InputError, match=r"right \(1\) or wrong \(0\)"):
            share(values, [0.25] * len(values))


def test_naming_every_choice_is_no_attack():
    """Four blocks that each name another of four choices are right for sure, and by chance."""
    right = np.eye(4, dtype=bool)[:, :1]
    hits, chance = any_of(right, np.arange(4)[:, None], np.array([4]))
    assert (hits[0], chance[0]) == (True, 1.0)
    hits, chance = any_of(right, np.zeros((4, 1), dtype=int), np.array([4]))
    assert chance[0] == 0.25
    assert any_of(right, -np.ones((4, 1), dtype=int), np.array([0]))[1][0] == 0.0


def test_the_chance_of_several_blocks_is_what_guessing_gives():
    rng = np.random.default_rng(0)
    first = rng.integers(0, 5, size=(3, 4000))
    answer = rng.integers(0, 5, size=4000)
    hits, chance = any_of(first == answer, first, np.full(4000, 5))
    assert hits.mean() == pytest.approx(chance.mean(), abs=0.03)


def test_best_blocks_prefers_depth_where_recall_is_alike():
    assert best_blocks(np.array([0.5, 0.9, 0.5, 0.1]), 2) == (1, 2)
    assert best_blocks(np.array([0.5, 0.9]), 7) == (0, 1)


def test_rounding_keeps_its_grid_and_errs_by_half_a_step_at_most():
    weight = torch.randn(5, 70, generator=torch.Generator().manual_seed(0))
    made = rounded(weight, bits=4, group=32)
    for start in (0, 32, 64):
        own, got = weight[:, start : start + 32], made[:, start : start + 32]
        step = own.abs().amax(dim=1, keepdim=True) / 7
        assert bool(((own - got).abs() <= step / 2 + 1e-6).all())
        assert torch.allclose((got / step).round(), got / step, atol=1e-4)
        assert int((got / step).round().abs().max()) == 7
    assert torch.allclose(rounded(made), made, atol=1e-6), "rounding twice is rounding once"
    assert torch.equal(rounded(torch.zeros(2, 3)), torch.zeros(2, 3))
    assert rounded(weight.bfloat16()).dtype == torch.bfloat16


def test_the_dual_ridge_is_the_primal_one():
    rng = np.random.default_rng(1)
    X, Y, Z = rng.normal(size=(9, 5)), rng.normal(size=(9, 3)), rng.normal(size=(4, 5))
    A = X - X.mean(axis=0)
    size = 0.7 * (A**2).sum() / 9
    W = np.linalg.solve(A.T @ A + size * np.eye(5), A.T @ (Y - Y.mean(axis=0)))
    wanted = (Z - X.mean(axis=0)) @ W + Y.mean(axis=0)
    assert ridge_predict(X, Y, Z, penalty=0.7) == pytest.approx(wanted)
