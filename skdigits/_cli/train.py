"""``skdigits train``."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from rich.console import Console
from rich.table import Table
from sklearn.metrics import confusion_matrix
from sklearn.pipeline import Pipeline

from skdigits import PixelScaler
from skdigits._text import printable
from skdigits.displays import TrainingCurveDisplay

from .console import (
    digit_picture,
    percent,
    probability_bars,
    progress_console,
    result_console,
    table,
    write_picture,
)
from .data import Digits, held_back, load_training_and_test
from .errors import as_command_error
from .models import save_model
from .parameters import check_parameters, make_classifier
from .paths import check_outputs, with_ending
from .progress import EpochBar

if TYPE_CHECKING:
    from skdigits import DigitANNClassifier

VALIDATION_SHARE = 0.1


def train(
    data: str,
    label_column: str | None,
    preset: str,
    settings: list[str],
    output: Path,
    seed: int,
) -> None:
    """Train, save and report."""
    curves = with_ending(output, "-curves.png")
    check_outputs(output, curves, inputs=[data])
    classifier = make_classifier(preset, settings, seed)
    training, test, origin = load_training_and_test(data, seed, label_column)
    check_parameters(classifier, training.X, training.y)
    console = result_console()
    console.print(f"Data: {printable(origin)}")
    model, seconds = _fitted(classifier, training, data, seed, console)
    # Before the report, which fails where standard output is closed or full.
    save_model(model, output)
    _print_training(classifier, seconds, console)
    print_test(model, test, console)
    _print_example(model, test, seed, console)
    console.print(f"Pipeline saved: {printable(output)}")
    write_picture(
        curves,
        (10.4, 4.0),
        lambda figure: TrainingCurveDisplay.from_estimator(model, ax=figure.subplots(1, 2)),
        console,
    )
    print_next(output, data, console)


def print_next(output: Path, data: str, console: Console) -> None:
    """Print commands that use the saved model."""
    name, onnx = (shlex.quote(printable(path)) for path in (output, output.with_suffix(".onnx")))
    tested = f" --data {data}" if data in ("mnist", "fashion") else ""
    console.print(
        "\nNext:\n"
        f"  skdigits evaluate {name}{tested}\n"
        f"  skdigits predict photo.jpg --model {name}\n"
        f"  skdigits export {name} {onnx}"
    )


def _fitted(
    classifier: DigitANNClassifier, training: Digits, origin: str, seed: int, console: Console
) -> tuple[Pipeline, float]:
    """Return a fitted pipeline and the seconds of its training.

    Some training digits are held back for validation.
    """
    validation: dict[str, Any] = {}
    scaler = PixelScaler().fit(training.X)
    n_rows = len(training.y)
    if classifier.early_stopping is True:
        held = f"{100 * classifier.validation_fraction:.0f} % held back for early stopping"
    else:
        training, held_out = held_back(training, VALIDATION_SHARE, seed, origin)
        validation = {"X_val": scaler.transform(held_out.X), "y_val": held_out.y}
        held = f"{len(held_out.y):,} held back for validation"
    console.print(f"Training: {n_rows:,} digits, {held}")
    bar = EpochBar(progress_console())
    classifier.set_callbacks(bar)
    with as_command_error(ValueError):
        classifier.fit(scaler.transform(training.X), training.y, **validation)
    # The file must not contain the progress bar.
    classifier.set_callbacks()
    return Pipeline([("scaler", scaler), ("ann", classifier)]), bar.seconds


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


def print_test(model: Pipeline, test: Digits, console: Console) -> None:
    """Print the accuracy, in total and by digit."""
    predicted = model.predict(test.X)
    labels = np.union1d(model.classes_, test.y)
    counts = confusion_matrix(test.y, predicted, labels=labels)
    right = int(counts.trace())
    by_digit = table("Digit", "Tested", "Right", "Accuracy", "Most often taken for")
    for i, label in enumerate(labels):
        n, hits = int(counts[i].sum()), int(counts[i, i])
        others = np.where(np.arange(len(labels)) == i, 0, counts[i])
        most = others.argmax()
        taken_for = f"{printable(labels[most])} ({others[most]})" if others[most] else ""
        by_digit.add_row(
            printable(label), f"{n:,}", f"{hits:,}", percent(hits / n) if n else "", taken_for
        )
    console.print(f"\nTest accuracy: {percent(right / len(test.y))} ({right:,} of {len(test.y):,})")
    console.print(by_digit)


def _print_example(model: Pipeline, test: Digits, seed: int, console: Console) -> None:
    """Print one test digit with its probabilities."""
    row = int(np.random.default_rng(seed).integers(len(test.y)))
    pixels = test.X[row : row + 1]
    probabilities = model.predict_proba(pixels)[0]
    label = model.classes_[probabilities.argmax()]
    console.print(
        f"\nAn example: test digit {row} is a {printable(test.y[row])}, "
        f"predicted: {printable(label)} ({percent(probabilities.max())})"
    )
    grid = Table.grid(padding=(0, 3))
    grid.add_row(
        digit_picture(pixels.reshape(28, 28), console),
        probability_bars(model.classes_, probabilities, console),
    )
    console.print(grid)
