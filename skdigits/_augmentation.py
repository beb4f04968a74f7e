"""Random deformation of images: ranges, and the coordinates of deformed pixels."""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cache
from math import isqrt
from numbers import Real
from typing import Any

import numpy as np

from ._network import Array

# Elastic displacements are drawn on a grid of GRID × GRID points.
GRID = 6
# Each image needs N_RANDOM random numbers: seven with these indices, then the displacements of the
# grid points along x and along y.
ANGLE, SCALE_X, SCALE_Y, SHEAR, SHIFT_X, SHIFT_Y, STROKE = range(7)
N_RANDOM = 7 + 2 * GRID**2

# Coordinates are clipped to this distance from the outermost pixels, where the value is the
# background.
_MARGIN = 1 - 1e-3

_MAX_RANGE = {
    "rotation": 180.0,
    "scale": 0.9,
    "shear": 2.0,
    "shift": 1.0,
    "elastic": 0.5,
    "stroke": 1.0,
}


@dataclass(frozen=True)
class Augmentation:
    """Ranges of the random deformations of training images.

    Every image has a new random deformation in every epoch: an affine transformation [1]_ and
    smooth elastic displacements [2]_, both from uniform distributions. Pixels are interpolated
    linearly. Lengths are relative to the side of the image, so that the same ranges suit images of
    8 × 8 and of 28 × 28 pixels.

    Parameters
    ----------
    rotation : float, default=15.0
        Maximum angle in both directions, in degrees.
    scale : float, default=0.15
        Maximum relative change of the width and, independently, of the height.
    shear : float, default=0.2
        Maximum horizontal shift of two rows against each other, relative to their distance.
    shift : float, default=0.055
        Maximum shift along each axis, relative to the side: 1.5 of 28 pixels by default.
    elastic : float, default=0.04
        Root mean square of the elastic displacements along each axis, relative to the side: 1.1
        of 28 pixels by default. They are drawn on a grid of 6 × 6 points and interpolated by
        Gaussians.
    stroke : float, default=0.0
        Maximum change of the stroke width. With 1, a pixel changes at most to the minimum or
        the maximum of itself and its four neighbours.

    References
    ----------
    .. [1] L. Yaeger, R. Lyon, B. Webb, "Effective training of a neural network character
       classifier for word recognition", NIPS 1996.
    .. [2] P. Simard, D. Steinkraus, J. Platt, "Best practices for convolutional neural networks
       applied to visual document analysis", ICDAR 2003.

    Examples
    --------
    >>> from skdigits import Augmentation, DigitANNClassifier
    >>> gentle = Augmentation(rotation=10, elastic=0)
    >>> DigitANNClassifier(augmentation=gentle).augmentation.rotation
    10
    """

    rotation: float = 15.0
    scale: float = 0.15
    shear: float = 0.2
    shift: float = 0.055
    elastic: float = 0.04
    stroke: float = 0.0

    def __post_init__(self) -> None:
        self.check()

    def check(self) -> None:
        """Check the ranges.

        Raises
        ------
        ValueError
            If a range is not a number or out of bounds.
        """
        for name, upper in _MAX_RANGE.items():
            value: Any = vars(self).get(name)
            is_number = isinstance(value, Real) and not isinstance(value, (bool, np.bool_))
            if not is_number or not 0 <= value <= upper:
                raise ValueError(f"Got {name}={value!r}, expected a number from 0 to {upper:g}.")

    def as_floats(self) -> Augmentation:
        """The same ranges as Python floats, so that equal ranges have equal hashes."""
        return Augmentation(*(float(getattr(self, field.name)) for field in fields(self)))


NAMED = {"affine": Augmentation(elastic=0.0), "elastic": Augmentation()}
"""Ranges of the values "affine" and "elastic" of ``DigitANNClassifier(augmentation=…)``."""


def side_of(n_features: int, wanted_by: str = "augmentation or input_blur") -> int:
    """Side of square images with the given number of pixels.

    Raises
    ------
    ValueError
        If the number is not a square.
    """
    side = isqrt(n_features)
    if side * side != n_features or side < 2:
        raise ValueError(
            f"Got {n_features} features with {wanted_by}, expected a square number of them, the "
            "pixels of square images, such as 784."
        )
    return side


def background(X: Array) -> float:
    """Value of the background: the median of the outermost pixels of at most 1,000 images.

    Parameters
    ----------
    X : ndarray of shape (n_samples, side * side)
    """
    side = side_of(X.shape[1])
    some = np.asarray(X[:: -(-len(X) // 1000)]).reshape(-1, side, side)
    edges = [some[:, 0], some[:, -1], some[:, 1:-1, 0], some[:, 1:-1, -1]]
    return float(np.median(np.concatenate([edge.ravel() for edge in edges])))


@cache
def displacement_basis(side: int) -> Array:
    """Weight of each grid point in the displacement of each pixel.

    The weights are Gaussians with the distance of grid points as standard deviation, normalized so
    that independent values of variance 1 at the grid points give displacements of variance 1.

    Returns
    -------
    ndarray of float32 of shape (GRID ** 2, side ** 2)
    """
    points = (np.arange(GRID) + 0.5) * side / GRID - 0.5
    along = np.exp(-0.5 * ((np.arange(side) - points[:, None]) * GRID / side) ** 2)
    basis = np.einsum("ax,by->abxy", along, along).reshape(GRID**2, side**2)
    return (basis / np.sqrt((basis**2).sum(axis=0))).astype(np.float32)


def random_numbers(rng: np.random.Generator, n_samples: int) -> Array:
    """Uniform random numbers from -1 to 1, of shape (n_samples, N_RANDOM)."""
    return rng.uniform(-1, 1, (n_samples, N_RANDOM)).astype(np.float32)


def coordinates(augmentation: Augmentation, side: int, random: Any, xp: Any) -> tuple[Any, Any]:
    """Position in the original image of each pixel of the deformed image.

    Parameters
    ----------
    augmentation : Augmentation
    side : int
    random : array of shape (n_samples, N_RANDOM)
        Uniform from -1 to 1.
    xp : module
        numpy or a module with the same functions for other arrays.

    Returns
    -------
    x, y : arrays of shape (n_samples, side * side)
        Column and row in pixels, from -_MARGIN to side - 1 + _MARGIN.
    """
    a, c = augmentation, (side - 1) / 2
    down, right = np.divmod(np.arange(side**2, dtype=np.float32), np.float32(side))
    dx, dy = (right - c)[None], (down - c)[None]
    column = [random[:, i : i + 1] for i in range(7)]
    angle = np.float32(np.deg2rad(a.rotation)) * column[ANGLE]
    cos, sin = xp.cos(angle), xp.sin(angle)
    scale_x, scale_y = 1 + a.scale * column[SCALE_X], 1 + a.scale * column[SCALE_Y]
    shear = a.shear * column[SHEAR]
    # Scale and shear first, then rotation.
    wide, high = scale_x * dx + shear * dy, scale_y * dy
    x = cos * wide - sin * high + (c + a.shift * side * column[SHIFT_X])
    y = sin * wide + cos * high + (c + a.shift * side * column[SHIFT_Y])
    if a.elastic:
        # Uniform numbers from -1 to 1 have variance 1/3.
        basis = displacement_basis(side) * np.float32(a.elastic * side * 3**0.5)
        x = x + xp.matmul(random[:, 7 : 7 + GRID**2], basis)
        y = y + xp.matmul(random[:, 7 + GRID**2 :], basis)
    low, top = np.float32(-_MARGIN), np.float32(side - 1 + _MARGIN)
    return xp.clip(x, low, top), xp.clip(y, low, top)


def deformed(images: Array, augmentation: Augmentation, random: Array, fill: float) -> Array:
    """Deform images in NumPy, as the compiled training does.

    Parameters
    ----------
    images : ndarray of float of shape (n_samples, side * side)
    augmentation : Augmentation
    random : ndarray of shape (n_samples, N_RANDOM)
    fill : float
        Value of the background.

    Returns
    -------
    ndarray of the same shape and dtype
    """
    n, side = len(images), side_of(images.shape[1])
    padded = np.full((n, side + 2, side + 2), fill, images.dtype)
    padded[:, 1:-1, 1:-1] = images.reshape(n, side, side)
    if augmentation.stroke:
        change = (augmentation.stroke * random[:, STROKE, None, None]).astype(images.dtype)
        inner = padded[:, 1:-1, 1:-1]
        around = [inner, padded[:, :-2, 1:-1], padded[:, 2:, 1:-1]]
        around += [padded[:, 1:-1, :-2], padded[:, 1:-1, 2:]]
        lowest, highest = np.min(around, axis=0), np.max(around, axis=0)
        target = np.where(change > 0, highest, lowest)
        padded[:, 1:-1, 1:-1] = inner + np.abs(change) * (target - inner)
    x, y = coordinates(augmentation, side, random, np)
    left, top = np.floor(x).astype(int), np.floor(y).astype(int)
    wx, wy = (x - left).astype(images.dtype), (y - top).astype(images.dtype)
    i = np.arange(n)[:, None]
    corners = [padded[i, top + 1 + v, left + 1 + h] for v in (0, 1) for h in (0, 1)]
    upper = corners[0] + wx * (corners[1] - corners[0])
    lower = corners[2] + wx * (corners[3] - corners[2])
    return np.asarray(upper + wy * (lower - upper))
