"""Random deformation of images: its ranges, and the geometry of a drawn one."""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cache
from math import isqrt
from numbers import Real
from typing import Any

import numpy as np

from ._network import Array

# Points per side of the coarse grid on which elastic displacements are drawn.
GRID = 6
# Columns of a sample's random numbers: angle, scales, shear, shifts, stroke; then the two grids.
ANGLE, SCALE_X, SCALE_Y, SHEAR, SHIFT_X, SHIFT_Y, STROKE = range(7)
N_RANDOM = 7 + 2 * GRID**2

# How far beyond the last pixel a point may lie: there, one pixel away, is nothing but background.
BEYOND = 1 - 1e-3

UPPER = {"rotation": 180.0, "scale": 0.9, "shear": 2.0, "shift": 1.0, "elastic": 0.5, "stroke": 1.0}


@dataclass(frozen=True)
class Augmentation:
    """Ranges of the random deformation that training images go through.

    Each image of each batch gets its own deformation, drawn anew: an affine map [1]_ and a
    smooth field of displacements [2]_ from uniform distributions around no change. Values are
    interpolated linearly. Lengths are shares of the image's side, so that the same numbers fit
    images of 8 × 8 and of 28 × 28 pixels.

    Parameters
    ----------
    rotation : float, default=15.0
        Largest angle to either side, in degrees.
    scale : float, default=0.15
        Largest relative change of the width, independently of the height.
    shear : float, default=0.2
        Largest horizontal shift between two rows, as a share of their distance.
    shift : float, default=0.055
        Largest shift along each axis, as a share of the side: 1.5 pixels of 28.
    elastic : float, default=0.04
        Root mean square of the displacements along each axis, as a share of the side: 1.1
        pixels of 28. They are drawn on a grid of 6 × 6 points and smoothed by a Gaussian.
    stroke : float, default=0.0
        Largest change of the strokes' weight: from 1 × towards the darkest to 1 × towards the
        brightest of a pixel and its four neighbours.

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
            Names the range, what was received and what was expected.
        """
        for name, upper in UPPER.items():
            value: Any = vars(self).get(name)
            is_number = isinstance(value, Real) and not isinstance(value, (bool, np.bool_))
            if not is_number or not 0 <= value <= upper:
                raise ValueError(f"Got {name}={value!r}, expected a number from 0 to {upper:g}.")

    def as_floats(self) -> Augmentation:
        """The same ranges as plain floats, by which equal ones are told."""
        return Augmentation(*(float(getattr(self, field.name)) for field in fields(self)))


NAMED = {"affine": Augmentation(elastic=0.0), "elastic": Augmentation()}
"""What the names that `DigitANNClassifier` takes stand for."""


def side_of(n_features: int, wanted_by: str = "augmentation or input_blur") -> int:
    """Side of the square images that rows of so many pixels are.

    Raises
    ------
    ValueError
        If there are no such images.
    """
    side = isqrt(n_features)
    if side * side != n_features or side < 2:
        raise ValueError(
            f"Got {n_features} features with {wanted_by}, expected a square number of them, the "
            "pixels of square images, such as 784."
        )
    return side


def background(X: Array) -> float:
    """What lies around the digits: the median of the outermost pixels of the images.

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
    """What each point of the coarse grid contributes to the displacement of each pixel.

    Gaussians as wide as the grid's spacing, scaled so that independent numbers of variance 1 on
    the grid give displacements of variance 1 everywhere.

    Returns
    -------
    ndarray of float32 of shape (GRID ** 2, side ** 2)
    """
    points = (np.arange(GRID) + 0.5) * side / GRID - 0.5
    along = np.exp(-0.5 * ((np.arange(side) - points[:, None]) * GRID / side) ** 2)
    basis = np.einsum("ax,by->abxy", along, along).reshape(GRID**2, side**2)
    return (basis / np.sqrt((basis**2).sum(axis=0))).astype(np.float32)


def random_numbers(rng: np.random.Generator, n_samples: int) -> Array:
    """Random numbers for so many images, uniform from -1 to 1."""
    return rng.uniform(-1, 1, (n_samples, N_RANDOM)).astype(np.float32)


def coordinates(augmentation: Augmentation, side: int, random: Any, xp: Any) -> tuple[Any, Any]:
    """Where each pixel of a deformed image comes from.

    Parameters
    ----------
    augmentation : Augmentation
    side : int
    random : array of shape (n_samples, N_RANDOM)
        Uniform from -1 to 1.
    xp : module
        numpy, or what has its functions for another kind of array.

    Returns
    -------
    x, y : arrays of shape (n_samples, side * side)
        Column and row in the image, in pixels, from -BEYOND to side - 1 + BEYOND.
    """
    a, c = augmentation, (side - 1) / 2
    down, right = np.divmod(np.arange(side**2, dtype=np.float32), np.float32(side))
    dx, dy = (right - c)[None], (down - c)[None]
    column = [random[:, i : i + 1] for i in range(7)]
    angle = np.float32(np.deg2rad(a.rotation)) * column[ANGLE]
    cos, sin = xp.cos(angle), xp.sin(angle)
    scale_x, scale_y = 1 + a.scale * column[SCALE_X], 1 + a.scale * column[SCALE_Y]
    shear = a.shear * column[SHEAR]
    # The rotation after shear and scale.
    wide, high = scale_x * dx + shear * dy, scale_y * dy
    x = cos * wide - sin * high + (c + a.shift * side * column[SHIFT_X])
    y = sin * wide + cos * high + (c + a.shift * side * column[SHIFT_Y])
    if a.elastic:
        # Uniform numbers from -1 to 1 have the variance 1/3.
        basis = displacement_basis(side) * np.float32(a.elastic * side * 3**0.5)
        x = x + xp.matmul(random[:, 7 : 7 + GRID**2], basis)
        y = y + xp.matmul(random[:, 7 + GRID**2 :], basis)
    low, top = np.float32(-BEYOND), np.float32(side - 1 + BEYOND)
    return xp.clip(x, low, top), xp.clip(y, low, top)


def deformed(images: Array, augmentation: Augmentation, random: Array, fill: float) -> Array:
    """Deform images as training does, in NumPy.

    Parameters
    ----------
    images : ndarray of float of shape (n_samples, side * side)
    augmentation : Augmentation
    random : ndarray of shape (n_samples, N_RANDOM)
    fill : float
        Value outside of the images.

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
