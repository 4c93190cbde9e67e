"""Is this the model that a selection was made for? Names first, weights after.

Names come from a model built on the meta device from its configuration: no weight is read. The
hash of the weights costs loading them once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast, get_args

from probekit.errors import ModelError, RuleError
from probekit.selection.exporters.target import split_name

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

_REMEDY = "Give the model that the selection was made for, or select again on this one."


def read_tensors(source: str | os.PathLike[str], *, revision: str | None = None) -> dict[str, int]:
    """Name → number of elements of every tensor of a model, in the model's own order.

    Raises
    ------
    ModelError
        No such source, or not a model for text.
    """
    from probekit.models.builtin import quiet_transformers
    from probekit.models.loading import choose_class, locate_source

    where, gguf = locate_source(str(source))
    options: dict[str, Any] = {"revision": revision} | ({"gguf_file": gguf} if gguf else {})
    with quiet_transformers():
        config = _configuration(where, options, named=str(source))
        model = _on_meta(choose_class(config, source=str(source)), config)
    if model is None:
        from probekit.models import load

        model = load(source, revision=revision, device="cpu").model
    return {name: tensor.numel() for name, tensor in model.named_parameters()}


def _configuration(where: str, options: dict[str, Any], *, named: str) -> Any:
    """Configuration from a folder or the cache; from the hub when neither has it."""
    from transformers import AutoConfig

    try:
        try:
            return AutoConfig.from_pretrained(where, **options, local_files_only=True)
        except OSError:
            return AutoConfig.from_pretrained(where, **options)
    except Exception as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
        msg = (
            f"model {named!r} cannot be read: {reason}. Give a folder, a .gguf file, a hub id "
            "(owner/name), or 'builtin'."
        )
        raise ModelError(msg) from error


def _on_meta(auto_class: Any, config: Any) -> Any | None:
    """Model without weights, or None where an architecture cannot be built without them."""
    import torch

    try:
        with torch.device("meta"):
            return auto_class.from_config(config)
    except (NotImplementedError, RuntimeError, ValueError):
        return None


def check_model(
    document: Mapping[str, Any], source: str | os.PathLike[str], *, weights: bool = True
) -> tuple[str, ...]:
    """Tensor names of the model, once it is sure that the selection was made for it.

    Parameters
    ----------
    document : mapping
        A selection document.
    source : str
        Hub id, folder, ``.gguf`` file or ``builtin``.
    weights : bool
        Also compare the hash of the weights where the document has it (loads them once).

    Returns
    -------
    tuple of str
        All tensor names in the model's own order, for ``export(..., names=...)``.

    Raises
    ------
    RuleError
        Another number of blocks, a tensor missing or of another size, or other weights.
    ModelError
        A source that cannot be read.
    """
    model = document["model"]
    revision = model.get("revision") if str(source) == model["id"] else None
    tensors = read_tensors(source, revision=revision)
    _compare_names(document, tensors, source=str(source))
    if weights and "state_sha256" in model:
        _compare_weights(model, str(source), revision=revision)
    return tuple(tensors)


def _compare_names(document: Mapping[str, Any], tensors: Mapping[str, int], *, source: str) -> None:
    model, parameters = document["model"], document["parameters"]
    missing = [name for name in parameters["names"] if name not in tensors]
    numbers = {split_name(name, model["layers_path"])[0] for name in tensors} - {None}
    numel = sum(tensors.get(name, 0) for name in parameters["names"])
    if missing:
        what = f"{len(missing)} of {parameters['count']} tensors do not exist (first: {missing[0]})"
    elif len(numbers) != model["n_layers"]:
        what = f"it has {len(numbers)} blocks, not {model['n_layers']}"
    elif numel != parameters["numel"]:
        what = f"the tensors hold {numel:,} elements, not {parameters['numel']:,}"
    else:
        return
    msg = f"selection was made for another model ({model['id']}) than {source!r}: {what}. {_REMEDY}"
    raise RuleError(msg)


def _compare_weights(model: Mapping[str, Any], source: str, *, revision: str | None) -> None:
    from probekit.models import load
    from probekit.models.loading import DType

    saved = model.get("dtype")
    dtype = cast("DType", saved if saved in get_args(DType) else "auto")
    found = load(source, revision, dtype, device="cpu").state_sha256
    if found != model["state_sha256"]:
        msg = (
            f"selection was made for another model ({model['id']}) than {source!r}: the names are "
            f"the same, the weights are not (sha256 {found[:12]}…, not "
            f"{model['state_sha256'][:12]}…). {_REMEDY}"
        )
        raise RuleError(msg)
