"""What one dialect writes, and what it is: the two small types between dialects and ``export``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Callable

    from probekit.selection.exporters.target import Target

Format = Literal["yaml", "json", "cli", "python", "gguf-cli"]
ActsOn = Literal["tensors", "blocks"]


@dataclass(frozen=True)
class Draft:
    """A snippet and what the tool selects when it reads it.

    Attributes
    ----------
    text : str
        The snippet without its heading; empty when the tool has no form that comes near.
    selects : tuple of str
        Tensors, or blocks, that the tool's rule picks out of the model by this snippet.
    faithful : bool
        Whether the snippet does with them what the selection means. LoRA is not freeze tuning.
    nearest : str
        What the tool can do instead, where it cannot do this.
    notes : tuple of str
        What its user should know.
    """

    text: str
    selects: tuple[str, ...]
    faithful: bool = True
    nearest: str = ""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Dialect:
    """One tool: what it is, the file it reads, the source its rule was taken from.

    Attributes
    ----------
    acts_on : {"tensors", "blocks"}
        Steering tools change the outputs of blocks and no tensor.
    tested : str
        Tool and version whose rule this is.
    """

    name: str
    description: str
    filename: str
    format: Format
    tested: str
    write: Callable[[Target], Draft]
    acts_on: ActsOn = "tensors"
