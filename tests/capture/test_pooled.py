"""Pooled vectors equal a plain one-text-at-a-time reading, whatever the padding and the pooling.

Tolerance: 5e-5 of a layer's largest value, which is float32 through a padded batch.
"""

from __future__ import annotations

import numpy as np
import pytest
from tokenizers.processors import TemplateProcessing

from probekit.capture import PooledVectors
from tests.capture.passing import vectors
from tests.capture.reference import pooled_corpus
from tests.texts import parallel
from tests.tiny import tiny_subject

CORPUS = parallel(7)
SUBJECTS = {
    "llama": {},
    "llama with BOS": {"family": "llama", "bos": True},
    "gemma3 with BOS": {"family": "gemma3", "bos": True},
    "gpt2": {},
    "falcon": {},
    "opt": {},
    "bert": {},
    "xlm-roberta": {},
    "t5 encoder": {"family": "t5", "stack": "encoder"},
    "t5 decoder": {"family": "t5", "stack": "decoder"},
}


def make(name):
    return tiny_subject(**{"family": name, **SUBJECTS[name]})


def assert_close(found, expected, tolerance=5e-5):
    assert found.shape == expected.shape
    for layer, (a, b) in enumerate(zip(found, expected, strict=True)):
        assert np.abs(a - b).max() <= tolerance * np.abs(b).max(), f"layer {layer - 1}"


@pytest.mark.parametrize("name", SUBJECTS)
def test_a_pass_equals_plain_transformers(name):
    subject = make(name)
    assert_close(vectors(subject, CORPUS), pooled_corpus(subject, CORPUS))


@pytest.mark.parametrize("pooling", ["last", "weighted"])
@pytest.mark.parametrize("name", ["llama with BOS", "bert", "t5 decoder"])
def test_every_pooling_equals_plain_transformers(name, pooling):
    subject = make(name)
    expected = pooled_corpus(subject, CORPUS, pooling=pooling)
    assert_close(vectors(subject, CORPUS, pooling=pooling), expected)
    assert not np.allclose(expected, pooled_corpus(subject, CORPUS), rtol=1e-2)


@pytest.mark.parametrize("name", SUBJECTS)
def test_left_padding_equals_right_padding(name):
    subject = make(name)
    left = vectors(subject, CORPUS, padding_side="left")
    assert_close(left, vectors(subject, CORPUS, padding_side="right"))


@pytest.mark.parametrize("budget", [1, 40, 4096])
def test_the_token_budget_changes_nothing(budget):
    subject = make("gpt2")
    assert_close(vectors(subject, CORPUS, token_budget=budget), vectors(subject, CORPUS))


def test_keep_first_token_changes_the_result_to_the_reference_with_it():
    subject = make("llama")
    kept = vectors(subject, CORPUS, keep_first_token=True)
    assert_close(kept, pooled_corpus(subject, CORPUS, keep_first_token=True))
    assert not np.allclose(kept, vectors(subject, CORPUS), rtol=1e-2)


def test_with_bos_the_first_word_is_pooled_and_keep_first_token_does_nothing():
    subject = make("llama with BOS")
    kept = vectors(subject, CORPUS, keep_first_token=True)
    assert np.array_equal(kept, vectors(subject, CORPUS))


def test_cls_and_sep_are_never_pooled():
    subject = make("bert")
    backend = subject.tokenizer.backend_tokenizer
    backend.post_processor = TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 1), ("</s>", 2)]
    )
    assert subject.tokenizer("a")["input_ids"][-1] == 2
    assert_close(vectors(subject, CORPUS), pooled_corpus(subject, CORPUS))


def test_weights_are_part_of_the_settings():
    assert PooledVectors("last").settings() == {"pooling": "last"}
