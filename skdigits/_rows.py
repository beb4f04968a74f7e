"""Rows to train on, in memory or too many for it."""

from __future__ import annotations

import mmap
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.sparse import issparse

from ._network import Array

# Rows of more bytes than this are not copied at once into the program's memory. Those of a file
# aren't in memory yet, and for them the bound is lower.
IN_MEMORY_BYTES, ON_DISK_BYTES = 2**29, 2**25

# A window is an eighth of the rows within these bounds: each one reads from the whole file.
LEAST_WINDOW, LARGEST_WINDOW, WINDOWS = 2**25, 2**28, 8


class Selection:
    """Some rows of an array, read when they are asked for.

    Parameters
    ----------
    X : ndarray or Selection of shape (n_samples, n_features)
    numbers : ndarray of int
        Which rows, in their order.
    """

    def __init__(self, X: Any, numbers: Array) -> None:
        whole = isinstance(X, Selection)
        self.X: Array = X.X if whole else X
        self.numbers: Array = X.numbers[numbers] if whole else numbers

    @property
    def shape(self) -> tuple[int, int]:
        return len(self.numbers), self.X.shape[1]

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.X.dtype

    @property
    def ndim(self) -> int:
        return 2

    def __len__(self) -> int:
        return len(self.numbers)

    def __getitem__(self, rows: Any) -> Array:
        return np.asarray(self.X[self.numbers[rows]])

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        return np.asarray(self.X[self.numbers], dtype)


@dataclass(frozen=True)
class Rows:
    """Rows to train or validate on: X, class indices and weights of equal length."""

    X: Any
    y: Array
    weights: Array

    def __len__(self) -> int:
        return len(self.y)

    def __getitem__(self, chosen: Array) -> Rows:
        return Rows(taken(self.X, chosen), self.y[chosen], self.weights[chosen])


def taken(X: Any, chosen: Array) -> Any:
    """The rows of X with these numbers or marks, copied only where that costs little memory."""
    if not streamed(X):
        return X[chosen]
    return Selection(X, np.flatnonzero(chosen) if chosen.dtype == bool else chosen)


def streamed(X: Any) -> bool:
    """Whether X is read window by window, being a large file or larger than most."""
    if isinstance(X, Selection):
        return True
    if issparse(X):
        return False
    return bool(X.nbytes > (ON_DISK_BYTES if _on_disk(X) else IN_MEMORY_BYTES))


def window_rows(X: Any, batch_size: int) -> int:
    """How many rows of X are in memory at a time."""
    if not streamed(X):
        return len(X)
    row = X.shape[1] * X.dtype.itemsize
    window = min(max(len(X) * row // WINDOWS, LEAST_WINDOW), LARGEST_WINDOW)
    return min(len(X), max(batch_size, window // row))


def _on_disk(X: Any) -> bool:
    """Whether an array's memory is a mapped file, as that of numpy.memmap and its views."""
    while X is not None:
        if isinstance(X, (np.memmap, mmap.mmap)):
            return True
        X = getattr(X, "base", None)
    return False
