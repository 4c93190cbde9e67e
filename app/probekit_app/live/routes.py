"""``POST /live/lens`` puts texts in the queue, ``GET /live/lens/TICKET`` says how far they are.

Behind ``security.protect`` like every address: own host, own origin, JSON only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask import Response, jsonify, request

from probekit.errors import InputError
from probekit_app.live.limits import checked_texts
from probekit_app.live.readings import BusyError

if TYPE_CHECKING:
    from flask import Flask

    from probekit_app.live.readings import LiveLens, Reading

NO_MODEL = (
    "This workbench was started without a model. Start it again with --model, as in 'probekit "
    "dashboard runs --model builtin'."
)
GONE = "This reading is no longer kept. Read the texts again."


def register(server: Flask, live: LiveLens | None) -> None:
    """Serve the live lens; without a model say how to get one."""

    @server.post("/live/lens")
    def ask() -> tuple[Response, int]:
        if live is None:
            return jsonify(problem=NO_MODEL), 404
        return submitted(live, request.get_json(silent=True))

    @server.get("/live/lens/<ticket>")
    def look(ticket: str) -> tuple[Response, int]:
        reading = None if live is None else live.reading(ticket)
        if live is None or reading is None:
            return jsonify(problem=GONE), 404
        have = request.args.get("have", default=0, type=int)
        return jsonify(told(live, reading, have=max(0, have))), 200


def submitted(live: LiveLens, asked: Any) -> tuple[Response, int]:
    """Put a request in the queue: its ticket, or what is wrong with it."""
    try:
        reading = live.submit(checked_texts(asked))
    except InputError as error:
        return jsonify(problem=str(error)), 400
    except BusyError as error:
        return jsonify(problem=str(error)), 429
    return jsonify(ticket=reading.ticket, texts=list(reading.texts)), 202


def told(live: LiveLens, reading: Reading, *, have: int) -> dict[str, Any]:
    """How far a request is, in words too, and what was found since ``have`` answers."""
    stage, found = reading.stage, list(reading.found)
    return {
        "stage": stage,
        "words": _words(live, reading, read=len(found)),
        "problem": reading.problem,
        "model": live.child.loaded.get("model", live.model),
        "found": found[have:],
    }


def _words(live: LiveLens, reading: Reading, *, read: int) -> str:
    if reading.stage == "waiting":
        before = live.before(reading)
        return f"Waiting; {before} before this one." if before > 1 else "Waiting."
    if reading.stage == "loading":
        return f"Loading {live.model} …"
    if reading.stage == "reading":
        return f"Reading text {min(read + 1, len(reading.texts))} of {len(reading.texts)} …"
    return "" if reading.stage == "done" else "This failed."
