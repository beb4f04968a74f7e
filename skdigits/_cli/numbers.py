"""``skdigits predict --number``."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from skdigits.preprocessing import Number, UnreadableImageError, read_number

from .arguments import check_outputs, one_line
from .predict import estimator_of, files_of, print_csv, shown

Array = np.ndarray[Any, Any]


@dataclass
class Reading:
    """A file and the number in it; `error` says why there is none."""

    path: Path
    number: Number | None = None
    error: str | None = None


def predict_numbers(images: list[str], model: Path | None, form: str, explain: Path | None) -> int:
    """Read a number from each picture, print them; 1 where some could not be read, else 0."""
    paths = [path for image in images for path in files_of(image)]
    if explain is not None:
        check_outputs(explain, inputs=[str(path) for path in paths])
    estimator = estimator_of(model)
    readings = [_reading(path, estimator) for path in shown(paths)]
    {"text": _print_text, "json": _print_json, "csv": _print_csv}[form](
        readings, estimator.classes_
    )
    if explain is not None:
        _explain([reading for reading in readings if reading.number], explain)
    return int(any(reading.number is None for reading in readings))


def _reading(path: Path, estimator: Any) -> Reading:
    try:
        return Reading(path, read_number(path, estimator))
    except UnreadableImageError as error:
        return Reading(path, error=one_line(error))


def _sure(number: Number) -> float:
    """The probability that all digits are right, if they are independent."""
    return float(np.prod(number.confidences))


def _print_text(readings: list[Reading], classes: Array) -> None:
    width = max(len(str(reading.path)) for reading in readings)
    longest = max(len(reading.number.text) if reading.number else 0 for reading in readings)
    for reading in readings:
        if reading.number is None:
            print(reading.error, file=sys.stderr)
            continue
        text = reading.number.text
        print(f"{reading.path!s:{width}}  {text:{longest}}  {_sure(reading.number):7.2%}")


def _print_json(readings: list[Reading], classes: Array) -> None:
    print(json.dumps([_record(reading, classes) for reading in readings], indent=1))


def _record(reading: Reading, classes: Array) -> dict[str, Any]:
    if reading.number is None:
        return {"file": str(reading.path), "number": None, "error": reading.error}
    labels = [str(label) for label in classes]
    number = reading.number
    digits = [
        {
            "label": labels[int(row.argmax())],
            "box": box.tolist(),
            "probabilities": dict(
                zip(labels, np.round(row.astype(float), 6).tolist(), strict=True)
            ),
        }
        for box, row in zip(number.boxes, number.probabilities, strict=True)
    ]
    return {"file": str(reading.path), "number": number.text, "digits": digits}


def _print_csv(readings: list[Reading], classes: Array) -> None:
    rows: list[list[Any]] = [["file", "number", "probability", "error"]]
    for reading in readings:
        if reading.number is None:
            rows.append([reading.path, "", "", reading.error])
        else:
            rows.append([reading.path, reading.number.text, f"{_sure(reading.number):.6f}", ""])
    print_csv(rows)


def _explain(found: list[Reading], output: Path) -> None:
    """Save a picture of each line with its boxes, and of what the network saw of each digit."""
    from skdigits.displays import NumberDisplay

    from .screen import progress_console, write_picture

    console = progress_console()
    numbers = [reading.number for reading in found if reading.number is not None]
    if not numbers:
        console.print(f"No picture {output}: no file could be read.")
        return
    display = NumberDisplay.from_numbers([reading.path for reading in found], numbers)
    write_picture(output, display.size, lambda figure: display.plot(figure=figure), console)
