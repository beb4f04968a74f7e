"""Input checks of the displays."""

from __future__ import annotations

from math import isqrt
from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

Array = np.ndarray[Any, Any]


def check_matplotlib(caller: str) -> None:
    """Raise an error that names the extra to install if Matplotlib is missing."""
    try:
        import matplotlib  # noqa: F401
    except ImportError as error:
        raise ImportError(
            f"{caller} needs matplotlib, which `pip install 'skdigits[plot]'` installs."
        ) from error


def fitted_network(estimator: Any) -> Any:
    """The fitted DigitANNClassifier at the end of a pipeline or inside a search."""
    inner = estimator
    while True:
        if hasattr(inner, "best_estimator_"):
            inner = inner.best_estimator_
        elif hasattr(inner, "steps"):
            inner = inner[-1]
        else:
            break
    if not hasattr(inner, "keras_callbacks"):
        raise TypeError(
            f"Got {type(estimator).__name__}, expected a DigitANNClassifier, a pipeline that ends "
            "in one, or a fitted search over these."
        )
    check_is_fitted(inner)
    return inner


def as_images(X: Any) -> Array:
    """X as square images of shape (n_images, height, width)."""
    X = np.asarray(X.toarray() if hasattr(X, "toarray") else X)
    if X.ndim == 4 and 1 in (X.shape[1], X.shape[3]):
        X = X[..., 0] if X.shape[3] == 1 else X[:, 0]
    if X.ndim == 3:
        return X
    side = isqrt(X.shape[1]) if X.ndim == 2 else 0
    if X.ndim != 2 or side * side != X.shape[1]:
        raise ValueError(
            f"Got X of shape {X.shape}, expected images of shape (n_images, height, width) or "
            "rows with a square number of pixels, such as 784."
        )
    return X.reshape(len(X), side, side)


def first(images: Array, name: str, n: int) -> Array:
    """The first `n` images; `name` is the parameter in the error message."""
    if n < 1:
        raise ValueError(f"Got {name}={n}, expected at least 1.")
    return images[:n]


def checked_probabilities(probabilities: Any, classes: Any) -> Array:
    """Probabilities as an array with one column for each class."""
    checked = np.asarray(probabilities)
    if checked.ndim != 2 or (classes is not None and checked.shape[1] != len(classes)):
        columns = "n_classes" if classes is None else len(classes)
        raise ValueError(
            f"Got probabilities of shape {checked.shape}, expected (n_samples, {columns})."
        )
    return checked
