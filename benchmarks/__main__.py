"""One command, one table: ``python -m benchmarks [--only NAME] [--quick] [--json]``.

Each benchmark runs in a process of its own, so that none inherits memory, threads or rewired
modules from another. Each takes minutes on two cores; ``--quick`` shows in some
minutes that everything runs, and its figures mean nothing.
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
from typing import Any

from benchmarks.apart import measure_apart
from benchmarks.common import Row, machine, table

NAMES = (
    "cka",
    "alignment",
    "probes",
    "pass",
    "dtype",
    "memory",
    "neurons",
    "lens",
    "workbench",
    "erase",
)


def rows(name: str, result: dict[str, Any]) -> list[Row]:
    """Lines of one benchmark in the table."""
    if name == "cka":
        return cka_rows(result)
    found: list[Row] = importlib.import_module(f"benchmarks.bench_{name}").rows(result)
    return found


def cka_rows(result: dict[str, Any]) -> list[Row]:
    """Lines of ``bench_cka``."""
    size = f"{result['layers']} layers × {result['languages']} languages × {result['units']} units"
    return [
        Row("cka", f"all pairs, {size}", f"{result['probekit_seconds']:.2f} s"),
        Row("cka", "loop over pairs and draws / ours", f"{result['ratio']:,.0f}× (scaled)"),
        Row("cka", "largest difference of a pair", f"{result['largest_difference']:.1e}"),
    ]


def parse() -> argparse.Namespace:
    """Read the options."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description=__doc__.split("\n")[0]
    )
    parser.add_argument("--only", choices=NAMES, action="append", help="run only this benchmark")
    parser.add_argument("--quick", action="store_true", help="only show that everything runs")
    parser.add_argument("--json", action="store_true", help="print JSON instead of the table")
    return parser.parse_args()


def strict_json(content: dict[str, Any]) -> str:
    """JSON in which an infinite or missing number is a string, as the standard wants."""
    return json.dumps(json.loads(json.dumps(content), parse_constant=str), indent=1)


def main() -> None:
    """Run what was asked for and print it."""
    options = parse()
    facts, results = machine(), {}
    for name in options.only or NAMES:
        sys.stderr.write(f"running {name} …\n")
        results[name] = measure_apart(name, quick=options.quick)
    if options.json:
        print(strict_json({"machine": facts, "quick": options.quick, "results": results}))
        return
    print(", ".join(f"{name} {value}" for name, value in facts.items()))
    if options.quick:
        print("--quick: these figures only show that everything runs")
    print(table([row for name, result in results.items() for row in rows(name, result)]))


if __name__ == "__main__":
    main()
