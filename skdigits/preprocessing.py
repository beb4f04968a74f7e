"""Pixels and pictures in the form that networks are trained on."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin
from sklearn.callback import CallbackSupportMixin, with_callbacks
from sklearn.utils.validation import check_is_fitted, validate_data


class PixelScaler(CallbackSupportMixin, OneToOneFeatureMixin, TransformerMixin, BaseEstimator):
    """Map pixels from 0–255 to float32 from 0 to 1.

    Learns nothing from the data: each value is divided by 255. scikit-learn's MinMaxScaler and
    StandardScaler give float64, which takes twice the memory and trains slower; this one
    doesn't, and it flattens images to rows.

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

    @with_callbacks
    def fit(self, X: Any, y: Any = None) -> PixelScaler:
        """Check X and remember its number of features.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features), or ndarray of shape \
                (n_samples, height, width)
            Pixels from 0 to 255 of any numeric dtype.
        y : object, default=None
            Ignored.

        Returns
        -------
        PixelScaler
            Itself.
        """
        context = self._init_callback_context()
        context.call_on_fit_task_begin(estimator=self, X=X, y=y)
        self._validated(X, reset=True)
        context.call_on_fit_task_end(estimator=self, X=X, y=y, reconstruction_attributes={})
        return self

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
        X = self._validated(X, reset=False)
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
        X = self._validated(X, reset=False)
        return _applied(np.multiply, X)

    def _validated(self, X: Any, *, reset: bool) -> Any:
        return validate_data(
            self,
            flatten_images(X),
            accept_sparse=("csr", "csc"),
            dtype="numeric",
            reset=reset,
        )

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "n_features_in_")

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.input_tags.three_d_array = True
        tags.transformer_tags.preserves_dtype = ["float32"]
        return tags


def _applied(operation: Any, X: Any) -> Any:
    """X with 255, in float32."""
    if sparse.issparse(X):
        X = X.astype(np.float32)  # type: ignore[attr-defined]
        operation(X.data, np.float32(255), out=X.data)
        return X
    return operation(X, np.float32(255), dtype=np.float32, casting="unsafe")


def flatten_images(X: Any) -> Any:
    """X with one row per image; anything but a stack of images is left as it is."""
    if isinstance(X, np.ndarray) and X.ndim == 3:
        return X.reshape(len(X), -1)
    return X
