"""The wheel alone is enough: built, unpacked elsewhere, and used from there."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
DATA = ("sentences.jsonl", "layer-selection.schema.json", "py.typed")


def ran(*command, **options):
    done = subprocess.run(command, capture_output=True, text=True, check=False, **options)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    ran(sys.executable, "-m", "build", "--wheel", "--no-isolation", "-o", str(folder), str(ROOT))
    (made,) = folder.glob("probekit-*.whl")
    return made


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """The wheel in a folder of its own, as ``pip install --no-deps --target`` puts it."""
    target = tmp_path_factory.mktemp("site")
    pip = (sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
    ran(*pip, "--no-deps", "--no-index", "--target", str(target), str(wheel))
    return target


def test_data_travel_in_the_wheel_and_tests_do_not(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    for wanted in DATA:
        assert any(name.startswith("probekit/") and name.endswith(f"/{wanted}") for name in names)
    assert not [name for name in names if name.startswith(("tests/", "benchmarks/"))]
    assert any(name.endswith("licenses/LICENSE") for name in names)


def test_every_module_travels(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    sources = {path.relative_to(ROOT).as_posix() for path in (ROOT / "probekit").rglob("*.py")}
    assert sources <= names


def test_the_command_works_away_from_the_sources(installed, finished_run, tmp_path):
    environment = {**os.environ, "PYTHONPATH": str(installed)}
    options = {"cwd": tmp_path, "env": environment}
    where = ran(sys.executable, "-c", "import probekit; print(probekit.__file__)", **options)
    assert Path(where.strip()).is_relative_to(installed)
    command = (sys.executable, str(installed / "bin" / "probekit"))
    assert "select" in ran(*command, "--help", **options)
    shown = ran(*command, "show", str(finished_run.folder), **options)
    assert f"{finished_run.table()[2]['cka']:.3f}" in shown
