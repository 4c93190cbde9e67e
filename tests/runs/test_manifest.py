"""Provenance round trips, and a run that is not whole is refused in one line."""

from __future__ import annotations

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from probekit import open_run
from probekit.errors import RunError
from probekit.runs.manifest import Manifest, hash_files, read_manifest, verify_files


@pytest.fixture
def manifest():
    return Manifest(
        fingerprint="f",
        created="2026-01-01T00:00:00+00:00",
        model={"n_blocks": 3, "id": "größe"},
        corpus={"languages": ["en", "de"]},
        tokens={},
        passed={},
        estimators={},
        seconds={"pass": 1.5},
        versions={},
        files={"a/b": "0"},
    )


def test_round_trip(manifest, tmp_path):
    (tmp_path / "manifest.json").write_text(manifest.to_json(), encoding="utf-8")
    assert read_manifest(tmp_path) == manifest


def test_a_manifest_has_no_infinity(manifest):
    manifest.seconds["pass"] = float("inf")
    with pytest.raises(ValueError, match="JSON"):
        manifest.to_json()


def refused(folder, says):
    with pytest.raises(RunError, match=says) as error:
        open_run(folder)
    assert "\n" not in str(error.value)


def test_no_folder_and_a_folder_that_is_no_run(tmp_path):
    refused(tmp_path / "none", "does not exist. Give a folder made by 'probekit run'")
    refused(tmp_path, "has no manifest.json. Give a folder")
    (tmp_path / "file").write_text("")
    refused(tmp_path / "file", "does not exist")


def test_an_unfinished_run_says_how_to_resume(run_copy):
    (run_copy / "manifest.json").unlink()
    refused(run_copy, rf"not finished: resume with 'probekit run {run_copy}/study.yaml -o")


def test_another_format_is_named(run_copy):
    path = run_copy / "manifest.json"
    path.write_text(json.dumps({"format": "probekit-run/9"}))
    refused(run_copy, "has format 'probekit-run/9'; this probekit reads 'probekit-run/1'")


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", "3", '"x"', '{"format": "probekit-run/1"}']
)
def test_a_damaged_manifest_is_refused(run_copy, text):
    (run_copy / "manifest.json").write_text(text)
    refused(run_copy, "damaged manifest.json|has format None")


def test_a_manifest_that_is_not_text_is_refused(run_copy):
    (run_copy / "manifest.json").write_bytes(b"\xff\xfe{}")
    refused(run_copy, "damaged manifest.json")


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=40
)
@given(data=st.data())
def test_a_changed_byte_of_the_manifest_is_noticed(manifest, tmp_path, data):
    whole = manifest.to_json().encode()
    offset = data.draw(st.integers(0, len(whole) - 1))
    flip = data.draw(st.integers(1, 255))
    altered = whole[:offset] + bytes([whole[offset] ^ flip]) + whole[offset + 1 :]
    (tmp_path / "manifest.json").write_bytes(altered)
    try:
        found = read_manifest(tmp_path)
    except RunError:
        return
    assert found == manifest  # another kind of blank between the values


def test_an_altered_number_in_the_manifest_is_noticed(run_copy):
    path = run_copy / "manifest.json"
    path.write_text(path.read_text().replace('"n_blocks": 4', '"n_blocks": 5'))
    refused(run_copy, "damaged manifest.json")


def test_every_file_that_is_missing_is_noticed(run_copy):
    for name in read_manifest(run_copy).files:
        path = run_copy / name
        whole = path.read_bytes()
        path.unlink()
        refused(run_copy, f"lacks the file '{name}'")
        path.write_bytes(whole)
    open_run(run_copy)


def test_every_file_that_is_altered_is_noticed(run_copy):
    for name in read_manifest(run_copy).files:
        path = run_copy / name
        whole = path.read_bytes()
        path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
        refused(run_copy, f"was altered: '{name}'")
        path.write_bytes(whole)
    open_run(run_copy)


def test_without_verify_files_are_not_read(run_copy):
    (run_copy / "study.yaml").write_text("altered")
    assert open_run(run_copy, verify=False).n_blocks == 4
    with pytest.raises(RunError):
        verify_files(run_copy, read_manifest(run_copy))


def test_every_file_but_shards_leftovers_and_the_manifest_is_hashed(tmp_path):
    kept, left_out = ["results/0.0", "study.yaml"], ["manifest.json", "shards/1", ".a.partial"]
    for name in kept + left_out:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
    assert list(hash_files(tmp_path)) == kept
