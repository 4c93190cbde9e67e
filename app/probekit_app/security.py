"""What every request must pass, and what every response says; before any page is looked at.

The workbench answers its own pages only: the Host must be the one it serves, a POST must come from
its own origin, and from anywhere but this machine a token is needed. Scripts run only from its own
files, or inline with a known hash.
"""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from flask import Response, make_response, redirect, request

if TYPE_CHECKING:
    from collections.abc import Sequence

    from flask import Flask
    from werkzeug.wrappers import Response as AnyResponse

LONGEST_URL = 8192
LARGEST_BODY = 1 << 20
LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
#: Answer to any name. Safe only with a token, whose cookie no other name's page can use.
ANY_HOST = "*"
COOKIE = "probekit_token"
_CROSS = frozenset({"cross-site", "same-site"})


def protect(
    server: Flask, *, hosts: Sequence[str], token: str = "", hashes: Sequence[str] = ()
) -> None:
    """Check every request of a server and add headers to every response.

    Parameters
    ----------
    server
        The Flask server of the app.
    hosts
        Host names that a request may give, without port.
    token
        What a visitor must know; empty where only this machine can connect.
    hashes
        Of the inline scripts of the page.
    """
    server.config["MAX_CONTENT_LENGTH"] = LARGEST_BODY
    policy = content_policy(hashes)

    @server.before_request
    def check() -> AnyResponse | None:
        for test in (_long_url, _foreign_post):
            if (refused := test()) is not None:
                return refused
        if ANY_HOST not in hosts and host_of(request.host) not in hosts:
            return refusal(403, "This host name is not served here.")
        return _without_token(token) if token else None

    @server.after_request
    def add_headers(response: Response) -> Response:
        for name, value in HEADERS.items():
            response.headers[name] = value
        response.headers["Content-Security-Policy"] = policy
        if not request.path.startswith(("/_dash-component-suites/", "/assets/")):
            response.headers["Cache-Control"] = "no-store"
        return response


HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}


def content_policy(hashes: Sequence[str]) -> str:
    """Content-Security-Policy: own files only; styles may be inline, as plotly writes them."""
    rules = {
        "default-src": "'none'",
        "script-src": " ".join(("'self'", *hashes)),
        "style-src": "'self' 'unsafe-inline'",
        "img-src": "'self' data: blob:",
        "font-src": "'self' data:",
        "connect-src": "'self'",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
    }
    return "; ".join(f"{name} {value}" for name, value in rules.items())


def host_of(text: str) -> str:
    """``127.0.0.1:8050`` without its port; lower case."""
    host, _, port = text.rpartition(":")
    return (host if port.isdecimal() and host else text).lower()


def _long_url() -> Response | None:
    if len(request.full_path) > LONGEST_URL:
        return refusal(414, "This address is too long.")
    return None


def _foreign_post() -> Response | None:
    """A browser says where a POST comes from; anywhere else than here is refused."""
    if request.method in {"GET", "HEAD", "OPTIONS"}:
        return None
    origin = request.headers.get("Origin")
    own = {f"http://{request.host}", f"https://{request.host}"}
    foreign = origin is not None and origin not in own
    if foreign or request.headers.get("Sec-Fetch-Site") in _CROSS:
        return refusal(403, "This request comes from another site.")
    if request.mimetype != "application/json":
        return refusal(415, "Only JSON is read here.")
    return None


def _without_token(token: str) -> AnyResponse | None:
    """Ask for the token once, in the address; keep it in a cookie that no script can read."""
    if _same(request.cookies.get(COOKIE, ""), token):
        return None
    if not _same(request.args.get("token", ""), token):
        return refusal(401, "Open the address with ?token=… that the terminal printed.")
    kept = [(name, value) for name, value in request.args.items(multi=True) if name != "token"]
    path = f"/{request.path.lstrip('/')}"  # two slashes would name another host
    response = make_response(redirect(f"{path}?{urlencode(kept)}" if kept else path))
    response.set_cookie(COOKIE, token, httponly=True, samesite="Strict", secure=request.is_secure)
    return response


def _same(given: str, wanted: str) -> bool:
    return hmac.compare_digest(given.encode(), wanted.encode())


def refusal(status: int, text: str) -> Response:
    """A refusal in one line of plain text."""
    return Response(f"{text}\n", status=status, mimetype="text/plain")
