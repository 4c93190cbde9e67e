"""Hosts, origins, tokens, sizes and headers: what gets in, and what every answer says."""

from __future__ import annotations

import base64
import hashlib
import re
from urllib.parse import parse_qs, urlsplit

import pytest

from probekit.errors import InputError
from probekit_app import create_app
from probekit_app.security import LARGEST_BODY, LONGEST_URL, host_of
from probekit_app.serving import checked_token, host_names, make_server

UPDATE = "/_dash-update-component"
TOKEN = "a-token-of-twenty-four-ch"


def test_every_answer_has_the_headers(client):
    for path in (
        "/",
        "/overview?run=base",
        "/assets/workbench.css",
        "/data/overview/story.csv",
        "/card/overview/story?run=base",
        "/x/y",
    ):
        answer = client.get(path)
        answer.close()
        headers = answer.headers
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["X-Frame-Options"] == "DENY"
        assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]


def test_scripts_are_own_files_or_have_a_known_hash(client):
    answer = client.get("/")
    policy = answer.headers["Content-Security-Policy"]
    rule = next(part for part in policy.split("; ") if part.startswith("script-src"))
    assert "unsafe" not in rule
    text = answer.get_data(as_text=True)
    for attributes, script in re.findall(r"<script([^>]*)>(.*?)</script>", text, flags=re.DOTALL):
        if "src=" in attributes:
            assert 'src="/' in attributes, attributes
        elif "application/json" not in attributes:
            digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
            assert f"'sha256-{digest}'" in rule
    assert "http://" not in text
    assert "https://" not in text


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example:8050", "10.0.0.1", "", "a@localhost"]
)
def test_another_host_is_refused(client, host):
    assert client.get("/", headers={"Host": host}).status_code in {400, 403}


@pytest.mark.parametrize("host", ["127.0.0.1:8050", "localhost:9", "LOCALHOST", "[::1]:80"])
def test_this_machine_is_answered(client, host):
    assert client.get("/", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://localhost:1"},
        {"Sec-Fetch-Site": "cross-site"},
    ],
)
def test_a_post_from_another_site_is_refused(client, headers):
    assert client.post(UPDATE, json={}, headers=headers).status_code == 403


def test_a_post_must_be_json(client):
    assert client.post(UPDATE, data="x=1").status_code == 415


def test_a_post_from_here_is_read(client):
    answer = client.post(UPDATE, json={}, headers={"Origin": "http://localhost"})
    assert answer.status_code not in {403, 415}


def test_an_address_that_is_too_long_is_414(client):
    assert client.get("/?x=" + "a" * LONGEST_URL).status_code == 414
    assert client.get("/?x=" + "a" * 1000).status_code == 200


def test_a_body_that_is_too_large_is_413(client):
    body = "[" + "1," * LARGEST_BODY + "1]"
    assert client.post(UPDATE, data=body, content_type="application/json").status_code == 413


def test_no_traceback_ever_leaves(client):
    answer = client.post(UPDATE, json={"output": "nothing.here", "inputs": []})
    assert "Traceback" not in answer.get_data(as_text=True)


def test_dash_adds_no_doors(app):
    rules = {str(rule) for rule in app.server.url_map.iter_rules()}
    assert not [rule for rule in rules if "mcp" in rule or "_dash-ws" in rule]
    assert not app.server.debug


def test_elsewhere_a_token_is_asked_for_once(runs):
    client = create_app(runs, hosts=("*",), token=TOKEN).server.test_client()
    assert client.get("/").status_code == 401
    assert client.get("/?token=wrong").status_code == 401
    answer = client.get(f"/overview?token={TOKEN}")
    assert answer.status_code == 302
    assert TOKEN not in answer.headers["Location"]
    assert "HttpOnly" in answer.headers["Set-Cookie"]
    assert "SameSite=Strict" in answer.headers["Set-Cookie"]
    assert client.get("/").status_code == 200


def test_a_link_with_a_token_keeps_what_else_it_says(runs):
    client = create_app(runs, hosts=("*",), token=TOKEN).server.test_client()
    asked = "run=group/other&langs=en,sw&selection.where=depth%20%3E%200&token=" + TOKEN
    to = urlsplit(client.get(f"/overview?{asked}&layer=2").headers["Location"])
    assert to.path == "/overview"
    assert parse_qs(to.query) == {
        "run": ["group/other"],
        "langs": ["en,sw"],
        "selection.where": ["depth > 0"],
        "layer": ["2"],
    }
    away = client.get(f"//evil.example/x?token={TOKEN}").headers["Location"]
    assert urlsplit(away).netloc in {"", "localhost"}


def test_a_token_is_made_only_where_it_is_needed():
    assert checked_token("127.0.0.1", None) == ""
    assert len(checked_token("0.0.0.0", None)) >= 24
    assert checked_token("0.0.0.0", TOKEN) == TOKEN
    with pytest.raises(InputError, match="at least 16"):
        checked_token("0.0.0.0", "short")


def test_listening_everywhere_answers_any_name_unless_names_are_given():
    assert host_names("0.0.0.0", ()) == ("*",)
    assert host_names("0.0.0.0", ("lab.example",)) == ("0.0.0.0", "lab.example")
    assert host_names("192.168.1.2", ()) == ("192.168.1.2",)


def test_the_port_of_a_host_is_left_out():
    assert host_of("localhost:8050") == "localhost"
    assert host_of("[::1]:80") == "[::1]"
    assert host_of("localhost") == "localhost"


def test_a_taken_port_is_one_clear_error(app, capfd):
    server = make_server(app, host="127.0.0.1", port=0)
    try:
        with pytest.raises(InputError, match="Choose another with --port"):
            make_server(app, host="127.0.0.1", port=server.port)
    finally:
        server.server_close()
    capfd.readouterr()
