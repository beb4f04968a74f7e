"""``skdigits evaluate``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

from skdigits._temperature import N_BINS, expected_calibration_error
from skdigits._text import printable
from skdigits.displays import DigitGridDisplay

from .console import percent, result_console, table, write_picture
from .data import Digits, load_test
from .errors import CommandError, as_command_error
from .models import load_classifier
from .paths import check_outputs, with_ending

Array = np.ndarray[Any, Any]

N_MISTAKES = 40
N_LISTED = 20


def evaluate(model: str, data: str, output: Path | None, label_column: str | None) -> None:
    """Predict test digits and report."""
    classifier = load_classifier(model)
    output = output or with_ending(Path(model), "-mistakes.png")
    check_outputs(output, inputs=[model, data])
    test, origin = load_test(data, label_column)
    # Labels of the data are strings, whatever the model was trained on.
    classes = classifier.classes_.astype(str).astype(object)
    unknown = sorted(set(test.y) - set(classes))
    if unknown:
        raise CommandError(
            f"Got {data} with the labels {printable(', '.join(unknown), 200)}, expected only those "
            f"that {model} knows: {printable(', '.join(classes), 200)}."
        )
    console = result_console()
    console.print(f"Data: {printable(origin)}, {len(test.y):,} digits")
    with as_command_error(ValueError):
        probabilities = classifier.predict_proba(test.X)
    predicted = classes[probabilities.argmax(axis=1)]
    _print_accuracy(test.y, predicted, probabilities, console)
    _print_confusion(test.y, predicted, classes, console)
    _print_by_digit(test.y, predicted, classes, console)
    _print_worst(test, predicted, probabilities, classes, console)
    _save_mistakes(test, predicted, probabilities, output, console)


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
        matrix.add_row(printable(label), *cells)
    console.print(matrix)


def _print_by_digit(y: Array, predicted: Array, classes: Array, console: Console) -> None:
    figures = precision_recall_fscore_support(y, predicted, labels=classes, zero_division=0)
    by_digit = table("Digit", "Precision", "Recall", "F1", "Tested", title="By digit")
    for label, precision, recall, f1, n in zip(classes, *figures, strict=True):
        by_digit.add_row(
            printable(label), percent(precision), percent(recall), percent(f1), f"{n:,}"
        )
    console.print(by_digit)


def _print_worst(
    test: Digits, predicted: Array, probabilities: Array, classes: Array, console: Console
) -> None:
    """List the misread pictures by file name, those with the least probable true label first."""
    wrong = np.flatnonzero(test.y != predicted)
    if test.names is None or not len(wrong):
        return
    columns = {label: i for i, label in enumerate(classes)}
    true = probabilities[wrong, [columns[label] for label in test.y[wrong]]]
    worst = wrong[np.argsort(true, kind="stable")][:N_LISTED]
    names = [printable(name) for name in test.names[worst]]
    width = max(map(len, names))
    # Not a table, which would break long names into lines.
    console.print("Worst pictures")
    for name, row in zip(names, worst, strict=True):
        labels = f"true {printable(test.y[row])}, predicted {printable(predicted[row])}"
        console.print(f"  {name:{width}}  {labels} ({percent(probabilities[row].max())})")
    if len(wrong) > N_LISTED:
        console.print(f"{len(wrong) - N_LISTED} more are misread.")


def _save_mistakes(
    test: Digits, predicted: Array, probabilities: Array, output: Path, console: Console
) -> None:
    wrong = np.flatnonzero(test.y != predicted)
    if not len(wrong):
        console.print(f"No mistakes, so no picture {printable(output)}.")
        return
    n = min(len(wrong), N_MISTAKES)
    n_columns = min(n, 8)
    write_picture(
        output,
        (1.1 * n_columns + 0.2, 1.3 * -(-n // n_columns) + 0.5),
        lambda figure: DigitGridDisplay.from_predictions(
            test.X[wrong],
            [printable(label) for label in test.y[wrong]],
            [printable(label) for label in predicted[wrong]],
            probabilities=probabilities[wrong],
            worst_first=True,
            n_images=n,
            n_columns=n_columns,
            ax=figure.subplots(),
        ),
        console,
    )
