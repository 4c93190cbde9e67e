"""Makes the pictures of the README from a run, with headless Chromium.

``python assets/make_pictures.py runs/demo`` writes ``assets/where-languages-meet.png``.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import probekit

WIDTH, HEIGHT, SCALE = 1000, 820, 2
CHROMIUM = ("chromium", "chromium-browser", "google-chrome", "chrome")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--hide-scrollbars",
    "--virtual-time-budget=8000",
)


def picture(figure: object, target: Path) -> None:
    """Photograph a plotly figure as a browser shows it."""
    browser = next(filter(None, map(shutil.which, CHROMIUM)), None)
    if browser is None:
        sys.exit(f"needs a browser, one of: {', '.join(CHROMIUM)}")
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder) / "figure.html"
        figure.update_layout(width=WIDTH, height=HEIGHT)  # type: ignore[attr-defined]
        figure.write_html(page, config={"displayModeBar": False})  # type: ignore[attr-defined]
        page.write_text(page.read_text().replace("<body>", "<body style='margin:0'>"))
        subprocess.run(
            [
                browser,
                *FLAGS,
                f"--user-data-dir={folder}/profile",
                f"--window-size={WIDTH},{HEIGHT}",
                f"--force-device-scale-factor={SCALE}",
                f"--screenshot={target}",
                page.as_uri(),
            ],
            check=True,
            capture_output=True,
        )


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python assets/make_pictures.py RUN")
    run = probekit.open_run(sys.argv[1])
    out = Path(__file__).parent / "where-languages-meet.png"
    picture(run.plot.layers(), out)
    sys.stdout.write(f"{out}\n")
