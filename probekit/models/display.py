"""A subject as HTML: what it is, how large, and where its parts were found."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from probekit.models.subject import Subject


def subject_html(subject: Subject) -> str:
    """One line, then a table of what was loaded; paths are names of ``named_modules``."""
    rows = "".join(
        f'<tr><th scope="row" style="text-align:left">{escape(name)}</th>'
        f'<td style="text-align:left">{escape(value)}</td></tr>'
        for name, value in subject_rows(subject).items()
    )
    return f"<code>{escape(repr(subject))}</code><table>{rows}</table>"


def subject_rows(subject: Subject) -> dict[str, str]:
    """Name → words: the model, its sizes, its device and where norm and unembedding are."""
    a = subject.anatomy
    neurons = f"{a.neurons.width:,} a block" if a.neurons else f"none read: {a.no_neurons}"
    return {
        "model": " · ".join(
            filter(None, (subject.source, _named("revision", subject.revision), _adapter(subject)))
        ),
        "architecture": f"{a.architecture} ({a.stack}, found by {a.found_by})",
        "blocks": f"{a.n_blocks} ({a.blocks})",
        "width": f"{a.d_model:,}",
        "neurons": neurons,
        "vocabulary": f"{len(subject.tokenizer):,} tokens",
        "parameters": f"{subject.n_parameters:,}",
        "dtype": str(subject.dtype).removeprefix("torch."),
        "device": str(subject.device),
        "final norm": a.final_norm or "none",
        "unembedding": a.unembed or "none: no lens can read it",
    }


def _named(name: str, value: str | None) -> str:
    return f"{name} {value}" if value else ""


def _adapter(subject: Subject) -> str:
    return _named("adapter", subject.adapter)
