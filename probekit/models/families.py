"""What differs between model families, as data: name tables, never code that asks for a name."""

from __future__ import annotations

from typing import Any

#: (pre-activation, down projection) under a block, in the order they are tried by the fallback.
MLP_NAMES: tuple[tuple[str, str], ...] = (
    ("mlp.gate_proj", "mlp.down_proj"),
    ("feed_forward.w1", "feed_forward.w2"),
    ("intermediate.dense", "output.dense"),
    ("mlp.up_proj", "mlp.down_proj"),
    ("mlp.c_fc", "mlp.c_proj"),
    ("mlp.dense_h_to_4h", "mlp.dense_4h_to_h"),
    ("mlp.fc1", "mlp.fc2"),
    ("fc1", "fc2"),
    ("ffn.lin1", "ffn.lin2"),
    ("layer.1.DenseReluDense.wi_0", "layer.1.DenseReluDense.wo"),
    ("layer.1.DenseReluDense.wi", "layer.1.DenseReluDense.wo"),
    ("layer.2.DenseReluDense.wi_0", "layer.2.DenseReluDense.wo"),
    ("layer.2.DenseReluDense.wi", "layer.2.DenseReluDense.wo"),
)

ATTENTION_NAMES: tuple[tuple[str, str], ...] = (
    ("self_attn", "self_attn.o_proj"),
    ("self_attn", "self_attn.out_proj"),
    ("attention", "attention.output.dense"),
    ("attention", "attention.out_lin"),
    ("attention", "attention.dense"),
    ("self_attention", "self_attention.dense"),
    ("attn", "attn.c_proj"),
    ("attn", "attn.out_proj"),
    ("layer.0.SelfAttention", "layer.0.SelfAttention.o"),
)

NORM_NAMES: tuple[str, ...] = (
    "norm",
    "ln_f",
    "final_layer_norm",
    "final_layernorm",
    "layer_norm",
    "final_norm",
    "LayerNorm",
)

#: Masked-language heads: modules applied in order after the last block (and final norm, if any).
MASKED_HEADS: tuple[tuple[str, ...], ...] = (
    ("cls.predictions.transform", "cls.predictions.decoder"),
    ("cls.predictions",),
    ("generator_predictions", "generator_lm_head"),
    ("vocab_transform", "activation", "vocab_layer_norm", "vocab_projector"),
    ("head", "decoder"),
    ("lm_head",),
)

#: Families that scale the decoder's output by ``d_model ** -0.5`` because embeddings are tied.
SCALED_WHERE_TIED: frozenset[str] = frozenset({"umt5", "switch_transformers"})

#: Families that work out positions from the attention mask or the padding id themselves.
OWN_POSITIONS: frozenset[str] = frozenset(
    {
        "opt",
        "roberta",
        "xlm-roberta",
        "xlm-roberta-xl",
        "camembert",
        "mpnet",
        "xmod",
        "data2vec-text",
    }
)


def head_scales(config: Any) -> dict[str, Any]:
    """Factors between the unembedding's input, its output and the logits, from the configuration.

    Cohere multiplies (``logit_scale``), Granite divides (``logits_scaling``), Gemma 2 caps
    (``final_logit_softcapping``), T5 with tied embeddings scales the decoder's output by
    ``d_model ** -0.5``.
    """
    text = config.get_text_config()
    scale = float(getattr(text, "logit_scale", None) or 1.0) / float(
        getattr(text, "logits_scaling", None) or 1.0
    )
    tied = text.model_type in SCALED_WHERE_TIED and text.tie_word_embeddings
    scaled = getattr(text, "scale_decoder_outputs", False) or tied
    cap = getattr(text, "final_logit_softcapping", None)
    return {
        "logit_scale": scale,
        "pre_scale": float(text.d_model) ** -0.5 if scaled else 1.0,
        "softcap": float(cap) if cap else None,
    }
