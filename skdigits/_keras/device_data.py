"""Training rows where a compiled program reads them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from .._rows import Selection
from .program_spec import ProgramSpec

# Rows that are copied at a time: of rows that lie apart NumPy makes a copy in between.
BLOCK_ROWS = 4096


class Device(Protocol):
    """An engine's program, which places arrays where it reads them."""

    spec: ProgramSpec

    def place(self, array: np.ndarray) -> Any: ...


@dataclass(frozen=True)
class PlacedData:
    """Training rows in the program's form, with room to spare."""

    X: Any
    y: Any
    weights: Any
    n_rows: int


def place(X: Any, y: np.ndarray, weights: np.ndarray, program: Device) -> PlacedData:
    """Copy rows into a program's form.

    Parameters
    ----------
    X : ndarray or Selection of shape (n_samples, n_features)
        Of the program's input dtype.
    y : ndarray of shape (n_samples,)
        Class indices.
    weights : ndarray of shape (n_samples,)
        Relative to the mean over all training rows.
    program : Device
    """
    spec = program.spec
    return PlacedData(
        program.place(_padded(X, spec.capacity, spec.input_dtype)),
        program.place(_padded(y, spec.capacity, "int32")),
        program.place(_padded(weights, spec.capacity, spec.architecture.dtype)),
        len(y),
    )


@dataclass(frozen=True)
class StreamedData:
    """Training rows of which a window at a time is placed: as many batches as there is room for.

    The steps are those of rows placed at once, in the same order and to the same bits.
    """

    X: Any
    y: np.ndarray
    weights: np.ndarray
    program: Device

    @property
    def n_rows(self) -> int:
        return len(self.y)

    def windows(
        self, order: np.ndarray, start: int, stop: int, per_epoch: int
    ) -> Iterator[tuple[slice, PlacedData, np.ndarray]]:
        """The steps from `start` to `stop` of one epoch of `per_epoch` steps, window by window.

        Yields
        ------
        steps : slice
            Steps of this window.
        data : PlacedData
            The rows that they need.
        order : ndarray of int32 of shape (steps_capacity, batch_size)
            Which of these rows they take.
        """
        spec = self.program.spec
        room = min(spec.capacity // spec.batch_size, spec.steps_capacity)
        for first in range(start, stop, room):
            steps = slice(first, min(first + room, stop))
            end = min(steps.stop * spec.batch_size, self.n_rows)
            numbers = order[steps].reshape(-1)[: end - first * spec.batch_size]
            # Ascending, as the file is read fastest.
            rows, places = np.unique(numbers, return_inverse=True)
            own_order = np.zeros((spec.steps_capacity, spec.batch_size), dtype=np.int32)
            own_order.reshape(-1)[: len(numbers)] = places
            yield steps, self._placed(rows), own_order

    def _placed(self, rows: np.ndarray) -> PlacedData:
        return place(Selection(self.X, rows), self.y[rows], self.weights[rows], self.program)


def _padded(array: Any, capacity: int, dtype: str) -> np.ndarray:
    """The array's rows, followed by rows that no step takes."""
    shape = (capacity, *array.shape[1:])
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    # Backends use memory in place that starts at a multiple of 64 bytes, and copy any other.
    raw = np.empty(size + 64, dtype=np.uint8)
    offset = -raw.ctypes.data % 64
    room = raw[offset : offset + size].view(dtype).reshape(shape)
    for start in range(0, len(array), BLOCK_ROWS):
        block = array[start : start + BLOCK_ROWS]
        room[start : start + len(block)] = block
    return room
