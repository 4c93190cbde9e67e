"""``probekit dashboard``: serves until stopped, or writes a site; one line for what is wrong."""

from __future__ import annotations

import re
import urllib.request

import pytest
from typer.testing import CliRunner

from probekit.cli import app
from probekit.errors import InputError, RunError


def run(*words):
    return CliRunner().invoke(app, ["dashboard", *map(str, words)])


def test_a_site_is_written_and_named(runs, tmp_path, writes_only):
    writes_only("/overview")
    found = run(runs / "base", "--export", tmp_path / "site")
    assert found.exit_code == 0
    assert found.stdout.strip() == str(tmp_path / "site" / "index.html")
    assert (tmp_path / "site" / "index.html").is_file()


def test_a_site_compares_with_the_run_that_is_named(runs, tmp_path, writes_only):
    writes_only("/overview", "/compare")
    other = runs / "group" / "other"
    found = run(runs / "base", "--export", tmp_path / "site", "--compare", other)
    assert found.exit_code == 0
    assert (tmp_path / "site" / "compare.html").is_file()


def test_compare_without_export_is_one_error(runs):
    found = run(runs, "--compare", runs / "base")
    assert isinstance(found.exception, InputError)
    assert "--export" in str(found.exception)


def test_a_folder_that_is_not_there_is_one_error(tmp_path):
    found = run(tmp_path / "nowhere")
    assert isinstance(found.exception, RunError)


@pytest.mark.parametrize("model", [None, "builtin"])
def test_it_answers_until_it_is_stopped(runs, monkeypatch, model):
    """The environment's HOST is not read; Ctrl-C is a normal end."""
    from probekit_app import serving

    monkeypatch.setenv("HOST", "0.0.0.0")
    answers = []

    def visit(server):
        address = f"http://127.0.0.1:{server.port}/"
        answers.append((server.host, address))
        raise KeyboardInterrupt

    monkeypatch.setattr("werkzeug.serving.BaseWSGIServer.serve_forever", visit)
    found = run(runs, "--port", "0", *(["--model", model] if model else []))
    assert found.exit_code == 0
    (said,) = re.findall(r"workbench: (\S+)", found.stdout)
    assert answers == [("127.0.0.1", said)]
    assert serving.PORT == 8050


def test_the_server_answers_over_a_socket(address):
    with urllib.request.urlopen(address) as answer:
        assert answer.status == 200
        assert "probekit" in answer.read().decode()
        assert "Werkzeug" not in (answer.headers["Server"] or "")
