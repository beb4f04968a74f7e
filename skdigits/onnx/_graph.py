"""Nodes of an ONNX graph, and the activation functions as nodes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np


class GraphBuilder:
    """Adds nodes to the ONNX graph of one converter.

    Parameters
    ----------
    scope, operator, container : objects
        Arguments of a converter of skl2onnx.
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
            Name of its output; None generates one.
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


def _leaky_relu(nodes: GraphBuilder, h: str) -> str:
    return nodes.add("Max", h, nodes.add("Mul", h, 0.2))


def _elu(nodes: GraphBuilder, h: str, alpha: float = 1.0) -> str:
    below = nodes.add("Sub", nodes.add("Exp", nodes.add("Min", h, 0.0)), 1.0)
    return nodes.add("Add", nodes.add("Relu", h), nodes.add("Mul", below, alpha))


def _selu(nodes: GraphBuilder, h: str) -> str:
    return nodes.add("Mul", _elu(nodes, h, 1.6732632423543772), 1.0507009873554805)


def _gelu(nodes: GraphBuilder, h: str) -> str:
    # onnxruntime has Erf in float32 only.
    erf = nodes.add("Erf", nodes.cast(nodes.add("Mul", h, 0.5**0.5), np.float32))
    share = nodes.add("Mul", nodes.add("Add", nodes.cast(erf, nodes.dtype), 1.0), 0.5)
    return nodes.add("Mul", h, share)


def _silu(nodes: GraphBuilder, h: str) -> str:
    # onnxruntime fuses h * Sigmoid(h) to an operator that older versions have in float32 only.
    return nodes.add("Div", h, nodes.add("Add", nodes.add("Exp", nodes.add("Neg", h)), 1.0))


def _softplus(nodes: GraphBuilder, h: str) -> str:
    small = nodes.add("Exp", nodes.add("Neg", nodes.add("Abs", h)))
    return nodes.add("Add", nodes.add("Relu", h), nodes.add("Log", nodes.add("Add", small, 1.0)))


def _softsign(nodes: GraphBuilder, h: str) -> str:
    return nodes.add("Div", h, nodes.add("Add", nodes.add("Abs", h), 1.0))


# Built from operators that onnxruntime has in float32 and float64. It has Elu, Selu, LeakyRelu,
# Softplus, Softsign and Gelu in float32 only.
ACTIVATIONS: dict[str, Callable[[GraphBuilder, str], str]] = {
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
