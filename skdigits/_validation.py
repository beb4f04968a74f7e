"""Validates X, y and weights of `fit`, `partial_fit` and the predictions.

`training_data` is the only path of rows into training, `rows_to_predict` of those into the network.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from math import ceil
from typing import Any

import numpy as np
from scipy.sparse import issparse
from sklearn.base import BaseEstimator
from sklearn.model_selection import train_test_split
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import _check_sample_weight, validate_data

from ._array_conversion import as_frame, flatten_images, holds_bytes
from ._augmentation import side_of
from ._network import Array, Network
from ._pixel_range import (
    Scale,
    scale_of,
    warn_if_other_scale,
    warn_if_scaled,
    warn_if_unscaled,
)
from ._rows import Rows


@dataclass(frozen=True)
class TrainingData:
    """Rows to train on, validated and encoded.

    Parameters
    ----------
    rows : Rows
        X, class indices, and sample weights times class weights. Rows of weight 0 are left out.
    labels : ndarray of shape (n_samples,)
        Labels of the rows.
    sample_weight : ndarray of shape (n_samples,) or None
        Sample weights of the rows, None where none were given.
    classes : ndarray of shape (n_classes,)
        All labels, sorted.
    container : type
        Type of X as it was given.
    feature_names : ndarray of shape (n_features,) or None
        Names of the columns of X.
    """

    rows: Rows
    labels: Array
    sample_weight: Array | None
    classes: Array
    container: type
    feature_names: Array | None

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def n_features(self) -> int:
        return int(self.rows.X.shape[1])

    @property
    def is_bytes(self) -> bool:
        """Whether X is of dtype uint8, whose pixels training divides by 255."""
        return bool(self.rows.X.dtype == np.uint8)

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype that the network computes in."""
        return np.dtype(np.float64 if self.rows.X.dtype == np.float64 else np.float32)

    @cached_property
    def scale(self) -> Scale | None:
        return scale_of(self.rows.X)

    def __getitem__(self, chosen: Array) -> TrainingData:
        weights = self.sample_weight
        return replace(
            self,
            rows=self.rows[chosen],
            labels=self.labels[chosen],
            sample_weight=None if weights is None else weights[chosen],
        )

    def split(self, fraction: float, seed: int) -> tuple[TrainingData, TrainingData]:
        """Data to train on and data to hold back, each class in its share of both.

        Raises
        ------
        ValueError
            If there are too few rows of a class.
        """
        n, y = len(self), self.labels
        try:
            training, held_back = train_test_split(
                np.arange(n),
                test_size=max(ceil(fraction * n), len(np.unique(y))),
                random_state=seed,
                stratify=y,
            )
        except ValueError as error:
            raise ValueError(
                f"Got {n} rows (n_samples={n}) with validation_fraction={fraction!r}, expected "
                f"enough of each class to hold some back for early stopping. {error}"
            ) from error
        return self[training], self[held_back]

    def warn_if_other_scale(self, reference: Scale | None, stacklevel: int) -> None:
        """Warn of rows on another scale than those that a network was trained on before."""
        warn_if_other_scale("X", self.rows.X, reference, "the earlier rows", stacklevel + 1)

    def hook_kwargs(self) -> dict[str, Any]:
        """X, y and metadata as hooks of scikit-learn's callbacks receive them."""
        weights = self.sample_weight
        return {
            "X": lambda: as_frame(self.rows.X, self.container, self.feature_names),
            "y": self.labels,
            "metadata": None if weights is None else {"sample_weight": weights},
        }


def training_data(
    estimator: BaseEstimator,
    X: Any,
    y: Any,
    sample_weight: Any,
    *,
    classes: Array | None = None,
    network: Network | None = None,
) -> TrainingData:
    """Validate and encode the data of `fit` or `partial_fit`.

    Sets `n_features_in_` and `feature_names_in_` of the estimator where `network` is None.

    Parameters
    ----------
    estimator : DigitANNClassifier
    X : array-like or sparse matrix of shape (n_samples, n_features), or images
    y : array-like of shape (n_samples,) or (n_samples, n_classes)
    sample_weight : array-like of shape (n_samples,) or None
    classes : ndarray of shape (n_classes,), default=None
        All labels; None takes them from y.
    network : Network, default=None
        The network of earlier chunks that X must fit.

    Returns
    -------
    TrainingData

    Raises
    ------
    ValueError
        If X, y or weights are not as expected.
    """
    container, is_fit = type(X), classes is None
    labels, columns = labels_and_columns(y)
    kept = (np.float32, np.float64) if network is None else (network.dtype,)
    X, labels = _validated(estimator, X, labels, dtypes=kept, reset=network is None)
    check_classification_targets(labels)
    X = X.toarray() if issparse(X) else X  # type: ignore[attr-defined]
    if estimator.augmentation is not None or estimator.input_blur:
        side_of(X.shape[1])
    if classes is None:
        classes = np.unique(labels) if columns is None else columns
    refuse_unknown_labels("y", labels, classes)
    with floats_only("sample_weight"):
        checked = _check_sample_weight(sample_weight, X, dtype=np.float64, ensure_non_negative=True)
        weights = _class_weighted(labels, classes, checked, estimator.class_weight)
        total = weights.sum()
    _check_total_weight(total, len(labels))
    if network is None:
        # A decorator of scikit-learn's stands around fit, none around partial_fit.
        warn_if_unscaled(X, stacklevel=4 if is_fit else 3)
    data = TrainingData(
        Rows(X, np.searchsorted(classes, labels), weights),
        labels,
        None if sample_weight is None else checked,
        classes,
        container,
        vars(estimator).get("feature_names_in_"),
    )
    counts = weights > 0
    return data if counts.all() else data[counts]


def validation_rows(
    estimator: BaseEstimator, X_val: Any, y_val: Any, data: TrainingData
) -> Rows | None:
    """Validate and encode the validation rows of `fit`; None where there are none.

    Raises
    ------
    ValueError
        If only one of them is given, or they do not fit the training data.
    """
    if X_val is None and y_val is None:
        return None
    if X_val is None or y_val is None:
        missing = "X_val" if X_val is None else "y_val"
        raise ValueError(f"Got {missing}=None, expected both X_val and y_val or neither.")
    labels, columns = labels_and_columns(y_val)
    if columns is not None and len(columns) == len(data.classes):
        labels = data.classes[labels]
    X_val, labels = _validated(estimator, X_val, labels, dtypes=(data.dtype,), reset=False)
    refuse_unknown_labels("y_val", labels, data.classes)
    warn_if_other_scale("X_val", X_val, data.scale, "the training rows X", stacklevel=4)
    return Rows(X_val, np.searchsorted(data.classes, labels), np.ones(len(labels)))


def needs_no_validation(estimator: BaseEstimator, X: Any, network: Network) -> bool:
    """Whether validation would return X itself if all of its values are finite.

    Validation takes several times longer than the network for a single row.
    """
    return (
        type(X) is np.ndarray
        and X.dtype == network.dtype
        and X.ndim == 2
        and X.shape[1] == network.n_features
        and len(X) > 0
        and "feature_names_in_" not in estimator.__dict__
    )


def rows_to_predict(estimator: BaseEstimator, X: Any, network: Network) -> Any:
    """Validate rows for a prediction.

    Returns
    -------
    ndarray or sparse matrix of shape (n_samples, n_features)
        Of the network's dtype or uint8.
    """
    return _validated(estimator, X, dtypes=(network.dtype,), reset=False)


def warn_if_scaled_after_bytes(X: Any, network: Network, stacklevel: int) -> None:
    """Warn of rows from 0 to 1 where the network was trained on uint8."""
    if network.input_scale != 1.0:
        warn_if_scaled(X, stacklevel=stacklevel + 1, after_bytes=True)


def labels_and_columns(y: Any) -> tuple[Any, Array | None]:
    """Labels of y, and for one-hot rows the numbers of their columns.

    Returns
    -------
    labels : array-like of shape (n_samples,)
        y itself, or the column of each one-hot row's 1.
    columns : ndarray of int of shape (n_classes,) or None
        0, 1, …; None where y is not one-hot.

    Raises
    ------
    TypeError
        If y is sparse.
    ValueError
        If y has several columns and a row that is not one 1 among zeros.
    """
    if issparse(y):
        raise TypeError(f"Got y as a sparse {type(y).__name__}, expected a dense array of labels.")
    if y is not None and not hasattr(y, "ndim"):
        y = np.asarray(y)
    if y is None or y.ndim != 2 or y.shape[1] < 2:
        return y, None
    one_hot = np.asarray(y)
    ones = one_hot == 1
    wrong = np.flatnonzero((ones.sum(axis=1) != 1) | ((one_hot != 0) & ~ones).any(axis=1))
    if len(wrong):
        raise ValueError(
            f"Got y of shape {one_hot.shape} whose row {wrong[0]} is {one_hot[wrong[0]].tolist()}, "
            "expected labels of shape (n_samples,) or one-hot rows of a single 1: multilabel "
            "targets are not supported."
        )
    return one_hot.argmax(axis=1), np.arange(one_hot.shape[1])


def labels_to_score(y: Any, classes: Array) -> Any:
    """Labels of y, the columns of one-hot rows in the order of the classes.

    Raises
    ------
    ValueError
        If one-hot rows have another number of columns than there are classes.
    """
    labels, columns = labels_and_columns(y)
    if columns is None:
        return labels
    if len(columns) != len(classes):
        raise ValueError(
            f"Got one-hot rows of {len(columns)} columns, expected {len(classes)}, one for each "
            "class."
        )
    return classes[labels]


def refuse_unknown_labels(name: str, y: Array, classes: Array) -> None:
    """Raise ValueError with the labels of y that are not in classes."""
    # As objects: NumPy would compare the number 3 and the text "3" as text.
    known = set(classes.tolist())
    unknown = [label for label in np.unique(y).tolist() if label not in known]
    if unknown:
        raise ValueError(
            f"Got {name} with the labels {unknown}, expected only the training "
            f"classes {classes.tolist()}."
        )


@contextmanager
def floats_only(name: str) -> Iterator[None]:
    """Raise ValueError for integers beyond float64, without a warning of the overflow."""
    with np.errstate(over="ignore"):
        try:
            yield
        except OverflowError as error:
            raise ValueError(
                f"Got {name} with an integer beyond float64, expected numbers that a float holds."
            ) from error


def _validated(
    estimator: BaseEstimator, X: Any, *y: Any, dtypes: tuple[Any, ...], reset: bool
) -> Any:
    """X, or X and y, validated by scikit-learn; images become rows, uint8 stays uint8.

    Other dtypes than uint8 and `dtypes` are converted to the first of `dtypes`.
    """
    X = _square(estimator, X)
    dtype = np.uint8 if holds_bytes(X) else dtypes
    with floats_only("X"):
        return validate_data(estimator, X, *y, accept_sparse="csr", dtype=dtype, reset=reset)


def _square(estimator: BaseEstimator, X: Any) -> Any:
    """Images as rows; augmentation and blur take square images only."""
    shape: tuple[int, ...] = getattr(X, "shape", ())
    as_images = estimator.augmentation is not None or estimator.input_blur
    if as_images and len(shape) in (3, 4) and shape[1] != shape[2]:
        raise ValueError(
            f"Got X of shape {shape} with augmentation={estimator.augmentation!r} and "
            f"input_blur={estimator.input_blur!r}, expected square images."
        )
    return flatten_images(X)


def _check_total_weight(total: float, n_rows: int) -> None:
    if not np.isfinite(total):
        raise ValueError(
            f"Got weights of rows, sample_weight times class_weight, that add up to {total}, "
            "expected a finite sum."
        )
    if total == 0:
        raise ValueError(
            f"Got {n_rows} rows whose weights, sample_weight times class_weight, are all 0, "
            "expected at least one above 0."
        )


def _class_weighted(y: Array, classes: Array, weights: Array, class_weight: Any) -> Array:
    """Sample weights times the weights of the classes."""
    if class_weight is None:
        return weights
    if isinstance(class_weight, str):
        counts = weights > 0
        present = np.unique(y[counts])
        of_class = np.zeros(len(classes))
        of_class[np.searchsorted(classes, present)] = compute_class_weight(
            "balanced",
            classes=present,
            y=y[counts],
            sample_weight=weights[counts] / weights.max(),
        )
        return np.asarray(weights * of_class[np.searchsorted(classes, y)])
    unknown = [label for label in class_weight if label not in classes.tolist()]
    if unknown:
        raise ValueError(
            f"Got class_weight for the labels {unknown}, expected only the classes "
            f"{classes.tolist()}."
        )
    of_class = np.array([float(class_weight.get(label, 1.0)) for label in classes.tolist()])
    return np.asarray(weights * of_class[np.searchsorted(classes, y)])
