"""scikit-learn's checks of ours and of its peers, in the same run.

    python examples/benchmarks/conformance.py

Prints how many of check_estimator's checks each passes, fails and skips, then what failed, and
writes conformance.json beside this script. Takes some minutes: the peers train slowly.
"""

from __future__ import annotations

import argparse
import warnings
from collections import Counter
from collections.abc import Callable
from typing import Any

from _results import Results, print_table, versions
from sklearn.utils.estimator_checks import check_estimator


def keras_network(meta: dict[str, Any]) -> Any:
    import keras

    return keras.Sequential(
        [
            keras.Input((meta["n_features_in_"],)),
            keras.layers.Dense(100, activation="relu"),
            keras.layers.Dense(meta["n_classes_"], activation="softmax"),
        ]
    )


def wrapped_network(X: Any, y: Any) -> Any:
    import keras

    model = keras_network({"n_features_in_": X.shape[1], "n_classes_": y.shape[1]})
    model.compile("adam", keras.losses.CategoricalCrossentropy())
    return model


def scikeras() -> Any:
    from scikeras.wrappers import KerasClassifier

    return KerasClassifier(
        keras_network,
        loss="sparse_categorical_crossentropy",
        optimizer="adam",
        epochs=50,
        verbose=0,
    )


def keras_wrapper() -> Any:
    from keras.wrappers import SKLearnClassifier

    return SKLearnClassifier(wrapped_network, fit_kwargs={"epochs": 50, "verbose": 0})


def mlp(**params: Any) -> Any:
    from sklearn.neural_network import MLPClassifier

    return MLPClassifier(**params)


def ours(*args: Any, **params: Any) -> Any:
    from skdigits import DigitANNClassifier

    return DigitANNClassifier(*args, **params)


def pixel_scaler() -> Any:
    from skdigits import PixelScaler

    return PixelScaler()


ESTIMATORS: dict[str, Callable[[], Any]] = {
    "DigitANNClassifier()": ours,
    "DigitANNClassifier(())": lambda: ours(()),
    "DigitANNClassifier(early_stopping=True)": lambda: ours(early_stopping=True),
    "DigitANNClassifier(warm_start=True)": lambda: ours(warm_start=True),
    "DigitANNClassifier(dropout=0.2)": lambda: ours(dropout=0.2),
    "DigitANNClassifier(batch_norm=True)": lambda: ours(batch_norm=True),
    "PixelScaler()": pixel_scaler,
    "MLPClassifier()": mlp,
    "MLPClassifier(early_stopping=True)": lambda: mlp(early_stopping=True),
    "MLPClassifier(warm_start=True)": lambda: mlp(warm_start=True),
    "SciKeras KerasClassifier": scikeras,
    "keras.wrappers.SKLearnClassifier": keras_wrapper,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", choices=[*ESTIMATORS, []], default=[], metavar="NAME")
    parser.add_argument("--table", action="store_true", help="only print the stored results")
    arguments = parser.parse_args()
    results = Results("conformance.json")
    for name in [] if arguments.table else arguments.names or ESTIMATORS:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = check_estimator(ESTIMATORS[name](), on_fail=None, on_skip=None)
        n = Counter(result["status"] for result in found)
        failures = sorted({r["check_name"] for r in found if r["status"] == "failed"})
        counts = {status: n[status] for status in ("passed", "failed", "skipped")}
        results.replace({"estimator": name}, versions() | counts | {"failures": failures})
    table(results)


def table(results: Results) -> None:
    """Numbers of checks per estimator, then the names of the failed ones."""
    found = {row["estimator"]: row for row in results.rows}
    known = [(name, found[name]) for name in ESTIMATORS if name in found]
    columns = ("passed", "failed", "skipped")
    rows = [[name, *(str(row[column]) for column in columns)] for name, row in known]
    print_table(["estimator", *columns], rows, "conformance")
    for name, row in known:
        if row["failures"]:
            print(f"\n{name} fails:\n  " + "\n  ".join(row["failures"]))


if __name__ == "__main__":
    main()
