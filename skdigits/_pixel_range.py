"""Warns where rows have another range of values than the network expects."""

from __future__ import annotations

import warnings
from typing import Any, NamedTuple

import numpy as np
from scipy.sparse import issparse

# Digits have at least 8 × 8 pixels. Rows with fewer features are not images.
_LEAST_PIXELS = 64

# Rows of which the range is measured.
_RANGE_ROWS, _SCALE_ROWS = 100, 200

# Fewer values than these say too little about the scale.
_LEAST_VALUES = 100

# Scales that differ by this factor are different: pixels from 0 to 16 or 255 and from 0 to 1 do.
_OTHER_SCALE = 5.0

# Share of values below 0 that standardised images exceed. Pixels have none.
_NEGATIVE = 0.1

_BESIDE = (
    "Rows given beside X do not pass through the steps of a Pipeline before the classifier, "
    "unless its parameter transform_input names them, as in transform_input=['X_val']."
)


class Scale(NamedTuple):
    """Scale of the values of some rows.

    Parameters
    ----------
    magnitude : float
        Median of the absolute values that are not 0.
    negative : float
        Share of values below 0 among those that are not 0.
    is_image : bool
        Whether rows have as many features as images have.
    """

    magnitude: float
    negative: float
    is_image: bool


def scale_of(X: Any) -> Scale | None:
    """Scale of rows, None where they have too few values that are not 0.

    Parameters
    ----------
    X : ndarray, Selection or sparse matrix of shape (n_samples, n_features)
    """
    some = X[:: max(1, -(-X.shape[0] // _SCALE_ROWS))]
    values = np.asarray(some.data if issparse(some) else some)  # type: ignore[attr-defined]
    values = values[values != 0]
    if values.size < _LEAST_VALUES:
        return None
    return Scale(
        float(np.median(np.abs(values))),
        float((values < 0).mean()),
        X.shape[1] >= _LEAST_PIXELS,
    )


def warn_if_other_scale(
    name: str, X: Any, reference: Scale | None, earlier: str, stacklevel: int
) -> None:
    """Warn of rows on another scale than those that the network is trained on.

    Parameters
    ----------
    name : str
        Of the parameter that the rows were passed to.
    X : ndarray, Selection or sparse matrix of shape (n_samples, n_features)
    reference : Scale or None
        Of the training rows.
    earlier : str
        The training rows in words.
    stacklevel : int
        1 is the caller.
    """
    scale = scale_of(X)
    if scale is None or reference is None:
        return
    ratio = scale.magnitude / reference.magnitude
    other_sign = scale.is_image and (
        min(scale.negative, reference.negative) == 0
        and max(scale.negative, reference.negative) > _NEGATIVE
    )
    if 1 / _OTHER_SCALE < ratio < _OTHER_SCALE and not other_sign:
        return
    warnings.warn(
        f"Got {name} on another scale than {earlier}: the median of its absolute values is "
        f"{scale.magnitude:.3g} (zeros left out) with {scale.negative:.0%} below 0, expected "
        f"about {reference.magnitude:.3g} with {reference.negative:.0%}. {_BESIDE}",
        UserWarning,
        stacklevel=stacklevel + 1,
    )


def warn_if_scaled(X: Any, stacklevel: int, *, after_bytes: bool = False) -> None:
    """Warn of floats from 0 to 1 where pixels from 0 to 255 are expected.

    Parameters
    ----------
    X : ndarray or sparse matrix of shape (n_samples, n_features)
    stacklevel : int
        1 is the caller.
    after_bytes : bool, default=False
        Whether X is given to a network that was trained on uint8.
    """
    some = _float_images(X)
    # Whole numbers may be black and white images, or nearly blank ones.
    if some is None or some.min() < 0 or some.max() > 1 or not (some % 1 != 0).any():
        return
    where = f" as in the training rows of dtype uint8. {_BESIDE}" if after_bytes else "."
    warnings.warn(
        f"Got X from {some.min():.3g} to {some.max():.3g}, which looks divided by 255 already, "
        f"expected pixels from 0 to 255{where}",
        UserWarning,
        stacklevel=stacklevel + 1,
    )


def warn_if_unscaled(X: Any, stacklevel: int) -> None:
    """Warn of floats that look like pixels from 0 to 255, which only uint8 is divided by.

    Parameters
    ----------
    X : ndarray, Selection or sparse matrix of shape (n_samples, n_features)
    stacklevel : int
        1 is the caller.
    """
    some = _float_images(X)
    if some is None or not (some.min() >= 0 and 100 < some.max() <= 255 and (some % 1 == 0).all()):
        return
    warnings.warn(
        f"Got X with whole numbers from {some.min():.0f} to {some.max():.0f} that are not of "
        "dtype uint8. They look like pixels, and a network learns poorly from unscaled pixels: "
        "convert X to uint8, or put a PixelScaler before the classifier.",
        UserWarning,
        stacklevel=stacklevel + 1,
    )


def _float_images(X: Any) -> Any:
    """The first rows if they are floats and may be images, else None."""
    if issparse(X) or X.dtype.kind != "f" or X.shape[1] < _LEAST_PIXELS or not X.shape[0]:
        return None
    return X[:_RANGE_ROWS]
