"""The worker's functions: the lens's own numbers, every fault in words, nothing raised."""

from __future__ import annotations

import json

import numpy as np
import pytest

import probekit
from probekit.errors import InputError, ModelError
from probekit_app.live import worker
from probekit_app.live.limits import (
    LONGEST_TEXT,
    MOST_CELLS,
    MOST_TEXTS,
    TOP,
    checked_texts,
)
from probekit_app.text import visible
from tests.tiny import tiny_subject

REQUEST = {"top": TOP, "cells": MOST_CELLS}


@pytest.fixture(scope="module")
def subject():
    return tiny_subject(bos=True)


def answered(subject, text, **more):
    return worker.answer(subject, {**REQUEST, "text": text, **more})


@pytest.mark.parametrize("text", ["a b", "عاصمة", "ไทย", "👩‍🔬", "x", "<script>alert(1)</script>"])
def test_a_grid_is_the_lens(subject, text):
    grid, lens = answered(subject, text)["grid"], probekit.lens(subject, text, top=TOP)
    assert grid["layers"] == list(lens.layers)
    assert [token["id"] for token in grid["tokens"]] == list(lens.ids)
    assert grid["top_ids"] == lens.top_ids.tolist()
    assert grid["final_ids"] == lens.final_ids.tolist()
    assert grid["final_rank"] == lens.final_rank.tolist()
    for name in ("entropy", "kl", "top_probability", "final_probability"):
        assert np.allclose(grid[name], getattr(lens, name), rtol=1e-5, atol=1e-12), name
    ids = {number for row in grid["top_ids"] for cell in row for number in cell}
    for number in ids | set(grid["final_ids"]):
        assert grid["names"][str(number)] == visible(lens.names[number])
    json.dumps(grid, allow_nan=False)


def test_numbers_keep_six_digits(subject):
    grid, lens = answered(subject, "a b")["grid"], probekit.lens(subject, "a b", top=TOP)
    assert grid["entropy"][0][0] == float(f"{lens.entropy[0, 0]:.6g}")


def test_a_text_that_fills_more_cells_than_a_page_holds_is_refused(subject):
    layers = subject.anatomy.n_blocks + 1
    found = answered(subject, "abcdef", cells=5 * layers)
    assert "at most 5 tokens" in found["problem"]
    assert "Got 7" in found["problem"]
    assert "grid" in answered(subject, "abcd", cells=5 * layers)


def test_what_a_model_raises_is_said_in_words(subject, monkeypatch):
    def broken(*_, **__):
        msg = "secret /path"
        raise RuntimeError(msg)

    monkeypatch.setattr(worker, "check_size", broken)
    found = answered(subject, "a")
    assert found == {"problem": "The model failed on this text (RuntimeError); the log says more."}


def test_a_broken_models_numbers_are_refused():
    import torch

    subject = tiny_subject()
    with torch.no_grad():
        subject.model.model.norm.weight.fill_(float("nan"))
    assert "not finite" in answered(subject, "a b")["problem"]


def test_an_empty_text_is_said_by_the_lens(subject):
    assert "must not be empty" in answered(subject, " ")["problem"]


def test_lines_in_lines_out(subject, monkeypatch):
    monkeypatch.setattr(worker, "loaded", lambda name: (subject, {"model": name}))
    said = []
    lines = [json.dumps({"model": "tiny"}), *(json.dumps({**REQUEST, "text": t}) for t in "ab")]
    worker.work(lines, said.append)
    assert said[0] == {"model": "tiny"}
    assert [each["grid"]["text"] for each in said[1:]] == ["a", "b"]


def test_no_line_is_no_model():
    said = []
    worker.work([], said.append)
    assert said == []


def test_a_model_that_cannot_be_loaded_says_why(monkeypatch):
    def refuse(name):
        msg = f"{name} is not there"
        raise ModelError(msg)

    monkeypatch.setattr("probekit.models.load", refuse)
    said = []
    worker.work([json.dumps({"model": "nowhere"}), "{}"], said.append)
    assert said == [{"problem": "nowhere is not there"}]


def test_a_model_without_a_head_is_refused(monkeypatch):
    import dataclasses

    whole = tiny_subject()
    headless = dataclasses.replace(whole, anatomy=dataclasses.replace(whole.anatomy, head=()))
    monkeypatch.setattr("probekit.models.load", lambda _: headless)
    subject, said = worker.loaded("headless")
    assert subject is None
    assert "no unembedding" in said["problem"]


def test_texts_are_taken_whole_and_empty_lines_left_out():
    assert checked_texts({"texts": ["a", "  ", "", "b"]}) == ("a", "b")
    assert checked_texts({"texts": ["a\ud800b"]}) == ("a\ufffdb",)
    assert checked_texts({"texts": ["👩‍🔬" + chr(0)]}) == ("👩‍🔬" + chr(0),)
    assert checked_texts({"texts": ["x" * LONGEST_TEXT]}) == ("x" * LONGEST_TEXT,)


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        (None, "a request must be"),
        ([], "a request must be"),
        ({"texts": "a"}, "a request must be"),
        ({"texts": [1]}, "a request must be"),
        ({"texts": []}, "must not be empty"),
        ({"texts": [" ", "\n"]}, "must not be empty"),
        ({"texts": ["a"] * (MOST_TEXTS + 1)}, f"at most {MOST_TEXTS}"),
        ({"texts": ["ก" * 10_000]}, "at most 1,000 characters. Got 10,000"),
    ],
)
def test_what_cannot_be_read_is_refused_with_the_limit(request_, words):
    with pytest.raises(InputError, match=words):
        checked_texts(request_)
