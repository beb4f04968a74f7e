"""Converters of DigitANNClassifier, PixelScaler and DigitDeskewer for skl2onnx."""

from __future__ import annotations

from math import isqrt
from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from .._classifier import DigitANNClassifier
from .._network import Array, Network
from .._transformers.deskewer import DigitDeskewer
from .._transformers.pixel_scaler import PixelScaler
from ._graph import ACTIVATIONS, GraphBuilder


def _convert_classifier(scope: Any, operator: Any, container: Any) -> None:
    classifier = operator.raw_operator
    raw = container.get_options(classifier, {"raw_scores": False})["raw_scores"]
    label, scores = (output.full_name for output in operator.outputs)
    nodes = GraphBuilder(scope, operator, container)
    network = classifier._predictor().astype(nodes.dtype)
    *hidden, (kernel, bias) = _pairs(network)
    if raw and bias.size == 2:
        kernel, bias = kernel - kernel[:, ::-1], bias - bias[::-1]
    h = nodes.cast(operator.inputs[0].full_name, nodes.dtype)
    for layer in hidden:
        h = ACTIVATIONS[network.activation](nodes, nodes.add("Gemm", h, *layer))
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
    """The classes as int64 or strings, the types of labels in ONNX."""
    from skl2onnx.common.utils_classifier import get_label_classes

    # With the option "nocl" these are the indices of the classes.
    classes = np.asarray(get_label_classes(scope, classifier))
    if classes.dtype.kind in "OU" and all(isinstance(label, str) for label in classes):
        return classes.astype(str)
    if classes.dtype.kind not in "biuf" or not np.array_equal(classes.astype(np.int64), classes):
        raise ValueError(
            f"Got labels of dtype {classes.dtype}, such as {classes[0]!r}, expected integers or "
            "strings, the types of labels in ONNX."
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
    nodes = GraphBuilder(scope, operator, container)
    pixels = nodes.cast(operator.inputs[0].full_name, nodes.dtype)
    nodes.add("Div", pixels, 255.0, output=operator.outputs[0].full_name)


def _convert_deskewer(scope: Any, operator: Any, container: Any) -> None:
    from skl2onnx.common.data_types import UInt8TensorType

    n_features = operator.raw_operator.n_features_in_
    side = isqrt(n_features)
    nodes = GraphBuilder(scope, operator, container)
    pixels = nodes.cast(operator.inputs[0].full_name, nodes.dtype)
    background = _edge_median(nodes, pixels, side)
    pixels = nodes.add("Sub", pixels, background)
    shifted = _shift_rows(nodes, pixels, _row_shifts(nodes, pixels, side), side)
    shifted = nodes.add("Reshape", shifted, np.array([-1, n_features]))
    deskewed = nodes.add("Add", shifted, background)
    # uint8 images stay whole numbers.
    is_uint8 = isinstance(operator.inputs[0].type, UInt8TensorType)
    nodes.add("Round" if is_uint8 else "Identity", deskewed, output=operator.outputs[0].full_name)


def _offsets(side: int) -> tuple[Array, Array]:
    """Vertical and horizontal offset of each pixel from the centre, of shape (1, side ** 2)."""
    down, right = np.indices((side, side)) - (side - 1) / 2
    return down.reshape(1, -1), right.reshape(1, -1)


def _edge_median(nodes: GraphBuilder, pixels: str, side: int) -> str:
    """Median of the outermost pixels: mean of the two in the middle of their even number."""
    outermost = np.flatnonzero(np.maximum(*map(np.abs, _offsets(side))) == (side - 1) / 2)
    edge = nodes.add("Gather", pixels, outermost, axis=1)
    largest, _ = nodes.add_all("TopK", edge, np.array([2 * side - 1]), outputs=2, axis=1)
    weights = np.zeros((2 * side - 1, 1))
    weights[-2:] = 0.5
    return nodes.add("MatMul", largest, weights)


def _row_shifts(nodes: GraphBuilder, pixels: str, side: int) -> str:
    """Horizontal shift of each row that removes the shear and centres the image."""
    tiny = np.finfo(nodes.dtype).tiny
    down, right = _offsets(side)
    ones = np.ones((side**2, 1))
    mass = nodes.add("Abs", pixels)
    total = nodes.add("Max", nodes.add("MatMul", mass, ones), tiny)
    x, y = (nodes.add("Div", nodes.add("MatMul", mass, a.T), total) for a in (right, down))
    dx, dy = nodes.add("Sub", right, x), nodes.add("Sub", down, y)
    covariance, variance = (
        nodes.add("MatMul", nodes.add("Mul", mass, nodes.add("Mul", a, dy)), ones) for a in (dx, dy)
    )
    shear = nodes.add("Div", covariance, nodes.add("Max", variance, tiny))
    shift = nodes.add("Add", x, nodes.add("Mul", shear, nodes.add("Sub", down[:, ::side], y)))
    return nodes.add("Min", nodes.add("Max", shift, -float(side)), float(side))


def _shift_rows(nodes: GraphBuilder, pixels: str, shift: str, side: int) -> str:
    """Rows shifted by fractions of a pixel, with linear interpolation."""
    shift = nodes.add("Reshape", shift, np.array([-1, side, 1]))
    whole = nodes.add("Floor", shift)
    fraction = nodes.add("Sub", shift, whole)
    images = nodes.add("Reshape", pixels, np.array([-1, side, side]))
    padded = nodes.add("Pad", images, np.array([0, 0, side, 0, 0, side + 1]))
    left = nodes.add("Add", nodes.cast(whole, np.int64), np.arange(side, 2 * side))
    right = nodes.add("Add", left, np.array(1))
    neighbors = [nodes.add("GatherElements", padded, i, axis=2) for i in (left, right)]
    step = nodes.add("Mul", fraction, nodes.add("Sub", neighbors[1], neighbors[0]))
    return nodes.add("Add", neighbors[0], step)


def _scaler_shapes(operator: Any) -> None:
    _check_input(operator)
    n_rows = operator.inputs[0].get_first_dimension()
    operator.outputs[0].type.shape = [n_rows, operator.raw_operator.n_features_in_]


def _check_input(operator: Any) -> None:
    """Check that the input is one numeric tensor with the number of columns seen in fit."""
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


def registered_skl2onnx() -> Any:
    """Import skl2onnx and register the converters of this module."""
    try:
        import skl2onnx
    except ImportError as error:
        raise missing_package("skl2onnx") from error
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


def missing_package(name: str) -> ImportError:
    """The error for a package of the extra "onnx" that is not installed."""
    return ImportError(f"{name} is not installed. Install it with: pip install 'skdigits[onnx]'")
