"""Facts and models for verification: what is known in which language is planted."""

from __future__ import annotations

from probekit.erasure import teach
from probekit.facts import FactSet, Question

CODES = ("en", "de")
WORDS = {
    "en": (" red", " blue", " green", " white"),
    "de": (" rot", " blau", " gruen", " weiss"),
}
NAMES = "ABCDEFGHIJKLMNOPQRSTUVWX"
PARTS = {"forget": 8, "retain": 10, "relearn": 6}


def colours(codes=CODES) -> FactSet:
    """Twenty-four things with one of four colours, in three parts."""
    parts = [part for part, n in PARTS.items() for _ in range(n)]
    questions = [
        Question(
            fact=f"thing-{name}",
            language=code,
            prompt=f"{code}: {name}{name} =",
            answer=WORDS[code][(number * 7 // 3) % 4],
            part=part,
            choices=WORDS[code],
        )
        for code in codes
        for number, (name, part) in enumerate(zip(NAMES, parts, strict=True))
    ]
    return FactSet(tuple(questions), name="colours")


def taught_on(subject, questions):
    """Subject that answers every one of some questions."""
    facts = FactSet(tuple(questions), name="lesson")
    done = teach(
        subject,
        facts,
        languages=facts.languages,
        method="full",
        forms=facts.forms,
        lr=3e-3,
        max_epochs=150,
        target=1.0,
    )
    assert done.reached
    return done.subject
