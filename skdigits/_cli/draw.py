"""``skdigits draw``."""

from __future__ import annotations

import os
import sys
import threading
import webbrowser
from pathlib import Path

from skdigits._demo.serving import PortError, serve

from .errors import as_command_error
from .models import load_classifier


def draw(model: Path | None, host: str, port: int | None, browser: bool | None) -> None:
    """Serve the drawing page until Ctrl-C."""
    estimator = load_classifier(model)

    def ready(address: str) -> None:
        print(f"Draw at {address} (Ctrl-C ends it)", flush=True)
        if _has_screen() if browser is None else browser:
            threading.Thread(target=webbrowser.open, args=(address,), daemon=True).start()

    with as_command_error(PortError, ImportError):
        serve(estimator, host, port, ready)


def _has_screen() -> bool:
    """Whether a browser would open in a window, not in the terminal."""
    if sys.platform in ("darwin", "win32"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
