"""Reads one digit from a picture, with other settings while the network is unsure."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from scipy.ndimage import (
    binary_fill_holes,
    find_objects,
    label,
    median_filter,
    minimum_filter,
    uniform_filter,
)

from .background import Contrast, border_of, contrast, local_contrast, otsu
from .binarization import amount_of, find_ink, holds_square, sheet_of
from .brightness import brightness
from .confidence import largest_logits
from .decoding import decode
from .errors import UnreadableImageError, unreadable_on_error
from .frames import without_frame
from .mnist_form import SIDE, cropped, is_in_form, to_form
from .stroke_width import outline
from .strokes import digit_of

if TYPE_CHECKING:
    from PIL.Image import Image

Array = np.ndarray[Any, Any]

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

# In smaller pictures, with a digit cropped tightly, strokes are as wide as shadows.
_SMALLEST_SHADED = 40

# An area that fills so much of its box is a rectangle, with strokes across its sides.
_RECTANGULAR = 0.6

# Smaller pictures, if there is a digit in them, are enlarged by this factor.
_TINY, _ENLARGED = 20, 4

# A reading with this largest logit is final, and others replace it if theirs is larger by this.
_SURE, _SURER = 10.5, 1.0


class Method(NamedTuple):
    """Settings with which a picture is read.

    Parameters
    ----------
    ink_strength : float
        Factor of the threshold between ink and paper.
    keep_border_parts : bool
        Whether parts at the border of the picture may belong to the digit.
    is_local : bool
        Whether ink is compared with its neighbourhood instead of the paper.
    only_sheet : bool
        Whether everything outside of the largest even area is ignored.
    median_size : int
        Side of the median filter that is applied first; 0 for none.
    """

    ink_strength: float = 1.0
    keep_border_parts: bool = True
    is_local: bool = False
    only_sheet: bool = False
    median_size: int = 0


# The first one is for all pictures; the others are tried in this order.
METHODS = (
    Method(),
    Method(ink_strength=0.6),
    Method(keep_border_parts=False),
    Method(is_local=True),
    Method(only_sheet=True),
    Method(median_size=3),
)


class Reading(NamedTuple):
    """A picture read by the first method.

    Parameters
    ----------
    row : ndarray of uint8, shape (28, 28)
        White on black; zeros for an unreadable picture.
    image : PIL.Image.Image or None
        The picture for the other methods; None if the row is final.
    """

    row: Array
    image: Image | None = None

    @property
    def n_pixels(self) -> int:
        return 0 if self.image is None else self.image.width * self.image.height


def first_reading(source: Any) -> Reading:
    """Read one picture by the first method.

    Parameters
    ----------
    source : path, data URL, bytes, binary file object, PIL image, array or ImageData
        As for `decode`.

    Returns
    -------
    Reading

    Raises
    ------
    UnreadableImageError
        If there is no single digit in it.
    """
    if isinstance(source, np.ndarray) and source.dtype == np.uint8 and is_in_form(source):
        return Reading(source.copy())
    image = _without_frame(decode(source))
    if image.mode == "L" and image.size == (SIDE, SIDE):
        pixels = np.array(image)
        for form in (pixels, 255 - pixels):
            if is_in_form(form):
                return Reading(form)
    row = _row(image, METHODS[0])
    if max(image.size) < _TINY and image.mode != "RGBA":
        image = _enlarged(image)
        row = _row(image, METHODS[0])
    return Reading(row, image)


def best_rows(readings: Sequence[Reading]) -> list[Array]:
    """The rows in which the network sees most of a digit.

    Pictures whose first reading has a large logit keep it. Others are read by the other methods,
    until one reading is sure.

    Parameters
    ----------
    readings : sequence of Reading

    Returns
    -------
    list of ndarray of uint8, shape (28, 28)
    """
    rows = [reading.row for reading in readings]
    open_ones = [i for i, reading in enumerate(readings) if reading.image is not None]
    logits = largest_logits([rows[i] for i in open_ones])
    for i, logit in zip(open_ones, logits, strict=True):
        image = readings[i].image
        if logit < _SURE and image is not None:
            rows[i] = _surest(image, rows[i], logit)
    return rows


def _surest(image: Image, row: Array, logit: float) -> Array:
    """The row, or that of another method with a larger logit."""
    for method in METHODS[1:]:
        with suppress(UnreadableImageError), unreadable_on_error():
            other = _row(image, method)
            (found,) = largest_logits([other])
            if found > logit + _SURER:
                row, logit = other, found
        if logit >= _SURE:
            break
    return row


def _without_frame(image: Image) -> Image:
    from PIL import Image as pillow

    pixels = np.asarray(image)
    cleaned = without_frame(pixels)
    return image if cleaned is pixels else pillow.fromarray(cleaned)


def _enlarged(image: Image) -> Image:
    """The picture with a margin of paper at a larger size."""
    from PIL import Image as pillow
    from PIL import ImageOps

    values = brightness(np.asarray(image))
    bright = values > otsu(values.ravel())
    paper = bright if bright.mean() > 0.5 else ~bright
    level = round(255 * float(np.median(values[paper]))) if paper.any() else 0
    grey = pillow.fromarray(np.round(255 * values).astype(np.uint8))
    framed = ImageOps.expand(grey, 1, fill=level)
    size = (_ENLARGED * framed.width, _ENLARGED * framed.height)
    return framed.resize(size, pillow.Resampling.BICUBIC)


def _row(image: Image, method: Method) -> Array:
    """The digit in MNIST's format."""
    amount = find_digit(image, method)
    part = cropped(amount)
    if outline(part) > 2 * _LONGEST_STROKES * max(part.shape):
        raise UnreadableImageError("holds no digit: noise, or more writing than one digit has")
    return to_form(amount)


def find_digit(image: Image, method: Method) -> Array:
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
    ink = _digit_in(image.reduce(factor) if factor > 1 else image, method)
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
        return _digit_in(part.reduce(factor) if factor > 1 else part, method)
    except UnreadableImageError:
        return ink


def _digit_in(image: Image, method: Method) -> Array:
    """The ink of the only digit in a picture of moderate size."""
    found, mask = ink_in(image, method)
    return amount_of(found, digit_of(mask, method.keep_border_parts), mask)


def ink_in(image: Image, method: Method = METHODS[0]) -> tuple[Contrast, Array]:
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
    if method.median_size:
        values = median_filter(values, method.median_size)
    if method.only_sheet:
        values = _only_sheet(values)
    for _ in range(3):
        found = local_contrast(values) if method.is_local else contrast(values)
        mask = find_ink(found, method.ink_strength)
        sheet = sheet_of(mask, found.ink)
        if sheet is None:
            break
        values = _on_sheet(values, *sheet)
    shaded = float(border_of(mask).mean()) > _SHADED and holds_square(mask, _SHADOW)
    if shaded and min(values.shape) >= _SMALLEST_SHADED:
        found = local_contrast(values)
        mask = find_ink(found, method.ink_strength)
    return found, mask


def _only_sheet(values: Array) -> Array:
    """The picture with everything outside of its largest even area replaced by paper."""
    smooth = uniform_filter(values, 3, mode="nearest")
    bright = smooth > otsu(smooth.ravel())
    best = max((_largest_part(area) for area in (bright, ~bright)), key=np.count_nonzero)
    if not 0.1 < best.mean() < 0.95:
        raise UnreadableImageError("holds no digit: no sheet of paper")
    edge = max(3, max(values.shape) // 30 * 2 + 1)
    inside = minimum_filter(best, edge, mode="nearest")
    if not inside.any():
        raise UnreadableImageError("holds no digit: no sheet of paper")
    return np.where(inside, values, np.float32(np.median(values[inside])))


def _largest_part(mask: Array) -> Array:
    """The largest connected part with what it encloses; all of its box if it is a rectangle."""
    labels, count = label(mask)
    if not count:
        return mask
    largest = int(np.bincount(labels.ravel())[1:].argmax()) + 1
    part: Array = binary_fill_holes(labels == largest)
    box = find_objects(labels)[largest - 1]
    if part[box].mean() > _RECTANGULAR:
        part[box] = True
    return part


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
