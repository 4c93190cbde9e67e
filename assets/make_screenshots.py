"""Makes pictures of the workbench in headless Chromium.

``python assets/make_screenshots.py [RUNS]`` makes the README's six, at 1440 × 900, into
``assets/workbench-PAGE.png``; with ``--all FOLDER`` every page, in light and dark, at 1440 × 900
and 1024 × 768, whole pages, into FOLDER: to be looked at. RUNS is a folder of runs, of which the
first is shown (without one the example).
"""

from __future__ import annotations

import shutil
import sys
import threading
from argparse import ArgumentParser
from itertools import product
from pathlib import Path
from urllib.parse import quote

from playwright.sync_api import Page, sync_playwright

from probekit_app import create_app, example_runs
from probekit_app.page import pages
from probekit_app.serving import make_server

HERE = Path(__file__).parent
#: Page → theme.
PAGES = {
    "overview": "light",
    "meet": "light",
    "lens": "dark",
    "probes": "light",
    "space": "dark",
    "selection": "light",
}
#: Every card has what it waits for, and nothing is fading.
SETTLED = """() => document.querySelector("#page h1") !== null
  && [...document.querySelectorAll(".slot-figure")].every((slot) => slot.dataset.ready === "1"
    || slot.closest(".card").querySelector(".state, [role='alert']"))
  && [...document.querySelectorAll(".slot-grid")].every((slot) => slot.querySelector(".ag-row")
    || slot.closest(".card").querySelector(".state, [role='alert']"))
  && document.getAnimations().every((each) => each.playState === "finished")"""
EVERY_SIZE = ((1440, 900), (1024, 768))


def photograph(runs: Path, every: Path | None) -> None:
    """One picture a page; of every page, theme and size where ``every`` is a folder."""
    app = create_app(runs)
    run = quote(app.server.extensions["probekit"].runs.finished()[0])
    server = make_server(app, host="127.0.0.1", port=0)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.port}"
    with sync_playwright() as tools:
        found = shutil.which("chromium") or shutil.which("chromium-browser")
        browser = tools.chromium.launch(executable_path=found, args=["--no-sandbox"])
        if every is None:
            page = browser.new_page(viewport={"width": 1440, "height": 900})
            for name, theme in PAGES.items():
                _shoot(
                    page,
                    f"{address}/{name}?run={run}&theme={theme}",
                    HERE / f"workbench-{name}.png",
                )
        else:
            every.mkdir(parents=True, exist_ok=True)
            for (width, height), theme in product(EVERY_SIZE, ("light", "dark")):
                page = browser.new_page(viewport={"width": width, "height": height})
                for path in pages():
                    name = path.strip("/") or "runs"
                    out = every / f"{name}-{theme}-{width}.png"
                    _shoot(page, f"{address}{path}?run={run}&theme={theme}", out, whole=True)
                page.close()
        browser.close()
    server.shutdown()


def _shoot(page: Page, address: str, out: Path, *, whole: bool = False) -> None:
    page.goto(address)
    page.wait_for_function(SETTLED, timeout=120_000)
    page.wait_for_load_state("networkidle", timeout=120_000)
    if whole:  # a window as high as the page: grids draw no row that is out of sight
        size = page.viewport_size
        assert size is not None
        whole_page = page.evaluate("document.body.scrollHeight")
        page.set_viewport_size({**size, "height": max(size["height"], whole_page)})
        page.wait_for_function(SETTLED, timeout=120_000)
    page.screenshot(path=out)
    if whole:
        page.set_viewport_size(size)
    sys.stdout.write(f"{out}\n")


if __name__ == "__main__":
    parser = ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", nargs="?", type=Path, help="folder of runs; the example without")
    parser.add_argument("--all", type=Path, metavar="FOLDER", help="every page, into this folder")
    said = parser.parse_args()
    photograph(said.runs or example_runs(), said.all)
