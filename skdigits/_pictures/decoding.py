"""Decodes whatever holds a picture into an upright Pillow image of eight bits."""

from __future__ import annotations

import warnings
from contextlib import ExitStack
from math import isfinite
from threading import Lock
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from .errors import UnreadableImageError, reason_of
from .sources import canvas_pixels, is_canvas, is_single, open_stream

if TYPE_CHECKING:
    from PIL.Image import Image

Array = np.ndarray[Any, Any]

# A photograph's longest side after decoding. A digit that fills a twentieth of it still has 50
# pixels, and JPEG's own decoder can shrink 12 megapixels to it, four or eight times faster.
LONGEST_SIDE = 1000

# What may be decoded, in pixels. In four bytes each that is 256 MB.
MOST_PIXELS = 64_000_000

# Formats that Pillow decodes itself, with the size in the file's head. All others are refused:
# some run other programs (EPS) or hold a file of any format inside (IPTC, ICNS, ICO).
_FORMATS = ("PNG", "JPEG", "GIF", "BMP", "DIB", "TIFF", "WEBP", "JPEG2000", "PPM", "TGA")
# Known to Pillow from 11.3 on.
_AVIF = "AVIF"

# JPEG files of cameras with a preview, and HEIC files, have one main picture, which comes first.
_WITH_PREVIEWS = ("MPO", "HEIF")

_ORIENTATION = 0x0112
_TILE_WIDTH, _TILE_LENGTH = 322, 323
_ON_ITS_SIDE = (5, 6, 7, 8)
_DEEP = ("I", "F", "I;16", "I;16L", "I;16B", "I;16N")
_CLEAR = ("RGBA", "RGBa", "LA", "La", "PA")

_HEIC_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")

_OPENING = Lock()


def decode(source: Any) -> Image:
    """Decode a picture, upright and in eight bits.

    Parameters
    ----------
    source : str, path-like, bytes, binary file object, PIL.Image.Image, mapping or array-like
        A string is a path or a data URL. Arrays have the shape (height, width), or (height,
        width, channels) or (channels, height, width) with 1 (grey), 3 (RGB) or 4 channels (RGBA).
        A mapping has the fields of a browser's ImageData. Files are read from their beginning
        and left open.

    Returns
    -------
    PIL.Image.Image
        In mode L, RGB or RGBA, turned as its EXIF data say, no side longer than LONGEST_SIDE.
        A new image, or the given one if there was nothing to do.

    Raises
    ------
    UnreadableImageError
        If there is no picture in it, several pages, or more than MOST_PIXELS.
    """
    return decode_sized(source)[0]


def decode_sized(source: Any) -> tuple[Image, tuple[int, int]]:
    """Decode a picture, and return its size before it was reduced.

    Parameters
    ----------
    source : str, path-like, bytes, binary file object, PIL.Image.Image, mapping or array-like
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
    from PIL import Image

    if isinstance(source, Image.Image):
        return _guarded(source, source.size)
    if is_canvas(source):
        source = canvas_pixels(source)
    if isinstance(source, np.ndarray) and source.size == 1 and source.dtype.kind in "OUS":
        source = source.item()
    is_array = isinstance(source, (list, tuple)) or hasattr(source, "__array__")
    if is_array and not is_single(source):
        image = image_of(_as_array(source))
        return _bounded(image), image.size
    with ExitStack() as stack:
        stream = open_stream(source, stack)
        image = stack.enter_context(_opened(stream))
        size = image.size
        image.draft(None, _draft_size(size))
        return _guarded(image, size)


def image_of(pixels: Array) -> Image:
    """An image of an array of any numeric dtype.

    Parameters
    ----------
    pixels : ndarray of shape (height, width), (height, width, channels) or (channels, height, \
            width)
        With 1, 3 or 4 channels.

    Returns
    -------
    PIL.Image.Image
        In mode L, RGB or RGBA.
    """
    from PIL import Image

    shape = pixels.shape
    if pixels.ndim == 3 and shape[2] not in (1, 3, 4) and shape[0] in (1, 3, 4):
        pixels = np.moveaxis(pixels, 0, 2)
    if pixels.ndim == 3 and pixels.shape[2] == 1:
        pixels = pixels[:, :, 0]
    if pixels.ndim != 2 and not (pixels.ndim == 3 and pixels.shape[2] in (3, 4)):
        flat = (
            " Flat rows of pixels need no reading: classifiers take them as they are."
            if (pixels.ndim == 1)
            else ""
        )
        raise UnreadableImageError(
            f"got an array of shape {shape}, expected (height, width) or (height, width, "
            f"channels) with 1, 3 or 4 channels.{flat}".rstrip(".")
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
        raise UnreadableImageError(f"is no array of numbers: {reason_of(error)}") from error


def _opened(stream: BinaryIO) -> Image:
    """The picture in a stream; only its head has been read."""
    from PIL import Image, UnidentifiedImageError

    head = stream.read(64)
    stream.seek(0)
    try:
        formats: tuple[str, ...] = _FORMATS
        if head[4:8] == b"ftyp" and b"avi" in head[8:32]:
            formats = (_AVIF,)
        elif head[4:8] == b"ftyp" and head[8:12] in _HEIC_BRANDS:
            return _opened_heic(stream)
        if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
            # Its decoder allocates the whole picture when it is opened.
            _check_size(*_webp_size(head))
        # One thread at a time, so that each restores the filters that were there before.
        with _OPENING, warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            return Image.open(stream, formats=formats)
    except UnreadableImageError:
        raise
    except UnidentifiedImageError as error:
        raise UnreadableImageError(f"holds no picture of a known format{_hint(head)}") from error
    except Exception as error:
        # Broken files make decoders raise anything.
        raise UnreadableImageError(f"cannot be opened: {reason_of(error)}") from error


def _opened_heic(stream: BinaryIO) -> Image:
    try:
        from pillow_heif import HeifImageFile
    except ImportError:
        raise UnreadableImageError(
            "is a HEIC photograph, which needs the package pillow-heif: pip install "
            '"skdigits[heic]"'
        ) from None
    image: Image = HeifImageFile(stream)  # type: ignore[no-untyped-call]
    return image


def _webp_size(head: bytes) -> tuple[int, int]:
    """Width and height in the first bytes of a WebP file [1]_; 1 × 1 for broken files.

    References
    ----------
    .. [1] "WebP Container Specification", https://developers.google.com/speed/webp/docs.
    """
    kind, data = head[12:16], head[20:]

    def number(start: int, n_bytes: int) -> int:
        return int.from_bytes(data[start : start + n_bytes], "little")

    if kind == b"VP8X":
        return number(4, 3) + 1, number(7, 3) + 1
    if kind == b"VP8L":
        return (number(1, 4) & 0x3FFF) + 1, (number(1, 4) >> 14 & 0x3FFF) + 1
    if kind == b"VP8 ":
        return max(number(6, 2) & 0x3FFF, 1), max(number(8, 2) & 0x3FFF, 1)
    return 1, 1


def _hint(head: bytes) -> str:
    """Advice for well-known formats that are not read."""
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if start.startswith(b"%pdf"):
        return ": it is a PDF document, convert its page to PNG first"
    if start.startswith((b"<svg", b"<?xml", b"<!doctype svg")):
        return ": it looks like an SVG drawing, convert it to PNG first"
    if start.startswith((b"%!ps", b"\xc5\xd0\xd3\xc6")):
        return ": it is in the format EPS, convert it to PNG first"
    return f" ({', '.join(_FORMATS)})"


def _draft_size(size: tuple[int, int]) -> tuple[int, int]:
    shrink = max(1.0, max(size) / LONGEST_SIDE)
    return max(1, round(size[0] / shrink)), max(1, round(size[1] / shrink))


def _guarded(image: Image, size: tuple[int, int]) -> tuple[Image, tuple[int, int]]:
    """The image in eight bits, upright, bounded, and its size; decoders' exceptions as our own."""
    if image.format not in (None, _AVIF, *_FORMATS, *_WITH_PREVIEWS):
        raise UnreadableImageError(
            f"is in the format {image.format}, expected one of {', '.join(_FORMATS)}"
        )
    _check_size(*image.size)
    try:
        _check_parts(image, size)
        if image.format not in _WITH_PREVIEWS and getattr(image, "is_animated", False):
            raise UnreadableImageError(
                f"has {getattr(image, 'n_frames', 'several')} pages, expected one: give each as a "
                "picture, [page.copy() for page in PIL.ImageSequence.Iterator(image)]"
            )
        orientation = _orientation(image)
        upright = _upright(_bounded(eight_bits(image)), orientation)
        return upright, size[::-1] if orientation in _ON_ITS_SIDE else size
    except UnreadableImageError:
        raise
    except Exception as error:
        raise UnreadableImageError(f"is broken: {reason_of(error)}") from error


def _check_parts(image: Image, size: tuple[int, int]) -> None:
    """Refuse what a decoder would hold in memory beside the picture itself."""
    if image.info.get("progressive"):
        # All coefficients, whatever size is asked for.
        _check_size(*size)
    tags = getattr(image, "tag_v2", {})
    if _TILE_WIDTH in tags and _TILE_LENGTH in tags:
        _check_size(int(tags[_TILE_WIDTH]), int(tags[_TILE_LENGTH]))


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
    from PIL import Image as pillow
    from PIL import ImageOps

    if not 2 <= orientation <= 8:
        return image
    # Without the other EXIF entries, of which some may be broken.
    bare = pillow.fromarray(np.asarray(image))
    bare.getexif()[_ORIENTATION] = orientation
    return ImageOps.exif_transpose(bare)
