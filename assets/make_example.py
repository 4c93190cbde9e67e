"""Makes the example run that ``probekit dashboard`` opens where there is no other.

``python assets/make_example.py runs/demo`` packs a finished run of ``probekit demo`` into
``assets/example-run.zip``.
"""

from __future__ import annotations

import sys
from pathlib import Path

import probekit
from probekit.runs import pack

LARGEST = 5_000_000

if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python assets/make_example.py RUN")
    out = Path(__file__).parent / "example-run.zip"
    fresh = out.with_suffix(".new.zip")
    fresh.unlink(missing_ok=True)
    pack(probekit.open_run(sys.argv[1]), fresh)
    if fresh.stat().st_size >= LARGEST:
        sys.exit(f"{fresh} has {fresh.stat().st_size:,} bytes; it must have fewer than {LARGEST:,}")
    fresh.replace(out)
    sys.stdout.write(f"{out}: {out.stat().st_size:,} bytes\n")
