"""Decides which pixels are ink."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.ndimage import (
    binary_erosion,
    binary_fill_holes,
    binary_propagation,
    find_objects,
    label,
    maximum_filter,
    uniform_filter,
)

from .background import Contrast, median, otsu, quantiles
from .errors import UnreadableImageError

Array = np.ndarray[Any, Any]

# The faintest ink: a pencil leaves a tenth of black or more.
_FAINTEST = 0.05

# How far beyond the paper's noise ink has to be, in standard deviations of it.
_BEYOND_NOISE = 3.0

# Ink fainter than this has to be so many times as strong as the paper's grain: blank paper comes
# to 5, a pencil to 7 or more.
_FAINT = 0.2
_ABOVE_GRAIN = 5.5

# Pixels of this share of the threshold are ink if they hang together with stronger ones.
_WEAKER = 0.6

# Ink below the first share of the strongest nearby is none, beyond the second one it is full.
_NONE, _FULL = 0.2, 0.75

NEIGHBOURS = np.ones((3, 3), bool)


def find_ink(contrast: Contrast, strength: float = 1.0) -> Array:
    """Tell ink from paper.

    The threshold is Otsu's [1]_ among the pixels that noise cannot explain, and weaker pixels
    count if they touch stronger ones (hysteresis, [2]_): a pencil's pressure varies.

    Parameters
    ----------
    contrast : Contrast
    strength : float, default=1.0
        Factor of Otsu's threshold; fainter strokes are found with less than 1.

    Returns
    -------
    ndarray of bool, shape (height, width)

    Raises
    ------
    UnreadableImageError
        If nothing stands out from the paper.

    References
    ----------
    .. [1] N. Otsu, "A threshold selection method from gray-level histograms", IEEE Transactions
       on Systems, Man, and Cybernetics 9(1), 62-66, 1979.
    .. [2] J. Canny, "A computational approach to edge detection", IEEE Transactions on Pattern
       Analysis and Machine Intelligence 8(6), 679-698, 1986.
    """
    values = contrast.ink
    floor = _floor(contrast)
    candidates = values[values > floor]
    if candidates.size < 3 or float(candidates.max()) < max(_FAINTEST, 1.25 * floor):
        raise UnreadableImageError("holds no digit: nothing stands out from the paper")
    strongest = quantiles(candidates, 0.98)[0]
    threshold = max(strength * otsu(np.minimum(candidates, strongest)), floor)
    weak = values > max(_WEAKER * threshold, floor)
    mask = binary_propagation((values > threshold) & weak, NEIGHBOURS, weak)
    if _is_grain(values, mask):
        raise UnreadableImageError("holds no digit: nothing stands out from the paper's own grain")
    return mask


def _is_grain(values: Array, mask: Array) -> bool:
    """Whether faint ink is no more than blank paper has by chance."""
    strength = median(values[mask])
    if strength > _FAINT:
        return False
    paper = values[~maximum_filter(mask, 5)]
    # Half of the noise was cut off at zero; of a normal one this is left.
    noise = (2 * np.pi) ** 0.5 * float(paper.mean()) if paper.size else 0.0
    return strength < _ABOVE_GRAIN * noise


def amount_of(contrast: Contrast, digit: Array, mask: Array, size: int | None = None) -> Array:
    """How much ink there is, relative to the strongest nearby, so that faint strokes come out.

    Parameters
    ----------
    contrast : Contrast
    digit, mask : ndarray of bool, shape (height, width)
        Which pixels are the digit's, and which are ink at all. Around the digit, but not on other
        ink, its strokes may fade out.
    size : int, default=None
        Side in pixels of the picture that one digit would have to itself; None takes the longer
        side of this one.

    Returns
    -------
    ndarray of float32, shape (height, width)
        0 to 1.
    """
    values = contrast.ink
    middle = median(values[digit])
    size = max(3, (size or max(digit.shape)) // 24 * 2 + 1)
    nearby = maximum_filter(np.where(digit, values, np.float32(0)), size)
    full = np.clip(nearby, 0.5 * middle, 1.5 * middle)
    none = np.maximum(_NONE * full, 0.5 * _floor(contrast))
    amount = np.clip((values - none) / np.maximum(_FULL * full - none, 1e-6), 0, 1)
    around = maximum_filter(digit, 3) & (digit | ~mask)
    return np.where(around, amount, 0).astype(np.float32)


def _floor(contrast: Contrast) -> float:
    """What noise reaches, and nothing fainter is ink."""
    return max(_BEYOND_NOISE * contrast.noise, _FAINTEST / 2)


def sheet_of(mask: Array, values: Array) -> tuple[slice, slice, Array] | None:
    """The sheet of paper that was taken for ink, if that is what happened.

    A page on a table stands out from it as ink does from paper, but it is a rectangle, in some
    perspective, with something written on it.

    Parameters
    ----------
    mask : ndarray of bool, shape (height, width)
    values : ndarray of float32, shape (height, width)
        How far pixels stand out from what is around the sheet.

    Returns
    -------
    (rows, columns, inside) : tuple of slice, slice and ndarray of bool, or None
        Where it lies, and which of those pixels are on it.
    """
    if mask.mean() < 0.15:
        return None
    labels, _ = label(mask)
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    largest = int(sizes.argmax())
    if sizes[largest] < 0.15 * mask.size:
        return None
    rows, columns = find_objects(labels)[largest - 1]
    part = labels[rows, columns] == largest
    inside = binary_fill_holes(part)
    written = inside & ~part
    if written.sum() < max(0.003 * part.size, 12) or not holds_square(part, 0.15):
        return None
    likeness = _rectangularity(inside)
    # A bold 0 is nearly a rectangle too, with a hole as bright as what is around it.
    seen = values[rows, columns]
    through = float(seen[written].mean()) < 0.2 * float(seen[part].mean())
    small = min(part.shape) < 40
    if likeness < (0.92 if through else 0.85) or (through and small):
        return None
    return rows, columns, inside


def _rectangularity(part: Array) -> float:
    """The share that a filled part has of the smallest rectangle around it, turned as need be."""
    rows, columns = np.nonzero(part ^ binary_erosion(part))
    smallest = np.inf
    for angle in np.deg2rad(np.arange(0, 90, 5)):
        down = rows * np.cos(angle) - columns * np.sin(angle)
        across = rows * np.sin(angle) + columns * np.cos(angle)
        smallest = min(smallest, (np.ptp(down) + 1) * (np.ptp(across) + 1))
    return float(part.sum() / smallest)


def holds_square(part: Array, share: float) -> bool:
    """Whether a square fits in, whose side is that share of the longer side of the array.

    Parameters
    ----------
    part : ndarray of bool, shape (height, width)
    share : float

    Returns
    -------
    bool
    """
    side = max(3, int(share * max(part.shape)))
    filled = uniform_filter(part.astype(np.float32), side, mode="constant")
    return float(filled.max()) > 0.999
