"""Tiny random subjects of many families, built from configurations: no network, milliseconds each.

Weights are larger than a fresh initialisation and norms are random, so that layers really differ
and a capture on the wrong side of a norm is visible.
"""

from __future__ import annotations

import os
import warnings
from pathlib import Path
from typing import Any, Literal

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import torch
import transformers
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors

from probekit.models.anatomy import find_anatomy
from probekit.models.builtin import quiet_transformers
from probekit.models.subject import Subject

VOCABULARY = 264
N_BLOCKS = 3
D_MODEL = 32
D_MLP = 48
MAX_TOKENS = 256

_SPECIAL = {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
_SHAPE: dict[str, Any] = {
    "vocab_size": VOCABULARY,
    "hidden_size": D_MODEL,
    "intermediate_size": D_MLP,
    "num_hidden_layers": N_BLOCKS,
    "num_attention_heads": 4,
    "max_position_embeddings": MAX_TOKENS,
    **_SPECIAL,
}
_GROUPED = {**_SHAPE, "num_key_value_heads": 2}
_GEMMA = {**_GROUPED, "head_dim": 8, "query_pre_attn_scalar": 8}
_OPT = {
    "vocab_size": VOCABULARY,
    "hidden_size": D_MODEL,
    "ffn_dim": D_MLP,
    "num_hidden_layers": N_BLOCKS,
    "num_attention_heads": 4,
    "max_position_embeddings": MAX_TOKENS,
    **_SPECIAL,
}
_T5 = {
    "vocab_size": VOCABULARY,
    "d_model": D_MODEL,
    "d_ff": D_MLP,
    "d_kv": 8,
    "num_layers": N_BLOCKS,
    "num_heads": 4,
    "decoder_start_token_id": 0,
    "pad_token_id": 0,
    "eos_token_id": 2,
}

#: family: (configuration class, its arguments)
FAMILIES: dict[str, tuple[str, dict[str, Any]]] = {
    "llama": ("LlamaConfig", _GROUPED),
    "mistral": ("MistralConfig", _GROUPED),
    "qwen2": ("Qwen2Config", _GROUPED),
    "qwen3": ("Qwen3Config", {**_GROUPED, "head_dim": 8}),
    "gemma2": ("Gemma2Config", _GEMMA),
    "gemma3": ("Gemma3TextConfig", {**_GEMMA, "sliding_window": MAX_TOKENS}),
    "phi3": ("Phi3Config", _GROUPED),
    "olmo2": ("Olmo2Config", _GROUPED),
    "falcon": (
        "FalconConfig",
        {
            "vocab_size": VOCABULARY,
            "hidden_size": D_MODEL,
            "num_hidden_layers": N_BLOCKS,
            "num_attention_heads": 4,
            **_SPECIAL,
        },
    ),
    "bloom": (
        "BloomConfig",
        {
            "vocab_size": VOCABULARY,
            "hidden_size": D_MODEL,
            "n_layer": N_BLOCKS,
            "n_head": 4,
            **_SPECIAL,
        },
    ),
    "gpt2": (
        "GPT2Config",
        {
            "vocab_size": VOCABULARY,
            "n_embd": D_MODEL,
            "n_inner": D_MLP,
            "n_layer": N_BLOCKS,
            "n_head": 4,
            "n_positions": MAX_TOKENS,
            **_SPECIAL,
        },
    ),
    "gpt_neox": ("GPTNeoXConfig", _SHAPE),
    "opt": ("OPTConfig", {**_OPT, "word_embed_proj_dim": D_MODEL}),
    "opt-post-norm": (
        "OPTConfig",
        {**_OPT, "word_embed_proj_dim": D_MODEL, "do_layer_norm_before": False},
    ),
    "opt-projected": (
        "OPTConfig",
        {**_OPT, "word_embed_proj_dim": D_MODEL // 2, "do_layer_norm_before": False},
    ),
    "xglm": (
        "XGLMConfig",
        {
            "vocab_size": VOCABULARY,
            "d_model": D_MODEL,
            "ffn_dim": D_MLP,
            "num_layers": N_BLOCKS,
            "attention_heads": 4,
            "max_position_embeddings": MAX_TOKENS,
            **_SPECIAL,
        },
    ),
    "mixtral": ("MixtralConfig", {**_GROUPED, "num_local_experts": 4}),
    "bert": ("BertConfig", _SHAPE),
    "xlm-roberta": ("XLMRobertaConfig", {**_SHAPE, "max_position_embeddings": MAX_TOKENS + 2}),
    "roberta": ("RobertaConfig", {**_SHAPE, "max_position_embeddings": MAX_TOKENS + 2}),
    "electra": ("ElectraConfig", {**_SHAPE, "embedding_size": D_MODEL // 2}),
    "distilbert": (
        "DistilBertConfig",
        {
            "vocab_size": VOCABULARY,
            "dim": D_MODEL,
            "hidden_dim": D_MLP,
            "n_layers": N_BLOCKS,
            "n_heads": 4,
            "max_position_embeddings": MAX_TOKENS,
            "pad_token_id": 0,
        },
    ),
    "t5": ("T5Config", _T5),
    "mt5": ("MT5Config", _T5),
    "umt5": ("UMT5Config", _T5),
    "cohere": ("CohereConfig", {**_GROUPED, "logit_scale": 0.25}),
    "granite": ("GraniteConfig", {**_GROUPED, "logits_scaling": 4.0, "residual_multiplier": 0.5}),
}

ENCODER_DECODERS = ("t5", "mt5", "umt5")
MASKED = ("bert", "xlm-roberta", "roberta", "electra", "distilbert")
CAUSAL = tuple(name for name in FAMILIES if name not in (*ENCODER_DECODERS, *MASKED))


def tiny_config(family: str, **overrides: Any) -> Any:
    """The configuration of a family, with some values replaced."""
    name, arguments = FAMILIES[family]
    return getattr(transformers, name)(**{**arguments, **overrides})


def tiny_model(family: str, seed: int = 0, **overrides: Any) -> Any:
    """A model with random weights; the same seed gives the same bytes."""
    auto = "AutoModelForCausalLM"
    if family in ENCODER_DECODERS:
        auto = "AutoModelForSeq2SeqLM"
    elif family in MASKED:
        auto = "AutoModelForMaskedLM"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # transformers' advice about configurations
        model = getattr(transformers, auto).from_config(tiny_config(family, **overrides))
    return scramble(model, seed=seed)


def scramble(model: Any, *, seed: int) -> Any:
    """Give every parameter a random value: matrices of deviation 0.3, norms near their own."""
    generator = torch.Generator().manual_seed(seed)
    norms = {
        name for name, module in model.named_modules() if "norm" in type(module).__name__.lower()
    }
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            owner = name.rpartition(".")[0]
            if owner in norms:
                parameter.add_(0.3 * noise)
            elif name.endswith("Attention.q.weight"):  # T5 does not divide its scores by √d
                parameter.copy_(0.1 * noise)
            else:
                parameter.copy_((0.3 if parameter.ndim > 1 else 0.1) * noise)
    return model.eval().requires_grad_(requires_grad=False)


def tiny_tokenizer(*, bos: bool = False) -> Any:
    """A byte-level tokenizer that spells any script; ``bos`` puts ``<s>`` before every text."""
    specials = ["<pad>", "<s>", "</s>", "<unk>", "<mask>"]
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {token: number for number, token in enumerate([*specials, *alphabet])}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.decoder = decoders.ByteLevel()
    if bos:
        tokenizer.post_processor = processors.TemplateProcessing(
            single="<s> $A", special_tokens=[("<s>", 1)]
        )
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="<pad>",
        bos_token="<s>",
        eos_token="</s>",
        unk_token="<unk>",
        mask_token="<mask>",
    )


def tiny_subject(
    family: str = "llama",
    seed: int = 0,
    stack: Literal["encoder", "decoder"] | None = None,
    *,
    bos: bool = False,
    **overrides: Any,
) -> Subject:
    """A subject of that family: three blocks, width 32, a byte-level tokenizer."""
    model = tiny_model(family, seed, **overrides)
    return subject_of(model, source=f"tiny-{family}", stack=stack, bos=bos)


def subject_of(
    model: Any,
    *,
    source: str = "tiny",
    stack: Literal["encoder", "decoder"] | None = None,
    bos: bool = False,
) -> Subject:
    """A subject around a model that a test has built or broken."""
    return Subject(
        model=model,
        tokenizer=tiny_tokenizer(bos=bos),
        anatomy=find_anatomy(model, stack=stack),
        source=source,
    )


def save_tiny(family: str, folder: str | os.PathLike[str], seed: int = 0, **overrides: Any) -> Path:
    """Write a tiny model and its tokenizer as ``save_pretrained`` does; returns the folder."""
    target = Path(folder)
    with quiet_transformers():
        tiny_model(family, seed, **overrides).save_pretrained(target)
        tiny_tokenizer().save_pretrained(target)
    return target
