"""Files of fitted classifiers that are safe to open."""

from __future__ import annotations

import os
import warnings
from pathlib import Path
from stat import S_ISREG
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.metadata_routing import MetadataRequest

from ._atomic import write_atomically
from ._classifier import DigitANNClassifier
from ._model_files.archive import check_archive, pack
from ._model_files.checks import CALLBACK_ATTRIBUTES, check_model, parts

# How pickles of protocol 2 and later begin, and joblib's files as they come.
_PICKLED = b"\x80"

__all__ = ["TRUSTED_TYPES", "InvalidFileError", "load", "save"]

TRUSTED_TYPES = (
    "skdigits._augmentation.Augmentation",
    "skdigits._classifier.DigitANNClassifier",
    "skdigits._network.BatchNorm",
    "skdigits._network.Network",
    "skdigits._transformers.deskewer.DigitDeskewer",
    "skdigits._transformers.image_normalizer.DigitImageNormalizer",
    "skdigits._transformers.pixel_scaler.PixelScaler",
)
"""Our types that a file may hold, for ``skops.io.load(path, trusted=TRUSTED_TYPES)``."""


class InvalidFileError(ValueError):
    """A file is damaged, made by somebody else, or holds more than is trusted."""


def save(estimator: Any, path: str | os.PathLike[str]) -> None:
    """Write a fitted classifier or pipeline to a file.

    The file takes the place of an earlier one in one step. `load` reads it without TensorFlow.

    Optimizers given as Keras classes or instances are stored by name and configuration. Left
    out, with a warning that names them, are what belongs to a process: Keras callbacks,
    scikit-learn's callbacks and a pipeline's `memory`. The optimizer state that `partial_fit`
    goes on from is never stored. `estimator` itself is not changed.

    Parameters
    ----------
    estimator : DigitANNClassifier, PixelScaler or Pipeline
        Fitted. A pipeline must end in one of the two; before it may stand every scikit-learn
        transformer that skops trusts and that holds no sparse matrix. Of a search, save
        `best_estimator_`.
    path : str or path-like
        File to create or replace; its folder must exist.

    Raises
    ------
    TypeError
        If `estimator` is or holds something that `load` would refuse.
    sklearn.exceptions.NotFittedError
        If it is not fitted.
    ValueError
        If a parameter is not as expected.
    OSError
        If the file cannot be written. An earlier file then stays as it was.

    See Also
    --------
    load : Read the file.

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
    left_out: list[str] = []
    stored = _storable(estimator, left_out, {})
    check_model(stored)
    try:
        content = pack(stored)
        _unpacked(content)
    except Exception as error:
        raise TypeError(
            f"Got a {type(estimator).__name__} that cannot be stored, expected one made of "
            f"scikit-learn's and skdigits' own parts: {_reason(error)} joblib.dump stores it, "
            "but only load files of joblib whose author you trust."
        ) from error
    if left_out:
        warnings.warn(
            f"Left out of the file, to be set again after loading: {', '.join(left_out)}.",
            UserWarning,
            stacklevel=2,
        )
    write_atomically(path, lambda file: file.write(content))


def load(path: str | os.PathLike[str], *, max_bytes: int = 2**30) -> Any:
    """Read a file that `save` wrote, without trusting it.

    No code from the file is run: of the types it names only those count that skops trusts by
    itself, which are scikit-learn's estimators, and `TRUSTED_TYPES`, whatever the file asks
    for. Sizes are taken from the archive's directory before anything is read from it, and it
    can't be compressed, so that loading needs about four times the size of the file at most.
    Checksums, the shapes of the network, parameters and labels are checked, and a pipeline of
    scalers is tried on one row. Other scikit-learn steps are checked by their type alone.

    Parameters
    ----------
    path : str or path-like
        File to read.
    max_bytes : int, default=1073741824
        Largest file to read, in bytes.

    Returns
    -------
    DigitANNClassifier, PixelScaler or Pipeline
        As it was saved; its predictions are the same to the last bit.

    Raises
    ------
    InvalidFileError
        If the file is not one that `save` wrote, or damaged, or larger than `max_bytes`.
    OSError
        If there is no such file or it cannot be read.

    Notes
    -----
    A bare ``skops.io.load(path)`` refuses the file, as it refuses the types of every package
    but scikit-learn; ``skops.io.load(path, trusted=skdigits.persistence.TRUSTED_TYPES)`` takes
    it, with skops' checks alone.
    """
    # A broken installation is not the file's fault, so not within the try.
    import skops.io  # noqa: F401

    content = _read(path, max_bytes)
    if content.startswith(_PICKLED):
        raise _refusal(
            path,
            "It was written by pickle or joblib, whose own load reads it. Loading runs what code "
            "is in it, so only take files whose author you trust.",
        )
    try:
        return _unpacked(content)
    except Exception as error:
        raise _refusal(path, _reason(error)) from error


def _refusal(path: str | os.PathLike[str], reason: str) -> InvalidFileError:
    return InvalidFileError(
        f"Got the file {os.fspath(path)!r}, expected one that skdigits.save wrote: {reason}"
    )


def _reason(error: Exception) -> str:
    """An error in one line; what only programmers raise, with its name."""
    text = " ".join(str(error).split()).rstrip(".")
    plain = text and type(error).__name__ in ("ValueError", "TypeError", "NotFittedError")
    return f"{text}." if plain else f"{type(error).__name__}: {text}."


def _read(path: str | os.PathLike[str], max_bytes: int) -> bytes:
    # Opening a pipe would wait for somebody to write to it.
    if not S_ISREG(os.stat(path).st_mode):
        raise OSError(f"Got path={os.fspath(path)!r}, expected a regular file.")
    # Read once, so that what is checked is what is loaded even if somebody writes meanwhile.
    with Path(path).open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        if size > max_bytes:
            raise _refusal(path, f"Got {size} bytes, expected at most max_bytes={max_bytes}.")
        return file.read(size)


def _storable(value: Any, left_out: list[str], copies: dict[int, Any]) -> Any:
    """A copy without what can't be stored; what is shared within it stays shared."""
    if id(value) in copies:
        return copies[id(value)][1]
    copy = value
    if isinstance(value, BaseEstimator):
        kind: Any = type(value)
        copy = kind.__new__(kind)
        state = _storable_state(value, left_out)
        vars(copy).update({k: _storable(v, left_out, copies) for k, v in state.items()})
    elif type(value) in (list, tuple):
        copy = type(value)(_storable(item, left_out, copies) for item in value)
    elif type(value) is dict:
        copy = {key: _storable(item, left_out, copies) for key, item in value.items()}
    # The value is kept as well, since the next one could get the id of one that is gone.
    copies[id(value)] = value, copy
    return copy


def _storable_state(estimator: BaseEstimator, left_out: list[str]) -> dict[str, Any]:
    """An estimator's attributes as they go into the file."""
    state = dict(vars(estimator))
    name = type(estimator).__name__
    callbacks = list(state.get("_skl_callbacks", ()))
    for attribute in CALLBACK_ATTRIBUTES:
        state.pop(attribute, None)
    if isinstance(estimator, DigitANNClassifier):
        for attribute in ("_optimizer_state", "_training_scale"):
            state.pop(attribute, None)
        given = state["keras_callbacks"]
        if given is not None:
            callbacks += given if isinstance(given, (list, tuple)) else [given]
        state |= {"keras_callbacks": None, **_named_optimizer(state)}
        if isinstance(state["class_weight"], dict):
            # JSON would make the keys "true" and "false", which are both true.
            state["class_weight"] = {
                int(k) if isinstance(k, (bool, np.bool_)) else k: v
                for k, v in state["class_weight"].items()
            }
    left_out += [f"{type(callback).__name__} of {name}" for callback in callbacks]
    if state.get("memory") is not None:
        state["memory"] = None
        left_out.append(f"memory of {name}")
    if "_metadata_request" in state:
        state["_metadata_request"] = _request_table(state["_metadata_request"])
    return state


def _named_optimizer(state: dict[str, Any]) -> dict[str, Any]:
    """The parameters that say by name and configuration what a Keras optimizer says by itself."""
    optimizer = state["optimizer"]
    if isinstance(optimizer, str):
        return {}
    kind = optimizer if isinstance(optimizer, type) else type(optimizer)
    if kind.__module__.partition(".")[0] != "keras":
        raise TypeError(
            f"Got optimizer={optimizer!r}, expected one of Keras' own, which can be stored by name."
        )
    named: dict[str, Any] = {"optimizer": kind.__name__.lower()}
    if isinstance(optimizer, type):
        return named
    config = optimizer.get_config()
    config.pop("name", None)
    rate = config.pop("learning_rate")
    if not isinstance(rate, (int, float)):
        raise TypeError(
            f"Got optimizer={optimizer!r} with the learning rate {rate!r}, expected a number."
        )
    if state["learning_rate"] is None:
        named["learning_rate"] = rate
    return {**named, "optimizer_params": {**config, **(state["optimizer_params"] or {})}}


def _request_table(request: Any) -> dict[str, dict[str, Any]]:
    """Metadata requests as plain data: skops follows their reference to the owner for ever."""
    methods = {name: getattr(value, "requests", None) for name, value in vars(request).items()}
    return {name: dict(requests) for name, requests in methods.items() if requests}


def _restored_request(table: dict[str, dict[str, Any]], owner: BaseEstimator) -> MetadataRequest:
    request = MetadataRequest(owner=owner)
    for method, requests in table.items():
        for param, alias in requests.items():
            getattr(request, method).add_request(param=param, alias=alias)
    return request


def _unpacked(content: bytes) -> Any:
    """The model in a file's content, everything checked."""
    import skops.io

    check_archive(content)
    # Weights that overflow are refused afterwards, by name.
    with np.errstate(all="ignore"):
        model = skops.io.loads(content, trusted=list(TRUSTED_TYPES))
    for part in parts(model, set()):
        if isinstance(part, BaseEstimator) and "_metadata_request" in vars(part):
            part._metadata_request = _restored_request(part._metadata_request, part)
    check_model(model)
    return model
