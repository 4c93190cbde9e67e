"""Positions of the corpus lens: who may be drawn, how many, and always the same."""

from __future__ import annotations

import numpy as np
import pytest

from probekit.capture import tokenize
from probekit.capture.tokens import TokenizedText
from probekit.logit_lens.sampling import (
    eligible,
    random_direction,
    sample_positions,
    texts_with_positions,
)
from tests.texts import parallel
from tests.tiny import tiny_subject


@pytest.fixture(scope="module")
def tokens():
    return tokenize(tiny_subject(bos=True), parallel(10))


def draw(tokens, **options):
    options = {"per_language": 7, "next_token": True, "n_floor": 5, "seed": 0} | options
    return sample_positions(tokens, **options)


def places(sample):
    return {(*place, p) for place, chosen in sample.positions.items() for p in chosen}


def test_a_position_needs_content_after_it_or_itself():
    text = TokenizedText(0, 0, (1, 5, 6, 7, 2), (1, 2, 3))  # 2 is an end token
    assert eligible(text, next_token=True) == (1, 2)
    assert eligible(text, next_token=False) == (1, 2, 3)
    assert eligible(TokenizedText(0, 0, (5,), (0,)), next_token=True) == ()


def test_the_truth_is_the_next_token_or_the_token_itself(tokens):
    text = tokens.texts[0]
    assert draw(tokens).truth(text, 1) == text.ids[2]
    assert draw(tokens, next_token=False).truth(text, 1) == text.ids[1]


def test_few_positions_come_from_as_many_texts(tokens):
    sample = draw(tokens)
    assert all(len(chosen) == 1 for chosen in sample.positions.values())
    assert sample.n_positions(3).tolist() == [7, 7, 7]


def test_more_positions_than_texts_take_turns(tokens):
    sample = draw(tokens, per_language=25)
    for language in range(3):
        counts = [len(sample.positions.get((unit, language), ())) for unit in range(10)]
        most = [len(eligible(tokens.texts[3 * u + language], next_token=True)) for u in range(10)]
        assert sum(counts) == 25
        turns = max(counts)
        assert all(c >= min(turns - 1, m) for c, m in zip(counts, most, strict=True))


def test_all_positions_are_all(tokens):
    everything = {
        (text.unit, text.language, p)
        for text in tokens.texts
        for p in eligible(text, next_token=True)
    }
    assert places(draw(tokens, per_language="all")) == everything
    assert places(draw(tokens, per_language=10**6)) == everything


def test_a_seed_fixes_the_sample(tokens):
    assert draw(tokens) == draw(tokens)
    assert draw(tokens).positions != draw(tokens, seed=1).positions


def test_companions_are_among_the_positions(tokens):
    sample = draw(tokens)
    assert len(sample.floor) == 5
    assert sample.floor <= places(sample)
    assert len(draw(tokens, n_floor=1000).floor) == 21


def test_texts_are_counted_by_language(tokens):
    counts = texts_with_positions(tokens, next_token=True)
    wanted = [
        sum(bool(eligible(t, next_token=True)) for t in tokens.texts[language::3])
        for language in range(3)
    ]
    assert counts.tolist() == wanted


def test_random_directions_are_unit_and_belong_to_a_place():
    first = random_direction((4, 300), (0, 1, 2), seed=0)
    np.testing.assert_allclose(np.linalg.norm(first, axis=1), 1, rtol=1e-6)
    assert np.array_equal(first, random_direction((4, 300), (0, 1, 2), seed=0))
    for other in (
        random_direction((4, 300), (0, 1, 3), seed=0),
        random_direction((4, 300), (0, 1, 2), seed=1),
        first[::-1],
    ):
        assert abs(np.einsum("ld,ld->l", first, other)).max() < 0.3
