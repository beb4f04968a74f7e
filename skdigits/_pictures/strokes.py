"""Gathers the strokes that make up one digit."""

from __future__ import annotations

from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from scipy.ndimage import find_objects, label, maximum_filter

from .binarization import NEIGHBOURS
from .errors import UnreadableImageError
from .lines import is_bar, is_frame, level_lines, without_hairlines, without_lines, without_rules

Array = np.ndarray[Any, Any]

# Smaller parts than this share of the digit's size are specks.
_SPECK = 0.12

# Dots in the gaps of a broken stroke are specks below this share.
_DOT = 0.05

# Strokes that are further apart than this share of the digit's size don't belong together.
_FARTHEST = 0.35


# A digit with an underline that touches it is so much wider than high, and the underline goes on
# to both sides of it by this share of its width.
_UNDERLINED, _GOES_ON = 1.5, 0.1

# No digit is less than so many pixels high, which 160 are for a page.
_SMALLEST = 5

# In pictures with at least so many pixels a side a stroke may be broken by a pixel or two.
_BRIDGED = 60


class _Part(NamedTuple):
    """A connected part of the ink."""

    number: int
    rows: slice
    columns: slice
    mass: float
    at_border: bool

    @property
    def height(self) -> int:
        return int(self.rows.stop - self.rows.start)

    @property
    def width(self) -> int:
        return int(self.columns.stop - self.columns.start)

    @property
    def size(self) -> int:
        return max(self.height, self.width)


def digit_of(mask: Array, keep_border_parts: bool = True) -> Array:
    """Those pixels of the ink that are the digit's.

    Ruled lines, frames, underlines, the page's edge and specks are taken out; strokes near each
    other are kept together.

    Parameters
    ----------
    mask : ndarray of bool, shape (height, width)
        Which pixels are ink.
    keep_border_parts : bool, default=True
        Whether parts that touch the border of the picture may belong to the digit.

    Returns
    -------
    ndarray of bool, shape (height, width)

    Raises
    ------
    UnreadableImageError
        If there are several digits, or nothing but scattered specks.
    """
    mask = without_hairlines(without_rules(mask))
    labels = _pieces(mask)
    parts = _without_frames(_parts(labels), labels)
    parts = _without_edges(parts, labels)
    if not keep_border_parts:
        parts = [part for part in parts if not part.at_border]
    if not parts:
        raise UnreadableImageError("holds no digit: there is nothing but lines")
    main = max(parts, key=lambda part: _weight(part, mask.shape))
    if main.size < max(_SMALLEST, 0.04 * max(mask.shape)):
        raise UnreadableImageError("holds no digit: there are nothing but specks")
    group = _gathered(main, parts)
    _check_single(main, group, parts)
    group = _without_underline(group, labels)
    kept = np.zeros(int(labels.max()) + 1, bool)
    kept[[part.number for part in group]] = True
    digit = _without_dots(kept[labels], main.size)
    if not digit.any():
        raise UnreadableImageError("holds no digit: there are nothing but specks")
    return _without_joined_underline(digit)


def _pieces(mask: Array) -> Array:
    """Labels of what hangs together, across gaps of a pixel or two in larger pictures."""
    if min(mask.shape) < _BRIDGED:
        return label(mask, NEIGHBOURS)[0]
    return label(maximum_filter(mask, 3), NEIGHBOURS)[0] * mask


def _without_dots(digit: Array, size: int) -> Array:
    """The digit without the smallest specks, which a gap of a pixel or two kept in it."""
    labels, count = label(digit, NEIGHBOURS)
    kept = np.ones(count + 1, bool)
    for number, (rows, columns) in enumerate(find_objects(labels), 1):
        extent = max(rows.stop - rows.start, columns.stop - columns.start)
        kept[number] = extent > _DOT * size
    return digit & kept[labels]


def _parts(labels: Array) -> list[_Part]:
    height, width = labels.shape
    counts = np.bincount(labels.ravel())
    parts = []
    for number, box in enumerate(find_objects(labels), 1):
        rows, columns = box
        at_border = (
            rows.start == 0 or columns.start == 0 or rows.stop == height or columns.stop == width
        )
        parts.append(_Part(number, rows, columns, float(counts[number]), at_border))
    return parts


def _cut(part: _Part, labels: Array) -> Array:
    return labels[part.rows, part.columns] == part.number


def _without_frames(parts: list[_Part], labels: Array) -> list[_Part]:
    """The parts without boxes around other parts."""
    if len(parts) < 2:
        return parts
    frames = set()
    for part in parts:
        within = [
            other
            for other in parts
            if other is not part and _inside(other, part) and other.size > 0.25 * part.size
        ]
        if within and is_frame(_cut(part, labels)):
            frames.add(part.number)
    return [part for part in parts if part.number not in frames]


def _inside(inner: _Part, outer: _Part) -> bool:
    return (
        outer.rows.start <= inner.rows.start
        and inner.rows.stop <= outer.rows.stop
        and outer.columns.start <= inner.columns.start
        and inner.columns.stop <= outer.columns.stop
    )


def _without_edges(parts: list[_Part], labels: Array) -> list[_Part]:
    """The parts without those along the picture's border, if any other part is of some size."""
    height, width = labels.shape
    largest = max((part.size for part in parts if not part.at_border), default=0)
    if largest < 0.2 * min(height, width):
        return parts
    kept = []
    for part in parts:
        along = part.height > 0.6 * height or part.width > 0.6 * width
        straight = along and part.at_border and is_bar(_cut(part, labels))
        if not straight and not (part.at_border and _hugs_border(part, labels)):
            kept.append(part)
    return kept


def _hugs_border(part: _Part, labels: Array) -> bool:
    """Whether most of a part lies within a tenth of the picture's sides."""
    height, width = labels.shape
    top, left = max(2, height // 10), max(2, width // 10)
    inner = labels[top:-top, left:-left] == part.number
    return float(inner.sum()) < 0.3 * part.mass


def _weight(part: _Part, shape: tuple[int, ...]) -> float:
    """How likely a part is the digit, or the largest piece of it."""
    if not part.at_border:
        return part.mass * part.size
    row = (part.rows.start + part.rows.stop) / 2 / shape[0]
    column = (part.columns.start + part.columns.stop) / 2 / shape[1]
    off_centre = max(abs(row - 0.5), abs(column - 0.5)) * 2
    return part.mass * part.size * (0.6 if off_centre < 0.5 else 0.2)


def _gap(part: _Part, other: _Part) -> float:
    """Distance between the boxes of two parts."""
    down = max(part.rows.start - other.rows.stop, other.rows.start - part.rows.stop, 0)
    across = max(part.columns.start - other.columns.stop, other.columns.start - part.columns.stop)
    return float(np.hypot(down, max(across, 0)))


def _gathered(main: _Part, parts: list[_Part]) -> list[_Part]:
    """The parts that belong to the same digit as the main one, specks left out."""
    size = main.size
    group = [main]
    others = [part for part in parts if part is not main and (part.size > _SPECK * size)]
    others.sort(key=lambda part: _gap(part, main))
    for part in others:
        gap = min(_gap(part, member) for member in group)
        reach = min(_FARTHEST * size, 1.5 * part.size)
        if part.at_border and not main.at_border:
            reach *= 0.3
        if gap <= reach:
            group.append(part)
    return group


def _check_single(main: _Part, group: list[_Part], parts: list[_Part]) -> None:
    """Refuse several digits beside each other, and specks without end."""
    tall = [
        part
        for part in parts
        if part.height > 0.6 * main.height
        and part.height > 0.6 * part.width
        and part.mass > 0.2 * main.mass
        and not (part.at_border and part is not main)
    ]
    tall.sort(key=lambda part: part.columns.start)
    apart = 0.05 * main.height
    for left, right in pairwise(tall):
        overlap = min(left.rows.stop, right.rows.stop) - max(left.rows.start, right.rows.start)
        beside = right.columns.start - left.columns.stop >= apart
        if beside and overlap > 0.5 * min(left.height, right.height):
            raise UnreadableImageError(
                f"holds {len(tall)} digits or more, expected one: read_number, or predict "
                "--number, reads several"
            )
    total = sum(part.mass for part in parts)
    if len(parts) > 30 and sum(part.mass for part in group) < 0.3 * total:
        raise UnreadableImageError(f"holds no digit: the ink is scattered over {len(parts)} specks")


def _without_underline(group: list[_Part], labels: Array) -> list[_Part]:
    """The group without a straight line below everything else."""
    if len(group) < 2:
        return group
    kept = []
    for part in group:
        rest = [other for other in group if other is not part]
        lowest = max(other.rows.stop for other in rest)
        highest = min(other.rows.start for other in rest)
        left = min(other.columns.start for other in rest)
        right = max(other.columns.stop for other in rest)
        wide = part.width > 3 * part.height and part.width > 0.7 * (right - left)
        below = part.rows.start >= lowest - 0.1 * (lowest - highest)
        if not (wide and below and is_bar(_cut(part, labels))):
            kept.append(part)
    return kept or group


def _without_joined_underline(digit: Array) -> Array:
    """Remove a straight line below the digit that touches it and extends to both sides."""
    rows, columns = np.flatnonzero(digit.any(axis=1)), np.flatnonzero(digit.any(axis=0))
    area = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    part = digit[area]
    height, width = part.shape
    if width < _UNDERLINED * height or height < 2 * _SMALLEST:
        return digit
    lines = level_lines(part, 0.9, 0.1, 0.2 * height)
    rest = without_lines(part, [line for line in lines if line.middle > 0.6 * height][:1])
    within = np.flatnonzero(rest.any(axis=0))
    margin = _GOES_ON * width
    if not within.size or within[0] < margin or within[-1] > width - 1 - margin:
        return digit
    kept = digit.copy()
    kept[area] = rest
    return kept
