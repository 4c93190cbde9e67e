"""What half precision buys on this machine, and what it changes in every measure.

The built-in corpus, 32 units × 12 languages, in float32, bfloat16 and float16. Speeds are taken by
turns on 8 of the units: without instructions for it, bfloat16 is several times slower than float32.
A type in which the model overflows is reported with the error instead of a speed.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np

from benchmarks.common import Row, speed_ratio, spread, take_turns
from probekit import NumericalError, ParallelCorpus, Study, Subject, load, open_corpus
from probekit.capture import PooledVectors, ShardStore, TokenStatistics, capture, tokenize
from probekit.capture.engine import Captured, Silent
from probekit.models.backends import open_backend
from probekit.studies.analysis import analyse
from probekit.studies.choice import asked

Half = Literal["bfloat16", "float16"]

REFERENCE = "float32"
HALVES: tuple[Half, ...] = ("bfloat16", "float16")
MAX_TOKENS = 64

#: Measure → its group and variable in a run.
MEASURES: dict[str, tuple[str, str]] = {
    "debiased CKA, mean": ("cka", "mean"),
    "debiased CKA, a pair": ("cka", "debiased"),
    "LRDS": ("regions", "lrds"),
    "SADS": ("regions", "sads"),
    "LRDS / SADS": ("regions", "ratio"),
    "P@1": ("alignment", "p_at_1_mean"),
}

Values = dict[str, np.ndarray]


class Reading:
    """One subject over the corpus: a pass to be timed, and the measures it leads to."""

    def __init__(self, subject: Subject, corpus: ParallelCorpus) -> None:
        self.subject, self.corpus = subject, corpus
        self.tokens = tokenize(subject, corpus, max_tokens=MAX_TOKENS)

    def run(self, then: Callable[[Captured], object] = lambda _: None) -> None:
        """Run the pass into a folder that does not last."""
        with tempfile.TemporaryDirectory() as folder:
            captured = capture(
                self.subject,
                self.tokens,
                (PooledVectors(), TokenStatistics()),
                store=ShardStore(Path(folder), "benchmark"),
                backend=open_backend("hooks", self.subject),
            )
            then(captured)

    def measures(self) -> Values:
        """All measures by layer, with as few resamples as a study allows."""
        study = Study(
            bootstrap=20,
            permutations=20,
            keep_pooled=False,
            analyses=("cka", "regions", "alignment"),
        )
        found: Values = {}

        def keep(captured: Captured) -> None:
            groups, _ = analyse(
                study,
                self.corpus,
                self.tokens,
                instruments=asked(study),
                captured=captured,
                progress=Silent(),
            )
            for name, (group, variable) in MEASURES.items():
                found[name] = groups[group][variable].to_numpy()

        self.run(keep)
        return found


def largest_change(values: Values, reference: Values) -> dict[str, float]:
    """Largest absolute change over layers (and pairs); two infinite ratios are equal."""
    found = {}
    for name, ours in reference.items():
        theirs = values[name]
        same = ours == theirs
        change = np.subtract(theirs, ours, out=np.zeros_like(ours), where=~same)
        found[name] = float(np.abs(change).max())
    return found


def measure(*, quick: bool = False) -> dict[str, Any]:
    """Read in every type, compare, then let them take turns."""
    corpus = open_corpus("builtin", limit=8 if quick else 32)
    timed = open_corpus("builtin", limit=2 if quick else 8)
    subject = load("builtin", dtype="float32", device="cpu")
    reference = Reading(subject, corpus).measures()
    passes = {REFERENCE: Reading(subject, timed).run}
    changes, refused = {}, {}
    for dtype in HALVES:
        subject = load("builtin", dtype=dtype, device="cpu")
        try:
            changes[dtype] = largest_change(Reading(subject, corpus).measures(), reference)
        except NumericalError as error:
            refused[dtype] = str(error)
        else:
            passes[dtype] = Reading(subject, timed).run
    seconds = take_turns(passes, repeats=1 if quick else 3)
    return {
        "units": corpus.n_units,
        "languages": len(corpus.languages),
        "units_timed": timed.n_units,
        "seconds": seconds,
        "to_float32": {dtype: speed_ratio(seconds, dtype, REFERENCE) for dtype in changes},
        "largest_change": changes,
        "refused": refused,
    }


def rows(result: Mapping[str, Any]) -> list[Row]:
    """Speed beside float32, then the change of each measure."""
    found = [
        Row("dtype", f"{dtype} / float32", spread(ratio))
        for dtype, ratio in result["to_float32"].items()
    ]
    for dtype, error in result["refused"].items():
        found.append(Row("dtype", f"{dtype}: no result", error.partition(".")[0]))
    for dtype, changes in result["largest_change"].items():
        for name, change in changes.items():
            found.append(Row("dtype", f"{dtype}: largest change of {name}", f"{change:.1e}"))
    return found
