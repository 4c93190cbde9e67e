"""The search for a step and the choice of a block, on curves with a known answer; a whole step."""

from __future__ import annotations

import copy

import pytest
import torch

from probekit.erasure import erase
from probekit.erasure.slug import BlockGradient, compare_blocks, pick_block, search_step
from probekit.erasure.target import Target


def curve(forgets_at, breaks_at):
    """Forgets from one size on, and loses what is retained from another on."""
    return lambda size: (float(size < forgets_at), float(size >= breaks_at))


@pytest.mark.parametrize("forgets_at", [0.013, 0.1, 0.77, 3.3])
def test_the_smallest_step_that_forgets_is_bracketed(forgets_at):
    size, trials = search_step(curve(forgets_at, 1e9), target=0.0, budget=0.1, most=16)
    assert forgets_at <= size < forgets_at * 1.05
    assert len(trials) == 16
    assert min(t.size for t in trials if t.forget == 0) == size


def test_a_tiny_step_is_reached_in_few_trials():
    """Each is a quarter of the last while none was too small: a thousandth of the norm in six."""
    size, trials = search_step(curve(1e-4, 1e-3), target=0.0, budget=0.1, most=6)
    assert [round(trial.size, 6) for trial in trials[:4]] == [0.1, 0.025, 0.00625, 0.001563]
    assert 1e-4 <= size < 1e-3


def test_a_step_that_keeps_too_little_is_never_taken():
    size, trials = search_step(curve(5.0, 0.5), target=0.0, budget=0.1, most=12)
    assert 0.45 < size < 0.5
    assert any(trial.retain_fall > 0.1 for trial in trials)


def test_no_step_at_all_where_nothing_is_kept():
    size, _ = search_step(lambda size: (1.0, 1.0), target=0.0, budget=0.1, most=8)
    assert size == 0.0


def test_importance_and_alignment_are_norms_and_cosine():
    values = {"m.0.w": torch.tensor([3.0, 4.0]), "m.1.w": torch.tensor([1.0, 0.0])}
    forget = {"m.0.w": torch.tensor([5.0, 0.0]), "m.1.w": torch.tensor([2.0, 0.0])}
    retain = {"m.0.w": torch.tensor([0.0, 9.0]), "m.1.w": torch.tensor([-3.0, 4.0])}
    found = compare_blocks(values, forget, retain, path="m")
    assert found == (
        BlockGradient(0, pytest.approx(1.0), pytest.approx(0.0)),
        BlockGradient(1, pytest.approx(2.0), pytest.approx(0.6)),
    )


def test_deepest_and_pareto_are_different_choices():
    blocks = [BlockGradient(0, 2.0, 0.1), BlockGradient(1, 1.0, 0.5), BlockGradient(2, 3.0, 0.9)]
    assert pick_block(blocks, "deepest") == 2
    assert pick_block(blocks, "pareto") == 0


def test_the_step_taken_is_the_plain_gradient_in_proportion_to_the_tensors(taught, facts):
    """Plain autograd on the Hugging Face loss of every fact to forget, one text at a time."""
    names = tuple(f"model.layers.{block}.self_attn.o_proj.weight" for block in (0, 1))
    done = erase(
        taught,
        facts,
        source=["en"],
        algorithm="slug",
        selection=Target(names),
        retain_budget=1.0,
        forget_target=0.0,
    )
    size, block = done.record["derived"]["size"], done.record["derived"]["block"]
    assert size > 0
    name = names[block]
    model = copy.deepcopy(taught.model).requires_grad_(requires_grad=True)
    losses, tokens = 0.0, 0
    for question in facts.where(part="forget", language="en"):
        prompt = taught.tokenizer(question.prompt)["input_ids"]
        ids = torch.tensor([taught.tokenizer(question.text)["input_ids"]])
        labels = ids.clone()
        labels[0, : len(prompt)] = -100
        losses = losses + model(ids, labels=labels).loss * (labels != -100).sum()
        tokens += int((labels != -100).sum())
    (losses / tokens).backward()
    before = taught.model.get_parameter(name).detach()
    gradient = model.get_parameter(name).grad
    expected = before + size * before.norm() * gradient / gradient.norm()
    moved = done.subject.model.get_parameter(name).detach()
    assert torch.allclose(moved, expected, atol=1e-5)
    assert (moved - before).abs().max() > 1e-3
