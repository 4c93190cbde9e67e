"""A subject in a notebook: what was loaded and where its parts are."""

from __future__ import annotations

from dataclasses import replace

from probekit.models.display import subject_html, subject_rows
from tests.tiny import tiny_subject


def test_rows_are_what_was_loaded():
    subject = tiny_subject("llama")
    rows, anatomy = subject_rows(subject), subject.anatomy
    assert rows["model"] == "tiny-llama"
    assert rows["blocks"] == f"3 ({anatomy.blocks})"
    assert rows["width"] == "32"
    assert rows["neurons"] == f"{anatomy.neurons.width} a block"
    assert rows["vocabulary"] == f"{len(subject.tokenizer)} tokens"
    assert (rows["dtype"], rows["device"]) == ("float32", "cpu")
    assert (rows["final norm"], rows["unembedding"]) == (anatomy.final_norm, anatomy.unembed)


def test_what_is_not_there_is_said():
    subject = tiny_subject("llama")
    bare = replace(subject.anatomy, neurons=None, no_neurons="why", final_norm=None, unembed=None)
    rows = subject_rows(replace(subject, anatomy=bare, revision="r1", adapter="mine"))
    assert rows["model"] == "tiny-llama · revision r1 · adapter mine"
    assert rows["neurons"] == "none read: why"
    assert rows["final norm"] == "none"
    assert rows["unembedding"].startswith("none")


def test_the_table_is_text():
    html = subject_html(replace(tiny_subject("llama"), source="<script>"))
    assert "<script" not in html
    assert html.count("<tr>") == len(subject_rows(tiny_subject("llama")))
