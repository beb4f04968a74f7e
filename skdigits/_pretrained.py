"""The network that comes with the package: its file, small enough for a wheel."""

from __future__ import annotations

import json
from dataclasses import replace
from importlib.resources import files
from typing import Any, BinaryIO

import numpy as np

from ._network import Array, Network

# Weights are stored as whole numbers of a column's step, from -127 to 127.
LEVELS = 127


def quantised(kernel: Array) -> tuple[Array, Array]:
    """Whole numbers and the step of each column that make up a kernel, rounded.

    Returns
    -------
    levels : ndarray of int8 of the kernel's shape
    steps : ndarray of float32 of shape (n_out,)
    """
    steps = (np.abs(kernel).max(axis=0) / LEVELS).astype(np.float32)
    steps[steps == 0] = 1
    return np.rint(kernel / steps).astype(np.int8), steps


def write_network(file: BinaryIO, network: Network, about: dict[str, Any]) -> None:
    """Write a network, normalisation and temperature multiplied into its weights.

    Parameters
    ----------
    file : binary file
    network : Network
    about : dict
        Whatever JSON can hold: classes, parameters, history, figures.
    """
    arrays: dict[str, Array] = {}
    layers = replace(network, blur=0.0).layers(scaled_input=True)
    for i, (kernel, bias) in enumerate(zip(layers[::2], layers[1::2], strict=True)):
        arrays[f"levels_{i}"], arrays[f"steps_{i}"] = quantised(kernel)
        arrays[f"bias_{i}"] = bias.astype(np.float32)
    known = {"activation": network.activation, "blur": network.blur, "n_layers": len(layers) // 2}
    header = json.dumps(about | known)
    arrays["about"] = np.frombuffer(header.encode(), np.uint8)
    np.savez_compressed(file, **arrays)  # type: ignore[arg-type]


def read_network(file: Any) -> tuple[Network, dict[str, Any]]:
    """What `write_network` has written."""
    with np.load(file, allow_pickle=False) as stored:
        about = json.loads(stored["about"].tobytes())
        numbers = range(about["n_layers"])
        kernels = [stored[f"levels_{i}"] * stored[f"steps_{i}"] for i in numbers]
        biases = [stored[f"bias_{i}"] for i in numbers]
    # Files from before there was a blur have none.
    blur = float(about.get("blur", 0.0))
    return Network(tuple(kernels), tuple(biases), about["activation"], blur=blur), about


def load_pretrained() -> Any:
    """A fitted pipeline that reads handwritten digits, without any training.

    Trained on MNIST's training set, deformed anew in each epoch, for pictures in MNIST's form:
    28 × 28 pixels, white on black, such as `read_digit_images` makes of people's own. The README in
    the package's folder of data says how it was made, how good it is and what it is bad at.

    Returns
    -------
    sklearn.pipeline.Pipeline
        A `PixelScaler` and a `DigitANNClassifier` for rows of 784 pixels from 0 to 255; labels
        are the integers 0 to 9. Its `history_` is that of its training, and its weights are
        rounded to 8 bits. No TensorFlow is imported.

    Examples
    --------
    >>> from skdigits import load_pretrained
    >>> from skdigits.datasets import load_mnist_sample
    >>> X, y = load_mnist_sample(subset="test", return_X_y=True)
    >>> bool(load_pretrained().score(X, y.astype(int)) > 0.98)
    True
    """
    from sklearn.pipeline import Pipeline

    from ._augmentation import Augmentation
    from ._classifier import DigitANNClassifier
    from ._reporting import fitted_attributes
    from .preprocessing import PixelScaler

    with (files(__package__) / "data" / "pretrained.npz").open("rb") as file:
        network, about = read_network(file)
    params = dict(about["params"])
    params["hidden_layer_sizes"] = tuple(params["hidden_layer_sizes"])
    params["input_blur"] = network.blur
    params["augmentation"] = Augmentation(**params["augmentation"])
    classifier = DigitANNClassifier(**params)
    history = about["history"]
    fitted = fitted_attributes(network, np.array(about["classes"]), history, len(history["loss"]))
    classifier.__dict__.update(fitted)
    scaler = PixelScaler()
    classifier.n_features_in_ = scaler.n_features_in_ = network.n_features
    return Pipeline([("scaler", scaler), ("ann", classifier)])
