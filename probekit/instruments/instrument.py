"""What an instrument is: options, observers before the pass, results after it.

An instrument that needs only pooled vectors defines ``axes`` and ``measure``. One that needs more
of the pass names ``observers`` and reads their shard states back in ``finish``. It is made before
the model is read and used after the model is gone, so it keeps no model.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import BaseModel, ConfigDict

from probekit.sites import LAYER

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import numpy as np
    import xarray as xr

    from probekit.capture import Observer, TokenizedCorpus
    from probekit.capture.engine import Progress
    from probekit.capture.observers import State
    from probekit.corpora import ParallelCorpus
    from probekit.models import Subject

#: Group → variable → its axes after ``layer``.
Axes = Mapping[str, Mapping[str, tuple[str, ...]]]
#: Variable → value at one layer.
Row = dict[str, Any]


class InstrumentOptions(BaseModel):
    """Settings of an instrument; a study gives them as ``options: {name: {…}}``."""

    model_config = ConfigDict(extra="forbid", frozen=True)


@dataclass(frozen=True)
class Setting:
    """What is known before the pass.

    Attributes
    ----------
    subject, corpus, tokens
        The model and the text as it reads it.
    seed
        Of everything drawn at random.
    """

    subject: Subject
    corpus: ParallelCorpus
    tokens: TokenizedCorpus
    seed: int


@dataclass(frozen=True)
class Evidence:
    """What is known after the pass.

    Attributes
    ----------
    corpus, tokens, seed
        As in :class:`Setting`; the model is gone.
    n_blocks, d_model
        Of the model.
    weights
        Array (n_resamples, n_units), int64: how often each resample draws each unit.
    orders
        Array (n_permutations, n_units): permuted unit rows.
    vectors
        Row (layer + 1) → pooled vectors, array (language, unit, d_model), float32.
    states
        Observer's name → its states, in the order of the shards.
    coordinates
        Coordinates of ``layer``, ``depth`` and the languages, as :class:`xarray.Dataset` takes
        them.
    progress
        Told about long work.
    """

    corpus: ParallelCorpus
    tokens: TokenizedCorpus
    seed: int
    n_blocks: int
    d_model: int
    weights: np.ndarray
    orders: np.ndarray
    vectors: Callable[[int], np.ndarray]
    states: Callable[[str], Iterator[State]]
    coordinates: dict[str, Any]
    progress: Progress

    @property
    def n_layers(self) -> int:
        """Layers of the residual stream: the embedding and every block."""
        return self.n_blocks + 1

    def dataset(self, variables: Mapping[str, tuple[tuple[str, ...], Any]]) -> xr.Dataset:
        """Arrays with named axes as a dataset, with the coordinates of the axes it has.

        A variable whose ``layer`` axis is one shorter than the residual stream's begins at
        block 0: it has no embedding. All variables of one dataset begin alike.
        """
        import xarray as xr

        return self.label(xr.Dataset(dict(variables)))

    def label(self, dataset: xr.Dataset) -> xr.Dataset:
        """Give a dataset the coordinates of the axes it has and does not name yet."""
        sizes = dataset.sizes
        missing = {
            name: value
            for name, value in self.coordinates.items()
            if value[0] in sizes and name not in dataset.coords
        }
        if sizes.get(LAYER) == self.n_blocks:
            missing |= {
                name: (LAYER, value[1][1:], *value[2:])
                for name, value in missing.items()
                if value[0] == LAYER
            }
        return dataset.assign_coords(missing)


class Instrument:
    """One analysis of a study.

    Attributes
    ----------
    name
        Its word in a study's ``analyses`` and in ``show --analysis``.
    axes
        What :meth:`measure` returns: group → variable → axes after ``layer``.
    summary
        Group → its variables by layer alone that make the table of ``show --analysis``.
    by_language
        Group → its variable by layer and language that ``show --analysis`` prints beside it.
    always
        Whether it runs in every study.
    """

    name: ClassVar[str]
    axes: ClassVar[Axes] = {}
    summary: ClassVar[Mapping[str, tuple[str, ...]]] = {}
    by_language: ClassVar[Mapping[str, str]] = {}
    always: ClassVar[bool] = False

    class Options(InstrumentOptions):
        """Nothing to set."""

    def __init__(self, options: Any = None) -> None:
        self.options: Any = self.Options() if options is None else options

    def refusal(self, setting: Setting) -> str:
        """Why this model or corpus cannot have it, with the way out; empty when it can."""
        del setting
        return ""

    def observers(self, setting: Setting) -> tuple[Observer, ...]:
        """What it wants to see of the pass, besides pooled vectors."""
        del setting
        return ()

    def measure(self, vectors: np.ndarray, *, row: int, evidence: Evidence) -> dict[str, Row]:
        """Values of one layer, by group, from its pooled vectors (language, unit, d_model).

        ``row`` is ``layer + 1``. Layers come in order, each once.
        """
        del vectors, row, evidence
        return {}

    def finish(self, groups: dict[str, xr.Dataset], evidence: Evidence) -> dict[str, xr.Dataset]:
        """The groups to save: those of :meth:`measure`, stacked by layer, and any others."""
        del evidence
        return groups
