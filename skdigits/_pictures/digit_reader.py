"""Reads pictures of single digits from anything that holds them."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.ndimage import minimum_filter

from .background import Contrast, border_of, contrast, local_contrast
from .binarization import amount_of, find_ink, holds_square, sheet_of
from .brightness import brightness
from .decoding import as_bytes, decode
from .errors import UnreadableImageError, unreadable_on_error
from .mnist_form import SIDE, cropped, is_in_form, to_form
from .sources import is_single, name_of
from .stroke_width import outline
from .strokes import digit_of

if TYPE_CHECKING:
    from PIL.Image import Image

Array = np.ndarray[Any, Any]

_ERRORS = ("raise", "warn", "ignore")

# The digit is looked for in a copy with no side longer than this, and cut out of the larger
# picture if it is smaller than the second one there.
_WORKING_SIDE = 160
_SMALL_DIGIT = 56

# Ink along this share of the border, as wide as this share of the picture's longer side, is no
# stroke, but a shadow.
_SHADED = 0.15
_SHADOW = 0.3

# The strokes of a digit are at most so many times as long as it is high.
_LONGEST_STROKES = 9.0

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
    rows = []
    for index, source in enumerate(_each(images)):
        try:
            rows.append(read_one(source))
        except UnreadableImageError as error:
            message = f"{name_of(source, index)}: {error}."
            if errors == "raise":
                raise UnreadableImageError(message) from error.__cause__
            if errors == "warn":
                warnings.warn(message, UserWarning, stacklevel=2)
            rows.append(np.zeros((SIDE, SIDE), np.uint8))
    return np.array(rows, np.uint8).reshape(len(rows), SIDE * SIDE)


def read_one(source: Any) -> Array:
    """Read one picture.

    Parameters
    ----------
    source : path, bytes, binary file object, PIL image or array
        As for `decode`.

    Returns
    -------
    ndarray of uint8, shape (28, 28)

    Raises
    ------
    UnreadableImageError
        If there is no single digit in it.
    """
    if isinstance(source, np.ndarray) and source.dtype == np.uint8 and is_in_form(source):
        return source.copy()
    with unreadable_on_error():
        return _read(source)


def _read(source: Any) -> Array:
    image = decode(source)
    if image.mode == "L" and image.size == (SIDE, SIDE):
        pixels = np.array(image)
        for form in (pixels, 255 - pixels):
            if is_in_form(form):
                return form
    amount = find_digit(image)
    part = cropped(amount)
    if outline(part) > 2 * _LONGEST_STROKES * max(part.shape):
        raise UnreadableImageError("holds no digit: noise, or more writing than one digit has")
    return to_form(amount)


def find_digit(image: Image) -> Array:
    """The ink of the only digit in a picture.

    Parameters
    ----------
    image : PIL.Image.Image
        In mode L, RGB or RGBA.

    Returns
    -------
    ndarray of float32, shape (height, width)
        0 to 1; of the whole picture on a smaller scale, or of a part of it.

    Raises
    ------
    UnreadableImageError
        If there is no digit or several.
    """
    factor = -(-max(image.size) // _WORKING_SIDE)
    ink = _digit_in(image.reduce(factor) if factor > 1 else image)
    box = _box(ink > 0)
    size = max(box[2] - box[0], box[3] - box[1])
    if factor == 1 or size >= _SMALL_DIGIT:
        return ink
    margin = size // 2
    area = (box[0] - margin, box[1] - margin, box[2] + margin, box[3] + margin)
    limits = (*image.size, *image.size)
    part = image.crop(tuple(np.clip(np.multiply(area, factor), 0, limits).tolist()))
    factor = -(-max(part.size) // _WORKING_SIDE)
    try:
        return _digit_in(part.reduce(factor) if factor > 1 else part)
    except UnreadableImageError:
        return ink


def _digit_in(image: Image) -> Array:
    """The ink of the only digit in a picture of moderate size."""
    found, mask = ink_in(image)
    return amount_of(found, digit_of(mask), mask)


def ink_in(image: Image) -> tuple[Contrast, Array]:
    """All the ink of a picture of moderate size, the paper's surroundings left out.

    Parameters
    ----------
    image : PIL.Image.Image
        In mode L, RGB or RGBA.

    Returns
    -------
    found : Contrast
    mask : ndarray of bool, shape (height, width)

    Raises
    ------
    UnreadableImageError
        If nothing stands out from the paper.
    """
    values = brightness(np.asarray(image))
    if min(values.shape) < 3:
        raise UnreadableImageError(f"holds no digit: {image.width} × {image.height} pixels")
    for _ in range(3):
        found = contrast(values)
        mask = find_ink(found)
        sheet = sheet_of(mask, found.ink)
        if sheet is None:
            break
        values = _on_sheet(values, *sheet)
    if float(border_of(mask).mean()) > _SHADED and holds_square(mask, _SHADOW):
        found = local_contrast(values)
        mask = find_ink(found)
    return found, mask


def _on_sheet(values: Array, rows: slice, columns: slice, inside: Array) -> Array:
    """The picture with the sheet's paper in the place of all that is around the sheet."""
    edge = max(3, max(inside.shape) // 30 * 2 + 1)
    inside = minimum_filter(inside, edge, mode="constant")
    part = values[rows, columns]
    sheet = np.full_like(values, np.median(part[inside]) if inside.any() else part.mean())
    sheet[rows, columns][inside] = part[inside]
    return sheet


def _box(mask: Array) -> tuple[int, int, int, int]:
    """Left, top, right, bottom of the ink."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


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
    if array.ndim < 2:
        return array.ndim == 0 or array.dtype.kind not in "OUS"
    return array.ndim == 2 or (array.ndim == 3 and array.shape[2] in (1, 3, 4))


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
