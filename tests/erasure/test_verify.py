"""Verification on models whose knowledge is planted: every verdict has a truth to meet."""

from __future__ import annotations

import json

import pytest
import torch

from probekit.erasure import Report, erase, verify
from probekit.erasure.target import Target
from probekit.erasure.texts import make_batches, read_items
from probekit.erasure.verify.patching import self_patching
from probekit.erasure.working_copy import put, working_copy
from probekit.errors import InputError, LanguageError, ModelError, NumericalError
from tests.erasure.verifying import colours, taught_on
from tests.tiny import tiny_subject

DOWN = "model.layers.1.mlp.down_proj.weight"
HEAD = ("model.norm.weight", "lm_head.weight")
FAST = {"relearn_steps": 2, "n_permutations": 3, "max_new_tokens": 8}


@pytest.fixture(scope="module")
def facts():
    return colours()


@pytest.fixture(scope="module")
def base(facts):
    """Knows every fact in both languages."""
    return taught_on(tiny_subject("llama"), facts)


@pytest.fixture(scope="module")
def never(facts):
    """Was never told what is to be forgotten: the gold standard of an erasure."""
    return taught_on(tiny_subject("llama"), [q for q in facts if q.part != "forget"])


@pytest.fixture(scope="module")
def only_german(facts):
    """Knows what is to be forgotten in German alone."""
    kept = [q for q in facts if q.part != "forget" or q.language == "de"]
    return taught_on(tiny_subject("llama"), kept)


def edited(subject, *names, seed=0):
    """Subject with other random values in some tensors."""
    made = working_copy(subject, names)
    own = dict(made.model.named_parameters())
    generator = torch.Generator().manual_seed(seed)
    put(made, {n: 0.3 * torch.randn(own[n].shape, generator=generator) for n in names})
    made.model.requires_grad_(requires_grad=False)
    return made


def check(base, erased, facts, **options):
    return verify(base, erased, facts, **{**FAST, "source": ["en"], **options})


def words(report):
    return {code: verdict.word for code, verdict in report.verdicts.items()}


@pytest.fixture(scope="module")
def gold(base, never, facts):
    return check(base, never, facts, tolerance=0.9)


def test_a_no_op_has_no_effect_and_leaks_everywhere(base, facts):
    report = check(base, base, facts, selection=Target((DOWN,)))
    assert words(report) == {"en": "no effect", "de": "no effect"}
    assert set(report.leaks) == {"en", "de"}
    assert not report.ok
    assert report.record["contract"]["unmoved"] == [DOWN]
    assert all(cell["rise"] == 0 for cell in report.record["fluency"].values())
    rows = report.record["damage"]["en"]
    assert all(row["cka"] == pytest.approx(1) for row in rows)


def test_a_random_head_is_suppressed_the_lens_has_the_bases(base, facts):
    report = check(base, edited(base, *HEAD, seed=9), facts, checks=["lens"])
    lens = report.record["attacks"]["lens"]["by_language"]
    assert all(cell["success"] == 1 for cell in lens.values())
    assert set(report.leaks) == {"en", "de"}
    assert words(report) == {"en": "suppressed", "de": "suppressed"}
    assert str(report.verdicts["en"]) == "suppressed (recovered by lens), language damaged"


def test_a_head_that_only_stops_saying_the_answers_is_suppressed(base, facts):
    """Retrained on nothing but the head, to answer the retained and shun the forgotten."""
    done = erase(
        base,
        facts,
        source=["en", "de"],
        algorithm="gradient-ascent",
        selection=Target(HEAD),
        allow_tied=True,
        one_language=True,
        lr=3e-3,
        max_steps=60,
        retain_weight=3.0,
        retain_budget=1.0,
        forget_target=0.0,
    )
    report = check(base, done, facts)
    assert words(report) == {"en": "suppressed", "de": "suppressed"}
    assert report.record["contract"]["ok"]
    assert {"choices", "lens"} <= set(report.verdicts["en"].recovered_by)


def test_one_planted_extra_tensor_breaks_the_contract(base, facts):
    made = edited(base, DOWN, "model.layers.2.mlp.up_proj.weight")
    report = check(base, made, facts, selection=Target((DOWN,)), checks=[])
    assert report.record["contract"]["extra"] == ["model.layers.2.mlp.up_proj.weight"]
    assert not report.contract_ok
    assert not report.ok
    assert "BROKEN" in str(report)


def test_a_model_that_never_knew_is_erased(gold):
    assert words(gold) == {"en": "erased", "de": "erased"}
    assert gold.leaks == ()
    assert gold.ok
    assert set(gold.record["attacks"]) == {
        "choices", "language", "lens", "probe", "relearn", "rounding",
    }  # fmt: skip


def test_a_few_facts_leave_a_doubt_that_is_a_finding(base, never, facts):
    """At chance in both languages, yet an attack's interval reaches beyond half of the facts."""
    report = check(base, never, facts, checks=["choices"], tolerance=0.1)
    assert set(words(report).values()) == {"undecided"}
    assert report.leaks == ()
    assert set(report.doubts) == {"en", "de"}
    assert not report.ok
    assert "at most" in str(report.verdicts["en"])


def test_what_another_language_still_answers_leaks_through_it(base, only_german, facts):
    report = check(base, only_german, facts, checks=["choices"])
    assert words(report) == {"en": "leaks", "de": "no effect"}
    assert str(report.verdicts["en"]) == "leaks through de"
    assert report.record["matrix"]["held_out"] == ["de"]
    row = report.matrix["row"]
    assert row["de"]["kept"]["success"] == 1
    assert row["en"]["kept"]["success"] < 0.5


def test_a_broken_language_is_damaged(base, facts):
    report = check(base, edited(base, "model.embed_tokens.weight", seed=9), facts, checks=[])
    assert set(words(report).values()) == {"language damaged"}


def test_every_number_has_its_interval_and_nothing_is_nan(gold):
    text = json.dumps(gold.to_json(), allow_nan=False)
    again = Report.from_json(json.loads(text))
    assert again.to_json() == json.loads(text)
    assert again.verdicts == gold.verdicts
    assert again.rows() == gold.rows()
    for attack in gold.record["attacks"].values():
        for cell in attack["by_language"].values():
            assert 0 <= cell["low"] <= cell["success"] <= cell["high"] <= 1
            assert 0 <= cell["chance"] <= 1


def test_it_says_what_was_not_run(base, never, facts):
    report = check(base, never, facts, checks=["choices"])
    assert list(report.record["attacks"]) == ["choices"]
    assert report.record["skipped"]["lens"] == "not asked for"
    some = facts.where(part=["forget", "retain"])
    report = check(base, never, some, checks=["relearn"])
    assert "no part 'relearn'" in report.record["skipped"]["relearn"]


def test_few_facts_are_undecided_and_not_passed(base, never, facts):
    few = facts.where(fact=["thing-A", "thing-K"])
    report = check(base, never, few, checks=["choices"])
    assert set(words(report).values()) == {"undecided"}
    assert not report.ok


def test_facts_the_base_does_not_know_are_not_asked_for(never, facts):
    report = check(never, never, facts)
    assert sum(map(len, report.record["known"].values())) < 8
    assert "no effect" not in words(report).values() or report.leaks


def test_the_same_call_gives_the_same_report(base, never, facts):
    checks = ["choices", "probe", "relearn"]
    first, again = (check(base, never, facts, checks=checks).to_json() for _ in range(2))
    assert first == again


def test_neither_model_changes(base, never, gold):
    assert (
        gold.record["base"]["state_sha256"]
        == type(base)(base.model, base.tokenizer, base.anatomy, "again").state_sha256
    )
    assert not any(p.requires_grad for p in never.model.parameters())


@pytest.mark.parametrize("family", ["llama", "gpt2", "gemma3", "bloom"])
def test_patching_a_block_with_its_own_output_changes_nothing(family, facts):
    subject = tiny_subject(family)
    batch = make_batches(subject, read_items(subject, facts), token_budget=300)[0]
    assert self_patching(subject, batch) == [0.0] * subject.anatomy.n_blocks


def test_a_model_that_hooks_misread_is_refused_before_it_is_read(base, facts):
    """A block that answers another way each time: what was recorded is not what is used."""
    erased = edited(base, DOWN)
    calls = []

    def drift(_module, _args, output):
        calls.append(1)
        return (
            (output[0] + len(calls), *output[1:])
            if isinstance(output, tuple)
            else (output + len(calls))
        )

    block = erased.model.get_submodule(erased.anatomy.block(1))
    handle = block.register_forward_hook(drift)
    try:
        with pytest.raises(NumericalError, match="put back in its place, must change nothing"):
            check(base, erased, facts, checks=["lens"])
    finally:
        handle.remove()


def test_wrong_requests_are_refused(base, never, facts):
    with pytest.raises(InputError, match="checks must be one of"):
        check(base, never, facts, checks=["magic"])
    with pytest.raises(InputError, match="setting 'wings' does not exist"):
        check(base, never, facts, wings=2)
    with pytest.raises(LanguageError, match="Got 'sw'"):
        check(base, never, facts, source=["sw"])
    with pytest.raises(LanguageError, match="on one side only"):
        check(base, never, facts, held_out=["en"])
    with pytest.raises(ModelError, match="was not made from"):
        check(base, tiny_subject("llama", num_hidden_layers=2), facts)
    with pytest.raises(InputError, match="report must be erasure-report/1"):
        Report.from_json({})
