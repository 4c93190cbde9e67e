"""The example run that comes with probekit: a real one, small, to look at before making any.

It is the demo run, packed (see ``probekit.runs.packing``); the first use unpacks it into the cache
in under a second.
"""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

from probekit.cache import cache_root
from probekit.errors import RunError
from probekit.runs import unpack
from probekit_app.application import assets_folder

FILE = "example-run.zip"
NAME = "example"


def example_runs() -> Path:
    """A folder of runs that holds the example.

    Raises
    ------
    RunError
        The example is missing or damaged.
    """
    packed = assets_folder() / FILE
    if not packed.is_file():
        msg = (
            f"example run {str(packed)!r} is missing. Install probekit again, or make a run: "
            "'probekit demo -o runs/demo'."
        )
        raise RunError(msg)
    digest = hashlib.sha256(packed.read_bytes()).hexdigest()
    folder = cache_root() / f"{NAME}-{digest[:12]}"
    if not (folder / NAME / "manifest.json").is_file():
        shutil.rmtree(folder / NAME, ignore_errors=True)
        unpack(packed, folder / NAME)
    return folder
