"""Makes the README's pictures of the workbench: ``python assets/make_screenshots.py [RUNS]``.

Serves a folder of runs (the example without one) and photographs six pages in headless Chromium at
1440 × 900, in light and dark, into ``assets/workbench-PAGE.png``.
"""

from __future__ import annotations

import shutil
import sys
import threading
from pathlib import Path

from playwright.sync_api import sync_playwright

from probekit_app import create_app, example_runs
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
SETTLED = """() => document.querySelectorAll('.js-plotly-plot .main-svg').length > 0
  && document.querySelectorAll('[data-loading="true"], .dash-loading').length === 0"""


def photograph(runs: Path) -> None:
    """One picture a page."""
    server = make_server(create_app(runs), host="127.0.0.1", port=0)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with sync_playwright() as tools:
        found = shutil.which("chromium") or shutil.which("chromium-browser")
        browser = tools.chromium.launch(executable_path=found, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        for name, theme in PAGES.items():
            page.goto(f"http://127.0.0.1:{server.port}/{name}?theme={theme}")
            page.wait_for_function(SETTLED, timeout=120_000)
            page.wait_for_load_state("networkidle", timeout=120_000)
            path = HERE / f"workbench-{name}.png"
            page.screenshot(path=path)
            sys.stdout.write(f"{path}\n")
        browser.close()
    server.shutdown()


if __name__ == "__main__":
    if len(sys.argv) > 2:
        sys.exit("usage: python assets/make_screenshots.py [RUNS]")
    photograph(Path(sys.argv[1]) if len(sys.argv) == 2 else example_runs())
