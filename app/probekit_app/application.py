"""``create_app``: the Dash app over a folder of runs. Makes everything anew; nothing at import."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from dash import Dash, dcc, html

from probekit_app import callbacks, card_routes, data_routes
from probekit_app.cards import GridCard
from probekit_app.jobs import Jobs
from probekit_app.page import pages
from probekit_app.runs_folder import RunsFolder
from probekit_app.security import LOOPBACK, protect
from probekit_app.workbench import Workbench

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dash.development.base_component import Component

#: Our script stands in the head: it sets the theme before anything is painted. Plotly's cartesian
#: bundle is a third of the whole one; the script runs it while the first page is asked for.
INDEX = """<!DOCTYPE html>
<html lang="en">
<head>
{%metas%}
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{%title%}</title>
{%favicon%}
{%css%}
<script src="/assets/workbench.js"></script>
<link rel="preload" as="script" href="/assets/plotly-cartesian.min.js">
<script defer src="/assets/lens.js"></script>
</head>
<body>
{%app_entry%}
{%config%}
{%scripts%}
{%renderer%}
</body>
</html>
"""


def create_app(
    runs: str | os.PathLike[str],
    *,
    model: str = "",
    hosts: Sequence[str] = LOOPBACK,
    token: str = "",
    studies: bool = False,
) -> Dash:
    """The workbench over a folder of runs, or over one run.

    Parameters
    ----------
    runs
        Folder of runs, nested at most two deep, or a run.
    model
        Model for live views; none is ever loaded without it.
    hosts
        Host names that it answers to.
    token
        What a visitor must know; needed where others than this machine can connect.
    studies
        Whether visitors may start studies, which read models and files of this machine.

    Raises
    ------
    RunError
        There is no such folder.
    """
    folder = RunsFolder(Path(runs))
    bench = Workbench(folder, model=model, jobs=_jobs(folder) if studies else None)
    if any(isinstance(card, GridCard) for page in pages().values() for card in page.cards):
        import dash_ag_grid  # noqa: F401 - a library must be there before the page is served
    app = _empty_app()
    app.layout = layout()
    callbacks.register(app, bench)
    for page in pages().values():
        if page.setup is not None:
            page.setup(app, bench)
    card_routes.register(app.server, bench)
    data_routes.register(app.server, bench)
    protect(app.server, hosts=tuple(hosts), token=token, hashes=app.csp_hashes())
    app.server.extensions["probekit"] = bench
    return app


def _jobs(runs: RunsFolder) -> Jobs | None:
    """Studies over a folder of runs; none inside a run, nor where processes have no groups."""
    if runs.is_a_run or os.name != "posix":
        return None
    jobs = Jobs(runs.root)
    jobs.recover()
    return jobs


def _empty_app() -> Dash:
    """A Dash app that serves everything itself and opens no door that we do not use."""
    return Dash(
        __name__,
        title="probekit",
        update_title="",
        assets_folder=str(assets_folder()),
        assets_ignore=r"^(?!workbench\.css$).*",
        index_string=INDEX,
        serve_locally=True,
        suppress_callback_exceptions=True,
        enable_mcp=False,
        websocket_callbacks=False,
        use_pages=False,
        pages_folder="",
        add_log_handler=False,
    )


def assets_folder() -> Path:
    """Where the stylesheet and the script lie: inside the wheel, or at the top of the sources."""
    here = Path(__file__).resolve().parent
    inside = here / "assets"
    return inside if inside.is_dir() else here.parent.parent / "assets"


def layout() -> Component:
    """The four places that everything is put into, and the stores between them."""
    return html.Div(
        [
            dcc.Location(id="url", refresh=False),
            dcc.Store(id="frame"),
            dcc.Store(id="opened"),
            html.A("Skip to content", href="#page", className="skip"),
            html.Header(
                [
                    html.A("probekit", href="/runs", className="brand", **{"data-page": "/runs"}),
                    html.Nav(id="navigation", **{"aria-label": "Pages"}),
                    theme_switch(),
                ],
                className="top",
            ),
            html.Div(id="bar", className="bar", role="region", **{"aria-label": "Selection"}),
            html.Div(id="notices", role="status", **{"aria-live": "polite"}),
            html.Main(html.Div("Loading …", className="page loading"), id="page", tabIndex=-1),
        ],
        id="workbench",
    )


def theme_switch() -> Component:
    """Light, dark, or as the system says."""
    words = {"auto": "Auto", "light": "Light", "dark": "Dark"}
    buttons = [
        html.Button(text, type="button", **{"data-theme-choice": name, "aria-pressed": "false"})
        for name, text in words.items()
    ]
    return html.Div(buttons, className="segments themes", role="group", **{"aria-label": "Theme"})
