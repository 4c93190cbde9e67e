"""What a rule may look at: per-block numbers with their resamples, and the model's tensor names.

Both types hold arrays and names only; checking them costs one look at every number. The largest
members are ``(n_blocks, n_resamples)``: 48 blocks and 1000 resamples make 2.3 MB for all six.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from types import MappingProxyType

import numpy as np

from probekit.errors import InputError, RuleError
from probekit.selection.columns import Column, FloatArray, column_from_interval

MIN_BLOCKS = 3
MIN_RESAMPLES = 2
_PLAIN = {"layers", "n_blocks", "languages", "held_out", "n_units", "seed", "columns"}
_MAY_BE_INFINITE = {"ratio", "ratio_low", "ratio_high"}
#: Column of a run → the arrays that hold it.
_CORE = {
    "cka.mean": "align",
    "regions.lrds": "lrds",
    "regions.lrds_centred": "lrds_centred",
    "regions.sads": "sads",
    "regions.ratio": "ratio",
}
_RESAMPLED = {"align", "lrds", "lrds_centred"}


@dataclass(frozen=True, eq=False)
class Evidence:
    """Per-block evidence of one run, with resamples that share one index everywhere.

    Resample ``b`` draws the same units for every block and measure; resample ``b`` of a
    ``*_left_out`` array draws the same units again and drops language ``b % n_languages``.
    Arrays are copied to read-only float64.

    Parameters
    ----------
    layers : tuple of int
        Exactly ``0 … n_blocks - 1``: rules compare a block with the mean over blocks, so none may
        be missing, and the embedding (layer -1) is no block. At least three blocks.
    n_blocks, n_units, seed : int
        Blocks of the subject, units of the corpus, seed of every random step that follows.
    languages : tuple of str
        BCP 47 codes, at least two, distinct.
    held_out : tuple of str
        Languages that these numbers never saw.
    columns : mapping of str to Column
        Further columns, by ``group.variable``.
    align, align_low, align_high : array of shape (n_blocks,)
        Align: mean debiased CKA over language pairs, in (-1, 1], and its 95 % interval.
    align_null95, align_p : array of shape (n_blocks,)
        95 % point of the permutation null, and the permutation p-value in [0, 1].
    lrds, lrds_centred, sads : array of shape (n_blocks,)
        Region scores (cosine differences), each with ``_low`` and ``_high``.
    ratio : array of shape (n_blocks,)
        LRDS / SADS with ``_low`` and ``_high``; +inf where SADS is not positive.
    activation_norm_median : array of shape (n_blocks,)
        Median norm of a block's output, in activation units.
    align_samples, lrds_samples, lrds_centred_samples : array of shape (n_blocks, n_resamples)
        Bootstrap over units.
    align_samples_left_out, … : array of shape (n_blocks, n_resamples), optional
        The same resamples with one language dropped. ``None`` for two languages.
    align_without, … : array of shape (n_blocks, n_languages), optional
        Point values without each language in turn. ``None`` for two languages.

    Raises
    ------
    InputError
        A wrong shape, a number that is not finite, a missing block or too few of something.
    """

    layers: tuple[int, ...]
    n_blocks: int
    languages: tuple[str, ...]
    n_units: int
    align: FloatArray
    align_low: FloatArray
    align_high: FloatArray
    align_null95: FloatArray
    align_p: FloatArray
    lrds_centred: FloatArray
    lrds_centred_low: FloatArray
    lrds_centred_high: FloatArray
    lrds: FloatArray
    lrds_low: FloatArray
    lrds_high: FloatArray
    sads: FloatArray
    sads_low: FloatArray
    sads_high: FloatArray
    ratio: FloatArray
    ratio_low: FloatArray
    ratio_high: FloatArray
    activation_norm_median: FloatArray
    align_samples: FloatArray
    lrds_centred_samples: FloatArray
    lrds_samples: FloatArray
    align_samples_left_out: FloatArray | None = None
    lrds_centred_samples_left_out: FloatArray | None = None
    lrds_samples_left_out: FloatArray | None = None
    align_without: FloatArray | None = None
    lrds_centred_without: FloatArray | None = None
    lrds_without: FloatArray | None = None
    seed: int = 0
    held_out: tuple[str, ...] = ()
    columns: Mapping[str, Column] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "layers", tuple(int(layer) for layer in self.layers))
        object.__setattr__(self, "languages", tuple(self.languages))
        object.__setattr__(self, "held_out", tuple(self.held_out))
        _check_axes(self)
        _check_left_out_group(self)
        for name in _array_names(self):
            value = getattr(self, name)
            if value is not None:
                object.__setattr__(self, name, _checked(self, name, value))
        if np.any((self.align_p < 0) | (self.align_p > 1)):
            msg = (
                f"evidence.align_p must lie in [0, 1]. Got {self.align_p.min():.3g} … "
                f"{self.align_p.max():.3g} instead; pass permutation p-values."
            )
            raise InputError(msg)

    @property
    def n_resamples(self) -> int:
        """Bootstrap resamples of the units."""
        return int(self.align_samples.shape[1])

    @property
    def has_left_out(self) -> bool:
        """Whether languages were also left out, one at a time."""
        return self.align_without is not None

    def column(self, name: str) -> Column:
        """One column with its resamples, by ``group.variable``.

        Raises
        ------
        RuleError
            No such column, or one that is not finite.
        """
        if name in _CORE:
            return self._core(name)
        if name in self.columns:
            return self.columns[name]
        msg = (
            f"column {name!r} must be in the evidence. Got a run without it instead; add its "
            f"analysis ({name.partition('.')[0]}) to the study and run it again."
        )
        raise RuleError(msg)

    @property
    def column_names(self) -> tuple[str, ...]:
        """Every column that :meth:`column` knows."""
        return tuple(sorted({*_CORE, *self.columns}))

    def _core(self, name: str) -> Column:
        stem = _CORE[name]
        value, low, high = (getattr(self, f"{stem}{end}") for end in ("", "_low", "_high"))
        if stem not in _RESAMPLED:
            return column_from_interval(
                name, value, (low, high), n_resamples=self.n_resamples, seed=self.seed
            )
        samples, left_out, without = (
            getattr(self, f"{stem}_{kind}") for kind in ("samples", "samples_left_out", "without")
        )
        return Column(name, value, low, high, samples, left_out, without, "stored")


@dataclass(frozen=True, eq=False)
class ModelCard:
    """Names and sizes of a model's tensors, and who the model is; no weights.

    Parameters
    ----------
    id, revision, model_type, dtype, state_sha256 : str
        Identity, as the run recorded it; what is unknown is ``None``.
    n_layers, hidden_size : int
        Blocks and residual width.
    layers_path, final_norm, lm_head : str
        Module paths, ``model.layers`` for example.
    roles : mapping of str to str
        Role to module suffix under one block: ``{"mlp_out": "mlp.down_proj"}``.
    parameters : mapping of str to int
        Every tensor of the model by exact name, with its number of elements.

    Raises
    ------
    InputError
        ``n_layers`` under 1, or no parameters.
    """

    id: str
    model_type: str
    n_layers: int
    layers_path: str
    roles: Mapping[str, str]
    parameters: Mapping[str, int]
    revision: str | None = None
    hidden_size: int | None = None
    final_norm: str | None = None
    lm_head: str | None = None
    dtype: str | None = None
    state_sha256: str | None = None

    def __post_init__(self) -> None:
        if self.n_layers < 1 or not self.parameters:
            msg = (
                "card must describe at least one block and one tensor. Got "
                f"n_layers={self.n_layers} and {len(self.parameters)} parameters instead; build "
                "it from a loaded model."
            )
            raise InputError(msg)
        object.__setattr__(self, "roles", MappingProxyType(dict(self.roles)))
        object.__setattr__(self, "parameters", MappingProxyType(dict(self.parameters)))


def _array_names(evidence: Evidence) -> Iterator[str]:
    return (each.name for each in fields(evidence) if each.name not in _PLAIN)


def _check_axes(evidence: Evidence) -> None:
    if evidence.n_blocks < MIN_BLOCKS:
        msg = (
            f"evidence.n_blocks must be at least {MIN_BLOCKS}: with fewer, a bar at the mean "
            f"over blocks cannot draw a region. Got {evidence.n_blocks} instead; use a deeper "
            "subject."
        )
        raise InputError(msg)
    if tuple(evidence.layers) != tuple(range(evidence.n_blocks)):
        msg = (
            f"evidence.layers must be every block 0 … {evidence.n_blocks - 1}, without the "
            f"embedding (-1). Got {tuple(evidence.layers)} instead; run the study on all blocks."
        )
        raise InputError(msg)
    if len(set(evidence.languages)) != len(evidence.languages) or len(evidence.languages) < 2:
        msg = (
            f"evidence.languages must be at least two distinct codes. Got {evidence.languages} "
            "instead; add a language."
        )
        raise InputError(msg)
    if evidence.n_units < 1:
        msg = (
            f"evidence.n_units must be positive. Got {evidence.n_units} instead; pass the "
            "corpus size."
        )
        raise InputError(msg)


def _check_left_out_group(evidence: Evidence) -> None:
    names = [name for name in _array_names(evidence) if name.endswith(("_left_out", "_without"))]
    given = [name for name in names if getattr(evidence, name) is not None]
    if given and len(given) != len(names):
        missing = ", ".join(sorted(set(names) - set(given)))
        msg = (
            f"evidence must hold all arrays of left-out languages or none. Got no {missing}; "
            "add them or pass None for all."
        )
        raise InputError(msg)
    if given and len(evidence.languages) < 3:
        msg = (
            f"evidence.{given[0]} must be None with two languages: leaving one out leaves no "
            "pair. Got an array instead; pass None."
        )
        raise InputError(msg)


def _shape(evidence: Evidence, name: str) -> tuple[int, ...]:
    if name.endswith("_without"):
        return (evidence.n_blocks, len(evidence.languages))
    if "_samples" in name:
        first = np.shape(evidence.align_samples)
        return (evidence.n_blocks, first[-1] if len(first) == 2 else -1)
    return (evidence.n_blocks,)


def _checked(evidence: Evidence, name: str, value: FloatArray) -> FloatArray:
    array = np.array(value, dtype=np.float64)
    expected = _shape(evidence, name)
    if array.shape != expected:
        msg = (
            f"evidence.{name} must have shape {expected}. Got {array.shape} instead; blocks "
            "come first, without the embedding."
        )
        raise InputError(msg)
    if "_samples" in name and array.shape[1] < MIN_RESAMPLES:
        msg = (
            f"evidence.{name} must hold at least {MIN_RESAMPLES} resamples. Got "
            f"{array.shape[1]} instead; raise the number of resamples."
        )
        raise InputError(msg)
    legal = np.isfinite(array) | ((name in _MAY_BE_INFINITE) & np.isposinf(array))
    if not legal.all():
        block = int(np.argwhere(~legal)[0][0])
        msg = (
            f"evidence.{name} must be finite. Got {array[~legal][0]} at block {block} instead; "
            "recompute that block."
        )
        raise InputError(msg)
    array.setflags(write=False)
    return array
