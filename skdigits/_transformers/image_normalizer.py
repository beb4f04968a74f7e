"""Converts pictures of single digits to MNIST's format, as a step of a Pipeline."""

from __future__ import annotations

from math import isqrt
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.callback import CallbackSupportMixin, with_callbacks
from sklearn.utils.validation import validate_data

from .._array_conversion import holds_bytes

_N_PIXELS = 28 * 28


class DigitImageNormalizer(CallbackSupportMixin, TransformerMixin, BaseEstimator):
    """Convert pictures of single digits to MNIST's format, as a step of a Pipeline.

    Applies :func:`read_digit_images` to each picture; nothing is learned from the data, and a fit
    is not required. Digits of MNIST are unchanged.

    Parameters
    ----------
    errors : {"raise", "warn", "ignore"}, default="raise"
        Handling of a picture without a single readable digit: raise an UnreadableImageError, or
        return a row of zeros, with or without a UserWarning.

    Attributes
    ----------
    n_features_in_ : int
        Number of features, where X was an array of rows.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the features, where X had string column names.

    See Also
    --------
    read_digit_images : The function behind it.

    Examples
    --------
    >>> import numpy as np
    >>> from skdigits.preprocessing import DigitImageNormalizer
    >>> pictures = np.full((2, 90, 60), 255, dtype=np.uint8)
    >>> pictures[:, 20:70, 27:33] = 0
    >>> DigitImageNormalizer().transform(pictures).shape
    (2, 784)
    """

    def __init__(self, errors: str = "raise") -> None:
        self.errors = errors

    @with_callbacks
    def fit(self, X: Any, y: Any = None) -> DigitImageNormalizer:
        """Check X, if it is an array of rows, and store its number of features.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_pixels), ndarray of shape \
                (n_samples, height, width) or list of pictures
            As in transform.
        y : object, default=None
            Ignored.

        Returns
        -------
        DigitImageNormalizer
            Itself.
        """
        context = self._init_callback_context()
        context.call_on_fit_task_begin(estimator=self, X=X, y=y)
        if _is_rows(X):
            self._pictures(X, reset=True)
        context.call_on_fit_task_end(estimator=self, X=X, y=y, reconstruction_attributes={})
        return self

    def transform(self, X: Any) -> Any:
        """Read every picture.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_pixels), ndarray of shape \
                (n_samples, height, width) or list of pictures
            Rows are the pixels of square pictures, such as MNIST's 784. A list may hold any
            input of :func:`read_digit_images`: paths, bytes, PIL images, arrays.

        Returns
        -------
        ndarray of uint8 of shape (n_samples, 784)
            White on black, 0 to 255.

        Raises
        ------
        UnreadableImageError
            With ``errors="raise"``, if a picture does not contain a single digit.
        """
        from .._pictures.digit_reader import read_digit_images

        pictures = self._pictures(X, reset=False) if _is_rows(X) else X
        return read_digit_images(pictures, errors=self.errors)

    def get_feature_names_out(self, input_features: Any = None) -> Any:
        """Names of the 784 pixels, as in MNIST at OpenML.

        Parameters
        ----------
        input_features : object, default=None
            Ignored.

        Returns
        -------
        ndarray of str objects of shape (784,)
            "pixel1" to "pixel784".
        """
        return np.array([f"pixel{number + 1}" for number in range(_N_PIXELS)], dtype=object)

    def _pictures(self, X: Any, *, reset: bool) -> list[Any]:
        """Rows as square pictures."""
        dtype = np.uint8 if holds_bytes(X) else "numeric"
        rows = validate_data(self, X, dtype=dtype, reset=reset)
        side = isqrt(rows.shape[1])
        # Rows that are not square images are unreadable pictures.
        return list(rows.reshape(-1, side, side) if side * side == rows.shape[1] else rows)

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        tags.transformer_tags.preserves_dtype = []
        tags.input_tags.three_d_array = True
        tags.input_tags.string = True
        return tags


def _is_rows(X: Any) -> bool:
    """Whether X is a table of pixels with one row per picture."""
    if sparse.issparse(X):
        return True
    if isinstance(X, (list, tuple)) and len(X):
        first = X[0]
        return isinstance(first, (list, tuple, np.ndarray)) and np.ndim(first) == 1
    if not hasattr(X, "__array__"):
        return False
    array = np.asarray(X)
    return array.ndim == 2 or (array.ndim == 1 and array.dtype.kind in "buifc")
