"""``skdigits predict``: digits or numbers from pictures, digits from a CSV file of pixels."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from skdigits._atomic import write_atomically
from skdigits._text import csv_cell, printable
from skdigits.preprocessing import Number, UnreadableImageError, read_digit_images, read_number

from .csv_data import is_csv, read_pixels
from .errors import CommandError, as_command_error
from .models import load_classifier
from .paths import check_outputs, existing_file
from .pictures import find_pictures, read_each

Array = np.ndarray[Any, Any]
MakeDisplay = Callable[[], Any]


@dataclass
class Result:
    """What was read from a picture or a row; `error` is the reason if nothing was."""

    name: str
    text: str = ""
    probability: float = 0.0
    # Further fields of the JSON output.
    details: dict[str, Any] = field(default_factory=dict)
    error: str = ""


def predict(
    images: list[str],
    model: Path | None,
    output_format: str,
    explain: Path | None,
    number: bool,
    output: Path | None,
) -> int:
    """Print or save what is read; 1 where some pictures cannot be read, else 0."""
    table = any(is_csv(image) for image in images)
    if table and (len(images) > 1 or number or explain is not None):
        raise CommandError(
            "Got a CSV file with further files, --number or --explain, expected a CSV file alone."
        )
    paths = [existing_file(images[0])] if table else [p for i in images for p in find_pictures(i)]
    outputs = [path for path in (explain, output) if path is not None]
    check_outputs(*outputs, inputs=paths)
    classifier = load_classifier(model)
    columns = ("file", "number" if number else "label")
    if table:
        # The columns of Kaggle's submissions.
        columns = ("ImageId", "Label")
        X = read_pixels(paths[0])
        results, make_display = _digits(range(1, len(X) + 1), X, classifier), None
    else:
        results, make_display = (_read_numbers if number else _read_digits)(paths, classifier)
    if output is not None and output_format == "text":
        output_format = "json" if output.suffix.lower() == ".json" else "csv"
    text = {"text": _as_text, "json": _as_json, "csv": _as_csv}[output_format](results, columns)
    if output is None:
        print(text, end="")
    else:
        content = text.encode()
        with as_command_error(OSError):
            write_atomically(output, lambda file: file.write(content))
        print(f"{len(results):,} predictions saved: {printable(output)}", file=sys.stderr)
    errors = [result.error for result in results if result.error]
    if output_format == "text" or output is not None:
        print(*errors, sep="\n", end="\n" if errors else "", file=sys.stderr)
    if explain is not None:
        _save_display(explain, make_display)
    return int(bool(errors))


def _read_digits(paths: list[Path], classifier: Any) -> tuple[list[Result], MakeDisplay | None]:
    read = read_each(paths, lambda path: read_digit_images([path])[0])
    readable = [p for p, row in zip(paths, read, strict=True) if isinstance(row, np.ndarray)]
    rows = [row for row in read if isinstance(row, np.ndarray)]
    digits = iter(_digits(readable, np.stack(rows), classifier) if rows else [])
    results = [
        _unreadable(path, row) if isinstance(row, UnreadableImageError) else next(digits)
        for path, row in zip(paths, read, strict=True)
    ]

    def make_display() -> Any:
        from skdigits.displays import ReadingDisplay

        return ReadingDisplay.from_pictures(classifier, readable)

    return results, make_display if readable else None


def _digits(names: Iterable[Any], X: Array, classifier: Any) -> list[Result]:
    with as_command_error(ValueError):
        probabilities = classifier.predict_proba(X)
    labels = [str(label) for label in classifier.classes_]
    return [
        Result(
            str(name),
            labels[int(row.argmax())],
            float(row.max()),
            {"probabilities": _by_label(labels, row)},
        )
        for name, row in zip(names, probabilities, strict=True)
    ]


def _read_numbers(paths: list[Path], classifier: Any) -> tuple[list[Result], MakeDisplay | None]:
    read = read_each(paths, lambda path: read_number(path, classifier))
    labels = [str(label) for label in classifier.classes_]
    results = [
        _unreadable(path, number)
        if isinstance(number, UnreadableImageError)
        else _number(path, number, labels)
        for path, number in zip(paths, read, strict=True)
    ]
    readable = [p for p, number in zip(paths, read, strict=True) if isinstance(number, Number)]

    def make_display() -> Any:
        from skdigits.displays import NumberDisplay

        numbers = [number for number in read if isinstance(number, Number)]
        return NumberDisplay.from_numbers(readable, numbers)

    return results, make_display if readable else None


def _number(path: Path, number: Number, labels: list[str]) -> Result:
    digits = [
        {
            "label": labels[int(row.argmax())],
            "box": box.tolist(),
            "probabilities": _by_label(labels, row),
        }
        for box, row in zip(number.boxes, number.probabilities, strict=True)
    ]
    # The probability that all digits are right, if they are independent.
    probability = float(np.prod(number.confidences))
    return Result(str(path), number.text, probability, {"digits": digits})


def _unreadable(path: Path, error: UnreadableImageError) -> Result:
    return Result(str(path), error=str(error))


def _by_label(labels: list[str], probabilities: Array) -> dict[str, float]:
    return dict(zip(labels, np.round(probabilities.astype(float), 6).tolist(), strict=True))


def _as_text(results: list[Result], columns: tuple[str, str]) -> str:
    found = [result for result in results if not result.error]
    names = [printable(result.name) for result in found]
    texts = [printable(result.text) for result in found]
    widths = [max(map(len, column), default=0) for column in (names, texts)]
    return "".join(
        f"{name:{widths[0]}}  {text:{widths[1]}}  {result.probability:7.2%}\n"
        for name, text, result in zip(names, texts, found, strict=True)
    )


def _as_json(results: list[Result], columns: tuple[str, str]) -> str:
    name, value = columns
    records = [
        {name: r.name, value: None, "error": r.error}
        if r.error
        else {name: r.name, value: r.text, **r.details}
        for r in results
    ]
    return json.dumps(records, indent=1) + "\n"


def _as_csv(results: list[Result], columns: tuple[str, str]) -> str:
    submission = columns == ("ImageId", "Label")
    header = columns if submission else (*columns, "probability", "error")
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(header)
    for result in results:
        probability = "" if result.error else f"{result.probability:.6f}"
        cells = (result.name, result.text, probability, result.error)
        writer.writerow(csv_cell(cell) for cell in cells[: len(header)])
    return buffer.getvalue()


def _save_display(output: Path, make_display: MakeDisplay | None) -> None:
    """Save a display of the pictures that could be read."""
    from .console import progress_console, write_picture

    console = progress_console()
    if make_display is None:
        console.print(f"No picture {printable(output)}: no file could be read.")
        return
    with as_command_error(ImportError):
        display = make_display()
    write_picture(output, display.size, lambda figure: display.plot(figure=figure), console)
