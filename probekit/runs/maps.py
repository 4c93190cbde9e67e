"""Two coordinates for every text of a layer: those in the run, or made when they are asked for.

Principal components are in the run. Discriminant axes (a second) and UMAP (tens of seconds) are
made from its pooled vectors, by the classes asked for, and the last sixteen are kept.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np

from probekit.errors import InputError, RunError
from probekit.sites import LAYER, UNIT

if TYPE_CHECKING:
    from probekit.runs.run import Run

METHODS = ("pca", "lda", "umap")
#: Classes that every run has; its labels come beside them.
BY_LANGUAGE = ("language", "script", "family")
NO_CLASS = "no label"
#: Axes that are not in the run are made from so many texts at most, of units evenly spaced.
MOST_TEXTS = 20_000
_LABEL = "label_"


@dataclass(frozen=True)
class TextMap:
    """Where the texts of a layer lie in a plane.

    Attributes
    ----------
    points : array of shape (n_languages, n_units, 2)
        Coordinates.
    units
        Ids of the units.
    titles
        Of the two axes.
    said
        What is to be known about the axes.
    to_scale
        Whether a step is as long on either axis.
    """

    points: np.ndarray
    units: tuple[str, ...]
    titles: tuple[str, str]
    said: str
    to_scale: bool = True


def text_classes(run: Run) -> dict[str, str]:
    """What the texts of a run can be told apart by: language, script, family, and its labels."""
    found = {name: name for name in BY_LANGUAGE}
    if "corpus" in run.results.children:
        names = sorted(str(name) for name in run.corpus.data_vars if str(name).startswith(_LABEL))
        found |= {name.removeprefix(_LABEL): name.removeprefix(_LABEL) for name in names}
    return found


def classes_of(run: Run, by: str) -> np.ndarray:
    """The class of every text by name, array (language, unit); ``NO_CLASS`` where it has none.

    Raises
    ------
    InputError
        The run has no such label.
    """
    from probekit.corpora import language_info

    if by not in text_classes(run):
        msg = f"by must be one of {', '.join(text_classes(run))}. Got {by!r} instead."
        raise InputError(msg)
    n = int(run.manifest.corpus["n_units"])
    if by in BY_LANGUAGE:
        infos = [language_info(code) for code in run.languages]
        own = [
            code if by == "language" else getattr(info, by)
            for code, info in zip(run.languages, infos, strict=True)
        ]
        return np.repeat(np.array(own, dtype=object)[:, None], n, axis=1)
    labels = [str(label) or NO_CLASS for label in run.corpus[f"{_LABEL}{by}"].to_numpy()]
    return np.tile(np.array(labels, dtype=object), (len(run.languages), 1))


def text_map(
    run: Run, *, layer: int, method: str = "pca", centred: bool = False, by: str = "language"
) -> TextMap:
    """Coordinates of all texts at a layer.

    Parameters
    ----------
    run
        A run with the analysis ``geometry``; for ``lda`` and ``umap`` also its pooled vectors.
    layer
        −1 is the embedding.
    method
        ``pca``, ``lda`` (axes that set the classes apart, every unit held out) or ``umap``.
    centred
        Each language on its own mean.
    by
        Classes of ``lda``: see :func:`text_classes`.

    Raises
    ------
    InputError
        No such layer, method or label, or UMAP is not installed.
    RunError
        The run has not got what the method needs.
    """
    if method not in METHODS:
        msg = f"method must be one of {', '.join(METHODS)}. Got {method!r} instead."
        raise InputError(msg)
    if method == "pca":
        return _principal(run, layer, centred=centred)
    classes_of(run, by)
    by = by if method == "lda" else ""
    made = (str(run.folder.resolve()), run.manifest.created)
    return _made(_Asked(*made, method=method, layer=layer, centred=centred, by=by, run=run))


def umap_installed() -> bool:
    """Whether ``umap-learn`` is there."""
    return find_spec("umap") is not None


@dataclass(frozen=True)
class _Asked:
    """What a map depends on; the run itself only says where to read."""

    folder: str
    created: str
    method: str
    layer: int
    centred: bool
    by: str
    run: Run = field(compare=False, repr=False)


def _principal(run: Run, layer: int, *, centred: bool) -> TextMap:
    data, kind = run.group("projection"), "centred" if centred else "raw"
    at = data.sel({LAYER: _known(data, layer)})
    first, second = (float(share) for share in at[f"{kind}_explained"].to_numpy()[:2])
    return TextMap(
        at[kind].to_numpy()[..., :2],
        tuple(str(unit) for unit in data[UNIT].to_numpy()),
        (f"component 1 ({first:.0%} of variance)", f"component 2 ({second:.0%})"),
        f"principal components of all texts together; {1 - first - second:.0%} of the variance "
        "lies off this plane",
    )


@lru_cache(maxsize=16)
def _made(asked: _Asked) -> TextMap:
    vectors, units, some = _vectors(asked)
    if asked.method == "umap":
        return _umap(vectors, units, asked, some=some)
    return _discriminant(vectors, units, asked, some=some)


def _vectors(asked: _Asked) -> tuple[np.ndarray, np.ndarray, str]:
    """Pooled vectors as the run's measures saw them, the units they are of, and how many."""
    from probekit.measures.transforms import apply

    run = asked.run
    if "pooled" not in run.results.children:
        msg = (
            f"run {run.folder.name!r} kept no pooled vectors, which {asked.method} needs. Run its "
            "study again with keep_pooled."
        )
        raise RunError(msg)
    pooled = run.pooled["vectors"]
    n = pooled.sizes[UNIT]
    most = max(10, MOST_TEXTS // len(run.languages))
    units = np.linspace(0, n - 1, min(n, most)).round().astype(int)
    vectors = pooled.sel({LAYER: _known(run.pooled, asked.layer)}).isel({UNIT: units}).to_numpy()
    some = (
        f" · axes and points of {len(units)} of {n} units, evenly spaced" if len(units) < n else ""
    )
    return apply(run.manifest.estimators.get("after", "none"), vectors), units, some


def _discriminant(vectors: np.ndarray, units: np.ndarray, asked: _Asked, *, some: str) -> TextMap:
    from probekit.measures.discriminant import FOLDS, discriminant
    from probekit.measures.resampling import bootstrap_weights

    run, names = asked.run, classes_of(asked.run, asked.by)[:, units]
    known = sorted({str(name) for name in names.ravel()} - {NO_CLASS})
    if len(known) < 2:
        msg = f"by must tell at least two classes apart; {asked.by!r} has {len(known)} in this run."
        raise InputError(msg)
    places = {name: at for at, name in enumerate(known)}
    classes = np.array([[places.get(name, -1) for name in row] for row in names])
    weights = bootstrap_weights(len(units), n_resamples=200, seed=0)
    found = discriminant(vectors, classes, weights=weights, centred=asked.centred)
    points, titles = found.coordinates, ("discriminant 1", "discriminant 2")
    if points.shape[-1] == 1:  # two classes have one axis; the other shows what varies most
        first = _principal(run, asked.layer, centred=asked.centred).points[:, units, :1]
        spread = float(first.std()) or 1.0
        points = np.concatenate([points, first / spread], axis=-1)
        titles = ("discriminant 1", "component 1, standardised")
    said = (
        f"LDA by {asked.by} · each text by axes found without its unit ({FOLDS} folds) · "
        f"{found.accuracy:.0%} [{found.accuracy_low:.0%}, {found.accuracy_high:.0%}] lie nearest "
        f"to their own class; commonest class {found.majority:.0%}{some}"
    )
    return TextMap(points, _ids(run, units), titles, said)


def _umap(vectors: np.ndarray, units: np.ndarray, asked: _Asked, *, some: str) -> TextMap:
    if not umap_installed():
        msg = "method 'umap' needs the package umap-learn. Install it: pip install umap-learn."
        raise InputError(msg)
    umap = import_module("umap")
    if asked.centred:
        vectors = vectors - vectors.mean(axis=1, keepdims=True)
    flat = vectors.reshape(-1, vectors.shape[-1])
    model: Any = umap.UMAP(n_components=2, random_state=0, n_jobs=1)
    points = np.asarray(model.fit_transform(flat)).reshape(*vectors.shape[:2], 2)
    said = f"UMAP, seed 0 · distances between groups and their sizes mean nothing{some}"
    return TextMap(points, _ids(asked.run, units), ("UMAP 1", "UMAP 2"), said, to_scale=False)


def _ids(run: Run, units: np.ndarray) -> tuple[str, ...]:
    ids = run.group("projection")[UNIT].to_numpy()
    return tuple(str(ids[unit]) for unit in units)


def _known(data: Any, layer: int) -> int:
    """``layer``, where the data has it.

    Raises
    ------
    InputError
        It has not.
    """
    known = [int(value) for value in data[LAYER].to_numpy()]
    if layer not in known:
        msg = f"layer must be between {known[0]} and {known[-1]}. Got {layer} instead."
        raise InputError(msg)
    return layer
