"""Evidence with a planted truth, made directly from numpy; no measure is computed here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from probekit.selection import Evidence, ModelCard
from probekit.selection.columns import column_from_interval

N_PERMUTATIONS = 200
LANGUAGES = ("de", "en", "sw", "hi")
LEFT_OUT = tuple(
    f"{name}_{kind}"
    for name in ("align", "lrds", "lrds_centred")
    for kind in ("samples_left_out", "without")
)


def _arrays(align, lrds, lrds_centred, *, sd, n_resamples, n_languages, rng):
    """Resamples around point values: noise shared by all blocks plus noise of each block."""
    n_blocks = len(align)

    def around(values, n):
        return values[:, None] + rng.normal(0, sd, (1, n)) + rng.normal(0, sd, (n_blocks, n))

    columns = {"align": align, "lrds": lrds, "lrds_centred": lrds_centred}
    arrays = {}
    for name, values in columns.items():
        samples = around(values, n_resamples)
        arrays |= {
            name: values,
            f"{name}_low": np.percentile(samples, 2.5, axis=1),
            f"{name}_high": np.percentile(samples, 97.5, axis=1),
            f"{name}_samples": samples,
            f"{name}_samples_left_out": around(values, n_resamples),
            f"{name}_without": around(values, n_languages),
        }
    return arrays


def make_evidence(align, lrds, lrds_centred, **options) -> Evidence:
    """Evidence around the given point values; ``options`` replace any array by name."""
    align, lrds, lrds_centred = (np.asarray(v, dtype=float) for v in (align, lrds, lrds_centred))
    seed, sd = options.pop("seed", 0), options.pop("sd", 0.01)
    languages = options.pop("languages", LANGUAGES)
    n_blocks = len(align)
    arrays = _arrays(
        align,
        lrds,
        lrds_centred,
        sd=sd,
        n_resamples=options.pop("n_resamples", 60),
        n_languages=len(languages),
        rng=np.random.default_rng(seed),
    )
    sads = np.full(n_blocks, 0.2)
    for name, values in {"sads": sads, "ratio": lrds / sads}.items():
        arrays |= {name: values, f"{name}_low": values - sd, f"{name}_high": values + sd}
    arrays |= {
        "align_null95": np.full(n_blocks, 0.05),
        "align_p": np.full(n_blocks, 1 / (1 + N_PERMUTATIONS)),
        "activation_norm_median": np.linspace(1.0, 9.0, n_blocks),
    }
    if len(languages) == 2:
        arrays |= dict.fromkeys(LEFT_OUT)
    return Evidence(
        layers=tuple(range(n_blocks)),
        n_blocks=n_blocks,
        languages=languages,
        n_units=80,
        seed=seed,
        **(arrays | options),
    )


def make_planted(region=range(5, 10), n_blocks=12, **options) -> Evidence:
    """High Align and low LRDS in the region, its CKA peak in its middle; noise over blocks."""
    rng = np.random.default_rng(options.get("seed", 0) + 1000)
    inside = np.isin(np.arange(n_blocks), list(region))
    middle = sorted(region)[len(list(region)) // 2]
    noise = rng.normal(0, 0.005, (3, n_blocks))
    align = np.where(inside, 0.7, 0.1) + noise[0]
    align[middle] += 0.05
    return make_evidence(
        align,
        np.where(inside, 0.1, 0.6) + noise[1],
        np.where(inside, 0.05, 0.4) + noise[2],
        **options,
    )


def with_columns(evidence: Evidence, region=range(5, 10), **replaced) -> Evidence:
    """The evidence with what ``probe`` and ``lens`` read, planted in the region."""
    n, n_languages = evidence.n_blocks, len(evidence.languages)
    inside = np.isin(np.arange(n), list(region))
    before = np.arange(n) < min(region)
    values = {
        "probes.transfer_all": np.where(inside, 0.8, 0.5) + 0.02 * (np.arange(n) == 6),
        "probes.majority_all": np.full(n, 0.4),
        "probes.control_all": np.full(n, 0.38),
        "lens.own_mass_mean": np.where(inside | before, 0.02, 0.4),
        "lens.own_mass_mean_chance": np.full(n, 0.01),
        "lens.agreement_mean": np.where(inside | before, 0.01, 0.5),
        "lens.kl_mean": np.where(before, 30.0, np.where(inside, 8.0, 2.0)),
        "lens.kl_uniform": np.full(n, 12.0),
    } | replaced
    columns = {
        name: column_from_interval(
            name,
            value,
            (value - 0.01, value + 0.01),
            n_resamples=evidence.n_resamples,
            seed=evidence.seed,
            without=np.repeat(value[:, None], n_languages, axis=1) if n_languages > 2 else None,
        )
        for name, value in values.items()
    }
    return replace(evidence, columns=columns)


@pytest.fixture
def planted_columns() -> Callable[..., Evidence]:
    return lambda **replaced: with_columns(make_planted(), **replaced)


@pytest.fixture
def evidence_of() -> Callable[..., Evidence]:
    return make_evidence


@pytest.fixture
def planted() -> Callable[..., Evidence]:
    return make_planted


DIALECTS = {
    "llama": (
        "model.layers",
        {"mlp_out": "mlp.down_proj", "attn_out": "self_attn.o_proj"},
        ("mlp.down_proj.weight", "mlp.up_proj.weight", "self_attn.o_proj.weight"),
    ),
    "gpt2": (
        "transformer.h",
        {"mlp_out": "mlp.c_proj", "attn_out": "attn.c_proj"},
        ("mlp.c_proj.weight", "mlp.c_proj.bias", "attn.c_proj.weight", "attn.c_proj.bias"),
    ),
    "gpt_neox": (
        "gpt_neox.layers",
        {"mlp_out": "mlp.dense_4h_to_h", "attn_out": "attention.dense"},
        ("mlp.dense_4h_to_h.weight", "mlp.dense_4h_to_h.bias", "attention.dense.weight"),
    ),
    "fused_experts": (
        "model.layers",
        {"mlp_out": "mlp.experts.down_proj"},
        ("mlp.experts.down_proj", "mlp.experts.gate_up_proj", "mlp.router.weight"),
    ),
}


def make_card(dialect="llama", n_layers=12, **options) -> ModelCard:
    path, roles, tails = DIALECTS[dialect]
    names = [f"{path}.{block}.{tail}" for block in range(n_layers) for tail in tails]
    parameters = {"embed.weight": 1000, **{name: 10 + i for i, name in enumerate(names)}}
    defaults = {
        "id": f"tiny/{dialect}",
        "model_type": dialect,
        "n_layers": n_layers,
        "layers_path": path,
        "roles": roles,
        "parameters": parameters,
    }
    return ModelCard(**(defaults | options))


@pytest.fixture
def card_of() -> Callable[..., ModelCard]:
    return make_card
