"""Training on TensorFlow, on JAX and by MLPClassifier, measured in turn in one run.

    python examples/benchmarks/engines.py                  every measure
    python examples/benchmarks/engines.py epoch small_fit  some of them
    python examples/benchmarks/engines.py --list           their names

Each trainer runs in processes of its own, one measurement after the other: each round measures all
three. Prints a table of medians and ratios and writes engines.json beside this script. The full
MNIST is needed (fetched once by fetch_mnist). Read the ratios: seconds depend on the machine.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

TRAINERS = ("tensorflow", "jax", "mlp")
ROUNDS = {"first_fit": 3, "epoch": 3, "elastic_epoch": 3, "small_fit": 5, "new_architecture": 3}
ROUNDS |= {"grid": 2, "many_architectures": 1, "accuracy": 1, "first_fit_lines": 1}


def classifier(trainer: str, widths: tuple[int, ...], epochs: int, batch_size: int, **params: Any):
    """The same network with the same training in each library."""
    if trainer == "mlp":
        from sklearn.neural_network import MLPClassifier

        return MLPClassifier(widths, max_iter=epochs, batch_size=batch_size, random_state=0)
    from skdigits import DigitANNClassifier

    options = {"learning_rate_schedule": "constant", "label_smoothing": 0.0, "random_state": 0}
    return DigitANNClassifier(widths, epochs=epochs, batch_size=batch_size, **options | params)


def small_digits() -> tuple[np.ndarray, np.ndarray]:
    from sklearn.datasets import load_digits

    X, y = load_digits(return_X_y=True)
    return (X / 16).astype(np.float32)[:1200], y[:1200]


def mnist(subset: str = "train") -> tuple[np.ndarray, np.ndarray]:
    from skdigits.datasets import fetch_mnist

    X, y = fetch_mnist(subset=subset, return_X_y=True)
    return (X / 255).astype(np.float32), y


def seconds(action: Callable[[], object]) -> float:
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def first_fit(trainer: str) -> float:
    """Seconds from the first import to the end of a fit of 1,200 × 64 in 10 epochs."""
    return seconds(lambda: classifier(trainer, (128, 64), 10, 32).fit(*small_digits()))


def epoch(trainer: str, **params: Any) -> float:
    """Seconds of an epoch of 784-128-64-10 on 60,000 rows, compiling and copying left out."""
    X, y = mnist()
    fit = {n: classifier(trainer, (128, 64), n, 128, **params) for n in (1, 4)}
    fit[1].fit(X, y)
    return (seconds(lambda: fit[4].fit(X, y)) - seconds(lambda: fit[1].fit(X, y))) / 3


def elastic_epoch(trainer: str) -> float | None:
    """The same with elastic deformation."""
    return None if trainer == "mlp" else epoch(trainer, augmentation="elastic")


def small_fit(trainer: str) -> float:
    """Seconds of the second and later fits of 1,200 × 64, median of 10."""
    X, y = small_digits()
    fits = [seconds(lambda: classifier(trainer, (128, 64), 10, 32).fit(X, y)) for _ in range(11)]
    return median(fits[1:])


def new_architecture(trainer: str) -> float:
    """Seconds of a fit of an architecture that is not compiled yet, median of 5."""
    X, y = small_digits()
    fits = [seconds(lambda w=w: classifier(trainer, (w,), 10, 32).fit(X, y)) for w in range(40, 46)]
    return median(fits[1:])


def grid(trainer: str) -> list[float]:
    """Seconds of a search of 3 architectures × 4 rates × 5 folds, cold and again."""
    from sklearn.model_selection import GridSearchCV

    X, y = small_digits()
    rate = "learning_rate_init" if trainer == "mlp" else "learning_rate"
    grid = {"hidden_layer_sizes": [(64,), (128,), (128, 64)], rate: [3e-4, 1e-3, 3e-3, 1e-2]}
    search = GridSearchCV(classifier(trainer, (64,), 10, 32), grid, cv=5)
    return [seconds(lambda: search.fit(X, y)) for _ in range(2)]


def many_architectures(trainer: str) -> list[float] | None:
    """Architectures trained in one process, at most 1,000, and its memory in GB."""
    if trainer == "mlp":
        return None
    import psutil

    X, y = small_digits()
    done = 0
    try:
        for done in range(1000):
            classifier(trainer, (8 + done % 250, 8 + done // 250), 1, 128).fit(X, y)
        done = 1000
    except RuntimeError:
        pass
    return [done, psutil.Process().memory_info().rss / 1e9]


def accuracy(trainer: str) -> list[float] | None:
    """Test accuracy in per cent of the default parameters with three seeds."""
    if trainer == "mlp":
        return None
    from skdigits import DigitANNClassifier

    (X, y), (X_test, y_test) = mnist(), mnist("test")
    models = (DigitANNClassifier(random_state=seed) for seed in range(3))
    return [100 * model.fit(X, y).score(X_test, y_test) for model in models]


def first_fit_lines(trainer: str) -> None:
    """Lines that the first fit writes to standard error; counted by the caller."""
    first_fit(trainer)


MEASURES = {
    function.__name__: function
    for function in (
        first_fit,
        epoch,
        elastic_epoch,
        small_fit,
        new_architecture,
        grid,
        many_architectures,
        accuracy,
        first_fit_lines,
    )
}


def measured(measure: str, trainer: str) -> Any:
    """A measurement in a new process."""
    environment = {n: v for n, v in os.environ.items() if n != "TF_CPP_MIN_LOG_LEVEL"}
    if trainer != "mlp":
        environment["KERAS_BACKEND"] = trainer
    command = [sys.executable, __file__, "--one", measure, trainer]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr)
    if measure == "first_fit_lines":
        return len(done.stderr.splitlines())
    return json.loads(done.stdout.splitlines()[-1])


def table(results: dict[str, dict[str, list[Any]]]) -> str:
    """Medians, and ratios to MLPClassifier where it was measured."""
    lines = [f"{'measure':20}" + "".join(f"{trainer:>24}" for trainer in TRAINERS)]
    for measure, by_trainer in results.items():
        line = f"{measure:20}"
        for trainer in TRAINERS:
            values = [np.atleast_1d(v) for v in by_trainer.get(trainer, []) if v is not None]
            middle = np.median(values, axis=0) if values else []
            line += f"{', '.join(f'{v:.3f}' for v in middle):>24}"
        lines.append(line)
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("measures", nargs="*", metavar="measure")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--one", nargs=2, metavar=("measure", "trainer"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.list:
        print("\n".join(MEASURES))
        return
    if options.one:
        warnings.simplefilter("ignore")
        measure, trainer = options.one
        print(json.dumps(MEASURES[measure](trainer)))
        return
    path = Path(__file__).with_name("engines.json")
    results = json.loads(path.read_text()) if path.exists() else {}
    for measure in options.measures or MEASURES:
        results[measure] = {trainer: [] for trainer in TRAINERS}
        for _ in range(ROUNDS[measure]):
            for trainer in TRAINERS:
                results[measure][trainer].append(measured(measure, trainer))
        path.write_text(json.dumps(results, indent=1) + "\n")
        print(table({measure: results[measure]}), flush=True)
    print(table(results))


if __name__ == "__main__":
    main()
