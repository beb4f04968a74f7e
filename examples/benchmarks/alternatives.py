"""Accuracy, fit time and prediction time of other classifiers next to skdigits, on MNIST.

    python examples/benchmarks/alternatives.py
    python examples/benchmarks/alternatives.py --models "skdigits default" KNeighbors
    python examples/benchmarks/alternatives.py --rows 2000
    python examples/benchmarks/alternatives.py --table

Each model is fitted on the 60,000 training images and predicts the 10,000 test images on the same
machine, with pixels from 0 to 1 as float32. Parameters are defaults or common choices from the
literature for MNIST, given in `MODELS`; none was chosen on the test set. Fit time includes
compilation but not imports. Prediction time is the shortest of up to three predictions. XGBoost and
LightGBM run where they are installed.

Results are appended to alternatives.json next to this script, and a model that is there is skipped;
a run that was interrupted can be repeated. `--rows` uses that number of training rows, for a trial.
The last step prints the table and saves the figure. ``--models`` selects models, for example to
leave out the preset "record", which trains for about 45 minutes.
"""

from __future__ import annotations

import argparse
import os
import time
import warnings
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
from _results import Results, print_table, versions
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.ensemble import ExtraTreesClassifier, HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.svm import SVC

from skdigits import DigitANNClassifier, PixelScaler, make_reference_classifier
from skdigits.datasets import fetch_mnist

FIGURE = Path(__file__).parents[2] / "docs" / "images" / "alternatives.png"
N_TRAIN = 60_000
OURS = {"marker": "s", "color": "#D55E00"}
OTHERS = {"marker": "o", "color": "#0072B2"}


class KerasCNN(ClassifierMixin, BaseEstimator):
    """Two convolutional layers and a dense one, as in the MNIST example of Keras' documentation."""

    def __init__(self, epochs: int = 15, batch_size: int = 128, random_state: int = 0) -> None:
        self.epochs = epochs
        self.batch_size = batch_size
        self.random_state = random_state

    def fit(self, X: np.ndarray, y: np.ndarray) -> KerasCNN:
        import keras

        keras.utils.set_random_seed(self.random_state)
        self.classes_, codes = np.unique(y, return_inverse=True)
        layers = keras.layers
        self.model_ = keras.Sequential(
            [
                keras.Input((28, 28, 1)),
                layers.Conv2D(32, 3, activation="relu"),
                layers.MaxPooling2D(),
                layers.Conv2D(64, 3, activation="relu"),
                layers.MaxPooling2D(),
                layers.Flatten(),
                layers.Dropout(0.5),
                layers.Dense(len(self.classes_), activation="softmax"),
            ]
        )
        self.model_.compile("adam", "sparse_categorical_crossentropy")
        images = X.reshape(-1, 28, 28, 1)
        self.model_.fit(images, codes, batch_size=self.batch_size, epochs=self.epochs, verbose=0)
        return self

    def predict(self, X: np.ndarray) -> np.ndarray:
        probabilities = self.model_.predict(X.reshape(-1, 28, 28, 1), batch_size=1000, verbose=0)
        return self.classes_[probabilities.argmax(axis=1)]


class CodedLabels(ClassifierMixin, BaseEstimator):
    """A classifier that needs the labels 0 to 9, such as XGBoost's."""

    def __init__(self, estimator: Any) -> None:
        self.estimator = estimator

    def fit(self, X: np.ndarray, y: np.ndarray) -> CodedLabels:
        self.classes_, codes = np.unique(y, return_inverse=True)
        self.estimator.fit(X, codes)
        return self

    def predict(self, X: np.ndarray) -> np.ndarray:
        return self.classes_[self.estimator.predict(X)]


def xgboost() -> Any:
    from xgboost import XGBClassifier

    return CodedLabels(XGBClassifier(n_estimators=300, tree_method="hist", random_state=0))


def lightgbm() -> Any:
    from lightgbm import LGBMClassifier

    return CodedLabels(LGBMClassifier(n_estimators=300, random_state=0, verbose=-1))


def preset(name: str) -> Callable[[], Any]:
    return lambda: make_reference_classifier(name, random_state=0)


MODELS: dict[str, Callable[[], Any]] = {
    "LogisticRegression": lambda: LogisticRegression(C=0.1, max_iter=200),
    "KNeighbors": lambda: KNeighborsClassifier(3),
    "SVC, RBF kernel": lambda: SVC(C=10.0, gamma="scale"),
    "ExtraTrees": lambda: ExtraTreesClassifier(500, n_jobs=-1, random_state=0),
    "HistGradientBoosting": lambda: HistGradientBoostingClassifier(
        max_iter=300, early_stopping=False, random_state=0
    ),
    "XGBoost": xgboost,
    "LightGBM": lightgbm,
    "MLPClassifier": lambda: MLPClassifier((128, 64), max_iter=20, batch_size=128, random_state=0),
    "Keras CNN": KerasCNN,
    "skdigits default": lambda: DigitANNClassifier(random_state=0),
    "skdigits dense-128-64": preset("dense-128-64"),
    "skdigits fast": preset("fast"),
    "skdigits accurate": preset("accurate"),
    "skdigits record": preset("record"),
}
PACKAGES = {"XGBoost": "xgboost", "LightGBM": "lightgbm"}


def warm_up(X: np.ndarray, y: np.ndarray) -> None:
    """Import Keras and TensorFlow, and start their threads."""
    DigitANNClassifier((8,), epochs=1).fit(X[:500], y[:500])
    KerasCNN(epochs=1).fit(X[:500], y[:500])


def measure(results: Results, names: list[str], n_rows: int) -> None:
    """Fit the models that have no result yet."""
    scaler = PixelScaler()
    X, y = fetch_mnist(subset="train", return_X_y=True)
    X_test, y_test = fetch_mnist(subset="test", return_X_y=True)
    X, y = scaler.fit_transform(X[:n_rows]), y[:n_rows]
    X_test = scaler.transform(X_test)
    warm_up(X, y)
    for name in names:
        package = PACKAGES.get(name)
        if package and find_spec(package) is None:
            print(f"{name}: skipped, {package} is not installed")
            continue
        model = MODELS[name]()
        settings = {"model": name, "rows": n_rows, "parameters": " ".join(repr(model).split())}
        if results.has(settings):
            continue
        start = time.perf_counter()
        model.fit(X, y)
        fit_seconds = time.perf_counter() - start
        predict_seconds = []
        while len(predict_seconds) < 3 and sum(predict_seconds) < 20:
            start = time.perf_counter()
            predicted = model.predict(X_test)
            predict_seconds.append(time.perf_counter() - start)
        figures = {
            "accuracy": float(np.mean(predicted == y_test)),
            "fit_seconds": fit_seconds,
            "predict_seconds": min(predict_seconds),
        }
        results.add(settings | versions(), figures)


def latest(results: Results, n_rows: int) -> list[dict[str, Any]]:
    """The last result of each model, in the order of `MODELS`."""
    rows = {row["model"]: row for row in results.rows if row["rows"] == n_rows}
    return [rows[name] for name in MODELS if name in rows]


def table(rows: list[dict[str, Any]], name: str = "") -> None:
    header = ["model", "test accuracy %", "fit s", "predict 10,000 rows s"]
    cells = [
        [
            row["model"],
            f"{100 * row['accuracy']:.2f}",
            f"{row['fit_seconds']:.3g}",
            f"{row['predict_seconds']:.2g}",
        ]
        for row in rows
    ]
    print_table(header, cells, name)


def plot(rows: list[dict[str, Any]], path: Path) -> None:
    """Test error against fit time and against prediction time, on logarithmic axes."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 2, figsize=(11, 4.8), sharey=True, layout="constrained")
    columns = {"fit_seconds": "Fit time in s", "predict_seconds": "Prediction of 10,000 rows in s"}
    for ax, (column, label) in zip(axes, columns.items(), strict=True):
        middle = np.sqrt(max(row[column] for row in rows) * min(row[column] for row in rows))
        for row in rows:
            ours, is_left = row["model"].startswith("skdigits"), row[column] < middle
            color = OURS["color"] if ours else "black"
            place = row[column], 100 * row["accuracy"]
            ax.plot(*place, ls="", **(OURS if ours else OTHERS))
            ax.annotate(
                row["model"].removeprefix("skdigits "),
                place,
                (6 if is_left else -6, 2 if ours else -2),
                textcoords="offset points",
                ha="left" if is_left else "right",
                va="bottom" if ours else "top",
                size=8,
                color=color,
            )
        ax.set(xscale="log", xlabel=label)
        ax.margins(x=0.1, y=0.1)
        ax.grid(alpha=0.3)
    # Equal distances for equal ratios of errors: 99 % and 99.9 % are far apart.
    axes[0].set_yscale(
        "function",
        functions=(lambda a: -np.log10(100.05 - a), lambda v: 100.05 - 10.0**-v),
    )
    low = min(100 * row["accuracy"] for row in rows)
    ticks = [t for t in (50, 70, 80, 85, 90, 92, 94, 96, 97, 98, 99, 99.5, 99.7) if t > low - 1]
    axes[0].set_yticks(ticks, [f"{tick:g} %" for tick in ticks])
    axes[0].set_ylabel("Test accuracy")
    for style, label in ((OURS, "skdigits"), (OTHERS, "others")):
        axes[1].plot([], [], ls="", label=label, **style)
    figure.legend(loc="outside upper right", ncols=2, frameon=False)
    figure.savefig(path, dpi=120)


def main() -> None:
    warnings.simplefilter("ignore")
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", nargs="+", choices=MODELS, default=list(MODELS))
    parser.add_argument("--rows", type=int, default=N_TRAIN, help="number of training rows")
    parser.add_argument("--table", action="store_true", help="show stored results only")
    parser.add_argument("--figure", type=Path, help="file of the figure")
    arguments = parser.parse_args()
    results = Results("alternatives.json")
    if not arguments.table:
        measure(results, arguments.models, arguments.rows)
    rows = latest(results, arguments.rows)
    if not rows:
        parser.error(f"no results for {arguments.rows} rows in {results.path.name}")
    whole = arguments.rows == N_TRAIN
    table(rows, "alternatives" if whole else "")
    if arguments.figure or whole:
        plot(rows, arguments.figure or FIGURE)


if __name__ == "__main__":
    main()
