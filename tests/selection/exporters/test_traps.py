"""Ways in which each tool silently selects something else, one test each."""

from __future__ import annotations

import itertools
import re
import warnings

import pytest
import yaml

from probekit.errors import RuleError
from probekit.selection.exporters import (
    axolotl,
    export,
    llama_cpp,
    llama_factory,
    ms_swift,
    open_unlearning,
    peft,
    repeng,
    steering_vectors,
    wmdp,
)

DOWN = "mlp.down_proj.weight"


def down(*blocks, path="model.layers"):
    return {f"{path}.{block}.{DOWN}" for block in blocks}


# open-unlearning


def test_open_unlearning_trains_everything_by_its_default(subject_of):
    names = subject_of("llama").names
    assert open_unlearning.selected([".*"], names) == names


def test_open_unlearning_matches_in_full(subject_of):
    names = subject_of("llama").names
    assert open_unlearning.selected([r"model\.layers\.1"], names) == ()
    assert set(open_unlearning.selected([r"model\.layers\.1\..*down_proj.*"], names)) == down(1)


def test_open_unlearning_reads_one_module_even_where_a_twin_exists(document_of, subject_of):
    names = subject_of("llama").names
    twins = tuple(f"vision.{name}" for name in names)
    written = export(document_of(), "open-unlearning", names=names + twins)
    assert written.expressible
    assert yaml.safe_load(written.text)["method_args"]["module_regex"] == r"model\.layers\.7"


@pytest.mark.parametrize("to", ["open-unlearning", "wmdp"])
@pytest.mark.parametrize("read", [4, 6, None, 12])
def test_rmu_refuses_a_read_layer_that_an_update_does_not_reach(document_of, subject_of, to, read):
    document = document_of(read_layer=read)
    with pytest.raises(RuleError, match=r"selection\.read_layer"):
        export(document, to, names=subject_of("llama").names)
    assert export(document, "peft").expressible  # LoRA reads no block


def test_rmu_looks_at_the_update_layers_too(document_of, subject_of):
    document = document_of(update_layers=[5, 6, 7, 8])
    with pytest.raises(RuleError, match="gives block 8 no gradient"):
        export(document, "open-unlearning")


def test_rmu_tells_the_norm_that_its_coefficient_is_on(selection_of):
    selection = selection_of()
    norm = selection.evidence.activation_norm_median[7]
    written = export(selection, "open-unlearning")
    assert any(f"block 7 has median norm {norm:.4g}" in note for note in written.notes)
    assert f"7: {norm:.4g}" in written.text


# wmdp


def test_wmdp_counts_from_the_start_of_a_block(subject_of):
    names = subject_of("llama").names
    assert set(wmdp.selected([1], [6], names)) == down(1)  # not 10, not 11


def test_wmdp_asks_for_the_model_rather_than_trust_the_alphabet(selection_of, subject_of):
    sorted_names = sorted(subject_of("llama").names)  # as a saved run has them
    for names in (None, sorted_names):
        with pytest.raises(RuleError, match="Add the model: --check tiny/llama"):
            export(selection_of().to_document(), "wmdp", names=names)


def test_wmdp_says_when_blocks_need_other_positions(document_of, subject_of):
    wanted = {*down(5), "model.layers.6.mlp.up_proj.weight"}
    written = export(document_of(names=wanted), "wmdp", names=subject_of("llama").names)
    assert not written.expressible
    assert set(written.names) == down(5, 6)
    assert "1 more, 1 of 2 missing" in written.nearest
    assert written.text.startswith("# NOT EXPRESSIBLE in wmdp: ")


# PEFT


def keys(family, subject_of):
    return [name for name, _ in subject_of(family).model.named_modules() if name]


def test_peft_leaf_c_proj_also_hits_attention(subject_of):
    hit = {k for k in keys("gpt2", subject_of) if peft.module_matches(["c_proj"], k)}
    assert {name.split(".")[3] for name in hit} == {"attn", "mlp"}
    hit = {k for k in keys("gpt2", subject_of) if peft.module_matches(["mlp.c_proj"], k)}
    assert {name.split(".")[3] for name in hit} == {"mlp"}


def test_peft_index_list_also_hits_a_vision_tower(subject_of):
    twins = [f"{tower}.layers.{b}.mlp.down_proj" for tower in ("vision", "model") for b in (4, 5)]
    hit = [k for k in twins if peft.module_matches(["down_proj"], k, layers_to_transform=[5])]
    assert hit == ["vision.layers.5.mlp.down_proj", "model.layers.5.mlp.down_proj"]


def test_peft_pattern_hits_no_vision_tower(document_of, subject_of):
    names = subject_of("llama").names
    twins = tuple(f"vision.{name}" for name in names)
    assert export(document_of(), "peft", names=names + twins).expressible


TARGETS = (
    ["c_proj"],
    ["mlp.c_proj"],
    ["transformer.h.1.mlp.c_proj"],
    ["roj"],
    r"transformer\.h\.(1|2)\.mlp\.c_proj",
    r"h\.1\.mlp\.c_proj",
    ".*",
)


@pytest.mark.parametrize("modules", TARGETS, ids=str)
@pytest.mark.parametrize("layers", [None, [], [1], [1, 11]])
@pytest.mark.parametrize("pattern", [(), ("h",), ("layers",)])
def test_the_rule_here_is_the_rule_of_the_installed_peft(subject_of, modules, layers, pattern):
    from types import SimpleNamespace

    from peft.tuners.tuners_utils import check_target_module_exists

    config = SimpleNamespace(
        target_modules=modules,
        target_parameters=None,
        layers_to_transform=layers,
        layers_pattern=list(pattern),
    )
    for key in keys("gpt2", subject_of):
        ours = peft.module_matches(modules, key, layers_to_transform=layers, layers_pattern=pattern)
        assert ours == bool(check_target_module_exists(config, key)), key


def test_peft_bare_tensors_go_by_full_name(subject_of, fresh):
    """Fused experts are no modules: ``target_parameters``, run by the installed peft."""
    from peft import get_peft_model

    model = fresh(subject_of("mixtral"))
    bare = {f"model.layers.{block}.mlp.experts.down_proj" for block in (1, 2)}
    text = peft._config([], tuple(sorted(bare)), "none")
    space = {}
    exec(text, space)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # peft asks transformers by an old name
        adapted = get_peft_model(model, space["config"])
    assert set(adapted.targeted_parameter_names) == bare
    assert adapted.targeted_module_names == []


def test_peft_says_when_only_some_biases_are_wanted(document_of, subject_of):
    block = "transformer.h.5"
    wanted = [f"{block}.mlp.c_proj.weight", f"{block}.mlp.c_proj.bias"]
    wanted.append(f"{block}.attn.c_proj.weight")
    written = export(document_of("gpt2", wanted), "peft", names=subject_of("gpt2").names)
    assert not written.expressible
    assert set(written.names) - set(wanted) == {f"{block}.attn.c_proj.bias"}


# axolotl


def test_axolotl_matches_nothing_by_an_escaped_pattern(subject_of):
    names = subject_of("llama").names
    assert axolotl.selected([r"^model\.layers\.(5|7)\.mlp\.down_proj\.weight$"], names) == ()
    assert set(axolotl.selected([f"^model.layers.(5|7).{DOWN}$"], names)) == down(5, 7)


def test_axolotl_takes_a_last_bracket_for_rows_and_unfreezes_every_layer(subject_of):
    names = subject_of("llama").names
    hit = axolotl.selected(["model.layers.[57]"], names)
    assert set(hit) == {name for name in names if name.startswith("model.layers.")}


def test_axolotl_pattern_without_an_end_reaches_on(subject_of):
    names = subject_of("opt").names
    assert len(axolotl.selected(["^model.decoder.layers.5.fc2"], names)) == 2


def test_axolotl_export_has_neither_backslash_nor_bracket(selection_of):
    patterns = yaml.safe_load(export(selection_of("gpt2"), "axolotl").text)["unfrozen_parameters"]
    assert patterns == ["^transformer.h.(5|6|7).(mlp.c_proj.weight|mlp.c_proj.bias)$"]


# ms-swift


def test_ms_swift_searches_so_a_pattern_needs_anchors(subject_of):
    names = tuple(f"vision.{name}" for name in subject_of("llama").names)
    loose = r"model\.layers\.5\.mlp\.down_proj\.weight"
    assert set(ms_swift.selected(loose, names)) == {f"vision.{name}" for name in down(5)}
    assert ms_swift.selected(f"^{loose}$", names) == ()


# Trainer


def test_trainer_snippet_raises_on_a_missing_name(document_of, subject_of, fresh):
    text = export(document_of(), "trainer").text
    with pytest.raises(ValueError, match="lacks 3 selected tensors"):
        exec(text, {"model": fresh(subject_of("gpt2"))})


# LLaMA-Factory


def owners(blocks, child):
    """Every tensor under a child of the given blocks."""
    return lambda names: [
        n for n in names if any(n.startswith(f"model.layers.{b}.{child}.") for b in blocks)
    ]


@pytest.mark.parametrize(
    ("blocks", "count"), [(range(3), -3), (range(9, 12), 3), (range(12), 12), (range(1), -1)]
)
def test_llama_factory_freezes_all_but_whole_children_at_an_end(
    document_of, subject_of, blocks, count
):
    names = subject_of("llama").names
    wanted = owners(blocks, "mlp")(names)
    written = export(document_of(names=wanted), "llama-factory", names=names)
    assert written.expressible
    assert set(written.names) == set(wanted)
    assert yaml.safe_load(written.text) == {
        "finetuning_type": "freeze",
        "freeze_trainable_layers": count,
        "freeze_trainable_modules": "mlp",
    }


def test_llama_factory_takes_whole_blocks_by_all(document_of, subject_of):
    names = subject_of("llama").names
    wanted = [name for name in names if re.match(r"model\.layers\.(10|11)\.", name)]
    written = export(document_of(names=wanted), "llama-factory", names=names)
    assert written.expressible
    modules = yaml.safe_load(written.text)["freeze_trainable_modules"]
    assert set(modules.split(",")) == {
        "self_attn",
        "mlp",
        "input_layernorm",
        "post_attention_layernorm",
    }


@pytest.mark.parametrize(
    "names",
    [
        down(0, 1, 2),  # a part of mlp
        {f"model.layers.{b}.mlp.{p}_proj.weight" for b in (5, 6) for p in ("gate", "up", "down")},
    ],
    ids=["part of a child", "blocks in the middle"],
)
def test_llama_factory_offers_lora_on_the_same_matrices_otherwise(document_of, subject_of, names):
    written = export(document_of(names=names), "llama-factory", names=subject_of("llama").names)
    assert not written.expressible
    assert "LoRA" in written.nearest
    assert set(written.names) == set(names)
    targets = yaml.safe_load(written.text)["lora_target"].split(",")
    assert {f"{target}.weight" for target in targets} == set(names)


def test_llama_factory_contains_is_not_equals(subject_of):
    """``.1.mlp`` is found in ``.1.mlp_norm`` and in any other tower's block 1, not in block 11."""
    names = [f"model.layers.{b}.{t}.weight" for b in range(12) for t in ("mlp.down", "mlp_norm")]
    names.append("vision.layers.0.mlp.up.weight")
    hit = llama_factory.selected(-2, ["mlp"], names, n_layers=12)
    assert set(hit) == {names[0], names[1], names[2], names[3], names[-1]}
    assert llama_factory.selected(-2, ["down"], names, n_layers=12) == ()  # it raises there


def test_llama_factory_cannot_part_opt_attention_from_its_norm(document_of, subject_of):
    names = subject_of("opt").names
    wanted = [n for n in names if re.match(r"model\.decoder\.layers\.(0|1)\.self_attn\.", n)]
    written = export(document_of("opt", wanted), "llama-factory", names=names)
    assert not written.expressible  # .0.self_attn is found in .0.self_attn_layer_norm too
    whole = [n for n in names if re.match(r"model\.decoder\.layers\.(0|1)\.fc2\.", n)]
    assert export(document_of("opt", whole), "llama-factory", names=names).expressible


def test_llama_factory_claims_nothing_of_a_model_it_has_not_seen(document_of, subject_of):
    wanted = owners(range(2), "mlp")(subject_of("llama").names)
    written = export(document_of(names=wanted), "llama-factory")
    assert not written.expressible
    assert any("--check MODEL" in note for note in written.notes)


# EasyEdit


def test_easyedit_lists_the_layers_in_order_and_warns_of_another_read_block(document_of):
    written = export(document_of(read_layer=9), "easyedit")
    said = yaml.safe_load(written.text)
    assert said["layers"] == [5, 6, 7]
    assert said["rewrite_module_tmp"] == "model.layers.{}.mlp.down_proj"
    assert any("not of block 9" in note for note in written.notes)


def test_easyedit_leaves_biases_and_says_so(selection_of):
    written = export(selection_of("gpt2"), "easyedit")
    assert not written.expressible
    assert "3 of 6 missing tensors" in written.nearest


@pytest.mark.parametrize(("family", "tied"), [("gemma3", True), ("llama", False)])
def test_easyedit_finds_no_tied_unembedding(selection_of, subject_of, family, tied):
    subject = subject_of(family)
    assert ("lm_head.weight" not in subject.names) == tied
    written = export(selection_of(family), "easyedit", names=subject.names)
    said = "lm_head_module must name the embedding (here one of: model.embed_tokens)"
    assert any(said in note for note in written.notes) == tied


# steering


def test_repeng_negative_ids_count_from_the_end(subject_of):
    names = subject_of("gpt2").names
    assert repeng.selected([-1, -12], names) == ("transformer.h.11", "transformer.h.0")
    assert repeng.selected([1], subject_of("opt").names) == ()


def test_repeng_export_trains_directions_for_block_0_too(document_of):
    written = export(document_of(region=[0, 1]), "repeng")
    assert "BLOCKS = [0, 1]" in written.text
    assert "hidden_layers=BLOCKS" in written.text


def test_steering_vectors_counts_until_a_gap(subject_of):
    modules = ["a", "a.0", "a.1", "a.3"]
    assert steering_vectors.selected([1, 3], "a.{num}", modules) == ("a.1",)
    assert steering_vectors.selected([-1], "a.{num}", modules) == ("a.1",)


@pytest.mark.parametrize(
    ("start", "end", "blocks"),
    [(2, 3, {2, 3}), (0, 2, {1, 2}), (3, 0, {3, 4, 5}), (-1, -1, {1, 2, 3, 4, 5}), (4, 99, {4, 5})],
)
def test_llama_cpp_range_is_inclusive_and_never_holds_block_0(start, end, blocks):
    assert set(llama_cpp.selected(start, end, n_layers=6)) == blocks


@pytest.mark.parametrize(
    ("region", "said"),
    [([3], "3 3"), ([4, 5, 6], "4 6"), ([0, 1, 2], "1 2"), ([1, 4, 5, 9], "4 5"), ([0], None)],
)
def test_llama_cpp_has_one_run_without_block_0(document_of, region, said):
    written = export(document_of(region=region), "llama-cpp")
    contiguous = region == list(range(region[0], region[-1] + 1))
    assert written.expressible == (contiguous and region[0] > 0)
    if said is None:
        assert written.text == ""
        assert written.names == ()
    else:
        assert written.text.endswith(f"--control-vector-layer-range {said}\n")
        first, last = map(int, said.split())
        assert written.names == tuple(f"model.layers.{b}" for b in range(first, last + 1))


def test_no_dialect_confuses_block_1_with_10_and_11(document_of, subject_of):
    names = subject_of("llama").names
    for to, blocks in itertools.product(("open-unlearning", "wmdp", "peft", "axolotl"), (1, 11)):
        written = export(document_of(names=down(blocks), read_layer=11), to, names=names)
        assert set(written.names) == down(blocks), to
