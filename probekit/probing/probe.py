"""A probe that can be kept: fitted like scikit-learn's, saved with what it belongs to.

Fitting standardises the vectors and costs one eigendecomposition of ``min(items, width)²``; a
saved probe is a few kilobytes for each class.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from probekit.capture.shards import storage_errors, write_atomically
from probekit.errors import InputError, ModelError
from probekit.measures.checks import check_finite
from probekit.measures.probing import fit_logistic
from probekit.sites import EMBEDDING_LAYER

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jaxtyping import Float

    from probekit.capture.observers import Pooling
    from probekit.models import Subject

_FORMAT = "probekit-probe/1"
_ARRAYS = ("coef_", "intercept_", "mean_", "scale_")
_SETTINGS = ("C", "task", "layer", "pooling", "weights_sha256")


class Probe:
    """Logistic regression over standardised vectors, with scikit-learn's interface.

    The same numbers as ``make_pipeline(StandardScaler(), LogisticRegression(C=C))``.

    Parameters
    ----------
    C
        Inverse strength of the penalty, above 0.
    task
        What it tells.
    layer
        Layer of the vectors, -1 for the embedding; needed to apply it to text.
    pooling
        How the vectors of texts were pooled.
    weights_sha256
        ``state_sha256`` of the subject whose vectors they are; needed to apply it to text.

    Attributes
    ----------
    classes_
        Sorted labels, array (n_classes,).
    coef_, intercept_
        Arrays (n_classes, d_model) and (n_classes,), over standardised features; one row for two
        classes.
    mean_, scale_
        Arrays (d_model,) of the training vectors.
    n_features_in_
        d_model.
    """

    def __init__(
        self,
        *,
        C: float = 1.0,
        task: str = "",
        layer: int | None = None,
        pooling: Pooling = "mean",
        weights_sha256: str = "",
    ) -> None:
        self.C = C
        self.task = task
        self.layer = layer
        self.pooling: Pooling = pooling
        self.weights_sha256 = weights_sha256

    @classmethod
    def for_subject(cls, subject: Subject, *, layer: int, task: str = "", C: float = 1.0) -> Probe:
        """An unfitted probe of one layer of a subject, which it will know again.

        Raises
        ------
        InputError
            The subject has no such layer.
        """
        n_blocks = subject.anatomy.n_blocks
        if not EMBEDDING_LAYER <= layer < n_blocks:
            msg = f"layer must be between -1 and {n_blocks - 1}. Got {layer} instead."
            raise InputError(msg)
        return cls(C=C, task=task, layer=layer, weights_sha256=subject.state_sha256)

    def get_params(self, *, deep: bool = True) -> dict[str, Any]:
        """Settings by name, as scikit-learn's ``clone`` asks for them."""
        del deep
        return {name: getattr(self, name) for name in _SETTINGS}

    def set_params(self, **settings: Any) -> Probe:
        """Change settings.

        Raises
        ------
        InputError
            A name that is no setting.
        """
        for name, value in settings.items():
            if name not in _SETTINGS:
                msg = f"probe has no setting {name!r} (has: {', '.join(_SETTINGS)}). Correct it."
                raise InputError(msg)
            setattr(self, name, value)
        return self

    def fit(self, X: Float[np.ndarray, "items d_model"], y: Sequence[Any]) -> Probe:
        """Fit to vectors and their labels.

        Raises
        ------
        InputError
            Shapes that do not fit, one class only, or a C that is not positive.
        NumericalError
            A value that is not finite, or no convergence.
        """
        classes, labels = np.unique(np.asarray(y), return_inverse=True)
        found = fit_logistic(X, labels, penalty=self.C)
        self.classes_ = classes
        self.coef_, self.intercept_ = found.coef, found.intercept
        self.mean_, self.scale_ = found.mean, found.scale
        self.n_features_in_ = len(found.mean)
        return self

    def decision_function(self, X: Float[np.ndarray, "items d_model"]) -> np.ndarray:
        """Scores: array (items, n_classes); (items,) for two classes, above 0 for the second.

        Raises
        ------
        InputError
            Not fitted, or vectors of another width.
        """
        self._check_fitted()
        rows = np.asarray(X)
        if rows.ndim != 2 or rows.shape[1] != self.n_features_in_:
            msg = (
                f"X must have shape (n_items, {self.n_features_in_}), the width that this probe "
                f"was fitted to. Got {rows.shape} instead: use vectors of the same model and layer."
            )
            raise InputError(msg)
        check_finite(rows, name="X")
        standard = (rows.astype(np.float64) - self.mean_) / self.scale_
        scores: np.ndarray = standard @ self.coef_.T + self.intercept_
        return scores[:, 0] if len(self.classes_) == 2 else scores

    def predict(self, X: Float[np.ndarray, "items d_model"]) -> np.ndarray:
        """Most likely class of each vector: array (items,)."""
        scores = self.decision_function(X)
        number = (scores > 0).astype(int) if scores.ndim == 1 else scores.argmax(axis=1)
        found: np.ndarray = self.classes_[number]
        return found

    def predict_proba(self, X: Float[np.ndarray, "items d_model"]) -> np.ndarray:
        """Probability of each class: array (items, n_classes), rows summing to 1."""
        scores = self.decision_function(X)
        if scores.ndim == 1:
            scores = np.stack([np.zeros_like(scores), scores], axis=1)
        chances = np.exp(scores - scores.max(axis=1, keepdims=True))
        found: np.ndarray = chances / chances.sum(axis=1, keepdims=True)
        return found

    def score(self, X: Float[np.ndarray, "items d_model"], y: Sequence[Any]) -> float:
        """Share of vectors whose class is right, between 0 and 1."""
        return float((self.predict(X) == np.asarray(y)).mean())

    def predict_texts(self, subject: Subject, texts: Sequence[str], *, language: str) -> np.ndarray:
        """Most likely class of each text, read by the subject that the probe belongs to.

        Raises
        ------
        ModelError
            Another model, an adapter on it, or weights that have changed since.
        InputError
            Not fitted, no layer, or text that cannot be read.
        """
        from probekit.probing.vectors import text_vectors

        self.check_subject(subject)
        assert self.layer is not None
        vectors = text_vectors(subject, texts, language=language, pooling=self.pooling)
        return self.predict(vectors[self.layer + 1])

    def check_subject(self, subject: Subject) -> None:
        """See that vectors of a subject are what this probe was fitted to.

        Raises
        ------
        ModelError
            Another width, or weights of another hash.
        InputError
            Not fitted, or fitted without saying layer and weights.
        """
        self._check_fitted()
        if self.layer is None or not self.weights_sha256:
            msg = (
                "probe does not say which layer of which model it belongs to. Make it with "
                "Probe.for_subject(subject, layer=…) and fit it."
            )
            raise InputError(msg)
        width = subject.anatomy.d_model
        if width != self.n_features_in_:
            msg = (
                f"probe was fitted to width {self.n_features_in_}. Got {subject.source!r} of width "
                f"{width} instead: use the model it was fitted to."
            )
            raise ModelError(msg)
        if subject.state_sha256 != self.weights_sha256:
            with_adapter = f" with adapter {subject.adapter!r}" if subject.adapter else ""
            msg = (
                f"probe was fitted to weights {self.weights_sha256[:12]}…. Got "
                f"{subject.state_sha256[:12]}… of {subject.source!r}{with_adapter} instead: load "
                "the model it was fitted to, or fit a new probe."
            )
            raise ModelError(msg)

    def save(self, path: str | Path) -> Path:
        """Write one safetensors file; settings and classes stand in its header as JSON.

        Raises
        ------
        InputError
            Not fitted, or classes that are neither text, numbers nor truth values.
        StorageError
            The file cannot be written.
        """
        from safetensors.numpy import save

        self._check_fitted()
        classes = self.classes_.tolist()
        if not all(isinstance(name, str | int | float | bool) for name in classes):
            msg = f"classes must be text, numbers or truth values. Got {classes[:3]!r} instead."
            raise InputError(msg)
        said = {"format": _FORMAT, **self.get_params(), "classes": classes}
        # one entry: safetensors writes several in any order, and equal probes are equal files
        header = {"probe": json.dumps(said, sort_keys=True)}
        arrays = {name: np.ascontiguousarray(getattr(self, name)) for name in _ARRAYS}
        target = Path(path)
        with storage_errors(target.parent):
            write_atomically(target, save(arrays, metadata=header))
        return target

    @classmethod
    def load(cls, path: str | Path) -> Probe:
        """Read a saved probe; it predicts bit for bit as before.

        Raises
        ------
        InputError
            No such file, or not a probe.
        """
        from safetensors import SafetensorError, safe_open

        try:
            with safe_open(path, framework="numpy") as file:
                header = file.metadata() or {}
                said = json.loads(header.get("probe", "{}"))
                if said.pop("format", None) != _FORMAT:
                    reason = f"format {header.get('format')!r}"
                    raise ValueError(reason)
                arrays = {name: file.get_tensor(name) for name in _ARRAYS}
        except (SafetensorError, OSError, ValueError, KeyError) as error:
            reason = " ".join(str(error).split())[:120]
            msg = f"probe {str(path)!r} cannot be read ({reason}). Give a file that save wrote."
            raise InputError(msg) from error
        classes = said.pop("classes")
        probe = cls(**said)
        probe.classes_ = np.array(classes)
        for name, array in arrays.items():
            setattr(probe, name, array)
        probe.n_features_in_ = arrays["coef_"].shape[1]
        return probe

    def _check_fitted(self) -> None:
        if not hasattr(self, "coef_"):
            msg = "probe must be fitted before this. Call fit(X, y), or Probe.load(path)."
            raise InputError(msg)

    def __repr__(self) -> str:
        fitted = f"{len(self.classes_)} classes" if hasattr(self, "coef_") else "not fitted"
        return f"Probe(task={self.task!r}, layer={self.layer}, C={self.C}, {fitted})"
