"""A small HTTP service that reads handwritten digits.

    pip install skdigits starlette uvicorn
    python examples/serving/serve.py
    curl --data-binary @seven.png http://127.0.0.1:8000/predict

It serves the network that comes with skdigits, or a model from a file that skdigits.save or
`skdigits train --output` wrote. requirements.txt and Containerfile install it without TensorFlow,
which only training uses.

POST /predict takes a picture of a single digit as the request's body, a PNG or another format that
skdigits.preprocessing.read_digit_images reads, and answers

    {"label": "7", "probabilities": {"0": 0.0001, "1": 0.0002, ...}}

GET /health answers {"status": "ok"}. Errors are answered with {"error": "why"} and

    400  an empty body            413  more than 8 MB
    404  another path             422  no picture, or no single digit in it
    405  another method           503  too many pictures at the same time
    408  a body that takes longer than 10 seconds to arrive

A connection without a complete request head is closed after 10 seconds, and so is one beyond the
400th. Pictures that are received or wait to be read take at most 100 MB together.

One process uses about one core: start several behind a proxy for more.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import os
from pathlib import Path
from typing import Any

import numpy as np
import uvicorn
from anyio import CapacityLimiter, to_thread
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from uvicorn.protocols.http.h11_impl import H11Protocol

import skdigits
from skdigits.preprocessing import UnreadableImageError, read_digit_images

# Of one request.
MAX_BYTES = 8_000_000
MAX_HEAD_SECONDS = 10
MAX_BODY_SECONDS = 10
# Of all requests together.
MAX_BYTES_HELD = 100_000_000
MAX_WAITING = 100
MAX_CONNECTIONS = 400


class Reader:
    """Reads digits from pictures.

    Parameters
    ----------
    model : Pipeline or DigitANNClassifier
        Fitted on rows of 784 pixels from 0 to 255.
    """

    def __init__(self, model: Any) -> None:
        self._model = model
        # Reading a picture may take 256 MB of memory: as many at once as there are cores.
        self._limiter = CapacityLimiter(os.cpu_count() or 1)
        self._bytes_held = 0

    async def predict(self, request: Request) -> Response:
        """Answer a request whose body is a picture."""
        picture = io.BytesIO()
        try:
            await self._receive(request, picture)
            if self._limiter.statistics().tasks_waiting >= MAX_WAITING:
                raise HTTPException(503, "Got too many requests at once. Try again later.")
            return JSONResponse(await to_thread.run_sync(self.read, picture, limiter=self._limiter))
        finally:
            self._bytes_held -= len(picture.getbuffer())

    async def _receive(self, request: Request, picture: io.BytesIO) -> None:
        """Write the body of a request to `picture`."""
        size = 0
        try:
            async with asyncio.timeout(MAX_BODY_SECONDS):
                async for chunk in request.stream():
                    size += len(chunk)
                    if size > MAX_BYTES:
                        # Received, but not kept: most clients would not see an earlier answer.
                        continue
                    if self._bytes_held + len(chunk) > MAX_BYTES_HELD:
                        raise HTTPException(503, "Got too many requests at once. Try again later.")
                    self._bytes_held += picture.write(chunk)
        except TimeoutError:
            raise HTTPException(
                408,
                f"Got {size:,} bytes in {MAX_BODY_SECONDS} seconds, expected the whole picture.",
            ) from None
        except ClientDisconnect:
            raise HTTPException(400, "Got a part of the body, expected all of it.") from None
        if size > MAX_BYTES:
            raise HTTPException(413, f"Got {size:,} bytes, expected at most {MAX_BYTES:,}.")
        if not size:
            raise HTTPException(400, "Got an empty body, expected a picture.")

    def read(self, picture: io.BytesIO) -> dict[str, Any]:
        """Read one picture, which takes milliseconds of computing."""
        picture.name = "The body"  # for error messages
        try:
            row = read_digit_images(picture)
        except UnreadableImageError as error:
            raise HTTPException(422, str(error)) from error
        probabilities = self._model.predict_proba(row)[0]
        labels = [str(label) for label in self._model.classes_]
        return {
            "label": labels[int(probabilities.argmax())],
            "probabilities": dict(zip(labels, probabilities.tolist(), strict=True)),
        }


class LimitedProtocol(H11Protocol):
    """HTTP/1.1 connections, limited in number and in time without a request.

    uvicorn itself waits for the head of a request, and after an early answer for the rest of the
    body, without a limit.
    """

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        if len(self.connections) > MAX_CONNECTIONS:
            transport.abort()
        else:
            self._close_if_idle(self.loop.time())

    def _close_if_idle(self, idle_since: float) -> None:
        now = self.loop.time()
        if self.cycle is not None and not self.cycle.response_complete:
            idle_since = now
        if now - idle_since > MAX_HEAD_SECONDS:
            self.transport.abort()
        elif not self.transport.is_closing():
            self.loop.call_later(MAX_HEAD_SECONDS / 10, self._close_if_idle, idle_since)


async def _health(request: Request) -> Response:
    return JSONResponse({"status": "ok"})


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    message = error.detail
    if error.status_code == 404:
        message = f"Got the path {request.url.path}, expected /predict or /health."
    elif error.status_code == 405:
        allowed = sorted((error.headers or {}).get("Allow", "").split(", "))
        message = f"Got {request.method} {request.url.path}, expected {' or '.join(allowed)}."
    return JSONResponse({"error": message}, error.status_code, error.headers)


async def _failed(request: Request, error: Exception) -> Response:
    return JSONResponse({"error": "Something went wrong here; it is in the log."}, 500)


def make_app(model: Any) -> Starlette:
    """The service of a fitted model."""
    routes = [
        Route("/predict", Reader(model).predict, methods=["POST"]),
        Route("/health", _health),
    ]
    handlers: Any = {HTTPException: _refused, Exception: _failed}
    return Starlette(routes=routes, exception_handlers=handlers)


def _loaded(path: Path | None) -> Any:
    model = skdigits.load_pretrained() if path is None else skdigits.load(path)
    if getattr(model, "n_features_in_", None) != 784 or not hasattr(model, "predict_proba"):
        raise ValueError(f"Got another model in {path}, expected a classifier of 784 pixels.")
    # Late imports and the start of threads happen before the first request.
    drawing = np.full((60, 60), 255, np.uint8)
    drawing[10:50, 28:32] = 0
    model.predict_proba(read_digit_images(drawing))
    return model


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path, nargs="?", help="default: the packaged network")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000, help="0 takes a free one")
    args = parser.parse_args()
    try:
        model = _loaded(args.model)
    except (OSError, ValueError) as error:
        parser.error(str(error))
    uvicorn.run(
        make_app(model),
        host=args.host,
        port=args.port,
        http=LimitedProtocol,
        ws="none",
        access_log=False,
    )


if __name__ == "__main__":
    main()
