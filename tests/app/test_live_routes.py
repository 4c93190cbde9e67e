"""Addresses of the live lens: from the own page only, refusals with their limit, no traceback."""

from __future__ import annotations

import pytest
from flask import Flask

from probekit_app.live import routes
from probekit_app.live.readings import LiveLens
from probekit_app.security import LOOPBACK, protect
from tests.app.live import FAKE

HERE = {"Origin": "http://localhost"}


@pytest.fixture
def live():
    made = LiveLens("fake", command=FAKE, most_waiting=1)
    yield made
    made.close()


@pytest.fixture
def client(live):
    return client_of(live)


def client_of(live):
    server = Flask(__name__)
    routes.register(server, live)
    protect(server, hosts=LOOPBACK)
    return server.test_client()


def post(client, texts, **headers):
    return client.post("/live/lens", json={"texts": texts}, headers={**HERE, **headers})


def test_texts_become_a_ticket_and_then_grids(client, live):
    answer = post(client, ["<script>", " ", "ไทย"])
    assert answer.status_code == 202
    assert answer.json["texts"] == ["<script>", "ไทย"]
    live.wait(live.reading(answer.json["ticket"]), seconds=60)
    told = client.get(f"/live/lens/{answer.json['ticket']}").json
    assert (told["stage"], told["model"], told["problem"]) == ("done", "fake", "")
    assert [each["grid"]["text"] for each in told["found"]] == ["<script>", "ไทย"]
    later = client.get(f"/live/lens/{answer.json['ticket']}?have=1").json
    assert [each["grid"]["text"] for each in later["found"]] == ["ไทย"]


@pytest.mark.parametrize(
    ("texts", "words"),
    [([], "empty"), (["x" * 10_000], "1,000 characters"), (["x"] * 7, "at most 6"), (1, "must be")],
)
def test_bad_requests_are_refused_in_words(client, texts, words):
    answer = post(client, texts)
    assert answer.status_code == 400
    assert words in answer.json["problem"]


def test_a_full_queue_says_busy(client, live):
    first = post(client, ["hang"])
    reading = live.reading(first.json["ticket"])
    with live._changed:
        live._changed.wait_for(lambda: reading.stage == "reading", timeout=60)
    assert routes.told(live, reading, have=0)["words"] == "Reading text 1 of 1 …"
    second = post(client, ["a"])
    assert second.status_code == 202
    assert client.get(f"/live/lens/{second.json['ticket']}").json["words"] == "Waiting."
    third = post(client, ["b"])
    assert third.status_code == 429
    assert "busy" in third.json["problem"]


def test_other_sites_and_other_types_are_kept_out(client):
    assert post(client, ["a"], Origin="http://evil.example").status_code == 403
    assert post(client, ["a"], **{"Sec-Fetch-Site": "cross-site"}).status_code == 403
    assert post(client, ["a"], Host="evil.example", Origin="http://evil.example").status_code == 403
    plain = client.post("/live/lens", data='{"texts":["a"]}', content_type="text/plain")
    assert plain.status_code == 415


def test_broken_json_is_refused(client):
    answer = client.post("/live/lens", data="{", content_type="application/json", headers=HERE)
    assert answer.status_code == 400


def test_an_unknown_ticket_is_said(client):
    answer = client.get("/live/lens/guessed")
    assert answer.status_code == 404
    assert "no longer kept" in answer.json["problem"]


def test_without_a_model_the_way_to_one_is_said():
    client = client_of(None)
    answer = post(client, ["a"])
    assert answer.status_code == 404
    assert "--model" in answer.json["problem"]
    assert client.get("/live/lens/any").status_code == 404
