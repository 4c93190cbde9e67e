"""Constrained decoding against brute force over whole softmaxes."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from probekit.erasure import erase, verify
from probekit.erasure.exam import exact_right
from probekit.erasure.memory import Memory
from probekit.erasure.target import Target
from probekit.erasure.verify import decoding
from probekit.erasure.verify.decoding import named, partings
from probekit.facts import FactSet, Question, score
from probekit.facts.encoding import EncodedQuestion, encode
from tests.erasure.conftest import make_facts
from tests.erasure.verifying import colours
from tests.tiny import tiny_subject

FAMILIES = ("llama", "gpt2", "gemma2", "cohere", "gpt_neox")


def plain(output):
    return output[0] if isinstance(output, tuple) else output


def brute(subject, question):
    """``ln`` of every choice's share at every block, one forward a choice and no padding."""
    blocks = [
        subject.model.get_submodule(subject.anatomy.block(n))
        for n in range(subject.anatomy.n_blocks)
    ]
    shares = np.zeros((len(blocks), len(question.choices)))
    for column, choice in enumerate(question.choices):
        ids, seen = question.context + choice, []
        hooks = [
            b.register_forward_hook(lambda _m, _i, out, seen=seen: seen.append(plain(out)))
            for b in blocks
        ]
        subject.forward({"input_ids": torch.tensor([ids])})
        for hook in hooks:
            hook.remove()
        for at in range(len(question.context), len(ids)):
            rivals = {
                c[at - len(question.context)]
                for c in question.choices
                if (question.context + c)[:at] == ids[:at] and len(question.context + c) > at
            }
            for n, hidden in enumerate(seen):
                z = subject.logits(hidden.reshape(1, len(ids), -1)[0, at - 1]).double().detach()
                rows = z[sorted(rivals)]
                shares[n, column] += float(z[ids[at]] - rows.logsumexp(0))
    return shares


@pytest.mark.parametrize("family", FAMILIES)
def test_it_is_the_softmax_over_what_may_follow(family):
    subject, facts = tiny_subject(family), colours()
    found = named(subject, facts, batch_tokens=200)
    for row, (question, fact) in enumerate(zip(encode(subject, facts), facts, strict=True)):
        if row % 7:
            continue
        shares = brute(subject, question)
        assert found.first[:, row].tolist() == shares.argmax(axis=1).tolist()
        assert found.right[:, row].tolist() == (shares.argmax(axis=1) == fact.right).tolist()


def test_batches_do_not_matter():
    subject, facts = tiny_subject("llama"), colours()
    one, many = (named(subject, facts, batch_tokens=n) for n in (30, 4000))
    assert np.array_equal(one.right, many.right)
    assert np.array_equal(one.first, many.first)


def test_open_questions_are_decoded_over_the_vocabulary(taught):
    facts = make_facts(choices=False)
    found = named(taught, facts)
    assert np.array_equal(found.right[-1], score(taught, facts).exact)
    assert found.right[-1].all()
    assert (found.first == -1).all()


def test_where_choices_part_is_all_that_is_read():
    question = EncodedQuestion((7,), (1, 2), ((1, 2), (1, 3), (4, 5)))
    assert partings(question) == {(7,): (1, 4), (7, 1): (2, 3)}
    assert partings(EncodedQuestion((7,), (1, 2), ())) == {(7,): (1,), (7, 1): (2,)}


def test_a_choice_that_another_continues_is_a_tie(monkeypatch):
    """Nothing tells (5) from (5, 6) while only what may follow is compared."""
    subject = tiny_subject("llama")
    nested = EncodedQuestion((7, 8), (5,), ((5,), (5, 6)))
    third = EncodedQuestion((7, 8), (5,), ((5,), (5, 6), (9,)))
    monkeypatch.setattr(decoding, "encode", lambda *_: (nested, third))
    words = (" red", " reddish"), (" red", " reddish", " blue")
    facts = FactSet(
        tuple(
            Question(fact=f"f{n}", language="en", prompt="A =", answer=" red", choices=choices)
            for n, choices in enumerate(words)
        ),
        name="nested",
    )
    assert not named(subject, facts).right.any()


def test_exact_answers_equal_the_whole_score(taught, facts):
    mixed = facts
    assert np.array_equal(exact_right(taught, mixed, batch_tokens=64), score(taught, mixed).exact)
    assert exact_right(tiny_subject("llama"), mixed, batch_tokens=64).tolist() == (
        score(tiny_subject("llama"), mixed).exact.tolist()
    )


def test_a_memory_changes_no_number_and_asks_the_base_once(taught, facts, middle):
    how = {"source": ["en"], "algorithm": "simnpo", "max_steps": 2, "selection": middle}
    plain = erase(taught, facts, **how)
    memory = Memory()
    first = erase(taught, facts, memory=memory, **how)
    kept = len(memory)
    again = erase(taught, facts, memory=memory, **how)
    assert plain.record == first.record == again.record
    assert len(memory) == kept > 0
    own = facts.where(part=["forget", "retain"])
    checks = ["choices", "lens", "probe", "rounding", "damage"]
    one = verify(taught, first, own, checks=checks)
    two, three = (verify(taught, first, own, checks=checks, memory=memory) for _ in range(2))
    assert one.to_json() == two.to_json() == three.to_json()


def test_answered_facts_are_what_accuracy_counts(taught, facts, middle):
    done = erase(taught, facts, source=["en"], selection=middle, algorithm="simnpo", max_steps=3)
    for when in ("before", "after"):
        for part, languages in done.record[when].items():
            for code, row in languages.items():
                assert len(done.record["answered"][when][part][code]) == row["known"]


def test_controls_stand_beside_the_erased_model(taught, facts, middle):
    how = {"source": ["en"], "algorithm": "simnpo", "max_steps": 4}
    done = erase(taught, facts, selection=middle, **how)
    names = ("model.layers.2.mlp.down_proj.weight",)
    other = erase(taught, facts, selection=Target(names, read_layer=2), **how)
    checks = ["choices", "lens"]
    report = verify(taught, done, facts, checks=checks, controls={"deep": other, "none": taught})
    alone = verify(taught, other, facts, checks=checks)
    beside = report.record["controls"]["deep"]
    cells = alone.record["behaviour"]["forget"]
    assert beside["kept"]["forget"] == {c: cell["kept"] for c, cell in cells.items()}
    assert beside["attacks"]["lens"] == alone.record["attacks"]["lens"]["by_language"]
    assert beside["verdicts"] == {c: str(v) for c, v in alone.verdicts.items()}
    assert report.record["controls"]["none"]["kept"]["forget"]["en"]["success"] == 1
    assert (
        report.record["verdicts"] == verify(taught, done, facts, checks=checks).record["verdicts"]
    )
