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
    with (files("skdigits") / "data" / "pretrained.npz").open("rb") as file:
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
