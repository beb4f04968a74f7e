"""Base class of the transformers of pixels."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin
from sklearn.callback import CallbackSupportMixin, with_callbacks
from sklearn.utils.validation import validate_data

from .._array_conversion import flatten_images, holds_bytes
from .._validation import floats_only


class PixelTransformer(CallbackSupportMixin, OneToOneFeatureMixin, TransformerMixin, BaseEstimator):
    """Transformer of pixels, whose fit stores the number and names of the features only."""

    @with_callbacks
    def fit(self, X: Any, y: Any = None) -> Self:
        """Check X and store its number of features.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features), or images
            Pixels of any numeric dtype, as in transform.
        y : object, default=None
            Ignored.

        Returns
        -------
        PixelScaler or DigitDeskewer
            Itself.

        Raises
        ------
        ValueError
            If transform does not accept X; a deskewer accepts square images only.
        """
        context = self._init_callback_context()
        context.call_on_fit_task_begin(estimator=self, X=X, y=y)
        self._pixels(X, reset=True)
        context.call_on_fit_task_end(estimator=self, X=X, y=y, reconstruction_attributes={})
        return self

    def _pixels(self, X: Any, *, reset: bool) -> Any:
        """X as rows of numbers, dense or sparse."""
        X = flatten_images(X)
        if isinstance(X, (list, tuple)):
            # scikit-learn converts arrays of objects to numbers, but not lists of them.
            X = np.asarray(X)
        dtype = np.uint8 if holds_bytes(X) else "numeric"
        with floats_only("X"):
            X = validate_data(self, X, accept_sparse=("csr", "csc"), dtype=dtype, reset=reset)
        if X.dtype.kind not in "biuf":
            raise ValueError(f"Got X of dtype {X.dtype}, expected numbers.")
        return X

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "n_features_in_")

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.input_tags.three_d_array = True
        tags.transformer_tags.preserves_dtype = ["float32"]
        return tags
