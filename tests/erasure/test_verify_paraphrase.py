"""Asked in other words: planted knowledge of forms."""

from __future__ import annotations

from dataclasses import replace

import pytest

from probekit.erasure import verify
from probekit.facts import FactSet
from tests.erasure.verifying import colours, taught_on
from tests.tiny import tiny_subject


@pytest.fixture(scope="module")
def facts():
    """Every fact as a statement and in two other forms of English."""
    plain = colours(("en",))
    forms = [
        replace(q, form=form, prompt=q.prompt.replace(" =", f" {word}"))
        for q in plain
        for form, word in (("statement", "="), ("paraphrase", "is"), ("question", "?"))
    ]
    return FactSet(tuple(forms), name="forms")


@pytest.fixture(scope="module")
def base(facts):
    """Knows each fact as a statement and as a paraphrase, not as a question."""
    return taught_on(tiny_subject("llama"), [q for q in facts if q.form != "question"])


def test_what_is_only_hidden_from_statements_is_recovered(base, facts):
    shy = taught_on(
        tiny_subject("llama"),
        [
            q
            for q in facts
            if q.form == "paraphrase" or (q.part != "forget" and q.form != "question")
        ],
    )
    report = verify(base, shy, facts, source=["en"], checks=["paraphrase"])
    cell = report.record["attacks"]["paraphrase"]["by_language"]["en"]
    assert cell["success"] == 1
    assert report.record["attacks"]["paraphrase"]["forms"] == ["paraphrase", "question"]
    assert report.verdicts["en"].word in {"suppressed", "no effect"}


def test_forms_that_the_base_does_not_answer_are_no_attack(base, facts):
    """Chance counts the forms that are tried: those in which the base knew the fact."""
    report = verify(base, base, facts, source=["en"], checks=["paraphrase"])
    cell = report.record["attacks"]["paraphrase"]["by_language"]["en"]
    assert 0.25 <= cell["chance"] < 0.5
    assert cell["success"] == 1


def test_one_form_is_said(base, facts):
    report = verify(base, base, facts.where(form="statement"), source=["en"], checks=["paraphrase"])
    assert report.record["skipped"]["paraphrase"] == "the facts have one form"
