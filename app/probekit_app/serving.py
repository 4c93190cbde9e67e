"""``serve``: the app on this machine; elsewhere only when asked, and then with a token."""

from __future__ import annotations

import logging
import secrets
import threading
from typing import TYPE_CHECKING

from probekit.errors import InputError
from probekit_app.application import create_app
from probekit_app.looks import prepare
from probekit_app.security import ANY_HOST, LOOPBACK

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Sequence

    from dash import Dash
    from werkzeug.serving import BaseWSGIServer

log = logging.getLogger(__name__)

PORT = 8050
_HERE = ("127.0.0.1", "localhost", "::1")


def serve(
    runs: str | os.PathLike[str],
    *,
    model: str = "",
    host: str = "127.0.0.1",
    port: int = PORT,
    token: str | None = None,
    names: Sequence[str] = (),
    read_only: bool = False,
    allow_studies: bool = False,
    ready: Callable[[str], None] | None = None,
) -> None:
    """Serve the workbench until interrupted.

    Parameters
    ----------
    runs
        Folder of runs, or a run.
    model
        Model for live views.
    host, port
        Where to listen; 0 takes any free port. The environment's ``HOST`` is not read.
    token
        What visitors from other machines must know; made up when ``host`` is not this machine.
    names
        Further host names that visitors may use.
    read_only
        Visitors look and start nothing.
    allow_studies
        Visitors from other machines may start studies too; on this machine they may anyway.
    ready
        Told the address once it answers.

    Raises
    ------
    InputError
        The port is taken, the token too short, or it is to be read-only and to start studies.
    """
    token = checked_token(host, token)
    studies = may_start(host, read_only=read_only, allow_studies=allow_studies)
    known = (*LOOPBACK, *host_names(host, names))
    app = create_app(runs, model=model, hosts=known, token=token, studies=studies)
    server = make_server(app, host=host, port=port)
    threading.Thread(target=warm_up, daemon=True).start()
    if ready is not None:
        ready(address_of(host, server.port, token=token))
    try:
        server.serve_forever()
    finally:
        server.server_close()


def address_of(host: str, port: int, *, token: str = "") -> str:
    """What to open in a browser."""
    shown = f"[{host}]" if ":" in host else host
    return f"http://{shown}:{port}/" + (f"?token={token}" if token else "")


def may_start(host: str, *, read_only: bool, allow_studies: bool) -> bool:
    """Whether visitors may start studies: those of this machine, unless it is read-only.

    Raises
    ------
    InputError
        Both are asked for.
    """
    if read_only and allow_studies:
        msg = "read_only and allow_studies exclude each other. Got both: drop one of the two."
        raise InputError(msg)
    return allow_studies or (host in _HERE and not read_only)


def host_names(host: str, names: Sequence[str]) -> tuple[str, ...]:
    """Names that visitors may use: those given; any, when listening on every interface."""
    if host in {"0.0.0.0", "::"} and not names:
        return (ANY_HOST,)
    return (f"[{host}]" if ":" in host else host.lower(), *(name.lower() for name in names))


def checked_token(host: str, token: str | None) -> str:
    """The token to ask for: none on this machine, else a long one.

    Raises
    ------
    InputError
        It is shorter than sixteen characters.
    """
    if token is None:
        return "" if host in _HERE else secrets.token_urlsafe(24)
    if len(token) < 16:
        msg = (
            f"token must have at least 16 characters. Got {len(token)}. Leave it out for a new one."
        )
        raise InputError(msg)
    return token


def make_server(app: Dash, *, host: str, port: int) -> BaseWSGIServer:
    """A server with a thread a request, debugger off.

    Raises
    ------
    InputError
        The port cannot be had.
    """
    from werkzeug.serving import WSGIRequestHandler, make_server

    class Handler(WSGIRequestHandler):
        protocol_version = "HTTP/1.1"  # one connection for many requests

        def version_string(self) -> str:
            """Whoever asks need not know what serves."""
            return "probekit"

        def log_request(self, *_: object) -> None:
            """Requests are not news."""

    try:
        return make_server(host, port, app.server, threaded=True, request_handler=Handler)
    except (OSError, SystemExit) as error:
        msg = f"port {port} of {host} cannot be had ({error}). Choose another with --port."
        raise InputError(msg) from error


def warm_up() -> None:
    """Load what the first figure and the first selection need, while the browser starts."""
    import plotly.graph_objects
    import plotly.subplots
    import scipy.stats
    import xarray

    prepare()
    log.debug("loaded %s", (plotly.subplots, plotly.graph_objects, scipy.stats, xarray))
