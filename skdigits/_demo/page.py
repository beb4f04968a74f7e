"""The Starlette application: static files, and pictures in, digits out."""

from __future__ import annotations

import asyncio
import os
import socket
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from anyio import CapacityLimiter, to_thread
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from .reading import read

# Limits of one upload, and the number of uploads that are received or read at the same time.
MAX_BYTES = 20_000_000
MAX_SECONDS = 30.0
MAX_UPLOADS = 16

_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "connect-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-cache",
}


def make_app(model: Any, host: str = "localhost") -> Starlette:
    """The page for a classifier of rows of 784 pixels, served at a host name."""
    names = {"localhost", host.lower(), socket.gethostname().lower()}
    limiter = CapacityLimiter(os.cpu_count() or 1)
    uploads = asyncio.Semaphore(MAX_UPLOADS)

    async def guard(request: Request, call_next: RequestResponseEndpoint) -> Response:
        # Pages of other sites reach this server with a host name of theirs that resolves to this
        # computer (DNS rebinding), or with cross-site requests, which have another Origin.
        given, origin = request.headers.get("host", ""), request.headers.get("origin")
        if not _is_own(given, names):
            response: Response = PlainTextResponse("Got another computer's name as Host.", 400)
        elif origin not in (None, f"http://{given}", f"https://{given}"):
            response = PlainTextResponse("Got a request from another site's page.", 403)
        else:
            response = await call_next(request)
        response.headers.update(_HEADERS)
        return response

    async def read_upload(request: Request) -> JSONResponse:
        kind = request.headers.get("content-type", "")
        if not kind.startswith(("image/", "application/octet-stream")):
            raise HTTPException(400, f"Got the content type {kind!r:.60}, expected a picture's.")
        if uploads.locked():
            raise HTTPException(503, f"Got more than {MAX_UPLOADS} pictures at once. Try again.")
        async with uploads:
            body = await _body_of(request)
            return JSONResponse(await to_thread.run_sync(read, model, body, limiter=limiter))

    async def refuse(request: Request, error: Any) -> JSONResponse:
        return JSONResponse({"error": error.detail}, error.status_code, error.headers)

    routes = [
        Route("/read", read_upload, methods=["POST"]),
        Route("/labels", JSONResponse([str(label) for label in model.classes_])),
        Mount("/", StaticFiles(directory=Path(__file__).parent / "static", html=True)),
    ]
    guards = [Middleware(BaseHTTPMiddleware, dispatch=guard)]
    return Starlette(routes=routes, middleware=guards, exception_handlers={HTTPException: refuse})


def _is_own(host: str, names: set[str]) -> bool:
    """Whether a Host header has one of the names or, which cannot be rebound, an IP address."""
    try:
        name = urlsplit(f"//{host}").hostname or ""
        return "@" not in host and (name in names or bool(ip_address(name)))
    except ValueError:
        return False


async def _body_of(request: Request) -> bytes:
    body, size = bytearray(), 0
    try:
        async with asyncio.timeout(MAX_SECONDS):
            async for chunk in request.stream():
                size += len(chunk)
                # The rest of a large file is received, so that the browser shows the error.
                if size <= MAX_BYTES:
                    body += chunk
    except (TimeoutError, ClientDisconnect):
        message = f"Got {size:,} bytes in {MAX_SECONDS:.0f} seconds, expected the whole picture."
        raise HTTPException(408, message) from None
    if not 0 < size <= MAX_BYTES:
        message = f"Got {size:,} bytes, expected a picture of at most {MAX_BYTES:,}."
        raise HTTPException(413 if size else 400, message)
    return bytes(body)
