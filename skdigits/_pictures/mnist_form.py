"""Brings a digit's ink into MNIST's form."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.ndimage import maximum_filter

from .stroke_width import stroke_width, thickened, thinned

Array = np.ndarray[Any, Any]

SIDE = 28
BOX = 20

# Where MNIST has its centres of mass, in pixels from the picture's top left corner: in the middle
# of the fifteenth pixel.
_CENTRE = 14.5

# Strokes below the first width are grown to the second one, in pixels of the 28.
_THIN = 2.0
_GROWN = 2.4

# Strokes above the first width are slimmed to the second one.
_BOLD = 3.3
_SLIMMED = 3.0

# Paper left between strokes that grow, in pixels of the 28.
_GAP = 1.2

# Strokes grow on a canvas finer by this factor.
_FINER = 4

_CROSS = np.array([[0, 1, 0], [1, 1, 1], [0, 1, 0]], bool)


def is_in_form(pixels: Array) -> bool:
    """Whether a picture is in MNIST's form already: white on black, scaled, centred.

    Parameters
    ----------
    pixels : ndarray of uint8, shape (height, width)

    Returns
    -------
    bool
    """
    if pixels.shape != (SIDE, SIDE) or pixels[0].any() or pixels[-1].any():
        return False
    if pixels[:, 0].any() or pixels[:, -1].any() or pixels.max() < 128:
        return False
    rows, columns = np.flatnonzero(pixels.any(axis=1)), np.flatnonzero(pixels.any(axis=0))
    size = max(rows[-1] - rows[0], columns[-1] - columns[0]) + 1
    if not BOX - 2 <= size <= BOX + 1:
        return False
    amount = pixels / np.float32(255)
    centre = centre_of_mass(amount)
    off = max(abs(centre[0] - _CENTRE), abs(centre[1] - _CENTRE))
    return off <= 0.75 and stroke_width(amount) > 1.2


def centre_of_mass(amount: Array) -> tuple[float, float]:
    """Row and column of the centre of mass, from the top left corner.

    Parameters
    ----------
    amount : ndarray of float, shape (height, width)

    Returns
    -------
    (row, column) : tuple of float
    """
    total = float(amount.sum())
    rows = float(amount.sum(axis=1) @ (np.arange(amount.shape[0]) + 0.5))
    columns = float(amount.sum(axis=0) @ (np.arange(amount.shape[1]) + 0.5))
    return rows / total, columns / total


def to_form(amount: Array) -> Array:
    """A digit in MNIST's form.

    Scaled with its aspect kept so that it fits into 20 × 20 pixels, with its centre of mass in
    the middle of 28 × 28, as MNIST was made [1]_. Strokes thinner than nearly all of MNIST's are
    grown.

    Parameters
    ----------
    amount : ndarray of float32, shape (height, width)
        Ink from 0 to 1.

    Returns
    -------
    ndarray of uint8, shape (28, 28)
        White on black.

    References
    ----------
    .. [1] Y. LeCun, L. Bottou, Y. Bengio, P. Haffner, "Gradient-based learning applied to
       document recognition", Proceedings of the IEEE 86(11), 2278-2324, 1998.
    """
    amount = cropped(amount)
    scale = BOX / max(amount.shape)
    width = stroke_width(amount) * scale
    if _THIN <= width <= _BOLD:
        placed = _placed(amount, scale, SIDE)
    elif width > _BOLD:
        loss = (width - _SLIMMED) / 2
        scale *= 1 + 2 * loss / BOX
        fine = _placed(amount, scale * _FINER, SIDE * _FINER)
        fine = thinned(fine, loss * _FINER, 2 * _FINER)
        placed = fine.reshape(SIDE, _FINER, SIDE, _FINER).mean(axis=(1, 3))
    else:
        growth = (_GROWN - width) / 2
        scale *= 1 - 2 * growth / BOX
        fine = _placed(_visible(amount, scale * _FINER), scale * _FINER, SIDE * _FINER)
        fine = thickened(fine, growth * _FINER, _GAP * _FINER)
        placed = fine.reshape(SIDE, _FINER, SIDE, _FINER).mean(axis=(1, 3))
    strongest = max(float(placed.max()), 1e-6)
    return np.rint(placed * (255 / strongest)).astype(np.uint8)


def cropped(amount: Array) -> Array:
    """The part of the picture that holds all the ink.

    Parameters
    ----------
    amount : ndarray of float, shape (height, width)

    Returns
    -------
    ndarray of float, shape (height, width)
    """
    inked = amount > 0.3
    rows, columns = np.flatnonzero(inked.any(axis=1)), np.flatnonzero(inked.any(axis=0))
    return amount[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def _placed(amount: Array, scale: float, side: int) -> Array:
    """The ink scaled onto a square canvas without aliasing, its centre of mass in the middle."""
    from PIL import Image

    centre = centre_of_mass(amount)
    window = []
    for length, middle in zip(amount.shape, centre, strict=True):
        start = middle - side * _CENTRE / SIDE / scale
        # Nothing may fall off the canvas for the sake of its centre.
        window.append(min(max(start, length - side / scale), 0.0))
    margin = int(max(side / scale - min(amount.shape), 0)) + 2
    padded = Image.fromarray(np.pad(amount, margin))
    top, left = window[0] + margin, window[1] + margin
    box = (left, top, left + side / scale, top + side / scale)
    return np.asarray(padded.resize((side, side), Image.Resampling.BILINEAR, box))


def _visible(amount: Array, scale: float) -> Array:
    """The ink with hairlines made so wide that they survive being scaled down."""
    width = stroke_width(amount)
    while width * scale < 1.2:
        amount = maximum_filter(amount, footprint=_CROSS)
        width += 2
    return amount
