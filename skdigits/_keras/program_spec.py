"""What a compiled epoch is made for: programs of equal specs are interchangeable."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .._augmentation import Augmentation
from .building import Architecture, OptimizerSpec

# A call of a compiled program costs as much as many steps of a small network, so that many share
# one, up to a matrix of row indices of 4 MB.
STEPS_PER_CALL = 512
INDICES_PER_CALL = 2**20


@dataclass(frozen=True)
class ProgramSpec:
    """Everything that a compiled program has taken in and that can't be fed to it later.

    Parameters
    ----------
    input_dtype : str
        "uint8" for rows kept as bytes and divided by 255 in the batch, else `architecture.dtype`.
    capacity : int
        Rows for which there is room; see `row_capacity`.
    teacher : tuple of widths and activation, or None
        Layers of the network whose probabilities are the targets, None for the labels.
    averaging : float
        Decay of the weights' exponential moving average, 0 for none.
    """

    architecture: Architecture
    optimizer: OptimizerSpec
    label_smoothing: float
    augmentation: Augmentation | None
    teacher: tuple[tuple[int, ...], str] | None
    averaging: float
    batch_size: int
    capacity: int
    input_dtype: str

    def key(self) -> tuple[Any, ...]:
        return (
            self.architecture,
            self.optimizer.key(),
            self.label_smoothing,
            self.augmentation,
            self.teacher,
            self.averaging,
            self.batch_size,
            self.capacity,
            self.input_dtype,
        )

    @property
    def steps_capacity(self) -> int:
        """Rows of the index matrix, which may hold several short epochs."""
        one_epoch = -(-self.capacity // self.batch_size)
        return max(one_epoch, min(STEPS_PER_CALL, INDICES_PER_CALL // self.batch_size))


def row_capacity(n_rows: int) -> int:
    """Room for `n_rows`, from 128 rows on at most an eighth more; neighbouring folds share it."""
    grain = 2 ** max(n_rows.bit_length() - 4, 4)
    return -(-n_rows // grain) * grain
