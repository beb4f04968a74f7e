"""Scales pixels from 0–255 to 0–1."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse
from sklearn.utils import assert_all_finite
from sklearn.utils.validation import check_is_fitted

from .._pixel_range import warn_if_scaled
from .pixel_transformer import PixelTransformer


class PixelScaler(PixelTransformer):
    """Scale pixels from 0–255 to float32 from 0 to 1.

    Each value is divided by 255; nothing is learned from the data. scikit-learn's MinMaxScaler and
    StandardScaler return float64, which takes twice the memory and longer training. Images are
    flattened to rows. Images that were divided by 255 before cause a warning.

    Attributes
    ----------
    n_features_in_ : int
        Number of features; 784 for images of 28 × 28.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the features, where X had string column names.

    Examples
    --------
    >>> import numpy as np
    >>> from skdigits import PixelScaler
    >>> PixelScaler().fit_transform(np.array([[0, 51, 255]], dtype=np.uint8))
    array([[0. , 0.2, 1. ]], dtype=float32)
    """

    def transform(self, X: Any) -> Any:
        """Divide by 255.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features), or images
            Pixels from 0 to 255 of any numeric dtype. Images are an array or tensor of shape
            (n_samples, height, width) or (n_samples, height, width, 1), or a list of arrays or
            PIL images.

        Returns
        -------
        ndarray or sparse matrix of float32 of shape (n_samples, n_features)
            A new array; X is not modified.
        """
        check_is_fitted(self)
        X = self._pixels(X, reset=False)
        # scikit-learn wraps this method in another one.
        warn_if_scaled(X, stacklevel=3)
        return _applied(np.divide, X)

    def inverse_transform(self, X: Any) -> Any:
        """Multiply by 255.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            Values from 0 to 1.

        Returns
        -------
        ndarray or sparse matrix of float32 of shape (n_samples, n_features)
            Pixels from 0 to 255, not rounded.
        """
        check_is_fitted(self)
        X = self._pixels(X, reset=False)
        return _applied(np.multiply, X)


def _applied(operation: Any, X: Any) -> Any:
    """X multiplied or divided by 255, in float32."""
    may_overflow = X.dtype.kind == "f"
    # Values that overflow float32 raise an error, without a warning before it.
    with np.errstate(over="ignore"):
        if sparse.issparse(X):
            X = X.astype(np.float32)  # type: ignore[attr-defined]
            operation(X.data, np.float32(255), out=X.data)
        else:
            X = operation(X, np.float32(255), dtype=np.float32, casting="unsafe")
    if may_overflow:
        assert_all_finite(X, input_name="X")
    return X
