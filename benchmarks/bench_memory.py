"""Peak memory of ``probekit run`` on a corpus and on ten times as much, and of ``probekit demo``.

The larger corpus repeats the sentences of the smaller one behind a number, so that lengths, batches
and shards stay alike and only their number grows. Every run is a process of its own.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.common import Row, at_most
from probekit import ParallelCorpus, open_corpus

ROOT = Path(__file__).parents[1]
TARGETS = {"ratio": 1.1, "demo_megabytes": 4000.0}


def repeated(corpus: ParallelCorpus, times: int) -> ParallelCorpus:
    """Repeat all units ``times`` times; the number comes first, so that no limit cuts it off."""
    return ParallelCorpus(
        name=f"repeated {times} times",
        units=tuple(f"{unit}-{k}" for k in range(times) for unit in corpus.units),
        texts={
            code: tuple(f"{k}. {text}" for k in range(times) for text in texts)
            for code, texts in corpus.texts.items()
        },
    )


def peak_of(folder: Path, *arguments: str) -> tuple[float, float]:
    """Peak MB and seconds of one command in a fresh process."""
    target = folder / "peak"
    command = [sys.executable, "-m", "benchmarks.peak", str(target), *arguments]
    start = time.perf_counter()
    subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    return float(target.read_text(encoding="utf-8")), time.perf_counter() - start


def peak_of_run(corpus: ParallelCorpus, max_tokens: int) -> dict[str, float]:
    """Peak of ``probekit run`` on a corpus."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        file = str(corpus.to_jsonl(folder / "corpus.jsonl"))
        run = ("run", "-o", str(folder / "run"), "--corpus", file, "--device", "cpu")
        megabytes, seconds = peak_of(folder, *run, "--max-tokens", str(max_tokens))
    return {"units": corpus.n_units, "megabytes": megabytes, "seconds": seconds}


def peak_of_demo(*, limit: int | None) -> dict[str, float | str]:
    """Peak of ``probekit demo``, or of the same run on the first ``limit`` units."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        command = ("demo",) if limit is None else ("run", "--limit", str(limit))
        megabytes, seconds = peak_of(folder, *command, "-o", str(folder / "run"))
    what = "probekit demo" if limit is None else f"probekit run --limit {limit}"
    return {"what": what, "megabytes": megabytes, "seconds": seconds}


def measure(*, quick: bool = False) -> dict[str, Any]:
    """Run three commands; ``quick`` repeats three times instead of ten and cuts the demo short."""
    times, max_tokens = (3, 8) if quick else (10, 16)
    corpus = open_corpus("builtin", limit=16)
    small = peak_of_run(repeated(corpus, 1), max_tokens)
    large = peak_of_run(repeated(corpus, times), max_tokens)
    return {
        "times": times,
        "languages": len(corpus.languages),
        "max_tokens": max_tokens,
        "small": small,
        "large": large,
        "ratio": large["megabytes"] / small["megabytes"],
        "demo": peak_of_demo(limit=8 if quick else None),
    }


def rows(result: dict[str, Any]) -> list[Row]:
    """Both peaks, their ratio, and the demo's peak."""
    languages = result["languages"]
    found = [
        Row(
            "memory",
            f"peak, {result[size]['units']} units × {languages}",
            f"{result[size]['megabytes']:,.0f} MB in {result[size]['seconds']:.0f} s",
        )
        for size in ("small", "large")
    ]
    ratio = Row("memory", f"peak of {result['times']}× / 1× the corpus", f"{result['ratio']:.3f}×")
    found.append(at_most(ratio, result["ratio"], target=TARGETS["ratio"]))
    demo = result["demo"]
    value = f"{demo['megabytes']:,.0f} MB in {demo['seconds']:.0f} s"
    row = Row("memory", f"peak, {demo['what']}", value)
    limit = TARGETS["demo_megabytes"]
    return [*found, at_most(row, demo["megabytes"], target=limit, unit=" MB")]
