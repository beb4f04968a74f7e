"""Takes out the thin frame of a small picture, such as the lines around a cell of a grid."""

from __future__ import annotations

from typing import Any

import numpy as np

from .brightness import brightness

Array = np.ndarray[Any, Any]

# Frames of larger pictures are found among the ruled lines.
_LARGEST = 160

# A frame is at most this wide, in pixels and as a share of the shorter side.
_WIDEST, _WIDEST_SHARE = 3, 0.05

# It covers at least this share of each of the four sides; of the pixels next to it inside, at
# most this share are as dark.
_COVERS, _STROKES_INSIDE = 0.9, 0.5

# Brightness by which it differs from the paper, and share of that for its faded edge.
_DIFFERENCE, _FADED = 0.15, 0.2


def without_frame(pixels: Array) -> Array:
    """The picture with paper in the place of a thin frame along all four sides.

    Parameters
    ----------
    pixels : ndarray of uint8, shape (height, width) or (height, width, 3 or 4)

    Returns
    -------
    ndarray of uint8 of the same shape
        The given array if there is no such frame.
    """
    side = min(pixels.shape[:2])
    widest = max(_WIDEST, round(_WIDEST_SHARE * side))
    if side < 4 * widest + 4 or max(pixels.shape[:2]) > _LARGEST:
        return pixels
    values = brightness(pixels)
    inside = values[widest + 1 : -widest - 1, widest + 1 : -widest - 1]
    difference = values - np.median(inside)
    frame = float(np.median(np.concatenate(_sides(difference, 0))))
    if abs(frame) < _DIFFERENCE:
        return pixels
    share = difference / frame
    width = 0
    while width <= widest and _least_covered(share, width, 0.5) >= _COVERS:
        width += 1
    strokes = np.mean(np.concatenate(_sides(share, width)) > 0.5)
    if not 0 < width <= widest or strokes > _STROKES_INSIDE:
        return pixels
    width += _least_covered(share, width, _FADED) >= _COVERS
    cleaned = pixels.copy()
    paper = np.median(pixels[widest + 1 : -widest - 1, widest + 1 : -widest - 1], axis=(0, 1))
    cleaned[:width] = cleaned[-width:] = paper
    cleaned[:, :width] = cleaned[:, -width:] = paper
    return cleaned


def _sides(values: Array, depth: int) -> list[Array]:
    """The pixels at that distance from the four sides."""
    inner = values[depth : values.shape[0] - depth, depth : values.shape[1] - depth]
    return [inner[0], inner[-1], inner[:, 0], inner[:, -1]]


def _least_covered(share: Array, depth: int, threshold: float) -> float:
    return min(float((side > threshold).mean()) for side in _sides(share, depth))
