"""``skdigits predict``."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from glob import glob, has_magic
from pathlib import Path
from typing import Any

import numpy as np

from skdigits.preprocessing import UnreadableImageError, read_digit_images

from .arguments import Refusal, check_outputs, one_line

Array = np.ndarray[Any, Any]

# Files in a folder that are taken for pictures.
ENDINGS = {".png", ".jpg", ".jpeg", ".gif", ".bmp", ".tif", ".tiff", ".webp", ".pgm", ".ppm"}

# From so many pictures on there is time to look at a progress bar.
MANY = 50


@dataclass
class Reading:
    """A file and what was read from it; `error` says why nothing was."""

    path: Path
    row: Array | None = None
    error: str | None = None
    probabilities: Array | None = None


def predict(images: list[str], model: Path | None, form: str, explain: Path | None) -> int:
    """Read pictures, print digits; 1 where some could not be read, else 0."""
    paths = [path for image in images for path in files_of(image)]
    if explain is not None:
        check_outputs(explain, inputs=[str(path) for path in paths])
    estimator = estimator_of(model)
    readings = [_reading(path) for path in shown(paths)]
    rows = [reading.row for reading in readings if reading.row is not None]
    found = [reading for reading in readings if reading.row is not None]
    if found:
        probabilities = estimator.predict_proba(np.stack(rows))
        for reading, row in zip(found, probabilities, strict=True):
            reading.probabilities = row
    {"text": _print_text, "json": _print_json, "csv": _print_csv}[form](
        readings, estimator.classes_
    )
    if explain is not None:
        _explain(found, estimator, explain)
    return int(len(found) < len(readings))


def files_of(image: str) -> list[Path]:
    """The files that an argument stands for: itself, a folder's pictures or a pattern's."""
    path = Path(image)
    if path.is_dir():
        files = sorted(p for p in path.rglob("*") if p.suffix.lower() in ENDINGS and p.is_file())
        if not files:
            raise Refusal(f"Got the folder {image} without pictures, expected some of them in it.")
        return files
    if not path.exists() and has_magic(image):
        files = sorted(Path(p) for p in glob(image, recursive=True) if Path(p).is_file())
        if not files:
            raise Refusal(f"Got the pattern {image}, expected one that some files fit.")
        return files
    return [path]


def estimator_of(path: Path | None) -> Any:
    """A classifier of digits from a file, or else the pretrained one."""
    if path is None:
        from skdigits._pretrained import load_pretrained

        return load_pretrained()
    from .evaluate import loaded

    return loaded(path)


def shown(paths: list[Path]) -> Iterable[Path]:
    """The paths, with a progress bar where there are many."""
    if len(paths) < MANY:
        return paths
    from rich.progress import track

    from .screen import progress_console

    return track(paths, "Reading", console=progress_console(), transient=True)


def _reading(path: Path) -> Reading:
    try:
        return Reading(path, read_digit_images([path])[0])
    except UnreadableImageError as error:
        return Reading(path, error=one_line(error))


def _print_text(readings: list[Reading], classes: Array) -> None:
    width = max(len(str(reading.path)) for reading in readings)
    for reading in readings:
        if reading.probabilities is None:
            print(reading.error, file=sys.stderr)
            continue
        best = int(reading.probabilities.argmax())
        print(f"{reading.path!s:{width}}  {classes[best]}  {reading.probabilities[best]:7.2%}")


def _print_json(readings: list[Reading], classes: Array) -> None:
    print(json.dumps([_record(reading, classes) for reading in readings], indent=1))


def _record(reading: Reading, classes: Array) -> dict[str, Any]:
    if reading.probabilities is None:
        return {"file": str(reading.path), "label": None, "error": reading.error}
    labels = [str(label) for label in classes]
    return {
        "file": str(reading.path),
        "label": labels[int(reading.probabilities.argmax())],
        "probabilities": {
            label: round(float(p), 6)
            for label, p in zip(labels, reading.probabilities, strict=True)
        },
    }


def _print_csv(readings: list[Reading], classes: Array) -> None:
    rows: list[list[Any]] = [["file", "label", "probability", "error"]]
    for reading in readings:
        if reading.probabilities is None:
            rows.append([reading.path, "", "", reading.error])
        else:
            best = int(reading.probabilities.argmax())
            rows.append([reading.path, classes[best], f"{reading.probabilities[best]:.6f}", ""])
    print_csv(rows)


def print_csv(rows: list[list[Any]]) -> None:
    """Print a table with commas."""
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerows(rows)
    print(buffer.getvalue(), end="")


def _explain(found: list[Reading], estimator: Any, output: Path) -> None:
    """Save a picture of what the network saw of each file."""
    from skdigits.displays import ReadingDisplay

    from .screen import progress_console, write_picture

    console = progress_console()
    if not found:
        console.print(f"No picture {output}: no file could be read.")
        return
    display = ReadingDisplay.from_pictures(estimator, [reading.path for reading in found])
    write_picture(output, display.size, lambda figure: display.plot(figure=figure), console)
