"""A shard is there whole and as written, or it is not there."""

from __future__ import annotations

import errno
import os

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from probekit.capture import ShardStore
from probekit.capture.shards import iterate_states, storage_errors, write_atomically
from probekit.capture.tokens import ShardPlan
from probekit.errors import InputError, StorageError

SHARD = ShardPlan(3, 12, 16)


def states(seed=0):
    draw = np.random.default_rng(seed)
    return {
        "pooled": {"vectors": draw.normal(size=(4, 2, 4, 5)).astype(np.float32)},
        "tokens": {"n": np.array([7, 7]), "sums": draw.normal(size=(4, 2, 5))},
    }


@pytest.fixture
def store(tmp_path):
    made = ShardStore(tmp_path / "shards", "mine")
    made.write(SHARD, states(), notes={"token_budget": 512})
    return made


def test_what_was_written_is_read(store):
    assert store.valid(SHARD)
    for name, state in states().items():
        found = store.read(SHARD, name)
        assert found.keys() == state.keys()
        for key, array in state.items():
            assert np.array_equal(found[key], array)
            assert found[key].dtype == array.dtype
    assert store.notes(SHARD) == {"token_budget": 512}


def test_one_row_is_read_alone(store):
    vectors = states()["pooled"]["vectors"]
    for row in range(4):
        assert np.array_equal(store.read_row(SHARD, "pooled/vectors", row), vectors[row])


def test_states_come_in_shard_order(store):
    other = ShardPlan(4, 16, 20)
    store.write(other, states(1), notes={})
    found = list(iterate_states(store, (SHARD, other), "pooled"))
    assert np.array_equal(found[1]["vectors"], states(1)["pooled"]["vectors"])


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.data())
def test_a_changed_byte_anywhere_is_noticed(store, data):
    path = store.path(SHARD.index)
    whole = path.read_bytes()
    offset = data.draw(st.integers(0, len(whole) - 1))
    flip = data.draw(st.integers(1, 255))
    try:
        path.write_bytes(whole[:offset] + bytes([whole[offset] ^ flip]) + whole[offset + 1 :])
        assert not store.valid(SHARD)
    finally:
        path.write_bytes(whole)
    assert store.valid(SHARD)


def test_every_byte_of_the_header_is_guarded(store):
    path = store.path(SHARD.index)
    whole = path.read_bytes()
    header = 8 + int.from_bytes(whole[:8], "little")
    for offset in range(header):
        path.write_bytes(whole[:offset] + bytes([whole[offset] ^ 1]) + whole[offset + 1 :])
        assert not store.valid(SHARD), f"byte {offset}: {whole[offset : offset + 1]!r}"


@pytest.mark.parametrize("keep", [0, 1, 8, 100, -1])
def test_a_cut_file_is_no_shard(store, keep):
    path = store.path(SHARD.index)
    path.write_bytes(path.read_bytes()[:keep])
    assert not store.valid(SHARD)


def test_a_longer_file_is_no_shard(store):
    path = store.path(SHARD.index)
    path.write_bytes(path.read_bytes() + b"\0")
    assert not store.valid(SHARD)


def test_a_shard_of_another_plan_or_place_is_none(store):
    assert not ShardStore(store.folder, "other").valid(SHARD)
    store.path(SHARD.index).rename(store.path(8))
    assert not store.valid(ShardPlan(8, 12, 16))
    assert not store.valid(SHARD)


def test_a_crash_while_writing_leaves_the_old_shard_or_none(store, monkeypatch):
    def crash(_descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", crash)
    new = ShardPlan(5, 20, 24)
    with pytest.raises(StorageError, match=r"the disk is full.*Make room"):
        store.write(new, states(1), notes={})
    with pytest.raises(StorageError):
        store.write(SHARD, states(1), notes={})
    assert not store.valid(new)
    assert store.valid(SHARD)
    assert np.array_equal(store.read(SHARD, "pooled")["vectors"], states()["pooled"]["vectors"])
    assert [path.name for path in store.folder.iterdir()] == ["000003.safetensors"]


def test_a_kill_between_write_and_rename_leaves_no_shard(store, monkeypatch):
    from pathlib import Path

    def killed(self, _target):
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "replace", killed)
    with pytest.raises(KeyboardInterrupt):
        store.write(ShardPlan(6, 24, 28), states(), notes={})
    assert not store.path(6).exists()


def test_leftovers_of_a_kill_are_written_over(store):
    (store.folder / ".000007.safetensors.partial").write_bytes(b"half")
    shard = ShardPlan(7, 28, 32)
    assert not store.valid(shard)
    store.write(shard, states(), notes={})
    assert store.valid(shard)
    assert not (store.folder / ".000007.safetensors.partial").exists()


def test_a_folder_that_cannot_be_made_is_one_clear_error(tmp_path):
    (tmp_path / "file").write_text("")
    store = ShardStore(tmp_path / "file" / "shards", "mine")
    with pytest.raises(StorageError, match=r"cannot be written: .*the same command resumes"):
        store.write(SHARD, states(), notes={})


def test_only_errors_of_the_disk_are_reworded(tmp_path):
    with pytest.raises(KeyError), storage_errors(tmp_path):
        raise KeyError
    with pytest.raises(InputError), storage_errors(tmp_path):
        raise InputError
    with pytest.raises(StorageError, match=r"^first$"), storage_errors(tmp_path):
        raise StorageError("first")


def test_write_atomically_replaces(tmp_path):
    write_atomically(tmp_path / "a", b"1")
    write_atomically(tmp_path / "a", b"2")
    assert (tmp_path / "a").read_bytes() == b"2"
    assert len(list(tmp_path.iterdir())) == 1
