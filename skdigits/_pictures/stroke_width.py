"""Brings strokes to the weight that MNIST's have."""

from __future__ import annotations

from math import ceil
from typing import Any

import numpy as np
from scipy.ndimage import distance_transform_edt, maximum_filter

Array = np.ndarray[Any, Any]


def outline(amount: Array) -> float:
    """Length of the ink's outline in pixels: its total variation.

    Parameters
    ----------
    amount : ndarray of float, shape (height, width)
        0 to 1.

    Returns
    -------
    float
    """
    height, width = amount.shape
    padded = np.zeros((height + 2, width + 2), np.float32)
    padded[1:-1, 1:-1] = amount
    corner = padded[:-1, :-1]
    down, across = padded[1:, :-1] - corner, padded[:-1, 1:] - corner
    return float(np.sqrt(down * down + across * across).sum())


def stroke_width(amount: Array) -> float:
    """Mean width of the strokes in pixels: twice their area over the length of their outline.

    Parameters
    ----------
    amount : ndarray of float, shape (height, width)
        0 to 1.

    Returns
    -------
    float
    """
    return 2 * float(amount.sum()) / max(outline(amount), 1e-6)


def thickened(amount: Array, growth: float, gap: float) -> Array:
    """The ink with strokes grown on both sides, but not into each other.

    Where less than `gap` of paper would be left between two strokes, or inside a loop, they grow
    only so far.

    Parameters
    ----------
    amount : ndarray of float, shape (height, width)
        0 to 1; pixels from 0.5 on are ink.
    growth : float
        By how many pixels strokes grow on either side.
    gap : float
        Paper to be left between strokes, in pixels.

    Returns
    -------
    ndarray of float32, shape (height, width)
    """
    distance = distance_transform_edt(amount < 0.5)
    # Half the width of the paper here: the distance in its middle.
    room = maximum_filter(distance, 2 * ceil(growth + gap / 2) + 1)
    limit = np.minimum(growth, np.maximum(room - gap / 2, 0))
    grown = np.clip(limit + 1 - distance, 0, 1)
    return np.maximum(grown, amount).astype(np.float32)


def thinned(amount: Array, loss: float, core: float) -> Array:
    """The ink with strokes that lost something on both sides, but never all.

    Where a stroke is narrower than that it keeps at least `core`.

    Parameters
    ----------
    amount : ndarray of float, shape (height, width)
        0 to 1; pixels from 0.5 on are ink.
    loss : float
        How many pixels strokes lose on either side.
    core : float
        Least width that is left of a stroke, in pixels.

    Returns
    -------
    ndarray of float32, shape (height, width)
    """
    depth = distance_transform_edt(amount >= 0.5)
    half = maximum_filter(depth, 2 * ceil(loss + core / 2) + 1)
    limit = np.minimum(loss, np.maximum(half - core / 2, 0))
    return np.minimum(np.clip(depth - limit, 0, 1), amount).astype(np.float32)
