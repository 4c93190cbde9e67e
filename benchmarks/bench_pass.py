"""The pass against the bare forward, and against other ways to capture every block.

Built-in model in float32 on the CPU, 8 units × 12 languages cut at 64 tokens. Peers run twice: on
the same length-sorted batches as the pass, and as scripts use them, on padded batches of eight.
The inputs of the floor and of the peers, and the peers' pooling matrices, are made beforehand,
those of probekit in its own time. Peers end in the same pooled vectors, which are compared. Holds
three copies of the model: about 4 GB.
"""

from __future__ import annotations

from collections.abc import Callable
from statistics import median
from typing import Any

import numpy as np
import torch

from benchmarks.common import Row, at_least, speed_ratio, spread, take_turns
from benchmarks.peers import Peer, nnsight_peer, transformer_lens_peer, transformers_peer
from benchmarks.work import Inputs, Work, all_layers, in_eights, pooled_by, prepare, run_pass
from probekit import Study, Subject, load
from probekit.capture.engine import Captured, Silent
from probekit.measures.cka import normalise
from probekit.measures.hsic import hsic_tables
from probekit.measures.regions import mean_cosines
from probekit.studies.analysis import analyse
from probekit.studies.choice import asked

FLOOR, PASS, MEASURED, ANALYSED = "floor", "pass", "pass + measures", "pass + whole analysis"
EIGHTS = " in eights"
NAIVE, HF = f"bare forward{EIGHTS}", "transformers output_hidden_states"
LIBRARIES: dict[str, Callable[[Subject], Peer]] = {
    "nnsight trace": nnsight_peer,
    "TransformerLens run_with_cache": transformer_lens_peer,
}
TARGETS = {"floor": 0.90, "library": 1.4}


@torch.inference_mode()
def bare(subject: Subject, inputs: Inputs) -> None:
    """Forward of the base model: no unembedding, no hook, no cache."""
    for batch in inputs:
        subject.model.base_model(**batch, use_cache=False)


def bare_measures(captured: Captured, n_layers: int) -> None:
    """Debiased CKA tables and region scores of all layers, without resamples."""
    for pooled in all_layers(captured, n_layers):
        normalise(*hsic_tables(pooled))
        mean_cosines(pooled, np.ones((1, pooled.shape[1])))


def disagreement(ours: np.ndarray, theirs: np.ndarray) -> float:
    """Largest relative difference of a block's vectors, in norm."""
    both = zip(ours, theirs, strict=True)
    return float(max(np.linalg.norm(a - b) / np.linalg.norm(a) for a, b in both))


def compare(work: Work, peers: dict[str, Peer]) -> dict[str, float]:
    """How far every peer's vectors are from the pass's; transformers' last one is normed."""
    kept: list[np.ndarray] = []
    n_layers = work.subject.anatomy.n_blocks + 1
    run_pass(work, lambda captured: kept.append(all_layers(captured, n_layers)[1:]))
    found = {}
    for name, peer in peers.items():
        stop = -1 if name == HF else None
        found[name] = disagreement(kept[0][:stop], pooled_by(work, peer)[:stop])
    return found


def contestants_of(
    work: Work, peers: dict[str, Peer], study: Study
) -> dict[str, Callable[[], object]]:
    """Everyone who takes turns."""
    n_layers = work.subject.anatomy.n_blocks + 1
    eights = in_eights(work)

    def whole(captured: Captured) -> None:
        analyse(
            study,
            work.corpus,
            work.tokens,
            instruments=asked(study),
            captured=captured,
            progress=Silent(),
        )

    return {
        FLOOR: lambda: bare(work.subject, work.inputs),
        PASS: lambda: run_pass(work),
        MEASURED: lambda: run_pass(work, lambda captured: bare_measures(captured, n_layers)),
        ANALYSED: lambda: run_pass(work, whole),
        NAIVE: lambda: bare(work.subject, eights.inputs),
        **{name: lambda peer=peer: pooled_by(work, peer) for name, peer in peers.items()},
        **{
            f"{name}{EIGHTS}": lambda peer=peer: pooled_by(eights, peer)
            for name, peer in peers.items()
        },
    }


def measure(*, quick: bool = False) -> dict[str, Any]:
    """Time everyone; ``quick`` only shows that it runs."""
    subject = load("builtin", dtype="float32", device="cpu")
    work = prepare(subject, 4 if quick else 8)
    peers = {HF: transformers_peer(subject)}
    for name, make in LIBRARIES.items():
        peers[name] = make(load("builtin", dtype="float32", device="cpu"))
    differences = compare(work, peers)
    study = Study(bootstrap=200, permutations=200, analyses=("cka", "regions", "alignment"))
    seconds = take_turns(contestants_of(work, peers, study), repeats=2 if quick else 5)
    best = min((f"{name}{EIGHTS}" for name in LIBRARIES), key=lambda name: median(seconds[name]))
    n_tokens = work.tokens.n_tokens
    return {
        "texts": len(work.tokens.texts),
        "tokens": n_tokens,
        "dtype": "float32",
        "seconds": seconds,
        "tokens_per_second": {name: n_tokens / median(s) for name, s in seconds.items()},
        "to_floor": {name: speed_ratio(seconds, name, FLOOR) for name in seconds},
        "best_library": best,
        "pass_to": {name: speed_ratio(seconds, PASS, name) for name in seconds if name != PASS},
        "differences": differences,
    }


def rows(result: dict[str, Any]) -> list[Row]:
    """Speeds, ratios to the floor, and the pass against each peer."""
    found = []
    for name, ratio in result["to_floor"].items():
        speed = f"{result['tokens_per_second'][name]:,.0f} tok/s"
        row = Row("pass", f"{name} / floor", f"{spread(ratio)}, {speed}")
        if name == FLOOR:
            size = f"{result['texts']} texts, {result['tokens']:,} tokens, {result['dtype']}"
            row = Row("pass", f"floor: bare forward, {size}", speed)
        if name == PASS:
            row = at_least(row, ratio["median"], target=TARGETS["floor"])
        found.append(row)
    for name, ratio in result["pass_to"].items():
        if name in {FLOOR, MEASURED, ANALYSED}:
            continue
        row = Row("pass", f"pass / {name}", spread(ratio))
        if name == result["best_library"]:
            row = at_least(row, ratio["median"], target=TARGETS["library"])
        found.append(row)
    for name, value in result["differences"].items():
        found.append(Row("pass", f"vectors of {name} differ by", f"{value:.1e}"))
    return found
