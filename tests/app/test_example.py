"""The example run: small, whole, opened where there is nothing else, unpacked once."""

from __future__ import annotations

import pytest

from probekit import open_run
from probekit.errors import RunError
from probekit_app import create_app, example, example_runs
from probekit_app.application import assets_folder


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("PROBEKIT_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_it_is_small():
    assert (assets_folder() / example.FILE).stat().st_size < 5_000_000


def test_it_has_every_instrument_and_the_app_opens_it(cache):
    run = open_run(example_runs() / example.NAME)
    assert len(run.languages) == 12
    assert {"cka", "regions", "alignment", "lens", "neurons", "probes", "geometry"} <= {
        *run.analyses
    }
    assert run.select().region
    assert create_app(example_runs()).server.test_client().get("/").status_code == 200


def test_it_is_unpacked_once_and_again_when_half_of_it_is_gone(cache):
    manifest = example_runs() / example.NAME / "manifest.json"
    made = manifest.stat().st_mtime_ns
    assert (example_runs() / example.NAME / "manifest.json").stat().st_mtime_ns == made
    manifest.unlink()
    assert open_run(example_runs() / example.NAME).n_blocks == 18


def test_without_its_file_the_way_out_is_said(cache, monkeypatch):
    monkeypatch.setattr(example, "FILE", "none.zip")
    with pytest.raises(RunError, match="probekit demo"):
        example_runs()
