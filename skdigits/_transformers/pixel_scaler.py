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
    """Map pixels from 0–255 to float32 from 0 to 1.

    Learns nothing from the data: each value is divided by 255. scikit-learn's MinMaxScaler and
    StandardScaler give float64, which takes twice the memory and trains slower; this one
    doesn't, and it flattens images to rows. It warns of images whose floats end at 1 already.

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
        X : array-like or sparse matrix of shape (n_samples, n_features), or ndarray of shape \
                (n_samples, height, width)
            Pixels from 0 to 255 of any numeric dtype.

        Returns
        -------
        ndarray or sparse matrix of float32 of shape (n_samples, n_features)
            A new array; X is left as it is.
        """
        check_is_fitted(self)
        X = self._pixels(X, reset=False)
        # The caller is behind the method in which scikit-learn wraps this one.
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
    """X with 255, in float32."""
    may_overflow = X.dtype.kind == "f"
    # What overflows float32 is refused, so it needs no warning as well.
    with np.errstate(over="ignore"):
        if sparse.issparse(X):
            X = X.astype(np.float32)  # type: ignore[attr-defined]
            operation(X.data, np.float32(255), out=X.data)
        else:
            X = operation(X, np.float32(255), dtype=np.float32, casting="unsafe")
    if may_overflow:
        assert_all_finite(X, input_name="X")
    return X
