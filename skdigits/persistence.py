"""Saves fitted classifiers to files that are safe to load."""

from __future__ import annotations

import json
import os
import warnings
from pathlib import Path
from stat import S_ISREG
from typing import Any

import numpy as np
import sklearn

from ._atomic import write_atomically
from ._model_files.values import Reader, Writer
from ._tensor_file import packed, unique, unpacked
from ._version import __version__

__all__ = ["InvalidFileError", "load", "save"]

FORMAT = 2

# First bytes of other files.
_OTHERS = {
    b"PK\x03\x04": "It was written with skops, by skdigits 0.1.0, and only that version reads it.",
    b"\x80": "It was written by pickle or joblib, whose own load reads it. Loading runs the code "
    "in it, so only load files from authors that you trust.",
}


class InvalidFileError(ValueError):
    """A file is damaged, was not written by `save`, or holds what no fit produces."""


def save(estimator: Any, path: str | os.PathLike[str]) -> None:
    """Write a fitted classifier, transformer or pipeline to a file.

    The file is a safetensors file: arrays, and one JSON text with classes, parameters and fitted
    attributes. It replaces an earlier one in one step. Not stored are the optimizer's state and,
    with a warning that names them, scikit-learn's callbacks, a pipeline's `memory` and attributes
    that are not the estimator's own.

    Parameters
    ----------
    estimator : estimator
        Fitted: one of skdigits, or of scikit-learn a `Pipeline`, also nested, `PCA`,
        `VarianceThreshold`, `Binarizer`, `Normalizer` or one of the scalers `MaxAbsScaler`,
        `MinMaxScaler`, `PowerTransformer`, `QuantileTransformer`, `RobustScaler` and
        `StandardScaler`. Of a search, save `best_estimator_`.
    path : str or path-like
        File to create or replace; its folder must exist.

    Raises
    ------
    TypeError
        If `estimator` is or contains another estimator, or a parameter holds anything but numbers,
        strings, lists, tuples, dicts and arrays, such as an instance of a Keras optimizer.
    sklearn.exceptions.NotFittedError
        If it is not fitted.
    ValueError
        If a parameter or a fitted attribute is not as expected.
    OSError
        If the file cannot be written. An earlier file then remains unchanged.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> import numpy as np
    >>> import skdigits
    >>> scaler = skdigits.PixelScaler().fit(np.zeros((2, 784)))
    >>> with TemporaryDirectory() as folder:
    ...     skdigits.save(scaler, Path(folder, "scaler.skdigits"))
    ...     skdigits.load(Path(folder, "scaler.skdigits"))
    PixelScaler()
    """
    writer = Writer()
    document = {
        "format": FORMAT,
        "skdigits": __version__,
        "scikit-learn": sklearn.__version__,
        "model": writer.estimator(estimator),
    }
    content = packed(writer.arrays, json.dumps(document, allow_nan=False))
    _model(*unpacked(content))
    if writer.left_out:
        warnings.warn(
            f"Left out of the file, to be set again after loading: {', '.join(writer.left_out)}.",
            UserWarning,
            stacklevel=2,
        )
    write_atomically(path, lambda file: file.write(content))


def load(path: str | os.PathLike[str], *, max_bytes: int = 2**30) -> Any:
    """Read a file that `save` wrote, without trusting it.

    No code from the file is run, and names of classes are looked up in a fixed table. Parameters,
    fitted attributes, shapes and ranges are checked. Loading needs at most twice the size of the
    file and 50 MB of memory, and no Keras.

    Parameters
    ----------
    path : str or path-like
        File to read.
    max_bytes : int, default=1073741824
        Largest file to read, in bytes.

    Returns
    -------
    estimator
        As it was saved; its predictions are the same to the last bit.

    Raises
    ------
    InvalidFileError
        If the file is damaged, larger than `max_bytes`, or was not written by `save`.
    OSError
        If there is no such file or it cannot be read.
    """
    try:
        # The content is released before the model is built.
        return _model(*unpacked(_content(path, max_bytes)))
    except (ImportError, MemoryError, OSError):
        raise
    except Exception as error:
        reason = " ".join(str(error).split()).rstrip(".")
        if not reason or not isinstance(error, ValueError):
            reason = f"{type(error).__name__}: {reason}"
        raise InvalidFileError(
            f"Got the file {os.fspath(path)!r}, expected one that skdigits.save wrote: {reason}."
        ) from error


def _content(path: str | os.PathLike[str], max_bytes: int) -> bytes:
    # Opening a pipe would wait for a writer.
    if not S_ISREG(os.stat(path).st_mode):
        raise OSError(f"Got path={os.fspath(path)!r}, expected a regular file.")
    with Path(path).open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        if size > max_bytes:
            raise ValueError(f"Got {size} bytes, expected at most max_bytes={max_bytes}.")
        content = file.read(size)
    for start, reason in _OTHERS.items():
        # The length of the header of a safetensors file may consist of the same bytes.
        if content.startswith(start) and content[8:9] != b"{":
            raise ValueError(reason)
    return content


def _model(arrays: dict[str, np.ndarray], text: str) -> Any:
    """Build the model from arrays and JSON, and check it."""
    document = json.loads(text, object_pairs_hook=unique)
    found = document["format"]
    if type(found) is not int or found != FORMAT:
        raise ValueError(
            f"Got format={found!r:.50} of skdigits {document['skdigits']!r:.50}, expected "
            f"{FORMAT}: another version of skdigits reads it."
        )
    # Weights that overflow are refused by name.
    with np.errstate(all="ignore"):
        model = Reader(arrays, document["scikit-learn"]).estimator(document["model"])
    if arrays:
        raise ValueError(f"Got {len(arrays)} arrays that belong to no attribute, expected none.")
    return model
