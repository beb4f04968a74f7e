"""Converts stacks of images, data frames and tensors to what scikit-learn validates."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.sparse import issparse

from ._network import Array


def flatten_images(X: Any) -> Any:
    """Images as rows of pixels.

    Parameters
    ----------
    X : array-like
        Images of shape (n_samples, height, width), (n_samples, height, width, 1) or
        (n_samples, 1, height, width): an array, a tensor, a list of arrays or a list of PIL
        images with one channel.

    Returns
    -------
    object
        For images an ndarray of shape (n_samples, height * width), for a tensor of rows an
        ndarray of its shape; any other X itself.

    Raises
    ------
    ValueError
        If images have several channels or a palette, or the arrays of a list different shapes.
    """
    if isinstance(X, (list, tuple)) or (type(X) is np.ndarray and X.dtype == object):
        X = _stacked(X)
    elif _is_tensor(X):
        X = np.asarray(X)
    if not isinstance(X, np.ndarray) or X.ndim < 3:
        return X
    one_channel = X.ndim == 4 and 1 in (X.shape[1], X.shape[3])
    if X.ndim == 3 or one_channel:
        return X.reshape(len(X), int(np.prod(X.shape[1:])))
    raise ValueError(
        f"Got X of shape {X.shape}, expected rows of shape (n_samples, n_features) or images of "
        "shape (n_samples, height, width) or (n_samples, height, width, 1). read_digit_images "
        "converts pictures with colours."
    )


def holds_bytes(X: Any) -> bool:
    """Whether X holds uint8 in every column or element and no missing value.

    Data frames of pandas (NumPy, nullable, Arrow and sparse dtypes) and polars and tables of
    pyarrow have a dtype for each column.
    """
    dtypes = getattr(X, "dtypes", getattr(getattr(X, "schema", None), "types", None))
    if dtypes is None or not hasattr(dtypes, "__iter__"):
        return bool(getattr(X, "dtype", None) == np.uint8)
    names = {str(dtype).lower() for dtype in dtypes}
    if not names or not all(name.removeprefix("sparse[").startswith("uint8") for name in names):
        return False
    return not (hasattr(X, "isna") and bool(np.asarray(X.isna()).any()))


def as_frame(X: Array, kind: type, names: Array | None) -> Any:
    """Rows as a table of the library that `kind` belongs to; without names X itself."""
    library = kind.__module__.partition(".")[0]
    if names is None:
        return X
    if library == "pandas":
        import pandas as pd

        return pd.DataFrame(X, columns=names)
    if library == "polars":
        import polars as pl

        return pl.DataFrame(X, schema=names.tolist())
    if library == "pyarrow":
        import pyarrow as pa

        return pa.table(dict(zip(names.tolist(), np.asarray(X).T, strict=True)))
    return X


def _is_tensor(X: Any) -> bool:
    """Whether X is an array of another library than NumPy, such as TensorFlow, PyTorch or JAX."""
    if isinstance(X, np.ndarray) or issparse(X) or not hasattr(X, "__array__"):
        return False
    is_frame = hasattr(X, "columns") or hasattr(X, "iloc") or hasattr(X, "schema")
    return hasattr(X, "shape") and hasattr(X, "dtype") and not is_frame


def _stacked(rows: Any) -> Any:
    """A sequence of images or of arrays as one array; a sequence of anything else itself."""
    if not len(rows) or not _is_array(rows[0]):
        return rows
    if any(getattr(row, "mode", "L") == "P" for row in rows):
        raise ValueError(
            "Got PIL images of mode 'P', whose pixels are indices into a palette, expected mode "
            "'L': convert them with image.convert('L') or use read_digit_images."
        )
    arrays = [np.asarray(row) for row in rows]
    shapes = sorted({array.shape for array in arrays})
    if len(shapes) > 1:
        raise ValueError(
            f"Got X with arrays of the shapes {', '.join(map(str, shapes[:3]))}, expected one "
            "shape for all of them: of pictures, read_digit_images makes rows of 28 × 28 pixels."
        )
    return np.stack(arrays)


def _is_array(value: Any) -> bool:
    """Whether an element of a sequence is an array, a PIL image or a nested list of pixels."""
    if hasattr(value, "__array__") or hasattr(value, "__array_interface__"):
        return np.ndim(value) >= 1
    nested = isinstance(value, (list, tuple)) and len(value) > 0
    return nested and isinstance(value[0], (list, tuple, np.ndarray))
