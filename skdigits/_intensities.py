"""Warns of pixels that are in another range than is meant."""

from __future__ import annotations

import warnings
from typing import Any

from scipy.sparse import issparse

# Rows of fewer features aren't images; the smallest digits, of 8 × 8, have so many.
_PIXELS = 64

# So many rows are looked at.
_ROWS = 100


def warn_if_scaled(X: Any, stacklevel: int) -> None:
    """Warn of floats from 0 to 1 where pixels from 0 to 255 are meant."""
    part = _images(X)
    # Whole numbers may be black and white, or nearly blank.
    if part is not None and part.min() >= 0 and part.max() <= 1 and (part % 1 != 0).any():
        warnings.warn(
            f"Got X from {part.min():.3g} to {part.max():.3g}, expected pixels from 0 to 255: "
            "these look divided by 255 already, and would be taken for black images.",
            UserWarning,
            stacklevel=stacklevel + 1,
        )


def warn_if_unscaled(X: Any, stacklevel: int) -> None:
    """Warn of pixels from 0 to 255 that weren't bytes, and so are not scaled by the classifier."""
    part = _images(X)
    if part is None or not (part.min() >= 0 and 100 < part.max() <= 255 and (part % 1 == 0).all()):
        return
    warnings.warn(
        f"Got X with whole numbers from {part.min():.0f} to {part.max():.0f}, which look like "
        "pixels but aren't uint8: training on them as they are is poor. Give them as uint8, or "
        "put a PixelScaler before the classifier.",
        UserWarning,
        stacklevel=stacklevel + 1,
    )


def _images(X: Any) -> Any:
    """The first rows if they are floats and may be images, else None."""
    if issparse(X) or X.dtype.kind != "f" or X.shape[1] < _PIXELS or not X.shape[0]:
        return None
    return X[:_ROWS]
