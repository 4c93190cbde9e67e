"""``probekit.load``: a hub id, a local folder, a GGUF file or the built-in model becomes a Subject.

Remote code never runs unless asked for by name. Nothing is downloaded for a local source.
"""

from __future__ import annotations

import os
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from probekit.errors import ModelError
from probekit.models.anatomy import Stack, find_anatomy
from probekit.models.builtin import builtin_folder, quiet_transformers
from probekit.models.subject import Subject

if TYPE_CHECKING:
    import torch

DType = Literal["auto", "float32", "bfloat16", "float16"]

BUILTIN = "builtin"

#: Endings of the architecture names that a checkpoint lists, and the auto classes tried for them:
#: "conditional generation" is an encoder-decoder, or a decoder that also sees images.
HEADS: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...] = (
    (("ForMaskedLM",), ("AutoModelForMaskedLM",)),
    (
        ("ForConditionalGeneration", "ForSeq2SeqLM"),
        ("AutoModelForSeq2SeqLM", "AutoModelForCausalLM"),
    ),
    (("ForCausalLM", "LMHeadModel", "LMHead"), ("AutoModelForCausalLM",)),
    (("EncoderModel",), ("AutoModelForTextEncoding",)),
)

#: Where a configuration does not say which head it was saved with.
USUAL = ("AutoModelForCausalLM", "AutoModelForMaskedLM", "AutoModelForSeq2SeqLM")

#: Parts that are absent from some checkpoints and that no measure here reads.
NOT_READ = ("pooler",)

HUB_TIMEOUT = 5.0
SOURCES = "Give a folder, a .gguf file, a hub id (owner/name), or 'builtin'."
ADAPTERS = "Give a folder or hub id written by peft's save_pretrained for this model."


def load(
    source: str | os.PathLike[str],
    revision: str | None = None,
    dtype: DType = "auto",
    *,
    device: str = "auto",
    adapter: str | os.PathLike[str] | None = None,
    stack: Stack | None = None,
    trust_remote_code: bool = False,
) -> Subject:
    """Load a model to study.

    Parameters
    ----------
    source
        ``builtin``, a hub id, a local folder, or a single ``.gguf`` file.
    revision
        Branch, tag or commit of a hub id.
    dtype
        ``auto``: the checkpoint's type on a GPU, float32 on a CPU.
    device
        ``auto``: the first GPU where there is one. Or any torch device.
    adapter
        Folder or hub id of a PEFT adapter, merged into the weights (extra ``peft``).
    stack
        ``encoder`` (default) or ``decoder`` of an encoder-decoder model.
    trust_remote_code
        Run Python code that comes with the model. Off unless asked for.

    Raises
    ------
    ModelError
        No such source; not a causal, masked or sequence-to-sequence model; unknown dtype or device.
    """
    target, kind = resolve_device(device), resolve_dtype_name(dtype)
    where, gguf = locate_source(str(source))
    options = _options(where, revision, gguf, trust=trust_remote_code)
    added = None if adapter is None else str(adapter)
    with quiet_transformers():
        model, tokenizer = _open(where, options, named=str(source), kind=kind, on=target)
        model = model if added is None else _merge_adapter(model, added)
    # the type was set while loading: casting here would also round what must stay in float32
    # (rotary frequencies, T5's output projections)
    model = model.to(device=target).eval().requires_grad_(requires_grad=False)
    anatomy = find_anatomy(model, stack=stack)
    return Subject(model, tokenizer, anatomy, str(source), revision=revision, adapter=added)


def open_without_weights(
    where: str, revision: str | None, *, gguf: str | None, named: str
) -> tuple[Any, Any]:
    """Configuration and tokenizer of a located source; code that comes with it never runs.

    Raises
    ------
    ModelError
        transformers cannot read them.
    """
    options = _options(where, revision, gguf, trust=False)
    return _config(where, options, named=named), _tokenizer(where, options, named=named)


def _options(where: str, revision: str | None, gguf: str | None, *, trust: bool) -> dict[str, Any]:
    """What every ``from_pretrained`` of a source is told."""
    options: dict[str, Any] = {"revision": revision, "trust_remote_code": trust}
    options["local_files_only"] = not _answers(where, revision)
    return options | ({"gguf_file": gguf} if gguf else {})


def _open(
    where: str, options: dict[str, Any], *, named: str, kind: str, on: torch.device
) -> tuple[Any, Any]:
    """Model and tokenizer of a located source."""
    config = _config(where, options, named=named)
    auto_class = choose_class(config, source=named)
    wanted = torch_dtype(kind, config=config, on=on)
    model = _weights(auto_class, where, {**options, "dtype": wanted}, named=named)
    return model, _tokenizer(where, options, named=named)


def resolve_device(device: str) -> torch.device:
    """Turn ``auto`` or a torch device string into a device."""
    import torch

    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        chosen = torch.device(device)
    except RuntimeError:
        chosen = None
    absent = chosen and chosen.type == "cuda" and (chosen.index or 0) >= torch.cuda.device_count()
    if chosen is None or absent:
        msg = (
            "device must be 'auto', 'cpu' or a GPU that is present. "
            f"Got {device!r} instead. Use 'auto' or 'cpu'."
        )
        raise ModelError(msg)
    return chosen


def resolve_dtype_name(dtype: str) -> str:
    """Check a dtype's name."""
    if dtype not in {"auto", "float32", "bfloat16", "float16"}:
        msg = f"dtype must be auto, float32, bfloat16 or float16. Got {dtype!r} instead."
        raise ModelError(msg)
    return dtype


def locate_source(source: str) -> tuple[str, str | None]:
    """Folder or hub id to load from, and the GGUF file's name when it is one.

    Raises
    ------
    ModelError
        A path that does not exist, or a folder without a configuration.
    """
    if source == BUILTIN:
        return str(builtin_folder()), None
    path = Path(source).expanduser()
    if source.lower().endswith(".gguf"):
        if not path.is_file():
            msg = f"model file {source!r} does not exist. Give the path of a .gguf file."
            raise ModelError(msg)
        return str(path.parent), path.name
    if path.is_dir():
        if not (path / "config.json").is_file():
            msg = (
                f"model folder {source!r} has no config.json. "
                "Give a folder written by save_pretrained, or the .gguf file itself."
            )
            raise ModelError(msg)
        return str(path), None
    looks_like_path = source.startswith((".", "/", "~")) or path.is_file() or source.count("/") != 1
    if looks_like_path:
        msg = f"model {source!r} does not exist. {SOURCES}"
        raise ModelError(msg)
    return source, None


def choose_class(config: Any, *, source: str) -> Any:
    """Choose the transformers auto class that loads this configuration's text model.

    Raises
    ------
    ModelError
        A classifier, an image or speech model, or anything else without a text stack to study.
    """
    import transformers

    names = list(getattr(config, "architectures", None) or [])
    tried = [
        auto for name in names for ends, autos in HEADS if name.endswith(ends) for auto in autos
    ]
    for auto in tried or ([] if names else USUAL):
        if _covers(auto, config):
            return getattr(transformers, auto)
    headless = bool(names) and all(name.endswith("Model") for name in names)
    if headless and any(_covers(auto, config) for auto in USUAL):
        return transformers.AutoModel  # a text encoder saved without its head
    # code that comes with a model names its own classes, allowed by trust_remote_code only
    remote = getattr(config, "auto_map", None) or {}
    for auto in USUAL:
        if auto in remote:
            return getattr(transformers, auto)
    kind = ", ".join(names) or config.model_type
    msg = (
        f"model {source!r} is a {kind}, which is not a causal, masked or sequence-to-sequence "
        "language model that transformers can load for text. Give one such as a ...ForCausalLM."
    )
    raise ModelError(msg)


def _covers(auto: str, config: Any) -> bool:
    import transformers

    return type(config) in getattr(transformers, auto)._model_mapping


def _config(where: str, options: dict[str, Any], *, named: str) -> Any:
    from transformers import AutoConfig

    try:
        return AutoConfig.from_pretrained(where, **options)
    except Exception as error:
        raise _cannot_load(named, error) from error


def _weights(auto_class: Any, where: str, options: dict[str, Any], *, named: str) -> Any:
    try:
        model, report = auto_class.from_pretrained(where, **options, output_loading_info=True)
    except Exception as error:
        raise _cannot_load(named, error) from error
    missing = sorted(k for k in report["missing_keys"] if not any(part in k for part in NOT_READ))
    if missing:
        msg = (
            f"model {named!r} lacks {len(missing)} tensors that {type(model).__name__} needs "
            f"(first: {missing[0]}); random values would stand in for them. Give a complete "
            "checkpoint, or one saved with the head it is to be studied with."
        )
        raise ModelError(msg)
    return model


def _tokenizer(where: str, options: dict[str, Any], *, named: str) -> Any:
    from transformers import AutoTokenizer

    try:
        return AutoTokenizer.from_pretrained(where, **options)
    except Exception as error:
        raise _cannot_load(named, error, what="tokenizer of model") from error


def _cannot_load(
    named: str, error: Exception, *, what: str = "model", hint: str = SOURCES
) -> ModelError:
    """One line about why transformers could not load a source."""
    if "trust_remote_code" in str(error):
        return ModelError(
            f"{what} {named!r} comes with Python code of its own, which probekit does not run. "
            "Read it, then pass trust_remote_code=True if you trust it."
        )
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    reason = (lines[0] if lines else type(error).__name__)[:240].rstrip(".:")
    return ModelError(f"{what} {named!r} cannot be loaded: {reason}. {hint}")


def _answers(where: str, revision: str | None, *, file: str = "config.json") -> bool:
    """Whether the hub answers for a hub id, asked once: its client would retry for half a minute.

    A refusal (no such repository, gated) is an answer; the load that follows reports it.
    """
    if Path(where).is_dir():
        return False
    from huggingface_hub import get_hf_file_metadata, hf_hub_url
    from huggingface_hub.errors import HfHubHTTPError

    try:
        get_hf_file_metadata(hf_hub_url(where, file, revision=revision), timeout=HUB_TIMEOUT)
    except HfHubHTTPError:
        return True
    except Exception:  # no network, a timeout, offline mode: what is in the cache can still be used
        return False
    return True


def torch_dtype(kind: str, *, config: Any, on: torch.device) -> torch.dtype:
    """The type that weights are loaded as; ``auto``: the checkpoint's on a GPU, else float32."""
    import torch

    if kind != "auto":
        return getattr(torch, kind)  # type: ignore[no-any-return]
    saved = getattr(config, "dtype", None)
    return saved if on.type != "cpu" and isinstance(saved, torch.dtype) else torch.float32


def _merge_adapter(model: Any, adapter: str) -> Any:
    try:
        from peft import PeftModel
    except ImportError:
        msg = (
            f"adapter {adapter!r} needs the package peft, which is not installed. "
            "Install it with: pip install 'probekit[peft]'"
        )
        raise ModelError(msg) from None
    try:
        with warnings.catch_warnings(record=True) as heard:
            warnings.simplefilter("always")
            adapted = PeftModel.from_pretrained(model, _adapter_folder(adapter))
        merged = adapted.merge_and_unload()
    except Exception as error:
        raise _cannot_load(adapter, error, what="adapter", hint=ADAPTERS) from error
    if any("missing adapter keys" in str(warning.message) for warning in heard):
        msg = (
            f"adapter {adapter!r} does not fit {type(model).__name__}: its tensors name other "
            f"modules. {ADAPTERS}"
        )
        raise ModelError(msg)
    return merged


def _adapter_folder(adapter: str) -> str:
    """Take a local folder as it is; a hub id through the hub, or from the cache if it is silent."""
    folder = Path(adapter).expanduser()
    if folder.is_dir() or adapter.startswith((".", "/", "~")):
        return str(folder)
    if _answers(adapter, None, file="adapter_config.json"):
        return adapter
    from huggingface_hub import snapshot_download

    return snapshot_download(adapter, local_files_only=True)
