"""Which training is best for each budget of time: validation accuracy, never the test set.

    python examples/benchmarks/choose_recipes.py                 every candidate
    python examples/benchmarks/choose_recipes.py fast --seeds 2  the candidates for one budget
    python examples/benchmarks/choose_recipes.py --table         what is known so far

Each candidate is trained on 50,000 rows of MNIST's training set and scored on the other 10,000.
Besides accuracy it prints the expected calibration error as it comes, and the factor for the
logits that would have been best on those rows. Results are appended to recipes.json beside this
script; what is there isn't run again.
"""

from __future__ import annotations

import argparse
import time
from collections import defaultdict
from itertools import product
from math import nan
from statistics import mean
from typing import Any

import numpy as np
from _results import Results, versions
from scipy.special import log_softmax
from sklearn.model_selection import train_test_split

from skdigits import Augmentation, DigitANNClassifier, PixelScaler
from skdigits._temperature import expected_calibration_error
from skdigits.datasets import fetch_mnist

SMALL: dict[str, Any] = {"hidden_layer_sizes": (128, 64)}
HALF = Augmentation(rotation=7.5, scale=0.075, shear=0.1, shift=0.0275, elastic=0.03)
GENTLER = Augmentation(rotation=5, scale=0.05, shear=0.07, shift=0.018, elastic=0.02)
GENTLE = Augmentation(rotation=3, scale=0.06, shear=0.03, shift=0.04, elastic=0.0)
FAINT = Augmentation(rotation=2, scale=0.03, shear=0.02, shift=0.02, elastic=0.01)
AUGMENTATIONS = {"half": HALF, "gentler": GENTLER, "gentle": GENTLE, "faint": FAINT}
FIGURES = ("accuracy", "cpu_seconds", "ece", "best_factor", "loss")
AVERAGED: dict[str, Any] = {"weight_averaging": True}

CANDIDATES: dict[str, list[dict[str, Any]]] = {
    "default": [
        {"label_smoothing": smoothing, "learning_rate": rate}
        for smoothing in (0.0, 0.03, 0.05, 0.1)
        for rate in (0.001, 0.002)
    ]
    + [{"epochs": 25, "label_smoothing": 0.1}, AVERAGED | {"label_smoothing": 0.1}],
    "small": [
        SMALL | {"epochs": 14, "learning_rate": rate, "label_smoothing": smoothing} | more
        for rate in (0.002, 0.004)
        for smoothing in (0.0, 0.05, 0.1)
        for more in ({}, AVERAGED)
    ]
    + [
        SMALL | {"epochs": 20, "learning_rate": rate, "label_smoothing": smoothing}
        for rate in (0.002, 0.004)
        for smoothing in (0.0, 0.05)
    ],
    "small-deformed": [
        SMALL
        | {"epochs": 80, "learning_rate": 0.004, "label_smoothing": smoothing}
        | {"augmentation": augmentation}
        | more
        for smoothing in (0.0, 0.05)
        for augmentation in (HALF, "elastic")
        for more in ({}, AVERAGED)
    ]
    + [
        SMALL
        | {"epochs": 200, "learning_rate": 0.004, "label_smoothing": 0.0}
        | {"augmentation": augmentation, "batch_size": batch}
        for augmentation, batch in ((HALF, 128), (HALF, 256), (GENTLER, 128))
    ],
    "fast": [
        {"epochs": epochs, "batch_size": batch, "learning_rate": rate}
        | {"augmentation": augmentation, "label_smoothing": smoothing}
        for smoothing in (0.0, 0.05)
        for epochs, batch, rate in ((14, 128, 0.002), (18, 256, 0.003), (20, 256, 0.004))
        for augmentation in (HALF, "elastic")
    ],
    # A third of the epochs that the budget allows.
    "accurate": [
        {"hidden_layer_sizes": (1024, 1024, 512), "epochs": 40, "batch_size": 256}
        | {"optimizer": "adamw", "optimizer_params": {"weight_decay": 0.01}}
        | {"learning_rate": 0.0015, "learning_rate_schedule": "cosine", "label_smoothing": 0.05}
        | {"augmentation": "elastic", "weight_averaging": True}
        | more
        for more in (
            {},
            {"augmentation": HALF},
            {"batch_norm": True},
            {"activation": "silu"},
            {"hidden_layer_sizes": (2048, 1024, 512)},
            {"batch_norm": True, "activation": "silu"},
            {"batch_norm": True, "learning_rate": 0.003},
        )
    ],
    "fashion": [
        {"hidden_layer_sizes": (1024, 512), "epochs": 30, "batch_size": 256}
        | {"label_smoothing": 0.1, "weight_averaging": True, "dropout": dropout}
        | {"augmentation": augmentation}
        for dropout, augmentation in ((0.3, None), (0.3, GENTLE), (0.0, GENTLE), (0.3, HALF))
    ]
    + [
        {"hidden_layer_sizes": (1024, 512), "epochs": 60, "batch_size": 256}
        | {"label_smoothing": 0.1, "weight_averaging": True}
        | more
        for more in (
            {"dropout": 0.5},
            {"dropout": 0.2, "augmentation": FAINT},
            {"dropout": 0.4, "batch_norm": True},
            {"dropout": 0.3, "batch_norm": True, "augmentation": FAINT},
        )
    ],
}


def best_factor(logits: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    """By which the logits would have to be multiplied for the least cross-entropy, and that."""
    factors = np.geomspace(0.25, 4, 81)
    rows = np.arange(len(y))
    losses = [-log_softmax(f * logits, axis=1)[rows, y].mean() for f in factors]
    return float(factors[int(np.argmin(losses))]), float(min(losses))


def validation_split(data: str) -> list[np.ndarray]:
    """Training rows, validation rows and the labels of both."""
    X, y = fetch_mnist(subset="train", return_X_y=True, name=data)
    X, y = PixelScaler().fit_transform(X), y.astype(int)
    return train_test_split(X, y, test_size=10_000, random_state=0, stratify=y)


def measure(params: dict[str, Any], seed: int, split: list[np.ndarray]) -> dict[str, float]:
    """Train a candidate, and score it on the validation rows."""
    X_train, X_val, y_train, y_val = split
    model = DigitANNClassifier(**params, random_state=seed)
    start, cpu = time.perf_counter(), time.process_time()
    model.fit(X_train, y_train)
    seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
    predicted, probabilities = model.predict(X_val), model.predict_proba(X_val)
    factor, loss = best_factor(model.decision_function(X_val), y_val)
    return {
        "accuracy": float((predicted == y_val).mean()),
        "seconds": seconds,
        "cpu_seconds": cpu,
        "ece": expected_calibration_error(y_val, predicted, probabilities),
        "best_factor": factor,
        "loss": loss,
        "temperature": model.temperature_,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", choices=[*CANDIDATES, []], default=[], metavar="NAME")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--table", action="store_true")
    parser.add_argument("--only", default="", help="part of the parameters as printed")
    arguments = parser.parse_args()
    results = Results("recipes.json")
    for name in [] if arguments.table else arguments.names or CANDIDATES:
        split = None
        for params, seed in product(CANDIDATES[name], range(arguments.seeds)):
            settings = {"budget": name, "params": repr(params), "seed": seed}
            if results.has(settings) or arguments.only not in settings["params"]:
                continue
            split = split or validation_split("Fashion-MNIST" if name == "fashion" else "mnist_784")
            results.add(settings | versions(), measure(params, seed, split))
    table(results)


def table(results: Results) -> None:
    """The candidates of each budget, the best first, with what their seeds have in the mean."""
    rows = defaultdict(list)
    for row in results.rows:
        rows[row["budget"], row["params"]].append(row)
    means = {
        key: {name: mean([row.get(name, nan) for row in found]) for name in FIGURES}
        for key, found in rows.items()
    }
    print(
        f"{'budget':16}{'accuracy':>10}{'seeds':>7}{'CPU s':>7}{'ECE':>9}{'factor':>8}{'loss':>9}"
    )
    for key in sorted(means, key=lambda key: (key[0], -means[key]["accuracy"])):
        accuracy, cpu, ece, factor, loss = means[key].values()
        line = (
            f"{key[0]:16}{100 * accuracy:8.2f} %{len(rows[key]):7}{cpu:7.0f}{100 * ece:7.2f} %"
            f"{factor:8.2f}{loss:9.4f}   {brief(key[1])}"
        )
        print(line.replace("nan", "  –"))


def brief(params: str) -> str:
    """Parameters in few words."""
    for name, augmentation in AUGMENTATIONS.items():
        params = params.replace(repr(augmentation), name)
    return params.strip("{}").replace("': ", "=").replace("'", "")


if __name__ == "__main__":
    main()
