"""Converts X, y, weights, labels and callbacks as given to what training takes."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from math import ceil
from typing import Any

import numpy as np
from scipy.sparse import issparse
from sklearn.model_selection import train_test_split
from sklearn.utils.class_weight import compute_class_weight

from ._network import Array

# Rows of fewer features aren't images; the smallest digits, of 8 × 8, have so many.
_PIXELS = 64

# So many rows are looked at.
_ROWS = 100


def labels_from(y: Any) -> tuple[Any, Array | None]:
    """Labels of y; of one-hot rows also the classes, which are 0, 1, … then.

    Raises
    ------
    TypeError
        If y is sparse.
    ValueError
        If y has several columns and a row that isn't one 1 among zeros.
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


def like_given(X: Array, kind: type, names: Array | None) -> Any:
    """Rows as a data frame of the kind that they come from; without names as they are."""
    library = kind.__module__.partition(".")[0]
    if names is None or library not in ("pandas", "polars"):
        return X
    if library == "pandas":
        import pandas as pd

        return pd.DataFrame(X, columns=names)
    import polars as pl

    return pl.DataFrame(X, schema=names.tolist())


def refuse_unknown_labels(name: str, y: Array, classes: Array) -> None:
    """Raise an error that names the labels of y that are no classes."""
    # As objects, since NumPy would take the number 3 for the text "3" and sort both as text.
    known = set(classes.tolist())
    unknown = [label for label in np.unique(y).tolist() if label not in known]
    if unknown:
        raise ValueError(
            f"Got {name} with the labels {unknown}, expected only the training "
            f"classes {classes.tolist()}."
        )


def stratified_split(y: Array, fraction: float, seed: int) -> tuple[Array, Array]:
    """Which rows train and which are held back, each class in its share of both."""
    try:
        training, held_back = train_test_split(
            np.arange(len(y)),
            test_size=max(ceil(fraction * len(y)), len(np.unique(y))),
            random_state=seed,
            stratify=y,
        )
    except ValueError as error:
        raise ValueError(
            f"Got {len(y)} rows (n_samples={len(y)}) with validation_fraction="
            f"{fraction!r}, expected enough of each class to hold some back "
            f"for early stopping. {error}"
        ) from error
    return training, held_back


def class_weighted(y: Array, classes: Array, weights: Array, class_weight: Any) -> Array:
    """Weights of rows times those of their classes."""
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


def drawn_seed(state: Any) -> int:
    """The seed of one fit from a `random_state`, which is advanced where it can be."""
    if state is None:
        return int(np.random.SeedSequence().generate_state(1)[0])
    if isinstance(state, np.random.RandomState):
        return int(state.randint(2**31 - 1))
    return int(state)


def keras_callback_list(given: Any) -> list[Any]:
    """The Keras callbacks in `keras_callbacks`, which may be one, several or none."""
    if given is None:
        return []
    callbacks = list(given) if isinstance(given, (list, tuple)) else [given]
    for callback in callbacks:
        if hasattr(callback, "on_fit_task_end"):
            raise TypeError(
                f"Got the scikit-learn callback {callback!r} in keras_callbacks, expected "
                "Keras callbacks: scikit-learn's are given to set_callbacks."
            )
        if isinstance(callback, type) or not hasattr(callback, "on_epoch_end"):
            raise TypeError(
                f"Got {callback!r} in keras_callbacks, expected instances of "
                "keras.callbacks.Callback."
            )
    return callbacks


@contextmanager
def floats_only(name: str) -> Iterator[None]:
    """What overflows a float is refused by its check, so it needs no warning as well."""
    with np.errstate(over="ignore"):
        try:
            yield
        except OverflowError as error:
            raise ValueError(
                f"Got {name} with an integer beyond float64, expected numbers that a float holds."
            ) from error


def flatten_images(X: Any) -> Any:
    """X with one row per image; anything but a stack of images is left as it is."""
    if isinstance(X, np.ndarray) and X.ndim == 3:
        return X.reshape(len(X), X.shape[1] * X.shape[2])
    return X


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
