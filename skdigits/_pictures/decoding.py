"""Decodes whatever holds a picture into an upright Pillow image of eight bits."""

from __future__ import annotations

import os
import warnings
from contextlib import ExitStack, suppress
from io import BytesIO
from math import isfinite
from threading import Lock
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

if TYPE_CHECKING:
    from PIL.Image import Image

Array = np.ndarray[Any, Any]

# A photograph's longest side after decoding. A digit that fills a twentieth of it still has 50
# pixels, and JPEG's own decoder can shrink 12 megapixels to it, four or eight times faster.
LONGEST_SIDE = 1000

# What may be decoded, in pixels. In four bytes each that is 256 MB.
MOST_PIXELS = 64_000_000

_ORIENTATION = 0x0112
_ON_ITS_SIDE = (5, 6, 7, 8)
_DEEP = ("I", "F", "I;16", "I;16L", "I;16B", "I;16N")
_CLEAR = ("RGBA", "RGBa", "LA", "La", "PA")
# Formats that Pillow hands over to another program.
_FOREIGN = ("EPS", "WMF")

_OPENING = Lock()


class UnreadableImageError(ValueError):
    """A picture could not be read as one handwritten digit.

    Raised for files that hold no picture, or a broken or a huge one, and for pictures without a
    readable digit: blank ones, noise, several digits side by side. The message names the picture
    and the reason.
    """


def decode(source: Any) -> Image:
    """Decode a picture, upright and in eight bits.

    Parameters
    ----------
    source : str, path-like, bytes, binary file object, PIL.Image.Image or array-like
        Arrays have the shape (height, width), or (height, width, channels) with 1 (grey),
        3 (RGB) or 4 channels (RGBA). Files are read from their beginning and left open.

    Returns
    -------
    PIL.Image.Image
        In mode L, RGB or RGBA, turned as its EXIF data say, no side longer than LONGEST_SIDE.
        A new image, or the one that was given if nothing was to be done.

    Raises
    ------
    UnreadableImageError
        If there is no picture in it, or one of more than MOST_PIXELS.
    """
    return decode_sized(source)[0]


def decode_sized(source: Any) -> tuple[Image, tuple[int, int]]:
    """Decode a picture, and tell how large it was.

    Parameters
    ----------
    source : str, path-like, bytes, binary file object, PIL.Image.Image or array-like
        As for `decode`.

    Returns
    -------
    image : PIL.Image.Image
        What `decode` returns.
    size : tuple of int
        Width and height of the whole picture in pixels, upright.

    Raises
    ------
    UnreadableImageError
        As for `decode`.
    """
    from PIL import Image, UnidentifiedImageError

    if isinstance(source, Image.Image):
        return _guarded(source, source.size)
    if isinstance(source, (list, tuple)) or hasattr(source, "__array__"):
        image = image_of(_as_array(source))
        return _bounded(image), image.size
    with ExitStack() as stack:
        stream = _stream(source, stack)
        try:
            image = _opened(stream)
        except UnidentifiedImageError as error:
            raise UnreadableImageError("holds no picture of a known format") from error
        except Exception as error:
            # Broken files make decoders raise anything, and Pillow's guard against
            # decompression bombs is a warning that filters may turn into an exception.
            raise UnreadableImageError(f"cannot be opened: {_told(error)}") from error
        stack.enter_context(image)
        size = image.size
        image.draft(None, _draft_size(size))
        return _guarded(image, size)


def image_of(pixels: Array) -> Image:
    """An image of an array of any numeric dtype.

    Parameters
    ----------
    pixels : ndarray of shape (height, width) or (height, width, channels)
        With 1, 3 or 4 channels.

    Returns
    -------
    PIL.Image.Image
        In mode L, RGB or RGBA.
    """
    from PIL import Image

    if pixels.ndim == 3 and pixels.shape[2] == 1:
        pixels = pixels[:, :, 0]
    elif pixels.ndim == 3 and pixels.shape[0] == 1:
        pixels = pixels[0]
    if pixels.ndim != 2 and not (pixels.ndim == 3 and pixels.shape[2] in (3, 4)):
        raise UnreadableImageError(
            f"got an array of shape {pixels.shape}, expected (height, width) or (height, width, "
            "channels) with 1, 3 or 4 channels"
        )
    _check_size(pixels.shape[1], pixels.shape[0])
    return Image.fromarray(as_bytes(pixels))


def as_bytes(values: Array) -> Array:
    """Grey values or colours as uint8.

    Booleans and values from 0 to 1 are stretched to 255, values from 0 to 255 are rounded. Of
    anything else nobody knows the unit, so that it is stretched from its least value to its
    largest.

    Parameters
    ----------
    values : ndarray
        Of any numeric dtype.

    Returns
    -------
    ndarray of uint8
    """
    if values.dtype.kind not in "buif":
        raise UnreadableImageError(f"got an array of dtype {values.dtype}, expected numbers")
    least, largest = float(values.min()), float(values.max())
    if not (isfinite(least) and isfinite(largest)):
        raise UnreadableImageError("got an array with values that are infinite or no numbers")
    if values.dtype == np.uint8 and largest > 1:
        return values
    if least >= 0 and largest <= 1:
        return np.round(values * np.float32(255)).astype(np.uint8)
    if least >= 0 and largest <= 255:
        return np.round(values).astype(np.uint8)
    # Divided first, since the difference of two huge floats may be infinite.
    scale = max(abs(least), abs(largest))
    least, largest = least / scale, largest / scale
    fractions = np.divide(values, scale, dtype=np.float64)
    return np.round((fractions - least) * (255 / max(largest - least, 1e-300))).astype(np.uint8)


def _as_array(source: Any) -> Array:
    try:
        return np.asarray(source)
    except Exception as error:
        raise UnreadableImageError(f"is no array of numbers: {_told(error)}") from error


def _stream(source: Any, stack: ExitStack) -> BinaryIO:
    """Something to read bytes from; closed by the stack only if it was opened here."""
    if isinstance(source, (bytes, bytearray, memoryview)):
        return BytesIO(source)
    if isinstance(source, (str, os.PathLike)):
        if os.path.isdir(source):
            raise UnreadableImageError("is a folder, expected a file")
        try:
            return stack.enter_context(open(source, "rb"))
        except (OSError, ValueError) as error:
            raise UnreadableImageError(f"cannot be opened: {_told(error)}") from error
    if not hasattr(source, "read"):
        raise UnreadableImageError(
            f"got {type(source).__name__}, expected a path, bytes, a file object, a PIL image or "
            "an array"
        )
    try:
        with suppress(AttributeError, OSError):
            source.seek(0)
        content = source.read()
    except Exception as error:
        raise UnreadableImageError(f"cannot be read: {_told(error)}") from error
    if not isinstance(content, bytes):
        raise UnreadableImageError("got a file object in text mode, expected one in binary mode")
    return BytesIO(content)


def _opened(stream: BinaryIO) -> Image:
    """The picture in a stream, its size not yet judged: Pillow's limit is above our own."""
    from PIL import Image

    # One thread at a time, so that each puts back the filters that were there before all of them.
    with _OPENING, warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        return Image.open(stream)


def _told(error: BaseException) -> str:
    """What an exception says, in one line without a full stop."""
    reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return " ".join(str(reason).split()).rstrip(".")


def _draft_size(size: tuple[int, int]) -> tuple[int, int]:
    shrink = max(1.0, max(size) / LONGEST_SIDE)
    return max(1, round(size[0] / shrink)), max(1, round(size[1] / shrink))


def _guarded(image: Image, size: tuple[int, int]) -> tuple[Image, tuple[int, int]]:
    """The image in eight bits, upright, bounded, and its size; decoders' exceptions as our own."""
    if image.format in _FOREIGN:
        raise UnreadableImageError(f"is in the format {image.format}, which is not read here")
    _check_size(*image.size)
    try:
        orientation = _orientation(image)
        upright = _upright(_bounded(eight_bits(image)), orientation)
        return upright, size[::-1] if orientation in _ON_ITS_SIDE else size
    except UnreadableImageError:
        raise
    except Exception as error:
        raise UnreadableImageError(f"is broken: {_told(error)}") from error


def _check_size(width: int, height: int) -> None:
    if width * height == 0:
        raise UnreadableImageError("holds no pixels")
    if width * height > MOST_PIXELS:
        raise UnreadableImageError(
            f"has {width} × {height} pixels, expected at most {MOST_PIXELS:,} of them"
        )


def eight_bits(image: Image) -> Image:
    """The image in mode L, RGB or RGBA, whatever mode it was in."""
    if image.mode in ("L", "RGB") and "transparency" not in image.info:
        image.load()
        return image
    if image.mode in _DEEP:
        return image_of(np.asarray(image))
    if image.mode == "La":
        return image.convert("LA").convert("RGBA")
    if image.mode in _CLEAR or "transparency" in image.info:
        return image.convert("RGBA")
    return image.convert("L" if image.mode == "1" else "RGB")


def _bounded(image: Image) -> Image:
    """The image with no side longer than LONGEST_SIDE, averaged over squares of pixels."""
    factor = -(-max(image.size) // LONGEST_SIDE)
    return image.reduce(factor) if factor > 1 else image


def _orientation(image: Image) -> int:
    """Which way up the camera was held; 1 if nothing readable says so."""
    try:
        return int(image.getexif().get(_ORIENTATION, 1))
    except Exception:
        return 1


def _upright(image: Image, orientation: int) -> Image:
    from PIL.Image import Transpose

    turns = {
        2: Transpose.FLIP_LEFT_RIGHT,
        3: Transpose.ROTATE_180,
        4: Transpose.FLIP_TOP_BOTTOM,
        5: Transpose.TRANSPOSE,
        6: Transpose.ROTATE_270,
        7: Transpose.TRANSVERSE,
        8: Transpose.ROTATE_90,
    }
    return image.transpose(turns[orientation]) if orientation in turns else image
