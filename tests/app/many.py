"""Many clients at one server: what they ask, and what each of them was told.

``PROBEKIT_ENDURANCE_SECONDS=60 pytest tests/app/test_every_page.py -k endure`` asks for a minute
instead of the few rounds that every run of the tests has.
"""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import re
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from probekit_app.cards import GridCard
from probekit_app.page import pages

SECONDS = float(os.environ.get("PROBEKIT_ENDURANCE_SECONDS", "0"))
#: Dash signs every index anew.
_SIGNED = re.compile(rb'"end_id":"[^"]*"')
UPDATE = "/_dash-update-component"


@dataclass(frozen=True)
class Request:
    """One request: a GET, or the POST of a callback."""

    path: str
    body: str = ""


def serving():
    """Threads in which the server answers; those of libraries' pools (zarr's) are not its own."""
    return [each for each in threading.enumerate() if "process_request" in each.name]


@dataclass
class Told:
    """Status codes, digests of the answers by request, and how many threads answered at most."""

    statuses: set[int] = field(default_factory=set)
    answers: dict[Request, set[str]] = field(default_factory=dict)
    threads: int = 0
    n: int = 0
    left: list[threading.Thread] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def note(self, request, status, body):
        digest = hashlib.sha256(_SIGNED.sub(b"", body)).hexdigest()
        with self.lock:
            self.statuses.add(status)
            self.answers.setdefault(request, set()).add(digest)
            self.threads = max(self.threads, len(serving()))
            self.n += 1


def frame(path, query):
    """What the browser posts when a page is opened."""
    asked = {"id": "frame", "property": "data", "value": {"path": path, "query": query}}
    body = {
        "output": "..page.children...opened.data..",
        "outputs": [{"id": "page", "property": "children"}, {"id": "opened", "property": "data"}],
        "inputs": [asked],
        "changedPropIds": ["frame.data"],
    }
    return Request(UPDATE, json.dumps(body))


def card(page, found, query):
    """What the browser asks for when a card is to be drawn."""
    return Request(f"/card/{page.slug}/{found.name}{query}&theme=light")


def requests_of(runs, *, layers):
    """Index, frames, cards and data of every page of every run, at every layer given."""
    shown = [page for page in pages().values() if page.exported and page.path != "/trial"]
    found = [Request("/")]
    for name in runs:
        for layer in layers:
            query = f"?run={name}&layer={layer}"
            found += [frame(page.path, query) for page in shown]
            found += [card(page, each, query) for page in shown for each in page.cards]
            found += [
                Request(f"/data/{page.slug}/{each.name}.json{query}")
                for page in shown
                for each in page.cards
                if "layer" in each.follows and not isinstance(each, GridCard)
            ]
    return found


def ask(address, asked, *, clients, each):
    """Let so many clients ask at once, each so many requests, all of them in another order."""
    told, together = Told(), threading.Barrier(clients)
    before = set(serving())

    def visit(client):
        place = urlsplit(address)
        connection = http.client.HTTPConnection(place.hostname, place.port, timeout=300)
        together.wait()
        until = time.monotonic() + SECONDS
        step = 0
        while step < each or time.monotonic() < until:
            # neighbours share a request now and then, so that one card is asked for by many
            _one(connection, asked[(client // 2 * 7 + step * 5) % len(asked)], told)
            step += 1
        connection.close()

    with ThreadPoolExecutor(clients) as pool:
        list(pool.map(visit, range(clients)))
    for thread in set(serving()) - before:
        thread.join(timeout=60)
    told.left = [each for each in serving() if each not in before]
    return told


def _one(connection, request, told):
    headers = {"Content-Type": "application/json"} if request.body else {}
    connection.request("POST" if request.body else "GET", request.path, request.body, headers)
    answer = connection.getresponse()
    told.note(request, answer.status, answer.read())
