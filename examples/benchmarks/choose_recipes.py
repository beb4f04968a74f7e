"""Which training is best for each budget of time: validation accuracy, never the test set.

    python examples/benchmarks/choose_recipes.py                 every candidate
    python examples/benchmarks/choose_recipes.py fast --seeds 2  the candidates for one budget

Each candidate is trained on 50,000 rows of MNIST's training set and scored on the other 10,000.
Besides accuracy it prints the expected calibration error as it comes, and the factor for the
logits that would have been best on those rows. Results are appended to recipes.json beside this
script; what is there isn't run again.
"""

from __future__ import annotations

import argparse
import time
from typing import Any

import numpy as np
from _results import Results, versions
from scipy.special import softmax
from sklearn.model_selection import train_test_split

from skdigits import Augmentation, DigitANNClassifier, PixelScaler
from skdigits._calibration import expected_calibration_error
from skdigits.datasets import fetch_mnist
from skdigits.presets import RECIPES

SMALL: dict[str, Any] = {"hidden_layer_sizes": (128, 64)}
HALF = Augmentation(rotation=7.5, scale=0.075, shear=0.1, shift=0.0275, elastic=0.03)
AVERAGED: dict[str, Any] = {"weight_averaging": True}

CANDIDATES: dict[str, list[dict[str, Any]]] = {
    "default": [
        {"label_smoothing": smoothing, "learning_rate": rate}
        for smoothing in (0.0, 0.03, 0.1)
        for rate in (0.001, 0.002)
    ]
    + [{"epochs": 25}, AVERAGED],
    "small": [
        SMALL | {"epochs": 14, "learning_rate": rate, "label_smoothing": smoothing} | more
        for rate in (0.002, 0.004)
        for smoothing in (0.0, 0.05, 0.1)
        for more in ({}, AVERAGED)
    ],
    "small-deformed": [
        SMALL
        | {"epochs": 80, "learning_rate": 0.004, "label_smoothing": smoothing}
        | {"augmentation": augmentation}
        | more
        for smoothing in (0.0, 0.05)
        for augmentation in (HALF, "elastic")
        for more in ({}, AVERAGED)
    ],
    "fast": [
        {"epochs": epochs, "batch_size": batch, "learning_rate": rate}
        | {"augmentation": augmentation, "label_smoothing": smoothing}
        for smoothing in (0.0, 0.05)
        for epochs, batch, rate in ((14, 128, 0.002), (18, 256, 0.003))
        for augmentation in (HALF, "elastic")
    ],
    "accurate": [dict(RECIPES["accurate"].params)],
}


def best_factor(logits: np.ndarray, y: np.ndarray) -> float:
    """By which the logits would have to be multiplied for the least cross-entropy."""
    factors = np.geomspace(0.25, 4, 81)
    rows = np.arange(len(y))
    losses = [-np.log(softmax(f * logits, axis=1)[rows, y]).mean() for f in factors]
    return float(factors[int(np.argmin(losses))])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", choices=[*CANDIDATES, []], default=[], metavar="NAME")
    parser.add_argument("--seeds", type=int, default=1)
    arguments = parser.parse_args()
    results = Results("recipes.json")
    X, y = fetch_mnist(subset="train", return_X_y=True)
    y = y.astype(int)
    X_train, X_val, y_train, y_val = train_test_split(
        PixelScaler().fit_transform(X), y, test_size=10_000, random_state=0, stratify=y
    )
    for name in arguments.names or CANDIDATES:
        for params in CANDIDATES[name]:
            for seed in range(arguments.seeds):
                settings = {"budget": name, "params": repr(params), "seed": seed}
                if results.has(settings):
                    continue
                model = DigitANNClassifier(**params, random_state=seed)
                start = time.perf_counter()
                model.fit(X_train, y_train)
                seconds = time.perf_counter() - start
                predicted, probabilities = model.predict(X_val), model.predict_proba(X_val)
                figures = {
                    "accuracy": float((predicted == y_val).mean()),
                    "seconds": seconds,
                    "ece": expected_calibration_error(y_val, predicted, probabilities),
                    "best_factor": best_factor(model.decision_function(X_val), y_val),
                    "temperature": model.temperature_,
                }
                results.add(settings | versions(), figures)
    for row in sorted(results.rows, key=lambda row: (row["budget"], -row["accuracy"])):
        print(
            f"{row['budget']:16}{100 * row['accuracy']:7.2f} % {row['seconds']:7.1f} s   ECE "
            f"{100 * row['ece']:5.2f} %   factor {row['best_factor']:.2f}   seed {row['seed']}   "
            f"{row['params']}"
        )


if __name__ == "__main__":
    main()
