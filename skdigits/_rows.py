"""Rows to train on, in memory or streamed from a larger array."""

from __future__ import annotations

import mmap
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.sparse import issparse

from ._network import Array

# Rows of more bytes than this are not copied at once into the program's memory. The limit is lower
# for rows of a file, which are not in memory yet.
IN_MEMORY_BYTES, ON_DISK_BYTES = 2**29, 2**25

# Bytes of a window: an eighth of the rows, within these limits. Each window reads from the whole
# file.
LEAST_WINDOW, LARGEST_WINDOW, WINDOWS = 2**25, 2**28, 8


class Selection:
    """Rows of an array, read when they are indexed.

    Parameters
    ----------
    X : ndarray or Selection of shape (n_samples, n_features)
    numbers : ndarray of int
        Indices of the rows.
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
    """Rows to train or validate on: X, class indices and weights, of equal length."""

    X: Any
    y: Array
    weights: Array

    def __len__(self) -> int:
        return len(self.y)

    def __getitem__(self, chosen: Array) -> Rows:
        return Rows(select_rows(self.X, chosen), self.y[chosen], self.weights[chosen])


def select_rows(X: Any, chosen: Array) -> Any:
    """Rows of X by a mask or by index, as a view of X where a copy would take much memory."""
    if not streamed(X):
        return X[chosen]
    return Selection(X, np.flatnonzero(chosen) if chosen.dtype == bool else chosen)


def streamed(X: Any) -> bool:
    """Whether X is read window by window, because it is large."""
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
    """Whether the memory of an array is a mapped file, as in numpy.memmap and its views."""
    while X is not None:
        if isinstance(X, (np.memmap, mmap.mmap)):
            return True
        X = getattr(X, "base", None)
    return False
