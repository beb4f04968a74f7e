"""``skdigits train``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from rich.console import Console
from rich.table import Table
from sklearn.metrics import confusion_matrix
from sklearn.pipeline import Pipeline

from skdigits import PixelScaler, save
from skdigits.displays import TrainingCurveDisplay

from .arguments import beside, check_outputs, check_parameters, chosen_classifier, refusing
from .data import Digits, held_back, training_and_test
from .screen import (
    EpochBar,
    digit_picture,
    percent,
    probability_bars,
    progress_console,
    result_console,
    table,
    write_picture,
)

if TYPE_CHECKING:
    from skdigits import DigitANNClassifier

VALIDATION_SHARE = 0.1


def train(data: str, preset: str, settings: list[str], output: Path, seed: int) -> None:
    """Train, report, save."""
    curves = beside(output, "-curves.png")
    check_outputs(output, curves, inputs=[data])
    classifier = chosen_classifier(preset, settings, seed)
    training, test, origin = training_and_test(data, seed)
    check_parameters(classifier, *training)
    console = result_console()
    console.print(f"Data: {origin}")
    model = _fitted(classifier, training, data, seed, console)
    _print_test(model, test, console)
    _print_example(model, test, seed, console)
    with refusing(OSError):
        save(model, output)
    console.print(f"Pipeline saved: {output}")
    write_picture(
        curves,
        (10.4, 4.0),
        lambda figure: TrainingCurveDisplay.from_estimator(model, ax=figure.subplots(1, 2)),
        console,
    )


def _fitted(
    classifier: DigitANNClassifier, training: Digits, origin: str, seed: int, console: Console
) -> Pipeline:
    """A fitted pipeline, some training digits held back to watch it by."""
    validation: dict[str, Any] = {}
    scaler = PixelScaler().fit(training.X)
    n_rows = len(training.y)
    if classifier.early_stopping is True:
        held = f"{100 * classifier.validation_fraction:.0f} % held back for early stopping"
    else:
        training, watched = held_back(training, VALIDATION_SHARE, seed, origin)
        validation = {"X_val": scaler.transform(watched.X), "y_val": watched.y}
        held = f"{len(watched.y):,} held back for validation"
    console.print(f"Training: {n_rows:,} digits, {held}")
    bar = EpochBar(progress_console())
    classifier.set_callbacks(bar)
    with refusing(ValueError):
        classifier.fit(scaler.transform(training.X), training.y, **validation)
    # A bar has no place in a file.
    classifier.set_callbacks()
    _print_training(classifier, bar.seconds, console)
    return Pipeline([("scaler", scaler), ("ann", classifier)])


def _print_training(classifier: DigitANNClassifier, seconds: float, console: Console) -> None:
    widths = [len(classifier.coefs_[0]), *(w.shape[1] for w in classifier.coefs_)]
    console.print(f"Network: {'-'.join(map(str, widths))}, {classifier.activation}")
    scores = classifier.validation_scores_
    kept = classifier.best_epoch_ if classifier.early_stopping else classifier.n_iter_
    console.print(
        f"Trained: {classifier.n_iter_} epochs in {seconds:.1f} s; weights of epoch {kept} kept, "
        f"validation accuracy {percent(scores[kept - 1])}"
    )
    best = int(np.argmax(scores)) + 1
    if not classifier.early_stopping and scores[best - 1] > scores[kept - 1]:
        console.print(
            f"(Epoch {best} had {percent(scores[best - 1])}; "
            "--set early_stopping=True keeps the best epoch.)"
        )


def _print_test(model: Pipeline, test: Digits, console: Console) -> None:
    """Accuracy on the whole and by digit."""
    predicted = model.predict(test.X)
    labels = np.union1d(model.classes_, test.y)
    counts = confusion_matrix(test.y, predicted, labels=labels)
    right = int(counts.trace())
    by_digit = table("Digit", "Tested", "Right", "Accuracy", "Most often taken for")
    for i, label in enumerate(labels):
        n, hits = int(counts[i].sum()), int(counts[i, i])
        others = np.where(np.arange(len(labels)) == i, 0, counts[i])
        most = others.argmax()
        taken_for = f"{labels[most]} ({others[most]})" if others[most] else ""
        by_digit.add_row(
            str(label), f"{n:,}", f"{hits:,}", percent(hits / n) if n else "", taken_for
        )
    console.print(f"\nTest accuracy: {percent(right / len(test.y))} ({right:,} of {len(test.y):,})")
    console.print(by_digit)


def _print_example(model: Pipeline, test: Digits, seed: int, console: Console) -> None:
    """One test digit with what the network makes of it."""
    row = int(np.random.default_rng(seed).integers(len(test.y)))
    pixels = test.X[row : row + 1]
    probabilities = model.predict_proba(pixels)[0]
    label = model.classes_[probabilities.argmax()]
    console.print(
        f"\nAn example: test digit {row} is a {test.y[row]}, "
        f"predicted: {label} ({percent(probabilities.max())})"
    )
    grid = Table.grid(padding=(0, 3))
    grid.add_row(
        digit_picture(pixels.reshape(28, 28), console),
        probability_bars(model.classes_, probabilities, console),
    )
    console.print(grid)
