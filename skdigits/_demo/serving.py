"""Serves the page until somebody stops it."""

from __future__ import annotations

import errno
import os
import socket
import sys
import tempfile
import threading
import webbrowser
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import numpy as np

from skdigits.preprocessing import read_digit_images

HOST = "127.0.0.1"

# Tried one after the other, and after them whichever is free.
PORTS = range(7860, 7880)

# Seconds that requests are given to end, and that the end is waited for.
_PATIENCE = 1
_END = 5


class PortError(ValueError):
    """The server can't listen where it was told to; the message says why."""


class NoGradioError(ImportError):
    """What draws the page isn't installed; the message says how to install it."""


def serve(
    model: Any,
    host: str = HOST,
    port: int | None = None,
    ready: Callable[[str], None] = lambda address: None,
) -> None:
    """Serve the page until an exception, such as that of Ctrl-C, ends it.

    Nothing is sent to anybody but who opens the page. What is uploaded is kept in a folder of its
    own, which is deleted at the end, and the environment is left as it was.

    Parameters
    ----------
    model : Pipeline or DigitANNClassifier
        Fitted on rows of 784 pixels from 0 to 255.
    host : str, default="127.0.0.1"
        Name or address to listen at.
    port : int, default=None
        0 is any free one; None is the first free one from 7860 on.
    ready : callable, default=None
        Called with the page's address when it can be opened.

    Raises
    ------
    PortError
        If the port is in use, or can't be listened at.
    NoGradioError
        If Gradio isn't installed.
    """
    with _on_our_own(), listening(host, port) as listener:
        try:
            from .page import make_app
        except ImportError as error:
            raise NoGradioError(
                "Got no Gradio to draw with, expected it to be installed: "
                f"pip install 'skdigits[demo]' ({error})"
            ) from error
        import uvicorn

        _warm_up(model)
        config = uvicorn.Config(
            make_app(model),
            log_level="warning",
            access_log=False,
            timeout_graceful_shutdown=_PATIENCE,
            lifespan="on",
        )
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
        thread.start()
        try:
            _wait(thread, lambda: server.started)
            ready(address_of(listener))
            _wait(thread)
        finally:
            server.should_exit = True
            thread.join(_END)


def _wait(thread: threading.Thread, condition: Callable[[], bool] = lambda: False) -> None:
    """Wait while a thread runs until a condition holds."""
    while thread.is_alive() and not condition():
        # Not for longer, since on Windows Ctrl-C doesn't interrupt it.
        thread.join(0.1)


def _warm_up(model: Any) -> None:
    """Import what is imported late, so that the first digit needn't wait for it."""
    drawing = np.full((60, 60), 255, np.uint8)
    drawing[10:50, 28:32] = 0
    model.predict_proba(read_digit_images(drawing))


@contextmanager
def listening(host: str, port: int | None) -> Iterator[socket.socket]:
    """A socket that listens.

    Parameters
    ----------
    host : str
        Name or address.
    port : int or None
        0 is any free one; None is the first free one of PORTS, or else any.

    Yields
    ------
    socket.socket

    Raises
    ------
    PortError
        If nothing can listen there.
    """
    with _listener(host, [*PORTS, 0] if port is None else [port]) as listener:
        yield listener


def _listener(host: str, ports: list[int]) -> socket.socket:
    """A socket at the first of some ports that is free."""
    for port in ports:
        try:
            family, *_, address = socket.getaddrinfo(
                host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
            )[0]
            return socket.create_server(address, family=family)
        except (OSError, OverflowError, UnicodeError) as error:
            in_use = getattr(error, "errno", None) == errno.EADDRINUSE
            if in_use and port != ports[-1]:
                continue
            where = f"--host {host}" if port in PORTS else f"--host {host} --port {port}"
            expected = "a free port, or 0 for any" if in_use else "where this computer can listen"
            reason = getattr(error, "strerror", None) or str(error)
            raise PortError(f"Got {where}, expected {expected}: {reason}.") from error
    raise AssertionError("no ports")


def address_of(listener: socket.socket) -> str:
    """The page's address in a browser on this computer.

    Parameters
    ----------
    listener : socket.socket
        Bound.

    Returns
    -------
    str
        A URL.
    """
    host, port = listener.getsockname()[:2]
    host = {"0.0.0.0": HOST, "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)
    return f"http://{host}:{port}"


@contextmanager
def _on_our_own() -> Iterator[None]:
    """Let Gradio tell nobody of itself and write nothing that stays."""
    before = dict(os.environ)
    with tempfile.TemporaryDirectory(prefix="skdigits-", ignore_cleanup_errors=True) as folder:
        os.environ |= {
            "GRADIO_ANALYTICS_ENABLED": "False",
            "GRADIO_RUN_HISTORY": "False",
            "GRADIO_TEMP_DIR": os.path.realpath(folder),
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "HF_HUB_OFFLINE": "1",
        }
        try:
            yield
        finally:
            os.environ.clear()
            os.environ |= before


def open_browser(address: str) -> None:
    """Open the page in the user's browser, if there is one.

    Parameters
    ----------
    address : str
        A URL.
    """
    with suppress(webbrowser.Error):
        webbrowser.open(address)


def has_screen() -> bool:
    """Whether a browser would open in a window, not in the terminal.

    Returns
    -------
    bool
    """
    if sys.platform in ("darwin", "win32"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
