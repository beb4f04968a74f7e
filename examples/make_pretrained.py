"""
=======================================
Training the network inside the package
=======================================

:func:`skdigits.load_pretrained` reads a file that this script made. It trains on MNIST's 60,000
training images alone, deformed more widely than MNIST's own test set needs, since the network is
meant for people's own pictures: strokes become thinner and bolder too. Then it rounds the weights
to 8 bits, tests them once on MNIST's test set and writes the file.

Usage: ``python make_pretrained.py pretrained.npz`` (a quarter of an hour on two cores; after a
crash the same command goes on where it was)
"""

from __future__ import annotations

import sys
import time

import numpy as np
from sklearn.pipeline import make_pipeline

from skdigits import Augmentation, DigitANNClassifier, PixelScaler
from skdigits._atomic import write_atomically
from skdigits._pretrained import read_network, write_network
from skdigits.datasets import fetch_mnist

RANGES = {
    "rotation": 15.0,
    "scale": 0.2,
    "shear": 0.25,
    "shift": 0.06,
    "elastic": 0.04,
    "stroke": 0.7,
}
PARAMS = {
    "hidden_layer_sizes": (1024, 1024, 512),
    "epochs": 50,
    "batch_size": 256,
    "optimizer": "adamw",
    "optimizer_params": {"weight_decay": 0.01},
    "learning_rate": 0.0015,
    "learning_rate_schedule": "cosine",
    "label_smoothing": 0.05,
    "weight_averaging": True,
    "random_state": 0,
}


def main(path: str, **changes: object) -> None:
    X, y = fetch_mnist(subset="train", return_X_y=True)
    X_test, y_test = fetch_mnist(subset="test", return_X_y=True)
    y, y_test = y.astype(int), y_test.astype(int)
    params = PARAMS | changes
    classifier = DigitANNClassifier(**params, augmentation=Augmentation(**RANGES), verbose=True)
    start = time.perf_counter()
    model = make_pipeline(PixelScaler(), classifier)
    model.fit(X, y, digitannclassifier__checkpoint=f"{path}.checkpoint")
    seconds = time.perf_counter() - start
    about = {
        "params": params | {"augmentation": RANGES},
        "classes": classifier.classes_.tolist(),
        "history": {
            name: [float(f"{value:.6g}") for value in values]
            for name, values in classifier.history_.items()
        },
    }
    write_atomically(path, lambda file: write_network(file, classifier._network, about))
    with open(path, "rb") as file:
        stored, _ = read_network(file)
    for name, network in (("float32", classifier._network), ("8 bits", stored)):
        found = network.logits(PixelScaler().fit_transform(X_test)).argmax(axis=1)
        print(f"{name}: {100 * np.mean(found == y_test):.2f} % of MNIST's test set")
    print(f"trained in {seconds:.0f} s")


if __name__ == "__main__":
    main(sys.argv[1])
