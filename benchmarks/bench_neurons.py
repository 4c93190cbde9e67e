"""The pass with neuron counts against the bare forward, and what the neuron report costs after it.

Built-in model in float32 on the CPU, 8 units × 12 languages cut at 64 tokens, the same sorted
batches for all. The floor is the decoder body without the unembedding. One process, by turns.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.bench_pass import FLOOR, bare
from benchmarks.common import Row, at_least, seconds_of, speed_ratio, spread, take_turns
from benchmarks.work import TOKEN_BUDGET, Work, prepare
from probekit import load
from probekit.capture import PassSettings, PooledVectors, ShardStore, TokenStatistics, capture
from probekit.capture.firing import FiringNeurons, content_tokens, merge_firing
from probekit.capture.mlp_space import MLPMeans
from probekit.capture.observers import Observer
from probekit.capture.shards import iterate_states
from probekit.measures import bootstrap_weights
from probekit.measures.neuron_report import FiringEvidence, measure_neurons
from probekit.measures.unit_groups import exchanged_labels, unit_groups
from probekit.models.backends import open_backend

PLAIN, COUNTED, BOTH = "pass", "pass + neuron counts", "pass + neuron counts + MLP space"
GROUPS, EXCHANGES = 8, 4
TARGETS = {"floor": 0.85}


def drawn(work: Work) -> dict[str, Any]:
    """Groups of units and exchanged labels, as the instrument draws them."""
    n_units, n_languages = work.tokens.n_units, work.tokens.n_languages
    return {
        "groups": unit_groups(n_units, GROUPS, seed=0),
        "labels": exchanged_labels(n_units, n_languages, n=EXCHANGES, seed=0),
    }


def run(
    work: Work, observers: Sequence[Observer], then: Callable[[Any], object] = lambda _: None
) -> None:
    """A whole pass into shards on disk, and something with its outcome."""
    with tempfile.TemporaryDirectory() as folder:
        captured = capture(
            work.subject,
            work.tokens,
            observers,
            store=ShardStore(Path(folder), "benchmark"),
            backend=open_backend("hooks", work.subject),
            settings=PassSettings(token_budget=TOKEN_BUDGET, units_per_shard=work.corpus.n_units),
        )
        then(captured)


def contestants_of(work: Work) -> dict[str, Callable[[], object]]:
    """Everyone who takes turns."""
    plain: tuple[Observer, ...] = (PooledVectors(), TokenStatistics())
    firing = FiringNeurons(**drawn(work))
    blocks = tuple(MLPMeans(layer) for layer in range(work.subject.anatomy.n_blocks))
    return {
        FLOOR: lambda: bare(work.subject, work.inputs),
        PLAIN: lambda: run(work, plain),
        COUNTED: lambda: run(work, (*plain, firing)),
        BOTH: lambda: run(work, (*plain, firing, *blocks)),
    }


def report_seconds(work: Work) -> float:
    """Seconds of everything that is computed from the counts."""
    chosen = drawn(work)
    firing = FiringNeurons(**chosen)
    seconds: list[float] = []

    def measure_report(captured: Any) -> None:
        counts = merge_firing(iterate_states(captured.store, captured.plan, firing.name))
        evidence = FiringEvidence.of(counts, content_tokens(work.tokens), **chosen)
        weights = bootstrap_weights(work.corpus.n_units, n_resamples=200, seed=0)
        options = {"share": 0.01, "quantile": 0.95, "active_share": 0.5}
        seconds.append(seconds_of(lambda: measure_neurons(evidence, weights=weights, **options)))

    run(work, (firing,), measure_report)
    return seconds[0]


def measure(*, quick: bool = False) -> dict[str, Any]:
    """Time everyone; ``quick`` only shows that it runs."""
    work = prepare(load("builtin", dtype="float32", device="cpu"), 8)
    seconds = take_turns(contestants_of(work), repeats=2 if quick else 7)
    n_tokens = work.tokens.n_tokens
    return {
        "texts": len(work.tokens.texts),
        "tokens": n_tokens,
        "seconds": seconds,
        "tokens_per_second": {name: n_tokens / median(s) for name, s in seconds.items()},
        "to_floor": {name: speed_ratio(seconds, name, FLOOR) for name in seconds},
        "report_seconds": report_seconds(work),
    }


def rows(result: dict[str, Any]) -> list[Row]:
    """Speeds against the floor, and the report."""
    found = []
    for name, ratio in result["to_floor"].items():
        speed = f"{result['tokens_per_second'][name]:,.0f} tok/s"
        row = Row("neurons", f"{name} / floor", f"{spread(ratio)}, {speed}")
        if name == FLOOR:
            size = f"{result['texts']} texts, {result['tokens']:,} tokens"
            row = Row("neurons", f"floor: bare forward, {size}", speed)
        if name == COUNTED:
            row = at_least(row, ratio["median"], target=TARGETS["floor"])
        found.append(row)
    what = f"LAPE with {GROUPS} groups, {EXCHANGES} exchanges, halves"
    return [*found, Row("neurons", what, f"{result['report_seconds']:.1f} s")]
