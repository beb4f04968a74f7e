"""The network that comes with the package."""

from __future__ import annotations

from importlib.resources import files
from typing import Any

import numpy as np
from sklearn.pipeline import Pipeline

from ._augmentation import Augmentation
from ._classifier import DigitANNClassifier
from ._fitted import fitted_attributes
from ._packed_network import read_network
from ._transformers.pixel_scaler import PixelScaler


def load_pretrained() -> Any:
    """A fitted pipeline that classifies handwritten digits, without any training.

    It was trained on MNIST's training set, deformed anew in each epoch, for images in MNIST's
    format: 28 × 28 pixels, white on black, as `read_digit_images` makes them of pictures. The
    README in the package's data folder describes its training, its accuracy and its limits.

    Returns
    -------
    sklearn.pipeline.Pipeline
        A `PixelScaler` and a `DigitANNClassifier` for rows of 784 pixels from 0 to 255. Labels
        are the strings "0" to "9", as in the data sets. Its `history_` is that of its training,
        and its weights are rounded to 8 bits. No TensorFlow is imported.

    Notes
    -----
    Further training with ``warm_start=True`` or ``partial_fit`` needs a learning rate that is much
    lower than the stored one, such as 0.0001; a higher one makes the network worse, and a warning
    says so.

    Examples
    --------
    >>> from skdigits import load_pretrained
    >>> from skdigits.datasets import load_mnist_sample
    >>> X, y = load_mnist_sample(subset="test", return_X_y=True)
    >>> bool(load_pretrained().score(X, y) > 0.98)
    True
    """
    with (files("skdigits") / "data" / "pretrained.npz").open("rb") as file:
        network, about = read_network(file)
    params = dict(about["params"])
    params["hidden_layer_sizes"] = tuple(params["hidden_layer_sizes"])
    params["input_blur"] = network.blur
    params["augmentation"] = Augmentation(**params["augmentation"])
    classifier = DigitANNClassifier(**params)
    history = about["history"]
    classes = np.array([str(label) for label in about["classes"]], dtype=object)
    attributes = fitted_attributes(network, classes, history, len(history["loss"]))
    classifier.__dict__.update(attributes, _pretrained_learning_rate=classifier.learning_rate)
    scaler = PixelScaler()
    classifier.n_features_in_ = scaler.n_features_in_ = network.n_features
    return Pipeline([("scaler", scaler), ("ann", classifier)])
