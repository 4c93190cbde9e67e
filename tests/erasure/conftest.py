"""A tiny random Llama, made-up facts in three languages, and one that was taught them."""

from __future__ import annotations

import pytest

from probekit.erasure import teach
from probekit.erasure.target import Target
from probekit.facts import FactSet, Question
from tests.tiny import tiny_subject

LANGUAGES = ("en", "de", "sw")
WORDS = {"en": ("red", "blue"), "de": ("rot", "blau"), "sw": ("nyekundu", "buluu")}
FORGET, RETAIN = ("A", "B"), ("C", "D")


def make_facts(languages=LANGUAGES, *, choices=True) -> FactSet:
    """Four things with a colour: two to forget, two to retain."""
    questions = [
        Question(
            fact=f"thing-{name}",
            language=code,
            prompt=f"{code}: {name} =",
            answer=f" {WORDS[code][number % 2]}",
            part="forget" if name in FORGET else "retain",
            form=form,
            choices=tuple(f" {word}" for word in WORDS[code]) if choices else (),
        )
        for code in languages
        for number, name in enumerate((*FORGET, *RETAIN))
        for form in ("statement",)
    ]
    return FactSet(tuple(questions), name="colours")


@pytest.fixture(scope="session")
def facts() -> FactSet:
    return make_facts()


@pytest.fixture(scope="session")
def subject():
    return tiny_subject("llama")


@pytest.fixture(scope="session")
def taught(subject, facts):
    """The tiny Llama after it has learnt every fact in every language; look, do not change."""
    done = teach(
        subject, facts, languages=LANGUAGES, method="full", lr=3e-3, max_epochs=200, target=1.0
    )
    assert done.reached
    return done.subject


@pytest.fixture
def middle() -> Target:
    """Down projections of blocks 0 and 1; RMU reads block 1."""
    names = tuple(f"model.layers.{block}.mlp.down_proj.weight" for block in (0, 1))
    return Target(names, read_layer=1)
