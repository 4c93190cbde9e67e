"""``probekit export``: the snippet on stdout, the rest on stderr, exit 0, 1 or 2."""

from __future__ import annotations

import json
import sys
from typing import NamedTuple

import pytest

from probekit import cli
from probekit.selection.exporters import export
from tests.tiny import save_tiny


class Done(NamedTuple):
    code: int
    out: str
    err: str


@pytest.fixture
def probekit(capfd, monkeypatch):
    """Call the command in this process, as its entry point does."""

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["probekit", "export", *map(str, arguments)])
        monkeypatch.setattr(cli.signal, "signal", lambda *_: None)
        capfd.readouterr()
        with pytest.raises(SystemExit) as left:
            cli.main()
        return Done(left.value.code or 0, *capfd.readouterr())

    return call


@pytest.fixture
def file(document_of, tmp_path):
    """A selection file; keywords change its ``selection``."""

    def write(**selection):
        path = tmp_path / "selection.json"
        path.write_text(json.dumps(document_of(**selection)), encoding="utf-8")
        return path

    return write


def test_the_snippet_and_nothing_else_is_on_stdout(probekit, file, document_of):
    done = probekit(file(), "--to", "axolotl")
    written = export(document_of(), "axolotl")
    assert done == (0, written.text, "".join(f"{note}\n" for note in written.notes))


def test_json_is_the_export(probekit, file, document_of):
    done = probekit(file(), "--to", "peft", "--json")
    assert done.code == 0
    assert json.loads(done.out) == export(document_of(), "peft").to_json()


def test_what_is_not_expressible_is_a_finding(probekit, file):
    done = probekit(file(), "--to", "llama-factory")
    assert done.code == 1
    assert done.out.startswith("# NOT EXPRESSIBLE in llama-factory: ")
    assert "not expressible in llama-factory: freeze tuning takes" in done.err


def test_an_empty_region_is_a_finding(probekit, file):
    selection = {"region": [], "status": "no_signal", "reasons": ["Align is flat"]}
    done = probekit(file(**selection), "--to", "peft")
    assert (done.code, done.out) == (1, "")
    assert "the region is empty" in done.err
    assert "Align is flat" in done.err


def test_a_run_is_selected_from_by_the_default_rule(probekit, finished_run):
    chosen = finished_run.select()
    done = probekit(finished_run.folder, "--to", "trainer")
    if chosen.region:
        assert done == (0, export(chosen, "trainer").text, done.err)
    else:
        assert (done.code, done.out) == (1, "")
        assert chosen.reasons[0] in done.err


@pytest.mark.parametrize(
    ("change", "to", "says"),
    [
        ({}, "peff", "to must be one of open-unlearning, wmdp, peft"),
        ({"read_layer": 4}, "open-unlearning", "must not lie below an update layer"),
        ({}, "wmdp", "Add the model: --check"),
    ],
)
def test_bad_input_is_one_line_and_exit_2(probekit, file, change, to, says):
    done = probekit(file(**change), "--to", to)
    assert (done.code, done.out) == (2, "")
    assert done.err.count("\n") == 1
    assert says in done.err


def test_names_only_needs_a_model_to_check(probekit, file):
    done = probekit(file(), "--to", "peft", "--names-only")
    assert (done.code, done.out) == (2, "")
    assert "add --check MODEL" in done.err


def test_a_missing_file_is_exit_2(probekit, tmp_path):
    done = probekit(tmp_path / "none.json", "--to", "peft")
    assert (done.code, done.out) == (2, "")
    assert "cannot be read" in done.err


def test_check_gives_wmdp_the_order_it_needs(probekit, file, tmp_path):
    model = save_tiny("llama", tmp_path / "llama", num_hidden_layers=12)
    done = probekit(file(), "--to", "wmdp", "--check", model)
    assert done.code == 0
    assert "--param_ids 6\n" in done.out


def test_check_refuses_another_model(probekit, file, tmp_path):
    model = save_tiny("gpt2", tmp_path / "gpt2")
    done = probekit(file(), "--to", "trainer", "--check", model)
    assert (done.code, done.out) == (2, "")
    assert "made for another model" in done.err


def test_check_compares_weights_unless_told_not_to(probekit, file, tmp_path):
    model = save_tiny("llama", tmp_path / "llama", num_hidden_layers=12)
    path = file()
    document = json.loads(path.read_text())
    document["model"]["state_sha256"] = "0" * 64
    path.write_text(json.dumps(document))
    done = probekit(path, "--to", "peft", "--check", model)
    assert done.code == 2
    assert "the weights are not" in done.err
    assert probekit(path, "--to", "peft", "--check", model, "--names-only").code == 0
