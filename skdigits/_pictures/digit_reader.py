"""Reads pictures of single digits from anything that holds them."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from .decoding import as_bytes
from .errors import UnreadableImageError, unreadable_on_error
from .mnist_form import SIDE, is_in_form
from .readings import Reading, best_rows, first_reading
from .sources import is_single, name_of

if TYPE_CHECKING:
    pass

Array = np.ndarray[Any, Any]

# Readings whose logits are computed together: one at a time takes several times as long.
_BATCH, _BATCH_PIXELS = 64, 4_000_000

_ERRORS = ("raise", "warn", "ignore")

# Arrays of rows are recognised by the first few.
_FEW_ROWS = 20

# Channels of one picture are correlated more closely than two handwritten digits.
_SAME_PICTURE = 0.95


def read_digit_images(images: Any, errors: str = "raise") -> Array:
    """Read pictures of single handwritten digits into MNIST's form.

    What is ink and what is paper is decided from each picture; uneven light, ruled lines, frames
    and specks are taken out; the digit is scaled into 20 × 20 pixels and centred in 28 × 28 by
    its centre of mass, white on black. What is in this form already stays as it is.

    Parameters
    ----------
    images : path, data URL, bytes, binary file object, PIL image, array or ImageData, or an \
            iterable of such
        One picture or many, of any kinds mixed. Files are PNG, JPEG, GIF, BMP, TIFF, WebP, AVIF,
        JPEG 2000, PPM or TGA, and HEIC with pillow-heif (``pip install "skdigits[heic]"``), with
        one page each. Arrays and tensors are pictures of shape (height, width), (height, width,
        channels) or (channels, height, width) with 1 (grey), 3 (RGB) or 4 channels (RGBA) and of
        any numeric dtype; an array with one more axis in front is many pictures. A browser's
        ImageData is a dict with the keys "data", "width" and "height".
    errors : {"raise", "warn", "ignore"}, default="raise"
        What to do about a picture in which no single digit can be read: raise an
        UnreadableImageError, or return a row of zeros, with or without a UserWarning that names
        the picture and the reason.

    Returns
    -------
    ndarray of uint8, shape (n_images, 784)
        One row per picture, 0 to 255.

    Raises
    ------
    UnreadableImageError
        With ``errors="raise"``, if a file cannot be read, holds no picture or one that is too
        large (more than 64 million pixels), or if a picture holds no digit or several.
    ValueError
        If `errors` is none of the three words, or if `images` is an array of flat rows, which
        need no reading.

    See Also
    --------
    skdigits.preprocessing.DigitImageNormalizer : The same as a step of a Pipeline.

    Examples
    --------
    >>> import numpy as np
    >>> from skdigits.preprocessing import read_digit_images
    >>> picture = np.full((200, 150), 230, dtype=np.uint8)
    >>> picture[40:160, 70:84] = 30
    >>> row = read_digit_images(picture)
    >>> row.shape, row.dtype
    ((1, 784), dtype('uint8'))
    >>> np.flatnonzero(row.reshape(28, 28).any(axis=1))[[0, -1]]
    array([ 4, 24])
    """
    if errors not in _ERRORS:
        raise ValueError(f"Got errors={errors!r:.200}, expected one of {_ERRORS}.")
    rows: list[Array] = []
    readings: list[Reading] = []
    for index, source in enumerate(_each(images)):
        try:
            with unreadable_on_error():
                readings.append(first_reading(source))
        except UnreadableImageError as error:
            message = f"{name_of(source, index)}: {error}."
            if errors == "raise":
                raise UnreadableImageError(message) from error.__cause__
            if errors == "warn":
                warnings.warn(message, UserWarning, stacklevel=2)
            readings.append(Reading(np.zeros((SIDE, SIDE), np.uint8)))
        n_pixels = sum(reading.n_pixels for reading in readings)
        if len(readings) == _BATCH or n_pixels > _BATCH_PIXELS:
            rows += best_rows(readings)
            readings = []
    rows += best_rows(readings)
    return np.array(rows, np.uint8).reshape(len(rows), SIDE * SIDE)


def _each(images: Any) -> Iterator[Any]:
    """The pictures one by one, of one or many."""
    if is_single(images) or _is_pil(images):
        yield images
        return
    if hasattr(images, "__array__"):
        images = np.asarray(images)
        if _is_one_picture(images):
            _check_no_rows(images)
            yield images
            return
        _check_no_channels(images)
    if not isinstance(images, Iterable):
        raise TypeError(
            f"Got {type(images).__name__}, expected paths, bytes, file objects, PIL images or "
            "arrays."
        )
    yield from images


def _is_one_picture(array: Array) -> bool:
    if array.ndim == 0 or array.dtype.kind in "OUS":
        return array.ndim == 0
    return array.ndim == 1 or array.ndim == 2 or (array.ndim == 3 and array.shape[2] in (1, 3, 4))


def _check_no_rows(array: Array) -> None:
    """Refuse rows of MNIST's pixels, which would be read as one wide picture."""
    if array.ndim != 2 or array.shape[1] != SIDE * SIDE or array.dtype.kind not in "buif":
        return
    some = array[:_FEW_ROWS].reshape(-1, SIDE, SIDE)
    if not np.isfinite(some).all():
        return
    if len(array) < SIDE or np.mean([is_in_form(as_bytes(row)) for row in some]) > 0.5:
        raise ValueError(
            f"Got an array of shape {array.shape}, expected pictures: rows of 784 pixels in "
            "MNIST's format need no reading. Pass them to the classifier as they are, or "
            "X.reshape(-1, 28, 28) for pictures of another format."
        )


def _check_no_channels(array: Array) -> None:
    """Refuse three or four pictures that are likely to be the channels of one."""
    if array.ndim != 3 or len(array) not in (3, 4) or array.dtype.kind not in "buif":
        return
    step = max(1, max(array.shape[1:]) // 200)
    flat = array[:, ::step, ::step].reshape(len(array), -1).astype(np.float64)
    if array.shape[1:] == (SIDE, SIDE) and all(map(is_in_form, array)):
        return
    flat -= flat.mean(axis=1, keepdims=True)
    lengths = np.maximum(np.linalg.norm(flat, axis=1), 1e-12)
    alike = flat @ flat.T / np.outer(lengths, lengths) - np.eye(len(flat))
    if alike.max() > _SAME_PICTURE:
        raise UnreadableImageError(
            f"Got an array of shape {array.shape}, expected pictures that differ: these are "
            "likely to be the channels of one picture. Pass np.moveaxis(array, 0, -1) for one "
            "picture, or list(array) for several."
        )


def _is_pil(image: Any) -> bool:
    # Asked without importing Pillow, which who has one has done.
    return any(kind.__module__ == "PIL.Image" for kind in type(image).__mro__)
