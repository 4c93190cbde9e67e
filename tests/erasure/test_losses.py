"""Each loss against its formula, on numbers worked out by hand or in plain numpy."""

from __future__ import annotations

import math

import pytest
import torch

from probekit.erasure import losses

LOGP = torch.tensor([-1.0, -3.0, -0.5], dtype=torch.float64)
TEXT = torch.tensor([0, 0, 1])


def test_squared_distance_is_over_masked_positions_and_all_features():
    x = torch.tensor([[[1.0, 2.0], [9.0, 9.0]], [[0.0, 0.0], [3.0, 5.0]]])
    mask = torch.tensor([[True, False], [False, True]])
    goal = torch.tensor([1.0, 1.0])
    # (0² + 1²)/2 and (2² + 4²)/2, averaged
    assert losses.squared_distance(x, goal, mask).item() == pytest.approx((0.5 + 10.0) / 2)


def test_masked_positions_give_no_gradient():
    x = torch.zeros(1, 3, 4, requires_grad=True)
    mask = torch.tensor([[False, True, False]])
    losses.squared_distance(x, torch.ones(4), mask).backward()
    assert x.grad[0, 1].abs().min() > 0
    assert x.grad[0, [0, 2]].abs().max() == 0


def test_mean_by_text_divides_by_each_answers_length():
    assert losses.mean_by_text(LOGP, TEXT, 2).tolist() == [-2.0, -0.5]


@pytest.mark.parametrize(("beta", "gamma"), [(2.5, 0.0), (0.1, 0.0), (4.0, 1.5)])
def test_simnpo_is_its_formula(beta, gamma):
    mean = torch.tensor([-2.0, -0.5], dtype=torch.float64)
    terms = [math.log(1 / (1 + math.exp(-(-beta * m - gamma)))) for m in mean.tolist()]
    expected = -(2 / beta) * sum(terms) / 2
    assert losses.simnpo(mean, beta=beta, gamma=gamma).item() == pytest.approx(expected, rel=1e-12)


def test_simnpo_with_no_margin_at_certainty_is_two_ln_two_over_beta():
    assert losses.simnpo(torch.zeros(3), beta=2.0).item() == pytest.approx(math.log(2))


def test_simnpo_falls_to_zero_as_answers_become_impossible():
    likely, unlikely = torch.tensor([-0.1]), torch.tensor([-40.0])
    assert losses.simnpo(likely, beta=2.5) > losses.simnpo(unlikely, beta=2.5)
    assert losses.simnpo(unlikely, beta=2.5).item() == pytest.approx(0, abs=1e-12)


def test_simnpo_gradient_is_two_sigma():
    mean = torch.tensor([-2.0], dtype=torch.float64, requires_grad=True)
    losses.simnpo(mean, beta=2.5, gamma=0.5).backward()
    # d/dm of −(2/β) ln σ(−βm − γ) = 2 σ(βm + γ)
    assert mean.grad.item() == pytest.approx(2 / (1 + math.exp(2.5 * 2.0 - 0.5)), rel=1e-12)


def test_cross_entropy_is_over_tokens_not_texts():
    assert losses.cross_entropy(LOGP).item() == pytest.approx(1.5)


def test_bounded_ascent_counts_a_token_at_most_its_bound():
    assert losses.bounded_ascent(LOGP, bound=2.0).item() == pytest.approx(-(1.0 + 2.0 + 0.5) / 3)


def test_bounded_ascent_leaves_tokens_beyond_the_bound_alone():
    logp = LOGP.clone().requires_grad_()
    losses.bounded_ascent(logp, bound=2.0).backward()
    assert logp.grad.tolist() == pytest.approx([1 / 3, 0.0, 1 / 3])
