"""A folder of runs as people have them: finished, nested, unfinished, damaged, and a way out."""

from __future__ import annotations

import json
import shutil
import threading
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import Error

from tests.app.trial import TRIAL
from tests.figures.erasures import make_report, make_sweep

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from dash import Dash
    from flask.testing import FlaskClient
    from playwright.sync_api import Browser, BrowserContext, Page

    from probekit import Run
    from probekit_app.workbench import Workbench

CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
]


@pytest.fixture
def writes_only(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Lets an export write some pages alone: a whole site takes long."""
    from probekit_app.page import pages

    def choose(*paths: str) -> None:
        chosen = {path: page for path, page in pages().items() if path in paths}
        assert set(chosen) == set(paths)
        monkeypatch.setattr("probekit_app.export.pages", lambda: chosen)

    return choose


@pytest.fixture(scope="session")
def runs(finished_run: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``base`` and ``group/other`` are finished; the rest is what goes wrong."""
    root = tmp_path_factory.mktemp("workbench") / "runs"
    for name in ("base", "group/other"):
        shutil.copytree(finished_run.folder, root / name)
    (root / "half").mkdir()
    shutil.copy(finished_run.folder / "study.yaml", root / "half" / "study.yaml")
    shutil.copytree(finished_run.folder, root / "damaged")
    (root / "damaged" / "manifest.json").write_text('{"format": "probekit-run/1"', "utf-8")
    shutil.copytree(finished_run.folder, root.parent / "outside")
    (root / "report.json").write_text(json.dumps(make_report()), "utf-8")
    (root / "group" / "sweep.json").write_text(json.dumps(make_sweep()), "utf-8")
    (root / "link").symlink_to(root.parent / "outside", target_is_directory=True)
    return root


@pytest.fixture(scope="session")
def full_runs(full_run: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``one`` and ``two`` have every analysis; beside them a verification and a sweep."""
    root = tmp_path_factory.mktemp("full")
    for name in ("one", "two"):
        shutil.copytree(full_run.folder, root / name)
    (root / "report.json").write_text(json.dumps(make_report()), "utf-8")
    (root / "sweep.json").write_text(json.dumps(make_sweep()), "utf-8")
    return root


@pytest.fixture(scope="session")
def trial_page() -> Iterator[None]:
    """A page with every kind of card and control, among the real ones."""
    from probekit_app.page import pages

    pages()[TRIAL.path] = TRIAL
    yield
    del pages()[TRIAL.path]


@pytest.fixture(scope="session")
def app(runs: Path, trial_page: None) -> Dash:
    from probekit_app import create_app

    return create_app(runs)


@pytest.fixture(scope="session")
def bench(app: Dash) -> Workbench:
    found: Workbench = app.server.extensions["probekit"]
    return found


@pytest.fixture
def client(app: Dash) -> FlaskClient:
    return app.server.test_client()


@pytest.fixture(scope="session")
def address(app: Dash) -> Iterator[str]:
    """The app behind a real socket."""
    from probekit_app.serving import make_server

    server = make_server(app, host="127.0.0.1", port=0)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    from playwright.sync_api import sync_playwright

    found = next(filter(None, map(shutil.which, CHROMIUM)), None)
    if found is None:
        pytest.skip(f"needs a browser, one of: {', '.join(CHROMIUM)}")
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=found, args=FLAGS)
        yield opened
        opened.close()


@pytest.fixture(scope="session")
def visitor(browser: Browser) -> Iterator[BrowserContext]:
    """One visitor for all tests: what a server's scripts compile to is kept from tab to tab."""
    with browser.new_context(
        viewport={"width": 1280, "height": 900}, color_scheme="light"
    ) as context:
        yield context


@pytest.fixture
def page(visitor: BrowserContext) -> Iterator[Page]:
    """A fresh tab that collects what the browser complains about, and must have nothing."""
    tab = visitor.new_page()
    complaints: list[str] = []
    tab.on("pageerror", lambda error: complaints.append(str(error)))
    tab.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
    tab.set_default_timeout(120_000)  # a model may have to load beside it
    yield tab
    with suppress(Error):  # a tab that went nowhere has no storage
        tab.evaluate("() => localStorage.clear()")
    tab.close()
    visitor.clear_cookies()
    visitor.clear_permissions()
    visitor.set_offline(False)
    assert complaints == []
