"""The digits that --data names."""

from __future__ import annotations

import warnings
from math import ceil
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from skdigits._text import printable
from skdigits.datasets import fetch_mnist, load_digit_folder, load_mnist_sample
from skdigits.preprocessing import UnreadableImageError, read_digit_images

from .csv_data import is_csv, read_csv
from .errors import CommandError, as_command_error, one_line, unknown_choice
from .models import N_PIXELS
from .paths import existing_file
from .pictures import read_each

Array = np.ndarray[Any, Any]

TEST_SHARE = 0.2

_NAMES = {
    "sample": "the sample of MNIST inside the package",
    "mnist": "MNIST",
    "fashion": "Fashion-MNIST",
}
_NPZ_LAYOUTS = "X and y, or x_train and y_train with or without x_test and y_test"


class Digits(NamedTuple):
    """Pixels of dtype uint8 and shape (n, 784), labels as strings, file names where known."""

    X: Array
    y: Array
    names: Array | None = None

    def take(self, rows: Array) -> Digits:
        """Return some of the rows."""
        names = None if self.names is None else self.names[rows]
        return Digits(self.X[rows], self.y[rows], names)


class Parts(NamedTuple):
    """Digits to train on, digits to test on and their origin."""

    training: Digits
    test: Digits
    origin: str


def load_training_and_test(data: str, seed: int, label_column: str | None = None) -> Parts:
    """Return digits to train on and to test on, held out where the data have no test digits."""
    _check_label_column(data, label_column)
    if data in _NAMES:
        training, test = (_built_in(data, subset) for subset in ("train", "test"))
        return Parts(training, test, f"{_NAMES[data]}, with its own test digits")
    training, given = _read(data, label_column)
    if len(set(training.y)) < 2:
        raise CommandError(
            f"Got {data} with the single label {printable(training.y[0])}, expected two or more "
            "to tell apart."
        )
    if given is not None:
        return Parts(training, given, f"{data}, with its own test digits")
    training, test = held_back(training, TEST_SHARE, seed, data)
    return Parts(training, test, f"{data}, {100 * TEST_SHARE:.0f} % of it held out as test digits")


def load_test(data: str, label_column: str | None = None) -> tuple[Digits, str]:
    """Return digits to test on, all where the data have no test part, and their origin."""
    _check_label_column(data, label_column)
    if data in _NAMES:
        return _built_in(data, "test"), f"the test digits of {_NAMES[data]}"
    everything, test = _read(data, label_column)
    if test is not None:
        return test, f"the test digits of {data}"
    return everything, f"all rows of {data}, which training should not have seen"


def held_back(digits: Digits, share: float, seed: int, origin: str) -> tuple[Digits, Digits]:
    """Split digits in two parts with the same share of each class, at least one row of each."""
    from sklearn.model_selection import train_test_split

    n_rows, n_classes = len(digits.y), len(set(digits.y))
    try:
        rows, held = train_test_split(
            np.arange(n_rows),
            test_size=max(n_classes, ceil(share * n_rows)),
            random_state=seed,
            stratify=digits.y,
        )
    except ValueError as error:
        raise CommandError(
            f"Got {n_rows} training rows in {origin}, expected enough of each class to hold "
            f"{100 * share:.0f} % back: {one_line(error)}"
        ) from error
    return digits.take(rows), digits.take(held)


def _check_label_column(data: str, label_column: str | None) -> None:
    if label_column is not None and (Path(data).is_dir() or not is_csv(data)):
        raise CommandError(f"Got --label-column with --data {data}, expected a CSV file.")


def _built_in(data: str, subset: str) -> Digits:
    if data == "sample":
        return Digits(*load_mnist_sample(subset, return_X_y=True))
    name = {"mnist": "mnist_784", "fashion": "Fashion-MNIST"}[data]
    with as_command_error(OSError):
        return Digits(*fetch_mnist(subset=subset, return_X_y=True, name=name))


def _read(data: str, label_column: str | None) -> tuple[Digits, Digits | None]:
    """Read digits of a file or folder, and its test digits if it has some."""
    path = Path(data)
    npz = path.suffix.lower() == ".npz"
    if path.is_dir():
        return _read_folder(path)
    if not npz and not is_csv(path):
        choices = [*_NAMES, "a folder", "a .csv file", "a .npz file"]
        raise unknown_choice(f"--data {data}", data, choices)
    existing_file(path)
    return _read_npz(path) if npz else (_read_csv(path, label_column), None)


def _read_csv(path: Path, label_column: str | None) -> Digits:
    labels, pixels, paths = read_csv(path, label_column)
    if pixels is not None:
        return Digits(pixels, labels)
    read = read_each(paths, lambda picture: read_digit_images([picture])[0])
    rows = [i for i, row in enumerate(read) if isinstance(row, np.ndarray)]
    _warn_of_unreadable([str(error) for error in read if isinstance(error, UnreadableImageError)])
    if not rows:
        raise CommandError(f"Got {path}, in which no picture could be read.")
    names = np.array([str(p) for p in paths], dtype=object)
    images = np.stack([row for row in read if isinstance(row, np.ndarray)])
    return Digits(images, labels[rows], names[rows])


def _read_folder(path: Path) -> tuple[Digits, Digits | None]:
    """Read a folder per label, or such folders in folders for training and for test."""
    parts = [
        next((path / name for name in names if (path / name).is_dir()), None)
        for names in (("train", "training"), ("test", "testing"))
    ]
    if parts[0] is not None and parts[1] is not None:
        return _digits_of_folder(parts[0]), _digits_of_folder(parts[1])
    return _digits_of_folder(path), None


def _digits_of_folder(path: Path) -> Digits:
    with as_command_error(OSError, ValueError):
        bunch = load_digit_folder(path, errors="ignore")
    _warn_of_unreadable([f"{name}: {reason}" for name, reason in bunch.unreadable.items()])
    names = np.array([str(name) for name in bunch.filenames], dtype=object)
    return Digits(bunch.data, np.asarray(bunch.target, dtype=object), names)


def _warn_of_unreadable(errors: list[str]) -> None:
    if errors:
        warnings.warn(
            f"{len(errors)} pictures could not be read and are left out, such as: {errors[0]}",
            stacklevel=2,
        )


def _are_pixels(values: Array) -> Array:
    return np.asarray((values >= 0) & (values <= 255) & (values == np.floor(values)))


def _read_npz(path: Path) -> tuple[Digits, Digits | None]:
    try:
        with path.open("rb") as file:
            archive = np.load(file, allow_pickle=False)
            if isinstance(archive, np.ndarray):
                raise ValueError("it is a single array")
            arrays = {name.lower(): archive[name] for name in archive.files}
    # Damaged files and other formats raise exceptions without a common class.
    except Exception as error:
        reason = one_line(error)
        if "allow_pickle" in reason:
            reason = "it has an array of Python objects; of labels save y.astype(str)"
        raise CommandError(
            f"Got {path}, expected an archive of the arrays {_NPZ_LAYOUTS}: {reason}."
        ) from error
    names = [("x", "y"), ("x_train", "y_train"), ("x_test", "y_test")]
    pairs = {x: (x, y) for x, y in names if x in arrays and y in arrays}
    first = pairs.get("x") or pairs.get("x_train")
    if first is None:
        found = printable(", ".join(sorted(arrays)) or "none", 200)
        raise CommandError(f"Got {path} with the arrays {found}, expected {_NPZ_LAYOUTS}.")
    training, test = (
        _checked(arrays[pair[0]], arrays[pair[1]], path) if pair else None
        for pair in (first, pairs.get("x_test"))
    )
    assert training is not None
    return training, test


def _checked(X: Array, y: Array, path: Path) -> Digits:
    """Return digits in one form; raise an error for other shapes, dtypes and values."""
    if X.ndim < 2 or not len(X) or X[0].size != N_PIXELS or y.shape != (len(X),):
        raise CommandError(
            f"Got {path} with pixels of shape {X.shape} and labels of shape {y.shape}, expected "
            f"(n, {N_PIXELS}) or (n, 28, 28), and (n,), with n at least 1."
        )
    numeric = X.dtype.kind in "biuf"
    if X.dtype != np.uint8 and not (numeric and _are_pixels(X).all()):
        span = f" from {X.min()} to {X.max()}" if numeric else ""
        raise CommandError(
            f"Got {path} with pixels of dtype {X.dtype}{span}, expected whole numbers from 0 to "
            "255."
        )
    return Digits(X.reshape(len(X), -1).astype(np.uint8, copy=False), _label_strings(y, path))


def _label_strings(y: Array, path: Path) -> Array:
    """Return labels as strings, as OpenML has them: all data sets have labels of one type."""
    whole = y.dtype.kind == "f" and np.isfinite(y).all() and (y == np.floor(y)).all()
    labels = [f"{label:.0f}" if whole else str(label).strip("'\" ") for label in y.tolist()]
    if (y.dtype.kind not in "iuUO" and not whole) or {"", "nan", "None"} & set(labels):
        raise CommandError(
            f"Got {path} with labels of dtype {y.dtype}, some missing or not whole, expected "
            "whole numbers or names."
        )
    return np.array(labels, dtype=object)
