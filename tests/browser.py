"""Chromium without a window, and digits to draw in it."""

import shutil
from contextlib import contextmanager

import pytest

# Strokes through points, as shares of the paper's side.
STROKES = {
    0: [[(0.5, 0.15), (0.35, 0.3), (0.32, 0.5), (0.37, 0.75), (0.5, 0.85), (0.64, 0.72),
         (0.68, 0.5), (0.64, 0.27), (0.5, 0.15)]],
    1: [[(0.5, 0.15), (0.5, 0.85)]],
    2: [[(0.33, 0.3), (0.42, 0.17), (0.57, 0.17), (0.66, 0.3), (0.6, 0.48), (0.45, 0.66),
         (0.32, 0.83), (0.7, 0.83)]],
    3: [[(0.34, 0.2), (0.5, 0.14), (0.64, 0.22), (0.64, 0.38), (0.48, 0.47), (0.65, 0.57),
         (0.68, 0.73), (0.52, 0.86), (0.33, 0.8)]],
    4: [[(0.42, 0.15), (0.3, 0.55), (0.7, 0.55)], [(0.6, 0.3), (0.58, 0.88)]],
    5: [[(0.66, 0.16), (0.4, 0.16), (0.37, 0.45), (0.55, 0.43), (0.66, 0.57), (0.63, 0.76),
         (0.48, 0.86), (0.32, 0.79)]],
    6: [[(0.6, 0.14), (0.44, 0.32), (0.36, 0.55), (0.4, 0.78), (0.53, 0.86), (0.65, 0.75),
         (0.63, 0.59), (0.5, 0.54), (0.38, 0.64)]],
    7: [[(0.3, 0.2), (0.7, 0.2), (0.45, 0.85)]],
    8: [[(0.62, 0.24), (0.5, 0.15), (0.38, 0.25), (0.43, 0.4), (0.6, 0.57), (0.64, 0.73),
         (0.5, 0.86), (0.36, 0.74), (0.41, 0.57), (0.58, 0.4), (0.62, 0.24)]],
    9: [[(0.64, 0.3), (0.52, 0.16), (0.38, 0.23), (0.38, 0.4), (0.5, 0.48), (0.62, 0.38),
         (0.64, 0.3), (0.6, 0.86)]],
}  # fmt: skip


@contextmanager
def chromium(*options):
    """An installed Chromium; the test is skipped without one."""
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    names = ("chromium", "chromium-browser", "google-chrome")
    executable = next(filter(None, map(shutil.which, names)), None)
    if executable is None:
        pytest.skip("no Chromium is installed")
    options = [
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--disable-background-networking",
        *options,
    ]
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=executable, args=options, timeout=180_000
        )
        yield browser
        browser.close()
