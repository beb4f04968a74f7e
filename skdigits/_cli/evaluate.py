"""``skdigits evaluate``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

from skdigits import load
from skdigits._temperature import N_BINS, expected_calibration_error
from skdigits.displays import DigitGridDisplay

from .arguments import Refusal, beside, check_outputs, existing_file, refusing
from .data import N_PIXELS, Digits, test_only
from .screen import percent, result_console, table, write_picture

Array = np.ndarray[Any, Any]

N_MISTAKES = 40


def evaluate(model_path: Path, data: str, output: Path | None) -> None:
    """Predict test digits, report."""
    model = loaded(model_path)
    output = output or beside(model_path, "-mistakes.png")
    check_outputs(output, inputs=[model_path, data])
    test, origin = test_only(data)
    # Those of the data are strings, whatever the model was trained on.
    classes = model.classes_.astype(str).astype(object)
    unknown = sorted(set(test.y) - set(classes))
    if unknown:
        raise Refusal(
            f"Got {data} with the labels {', '.join(unknown)}, expected only those that "
            f"{model_path} knows: {', '.join(classes)}."
        )
    console = result_console()
    console.print(f"Data: {origin}, {len(test.y):,} digits")
    with refusing(ValueError):
        probabilities = model.predict_proba(test.X)
    predicted = classes[probabilities.argmax(axis=1)]
    _print_accuracy(test.y, predicted, probabilities, console)
    _print_confusion(test.y, predicted, classes, console)
    _print_by_digit(test.y, predicted, classes, console)
    _save_mistakes(test, predicted, probabilities, output, console)


def loaded(path: Path) -> Any:
    """A classifier of digits from a file."""
    existing_file("MODEL", path)
    with refusing(OSError, ValueError):
        model = load(path)
    if not hasattr(model, "predict_proba"):
        raise Refusal(f"Got a {type(model).__name__} in {path}, expected a classifier.")
    if model.n_features_in_ != N_PIXELS:
        raise Refusal(
            f"Got a classifier of {model.n_features_in_} features in {path}, expected one of the "
            f"{N_PIXELS} pixels of 28 × 28."
        )
    return model


def _print_accuracy(y: Array, predicted: Array, probabilities: Array, console: Console) -> None:
    right = int((y == predicted).sum())
    accuracy = right / len(y)
    error = np.sqrt(accuracy * (1 - accuracy) / len(y))
    console.print(
        f"Accuracy: {percent(accuracy)} ({right:,} of {len(y):,}; standard error {percent(error)})"
    )
    console.print(
        "Expected calibration error: "
        f"{percent(expected_calibration_error(y, predicted, probabilities))} ({N_BINS} bins)\n"
    )


def _print_confusion(y: Array, predicted: Array, classes: Array, console: Console) -> None:
    counts = confusion_matrix(y, predicted, labels=classes)
    matrix = table("", *classes, title="Confusion matrix: true in rows, predicted above")
    for i, label in enumerate(classes):
        cells = [str(n) if n else "." for n in counts[i]]
        matrix.add_row(label, *cells)
    console.print(matrix)


def _print_by_digit(y: Array, predicted: Array, classes: Array, console: Console) -> None:
    figures = precision_recall_fscore_support(y, predicted, labels=classes, zero_division=0)
    by_digit = table("Digit", "Precision", "Recall", "F1", "Tested", title="By digit")
    for label, precision, recall, f1, n in zip(classes, *figures, strict=True):
        by_digit.add_row(label, percent(precision), percent(recall), percent(f1), f"{n:,}")
    console.print(by_digit)


def _save_mistakes(
    test: Digits, predicted: Array, probabilities: Array, output: Path, console: Console
) -> None:
    wrong = np.flatnonzero(test.y != predicted)
    if not len(wrong):
        console.print(f"No mistakes, so no picture {output}.")
        return
    n = min(len(wrong), N_MISTAKES)
    n_columns = min(n, 8)
    write_picture(
        output,
        (1.1 * n_columns + 0.2, 1.3 * -(-n // n_columns) + 0.5),
        lambda figure: DigitGridDisplay.from_predictions(
            test.X[wrong],
            test.y[wrong],
            predicted[wrong],
            probabilities=probabilities[wrong],
            worst_first=True,
            n_images=n,
            n_columns=n_columns,
            ax=figure.subplots(),
        ),
        console,
    )
