"""Token moments against closed forms, on planted streams and on a model."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from probekit.capture import TokenStatistics
from probekit.capture.observers import Batch
from probekit.capture.shards import iterate_states
from probekit.capture.token_statistics import merge_moments
from probekit.capture.tokens import ShardPlan, TokenizedText
from probekit.sites import EMBED
from tests.capture.passing import read
from tests.capture.reference import hidden_states
from tests.texts import parallel
from tests.tiny import tiny_subject

ANATOMY = SimpleNamespace(n_blocks=0, d_model=3)
N_TOKENS = 40


def stream(shards, values):
    """Feed planted values (text, token, width) through one site, shard by shard."""
    states = []
    observer = TokenStatistics()
    for start, stop, per_batch in shards:
        observer.start(ShardPlan(0, start, stop), n_languages=1, anatomy=ANATOMY)
        for at in range(start, stop, per_batch):
            units = range(at, min(at + per_batch, stop))
            content = tuple(range(1, N_TOKENS))
            texts = [TokenizedText(unit, 0, (5,) * N_TOKENS, content) for unit in units]
            batch = Batch(texts, N_TOKENS, "right", torch.device("cpu"))
            hidden = torch.from_numpy(values[list(units)])
            rows = hidden.reshape(-1, 3)[batch.content_index]
            observer.observe(EMBED, rows, hidden=hidden, batch=batch)
        states.append(observer.state())
    return merge_moments(states)


def planted(mean=200.0, n_units=50):
    draw = np.random.default_rng(0).normal(size=(n_units, N_TOKENS, 3))
    return (draw + mean).astype(np.float32)


@pytest.mark.parametrize("mean", [0.0, 200.0, 1e4])
def test_moments_of_float32_far_from_zero_are_right_to_1e_6(mean):
    values = planted(mean)
    exact = values[:, 1:].astype(np.float64).reshape(-1, 3)
    found = stream([(0, 50, 8)], values)
    np.testing.assert_allclose(found.mean[0], exact.mean(0), rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(found.variance[0], exact.var(0), rtol=1e-6)
    assert found.n == len(exact)


def test_raw_float32_moments_would_have_been_wrong():
    values = planted(200.0)[:, 1:].reshape(-1, 3)
    naive = (values**2).sum(0, dtype=np.float32) / len(values) - values.mean(0) ** 2
    assert np.abs(naive / values.astype(float).var(0) - 1).max() > 1e-3


@pytest.mark.parametrize("shards", [[(0, 20, 8), (20, 50, 7)], [(u, u + 1, 1) for u in range(50)]])
def test_other_shards_give_the_same_moments(shards):
    values = planted(200.0)
    whole, parts = stream([(0, 50, 50)], values), stream(shards, values)
    np.testing.assert_allclose(parts.mean, whole.mean, rtol=1e-12)
    np.testing.assert_allclose(parts.variance, whole.variance, rtol=1e-12)
    assert np.array_equal(parts.max_abs, whole.max_abs)
    assert parts.n == whole.n


def test_a_constant_stream_has_no_variance_and_its_own_norm():
    values = np.full((4, N_TOKENS, 3), [3.0, 4.0, 0.0], dtype=np.float32)
    found = stream([(0, 4, 3)], values)
    assert found.mean[0].tolist() == [3.0, 4.0, 0.0]
    assert found.variance[0].tolist() == [0.0, 0.0, 0.0]
    np.testing.assert_allclose(found.norms, 5.0, rtol=1e-6)


def test_the_first_token_counts_in_its_own_extreme_only():
    values = np.ones((4, N_TOKENS, 3), dtype=np.float32)
    values[2, 0, 1] = -900.0
    values[3, 5, 2] = -7.0
    found = stream([(0, 4, 3)], values)
    assert found.max_abs[0].tolist() == [1.0, 1.0, 7.0]
    assert found.max_abs_first[0].tolist() == [1.0, 900.0, 1.0]
    np.testing.assert_allclose(found.mean[0, 1], 1.0)


@pytest.mark.parametrize("family", ["llama", "bert"])
@pytest.mark.parametrize("side", ["right", "left"])
def test_moments_of_a_model_equal_a_plain_reading(family, side):
    subject, corpus = tiny_subject(family), parallel(6)
    captured = read(subject, corpus, observers=(TokenStatistics(),), padding_side=side)
    found = merge_moments(iterate_states(captured.store, captured.plan, "tokens"))
    content, firsts = [], []
    for unit in range(6):
        for language, code in enumerate(corpus.languages):
            _, states = hidden_states(subject, corpus.texts[code][unit])
            content.append(states[:, 1:])
            firsts.append(states[:, 0])
            norm = np.linalg.norm(states[:, 1:], axis=2).mean(1)
            np.testing.assert_allclose(found.norms[:, language, unit], norm, rtol=1e-4)
    everything = np.concatenate(content, axis=1)
    scale = np.abs(everything).max()
    np.testing.assert_allclose(found.mean, everything.mean(1), atol=5e-5 * scale)
    np.testing.assert_allclose(found.variance, everything.var(1), rtol=1e-3)
    np.testing.assert_allclose(found.max_abs, np.abs(everything).max(1), rtol=1e-3, atol=1e-4)
    first = np.abs(np.stack(firsts)).max(0)
    np.testing.assert_allclose(found.max_abs_first, first, rtol=1e-3, atol=1e-4)
