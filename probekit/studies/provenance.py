"""What a run says about its model, its corpus, its tokens and the libraries that made it."""

from __future__ import annotations

from importlib import metadata
from typing import TYPE_CHECKING, Any

from probekit.corpora import language_info

if TYPE_CHECKING:
    from probekit.capture import TokenizedCorpus
    from probekit.corpora import ParallelCorpus
    from probekit.models import Subject
    from probekit.studies.study import Study

LIBRARIES = (
    "probekit",
    "torch",
    "transformers",
    "transformer-lens",
    "numpy",
    "scipy",
    "xarray",
    "zarr",
)


def model_card(subject: Subject) -> dict[str, Any]:
    """Identity and anatomy of a subject, with the size of every tensor."""
    anatomy = subject.anatomy
    return {
        "id": subject.source,
        "revision": subject.revision,
        "adapter": subject.adapter,
        "architecture": anatomy.architecture,
        "model_type": anatomy.model_type,
        "stack": anatomy.stack,
        "n_blocks": anatomy.n_blocks,
        "d_model": anatomy.d_model,
        "blocks": anatomy.blocks,
        "final_norm": anatomy.final_norm,
        "unembed": anatomy.unembed,
        "roles": dict(anatomy.roles),
        "dtype": str(subject.dtype).removeprefix("torch."),
        "device": subject.device.type,
        "state_sha256": subject.state_sha256,
        "n_parameters": subject.n_parameters,
        "parameters": {name: tensor.numel() for name, tensor in subject.model.named_parameters()},
    }


def corpus_card(study: Study, corpus: ParallelCorpus) -> dict[str, Any]:
    """Identity and shape of a corpus."""
    return {
        "source": study.corpus,
        "name": corpus.name,
        "sha256": corpus.sha256,
        "n_units": corpus.n_units,
        "languages": list(corpus.languages),
        "names": {code: language_info(code).name for code in corpus.languages},
        "labels": sorted(corpus.labels),
        "dropped": corpus.dropped.summary() if corpus.dropped else "",
    }


def token_card(corpus: ParallelCorpus, tokens: TokenizedCorpus) -> dict[str, Any]:
    """Token counts by language: fertility decides much of what token-level measures say."""
    codes = corpus.languages
    per_language = tokens.tokens_per_language()
    return {
        "total": tokens.n_tokens,
        "max_tokens": tokens.max_tokens,
        "per_unit": {
            code: round(float(per_language[i]) / tokens.n_units, 3) for i, code in enumerate(codes)
        },
        "truncated": {code: int(tokens.n_truncated[i]) for i, code in enumerate(codes)},
        "pooled_over_first_token": {code: int(tokens.n_single[i]) for i, code in enumerate(codes)},
    }


def versions() -> dict[str, str]:
    """Versions of probekit and of the libraries whose arithmetic it rests on."""
    return {name: metadata.version(name) for name in LIBRARIES}
