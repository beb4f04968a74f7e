"""
The picture of the drawing page
===============================

Starts ``skdigits draw``, draws a digit on the page with the mouse of a headless Chromium and writes
``draw.png`` into ``docs/images``. Needs the extra ``demo``, Playwright and an installed Chromium.
"""

import io
import math
import re
import shutil
import subprocess
import sys
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

FILE = Path(__file__).parent.parent / "docs" / "images" / "draw.png"

# A 3, as points in shares of the pad's side: an arc of a circle above another one.
STROKE = [
    (x + radius * math.cos(angle / 10), y + radius * math.sin(angle / 10))
    for x, y, radius, angles in [
        (0.48, 0.32, 0.17, range(-26, 16)),
        (0.48, 0.68, 0.19, range(-14, 27)),
    ]
    for angle in angles
]


def screenshot(address: str, colours: str = "light", width: int = 920) -> bytes:
    """The page after a digit has been drawn, as a PNG file."""
    path = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))))
    options = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=options, timeout=120_000)
        page = browser.new_page(
            viewport={"width": width, "height": 600 if width > 600 else 844}, color_scheme=colours
        )
        page.set_default_timeout(180_000)
        page.goto(address)
        box = page.locator("#pad canvas").bounding_box()
        places = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in STROKE]
        page.mouse.move(*places[0])
        page.mouse.down()
        for place in places[1:]:
            page.mouse.move(*place, steps=1)
        page.mouse.up()
        page.wait_for_selector("#answer .best")
        page.wait_for_load_state("networkidle")
        page.wait_for_timeout(500)
        content = page.screenshot()
        browser.close()
    return content


if __name__ == "__main__":
    command = [sys.executable, "-m", "skdigits", "draw", "--no-browser", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            address = re.search(r"http://\S+", process.stdout.readline())[0]
            picture = Image.open(io.BytesIO(screenshot(address)))
        finally:
            process.terminate()
    # A palette needs fewer bytes.
    picture.convert("RGB").quantize(128, dither=Image.Dither.NONE).save(FILE, optimize=True)
    print(FILE, FILE.stat().st_size, "bytes")
