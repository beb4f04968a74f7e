"""Images with labels, as arrays and in the form in which scikit-learn's loaders return data."""

from __future__ import annotations

from math import isqrt
from typing import Any, NamedTuple

import numpy as np

Array = np.ndarray[Any, Any]

TARGET_NAME = "class"


class LabelledImages(NamedTuple):
    """Square images with their labels.

    Parameters
    ----------
    X : ndarray of uint8 of shape (n_images, side ** 2)
    y : ndarray of unsigned int of shape (n_images,)
        Index of each label in `labels`.
    labels : list of str
    about : dict
        Further fields of the Bunch, such as "DESCR".
    """

    X: Array
    y: Array
    labels: list[str]
    about: dict[str, Any]

    def rows(self, rows: slice, *, copy: bool = False) -> LabelledImages:
        """A part of the images; a view of their memory without `copy`."""
        X = self.X[rows].copy() if copy else self.X[rows]
        return self._replace(X=X, y=self.y[rows])

    def as_bunch(self, *, return_X_y: bool, as_frame: bool = False) -> Any:
        """A Bunch, or data and target, as scikit-learn's loaders return them."""
        n_pixels = self.X.shape[1]
        feature_names = [f"pixel{i}" for i in range(1, n_pixels + 1)]
        data: Any = self.X
        target: Any = np.array(self.labels, dtype=object)[self.y]
        side = isqrt(n_pixels)
        fields: dict[str, Any] = {"images": self.X.reshape(-1, side, side), "frame": None}
        fields["categories"] = {TARGET_NAME: list(self.labels)}
        if as_frame:
            import pandas as pd

            classes = pd.Categorical.from_codes(self.y.astype(np.int16), pd.Index(self.labels))
            data = pd.DataFrame(self.X, columns=feature_names, copy=False)
            target = pd.Series(classes, name=TARGET_NAME)
            fields = {"frame": data.assign(**{TARGET_NAME: target}), "categories": None}
        if return_X_y:
            return data, target

        from sklearn.utils import Bunch

        return Bunch(
            data=data,
            target=target,
            feature_names=feature_names,
            target_names=[TARGET_NAME],
            **fields,
            **self.about,
        )


def encoded(labels: Array) -> tuple[Array, list[str]]:
    """Indices into the sorted labels, and these labels as strings; numbers in numerical order."""
    if labels.dtype.kind == "f" and np.array_equal(labels, np.floor(labels)):
        labels = labels.astype(np.int64)
    if labels.dtype.kind not in "iu":
        labels = labels.astype(str)
    distinct, y = np.unique(labels, return_inverse=True)
    return y.astype(np.min_scalar_type(len(distinct))), distinct.astype(str).tolist()
