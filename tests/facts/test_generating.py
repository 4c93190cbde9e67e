from __future__ import annotations

import pytest
import torch

from probekit.errors import InputError
from probekit.facts import FactSet, Question, generate
from probekit.facts.answers import identify
from tests.tiny import tiny_subject

ANSWERS = {
    "en": (" March", " May"),
    "de": (" März", " Mai"),
    "ru": (" март", " май"),
    "zh": ("三月", "五月"),
}


def months():
    return FactSet(
        tuple(
            Question(
                fact="f",
                language=code,
                prompt=f"{code}:",
                answer=choices[0],
                choices=choices,
                relation="month",
            )
            for code, choices in ANSWERS.items()
        )
    )


def told(language, text):
    """Language, right, right in another language, foreign, of one text."""
    facts = months()
    found = identify(facts.where(language=language), (text,), reference=facts)
    row = found.languages[0], found.right[0], found.wrong_language[0], found.foreign[0]
    return (row[0], *map(bool, row[1:]))


@pytest.mark.parametrize(
    ("language", "text", "expected"),
    [
        ("en", " March, I think", ("en", True, False, False)),
        ("en", " march.", ("en", True, False, False)),
        ("en", " Marching", ("", False, False, False)),
        ("en", " May", ("en", False, False, False)),
        ("en", " März", ("de", False, True, True)),
        ("en", " марта", ("", False, False, True)),
        ("en", " март", ("ru", False, True, True)),
        ("en", " Mai", ("de", False, False, True)),
        ("zh", "三月出生", ("zh", True, False, False)),
        ("zh", " March", ("en", False, True, True)),
        ("zh", "不知道", ("", False, False, False)),
        ("ru", " 12", ("", False, False, False)),
        ("ru", "", ("", False, False, False)),
        ("de", " Ma\u0308rz", ("de", True, False, False)),
    ],
)
def test_an_answer_is_told_by_how_it_begins(language, text, expected):
    assert told(language, text) == expected


def test_shares_by_language_have_intervals():
    facts = months()
    found = identify(facts, (" March", " March", " май", "?"), reference=facts)
    rows = {row["language"]: row for row in found.table()}
    assert [rows[code]["right"] for code in ANSWERS] == [1.0, 0.0, 0.0, 0.0]
    assert rows["de"]["wrong_language"] == rows["de"]["foreign"] == 1.0
    assert rows["en"]["right_low"] < 1.0
    with pytest.raises(InputError, match="one a question"):
        identify(facts, (" March",), reference=facts)


@pytest.mark.parametrize("family", ["llama", "gemma3", "gpt2", "bloom"])
def test_batched_answers_are_greedy_answers_one_by_one(family):
    subject = tiny_subject(family, bos=True)
    prompts = ["Hi", "The colour is", "A much longer prompt than the others, is it not?"]
    facts = FactSet(
        tuple(
            Question(fact=f"f{i}", language="en", prompt=prompt, answer=" red")
            for i, prompt in enumerate(prompts)
        )
    )
    answers = generate(subject, facts, max_new_tokens=4)
    for prompt, text in zip(prompts, answers.texts, strict=True):
        ids = start = subject.tokenizer(prompt, return_tensors="pt").input_ids
        with torch.no_grad():
            for _ in range(4):
                step = subject.model(ids, use_cache=False).logits[:, -1].argmax(-1)
                if int(step) == subject.tokenizer.eos_token_id:
                    break
                ids = torch.cat([ids, step[:, None]], dim=1)
        whole = subject.tokenizer.decode(ids[0], skip_special_tokens=True)
        beginning = subject.tokenizer.decode(start[0], skip_special_tokens=True)
        assert text == whole.removeprefix(beginning)


def test_nothing_to_write_is_refused():
    with pytest.raises(InputError, match="at least 1"):
        generate(tiny_subject("llama"), months(), max_new_tokens=0)
