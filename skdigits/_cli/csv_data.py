"""Digits of CSV files: rows of pixels with labels, or paths of pictures with labels."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from skdigits._text import printable

from .errors import CommandError, one_line
from .models import N_PIXELS

if TYPE_CHECKING:
    import pandas as pd

Array = np.ndarray[Any, Any]

_SUFFIXES = re.compile(r"\.csv(\.(gz|bz2|xz|zip))?$|\.zip$", re.IGNORECASE)
_LABEL_NAMES = {"label", "labels", "class", "target", "digit", "y"}
_ROW_NUMBER_NAMES = {"", "unnamed: 0", "index", "id", "imageid"}
_OPTION = "--label-column NAME|INDEX chooses the label column"
_WHOLE = re.compile(r"([+-]?)0*(\d+)(\.0*)?")
_FRACTION = re.compile(r"[+-]?(\d*\.\d+|\d+\.\d*)(e[+-]?\d+)?", re.IGNORECASE)
_MISSING = {"", "nan", "none", "null", "na"}
_CHUNK = 1_000


class _Layout(NamedTuple):
    """How a CSV file is to be read; columns are counted from 0."""

    path: Path
    separator: str
    has_header: bool
    columns: list[str]
    label: int | None
    pixels: list[int]
    # The column of paths; then `pixels` is empty.
    picture: int | None = None

    def read(self, **kwargs: Any) -> Any:
        import pandas as pd

        return pd.read_csv(
            self.path,
            sep=self.separator,
            header=None,
            names=range(len(self.columns)),
            skiprows=int(self.has_header),
            keep_default_na=False,
            **kwargs,
        )

    def line(self, row: int) -> int:
        return row + 1 + self.has_header


class CsvDigits(NamedTuple):
    """Labels of a CSV file with either pixels or the paths of pictures."""

    labels: Array
    pixels: Array | None
    paths: list[Path]


def is_csv(path: str | Path) -> bool:
    """Whether a file name is that of a CSV file, compressed or not."""
    return _SUFFIXES.search(Path(path).name) is not None


def read_csv(path: Path, label_column: str | None) -> CsvDigits:
    """Read a CSV file with labels."""
    with _errors_name(path):
        layout = _layout(path, label_column)
        if layout.label is None:
            raise _wrong_columns(layout)
        used = [layout.label] if layout.picture is None else [layout.label, layout.picture]
        texts = layout.read(dtype=str, usecols=used)
        labels = _labels(texts[layout.label], layout)
        if layout.picture is not None:
            return CsvDigits(labels, None, [path.parent / name for name in texts[layout.picture]])
        return CsvDigits(labels, _pixels(layout), [])


def read_pixels(path: Path) -> Array:
    """Read the pixels of a CSV file with or without labels."""
    with _errors_name(path):
        layout = _layout(path, None)
        if layout.picture is not None:
            raise _wrong_columns(layout)
        return _pixels(layout)


@contextmanager
def _errors_name(path: Path) -> Iterator[None]:
    """Report files that are no table, or damaged, with their name."""
    try:
        yield
    except (CommandError, MemoryError):
        raise
    # pandas and the modules for compressed files raise exceptions without a common class.
    except Exception as error:
        raise CommandError(f"Got {path}, expected a CSV file: {one_line(error)}.") from error


def _layout(path: Path, label_column: str | None) -> _Layout:
    import pandas as pd

    for separator in (",", ";", "\t"):
        first = pd.read_csv(
            path, sep=separator, header=None, nrows=2, dtype=str, keep_default_na=False
        )
        cells = [str(cell).strip("'\" ") for cell in first.iloc[0]]
        if len(cells) > 1:
            break
    numbers = [re.fullmatch(r"-?\d+(\.\d*)?", cell) is not None for cell in cells]
    # Column names such as 0, 1, …, 783 are numbers too.
    counted = cells[-2:] in (["782", "783"], ["783", "784"], ["784", "785"])
    has_header = not all(numbers) or counted
    if has_header and len(first) < 2:
        raise CommandError(f"Got {path} without rows, expected at least 1.")
    picture = None
    if len(cells) == 2:
        exist = [bool(cell) and (path.parent / cell).is_file() for cell in cells]
        has_header = not any(exist)
        picture = exist.index(True) if any(exist) else None
    columns = cells if has_header else [str(i) for i in range(len(cells))]
    layout = _Layout(path, separator, has_header, columns, None, [])
    label = _label_column(layout, label_column, picture)
    rest = [i for i in range(len(columns)) if i != label]
    if len(rest) == 1 and len(columns) == 2:
        return layout._replace(label=label, picture=rest[0])
    if len(rest) == N_PIXELS + 1 and columns[rest[0]].lower() in _ROW_NUMBER_NAMES:
        del rest[0]
    layout = layout._replace(label=label, pixels=rest)
    if len(rest) != N_PIXELS:
        raise _wrong_columns(layout)
    return layout


def _label_column(layout: _Layout, chosen: str | None, picture: int | None) -> int | None:
    columns = layout.columns
    if chosen is not None:
        if chosen in columns:
            return columns.index(chosen)
        if re.fullmatch(r"-?\d{1,9}", chosen) and -len(columns) <= int(chosen) < len(columns):
            return int(chosen) % len(columns)
        raise CommandError(
            f"Got --label-column {chosen}, expected one of the columns of {layout.path}, "
            f"{_shown(columns)}, or an index from 0 to {len(columns) - 1}."
        )
    if not layout.has_header:
        if picture is not None:
            return 1 - picture
        return 0 if len(columns) == N_PIXELS + 1 else None
    named = [i for i, name in enumerate(columns) if name.lower() in _LABEL_NAMES]
    return named[0] if len(named) == 1 else None


def _wrong_columns(layout: _Layout) -> CommandError:
    header = "" if layout.has_header else "without a header "
    return CommandError(
        f"Got {layout.path} {header}with {len(layout.columns)} columns, {_shown(layout.columns)}, "
        f"expected a label and {N_PIXELS} pixels, or two columns, path and label. {_OPTION}."
    )


def _shown(columns: list[str]) -> str:
    names = [printable(name, 30) for name in columns]
    return ", ".join(names if len(names) < 7 else [*names[:3], "…", *names[-2:]])


def _labels(texts: pd.Series[Any], layout: _Layout) -> Array:
    """Return labels as strings; whole numbers in one spelling, 7 for 7.0 and 07."""
    spelled: dict[str, str] = {}
    for row, text in enumerate(texts.astype(object)):
        if text in spelled:
            continue
        label = str(text).strip("'\" ")
        whole = _WHOLE.fullmatch(label)
        if label.lower() in _MISSING or (not whole and _FRACTION.fullmatch(label)):
            raise CommandError(
                f"Got {layout.path} with the label {printable(label, 40)!r} in line "
                f"{layout.line(row)}, column {layout.columns[layout.label or 0]}, expected a whole "
                f"number or a name. {_OPTION}."
            )
        spelled[text] = f"{whole[1].strip('+')}{whole[2]}" if whole else label
    return np.array([spelled[text] for text in texts.astype(object)], dtype=object)


def _pixels(layout: _Layout) -> Array:
    try:
        # pandas casts infinite values before it reports them.
        with np.errstate(invalid="ignore"):
            frame = layout.read(dtype=dict.fromkeys(layout.pixels, "uint8"), usecols=layout.pixels)
        return np.asarray(frame)
    except (ValueError, OverflowError):
        # Other spellings of whole numbers, such as 255.0, or a wrong cell.
        return _checked_pixels(layout)


def _checked_pixels(layout: _Layout) -> Array:
    """Return pixels that were read as text; the error names line and column of a wrong cell."""
    import pandas as pd

    parts: list[Array] = []
    with layout.read(dtype=str, usecols=layout.pixels, chunksize=_CHUNK) as chunks:
        for chunk in chunks:
            cells = chunk.to_numpy(dtype=object)
            codes, distinct = pd.factorize(cells.ravel(), use_na_sentinel=False)
            values = np.array([_pixel(text) for text in distinct])[codes]
            wrong = np.flatnonzero(values < 0)
            if len(wrong):
                row, column = divmod(int(wrong[0]), len(layout.pixels))
                cell = printable(cells[row, column], 40) or "an empty cell"
                raise CommandError(
                    f"Got {layout.path} with {cell} in line "
                    f"{layout.line(row + _CHUNK * len(parts))}, column "
                    f"{layout.columns[layout.pixels[column]]}, expected whole numbers from 0 to "
                    "255."
                )
            parts.append(values.astype(np.uint8).reshape(cells.shape))
    return np.concatenate(parts)


def _pixel(text: object) -> int:
    """Return a whole number from 0 to 255, or -1."""
    try:
        value = float(str(text))
    except ValueError:
        return -1
    return int(value) if value in range(256) else -1
