"""Takes the README's picture of the page: `python tests/serve/picture.py RUN RUN docs/page.png`. Not a test."""

import subprocess
import sys
from pathlib import Path
from shutil import which
from urllib.parse import urlencode

from playwright.sync_api import sync_playwright

HEADLINE = "Show HN: A small language model for Hacker News headlines"
PATIENCE_MS = 600_000


def take(runs: list[str], picture: Path) -> None:
    """Serve the runs, type the headline, look at its last word, and save a PNG."""
    command = [sys.executable, "-m", "sevenepochs", "serve", *runs, "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            address = next(line.split()[1] for line in server.stdout if line.startswith("open "))
            with sync_playwright() as api:
                browser = api.chromium.launch(
                    executable_path=which("chromium"), args=["--no-sandbox"], timeout=PATIENCE_MS
                )
                page = browser.new_page(viewport={"width": 1180, "height": 930})
                page.set_default_timeout(PATIENCE_MS)
                page.goto(f"{address}?{urlencode({'text': HEADLINE})}")
                page.wait_for_selector(".b .candidate")
                page.wait_for_selector(".a .candidate")
                page.locator(".a .token").nth(-4).focus()
                box = page.locator("#columns").bounding_box()
                assert box is not None
                width, height = page.evaluate("document.documentElement.clientWidth"), box["y"] + box["height"] + 24
                page.screenshot(path=picture, full_page=True, clip={"x": 0, "y": 0, "width": width, "height": height})
                browser.close()
        finally:
            server.terminate()


if __name__ == "__main__":
    take(sys.argv[1:-1], Path(sys.argv[-1]))
