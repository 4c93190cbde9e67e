"""Processes that stand in for the live lens's worker: no model, the same lines."""

from __future__ import annotations

import sys

#: Answers each text with itself; ``hang`` never comes back, ``die`` ends it, ``loud`` prints.
FAKE = (
    sys.executable,
    "-c",
    """
import os, signal
from probekit_app.live import worker

def loaded(name):
    return (None, {"problem": "no such model"}) if name == "none" else (name, {"model": name})

def answer(subject, request):
    if request["text"] == "hang":
        signal.pause()
    if request["text"] == "die":
        os._exit(3)
    if request["text"] == "loud":
        print("a library that prints")
    return {"grid": {"text": request["text"], "pid": os.getpid()}}

worker.loaded, worker.answer = loaded, answer
worker.main()
""",
)
