"""Serves the page until Ctrl-C."""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable
from typing import Any

import numpy as np

from skdigits.preprocessing import read_digit_images

# Tried in this order; then any free port.
PORTS = range(7860, 7880)


class PortError(ValueError):
    """The server cannot listen at this address; the message says why."""


def serve(model: Any, host: str, port: int | None, ready: Callable[[str], None]) -> None:
    """Serve the page until a signal ends the process.

    Port 0 is any free one, None the first free one from 7860. `ready` is called with the page's
    address. Raises PortError, and ImportError if the extra is not installed.
    """
    try:
        import uvicorn

        from .page import make_app
    except ImportError as error:
        raise ImportError(
            "The drawing page needs Starlette and uvicorn. Install them with: "
            f"pip install 'skdigits[demo]' ({error})"
        ) from error

    class Server(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            ready(address_of(listener))

    with listen(host, port) as listener:
        # Late imports happen before the first picture arrives.
        drawing = np.full((60, 60), 255, np.uint8)
        drawing[10:50, 28:32] = 0
        model.predict_proba(read_digit_images(drawing))
        config = uvicorn.Config(
            make_app(model, host),
            http="h11",
            ws="none",
            lifespan="off",
            log_level="warning",
            access_log=False,
            timeout_graceful_shutdown=1,
        )
        Server(config).run([listener])


def listen(host: str, port: int | None) -> socket.socket:
    """A listening socket, at the first free port if none is given. Raises PortError."""
    for each in [*PORTS, 0] if port is None else [port]:
        try:
            info = socket.getaddrinfo(host, each, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
            return socket.create_server(info[0][4], family=info[0][0])
        except (OSError, OverflowError, UnicodeError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            if getattr(error, "errno", None) != errno.EADDRINUSE:
                expected = f"an address of this computer: {reason}"
                raise PortError(f"Got --host {host} --port {each}, expected {expected}.") from error
    raise PortError(f"Got --host {host} --port {port}, expected a free port, or 0 for any.")


def address_of(listener: socket.socket) -> str:
    """The page's address for a browser on this computer."""
    host, port = listener.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)
    return f"http://{host}:{port}"
