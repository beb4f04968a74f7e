"""Turns colours into one brightness per pixel that sets ink apart from paper."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.ndimage import uniform_filter

from .background import quantiles

Array = np.ndarray[Any, Any]

# Rec. 601: what the eye makes of red, green, blue.
_LUMINANCE = np.array([0.299, 0.587, 0.114], np.float32)

# Mean difference between channels from which on a picture is taken for a coloured one.
_COLOURED = 0.02

# Luminance is taken unless its contrast is below this share of the best mixture's.
_EYE_SUFFICES = 0.5


def brightness(pixels: Array) -> Array:
    """One brightness per pixel.

    Parameters
    ----------
    pixels : ndarray of uint8, shape (height, width) or (height, width, 3 or 4)
        Grey, RGB or RGBA.

    Returns
    -------
    ndarray of float32, shape (height, width)
        From 0 to 1. Which of ink and paper is the brighter one is not settled here.
    """
    values = pixels.astype(np.float32) / np.float32(255)
    if values.ndim == 2:
        return values
    if values.shape[2] == 4:
        values = over_background(values[:, :, :3], values[:, :, 3])
    return mixed(values)


def over_background(colours: Array, alpha: Array) -> Array:
    """Colours laid over a background that the strokes stand out from.

    A drawing that is transparent but for its strokes is laid over white if they are dark and over
    black if they are bright. A sheet with transparent surroundings gets its own paper around it.

    Parameters
    ----------
    colours : ndarray of float32, shape (height, width, 3)
    alpha : ndarray of float32, shape (height, width)
        0 is transparent, 1 is opaque.

    Returns
    -------
    ndarray of float32, shape (height, width, 3)
    """
    weight = float(alpha.sum())
    if alpha.min() == 1:
        return colours
    if weight == 0:
        return np.zeros_like(colours)
    luminance = colours @ _LUMINANCE
    mean = float((luminance * alpha).sum()) / weight
    spread = float((np.square(luminance - mean) * alpha).sum() / weight) ** 0.5
    if spread > 0.05 and _is_sheet(alpha):
        background = np.median(colours[alpha > 0.5], axis=0)
    else:
        background = np.full(3, mean < 0.5, np.float32)
    return background + (colours - background) * alpha[:, :, None]


def _is_sheet(alpha: Array) -> bool:
    """Whether what can be seen is a rectangle, nearly."""
    seen = alpha > 0.5
    height = int(seen.any(axis=1).sum())
    width = int(seen.any(axis=0).sum())
    return float(seen.sum()) > 0.8 * height * width


def mixed(colours: Array) -> Array:
    """The mixture of red, green and blue in which ink differs from the paper around it.

    That is what the eye calls bright, unless another mixture shows much more: the first principal
    component of the colours' differences from their neighbourhood's mean. Yellow ink on white
    paper is seen that way, and red on green if both are equally bright. Slow changes of light
    across the picture don't count.

    Parameters
    ----------
    colours : ndarray of float32, shape (height, width, 3)

    Returns
    -------
    ndarray of float32, shape (height, width)
        From 0 to 1.
    """
    grey = colours @ _LUMINANCE
    if float(np.abs(colours - grey[:, :, None]).mean()) < _COLOURED:
        return grey
    # A few thousand pixels tell as much as all of them.
    step = max(1, min(grey.shape) // 50)
    few = colours[::step, ::step]
    size = max(3, min(few.shape[:2]) // 3)
    flat = (few - uniform_filter(few, size=(size, size, 0), mode="nearest")).reshape(-1, 3)
    _, axes = np.linalg.eigh(flat.T @ flat)
    mixture = axes[:, -1] if axes[:, -1].sum() >= 0 else -axes[:, -1]
    mixture = (mixture / np.abs(mixture).sum()).astype(np.float32)
    if _range(flat @ _LUMINANCE) > _EYE_SUFFICES * _range(flat @ mixture):
        return grey
    return colours @ mixture - np.minimum(mixture, 0).sum()


def _range(values: Array) -> float:
    """The range of all but a few outliers."""
    low, high = quantiles(values, 0.005, 0.995)
    return high - low
