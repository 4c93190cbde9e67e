"""Every kind of source loads as saved, or is refused in one line that says what to do."""

from __future__ import annotations

import json
import sys
import warnings

import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file

from probekit.errors import ModelError
from probekit.models import load, loading
from probekit.models.backends import open_backend
from probekit.models.inputs import pad_batch
from probekit.sites import Site
from tests.tiny import (
    FAMILIES,
    save_tiny,
    scramble,
    tiny_config,
    tiny_model,
    tiny_tokenizer,
)

IDS = [[5, 6, 7, 8, 9], [40, 41]]


def refused(source, match, **options):
    with pytest.raises(ModelError, match=match) as error:
        load(source, **options)
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.fixture(scope="module")
def llama(tmp_path_factory):
    return save_tiny("llama", tmp_path_factory.mktemp("llama"))


def write_config(folder, **values):
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text(json.dumps(values), encoding="utf-8")
    return folder


@pytest.mark.parametrize("family", ["llama", "gemma3", "bert", "mt5"])
def test_a_saved_folder_loads_as_it_was_saved(family, tmp_path):
    subject = load(save_tiny(family, tmp_path))
    saved = tiny_model(family)
    assert type(subject.model) is type(saved)
    for name, value in saved.state_dict().items():
        assert torch.equal(subject.model.state_dict()[name], value), name
    assert subject.source == str(tmp_path)
    assert not subject.model.training
    assert not any(parameter.requires_grad for parameter in subject.model.parameters())
    assert subject.tokenizer.decode(subject.tokenizer("héllo 世界")["input_ids"]) == "héllo 世界"


def test_a_stack_can_be_chosen(tmp_path):
    folder = save_tiny("t5", tmp_path)
    assert load(folder).anatomy.stack == "encoder"
    assert load(folder, stack="decoder").anatomy.blocks == "decoder.block"


def test_a_path_may_be_a_string_or_a_path(llama):
    assert load(str(llama)).state_sha256 == load(llama).state_sha256


def test_auto_is_float32_on_a_cpu_whatever_was_saved(tmp_path):
    tiny_model("llama").to(torch.bfloat16).save_pretrained(tmp_path)
    tiny_tokenizer().save_pretrained(tmp_path)
    assert load(tmp_path, device="cpu").dtype == torch.float32
    assert load(tmp_path, dtype="bfloat16", device="cpu").dtype == torch.bfloat16


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
def test_half_precision_leaves_rotary_frequencies_whole(llama, dtype):
    subject = load(llama, dtype=dtype)
    assert subject.dtype == getattr(torch, dtype)
    assert subject.model.model.rotary_emb.inv_freq.dtype == torch.float32


def test_the_saved_type_is_taken_on_an_accelerator():
    saved = tiny_config("llama", dtype=torch.bfloat16)
    gpu, cpu = torch.device("cuda"), torch.device("cpu")
    assert loading.torch_dtype("auto", config=saved, on=gpu) == torch.bfloat16
    assert loading.torch_dtype("auto", config=saved, on=cpu) == torch.float32
    assert loading.torch_dtype("float16", config=saved, on=gpu) == torch.float16


@pytest.mark.parametrize("device", ["moon", "cuda:99:1", "cuda:99"])
def test_unknown_devices_are_refused(llama, device):
    refused(llama, "device must be 'auto', 'cpu' or a GPU", device=device)


def test_unknown_dtypes_are_refused(llama):
    refused(llama, "dtype must be auto, float32, bfloat16 or float16", dtype="int4")


@pytest.mark.parametrize(
    ("source", "match"),
    [
        ("/nowhere/at/all", "does not exist"),
        ("./nowhere", "does not exist"),
        ("nowhere", "does not exist"),
        ("~/nowhere.gguf", "model file '~/nowhere.gguf' does not exist"),
    ],
)
def test_paths_that_do_not_exist_are_refused(source, match):
    refused(source, match)


def test_a_folder_without_a_configuration_is_refused(tmp_path):
    refused(tmp_path, r"has no config\.json")


def test_a_hub_id_without_a_network_is_refused_in_one_line(monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    refused("nobody/nothing", r"model 'nobody/nothing' cannot be loaded: .*Give a folder")


def test_the_hub_is_asked_once_and_not_retried(monkeypatch):
    asked = []

    def silent(url, timeout):
        asked.append((url, timeout))
        msg = "no network"
        raise ConnectionError(msg)

    monkeypatch.setattr("huggingface_hub.get_hf_file_metadata", silent)
    refused("nobody/nothing", "cannot be loaded")
    ((url, timeout),) = asked
    assert url.endswith("nobody/nothing/resolve/main/config.json")
    assert timeout <= 10


def test_a_refusal_is_an_answer_of_the_hub(monkeypatch):
    import httpx
    from huggingface_hub.errors import HfHubHTTPError

    def gated(_url, **_options):
        response = httpx.Response(403, request=httpx.Request("HEAD", "https://hub"))
        msg = "gated"
        raise HfHubHTTPError(msg, response=response)

    monkeypatch.setattr("huggingface_hub.get_hf_file_metadata", gated)
    assert loading._answers("somebody/gated", None)
    monkeypatch.setattr("huggingface_hub.get_hf_file_metadata", lambda *_, **__: None)
    assert loading._answers("somebody/open", "main")


def test_a_local_folder_never_asks_the_hub(llama, monkeypatch):
    def asked(*_args, **_options):
        msg = "the hub was asked"
        raise AssertionError(msg)

    monkeypatch.setattr("huggingface_hub.get_hf_file_metadata", asked)
    assert load(llama).anatomy.n_blocks == 3


@pytest.mark.parametrize(
    ("model_type", "architecture"),
    [
        ("vit", "ViTForImageClassification"),
        ("vit", "ViTModel"),
        ("bert", "BertForSequenceClassification"),
        ("whisper", "WhisperForAudioClassification"),
    ],
)
def test_models_without_text_to_decode_are_refused(model_type, architecture, tmp_path):
    write_config(tmp_path, model_type=model_type, architectures=[architecture])
    refused(tmp_path, f"is a {architecture}, which is not a causal, masked or sequence")


def test_code_that_comes_with_a_model_does_not_run(tmp_path):
    mark = tmp_path / "was-run"
    write_config(
        tmp_path,
        model_type="odd",
        architectures=["OddForCausalLM"],
        auto_map={"AutoConfig": "odd.OddConfig", "AutoModelForCausalLM": "odd.OddForCausalLM"},
    )
    code = f"from pathlib import Path\nPath({str(mark)!r}).touch()\nclass OddConfig: pass\n"
    (tmp_path / "odd.py").write_text(code, encoding="utf-8")
    refused(tmp_path, "trust_remote_code")
    assert not mark.exists()


def test_unknown_model_types_are_refused(tmp_path):
    write_config(tmp_path, model_type="never-heard-of", architectures=["XForCausalLM"])
    refused(tmp_path, "cannot be loaded")


def test_a_folder_without_weights_is_refused(tmp_path):
    tiny_config("llama").save_pretrained(tmp_path)
    refused(tmp_path, "cannot be loaded")


def test_a_folder_without_a_tokenizer_is_refused(tmp_path):
    tiny_model("llama").save_pretrained(tmp_path)
    refused(tmp_path, "tokenizer of model .* cannot be loaded")


def test_missing_tensors_are_refused_not_made_up(tmp_path):
    folder = save_tiny("llama", tmp_path)
    weights = load_file(folder / "model.safetensors")
    del weights["model.layers.1.mlp.up_proj.weight"]
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    refused(folder, r"lacks 1 tensors .*model\.layers\.1\.mlp\.up_proj\.weight")


def test_a_text_encoder_without_a_head_loads_and_refuses_to_decode(tmp_path):
    model = scramble(transformers.BertModel(tiny_config("bert"), add_pooling_layer=False), seed=0)
    model.save_pretrained(tmp_path)
    tiny_tokenizer().save_pretrained(tmp_path)
    subject = load(tmp_path)
    assert type(subject.model) is transformers.BertModel
    assert (subject.anatomy.n_blocks, subject.anatomy.head) == (3, ())
    with pytest.raises(ModelError, match="no unembedding"):
        subject.logits(torch.zeros(1, 32))
    inputs, last = pad_batch(subject, IDS), []
    run = open_backend("hooks", subject).run
    run(inputs, [Site(2, "resid_post")], lambda _, hidden: last.append(hidden))
    torch.testing.assert_close(last[0], subject.forward(inputs).last_hidden_state)


def test_an_encoder_half_loads_as_an_encoder(tmp_path):
    scramble(transformers.T5EncoderModel(tiny_config("t5")), seed=0).save_pretrained(tmp_path)
    tiny_tokenizer().save_pretrained(tmp_path)
    subject = load(tmp_path)
    assert type(subject.model) is transformers.T5EncoderModel
    inputs, states = pad_batch(subject, IDS), []
    assert "decoder_input_ids" not in inputs
    run = open_backend("hooks", subject).run
    run(inputs, [Site(1, "resid_post")], lambda _, hidden: states.append(hidden))
    plain = subject.model(**inputs, output_hidden_states=True).hidden_states[2]
    torch.testing.assert_close(states[0], plain)


def test_a_decoder_that_also_sees_images_is_read_as_text():
    config = transformers.Gemma3Config(text_config=tiny_config("gemma3").to_dict())
    config.architectures = ["Gemma3ForConditionalGeneration"]
    assert loading.choose_class(config, source="x") is transformers.AutoModelForCausalLM


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_has_a_class_without_being_told_one(family):
    config = tiny_config(family)
    config.architectures = None
    assert loading._covers(loading.choose_class(config, source="x").__name__, config)


@pytest.fixture(scope="module")
def adapter(tmp_path_factory):
    peft = pytest.importorskip("peft")
    folder = tmp_path_factory.mktemp("adapter")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # peft's advice about saving
        settings = peft.LoraConfig(
            r=2, lora_alpha=6, target_modules=["q_proj"], init_lora_weights=False
        )
        torch.manual_seed(0)
        adapted = peft.get_peft_model(tiny_model("llama"), settings)
        adapted.save_pretrained(folder)
    return folder


def test_an_adapter_is_merged_as_base_plus_scaled_low_rank_product(llama, adapter):
    subject = load(llama, adapter=adapter)
    parts = load_file(adapter / "adapter_model.safetensors")
    base = tiny_model("llama").state_dict()
    for layer in range(3):
        stem = f"model.layers.{layer}.self_attn.q_proj"
        a, b = (parts[f"base_model.model.{stem}.lora_{x}.weight"] for x in "AB")
        merged = subject.model.get_submodule(stem).weight
        torch.testing.assert_close(merged, base[f"{stem}.weight"] + 3.0 * b @ a)
        assert (merged - base[f"{stem}.weight"]).abs().max() > 0.01
    assert subject.adapter == str(adapter)
    assert set(subject.model.state_dict()) == set(base)
    assert subject.state_sha256 != load(llama).state_sha256


def test_an_adapter_of_another_model_is_refused(adapter, tmp_path):
    message = refused(save_tiny("gpt2", tmp_path), "adapter .* cannot be loaded", adapter=adapter)
    assert "peft" in message


def test_an_adapter_whose_tensors_name_nothing_is_refused(llama, adapter, tmp_path):
    settings = (adapter / "adapter_config.json").read_text(encoding="utf-8")
    (tmp_path / "adapter_config.json").write_text(settings, encoding="utf-8")
    parts = load_file(adapter / "adapter_model.safetensors")
    renamed = {name.replace("layers", "levels"): value for name, value in parts.items()}
    save_file(renamed, tmp_path / "adapter_model.safetensors")
    refused(llama, "does not fit LlamaForCausalLM", adapter=tmp_path)


def test_a_missing_adapter_is_refused(llama, monkeypatch):
    refused(llama, "adapter '/nowhere' cannot be loaded", adapter="/nowhere")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    refused(llama, "adapter 'nobody/nothing' cannot be loaded", adapter="nobody/nothing")


def test_adapters_without_peft_name_the_extra(llama, monkeypatch):
    monkeypatch.setitem(sys.modules, "peft", None)
    refused(llama, r"pip install 'probekit\[peft\]'", adapter="somewhere")


def test_a_gguf_file_loads_as_its_tensors(tmp_path, capfd):
    model = tiny_model("qwen2")
    path = write_gguf(model, tmp_path / "tiny.gguf")
    subject = load(path)
    assert type(subject.model) is type(model)
    for name, value in model.state_dict().items():
        torch.testing.assert_close(subject.model.state_dict()[name], value, msg=name)
    inputs = pad_batch(subject, IDS)
    torch.testing.assert_close(subject.forward(inputs).logits, model(**inputs).logits)
    assert subject.tokenizer.decode(subject.tokenizer("abc")["input_ids"]) == "abc"
    assert capfd.readouterr() == ("", "")


def test_a_broken_gguf_file_is_refused(tmp_path):
    path = tmp_path / "broken.gguf"
    path.write_bytes(b"GGUF" + bytes(64))
    refused(path, "cannot be loaded")


GGUF_NAMES = {
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
    "model.layers": "blk",
    "model.embed_tokens": "token_embd",
    "model.norm": "output_norm",
    "lm_head": "output",
}


def write_gguf(model, path):
    """Write a Qwen2 as llama.cpp would, in float32."""
    import gguf

    config = model.config
    writer = gguf.GGUFWriter(path, "qwen2")
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_rope_freq_base(config.rope_parameters["rope_theta"])
    writer.add_vocab_size(config.vocab_size)
    vocabulary = tiny_tokenizer().get_vocab()
    tokens = sorted(vocabulary, key=vocabulary.__getitem__)
    tokens += ["ab", *(f"<unused{n}>" for n in range(config.vocab_size - len(tokens) - 1))]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("qwen2")
    writer.add_token_list(tokens)
    writer.add_token_types([gguf.TokenType.NORMAL] * len(tokens))
    writer.add_token_merges(["a b"])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    for name, value in model.state_dict().items():
        renamed = name
        for ours, theirs in GGUF_NAMES.items():
            renamed = renamed.replace(ours, theirs)
        writer.add_tensor(renamed, value.numpy())
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path
