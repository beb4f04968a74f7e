"""Reads the digits of one line."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.ndimage import find_objects

from .cuts import in_pieces, labelled, spread
from .decoding import UnreadableImageError, decode_sized
from .fields import without_fields
from .form import SIDE
from .ink import amount_of
from .paper import Contrast
from .path import best_path, hypotheses
from .reading import ink_in, name_of

if TYPE_CHECKING:
    from PIL.Image import Image

Array = np.ndarray[Any, Any]

# A line is looked for in a copy with no side longer than this.
_WORKING_SIDE = 500

# Digits lower than this, in pixels, are looked at again in the larger picture.
_LOW = 40

# Parts smaller than this share of the digits' height are specks, dots or commas.
_SPECK = 0.2

# Parts are on the line if their middle is not further off than this share of the height.
_OFF_LINE = 0.6


@dataclass(frozen=True, eq=False)
class Number:
    """The digits that were read from one line.

    Attributes
    ----------
    text : str
        The digits from left to right, leading zeros kept.
    boxes : ndarray of int, shape (n_digits, 4)
        Left, top, right and bottom of each digit in pixels of the picture after the rotation that
        its EXIF data ask for; right and bottom are the first pixels outside.
    probabilities : ndarray of float, shape (n_digits, n_classes)
        Of each class for each digit.
    rows : ndarray of uint8, shape (n_digits, 784)
        What the network saw of each digit.
    """

    text: str
    boxes: Array
    probabilities: Array
    rows: Array

    @property
    def confidences(self) -> Array:
        """Probability of the class that was read, shape (n_digits,)."""
        return self.probabilities.max(axis=1)


def read_number(image: Any, model: Any = None) -> Number:
    try:
        return _read(image, model)
    except UnreadableImageError as error:
        raise UnreadableImageError(f"{name_of(image)}: {error}.") from error.__cause__


def _read(source: Any, model: Any) -> Number:
    """The digits in a picture."""
    image, size = decode_sized(source)
    part, (left, top), factor = _line_in(image)
    found, mask, height = _digits_in(part)
    labels = labelled(mask)
    amount = amount_of(found, mask, found.ink > 0, round(2 * height))
    pieces = in_pieces(labels, amount, height)
    likely = hypotheses(pieces, amount, spread(pieces.owners, amount), height)
    if not likely:
        raise UnreadableImageError("holds no digits: there is nothing but lines and specks")
    rows = np.array([hypothesis.form for hypothesis in likely]).reshape(-1, SIDE * SIDE)
    estimator = _pretrained() if model is None else model
    probabilities = estimator.predict_proba(rows)
    with np.errstate(divide="ignore"):
        scores = np.log(probabilities.max(axis=1))
    chosen = best_path(pieces, likely, scores, height)
    if not chosen:
        raise UnreadableImageError("holds no digits: nothing in it looks like one")
    boxes = np.array([likely[index].box for index in chosen]) * factor + [left, top, left, top]
    scale = np.array(size) / image.size
    text = "".join(str(label) for label in estimator.classes_[probabilities[chosen].argmax(axis=1)])
    boxes = np.rint(np.minimum(boxes, [*image.size] * 2) * [*scale, *scale]).astype(int)
    return Number(text, boxes, probabilities[chosen], rows[chosen])


@lru_cache(maxsize=1)
def _pretrained() -> Any:
    from .._pretrained import load_pretrained

    return load_pretrained()


def _line_in(image: Image) -> tuple[Image, tuple[int, int], int]:
    """The part of a picture that holds the line, at a moderate size.

    Returns
    -------
    part : PIL.Image.Image
    corner : tuple of int
        Where its left and top are in the picture.
    factor : int
        By which it was reduced.
    """
    factor = -(-max(image.size) // _WORKING_SIDE)
    whole = image.reduce(factor) if factor > 1 else image
    if factor == 1:
        return whole, (0, 0), 1
    _, mask, height = _digits_in(whole)
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if height >= _LOW:
        return whole, (0, 0), factor
    margin = height / 2
    area = np.array(
        [columns[0] - margin, rows[0] - margin, columns[-1] + margin, rows[-1] + margin]
    )
    area = np.clip(area * factor, 0, [*image.size] * 2).astype(int)
    finer = max(1, int(factor * height / _LOW))
    part = image.crop(area.tolist())
    return part.reduce(finer) if finer > 1 else part, (int(area[0]), int(area[1])), finer


def _digits_in(image: Image) -> tuple[Contrast, Array, float]:
    """The ink of the digits of the only line, with their height."""
    found, mask = ink_in(image)
    rest = without_fields(mask, found)
    if not rest.any():
        raise UnreadableImageError("holds no digits: there is nothing but lines")
    kept, height = on_line(labelled(rest))
    return found, kept, height


def on_line(labels: Array) -> tuple[Array, float]:
    """Which pixels belong to the digits of the only line, and how high these are."""
    boxes = find_objects(labels)
    counts = np.bincount(labels.ravel(), minlength=len(boxes) + 1)[1:]
    tops, bottoms = (np.array([getattr(b[0], end) for b in boxes]) for end in ("start", "stop"))
    lefts, rights = (np.array([getattr(b[1], end) for b in boxes]) for end in ("start", "stop"))
    heights = bottoms - tops
    weights = counts * heights
    main = _weighted_median(heights, weights)
    large = (heights > 0.5 * main) & (heights < 2 * main)
    middles = (tops + bottoms) / 2
    centres = (lefts + rights) / 2
    slope, offset = _through(centres[large], middles[large], counts[large])
    off = np.abs(middles - slope * centres - offset)
    height = _weighted_median(heights[large], weights[large])
    near = off <= np.where(large, _OFF_LINE, 0.75) * height
    sizes = np.maximum(heights, rights - lefts)
    elsewhere = large & ~near
    if counts[elsewhere].sum() > 0.25 * counts[near].sum() and elsewhere.sum() > 1:
        raise UnreadableImageError("holds several lines of writing, expected one")
    kept = np.concatenate([[False], near & (sizes >= _SPECK * height)])
    return kept[labels], float(height)


def _through(x: Array, y: Array, weights: Array) -> tuple[float, float]:
    """Slope and offset of a nearly level line through most of some points."""
    best, fit = np.inf, (0.0, float(_weighted_median(y, weights)))
    for slope in np.linspace(-0.15, 0.15, 31):
        offset = _weighted_median(y - slope * x, weights)
        cost = float(np.abs(y - slope * x - offset) @ weights) / weights.sum() + 5 * abs(slope)
        if cost < best:
            best, fit = cost, (float(slope), offset)
    return fit


def _weighted_median(values: Array, weights: Array) -> float:
    order = np.argsort(values)
    below = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(below, below[-1] / 2)])
