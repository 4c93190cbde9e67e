"""A selection file is read back as it was written, or refused in one line."""

from __future__ import annotations

import json

import pytest

from probekit.errors import RuleError
from probekit.selection.exporters import export, load_selection


@pytest.fixture
def file(tmp_path):
    def write(content):
        path = tmp_path / "selection.json"
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        return path

    return write


def test_a_written_selection_is_read_back(selection_of, tmp_path):
    path = tmp_path / "selection.json"
    path.write_text(selection_of().to_json(), encoding="utf-8")
    assert load_selection(path) == selection_of().to_document()


@pytest.mark.parametrize(
    ("content", "says"),
    [("", "is not JSON"), ("[1]", "layer-selection/1"), ("{}", "layer-selection/1")],
)
def test_another_file_is_refused(file, content, says):
    with pytest.raises(RuleError, match=says):
        load_selection(file(content))


def test_bytes_that_are_no_text_are_refused(tmp_path):
    path = tmp_path / "selection.json"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(RuleError, match="is not JSON"):
        load_selection(path)


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(RuleError, match="cannot be read"):
        load_selection(tmp_path / "none.json")


def test_an_edited_name_is_noticed(file, document_of):
    document = document_of()
    document["parameters"]["names"][0] = "model.layers.4.mlp.down_proj.weight"
    with pytest.raises(RuleError, match="names_sha256"):
        load_selection(file(document))


def test_a_name_twice_is_noticed(file, document_of):
    name = "model.layers.5.mlp.down_proj.weight"
    with pytest.raises(RuleError, match="distinct"):
        load_selection(file(document_of(names=[name, name])))


@pytest.mark.parametrize(
    "name", ["a'); import os #", "$(reboot)", "a.*", "a b", "a\nb", "", "a[5]"]
)
def test_a_name_that_is_no_name_is_refused(document_of, name):
    with pytest.raises(RuleError, match="letters, digits"):
        export(document_of(names=[name]), "trainer")


def test_a_path_that_is_no_path_is_refused(document_of):
    document = document_of()
    document["model"]["layers_path"] = 'model.layers"} #'
    with pytest.raises(RuleError, match="letters, digits"):
        export(document, "steering-vectors")
