"""The pass: resumes by shards, survives lack of memory, stops on NaN, leaves nothing hooked."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import torch

from probekit.capture import PassSettings, PooledVectors, TokenStatistics
from probekit.capture.engine import is_out_of_memory
from probekit.errors import InterruptedRun, NumericalError, StudyError
from probekit.models.backends import open_backend
from probekit.models.examination import count_hooks
from probekit.sites import EMBED, Site
from tests.capture.passing import read, vectors
from tests.texts import parallel
from tests.tiny import D_MODEL, N_BLOCKS, tiny_subject

CORPUS = parallel(13)


@pytest.fixture
def subject():
    return tiny_subject("llama")


class Wrapped:
    """The default backend, with something done before every forward."""

    name = "hooks"

    def __init__(self, subject, before):
        self._inner, self._before, self.n_forwards = open_backend("hooks", subject), before, 0

    def run(self, inputs, sites, consume):
        self.n_forwards += 1
        self._before(inputs, self.n_forwards)
        self._inner.run(inputs, sites, consume)


class Told:
    """Remembers what the pass said."""

    def __init__(self):
        self.total = self.done = self.advanced = 0
        self.said = []

    def start(self, *, n_tokens, done):
        self.total, self.done = n_tokens, done

    def advance(self, n_tokens):
        self.advanced += n_tokens

    def say(self, message):
        self.said.append(message)


def scarce(limit, error=torch.OutOfMemoryError):
    def before(inputs, _):
        if inputs["input_ids"].numel() > limit:
            raise error("out of memory: tried to allocate")

    return before


@pytest.mark.parametrize("error", [torch.OutOfMemoryError, MemoryError, RuntimeError])
def test_lack_of_memory_halves_the_budget_and_changes_nothing(subject, error):
    told = Told()
    backend = Wrapped(subject, scarce(100, error))
    options = {"token_budget": 512, "units_per_shard": 5}
    found = read(subject, CORPUS, backend=backend, progress=told, **options)
    assert {note["token_budget"] for note in found.notes} == {64}
    assert told.said == [
        f"out of memory: token budget halved to {budget}" for budget in (256, 128, 64)
    ]
    enough = vectors(subject, CORPUS)
    for row in range(N_BLOCKS + 1):
        np.testing.assert_allclose(
            found.layer("pooled/vectors", row), enough[row], atol=5e-5 * np.abs(enough[row]).max()
        )


def test_a_resumed_pass_keeps_the_budget_that_memory_forced(subject, tmp_path):
    options = {"token_budget": 512, "folder": tmp_path}
    first = read(subject, CORPUS, backend=Wrapped(subject, scarce(100, MemoryError)), **options)
    first.store.path(1).unlink()
    again = read(subject, CORPUS, **options)
    assert [shard.index for shard in again.made] == [1]
    assert {note["token_budget"] for note in again.notes} == {64}


def test_a_text_that_never_fits_is_one_clear_error(subject):
    with pytest.raises(StudyError, match=r"even with one text at a time.*--max-tokens"):
        read(subject, CORPUS, backend=Wrapped(subject, scarce(2)))


def test_lack_of_memory_without_words_is_named(subject):
    def before(_inputs, _n):
        raise MemoryError

    with pytest.raises(StudyError, match="MemoryError"):
        read(subject, CORPUS, backend=Wrapped(subject, before))


def test_other_errors_are_not_taken_for_lack_of_memory(subject):
    def broken(_inputs, _n):
        raise RuntimeError("shapes do not match")

    backend = Wrapped(subject, broken)
    with pytest.raises(RuntimeError, match="shapes"):
        read(subject, CORPUS, backend=backend)
    assert backend.n_forwards == 1
    assert is_out_of_memory(RuntimeError("CUDA error: out of memory"))
    assert is_out_of_memory(RuntimeError("DefaultCPUAllocator: can't allocate memory"))
    assert not is_out_of_memory(RuntimeError("CUBLAS_STATUS_EXECUTION_FAILED"))


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("observers", [(PooledVectors(),), (TokenStatistics(),)])
def test_nan_of_one_unit_names_layer_unit_and_language(subject, value, observers):
    corpus = parallel(13)
    texts = {code: list(column) for code, column in corpus.texts.items()}
    texts["de"][7] += "\u0416"  # the only text with these bytes
    corpus = type(corpus)(name="c", units=corpus.units, texts=texts)
    with torch.no_grad():
        token = subject.tokenizer("\u0416")["input_ids"][0]
        subject.model.get_input_embeddings().weight[token] = value
    expected = r"NaN or infinity at layer -1, unit 'u7' in 'de'.*--dtype float32"
    with pytest.raises(NumericalError, match=expected):
        read(subject, corpus, observers=observers)


def test_nan_of_a_deeper_block_names_that_block(subject):
    with torch.no_grad():
        subject.model.model.layers[1].mlp.down_proj.weight[0, 0] = float("nan")
    with pytest.raises(NumericalError, match="at layer 1, unit 'u0' in 'en'"):
        read(subject, CORPUS)


def test_nan_that_only_padding_could_see_is_not_reported(subject):
    """Masking is by choice of rows, never by multiplying with zero."""
    with torch.no_grad():
        subject.model.get_input_embeddings().weight[0] = 1e30  # id 0 pads
    assert np.isfinite(vectors(subject, CORPUS)).all()


class Shallow(PooledVectors):
    """Looks at the embedding and block 0 only."""

    name = "shallow"

    def sites(self, _anatomy):
        return (EMBED, Site(0, "resid_post"))

    def state(self):
        return {"vectors": self._vectors[:2].numpy()}


def test_the_forward_stops_after_the_deepest_site(subject):
    calls = []
    for number, block in enumerate(subject.model.model.layers):
        block.register_forward_hook(lambda *_, number=number: calls.append(number))
    subject.model.lm_head.register_forward_hook(lambda *_: calls.append("head"))
    read(subject, CORPUS, observers=(Shallow(),), units_per_shard=13, token_budget=10_000)
    assert calls == [0]
    calls.clear()
    read(subject, CORPUS, units_per_shard=13, token_budget=10_000)
    assert calls == list(range(N_BLOCKS))


def test_observers_share_one_forward(subject):
    backend = Wrapped(subject, lambda *_: None)
    options = {"units_per_shard": 13, "token_budget": 10_000}
    both = read(subject, CORPUS, observers=(PooledVectors(), Shallow()), backend=backend, **options)
    assert backend.n_forwards == 1
    assert np.array_equal(both.layer("pooled/vectors", 1), both.layer("shallow/vectors", 1))


class Failing(PooledVectors):
    """Breaks in the middle of a forward."""

    def observe(self, site, content, *, hidden, batch):
        if site.layer == 1:
            raise ZeroDivisionError
        super().observe(site, content, hidden=hidden, batch=batch)


def test_a_failing_observer_leaves_no_hook(subject):
    before = count_hooks(subject.model)
    with pytest.raises(ZeroDivisionError):
        read(subject, CORPUS, observers=(Failing(),))
    assert count_hooks(subject.model) == before
    read(subject, CORPUS)
    assert count_hooks(subject.model) == before


def test_finished_shards_are_not_read_again(subject, tmp_path):
    first = Wrapped(subject, lambda *_: None)
    whole = read(subject, CORPUS, backend=first, folder=tmp_path, token_budget=10_000)
    assert first.n_forwards == len(whole.plan) == len(whole.made) == 3
    stamps = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    damaged = whole.store.path(1)
    damaged.write_bytes(damaged.read_bytes()[:-1] + b"\x55")
    second, told = Wrapped(subject, lambda *_: None), Told()
    again = read(
        subject, CORPUS, backend=second, folder=tmp_path, token_budget=10_000, progress=told
    )
    assert second.n_forwards == 1
    assert [shard.index for shard in again.made] == [1]
    assert again.n_resumed == 2
    assert told.done + told.advanced == told.total
    assert told.done > 0
    changed = {path for path, stamp in stamps.items() if path.stat().st_mtime_ns != stamp}
    assert changed == {damaged}


def test_ctrl_c_keeps_finished_shards_and_says_how_many(subject, tmp_path):
    def stop(_inputs, n):
        if n == 3:
            raise KeyboardInterrupt

    with pytest.raises(InterruptedRun, match=r"after 2 of 3 shards\. The same command resumes"):
        read(
            subject,
            CORPUS,
            backend=Wrapped(subject, stop),
            folder=tmp_path,
            token_budget=10_000,
        )
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "000000.safetensors",
        "000001.safetensors",
    ]
    resumed = read(subject, CORPUS, folder=tmp_path, token_budget=10_000)
    assert [shard.index for shard in resumed.made] == [2]
    whole = read(subject, CORPUS, token_budget=10_000)
    for row in range(N_BLOCKS + 1):
        assert np.array_equal(
            resumed.layer("pooled/vectors", row), whole.layer("pooled/vectors", row)
        )


def test_settings_left_open_are_chosen_by_device_and_size(subject):
    chosen = PassSettings().resolve(subject, 4)
    assert (chosen.token_budget, chosen.units_per_shard) == (384, 16)
    wide = 4 * (N_BLOCKS + 1) * D_MODEL
    many = PassSettings().resolve(subject, (64 << 20) // (wide * 3))
    assert many.units_per_shard == 3
    assert PassSettings(7, 2, "left").resolve(subject, 4) == PassSettings(7, 2, "left")


MEMORY = """
import resource, sys, tempfile
from tests.capture.passing import read
from probekit.capture import PooledVectors, TokenStatistics
from tests.texts import parallel
from tests.tiny import tiny_subject

subject = tiny_subject("llama", hidden_size=256, num_hidden_layers=2)
observers = (PooledVectors(), TokenStatistics())

def go(n):
    read(subject, parallel(n), observers=observers, units_per_shard=16, token_budget=1024)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

go(32)
small = go(32)
large = go(320)
print(small, large)
"""


def test_memory_does_not_grow_with_the_corpus():
    """Peak of the process after ten times the corpus; its vectors alone would be 2.9 MB more."""
    done = subprocess.run(
        [sys.executable, "-c", MEMORY], capture_output=True, text=True, check=True
    )
    small, large = map(int, done.stdout.split())
    assert large <= 1.1 * small
