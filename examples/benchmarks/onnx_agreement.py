"""How far onnxruntime's predictions are from ours, for every activation.

    pip install 'skdigits[onnx]'
    python examples/benchmarks/onnx_agreement.py

Fits a network of each activation with and without batch normalisation, in float32 after
PixelScaler and in float64 after StandardScaler, converts it and prints the largest
difference of a probability and the share of equal labels on MNIST's test set, or without
SCIKIT_LEARN_DATA on the sample's. Takes about three minutes.
"""

from __future__ import annotations

import os
import sys
from importlib.metadata import version
from typing import Any

import numpy as np
import onnxruntime
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skdigits import DigitANNClassifier, PixelScaler
from skdigits._activations import ACTIVATIONS
from skdigits.datasets import fetch_mnist, load_mnist_sample
from skdigits.onnx import to_onnx

PACKAGES = ("skdigits", "scikit-learn", "numpy", "skl2onnx", "onnx", "onnxruntime")
SYNONYMS = ("swish", "logistic", "identity")


def test_digits() -> tuple[Any, str]:
    """Rows to predict, and what they are."""
    if os.environ.get("SCIKIT_LEARN_DATA"):
        return fetch_mnist(subset="test").data, "MNIST's test set"
    return load_mnist_sample("test").data, "the sample's test digits"


def main() -> None:
    X_train, y_train = load_mnist_sample("train", return_X_y=True)
    X, name = test_digits()
    print(f"Python {sys.version.split()[0]},", ", ".join(f"{p} {version(p)}" for p in PACKAGES))
    print(f"{len(X):,} rows: {name}; networks of 128-64 trained for 3 epochs on 5,000 digits\n")
    print(f"{'activation':12}{'batch norm':>12}{'dtype':>10}{'difference':>12}{'equal labels':>15}")
    worst: dict[str, float] = {}
    for activation in sorted(set(ACTIVATIONS) - {*SYNONYMS}):
        for batch_norm in (False, True):
            for scaler in (PixelScaler(), StandardScaler()):
                network = DigitANNClassifier(
                    (128, 64), activation, batch_norm=batch_norm, epochs=3, random_state=0
                )
                model = make_pipeline(scaler, network).fit(X_train, y_train)
                content = to_onnx(model).SerializeToString()
                session = onnxruntime.InferenceSession(content)
                dtype = network._network.dtype
                given = {"X": X.astype(dtype)}
                labels, probabilities = session.run(None, given)
                difference = float(np.abs(probabilities - model.predict_proba(X)).max())
                worst[str(dtype)] = max(difference, worst.get(str(dtype), 0.0))
                equal = float((labels == model.predict(X)).mean())
                print(
                    f"{activation:12}{'yes' if batch_norm else 'no':>12}{dtype!s:>10}"
                    f"{difference:12.1e}{100 * equal:13.2f} %",
                    flush=True,
                )
    told = ", ".join(f"{difference:.1e} in {dtype}" for dtype, difference in worst.items())
    print(f"\nLargest difference: {told}")


if __name__ == "__main__":
    main()
