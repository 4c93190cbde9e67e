"""The model's own process: a request a line in, an answer a line out, both JSON.

The first line in names the model; the first line out says that it is loaded, or why it is not. The
process ends when its input does, so it never outlives whoever started it, however that ended.
"""

from __future__ import annotations

import json
import logging
import os
import queue
import sys
import threading
from typing import TYPE_CHECKING, Any, TextIO

from probekit.errors import InputError, NumericalError, ProbekitError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from probekit.logit_lens import PromptLens
    from probekit.models import Subject

log = logging.getLogger(__name__)


def answer(subject: Subject, request: dict[str, Any]) -> dict[str, Any]:
    """``{"grid": …}`` of a text, or ``{"problem": …}`` in one line; never raises.

    Parameters
    ----------
    subject
        The loaded model.
    request
        ``text``; ``top``, tokens kept of a cell; ``cells``, layers × tokens that are allowed.
    """
    from probekit.logit_lens import lens
    from probekit_app.live.grids import grid_of

    try:
        check_size(subject, request["text"], cells=request["cells"])
        found = lens(subject, request["text"], top=request["top"])
        check_finite(found)
        return {"grid": grid_of(found)}
    except ProbekitError as error:
        return {"problem": str(error)}
    except Exception as error:  # a model can raise anything; the next text is another matter
        log.exception("the live lens failed")
        kind = type(error).__name__
        return {"problem": f"The model failed on this text ({kind}); the log says more."}


def check_size(subject: Subject, text: str, *, cells: int) -> None:
    """Refuse a text with more tokens than a page can show.

    Raises
    ------
    InputError
        Layers × tokens are more than ``cells``.
    """
    layers = subject.anatomy.n_blocks + 1
    most = max(1, cells // layers)
    tokens = len(subject.tokenizer(text, verbose=False)["input_ids"])
    if tokens > most:
        msg = (
            f"a text must have at most {most} tokens to be shown over {layers} layers. Got "
            f"{tokens}. Shorten it."
        )
        raise InputError(msg)


def check_finite(found: PromptLens) -> None:
    """Refuse numbers that JSON has no word for, as a broken model makes them.

    Raises
    ------
    NumericalError
        There is one.
    """
    import numpy as np

    if not all(np.isfinite(each).all() for each in (found.entropy, found.kl)):
        msg = "the model gives numbers that are not finite on this text. Check it with doctor."
        raise NumericalError(msg)


def loaded(name: str) -> tuple[Subject | None, dict[str, Any]]:
    """The subject, and the line that says so; or None, and why not."""
    from probekit.models import load
    from probekit.models.head import require_head

    try:
        subject = load(name)
        require_head(subject)
    except (ProbekitError, OSError) as error:
        return None, {"problem": str(error)}
    except Exception as error:  # whatever a model's files make of themselves
        log.exception("model %r could not be loaded", name)
        return None, {"problem": f"Model {name!r} cannot be loaded ({type(error).__name__})."}
    return subject, {"model": subject.source, "n_blocks": subject.anatomy.n_blocks}


def work(lines: Iterable[str], say: Callable[[dict[str, Any]], None]) -> None:
    """Load the model that the first line names, then answer each further line."""
    incoming = iter(lines)
    first = next(incoming, None)
    if first is None:
        return
    subject, said = loaded(json.loads(first)["model"])
    say(said)
    if subject is None:
        return
    for line in incoming:
        say(answer(subject, json.loads(line)))


def main() -> None:
    """Work on standard input and output until the input ends."""
    os.environ["HF_HUB_DISABLE_PROGRESS_BARS"] = "1"
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
    answers = _own_output()

    def say(message: dict[str, Any]) -> None:
        answers.write(json.dumps(message) + "\n")
        answers.flush()

    work(_lines(), say)


def _own_output() -> TextIO:
    """Standard output for answers alone: what a library prints goes to standard error."""
    own = os.fdopen(os.dup(1), "w", encoding="ascii")
    os.dup2(2, 1)
    return own


def _lines() -> Iterable[str]:
    """Lines of the input; its end ends the process at once, whatever is being computed."""
    found: queue.Queue[str] = queue.Queue()

    def read() -> None:
        for line in sys.stdin:
            found.put(line)
        os._exit(0)

    threading.Thread(target=read, daemon=True).start()
    while True:
        yield found.get()


if __name__ == "__main__":
    main()
