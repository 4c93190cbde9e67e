"""The doctor passes every family, and fails every planted fault in the row that is about it."""

from __future__ import annotations

import inspect
import json
import math
from dataclasses import replace

import pytest
import torch
from rich.table import Table

from probekit.models.doctor import SENTENCES, TOLERANCE, Diagnosis, diagnose, render, table
from probekit.models.examination import Examination
from probekit.models.inputs import pad_batch
from tests.tiny import FAMILIES, subject_of, tiny_model, tiny_subject

ROWS = [
    "blocks",
    "norms",
    "neurons",
    "unembedding",
    "finite",
    "capture parity",
    "lens parity",
    "final norm",
    "batch = single",
    "left = right",
    "massive activations",
    "hooks removed",
]


def row(diagnosis, name):
    return next(check for check in diagnosis.rows if check.name == name)


def failed(diagnosis):
    return {check.name for check in diagnosis.rows if not check.ok}


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_is_well(family):
    diagnosis = diagnose(tiny_subject(family))
    assert failed(diagnosis) == set()
    assert diagnosis.ok
    names = [
        check.name.removeprefix("encoder: ").removeprefix("decoder: ") for check in diagnosis.rows
    ]
    assert names == ROWS * (len(names) // len(ROWS))


def test_both_stacks_of_an_encoder_decoder_are_examined():
    diagnosis = diagnose(tiny_subject("mt5"))
    assert len(diagnosis.rows) == 2 * len(ROWS)
    assert "not applicable" in row(diagnosis, "encoder: unembedding").detail
    assert row(diagnosis, "encoder: unembedding").ok
    assert row(diagnosis, "decoder: unembedding").value == "lm_head"


def test_rows_say_what_was_measured():
    diagnosis = diagnose(tiny_subject("llama"))
    assert row(diagnosis, "blocks").value == "model.layers"
    assert "3 blocks of width 32, each runs once, in order" in row(diagnosis, "blocks").detail
    assert row(diagnosis, "neurons").value == 48
    assert row(diagnosis, "final norm").value == "after the final norm"
    assert "264 logits" in row(diagnosis, "unembedding").detail
    for name in ("capture parity", "batch = single", "left = right", "massive activations"):
        assert len(row(diagnosis, name).per_layer) == 4


def test_a_post_norm_models_hidden_states_are_raw():
    assert row(diagnose(tiny_subject("bert")), "final norm").value == "the last block's output"


def test_missing_neurons_are_not_applicable_and_say_why():
    found = row(diagnose(tiny_subject("mixtral")), "neurons")
    assert found.ok
    assert found.value is None
    assert "not applicable: not for mixtures of experts" in found.detail


def wrap_forward(module, change):
    """Replace what a module returns by ``change`` of it."""
    plain = module.forward

    def forward(*args, **kwargs):
        output = plain(*args, **kwargs)
        return (change(output[0]), *output[1:]) if isinstance(output, tuple) else change(output)

    module.forward = forward


def test_hidden_states_that_are_not_the_blocks_outputs_fail_capture_parity():
    model = tiny_model("llama")
    plain = model.forward

    def forward(*args, **kwargs):
        output = plain(*args, **kwargs)
        if output.hidden_states is not None:
            states = list(output.hidden_states)
            states[2] = states[2] + 0.01
            output.hidden_states = tuple(states)
        return output

    forward.__signature__ = inspect.signature(plain)
    model.forward = forward
    diagnosis = diagnose(subject_of(model))
    assert failed(diagnosis) == {"capture parity"}
    found = row(diagnosis, "capture parity")
    assert "layer 1" in found.detail
    assert [value > 0.005 for value in found.per_layer] == [False, False, True, False]


def test_a_norm_that_the_anatomy_misses_fails_lens_and_last_layer():
    subject = tiny_subject("llama")
    wrong = replace(subject.anatomy, final_norm=None, head=("lm_head",))
    diagnosis = diagnose(replace(subject, anatomy=wrong))
    assert failed(diagnosis) == {"capture parity", "lens parity", "final norm"}


def test_a_scale_that_the_anatomy_misses_fails_lens_parity():
    subject = tiny_subject("cohere")
    wrong = replace(subject.anatomy, logit_scale=1.0)
    assert failed(diagnose(replace(subject, anatomy=wrong))) == {"lens parity"}


def test_a_wrong_down_projection_fails_neurons():
    subject = tiny_subject("llama")
    wrong = replace(subject.anatomy.neurons, down="mlp.up_proj")
    diagnosis = diagnose(replace(subject, anatomy=replace(subject.anatomy, neurons=wrong)))
    assert failed(diagnosis) == {"neurons"}
    assert "widths [32, 48]" in row(diagnosis, "neurons").detail


def test_an_output_that_depends_on_padding_fails_both_padding_rows():
    model = tiny_model("llama")
    # mixes every position of a text, padding included, into each of them
    wrap_forward(model.model.layers[1], lambda x: x + 0.1 * x.mean(dim=1, keepdim=True))
    diagnosis = diagnose(subject_of(model))
    assert "batch = single" in failed(diagnosis)
    assert not diagnosis.ok
    assert "worst at layer" in row(diagnosis, "batch = single").detail


def test_positions_that_ignore_the_mask_fail_left_against_right():
    model = tiny_model("gpt2")
    plain = model.transformer.forward

    def forward(*args, position_ids=None, **kwargs):
        ids = kwargs["input_ids"] if "input_ids" in kwargs else args[0]
        return plain(*args, position_ids=torch.arange(ids.shape[1])[None], **kwargs)

    model.transformer.forward = forward
    diagnosis = diagnose(subject_of(model))
    assert failed(diagnosis) == {"left = right"}


def test_a_block_that_runs_twice_fails_blocks():
    model = tiny_model("llama")
    block = model.model.layers[1]
    plain = block.forward

    def twice(hidden, *args, **kwargs):
        if not model.nested:
            model.nested = True
            hidden = block(hidden, *args, **kwargs)
            model.nested = False
        return plain(hidden, *args, **kwargs)

    model.nested = False
    block.forward = twice
    assert "blocks" in failed(diagnose(subject_of(model)))


def test_nan_fails_finite_and_everything_that_compares_it():
    model = tiny_model("llama")
    model.model.layers[2].mlp.down_proj.weight[3, 0] = math.nan
    diagnosis = diagnose(subject_of(model))
    assert {"finite", "lens parity", "batch = single", "left = right"} <= failed(diagnosis)
    found = row(diagnosis, "finite")
    assert [value > 0 for value in found.per_layer] == [False, False, False, True]
    assert diagnosis.to_json()["ok"] is False
    json.dumps(diagnosis.to_json(), allow_nan=False)


def test_massive_dimensions_are_listed_and_are_no_fault():
    model = tiny_model("llama")
    model.model.layers[1].mlp.down_proj.weight[7] *= 1000
    diagnosis = diagnose(subject_of(model))
    found = row(diagnosis, "massive activations")
    assert found.ok
    assert "dimension 7" in found.detail
    assert found.per_layer[2] > found.per_layer[1]


def test_a_hook_left_behind_fails_hooks_removed(monkeypatch):
    subject = tiny_subject("llama")

    def leaks(self):
        self.subject.model.lm_head.register_forward_hook(lambda *_: None)
        return plain(self)

    plain = Examination.massive
    monkeypatch.setattr(Examination, "massive", leaks)
    diagnosis = diagnose(subject)
    assert failed(diagnosis) == {"hooks removed"}
    assert row(diagnosis, "hooks removed").value == 1


def test_a_model_without_hidden_states_fails_capture_parity():
    model = tiny_model("llama")
    plain = model.forward

    def forward(*args, output_hidden_states=None, **kwargs):
        return plain(*args, **kwargs)

    forward.__signature__ = inspect.signature(plain)
    model.forward = forward
    diagnosis = diagnose(subject_of(model))
    assert failed(diagnosis) == {"capture parity"}
    assert "0 hidden states for 4 layers" in row(diagnosis, "capture parity").detail


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_has_a_wider_stated_tolerance(dtype):
    diagnosis = diagnose(subject_of(tiny_model("llama").to(dtype)))
    assert diagnosis.ok
    assert diagnosis.tolerance == TOLERANCE[diagnosis.dtype] > TOLERANCE["float32"]
    assert f"{diagnosis.tolerance:g}" in row(diagnosis, "batch = single").detail


def test_json_and_table_hold_every_row():
    diagnosis = diagnose(tiny_subject("llama"))
    written = json.loads(json.dumps(diagnosis.to_json()))
    assert written["ok"] is True
    assert [check["name"] for check in written["rows"]] == ROWS
    assert isinstance(table(diagnosis), Table)
    assert table(diagnosis).row_count == len(ROWS)
    page = render(diagnosis)
    assert all(name in page for name in ROWS)
    assert "FAILED" not in page
    assert "5e-05" in page


def test_render_shows_a_failure():
    rows = diagnose(tiny_subject("llama")).rows
    broken = Diagnosis(
        "x", "X", "float32", "cpu", 5e-5, (*rows[:-1], type(rows[0])("r", False, None, "bad"))
    )
    assert not broken.ok
    assert "FAILED" in render(broken)


def test_sentences_are_eight_texts_that_need_padding():
    subject = tiny_subject("llama")
    ids = [subject.tokenizer(sentence)["input_ids"] for sentence in SENTENCES]
    assert len(SENTENCES) == 8
    assert len({len(text) for text in ids}) > 5
    assert pad_batch(subject, ids)["input_ids"].shape[0] == 8
