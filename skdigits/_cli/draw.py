"""``skdigits draw``."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from skdigits._demo.serving import NoGradioError, PortError, has_screen, open_browser, serve

from .arguments import refusing
from .predict import estimator_of


def draw(model: Path | None, host: str, port: int | None, browser: bool | None) -> None:
    """Serve the drawing page until Ctrl-C."""
    estimator = estimator_of(model)

    def ready(address: str) -> None:
        print(f"Draw at {address} (Ctrl-C ends it)", flush=True)
        if has_screen() if browser is None else browser:
            open_browser(address)

    with refusing(PortError, NoGradioError), _terminable():
        serve(estimator, host, port, ready)


@contextmanager
def _terminable() -> Iterator[None]:
    """Let SIGTERM clean up as well."""

    def end(*_: object) -> None:
        raise SystemExit(128 + signal.SIGTERM)

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
