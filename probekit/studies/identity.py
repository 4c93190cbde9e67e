"""What makes two runs the same run, and whether a folder holds this one.

The identity is a flat dictionary of everything that decides the numbers: hashes of weights, texts
and token ids, and every setting. It is written before the first shard, so a folder always says
whose it is; what concerns the pass alone is the fingerprint of its shards.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from probekit.capture.shards import storage_errors, write_atomically
from probekit.errors import StudyError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from probekit.capture import Observer, PassSettings, TokenizedCorpus
    from probekit.instruments import Instrument
    from probekit.models import Subject
    from probekit.studies.study import Study

NAME = "identity.json"

#: Study fields that change results but not what a shard holds.
ANALYSIS_FIELDS = ("after", "bootstrap", "permutations", "seed", "keep_pooled")


def pass_identity(
    subject: Subject,
    tokens: TokenizedCorpus,
    *,
    study: Study,
    settings: PassSettings,
    observers: Sequence[Observer],
) -> dict[str, Any]:
    """Everything that decides the bytes of a shard."""
    return {
        "weights": subject.state_sha256,
        "stack": subject.anatomy.stack,
        "dtype": str(subject.dtype).removeprefix("torch."),
        "device": subject.device.type,
        "backend": study.backend,
        "tokens": tokens_sha256(tokens),
        "max_tokens": tokens.max_tokens,
        "keep_first_token": study.keep_first_token,
        "token_budget": settings.token_budget,
        "units_per_shard": settings.units_per_shard,
        "padding_side": settings.padding_side,
        "observers": {observer.name: observer.settings() for observer in observers},
    }


def study_identity(
    study: Study,
    corpus_sha256: str,
    passed: dict[str, Any],
    *,
    instruments: Sequence[Instrument],
) -> dict[str, Any]:
    """Everything that decides a run's results."""
    fields = study.model_dump(mode="json")
    return {
        **passed,
        "corpus": corpus_sha256,
        "analyses": {
            instrument.name: instrument.options.model_dump(mode="json")
            for instrument in instruments
        },
        **{name: fields[name] for name in ANALYSIS_FIELDS},
    }


def fingerprint(identity: dict[str, Any]) -> str:
    """SHA-256 of an identity."""
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()


def tokens_sha256(tokens: TokenizedCorpus) -> str:
    """SHA-256 over the ids and content positions of every text."""
    digest = hashlib.sha256()
    for text in tokens.texts:
        digest.update(f"{text.unit},{text.language}:{text.ids}|{text.content}\n".encode())
    return digest.hexdigest()


def check_folder(folder: Path, identity: dict[str, Any]) -> None:
    """See that a folder is free, or holds this very run.

    Raises
    ------
    StudyError
        Another study's run (says what differs), or files that are not probekit's.
    """
    with storage_errors(folder):
        if not folder.exists():
            return
    if not folder.is_dir():
        msg = f"output {str(folder)!r} is a file. Give a folder with --output."
        raise StudyError(msg)
    path = folder / NAME
    if not path.is_file():
        others = sorted(p.name for p in folder.iterdir() if not p.name.endswith(".partial"))
        if others:
            msg = (
                f"output {str(folder)!r} holds other files ({', '.join(others[:3])}). Give "
                "a new folder with --output."
            )
            raise StudyError(msg)
        return
    try:
        found = dict(json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, TypeError):
        msg = f"output {str(folder)!r} has a damaged {NAME}. Give a new folder with --output."
        raise StudyError(msg) from None
    differs = [name for name in identity if found.get(name) != identity[name]]
    if differs:
        said = "; ".join(
            f"{name}: {_short(found.get(name))} there, {_short(identity[name])} here"
            for name in differs
        )
        msg = (
            f"output {str(folder)!r} holds another study's run ({said}). Give a new folder "
            "with --output, or change the study back."
        )
        raise StudyError(msg)


def claim_folder(folder: Path, identity: dict[str, Any], study_yaml: str) -> None:
    """Write whose run this folder holds."""
    with storage_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        content = json.dumps(identity, indent=1, sort_keys=True) + "\n"
        write_atomically(folder / NAME, content.encode())
        write_atomically(folder / "study.yaml", study_yaml.encode())


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 40 else text[:14] + "…" + text[-4:]
