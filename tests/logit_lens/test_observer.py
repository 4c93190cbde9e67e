"""The corpus lens against plain transformers in float64, whatever the batches, shards, padding."""

from __future__ import annotations

import gc
import weakref
from functools import cache

import numpy as np
import pytest
import torch

from probekit.capture import tokenize
from probekit.capture.shards import iterate_states
from probekit.logit_lens import LensStatistics, sample_positions, token_languages
from probekit.logit_lens.estimates import merge_sums
from probekit.logit_lens.observer import STATISTICS, WITH_FLOOR
from probekit.logit_lens.sampling import random_direction
from probekit.models.backends import BACKENDS, open_backend
from probekit.models.head import unembedding
from tests.capture.passing import read
from tests.capture.reference import hidden_states
from tests.logit_lens.plain import plain_lens, rank_of
from tests.texts import parallel
from tests.tiny import tiny_subject

UNITS = 6


@cache
def setting(family="llama"):
    stack = "decoder" if family == "t5" else None
    subject = tiny_subject(family, stack=stack)
    return subject, parallel(UNITS)


def observer(family="llama", **options):
    subject, corpus = setting(family)
    tokens = tokenize(subject, corpus)
    options = {"per_language": 9, "n_floor": 8, "seed": 3} | options
    next_token = subject.anatomy.stack == "decoder"
    classes = token_languages(
        tokens,
        subject.tokenizer,
        languages=corpus.languages,
        vocabulary=unembedding(subject).vocabulary,
    )
    sample = sample_positions(tokens, next_token=next_token, **options)
    return LensStatistics(subject, sample=sample, token_languages=classes, seed=options["seed"])


def sums_of(watching, family="llama", **settings):
    subject, corpus = setting(family)
    captured = read(subject, corpus, observers=(watching,), **settings)
    return merge_sums(iterate_states(captured.store, captured.plan, "lens"))


def expected(watching, family):
    """The same sums, text by text from all logits at once."""
    subject, corpus = setting(family)
    tokens = tokenize(subject, corpus)
    sample, classes = watching._sample, watching._token_languages
    members = np.eye(classes.n_classes)[classes.classes]
    shape = (4, 3, UNITS)
    found = {name: np.zeros(shape) for name in STATISTICS}
    found |= {f"floor_{name}": np.zeros((4, UNITS)) for name in WITH_FLOOR}
    found["mass"] = np.zeros((4, 3, classes.n_classes, UNITS))
    found["floor_mass"] = np.zeros((4, classes.n_classes, UNITS))
    found["n"], found["floor_n"] = np.zeros(shape[1:]), np.zeros(UNITS)
    for (unit, language), positions in sample.positions.items():
        text = tokens.texts[3 * unit + language]
        _, states = hidden_states(subject, corpus.texts[corpus.languages[language]][unit])
        for position in positions:
            vectors = states[:, position]
            truth = np.array([[sample.truth(text, position)]])
            values = statistics(subject, vectors, truth, members)
            for name, value in values.items():
                found[name][:, language, ..., unit] += value
            found["n"][language, unit] += 1
            place = (unit, language, position)
            if place in sample.floor:
                drawn = random_direction(vectors.shape, place, seed=3)
                drawn = drawn * np.linalg.norm(vectors, axis=1, keepdims=True)
                values = statistics(subject, drawn, truth, members)
                for name in (*WITH_FLOOR, "mass"):
                    found[f"floor_{name}"][..., unit] += values[name]
                found["floor_n"][unit] += 1
    return found


def statistics(subject, vectors, truth, members):
    x = torch.as_tensor(vectors, dtype=torch.float32)[None]
    logits = subject.logits(x).detach()
    plain, rank = plain_lens(logits), rank_of(logits, truth)[0, :, 0]
    best = plain.order[0, :, 0]
    return {
        "entropy": plain.entropy[0],
        "kl": plain.kl[0],
        "agreement": (best == best[-1]).astype(float),
        "surprisal": -plain.log2[0, :, truth[0, 0]],
        "log_rank": np.log2(rank),
        "reciprocal_rank": 1 / rank,
        "mass": np.exp2(plain.log2[0]) @ members,
    }


@pytest.mark.parametrize("family", ["llama", "gemma2", "granite", "opt-projected", "bert", "t5"])
def test_sums_equal_a_plain_reading(family):
    watching = observer(family)
    found, wanted = sums_of(watching, family), expected(watching, family)
    for name, value in wanted.items():
        np.testing.assert_allclose(found[name], value, atol=2e-3, rtol=1e-4, err_msg=name)


def test_sums_of_planted_ranks_would_differ_for_another_truth():
    # the control: a lens that took the token itself for the next one
    watching = observer()
    wanted = expected(watching, "llama")["surprisal"]
    object.__setattr__(watching._sample, "next_token", False)
    assert not np.allclose(sums_of(watching)["surprisal"], wanted, atol=1.0)


@pytest.mark.parametrize(
    "settings",
    [
        {"padding_side": "left"},
        {"token_budget": 1},
        {"token_budget": 100_000},
        {"units_per_shard": 1},
        {"units_per_shard": UNITS},
    ],
)
def test_padding_batches_and_shards_change_nothing(settings):
    usual, other = sums_of(observer()), sums_of(observer(), **settings)
    assert set(usual) == set(other)
    for name, value in usual.items():
        np.testing.assert_allclose(other[name], value, atol=2e-3, rtol=1e-4, err_msg=name)


def test_the_same_pass_twice_gives_the_same_bytes():
    first, second = sums_of(observer()), sums_of(observer())
    for name, value in first.items():
        assert value.tobytes() == second[name].tobytes(), name


@pytest.mark.parametrize("backend", BACKENDS)
def test_every_backend_gives_the_same_sums(backend):
    subject, _ = setting()
    found = sums_of(observer(), backend=open_backend(backend, subject))
    for name, value in sums_of(observer()).items():
        np.testing.assert_allclose(found[name], value, atol=2e-3, rtol=1e-4, err_msg=name)


def test_blocks_smaller_than_a_batch_change_nothing(monkeypatch):
    wanted = sums_of(observer())
    monkeypatch.setattr("probekit.logit_lens.observer.block_positions", lambda _n, _d: 2)
    for name, value in sums_of(observer()).items():
        np.testing.assert_allclose(value, wanted[name], atol=2e-3, rtol=1e-4, err_msg=name)


def test_masses_of_a_position_sum_to_one():
    found = sums_of(observer())
    np.testing.assert_allclose(found["mass"].sum(2), np.tile(found["n"], (4, 1, 1)), atol=1e-9)
    np.testing.assert_allclose(found["floor_mass"].sum(1), np.tile(found["floor_n"], (4, 1)))


def test_texts_without_a_position_count_nothing():
    found = sums_of(observer(per_language=2))
    assert found["n"].sum(axis=1).tolist() == [2, 2, 2]
    empty = found["n"] == 0
    assert empty.any()
    assert (found["entropy"][:, empty] == 0).all()


def test_the_last_layer_agrees_with_itself():
    found = sums_of(observer(per_language="all"))
    assert np.array_equal(found["agreement"][-1], found["n"])
    assert (found["kl"][-1] == 0).all()
    assert (found["agreement"][0] < found["n"]).any()


def test_the_model_is_not_kept_once_the_pass_is_over():
    subject, corpus = tiny_subject("llama", seed=5), parallel(4)
    tokens = tokenize(subject, corpus)
    classes = token_languages(tokens, subject.tokenizer, languages=corpus.languages, vocabulary=264)
    sample = sample_positions(tokens, per_language=2, next_token=True, n_floor=2, seed=0)
    watching = LensStatistics(subject, sample=sample, token_languages=classes, seed=0)
    read(subject, corpus, observers=(watching,))
    model = weakref.ref(subject.model)
    del subject
    gc.collect()
    assert model() is None


def test_settings_are_part_of_the_identity():
    subject, _ = setting()
    made = observer()
    named = LensStatistics(
        subject,
        sample=made._sample,
        token_languages=made._token_languages,
        seed=4,
        settings={"positions": 9},
    )
    assert named.settings() == {"seed": 4, "positions": 9}
