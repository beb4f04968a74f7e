"""Conversion of fitted models to ONNX, checked in onnxruntime before it is returned."""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Iterator
from contextlib import suppress
from textwrap import shorten
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import BaseEstimator, is_classifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.utils.validation import check_is_fitted

from .._atomic import write_atomically
from .._network import Array, Network
from ._converters import missing_package, registered_skl2onnx

if TYPE_CHECKING:
    from onnx import ModelProto

# The converted model is compared on this number of rows, and may give this share of their
# probability to other classes.
_N_ROWS = 32
_MAX_MOVED = 0.02


def to_onnx(model: Any, *, dtype: Any = None, target_opset: int = 18) -> ModelProto:
    """Convert a fitted classifier or pipeline.

    The ONNX model has the input "X" of shape (n_samples, n_features) and the outputs "label"
    (int64 or string) of shape (n_samples,) and "probabilities" of shape (n_samples, n_classes),
    equal to `predict` and `predict_proba`. Its metadata contains the labels of the columns under
    "classes", as JSON. The model is run in onnxruntime and compared before it is returned.

    Parameters
    ----------
    model : DigitANNClassifier, Pipeline or search
        Fitted. A pipeline ends in a classifier. Steps before it can be PixelScaler, DigitDeskewer
        and the transformers of scikit-learn that skl2onnx supports.
    dtype : {float32, float64, uint8}, default=None
        Dtype of the input. Float64 input is computed in float64, all other input in float32.
        None is float64 for a network that was fitted on float64, else float32. uint8 is for
        pixels; scikit-learn's scalers do not support it.
    target_opset : int, default=18
        Version of the ONNX operator set, from 13 to the latest that skl2onnx supports. Programs
        with an old ONNX runtime need an old version.

    Returns
    -------
    onnx.ModelProto
        ``SerializeToString()`` returns the content of the file.

    Raises
    ------
    ImportError
        If skl2onnx or onnxruntime is not installed.
    TypeError
        If `model` is not a classifier, or one of its steps cannot be converted.
    ValueError
        If `dtype` is invalid, the labels are neither integers nor strings, or the probabilities
        of the ONNX model differ, as they do for scikit-learn's QuantileTransformer.
    sklearn.exceptions.NotFittedError
        If `model` is not fitted.

    See Also
    --------
    export : Convert and write the file.

    Notes
    -----
    Probabilities agree to 1e-5 after PixelScaler and the scalers of scikit-learn. An ONNX model
    does not validate its input: it accepts, for example, rows with NaN.

    For other outputs, call skl2onnx directly. Its options "zipmap", "output_class_labels", "nocl"
    and "raw_scores" work for DigitANNClassifier; "raw_scores" replaces the probabilities by the
    logits, or with two classes by the log-odds of each class. Float64 input needs
    ``zipmap=False``, since onnxruntime has ZipMap in float32 only.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.pipeline import make_pipeline
    >>> from skdigits import DigitANNClassifier, PixelScaler
    >>> from skdigits.onnx import to_onnx
    >>> X = np.repeat(np.eye(10, dtype=np.uint8) * 255, 3, axis=0)
    >>> model = make_pipeline(PixelScaler(), DigitANNClassifier((16,), epochs=1))
    >>> converted = to_onnx(model.fit(X, np.repeat(np.arange(10), 3)))
    >>> [output.name for output in converted.graph.output]
    ['label', 'probabilities']
    """
    skl2onnx = registered_skl2onnx()
    if not (isinstance(model, BaseEstimator) and is_classifier(model)):
        raise TypeError(
            f"Got {_type_name(model)}, expected a fitted classifier or a pipeline of one."
        )
    check_is_fitted(model)
    steps = list(_steps(model))
    dtype = _input_dtype(dtype, steps[-1])
    rows = _example_rows(steps, dtype)
    pipeline = make_pipeline(*steps)
    options = {id(pipeline): {"zipmap": False}}
    try:
        converted = skl2onnx.to_onnx(pipeline, rows, options=options, target_opset=target_opset)
    except RuntimeError as error:
        # skl2onnx raises it for unknown steps, with a page of advice.
        reason = shorten(str(error).partition("It usually means")[0], 200)
        raise TypeError(
            f"Got {_type_name(model)} with a step that cannot be converted for input of dtype "
            f"{dtype}, expected PixelScaler, DigitDeskewer, DigitANNClassifier and steps that "
            f"skl2onnx supports: {reason}"
        ) from error
    entry = converted.metadata_props.add()
    entry.key, entry.value = "classes", json.dumps(model.classes_.tolist())
    _check_conversion(converted, rows, pipeline)
    return converted


def export(
    model: Any,
    path: str | os.PathLike[str],
    *,
    dtype: Any = None,
    target_opset: int = 18,
) -> None:
    """Write a fitted classifier or pipeline to an ONNX file.

    An existing file is replaced atomically.

    Parameters
    ----------
    model : DigitANNClassifier, Pipeline or search
        As for `to_onnx`.
    path : str or path-like
        File to create or replace. Its folder must exist.
    dtype : {float32, float64, uint8}, default=None
        Dtype of the input, as for `to_onnx`.
    target_opset : int, default=18
        Version of the ONNX operator set, as for `to_onnx`.

    Raises
    ------
    ImportError, TypeError, ValueError, NotFittedError
        As `to_onnx` does.
    OSError
        If the file cannot be written. An existing file then remains unchanged.
    """
    content = to_onnx(model, dtype=dtype, target_opset=target_opset).SerializeToString()
    write_atomically(path, lambda file: file.write(content))


def _type_name(value: Any) -> str:
    return f"the class {value.__name__}" if isinstance(value, type) else type(value).__name__


def _steps(model: Any) -> Iterator[Any]:
    """Steps of a model, including those of nested pipelines, without "passthrough"."""
    if hasattr(model, "best_estimator_"):
        yield from _steps(model.best_estimator_)
    elif isinstance(model, Pipeline):
        for _, step in model.steps:
            yield from _steps(step)
    elif model not in (None, "passthrough"):
        yield model


def _input_dtype(dtype: Any, classifier: Any) -> np.dtype[Any]:
    network: Network | None = getattr(classifier, "_network", None)
    if dtype is None:
        return network.dtype if network else np.dtype(np.float32)
    with suppress(TypeError):
        if np.dtype(dtype) in (np.float32, np.float64, np.uint8):
            return np.dtype(dtype)
    raise ValueError(f"Got dtype={dtype!r}, expected float32, float64 or uint8.")


def _example_rows(steps: list[Any], dtype: Any) -> Array:
    """Random rows, a fifth of their values not 0: up to 255 in half of the rows, else up to 1.

    Raises
    ------
    TypeError
        If no step has `n_features_in_`.
    """
    known = (getattr(step, "n_features_in_", None) for step in steps)
    n_features = next(filter(None, known), None)
    if n_features is None:
        raise TypeError("Got a model without n_features_in_, expected one fitted on a 2-D array.")
    rng = np.random.default_rng(0)
    values = rng.random((_N_ROWS, n_features)) * (rng.random((_N_ROWS, n_features)) < 0.2)
    values[::2] *= 255
    return values.astype(dtype)


def _check_conversion(converted: ModelProto, rows: Array, model: Any) -> None:
    """Raise an error if the converted model fails or its probabilities differ.

    A step such as Binarizer may amplify a rounding error in single rows, so that the mean
    difference of all rows is compared.
    """
    try:
        from onnxruntime import InferenceSession
    except ImportError as error:
        raise missing_package("onnxruntime") from error
    try:
        session = InferenceSession(converted.SerializeToString())
        (found,) = session.run(["probabilities"], {"X": rows})
    except Exception as error:
        raise TypeError(
            f"Got steps that skl2onnx converts but onnxruntime does not run ({_names(model)}): "
            f"{shorten(str(error), 200)}"
        ) from error
    with warnings.catch_warnings():
        # Feature names seen in fit, which the rows do not have.
        warnings.simplefilter("ignore", UserWarning)
        moved = np.abs(found - model.predict_proba(rows)).sum(axis=1).mean() / 2
    if moved > _MAX_MOVED:
        raise ValueError(
            f"Got a step that skl2onnx converts incorrectly ({_names(model)}): the converted model "
            f"gives {100 * moved:.0f} % of the probability to other classes, expected at most "
            f"{100 * _MAX_MOVED:.0f} %."
        )


def _names(pipeline: Pipeline) -> str:
    return ", ".join(type(step).__name__ for step in pipeline.named_steps.values())
