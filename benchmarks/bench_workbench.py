"""The workbench in a real browser: first paint, change of layer, bytes sent; against a bare page.

Runs of three sizes: the example, 32 blocks × 12 languages, 80 blocks × 100 languages (stretched
from the example, see ``stretched_run``). Server and headless Chromium share this machine. The
floor is the same figure, drawn by the same script of plotly from a file in the same browser: what
no workbench can undercut. Times include the server, the wire and the drawing of all that is in
sight; cards below the window follow a moment later.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median, quantiles
from typing import TYPE_CHECKING, Any

from benchmarks.common import Row, at_most
from benchmarks.stretched_run import stretch
from probekit.runs import open_run
from probekit_app import example_runs
from probekit_app.application import assets_folder

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page, ViewportSize

#: Name → blocks, languages; None is the example as it is.
SIZES: dict[str, tuple[int, int] | None] = {
    "example": None,
    "32 × 12": (32, 12),
    "80 × 100": (80, 100),
}
#: Name → seconds to first paint, milliseconds of a layer change at the median and at p95 (None: no
#: target was set).
TARGETS: dict[str, tuple[float, int, int | None]] = {
    "example": (2.0, 150, 400),
    "32 × 12": (2.0, 150, 400),
    "80 × 100": (3.0, 300, None),
}
#: Page → a card of it that follows the layer; the page is scrolled to it.
VISITED = {
    "/overview": "numbers",
    "/meet": "table",
    "/neurons": "lape",
    "/probes": "matrix",
    "/space": "map",
}
CHANGES, VISITS = 15, 5
WINDOW: ViewportSize = {"width": 1440, "height": 900}

#: Tells when what was asked for is on screen: no card in sight is behind the state, and nothing has
#: moved for three frames. It resolves to the time of the last movement.
SETTLED = """
window.__moved = 0;
document.addEventListener("DOMContentLoaded", () => new MutationObserver(() => {
  window.__moved = performance.now();
}).observe(document.body, { subtree: true, childList: true, characterData: true,
                            attributeFilter: ["class", "d", "transform", "data-ready"] }));
window.__settled = (start, everything) => new Promise((done) => {
  let quiet = 0, before = -1;
  const look = () => {
    const behind = window.workbench.behind(!everything).length > 0;
    const still = !behind && window.__moved > start && window.__moved === before;
    quiet = still ? quiet + 1 : 0;
    before = window.__moved;
    if (quiet > 2) done(window.__moved); else requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
});
"""
#: Says on the console when the first figure is there with its data. Asking from outside would put
#: a script of its own into the page, in the middle of what is measured.
DRAWN = """(() => {
  const look = () => {
    const ready = document.querySelector(".slot-figure[data-ready='1'] .main-svg")
      || document.querySelector("body > div > .js-plotly-plot .main-svg");
    if (!ready) return requestAnimationFrame(look);
    requestAnimationFrame(() => console.log("drawn", performance.now()));
  };
  requestAnimationFrame(look);
})()"""
BYTES = "() => performance.getEntriesByType('resource').reduce((n, e) => n + e.transferSize, 0)"
CHANGE = """async (key) => {
  const start = performance.now();
  performance.clearResourceTimings();
  document.getElementById('layer').dispatchEvent(
    new KeyboardEvent('keydown', {key, bubbles: true, cancelable: true}));
  return await window.__settled(start) - start;
}"""


@contextmanager
def served(runs: Path) -> Iterator[str]:
    """The address of a server of its own process, as a user starts it."""
    start = "from probekit.cli import main; main()"
    command = [sys.executable, "-c", start, "dashboard", str(runs), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            said = server.stdout.readline()
            found = re.search(r"http://\S+?/", said)
            if found is None:
                sys.exit(f"the workbench did not start: {said!r}")
            yield found.group().rstrip("/")
        finally:
            server.terminate()


def paint(context: BrowserContext, address: str) -> tuple[float, Page]:
    """Seconds from asking for a page to its first figure with its data; the page."""
    page = context.new_page()
    page.add_init_script(SETTLED)
    page.add_init_script(DRAWN)
    with page.expect_console_message(lambda said: said.text.startswith("drawn")) as found:
        page.goto(address, wait_until="commit")
    return float(found.value.text.split()[1]) / 1000, page


def paints(browser: Browser, address: str, n: int) -> dict[str, Any]:
    """First paints of browsers that have nothing of the server yet, and of ones that were there."""
    fresh, again, sent = [], [], 0
    for _ in range(n):
        context = browser.new_context(viewport=WINDOW)
        seconds, page = paint(context, address)
        fresh.append(seconds)
        page.evaluate("() => window.__settled(0)")
        sent = int(page.evaluate(BYTES))
        page.close()
        again.append(paint(context, address)[0])
        context.close()
    return {"fresh": fresh, "again": again, "bytes": sent}


def changes(page: Page, address: str, card: str, n: int) -> dict[str, Any]:
    """Milliseconds of changes of layer, every layer new to the server, then back again.

    The first change is not counted: plotly draws a kind of figure slower the first time.
    """
    page.goto(f"{address}&layer=-1")
    page.wait_for_selector(f"[data-card$='/{card}']")
    page.evaluate("() => window.__settled(0, true)")
    middle = "(card) => card.scrollIntoView({block: 'center'})"
    page.locator(f"[data-card$='/{card}']").evaluate(middle)
    page.evaluate("() => new Promise(requestAnimationFrame)")
    fresh = [float(page.evaluate(CHANGE, "ArrowRight")) for _ in range(n + 1)][1:]
    sent = int(page.evaluate(BYTES))
    seen = [float(page.evaluate(CHANGE, "ArrowLeft")) for _ in range(n)]
    return {"milliseconds": fresh, "seen": seen, "bytes": sent}


def visit(browser: Browser, address: str, run: str, *, quick: bool) -> dict[str, Any]:
    """Everything about one run."""
    overview = f"{address}/overview?run={run}"
    cold = paints(browser, overview, 1)
    shown = paints(browser, overview, 1 if quick else VISITS)
    context = browser.new_context(viewport=WINDOW)
    page = context.new_page()
    page.add_init_script(SETTLED)
    moved = {
        path: changes(page, f"{address}{path}?run={run}", card, 2 if quick else CHANGES)
        for path, card in VISITED.items()
    }
    context.close()
    return {"cold_seconds": cold["fresh"][0], "paint": shown, "pages": moved}


def floor(browser: Browser, folder: Path) -> float:
    """Seconds until plotly alone has drawn the overview of the example from a file."""
    figure = open_run(example_runs() / "example").plot.layers()
    path = folder / "floor.html"
    script = (assets_folder() / "plotly-cartesian.min.js").as_uri()
    figure.write_html(path, include_plotlyjs=script)
    spent = []
    for _ in range(VISITS):
        context = browser.new_context(viewport=WINDOW)
        spent.append(paint(context, path.as_uri())[0])
        context.close()
    return float(median(spent))


def measure(*, quick: bool = False) -> dict[str, Any]:
    """First paint and changes of layer for every size of run."""
    from playwright.sync_api import sync_playwright

    example = open_run(example_runs() / "example")
    with tempfile.TemporaryDirectory() as scratch, sync_playwright() as tools:
        chromium = shutil.which("chromium")
        browser = tools.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        found: dict[str, Any] = {"floor_seconds": floor(browser, Path(scratch)), "sizes": {}}
        for name, size in SIZES.items():
            runs = Path(scratch) / name.replace(" ", "")
            if size is None:
                shutil.copytree(example.folder, runs / "run")
            else:
                stretch(example, runs / "run", blocks=size[0], languages=size[1])
            with served(runs) as address:
                found["sizes"][name] = visit(browser, address, "run", quick=quick)
            shutil.rmtree(runs)
        browser.close()
    return found


def rows(result: dict[str, Any]) -> list[Row]:
    """Lines of the table."""
    name = "workbench"
    lines = [Row(name, "floor: plotly alone draws the figure", f"{result['floor_seconds']:.2f} s")]
    for size, found in result["sizes"].items():
        first, middle, most = TARGETS[size]
        for what, key in (("first paint", "fresh"), ("paint of a later visit", "again")):
            seconds = median(found["paint"][key])
            line = Row(name, f"{size}: {what}", f"{seconds:.2f} s")
            lines.append(at_most(line, seconds, target=first, unit=" s"))
        cold = f"{found['cold_seconds']:.2f} s"
        lines.append(Row(name, f"{size}: first paint of a server's first visit", cold))
        lines.append(Row(name, f"{size}: bytes to first paint", f"{found['paint']['bytes']:,}"))
        for path, page in found["pages"].items():
            spent = page["milliseconds"]
            mid = Row(name, f"{size}: change of layer on {path}, median", f"{median(spent):.0f} ms")
            lines.append(at_most(mid, median(spent), target=middle, unit=" ms"))
            lines.append(_tail(f"{size}: change of layer on {path}, p95", spent, most))
            again = f"{median(page['seen']):.0f} ms, {page['bytes']:,} bytes the first time"
            lines.append(Row(name, f"{size}: to a layer seen before on {path}", again))
    return lines


def _tail(what: str, spent: list[float], target: int | None) -> Row:
    p95 = quantiles(spent, n=20, method="inclusive")[-1]
    row = Row("workbench", what, f"{p95:.0f} ms")
    return row if target is None else at_most(row, p95, target=target, unit=" ms")
