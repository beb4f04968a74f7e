"""Weights between Keras models and arrays."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import keras
import numpy as np

from .._network import BatchNorm, Network, blurred
from .building import Architecture, dense_model


def _layers_of(model: Any, kind: type) -> list[Any]:
    return [layer for layer in model.layers if isinstance(layer, kind)]


def network_variables(model: Any) -> list[Any]:
    """The Keras variables that make up the network: kernels, biases, then normalisation."""
    dense = _layers_of(model, keras.layers.Dense)
    norms = _layers_of(model, keras.layers.BatchNormalization)
    return [
        *(layer.kernel for layer in dense),
        *(layer.bias for layer in dense),
        *(v for n in norms for v in (n.gamma, n.beta, n.moving_mean, n.moving_variance)),
    ]


def to_numpy(variable: Any) -> np.ndarray:
    """The value of a Keras variable."""
    # Keras' own conversion asks TensorFlow for a copy in a way that NumPy 2 warns of.
    return np.asarray(variable.value)


def network_arrays(network: Network) -> list[np.ndarray]:
    """A network's arrays in the order of `network_variables`."""
    norms = network.norms or ()
    return [
        *network.kernels,
        *network.biases,
        *(a for n in norms for a in (n.gamma, n.beta, n.mean, n.variance)),
    ]


def network_from_arrays(arrays: list[np.ndarray], template: Network) -> Network:
    """The network of these arrays, everything else as in the template."""
    n = len(template.kernels)
    norms = None
    if template.norms is not None:
        norms = tuple(
            BatchNorm(arrays[i], arrays[i + 1], arrays[i + 2], arrays[i + 3], norm.epsilon)
            for i, norm in zip(range(2 * n, len(arrays), 4), template.norms, strict=True)
        )
    return Network(
        kernels=tuple(arrays[:n]),
        biases=tuple(arrays[n : 2 * n]),
        activation=template.activation,
        norms=norms,
        input_scale=template.input_scale,
        blur=template.blur,
    )


def keras_model(network: Network, dropout: tuple[float, ...], l2: tuple[float, ...]) -> Any:
    """A Keras model that computes what the network computes, ending in a softmax.

    Where the network was fitted on bytes, a Rescaling layer stands first. A blur is in the
    weights of the first layer, the temperature in those of the last. On JAX, where the user has
    not enabled float64, the model is float32.
    """
    network = network.astype(_available(network.dtype))
    architecture = Architecture(
        n_features=network.n_features,
        hidden_layer_sizes=tuple(k.shape[1] for k in network.kernels[:-1]),
        n_classes=network.kernels[-1].shape[1],
        activation=network.activation,
        dropout=dropout,
        l2=l2,
        batch_norm=network.norms is not None,
        dtype=network.dtype.name,
    )
    layers: list[Any] = [keras.Input((network.n_features,), dtype=architecture.dtype)]
    if network.input_scale != 1.0:
        layers.append(keras.layers.Rescaling(network.input_scale, dtype=architecture.dtype))
    layers += dense_model(architecture).layers
    model = keras.Sequential([*layers, keras.layers.Softmax(dtype=architecture.dtype)])
    for norm, layer in zip(
        network.norms or (), _layers_of(model, keras.layers.BatchNormalization), strict=True
    ):
        layer.epsilon = norm.epsilon
    kernels, biases = list(network.kernels), list(network.biases)
    if network.blur:
        kernels[0] = blurred(kernels[0], network.blur)
    kernels[-1] = kernels[-1] / network.temperature
    biases[-1] = biases[-1] / network.temperature
    scaled = replace(network, kernels=tuple(kernels), biases=tuple(biases))
    for variable, array in zip(network_variables(model), network_arrays(scaled), strict=True):
        variable.assign(array)
    return model


def _available(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """The dtype in which Keras' backend computes what is asked for in this one."""
    if keras.config.backend() != "jax":
        return dtype
    import jax

    return np.dtype(jax.dtypes.canonicalize_dtype(dtype))
