"""Entering a model at a block gives what the whole forward gives, for many families."""

from __future__ import annotations

import pytest
import torch

from probekit.erasure.answers import answer_logp
from probekit.erasure.tail import Tail
from probekit.erasure.texts import make_batches, read_items
from probekit.erasure.working_copy import trainable, working_copy
from probekit.facts import score
from tests.erasure.conftest import make_facts
from tests.tiny import tiny_subject

FAMILIES = ("llama", "gemma2", "gemma3", "gpt2", "gpt_neox", "bloom", "falcon", "opt", "qwen3")


def batches_of(subject, facts, budget=64):
    return make_batches(subject, read_items(subject, facts), token_budget=budget)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("last", [1, 2])
def test_blocks_from_the_first_that_moves_equal_the_whole(family, last):
    subject = tiny_subject(family)
    tail = Tail(subject, 1, cache_bytes=1 << 20)
    for batch in batches_of(subject, make_facts()):
        with torch.no_grad():
            whole = Tail(subject, 0, cache_bytes=0).run(batch, last).clone()
            for _ in range(2):  # the second time from what was kept
                part = tail.run(batch, last)
                torch.testing.assert_close(part, whole, rtol=0, atol=0)
    assert tail.used_bytes > 0, f"{family} is not entered at a block"


def test_nothing_stays_hooked_or_patched():
    subject = tiny_subject("llama")
    batch = batches_of(subject, make_facts())[0]
    plain = subject.forward(batch.inputs).logits
    Tail(subject, 2, cache_bytes=1 << 20).run(batch)
    assert torch.equal(subject.forward(batch.inputs).logits, plain)
    assert all("forward" not in module.__dict__ for module in subject.model.modules())


def test_a_memory_budget_is_kept_and_changes_no_byte():
    subject = tiny_subject("llama")
    batches = batches_of(subject, make_facts())
    one = max(batch.n_tokens for batch in batches) * 32 * 4
    small, none = Tail(subject, 1, cache_bytes=one), Tail(subject, 1, cache_bytes=0)
    for batch in batches:
        assert torch.equal(small.run(batch), none.run(batch))
    assert none.used_bytes == 0
    assert 0 < small.used_bytes <= one


def test_gradients_are_those_of_the_whole_model(facts, middle):
    base = tiny_subject("llama")
    batch = batches_of(base, facts)[0]
    found = []
    for first, cache in ((0, 0), (1, 1 << 20)):
        copy = working_copy(base, middle.names[1:])
        tail = Tail(copy, first, cache_bytes=cache)
        answer_logp(copy, tail.run(batch), batch)[0].sum().backward()
        found.append({name: tensor.grad for name, tensor in trainable(copy).items()})
    for name, grad in found[0].items():
        torch.testing.assert_close(found[1][name], grad)


@pytest.mark.parametrize("family", ["llama", "gemma2", "gpt2", "cohere", "granite"])
def test_answer_log_probabilities_are_those_of_the_models_own_logits(family):
    subject = tiny_subject(family)
    for batch in batches_of(subject, make_facts()):
        with torch.no_grad():
            logp, right = answer_logp(subject, Tail(subject, 0, cache_bytes=0).run(batch), batch)
        logits = subject.forward(batch.inputs).logits.float()[batch.rows, batch.before]
        expected = logits.log_softmax(-1).gather(1, batch.targets[:, None])[:, 0]
        torch.testing.assert_close(logp, expected, rtol=1e-4, atol=1e-5)
        assert torch.equal(right, logits.argmax(-1) == batch.targets)


def test_gradients_in_pieces_are_plain_autograds(monkeypatch):
    from probekit.erasure import answers

    subject = tiny_subject("gemma2")  # its logits are capped
    batch = batches_of(subject, make_facts())[0]
    hidden = Tail(subject, 0, cache_bytes=0).run(batch).detach()
    weights = torch.linspace(-1, 2, len(batch.targets))
    grads = []
    for limit in (1, 1 << 26):
        monkeypatch.setattr(answers, "LOGIT_BYTES", limit)
        leaf = hidden.clone().requires_grad_()
        (answer_logp(subject, leaf, batch)[0] * weights).sum().backward()
        grads.append(leaf.grad)
    leaf = hidden.clone().requires_grad_()
    logits = subject.logits(leaf[batch.rows, batch.before])
    logp = logits.log_softmax(-1).gather(1, batch.targets[:, None])[:, 0]
    (logp * weights).sum().backward()
    for grad in grads:
        torch.testing.assert_close(grad, leaf.grad, rtol=1e-4, atol=1e-6)


def test_items_are_cut_as_facts_are_scored(subject, facts):
    scores = score(subject, facts)
    items = read_items(subject, facts)
    assert [len(item.answer) for item in items] == scores.n_answer_tokens.tolist()
    assert [item.question for item in items] == list(facts)


def test_batches_are_neighbours_in_length_within_the_budget(subject, facts):
    batches = batches_of(subject, facts, budget=60)
    lengths = [[len(item.ids) for item in batch.items] for batch in batches]
    flat = [length for row in lengths for length in row]
    assert sorted(flat) == flat
    assert all(max(row) * len(row) <= 60 for row in lengths)
    assert sum(map(len, lengths)) == len(facts)
