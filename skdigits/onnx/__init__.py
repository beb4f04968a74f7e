"""Fitted models as ONNX, for programs without Python.

Importing this module teaches skl2onnx, if it is installed, to convert DigitANNClassifier,
PixelScaler and DigitDeskewer: ``skl2onnx.to_onnx(pipeline, X[:1])`` then takes whole pipelines.
"""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Callable, Iterator
from contextlib import suppress
from importlib.util import find_spec
from math import isqrt
from textwrap import shorten
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import BaseEstimator, is_classifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.utils.validation import check_is_fitted

from .._atomic import write_atomically
from .._classifier import DigitANNClassifier
from .._network import Network
from .._transformers.deskewer import DigitDeskewer
from .._transformers.pixel_scaler import PixelScaler

if TYPE_CHECKING:
    from onnx import ModelProto

__all__ = ["export", "to_onnx"]

Array = np.ndarray[Any, Any]

# A conversion is tried on so many rows, and may move this share of their probability.
_N_ROWS = 32
_MOST_MOVED = 0.02


def to_onnx(model: Any, *, dtype: Any = None, target_opset: int = 18) -> ModelProto:
    """Convert a fitted classifier or pipeline.

    The ONNX model has the input "X" of shape (n_samples, n_features) and the outputs "label"
    (int64 or string) of shape (n_samples,) and "probabilities" of shape (n_samples, n_classes),
    as `predict` and `predict_proba` give them. The labels of the columns stand in its metadata
    under "classes", as JSON. Before it is returned it is tried in onnxruntime.

    Parameters
    ----------
    model : DigitANNClassifier, Pipeline or search
        Fitted. A pipeline ends in a classifier; before it may stand PixelScaler, DigitDeskewer
        and what skl2onnx converts of scikit-learn.
    dtype : {float32, float64, uint8}, default=None
        Type of the input. All is computed in float64 if that is the type, else in float32.
        None is float64 for a network that was fitted on float64, else float32. uint8 takes
        pixels as bytes; scikit-learn's own scalers can't.
    target_opset : int, default=18
        Version of ONNX' operators, from 13 to the latest that skl2onnx supports. Older programs
        read older versions alone, and newer ones have nothing that is needed here.

    Returns
    -------
    onnx.ModelProto
        ``SerializeToString()`` gives the content of a file.

    Raises
    ------
    ImportError
        If skl2onnx or onnxruntime is not installed.
    TypeError
        If `model` is no classifier, or a step of it can't be converted.
    ValueError
        If `dtype` is another one, the labels are neither integers nor strings, or the ONNX model
        gives other probabilities, as it does for scikit-learn's QuantileTransformer.
    sklearn.exceptions.NotFittedError
        If `model` is not fitted.

    See Also
    --------
    export : Write the file at once.

    Notes
    -----
    Probabilities agree to 1e-5 after PixelScaler and scikit-learn's scalers of numbers. An ONNX
    model does not refuse what `predict` refuses, such as rows with NaN.

    For other outputs, call skl2onnx itself: DigitANNClassifier takes its options "zipmap",
    "output_class_labels", "nocl" and "raw_scores" (logits, or with two classes the log-odds of
    each, in place of the probabilities). For float64 input give ``zipmap=False``, since
    onnxruntime has no ZipMap of float64.

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
    skl2onnx = _registered()
    if not (isinstance(model, BaseEstimator) and is_classifier(model)):
        raise TypeError(f"Got {_kind(model)}, expected a fitted classifier or a pipeline of one.")
    check_is_fitted(model)
    steps = list(_steps(model))
    dtype = _input_dtype(dtype, steps[-1])
    rows = _example_rows(steps, dtype)
    pipeline = make_pipeline(*steps)
    options = {id(pipeline): {"zipmap": False}}
    try:
        converted = skl2onnx.to_onnx(pipeline, rows, options=options, target_opset=target_opset)
    except RuntimeError as error:
        # What skl2onnx raises for steps that it doesn't know, with a page of advice.
        reason = shorten(str(error).partition("It usually means")[0], 200)
        raise TypeError(
            f"Got {_kind(model)} with a step that can't be converted for input of dtype {dtype}, "
            "expected PixelScaler, DigitDeskewer, DigitANNClassifier and what skl2onnx supports: "
            f"{reason}"
        ) from error
    entry = converted.metadata_props.add()
    entry.key, entry.value = "classes", json.dumps(model.classes_.tolist())
    _try(converted, rows, pipeline)
    return converted


def export(
    model: Any,
    path: str | os.PathLike[str],
    *,
    dtype: Any = None,
    target_opset: int = 18,
) -> None:
    """Write a fitted classifier or pipeline to an ONNX file.

    The file takes the place of an earlier one in one step.

    Parameters
    ----------
    model : DigitANNClassifier, Pipeline or search
        As for `to_onnx`.
    path : str or path-like
        File to create or replace; its folder must exist.
    dtype : {float32, float64, uint8}, default=None
        Type of the input, as for `to_onnx`.
    target_opset : int, default=18
        Version of ONNX' operators, as for `to_onnx`.

    Raises
    ------
    ImportError, TypeError, ValueError, NotFittedError
        As `to_onnx` does.
    OSError
        If the file cannot be written. An earlier file then stays as it was.
    """
    content = to_onnx(model, dtype=dtype, target_opset=target_opset).SerializeToString()
    write_atomically(path, lambda file: file.write(content))


def _kind(value: Any) -> str:
    return f"the class {value.__name__}" if isinstance(value, type) else type(value).__name__


def _steps(model: Any) -> Iterator[Any]:
    """The steps that do something, of pipelines within each other as well."""
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
    """Rows to try a model on: a fifth of the values isn't 0, to 255 in half of the rows, else to 1.

    Raises
    ------
    TypeError
        If no step knows how many columns there are.
    """
    known = (getattr(step, "n_features_in_", None) for step in steps)
    n_features = next(filter(None, known), None)
    if n_features is None:
        raise TypeError("Got a model of any number of features, expected one fitted on a table.")
    rng = np.random.default_rng(0)
    values = rng.random((_N_ROWS, n_features)) * (rng.random((_N_ROWS, n_features)) < 0.2)
    values[::2] *= 255
    return values.astype(dtype)


def _try(converted: ModelProto, rows: Array, model: Any) -> None:
    """Refuse a conversion that has gone wrong, but for what rounding may do to a few rows."""
    try:
        from onnxruntime import InferenceSession
    except ImportError as error:
        raise _missing("onnxruntime", "try models with") from error
    try:
        session = InferenceSession(converted.SerializeToString())
        (found,) = session.run(["probabilities"], {"X": rows})
    except Exception as error:
        raise TypeError(
            f"Got steps that skl2onnx converts into what onnxruntime refuses ({_names(model)}): "
            f"{shorten(str(error), 200)}"
        ) from error
    with warnings.catch_warnings():
        # Names of features that were there in fit don't matter here.
        warnings.simplefilter("ignore", UserWarning)
        moved = np.abs(found - model.predict_proba(rows)).sum(axis=1).mean() / 2
    if moved > _MOST_MOVED:
        raise ValueError(
            f"Got steps of which skl2onnx converts one wrongly ({_names(model)}): "
            f"{100 * moved:.0f} % of the probability goes to other classes, expected at most "
            f"{100 * _MOST_MOVED:.0f} %."
        )


def _names(pipeline: Pipeline) -> str:
    return ", ".join(type(step).__name__ for step in pipeline.named_steps.values())


def _missing(package: str, use: str) -> ImportError:
    return ImportError(
        f"Got no {package} to {use}, expected it to be installed: pip install 'skdigits[onnx]'"
    )


class _Nodes:
    """Adds nodes to an ONNX graph.

    Parameters
    ----------
    scope, operator, container : objects
        What skl2onnx gives to a converter.
    """

    def __init__(self, scope: Any, operator: Any, container: Any) -> None:
        from onnx import TensorProto
        from skl2onnx.common.data_types import DoubleTensorType

        self._scope, self._container = scope, container
        self._types = TensorProto
        double = isinstance(operator.inputs[0].type, DoubleTensorType)
        self.dtype: np.dtype[Any] = np.dtype(np.float64 if double else np.float32)

    def add(self, kind: str, *inputs: Any, output: str | None = None, **attributes: Any) -> str:
        """Add a node.

        Parameters
        ----------
        kind : str
            Name of the ONNX operator.
        *inputs : str, float or ndarray
            Names of other nodes' outputs, or constants.
        output : str, default=None
            Name of its output; None makes one up.
        **attributes : dict
            Attributes of the operator.

        Returns
        -------
        str
            Name of its output.
        """
        output = output or self._scope.get_unique_variable_name(kind.lower())
        self._add(kind, inputs, [output], attributes)
        return output

    def add_all(self, kind: str, *inputs: Any, outputs: int, **attributes: Any) -> list[str]:
        """Add a node that has several outputs."""
        names = [self._scope.get_unique_variable_name(kind.lower()) for _ in range(outputs)]
        self._add(kind, inputs, names, attributes)
        return names

    def _add(
        self, kind: str, inputs: tuple[Any, ...], outputs: list[str], attributes: dict[str, Any]
    ) -> None:
        names = [value if isinstance(value, str) else self._constant(value) for value in inputs]
        name = self._scope.get_unique_operator_name(kind)
        self._container.add_node(kind, names, outputs, name=name, **attributes)

    def cast(self, value: str, dtype: Any, output: str | None = None) -> str:
        """Add a conversion to float32, float64 or int64."""
        to = {"float64": self._types.DOUBLE, "int64": self._types.INT64}
        kind = to.get(np.dtype(dtype).name, self._types.FLOAT)
        return self.add("Cast", value, output=output, to=kind)

    def _constant(self, value: Any) -> str:
        name: str = self._scope.get_unique_variable_name("constant")
        array = np.asarray(value)
        content: Any
        if array.dtype.kind == "U":
            kind, content = self._types.STRING, [text.encode() for text in array.tolist()]
        elif array.dtype.kind == "i":
            kind, content = self._types.INT64, array.tolist()
        else:
            double = self.dtype == np.float64
            kind = self._types.DOUBLE if double else self._types.FLOAT
            content = array.astype(self.dtype).ravel()
        self._container.add_initializer(name, kind, array.shape, content)
        return name


def _leaky_relu(nodes: _Nodes, h: str) -> str:
    return nodes.add("Max", h, nodes.add("Mul", h, 0.2))


def _elu(nodes: _Nodes, h: str, alpha: float = 1.0) -> str:
    below = nodes.add("Sub", nodes.add("Exp", nodes.add("Min", h, 0.0)), 1.0)
    return nodes.add("Add", nodes.add("Relu", h), nodes.add("Mul", below, alpha))


def _selu(nodes: _Nodes, h: str) -> str:
    return nodes.add("Mul", _elu(nodes, h, 1.6732632423543772), 1.0507009873554805)


def _gelu(nodes: _Nodes, h: str) -> str:
    # onnxruntime has no Erf of float64.
    erf = nodes.add("Erf", nodes.cast(nodes.add("Mul", h, 0.5**0.5), np.float32))
    share = nodes.add("Mul", nodes.add("Add", nodes.cast(erf, nodes.dtype), 1.0), 0.5)
    return nodes.add("Mul", h, share)


def _silu(nodes: _Nodes, h: str) -> str:
    # h * Sigmoid(h) becomes an operator in onnxruntime that older versions have in float32 alone.
    return nodes.add("Div", h, nodes.add("Add", nodes.add("Exp", nodes.add("Neg", h)), 1.0))


def _softplus(nodes: _Nodes, h: str) -> str:
    small = nodes.add("Exp", nodes.add("Neg", nodes.add("Abs", h)))
    return nodes.add("Add", nodes.add("Relu", h), nodes.add("Log", nodes.add("Add", small, 1.0)))


def _softsign(nodes: _Nodes, h: str) -> str:
    return nodes.add("Div", h, nodes.add("Add", nodes.add("Abs", h), 1.0))


# Made of operators that onnxruntime has in float64 as well; its Elu, Selu, LeakyRelu, Softplus,
# Softsign and Gelu are of float32 alone.
_ACTIVATIONS: dict[str, Callable[[_Nodes, str], str]] = {
    "relu": lambda nodes, h: nodes.add("Relu", h),
    "leaky_relu": _leaky_relu,
    "elu": _elu,
    "selu": _selu,
    "gelu": _gelu,
    "silu": _silu,
    "swish": _silu,
    "tanh": lambda nodes, h: nodes.add("Tanh", h),
    "sigmoid": lambda nodes, h: nodes.add("Sigmoid", h),
    "logistic": lambda nodes, h: nodes.add("Sigmoid", h),
    "softplus": _softplus,
    "softsign": _softsign,
    "linear": lambda nodes, h: h,
    "identity": lambda nodes, h: h,
}


def _convert_classifier(scope: Any, operator: Any, container: Any) -> None:
    classifier = operator.raw_operator
    raw = container.get_options(classifier, {"raw_scores": False})["raw_scores"]
    label, scores = (output.full_name for output in operator.outputs)
    nodes = _Nodes(scope, operator, container)
    network = classifier._predictor().astype(nodes.dtype)
    *hidden, (kernel, bias) = _pairs(network)
    if raw and bias.size == 2:
        kernel, bias = kernel - kernel[:, ::-1], bias - bias[::-1]
    h = nodes.cast(operator.inputs[0].full_name, nodes.dtype)
    for layer in hidden:
        h = _ACTIVATIONS[network.activation](nodes, nodes.add("Gemm", h, *layer))
    logits = nodes.add("Gemm", h, kernel, bias, output=scores if raw else None)
    if not raw:
        nodes.add("Softmax", logits, output=scores, axis=1)
    index = nodes.add("ArgMax", logits, axis=1, keepdims=0)
    nodes.add("Gather", _labels(scope, classifier), index, output=label, axis=0)


def _pairs(network: Network) -> list[tuple[Array, Array]]:
    """Kernel and bias of each layer."""
    arrays = network.layers()
    return list(zip(arrays[::2], arrays[1::2], strict=True))


def _labels(scope: Any, classifier: Any) -> Array:
    """The classes as ONNX has them: int64 or strings."""
    from skl2onnx.common.utils_classifier import get_label_classes

    # Numbers of the classes with the option "nocl".
    classes = np.asarray(get_label_classes(scope, classifier))
    if classes.dtype.kind in "OU" and all(isinstance(label, str) for label in classes):
        return classes.astype(str)
    if classes.dtype.kind not in "biuf" or not np.array_equal(classes.astype(np.int64), classes):
        raise ValueError(
            f"Got labels of dtype {classes.dtype}, such as {classes[0]!r}, expected integers or "
            "strings: ONNX has no others."
        )
    return classes.astype(np.int64)


def _classifier_shapes(operator: Any) -> None:
    from skl2onnx.common import data_types as types

    _check_input(operator)
    n_rows = operator.inputs[0].get_first_dimension()
    labels = _labels(operator.scope_inst, operator.raw_operator)
    kind = types.StringTensorType if labels.dtype.kind == "U" else types.Int64TensorType
    label, scores = operator.outputs
    label.set_type(kind([n_rows]))
    scores.type.shape = [n_rows, len(labels)]


def _convert_scaler(scope: Any, operator: Any, container: Any) -> None:
    nodes = _Nodes(scope, operator, container)
    pixels = nodes.cast(operator.inputs[0].full_name, nodes.dtype)
    nodes.add("Div", pixels, 255.0, output=operator.outputs[0].full_name)


def _convert_deskewer(scope: Any, operator: Any, container: Any) -> None:
    from skl2onnx.common.data_types import UInt8TensorType

    n_features = operator.raw_operator.n_features_in_
    side = isqrt(n_features)
    nodes = _Nodes(scope, operator, container)
    tiny = np.finfo(nodes.dtype).tiny
    down, right = np.indices((side, side)) - (side - 1) / 2
    down, right, ones = (a.reshape(1, -1) for a in (down, right, np.ones(n_features)))
    pixels = nodes.cast(operator.inputs[0].full_name, nodes.dtype)

    # The median of an even number of pixels, those on the edge.
    outermost = np.flatnonzero(np.maximum(np.abs(down), np.abs(right)) == (side - 1) / 2)
    edge = nodes.add("Gather", pixels, outermost, axis=1)
    upper, _ = nodes.add_all("TopK", edge, np.array([2 * side - 1]), outputs=2, axis=1)
    middle = np.zeros((2 * side - 1, 1))
    middle[-2:] = 0.5
    ground = nodes.add("MatMul", upper, middle)
    pixels = nodes.add("Sub", pixels, ground)

    mass = nodes.add("Abs", pixels)
    total = nodes.add("Max", nodes.add("MatMul", mass, ones.T), tiny)
    x, y = (nodes.add("Div", nodes.add("MatMul", mass, a.T), total) for a in (right, down))
    dx, dy = nodes.add("Sub", right, x), nodes.add("Sub", down, y)
    across, along = (
        nodes.add("MatMul", nodes.add("Mul", mass, nodes.add("Mul", a, dy)), ones.T)
        for a in (dx, dy)
    )
    slant = nodes.add("Div", across, nodes.add("Max", along, tiny))
    of_rows = nodes.add("Mul", slant, nodes.add("Sub", down[:, ::side], y))
    shift = nodes.add("Add", x, of_rows)
    shift = nodes.add("Min", nodes.add("Max", shift, -float(side)), float(side))
    shift = nodes.add("Reshape", shift, np.array([-1, side, 1]))
    whole = nodes.add("Floor", shift)
    between = nodes.add("Sub", shift, whole)

    images = nodes.add("Reshape", pixels, np.array([-1, side, side]))
    padded = nodes.add("Pad", images, np.array([0, 0, side, 0, 0, side + 1]))
    left = nodes.add("Add", nodes.cast(whole, np.int64), np.arange(side, 2 * side))
    right_one = nodes.add("Add", left, np.array(1))
    beside = [nodes.add("GatherElements", padded, i, axis=2) for i in (left, right_one)]
    step = nodes.add("Mul", between, nodes.add("Sub", beside[1], beside[0]))
    upright = nodes.add("Add", beside[0], step)
    upright = nodes.add("Reshape", upright, np.array([-1, n_features]))
    upright = nodes.add("Add", upright, ground)
    # Bytes are rounded to bytes.
    is_bytes = isinstance(operator.inputs[0].type, UInt8TensorType)
    nodes.add("Round" if is_bytes else "Identity", upright, output=operator.outputs[0].full_name)


def _scaler_shapes(operator: Any) -> None:
    _check_input(operator)
    n_rows = operator.inputs[0].get_first_dimension()
    operator.outputs[0].type.shape = [n_rows, operator.raw_operator.n_features_in_]


def _check_input(operator: Any) -> None:
    """Refuse what isn't one table of numbers with the columns that were there in fit."""
    from skl2onnx.common import data_types as types

    model = operator.raw_operator
    check_is_fitted(model)
    numbers = ("Boolean", "Double", "Float", "Int8", "Int32", "Int64", "UInt8")
    kinds = tuple(getattr(types, f"{name}TensorType") for name in numbers)
    found = [(variable.type, variable.get_second_dimension()) for variable in operator.inputs]
    expected = (None, model.n_features_in_)
    if len(found) != 1 or not isinstance(found[0][0], kinds) or found[0][1] not in expected:
        raise ValueError(
            f"Got the input {[kind for kind, _ in found]} for {type(model).__name__}, expected one "
            f"tensor of numbers of shape (n, {model.n_features_in_})."
        )


def _registered() -> Any:
    """The module skl2onnx, with the converters registered."""
    try:
        import skl2onnx
    except ImportError as error:
        raise _missing("skl2onnx", "convert models with") from error
    skl2onnx.update_registered_converter(
        DigitANNClassifier,
        "SkdigitsDigitANNClassifier",
        _classifier_shapes,
        _convert_classifier,
        options={
            "zipmap": [True, False, "columns"],
            "output_class_labels": [False, True],
            "nocl": [True, False],
            "raw_scores": [True, False],
        },
    )
    skl2onnx.update_registered_converter(
        PixelScaler, "SkdigitsPixelScaler", _scaler_shapes, _convert_scaler
    )
    skl2onnx.update_registered_converter(
        DigitDeskewer, "SkdigitsDigitDeskewer", _scaler_shapes, _convert_deskewer
    )
    return skl2onnx


if find_spec("skl2onnx"):
    _registered()
