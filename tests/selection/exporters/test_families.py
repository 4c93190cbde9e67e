"""Every dialect on thirteen families, read back from the text by the tool's rule written anew.

``peft`` and ``transformers`` are installed: there the tool itself says what it selects.
"""

from __future__ import annotations

import re
import shlex
import warnings
from dataclasses import replace

import pytest
import torch
import yaml

from probekit.selection.exporters import EXPORTERS, export
from probekit.selection.parameters import names_sha256

FAMILIES = (
    "llama",
    "mistral",
    "qwen2",
    "qwen3",
    "gemma2",
    "gemma3",
    "phi3",
    "olmo2",
    "cohere",
    "gpt2",
    "gpt_neox",
    "bloom",
    "opt",
)
WITH_BIAS = {"gpt2", "gpt_neox", "bloom", "opt"}
AT_MODEL_LAYERS = set(FAMILIES) - WITH_BIAS
INEXPRESSIBLE = {
    "wmdp": WITH_BIAS,
    "easyedit": WITH_BIAS,
    "llama-factory": set(FAMILIES),
    "repeng": {"gpt_neox", "opt"},
}
BOTH = ("mlp_out", "attn_out")


def option(text, name):
    words = shlex.split(text, comments=True)
    return words[words.index(name) + 1]


def read_open_unlearning(text, model):
    said = yaml.safe_load(text)["method_args"]
    modules = [n for n, _ in model.named_modules() if re.fullmatch(said["module_regex"], n)]
    assert [name.rpartition(".")[-1] for name in modules] == ["7"]
    patterns = said["trainable_params_regex"]
    return {n for n, _ in model.named_parameters() if any(re.fullmatch(p, n) for p in patterns)}


def read_wmdp(text, model):
    layers = [int(part) for part in option(text, "--layer_ids").split(",")]
    positions = [int(part) for part in option(text, "--param_ids").split(",")]
    picked = [
        id(tensor)
        for layer in layers
        for at, tensor in enumerate(model.model.layers[layer].parameters())
        if at in positions
    ]
    assert option(text, "--layer_id") == "7"
    return {name for name, tensor in model.named_parameters() if id(tensor) in picked}


def read_axolotl(text, model):
    rules = [
        re.compile(re.sub(r"\.(?!\+)", "\\.", pattern))
        for pattern in yaml.safe_load(text)["unfrozen_parameters"]
    ]
    return {n for n, _ in model.named_parameters() if any(rule.match(n) for rule in rules)}


def read_ms_swift(text, model):
    assert option(text, "--freeze_parameters_ratio") == "1"
    rule = re.compile(option(text, "--trainable_parameters_regex"))
    return {name for name, _ in model.named_parameters() if rule.search(name)}


def read_trainer(text, model):
    exec(text, {"model": model})
    return {name for name, tensor in model.named_parameters() if tensor.requires_grad}


def read_easyedit(text, model):
    said = yaml.safe_load(text)
    there = dict(model.named_modules())
    for key in ("layer", "mlp", "attn", "rewrite"):
        assert said[f"{key}_module_tmp"].format(5) in there
    assert said["ln_f_module"] in there
    assert said["lm_head_module"] in there
    assert said["v_loss_layer"] == 11
    return {f"{said['rewrite_module_tmp'].format(layer)}.weight" for layer in said["layers"]}


def read_peft(text, model):
    """Adapters with noise in them, merged: the tensors that then differ from the model's."""
    from peft import get_peft_model

    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    space = {}
    exec(text, space)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # GPT-2's Conv1D: peft sets fan_in_fan_out itself
        adapted = get_peft_model(model, space["config"])
    with torch.no_grad():
        for tensor in adapted.parameters():
            if tensor.requires_grad:
                tensor.add_(torch.ones_like(tensor))
    merged = adapted.merge_and_unload().state_dict()
    assert merged.keys() == before.keys()
    return {name for name in before if not torch.equal(before[name], merged[name])}


READERS = {
    "open-unlearning": read_open_unlearning,
    "wmdp": read_wmdp,
    "peft": read_peft,
    "axolotl": read_axolotl,
    "ms-swift": read_ms_swift,
    "trainer": read_trainer,
    "easyedit": read_easyedit,
}
CHANGING = {"peft", "trainer"}


@pytest.mark.parametrize("roles", [("mlp_out",), BOTH], ids=["mlp", "both"])
@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("to", READERS)
def test_the_tool_selects_exactly_the_selection(
    subject_of, selection_of, fresh, *, to, family, roles
):
    subject, selection = subject_of(family), selection_of(family, roles)
    written = export(selection, to, names=subject.names)
    wanted = set(selection.parameters.names)
    possible = family not in INEXPRESSIBLE.get(to, ())
    possible &= not (to == "easyedit" and roles == BOTH)
    assert written.expressible == possible
    assert bool(written.nearest) != possible
    if written.text:
        model = fresh(subject) if to in CHANGING else subject.model
        assert READERS[to](written.text, model) == set(written.names)
    if possible:
        assert set(written.names) == wanted
        assert written.names_sha256 == selection.parameters.names_sha256
    else:
        assert set(written.names) < wanted
        assert written.names_sha256 != selection.parameters.names_sha256


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("to", ["repeng", "steering-vectors", "llama-cpp"])
def test_a_steering_tool_gets_the_region_as_blocks(subject_of, selection_of, to, family):
    subject = subject_of(family)
    written = export(selection_of(family), to, names=subject.names)
    possible = family not in INEXPRESSIBLE.get(to, ())
    blocks = tuple(f"{subject.tree.blocks}.{block}" for block in range(5, 10))
    assert written.acts_on == "blocks"
    assert written.expressible == possible
    assert written.names == (blocks if possible else ())
    assert set(written.names) <= {name for name, _ in subject.model.named_modules()}
    assert written.to_framework()["selects_sha256"] is None


@pytest.mark.parametrize("family", ["llama", "gpt2", "gpt_neox", "opt"])
@pytest.mark.parametrize("to", sorted(set(EXPORTERS) - {"wmdp", "llama-factory"}))
def test_the_document_alone_gives_what_the_model_gives(subject_of, selection_of, to, family):
    selection = selection_of(family)
    alone, with_card, with_model = (
        replace(export(given, to, names=names), notes=())
        for given, names in (
            (selection.to_document(), None),
            (selection, None),
            (selection, subject_of(family).names),
        )
    )
    assert alone == with_card == with_model


@pytest.mark.parametrize(
    ("family", "position"),
    [
        ("llama", "6"),
        ("mistral", "6"),
        ("gemma2", "6"),
        ("cohere", "6"),
        ("qwen2", "9"),
        ("qwen3", "8"),
        ("gemma3", "8"),
        ("olmo2", "8"),
        ("phi3", "3"),
    ],
)
def test_down_proj_has_another_position_in_each_architecture(
    subject_of, selection_of, family, position
):
    written = export(selection_of(family), "wmdp", names=subject_of(family).names)
    assert option(written.text, "--param_ids") == position


@pytest.mark.parametrize("family", ["llama", "gpt2", "opt"])
def test_a_step_of_the_real_trainer_moves_exactly_the_selection(
    subject_of, selection_of, fresh, tmp_path, family
):
    from transformers import Trainer, TrainingArguments

    selection, model = selection_of(family), fresh(subject_of(family))
    before = {name: tensor.clone() for name, tensor in model.named_parameters()}
    exec(export(selection, "trainer").text, {"model": model})
    ids = torch.arange(3, 15)
    arguments = TrainingArguments(
        output_dir=str(tmp_path),
        max_steps=1,
        learning_rate=0.1,
        use_cpu=True,
        report_to=[],
        save_strategy="no",
        disable_tqdm=True,
        dataloader_pin_memory=False,
    )
    trainer = Trainer(
        model=model, args=arguments, train_dataset=[{"input_ids": ids, "labels": ids}] * 8
    )
    trainer.train()
    moved = {n for n, tensor in model.named_parameters() if not torch.equal(tensor, before[n])}
    assert moved == set(selection.parameters.names)


@pytest.mark.parametrize("to", EXPORTERS)
def test_an_export_can_stand_in_the_document(subject_of, document_of, to):
    from probekit.selection import validate_document

    document = document_of("gpt2")
    written = export(document, to, names=subject_of("gpt2").names)
    document["frameworks"][to] = written.to_framework()
    validate_document(document)
    assert written.names_sha256 == names_sha256(written.names)
    assert written.to == to
