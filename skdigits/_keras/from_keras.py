"""A Keras model of dense layers, read into arrays."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from typing import Any, NoReturn

import keras
import numpy as np

from .._activations import ACTIVATIONS
from .._network import Array, BatchNorm, Network
from .._parameters import one_if_equal


def read_keras_model(model: Any, classes: Any) -> tuple[dict[str, Any], Network, Array]:
    """Parameters of a classifier that predicts as a Keras model does, its network and its classes.

    Parameters
    ----------
    model : keras.Sequential
    classes : array-like of shape (n_classes,) or None
        Label of each output; None is 0, 1, ….

    Returns
    -------
    params : dict
        Parameters of DigitANNClassifier.
    network : Network
        Outputs in the order of the sorted labels.
    classes : ndarray of shape (n_classes,)
        Labels, sorted.

    Raises
    ------
    ValueError
        If `classes` are not different labels, one for each output.
    """
    found = KerasReader(model)
    network, n_classes = found.network, found.network.biases[-1].size
    labels = np.arange(n_classes) if classes is None else np.asarray(classes)
    order = np.argsort(labels, axis=0, kind="stable")
    if labels.shape != (n_classes,) or len(np.unique(labels)) != n_classes:
        raise ValueError(
            f"Got classes={labels.tolist()}, expected {n_classes} different labels, one for "
            "each output of the model."
        )
    kernels = (*network.kernels[:-1], network.kernels[-1][:, order])
    biases = (*network.biases[:-1], network.biases[-1][order])
    params = {
        "hidden_layer_sizes": tuple(kernel.shape[1] for kernel in kernels[:-1]),
        "activation": network.activation,
        "dropout": one_if_equal(found.dropout),
        "l2": one_if_equal(found.l2),
        "batch_norm": network.norms is not None,
    }
    return params, replace(network, kernels=kernels, biases=biases), labels[order]


# Layers that apply an activation, and the options with which it is the one that we know.
ACTIVATION_LAYERS: dict[str, dict[str, Any]] = {
    "ReLU": {"max_value": None, "negative_slope": 0.0, "threshold": 0.0},
    "LeakyReLU": {"negative_slope": 0.2},
    "ELU": {"alpha": 1.0},
}


@dataclass
class _Hidden:
    """A dense layer on its way from Keras: what follows it is taken in step by step."""

    name: str
    kernel: Array
    bias: Array
    l2: float
    activation: str | None = None
    norm: BatchNorm | None = None
    dropout: float = 0.0


class KerasReader:
    """Reads a Keras Sequential of dense layers, layer by layer.

    Attributes
    ----------
    dropout, l2 : tuple of float
        Of each hidden layer.
    network : Network
    """

    def __init__(self, model: Any) -> None:
        if not isinstance(model, keras.Sequential):
            raise TypeError(
                f"Got a {type(model).__name__}, expected a keras.Sequential of dense layers."
            )
        if not model.built:
            raise ValueError(
                "Got a Keras model that isn't built, expected one with weights: give it an "
                "Input layer or call it once."
            )
        self._layers: list[_Hidden] = []
        self._scale, self._gain, self._shift = 1.0, 1.0, 0.0
        # The affine map of a normalisation after an activation, to go into the next layer.
        self._pending: tuple[Array, Array] | None = None
        self._ended = False
        for layer in model.layers:
            self._read(layer)
        self._finish()

    def _read(self, layer: Any) -> None:
        kind = type(layer).__name__
        # Only Keras' own class of that name computes what we compute.
        reader = getattr(self, f"_read_{kind}", None)
        if kind in ACTIVATION_LAYERS:
            reader = self._read_activation_layer
        if reader is None or type(layer) is not getattr(keras.layers, kind, None):
            self._refuse(layer, "of a kind that a dense network hasn't got")
        else:
            reader(layer)

    @staticmethod
    def _refuse(layer: Any, why: str) -> NoReturn:
        raise ValueError(
            f"Got the layer {layer.name!r} ({type(layer).__name__}), {why}, expected Flatten and "
            "Rescaling, then Dense layers with one activation, each with BatchNormalization and "
            "Dropout if you like, and a softmax at the end."
        )

    def _read_InputLayer(self, layer: Any) -> None:
        """Nothing to take over."""

    def _read_Flatten(self, layer: Any) -> None:
        if self._layers:
            self._refuse(layer, "after a dense layer")

    def _read_Rescaling(self, layer: Any) -> None:
        if self._layers:
            self._refuse(layer, "after a dense layer")
        if np.size(layer.scale) > 1 or np.size(layer.offset) > 1:
            self._refuse(layer, "with several scales or offsets")
        scale, offset = float(np.ravel(layer.scale)[0]), float(np.ravel(layer.offset)[0])
        self._gain, self._shift = self._gain * scale, self._shift * scale + offset

    def _read_Dense(self, layer: Any) -> None:
        if self._ended:
            self._refuse(layer, "after the softmax")
        if layer.activation is keras.activations.softmax:
            activation: str | None = "softmax"
        else:
            activation = self._name_of(layer, layer.activation)
        kernel = np.array(layer.kernel, dtype=self._dtype(layer))
        bias = np.zeros(kernel.shape[1], kernel.dtype)
        if layer.use_bias:
            bias = np.array(layer.bias, dtype=kernel.dtype)
        if self._pending is not None:
            gain, shift = self._pending
            bias = (bias + shift @ kernel).astype(kernel.dtype)
            kernel = (gain[:, None] * kernel).astype(kernel.dtype)
            self._pending = None
        self._layers.append(_Hidden(layer.name, kernel, bias, self._penalty(layer)))
        self._activate(layer, activation)

    def _read_Activation(self, layer: Any) -> None:
        softmax = layer.activation is keras.activations.softmax
        self._activate(layer, "softmax" if softmax else self._name_of(layer, layer.activation))

    def _read_Softmax(self, layer: Any) -> None:
        if layer.axis != -1:
            self._refuse(layer, f"along the axis {layer.axis}")
        self._activate(layer, "softmax")

    def _read_activation_layer(self, layer: Any) -> None:
        kind = type(layer).__name__
        for name, expected in ACTIVATION_LAYERS[kind].items():
            value = getattr(layer, name)
            if value != expected and None in (value, expected):
                self._refuse(layer, f"with {name}={value} in place of {expected}")
            if value != expected and not np.isclose(value, expected):
                self._refuse(layer, f"with {name}={value} in place of {expected}")
        self._activate(layer, {"ReLU": "relu", "LeakyReLU": "leaky_relu", "ELU": "elu"}[kind])

    def _read_Dropout(self, layer: Any) -> None:
        if self._layers:
            self._layers[-1].dropout = float(layer.rate)

    def _read_BatchNormalization(self, layer: Any) -> None:
        if layer.axis not in (-1, 1):
            self._refuse(layer, f"along the axis {layer.axis}")
        if not self._layers:
            self._refuse(layer, "before the first dense layer")
        last = self._layers[-1]
        width, dtype = last.bias.size, last.kernel.dtype
        norm = BatchNorm(
            gamma=np.array(layer.gamma if layer.scale else np.ones(width), dtype),
            beta=np.array(layer.beta if layer.center else np.zeros(width), dtype),
            mean=np.array(layer.moving_mean, dtype),
            variance=np.array(layer.moving_variance, dtype),
            epsilon=float(layer.epsilon),
        )
        if last.activation is None and last.norm is None:
            last.norm = norm
        elif self._pending is None:
            gain = norm.gamma / np.sqrt(norm.variance + norm.epsilon)
            self._pending = gain, norm.beta - norm.mean * gain
        else:
            self._refuse(layer, "right after another normalisation")

    def _activate(self, layer: Any, activation: str | None) -> None:
        if not self._layers:
            self._refuse(layer, "before the first dense layer")
        if activation in (None, "linear"):
            return
        last = self._layers[-1]
        if self._ended or self._pending is not None or last.activation is not None:
            self._refuse(layer, "after another activation or normalisation")
        if activation == "softmax":
            self._ended = True
        else:
            last.activation = activation

    def _name_of(self, layer: Any, function: Any) -> str:
        name = getattr(function, "__name__", "")
        if name in ACTIVATIONS and keras.activations.get(name) is function:
            return name
        self._refuse(layer, f"with the activation {name or function!r}")

    @staticmethod
    def _dtype(layer: Any) -> str:
        return "float64" if layer.variable_dtype == "float64" else "float32"

    @staticmethod
    def _penalty(layer: Any) -> float:
        regularizer = layer.kernel_regularizer
        if isinstance(regularizer, keras.regularizers.L2):
            return float(regularizer.l2)
        if regularizer is not None or layer.bias_regularizer is not None:
            warnings.warn(
                f"The regularisers of the layer {layer.name!r} are left behind, for only L2 on the "
                "kernel is known here. Predictions are the same without them.",
                UserWarning,
                stacklevel=2,
            )
        return 0.0

    def _finish(self) -> None:
        """Put the layers together."""
        if not self._layers:
            raise ValueError("Got a Keras model without a Dense layer, expected at least one.")
        *hidden, last = self._layers
        activations = sorted({layer.activation or "linear" for layer in hidden}) or ["relu"]
        normed = sum(layer.norm is not None for layer in hidden)
        if last.norm is not None or last.activation is not None or self._pending is not None:
            raise ValueError(
                f"Got an activation or a normalisation other than softmax after the last layer "
                f"{last.name!r}, expected logits or a softmax."
            )
        if last.bias.size < 2:
            raise ValueError(
                f"Got one output of the layer {last.name!r}, expected one for each class."
            )
        if len(activations) > 1 or normed not in (0, len(hidden)):
            raise ValueError(
                f"Got hidden layers with the activations {activations}, {normed} of "
                f"{len(hidden)} normalised before them, expected one activation for all and "
                "normalisation before it on all or none."
            )
        first = self._layers[0]
        if (self._gain, self._shift) == (1 / 255, 0.0):
            self._scale = 1 / 255
        else:
            first.bias = (first.bias + self._shift * first.kernel.sum(axis=0)).astype(
                first.kernel.dtype
            )
            first.kernel = (first.kernel * self._gain).astype(first.kernel.dtype)
        self.dropout = tuple(layer.dropout for layer in hidden)
        self.l2 = tuple(layer.l2 for layer in hidden)
        self.network = Network(
            kernels=tuple(layer.kernel for layer in self._layers),
            biases=tuple(layer.bias for layer in self._layers),
            activation=activations[0],
            norms=tuple(layer.norm for layer in hidden if layer.norm) if normed else None,
            input_scale=self._scale,
        )
