"""Largest logits of the packaged network: how much rows look like digits."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from importlib.resources import files
from typing import Any

import numpy as np

from .._network import Network
from .._packed_network import read_network

Array = np.ndarray[Any, Any]


def largest_logits(rows: Sequence[Array]) -> list[float]:
    """The largest logit that the packaged network computes for each row.

    For MNIST's digits it is 10 or more; for letters, noise and parts of digits it is smaller.

    Parameters
    ----------
    rows : sequence of ndarray of uint8, shape (28, 28)

    Returns
    -------
    list of float
    """
    if not rows:
        return []
    scaled = np.reshape(rows, (len(rows), -1)) * np.float32(1 / 255)
    largest: list[float] = _network().logits(scaled).max(axis=1).tolist()
    return largest


@lru_cache(maxsize=1)
def _network() -> Network:
    with (files("skdigits") / "data" / "pretrained.npz").open("rb") as file:
        return read_network(file)[0]
