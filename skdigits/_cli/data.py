"""The digits that --data names."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from skdigits.datasets import fetch_mnist, load_mnist_sample

from .arguments import Refusal, existing_file, expected_one_of, one_line, refusing

if TYPE_CHECKING:
    import pandas as pd

Array = np.ndarray[Any, Any]

N_PIXELS = 784
TEST_SHARE = 0.2

_NAMES = {
    "sample": "the sample of MNIST inside the package",
    "mnist": "MNIST",
    "fashion": "Fashion-MNIST",
}
_CSV_LAYOUTS = "label, pixel0, …, pixel783 or pixel1, …, pixel784, class"
_NPZ_LAYOUTS = "X and y, or x_train and y_train with or without x_test and y_test"


class Digits(NamedTuple):
    """Pixels of dtype uint8 and shape (n, 784) with their labels as strings."""

    X: Array
    y: Array


class Parts(NamedTuple):
    """Digits to train on, digits to test on and where these come from."""

    training: Digits
    test: Digits
    origin: str


def training_and_test(data: str, seed: int) -> Parts:
    """Digits to train on and digits to test on, held out where the data have none."""
    if data in _NAMES:
        training, test = (_built_in(data, subset) for subset in ("train", "test"))
        return Parts(training, test, f"{_NAMES[data]}, with its own test digits")
    training, given = _read(data)
    if len(set(training.y)) < 2:
        raise Refusal(
            f"Got {data} with the one label {training.y[0]}, expected two or more to tell apart."
        )
    if given is not None:
        return Parts(training, given, f"{data}, with its own test digits")
    training, test = held_back(training, TEST_SHARE, seed, data)
    return Parts(training, test, f"{data}, {100 * TEST_SHARE:.0f} % of it held out as test digits")


def test_only(data: str) -> tuple[Digits, str]:
    """Digits to test on with where they come from: all rows where there is no test part."""
    if data in _NAMES:
        return _built_in(data, "test"), f"the test digits of {_NAMES[data]}"
    everything, test = _read(data)
    if test is not None:
        return test, f"the test digits of {data}"
    return everything, f"all rows of {data}, which training should not have seen"


def held_back(digits: Digits, share: float, seed: int, origin: str) -> tuple[Digits, Digits]:
    """Digits in two parts with the same share of each class."""
    from sklearn.model_selection import train_test_split

    try:
        rows, held = train_test_split(
            np.arange(len(digits.y)), test_size=share, random_state=seed, stratify=digits.y
        )
    except ValueError as error:
        raise Refusal(
            f"Got {len(digits.y)} training rows in {origin}, expected enough of each class to hold "
            f"{100 * share:.0f} % back: {one_line(error)}"
        ) from error
    return Digits(digits.X[rows], digits.y[rows]), Digits(digits.X[held], digits.y[held])


def _built_in(data: str, subset: str) -> Digits:
    if data == "sample":
        return Digits(*load_mnist_sample(subset, return_X_y=True))
    name = {"mnist": "mnist_784", "fashion": "Fashion-MNIST"}[data]
    with refusing(OSError):
        return Digits(*fetch_mnist(subset=subset, return_X_y=True, name=name))


def _read(data: str) -> tuple[Digits, Digits | None]:
    """Digits of a file, and its test part where it has one."""
    path = Path(data)
    kind = path.suffix.lower()
    if kind not in (".csv", ".npz"):
        choices = [*_NAMES, "a .csv file", "a .npz file"]
        raise expected_one_of(f"--data {data}", data, choices)
    existing_file("--data", path)
    return (_read_csv(path), None) if kind == ".csv" else _read_npz(path)


def _read_csv(path: Path) -> Digits:
    import pandas as pd

    # What pandas raises where a file isn't what it seemed has no common class but these.
    mistakes = (OSError, ValueError, OverflowError)
    try:
        columns = list(pd.read_csv(path, nrows=0).columns)
        labels = [name for name in columns if name.strip("'\" ").lower() in ("label", "class")]
        pixels = [name for name in columns if name not in labels]
        if len(labels) != 1 or len(pixels) != N_PIXELS:
            raise Refusal(
                f"Got {path} with {len(labels)} label columns and {len(pixels)} others, expected "
                f"a first line of the names {_CSV_LAYOUTS}."
            )
        try:
            frame = pd.read_csv(path, dtype=dict.fromkeys(pixels, "uint8"))
        except mistakes:
            # Read as they come, the pixels show which of them is wrong.
            frame = pd.read_csv(path)
    except mistakes as error:
        raise Refusal(
            f"Got {path}, expected a table with the columns {_CSV_LAYOUTS}: {one_line(error)}."
        ) from error
    _check_cells(frame[pixels], path)
    return _checked(frame[pixels].to_numpy(), frame[labels[0]].to_numpy(), path)


def _check_cells(pixels: pd.DataFrame, path: Path) -> None:
    """Refuse the first column with something that isn't a pixel."""
    import pandas as pd

    for name in pixels.columns[pixels.dtypes != np.uint8]:
        wrong = ~_are_pixels(pd.to_numeric(pixels[name], errors="coerce").to_numpy(np.float64))
        if wrong.any():
            row = int(wrong.argmax())
            raise Refusal(
                f"Got {path} with {pixels[name].iloc[row]} in line {row + 2}, column {name}, "
                "expected whole numbers from 0 to 255."
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
    # A file that is no archive or a damaged one shows itself in many ways.
    except Exception as error:
        reason = one_line(error)
        if "allow_pickle" in reason:
            reason = "it has an array of Python objects; of labels save y.astype(str)"
        raise Refusal(
            f"Got {path}, expected an archive of the arrays {_NPZ_LAYOUTS}: {reason}."
        ) from error
    names = [("x", "y"), ("x_train", "y_train"), ("x_test", "y_test")]
    pairs = {x: (x, y) for x, y in names if x in arrays and y in arrays}
    first = pairs.get("x") or pairs.get("x_train")
    if first is None:
        raise Refusal(
            f"Got {path} with the arrays {', '.join(sorted(arrays)) or 'none'}, expected "
            f"{_NPZ_LAYOUTS}."
        )
    training, test = (
        _checked(arrays[pair[0]], arrays[pair[1]], path) if pair else None
        for pair in (first, pairs.get("x_test"))
    )
    assert training is not None
    return training, test


def _checked(X: Array, y: Array, path: Path) -> Digits:
    """Digits of one form, whatever the file had."""
    if X.ndim < 2 or not len(X) or X[0].size != N_PIXELS or y.shape != (len(X),):
        raise Refusal(
            f"Got {path} with pixels of shape {X.shape} and labels of shape {y.shape}, expected "
            f"(n, {N_PIXELS}) or (n, 28, 28), and (n,), with n at least 1."
        )
    numeric = X.dtype.kind in "biuf"
    if X.dtype != np.uint8 and not (numeric and _are_pixels(X).all()):
        span = f" from {X.min()} to {X.max()}" if numeric else ""
        raise Refusal(
            f"Got {path} with pixels of dtype {X.dtype}{span}, expected whole numbers from 0 to "
            "255."
        )
    return Digits(X.reshape(len(X), -1).astype(np.uint8, copy=False), _label_strings(y, path))


def _label_strings(y: Array, path: Path) -> Array:
    """Labels as OpenML has them, so that models of one source can be tried on another."""
    if y.dtype.kind == "f" and np.isfinite(y).all() and (y == y // 1).all():
        y = y.astype(np.int64)
    labels = [str(label).strip("'\" ") for label in y.tolist()]
    if y.dtype.kind not in "iuUO" or {"", "nan", "None"} & set(labels):
        raise Refusal(
            f"Got {path} with labels of dtype {y.dtype}, some missing or not whole, expected "
            "whole numbers or names."
        )
    return np.array(labels, dtype=object)
