"""The figures of a training run by epoch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ._checks import Array

CURVES = ("loss", "accuracy", "val_loss", "val_accuracy")


def best_epoch(history: Mapping[str, Array]) -> int | None:
    """The epoch, from 1, of the best validation accuracy, of equal ones that of the least loss."""
    scores = history.get("val_accuracy")
    if scores is None or np.isnan(scores).all():
        return None
    losses = history.get("val_loss", np.zeros(len(scores)))
    return int(np.lexsort((losses, -scores))[0]) + 1


def checked_history(history: Mapping[str, Any], name: str) -> dict[str, Array]:
    curves = {
        key: np.asarray(history[key], dtype=np.float64)
        for key in CURVES
        if history.get(key) is not None
    }
    shapes = {key: curve.shape for key, curve in curves.items()}
    if not curves or len(set(shapes.values())) > 1 or min(len(s) for s in shapes.values()) != 1:
        of = f" of {name!r}" if name else ""
        raise ValueError(
            f"Got a history{of} with curves of shapes {shapes}, expected one or more of "
            f"{', '.join(CURVES)}, each with one number per epoch."
        )
    if not len(next(iter(curves.values()))):
        raise ValueError("Got a history without epochs, expected at least one.")
    return curves
