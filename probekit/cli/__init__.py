"""The command line: routes only. Every command fills a public object and calls one function.

Exit codes: 0 done, 1 finished with findings, 2 bad input, 3 interrupted and resumable.
"""

from __future__ import annotations

import logging
import re
import signal
import sys
from typing import TYPE_CHECKING, NoReturn

from probekit.cli import causes as causes
from probekit.cli import compare as compare
from probekit.cli import dashboard as dashboard
from probekit.cli import erasure as erasure
from probekit.cli import experiment as experiment
from probekit.cli import export as export
from probekit.cli import facts as facts
from probekit.cli import lenses as lenses
from probekit.cli import models as models
from probekit.cli import packing as packing
from probekit.cli import preflight as preflight
from probekit.cli import runs as runs
from probekit.cli import verification as verification
from probekit.cli.app import BAD_INPUT, FINDINGS, INTERRUPTED, STOPPED, app
from probekit.errors import InputError, InterruptedRun, ProbekitError, StorageError

if TYPE_CHECKING:
    from types import FrameType

__all__ = ["app", "as_options", "main"]


def main() -> NoReturn:
    """Entry point of the ``probekit`` command."""
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(message)s")
    logging.getLogger("probekit").setLevel(logging.INFO)
    signal.signal(signal.SIGTERM, _terminate)
    try:
        app(standalone_mode=True)
    except InterruptedRun as error:
        _leave(str(error), INTERRUPTED)
    except KeyboardInterrupt:
        _leave(STOPPED, INTERRUPTED)
    except (InputError, StorageError) as error:
        _leave(f"{type(error).__name__}: {error}", BAD_INPUT)
    except ProbekitError as error:
        _leave(f"{type(error).__name__}: {error}", FINDINGS)
    sys.exit(0)


def _leave(message: str, code: int) -> NoReturn:
    sys.stderr.write(" ".join(as_options(message).split()) + "\n")
    sys.exit(code)


def as_options(message: str) -> str:
    """Say a remedy as it is typed here: ``missing='drop-unit'`` becomes ``--missing drop-unit``."""
    message = re.sub(r"\b(labels|ignore)=\['([^']*)'\]", r"--\1 \2", message)
    message = re.sub(r"\b(missing|unit|sep)='([^']*)'", r"--\1 \2", message)
    return re.sub(r"\b(unit|sep)=\.\.\.", r"--\1", message)


def _terminate(_signal: int, _frame: FrameType | None) -> NoReturn:
    """SIGTERM stops like Ctrl-C, so that a scheduler's stop can be resumed too."""
    raise KeyboardInterrupt
