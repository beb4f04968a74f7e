"""Opens paths, data URLs, bytes, file objects and canvas pixels as streams or arrays."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from io import BytesIO
from typing import Any, BinaryIO

import numpy as np

from .._text import printable
from .errors import UnreadableImageError, reason_of

Array = np.ndarray[Any, Any]

# Largest file: as many bytes as the largest picture has in memory.
MOST_BYTES = 256_000_000

_DATA_URL = re.compile(r"\s*data:([^,]{0,200}),", re.IGNORECASE)
_OTHER_URL = re.compile(r"\s*([a-z][a-z0-9+.-]{1,20})://", re.IGNORECASE)
_CANVAS = {"data", "width", "height"}


def is_single(source: Any) -> bool:
    """Whether a source is one picture whose type says so: not an array, not an iterable."""
    single = (str, bytes, bytearray, memoryview, os.PathLike)
    return isinstance(source, single) or hasattr(source, "read") or is_canvas(source)


def is_canvas(source: Any) -> bool:
    """Whether a source has the fields of a browser's `ImageData`."""
    return isinstance(source, Mapping) and source.keys() >= _CANVAS


def open_stream(source: Any, stack: ExitStack) -> BinaryIO:
    """Open a source of bytes.

    Parameters
    ----------
    source : path, data URL, bytes or binary file object
        File objects are read from their beginning and left open.
    stack : contextlib.ExitStack
        Closes the stream if it was opened here.

    Returns
    -------
    binary file object
        It can seek, and reading from it does not block.

    Raises
    ------
    UnreadableImageError
        If it cannot be opened, is no regular file, or has more than MOST_BYTES.
    """
    if isinstance(source, (bytes, bytearray, memoryview)):
        _check_length(len(source))
        return BytesIO(source)
    if isinstance(source, str):
        if match := _DATA_URL.match(source):
            return BytesIO(_bytes_of_data_url(source[match.end() :], match[1]))
        if match := _OTHER_URL.match(source):
            raise UnreadableImageError(
                f"is a URL ({match[1]}): URLs are not opened, download the picture and give its "
                "path or its bytes"
            )
    if isinstance(source, (str, os.PathLike)):
        return _open_file(source, stack)
    if not hasattr(source, "read"):
        raise UnreadableImageError(
            f"got {type(source).__name__}, expected a path, bytes, a file object, a PIL image or "
            "an array"
        )
    try:
        with suppress(AttributeError, OSError):
            source.seek(0)
        content = source.read(MOST_BYTES + 1)
    except Exception as error:
        raise UnreadableImageError(f"cannot be read: {reason_of(error)}") from error
    if not isinstance(content, bytes):
        raise UnreadableImageError("got a file object in text mode, expected one in binary mode")
    _check_length(len(content))
    return BytesIO(content)


def _open_file(path: str | os.PathLike[str], stack: ExitStack) -> BinaryIO:
    try:
        # Opening a named pipe blocks, and opening a device may start something.
        _check_regular(os.stat(path))
        return stack.enter_context(open(path, "rb", opener=_open_checked))
    except UnreadableImageError:
        raise
    except (OSError, ValueError) as error:
        raise UnreadableImageError(f"cannot be opened: {reason_of(error)}") from error


def _open_checked(path: str, flags: int) -> int:
    descriptor = os.open(path, flags | getattr(os, "O_NONBLOCK", 0))
    try:
        status = os.fstat(descriptor)
        # The path may name another file than it did a moment ago.
        _check_regular(status)
        _check_length(status.st_size)
    except UnreadableImageError:
        os.close(descriptor)
        raise
    return descriptor


def _check_regular(status: os.stat_result) -> None:
    if stat.S_ISREG(status.st_mode):
        return
    if stat.S_ISDIR(status.st_mode):
        raise UnreadableImageError("is a folder, expected a file")
    raise UnreadableImageError("is a pipe, a socket or a device, expected a regular file")


def _check_length(n_bytes: int) -> None:
    if n_bytes > MOST_BYTES:
        raise UnreadableImageError(f"has {n_bytes:,} bytes, expected at most {MOST_BYTES:,}")


def _bytes_of_data_url(content: str, media_type: str) -> bytes:
    """The bytes in a data URL [1]_.

    References
    ----------
    .. [1] L. Masinter, "The 'data' URL scheme", RFC 2397, 1998.
    """
    from base64 import b64decode
    from urllib.parse import unquote_to_bytes

    _check_length(len(content) * 3 // 4)
    if media_type.lower().startswith(("image/svg", "application/pdf")):
        kind = "an SVG drawing" if "svg" in media_type.lower() else "a PDF document"
        raise UnreadableImageError(f"is {kind}: convert it to PNG first")
    try:
        plain = unquote_to_bytes(content)
        if not media_type.lower().rstrip().endswith(";base64"):
            return plain
        # Some programs break lines, leave out the padding or use the alphabet of URLs.
        digits = b"".join(plain.split()).rstrip(b"=").translate(bytes.maketrans(b"-_", b"+/"))
        return b64decode(digits + b"=" * (-len(digits) % 4), validate=True)
    except ValueError as error:
        raise UnreadableImageError(f"is a broken data URL: {reason_of(error)}") from error


def canvas_pixels(source: Mapping[str, Any]) -> Array:
    """The pixels of a browser's `ImageData` with the fields data, width and height.

    Parameters
    ----------
    source : mapping
        As JSON of ``{data: Array.from(image.data), width: image.width, height: image.height}``
        has it. JavaScript writes ``image.data`` itself as an object with the keys "0", "1", …;
        that is read as well.

    Returns
    -------
    ndarray of uint8, shape (height, width, 4)

    Raises
    ------
    UnreadableImageError
        If the fields do not fit together.
    """
    data, width, height = source["data"], source["width"], source["height"]
    try:
        width, height = int(width), int(height)
        if isinstance(data, Mapping):
            data = [data[str(index)] for index in range(len(data))]
        values = (
            np.frombuffer(data, np.uint8)
            if isinstance(data, (bytes, bytearray, memoryview))
            else np.asarray(data, np.uint8).ravel()
        )
    except Exception as error:
        raise UnreadableImageError(f"is no ImageData: {reason_of(error)}") from error
    if min(width, height) < 1 or values.size != 4 * width * height:
        raise UnreadableImageError(
            f"got ImageData with {values.size} values, expected 4 × width × height = "
            f"4 × {width} × {height}"
        )
    return values.reshape(height, width, 4)


def name_of(source: Any, index: int = 0) -> str:
    """Name of a picture in messages: its path, or its number and type.

    Parameters
    ----------
    source : object
        Whatever was given as a picture.
    index : int, default=0
        Its place among all pictures.

    Returns
    -------
    str
        One line of at most 200 characters without control characters.
    """
    if isinstance(source, str) and _DATA_URL.match(source):
        return f"picture {index} (data URL)"
    path = source if isinstance(source, (str, os.PathLike)) else None
    path = path or getattr(source, "filename", None) or getattr(source, "name", None)
    if isinstance(path, (str, os.PathLike)) and str(path):
        return printable(os.fspath(path) if isinstance(path, os.PathLike) else path, 200)
    return f"picture {index} ({type(source).__name__})"
