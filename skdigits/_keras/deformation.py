"""Random deformation of a batch of images inside a compiled program."""

from __future__ import annotations

from typing import Any

from keras import ops

from .._augmentation import N_RANDOM, STROKE, Augmentation, coordinates, side_of


def deformed(images: Any, augmentation: Augmentation, seed: Any, fill: Any, primitives: Any) -> Any:
    """Deform each image in its own way.

    Parameters
    ----------
    images : array of shape (n_samples, side * side)
    augmentation : Augmentation
    seed : int32 array of shape (2,)
        The same seed gives the same deformations.
    fill : scalar array
        Value outside of the images.
    primitives : Primitives

    Returns
    -------
    array of the same shape and dtype
    """
    random = 2 * primitives.uniform((images.shape[0], N_RANDOM), seed) - 1
    return resampled(images, augmentation, random, fill, primitives)


def resampled(
    images: Any, augmentation: Augmentation, random: Any, fill: Any, primitives: Any
) -> Any:
    """Deform images by given random numbers, uniform from -1 to 1."""
    n, side = images.shape[0], side_of(images.shape[1])
    square = ops.reshape(images - fill, (n, side, side))
    padded = ops.pad(square, ((0, 0), (1, 1), (1, 1)))
    if augmentation.stroke:
        change = ops.cast(augmentation.stroke * random[:, STROKE], images.dtype)
        padded = ops.pad(_reweighted(square, padded, change), ((0, 0), (1, 1), (1, 1)))
    x, y = coordinates(augmentation, side, random, ops)
    left, top = ops.floor(x), ops.floor(y)
    wx, wy = ops.cast(x - left, images.dtype), ops.cast(y - top, images.dtype)
    width = side + 2
    start = ops.expand_dims(ops.arange(n, dtype="int32"), 1) * width**2 + width + 1
    index = start + ops.cast(top, "int32") * width + ops.cast(left, "int32")
    flat = ops.reshape(padded, (-1,))
    corners = [primitives.gather(flat, index + step) for step in (0, 1, width, width + 1)]
    upper = corners[0] + wx * (corners[1] - corners[0])
    lower = corners[2] + wx * (corners[3] - corners[2])
    return upper + wy * (lower - upper) + fill


def _reweighted(square: Any, padded: Any, change: Any) -> Any:
    """Images with thinner strokes where the change is below 0, bolder ones where it is above."""
    highest = lowest = square
    around = (padded[:, :-2, 1:-1], padded[:, 2:, 1:-1], padded[:, 1:-1, :-2], padded[:, 1:-1, 2:])
    for neighbour in around:
        highest, lowest = ops.maximum(highest, neighbour), ops.minimum(lowest, neighbour)
    change = ops.reshape(change, (-1, 1, 1))
    target = ops.where(change > 0, highest, lowest)
    return square + ops.abs(change) * (target - square)
