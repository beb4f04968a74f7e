"""The five published networks on the full MNIST: choice of epochs, then test accuracy by seed.

Epoch counts are chosen on 10,000 rows held back from the 60,000 training rows, never on the test
set. Then each network is trained on all 60,000 and tested once per seed.

    python examples/benchmarks/references.py choose
    python examples/benchmarks/references.py test --seeds 5

Results are appended to references.json beside this script; a seed that is there isn't run again.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
from _results import Results, print_table, versions
from sklearn.model_selection import train_test_split

from skdigits import PixelScaler, make_reference_classifier
from skdigits._temperature import expected_calibration_error
from skdigits.datasets import fetch_mnist
from skdigits.presets import REFERENCES

LONGEST = 30


def training_rows():
    X, y = fetch_mnist(subset="train", return_X_y=True)
    return PixelScaler().fit_transform(X), y


def choose(seeds: int) -> None:
    """Validation accuracy by epoch, averaged over seeds; early stopping is left to itself."""
    X, y = training_rows()
    X_train, X_val, y_train, y_val = train_test_split(
        X, y, test_size=10_000, random_state=0, stratify=y
    )
    for name, preset in REFERENCES.items():
        early = bool(preset.params.get("early_stopping"))
        scores = []
        for seed in range(seeds):
            model = make_reference_classifier(name, random_state=seed)
            if early:
                model.fit(X_train, y_train)
                scores.append(model.score(X_val, y_val))
                print(f"{name} seed {seed}: stopped at {model.n_iter_}, best {model.best_epoch_}")
            else:
                model.set_params(epochs=LONGEST).fit(X_train, y_train, X_val=X_val, y_val=y_val)
                scores.append(model.validation_scores_)
        mean = 100 * np.mean(scores, axis=0)
        print(f"{name}: validation accuracy in % {np.round(mean, 2)}", flush=True)


def test(seeds: int) -> None:
    """Train on all training rows and test, once per seed."""
    results = Results("references.json")
    X, y = training_rows()
    X_test, y_test = fetch_mnist(subset="test", return_X_y=True)
    X_test = PixelScaler().fit_transform(X_test)
    make_reference_classifier("dense-128-64", epochs=1).fit(X[:1000], y[:1000])
    for name in REFERENCES:
        for seed in range(seeds):
            model = make_reference_classifier(name, random_state=seed)
            settings = {"preset": name, "seed": seed, "params": repr(model)}
            if results.has(settings):
                continue
            start = time.perf_counter()
            model.fit(X, y)
            seconds = time.perf_counter() - start
            predicted, probabilities = model.predict(X_test), model.predict_proba(X_test)
            figures = {
                "accuracy": float((predicted == y_test).mean()),
                "ece": expected_calibration_error(y_test, predicted, probabilities),
                "seconds": seconds,
            }
            results.add(settings | versions() | {"epochs": model.n_iter_}, figures)
    table(results, seeds)


def table(results: Results, seeds: int) -> None:
    """Mean and standard deviation per network, next to the published accuracy."""
    rows = []
    for name, preset in REFERENCES.items():
        found = [r for r in results.rows if r["preset"] == name and r["params"] == current(name, r)]
        accuracy = 100 * np.array([row["accuracy"] for row in found])
        seconds = np.array([row["seconds"] for row in found])
        ece = 100 * np.mean([row.get("ece", np.nan) for row in found])
        published = preset.published_accuracy
        rows.append(
            [
                name,
                f"{accuracy.mean():.2f} ± {accuracy.std(ddof=1):.2f}",
                f"{100 * published:.2f}" if published else "–",
                f"{ece:.2f}",
                f"{seconds.mean():.1f} ± {seconds.std(ddof=1):.1f}",
                f"{len(found)}" if len(found) >= seeds else f"{len(found)} of {seeds}",
            ]
        )
    header = ["preset", "test accuracy in %", "published", "ECE in %", "fit in s", "seeds"]
    print_table(header, rows, "references")


def current(name: str, row: dict) -> str:
    return repr(make_reference_classifier(name, random_state=row["seed"]))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=["choose", "test", "table"])
    parser.add_argument("--seeds", type=int, default=5)
    arguments = parser.parse_args()
    if arguments.what == "table":
        table(Results("references.json"), arguments.seeds)
    else:
        {"choose": choose, "test": test}[arguments.what](arguments.seeds)
