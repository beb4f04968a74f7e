"""A small HTTP service that reads handwritten digits.

    pip install skdigits starlette uvicorn
    skdigits train --output digits.skdigits
    python examples/serving/serve.py digits.skdigits
    curl --data-binary @seven.png http://127.0.0.1:8000/predict

POST /predict takes a picture of a single digit as the request's body, a PNG or whatever else
skdigits.preprocessing.read_digit_images reads, and answers

    {"label": "7", "probabilities": {"0": 0.0001, "1": 0.0002, ...}}

GET /health answers {"status": "ok"}. What can't be used is refused with {"error": "why"} and

    400  an empty body            413  more than 8 MB
    404  another path             422  no picture, or none of a single digit
    405  another method           503  more pictures are waiting than can be read soon
    408  a body that takes longer than 10 seconds to arrive

One process uses about one core: start several behind a proxy for more. TensorFlow isn't imported.
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

import skdigits
from skdigits.preprocessing import UnreadableImageError, read_digit_images

MOST_BYTES = 8_000_000
MOST_SECONDS = 10
MOST_WAITING = 100


class Reader:
    """Reads digits from pictures.

    Parameters
    ----------
    model : Pipeline or DigitANNClassifier
        Fitted on rows of 784 pixels from 0 to 255.
    """

    def __init__(self, model: Any) -> None:
        self._model = model
        # Each picture that is being read may take 256 MB, so not as many at once as there are
        # requests.
        self._limiter = CapacityLimiter(os.cpu_count() or 1)

    async def predict(self, request: Request) -> Response:
        """Answer a request whose body is a picture."""
        picture = await _body(request)
        if self._limiter.statistics().tasks_waiting >= MOST_WAITING:
            raise HTTPException(503, "Too many requests at once, expected some patience.")
        return JSONResponse(await to_thread.run_sync(self.read, picture, limiter=self._limiter))

    def read(self, picture: bytes) -> dict[str, Any]:
        """Read one picture, which takes milliseconds of computing."""
        file = io.BytesIO(picture)
        # What the message calls it.
        file.name = "The body"
        try:
            row = read_digit_images(file)
        except UnreadableImageError as error:
            raise HTTPException(422, str(error)) from error
        probabilities = self._model.predict_proba(row)[0]
        labels = [str(label) for label in self._model.classes_]
        return {
            "label": labels[int(probabilities.argmax())],
            "probabilities": dict(zip(labels, probabilities.tolist(), strict=True)),
        }


async def _body(request: Request) -> bytes:
    """The body of a request, refused if it is empty, too large or too slow."""
    body, size = bytearray(), 0
    try:
        async with asyncio.timeout(MOST_SECONDS):
            async for chunk in request.stream():
                size += len(chunk)
                # What is too large is received but not kept: hanging up in the middle, many
                # clients would never see the answer.
                if size <= MOST_BYTES:
                    body += chunk
    except TimeoutError:
        raise HTTPException(
            408, f"Got {size:,} bytes in {MOST_SECONDS} seconds, expected all of the picture."
        ) from None
    except ClientDisconnect:
        raise HTTPException(400, "Got a part of the body, expected all of it.") from None
    if size > MOST_BYTES:
        raise HTTPException(413, f"Got {size:,} bytes, expected at most {MOST_BYTES:,}.")
    if not body:
        raise HTTPException(400, "Got an empty body, expected a picture.")
    return bytes(body)


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


def _loaded(path: Path) -> Any:
    model = skdigits.load(path)
    if getattr(model, "n_features_in_", None) != 784 or not hasattr(model, "predict_proba"):
        raise ValueError(f"Got another model in {path}, expected a classifier of 784 pixels.")
    # What is imported late, and the start of threads, is not for the first request to wait for.
    drawing = np.full((60, 60), 255, np.uint8)
    drawing[10:50, 28:32] = 0
    model.predict_proba(read_digit_images(drawing))
    return model


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path, help="a file that skdigits.save wrote")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000, help="0 takes a free one")
    args = parser.parse_args()
    try:
        model = _loaded(args.model)
    except (OSError, ValueError) as error:
        parser.error(str(error))
    uvicorn.run(make_app(model), host=args.host, port=args.port, access_log=False)


if __name__ == "__main__":
    main()
