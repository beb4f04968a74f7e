"""Random deformation of a batch of images inside a compiled program."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import tensorflow as tf

from .._augmentation import N_RANDOM, STROKE, Augmentation, coordinates, side_of

# NumPy's names for what the geometry needs.
XP = SimpleNamespace(cos=tf.cos, sin=tf.sin, matmul=tf.matmul, clip=tf.clip_by_value)


def deform(images: Any, augmentation: Augmentation, seed: Any, fill: Any) -> Any:
    """Deform each image in its own way.

    Parameters
    ----------
    images : tensor of shape (n_samples, side * side)
    augmentation : Augmentation
    seed : tensor of int32 of shape (2,)
        The same seed gives the same deformations.
    fill : scalar tensor
        Value outside of the images.

    Returns
    -------
    tensor of the same shape and dtype
    """
    n = images.shape[0]
    # Threefry compiles to far faster code than the automatic choice.
    random = tf.random.stateless_uniform((n, N_RANDOM), seed, -1.0, 1.0, alg="threefry")
    return resampled(images, augmentation, random, fill)


def resampled(images: Any, augmentation: Augmentation, random: Any, fill: Any) -> Any:
    """Deform images by given random numbers, uniform from -1 to 1."""
    n, side = images.shape[0], side_of(images.shape[1])
    square = tf.reshape(images - fill, (n, side, side))
    padded = tf.pad(square, ((0, 0), (1, 1), (1, 1)))
    if augmentation.stroke:
        change = tf.cast(augmentation.stroke * random[:, STROKE], images.dtype)
        padded = tf.pad(_reweighted(square, padded, change), ((0, 0), (1, 1), (1, 1)))
    x, y = coordinates(augmentation, side, random, XP)
    left, top = tf.floor(x), tf.floor(y)
    wx, wy = tf.cast(x - left, images.dtype), tf.cast(y - top, images.dtype)
    width = side + 2
    start = tf.range(n)[:, None] * width**2 + width + 1
    index = start + tf.cast(top, tf.int32) * width + tf.cast(left, tf.int32)
    flat = tf.reshape(padded, (-1,))
    corners = [tf.gather(flat, index + step) for step in (0, 1, width, width + 1)]
    upper = corners[0] + wx * (corners[1] - corners[0])
    lower = corners[2] + wx * (corners[3] - corners[2])
    return upper + wy * (lower - upper) + fill


def _reweighted(square: Any, padded: Any, change: Any) -> Any:
    """Images with thinner strokes where the change is below 0, bolder ones where it is above."""
    highest = lowest = square
    around = (padded[:, :-2, 1:-1], padded[:, 2:, 1:-1], padded[:, 1:-1, :-2], padded[:, 1:-1, 2:])
    for neighbour in around:
        highest, lowest = tf.maximum(highest, neighbour), tf.minimum(lowest, neighbour)
    change = change[:, None, None]
    target = tf.where(change > 0, highest, lowest)
    return square + tf.abs(change) * (target - square)
