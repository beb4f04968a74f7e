"""Takes out the lines and boxes that numbers are written on or into."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np
from scipy.ndimage import find_objects, label, maximum_filter1d

from .ink import NEIGHBOURS
from .marks import Line, is_bar, is_frame, stripped
from .weight import stroke_width

Array = np.ndarray[Any, Any]

# Lines are looked for where the ink extends over so many pixels at least.
_SMALLEST = 24

# More lines than this are a ruled sheet, on which boxes are not looked for one pair at a time.
_MOST_PAIRED = 8

# The sides of a box are at right angles to its top, but for this slope.
_SKEW = 0.03

# The side of a box covers so much of the way from its top to its bottom, a digit in it does not.
_SIDE_COVERS = 0.85


def without_fields(mask: Array) -> Array:
    """The mask without guide lines, underlines, ruling, frames and the boxes of a form.

    Lines from left to right through all the writing go first; no stroke of a number is as long.
    Upright ones go if they connect two of those, or cross the whole picture as part of a ruling.

    Parameters
    ----------
    mask : ndarray of bool, shape (height, width)
        Which pixels are ink.

    Returns
    -------
    ndarray of bool, shape (height, width)
        With nothing in it if there were only lines.
    """
    area = _extent(mask)
    part = mask[area]
    if min(part.shape) < _SMALLEST:
        return mask
    rest, across = stripped(part)
    if across:
        rest = _without_sides(rest, across)
    rest = _without_ruling(rest, across)
    kept = np.zeros_like(mask)
    kept[area] = _without_boxes(rest)
    return kept


def _extent(mask: Array) -> tuple[slice, slice]:
    """The rows and columns in which there is any ink worth the name."""
    labels, _ = label(mask, NEIGHBOURS)
    boxes = find_objects(labels)
    sizes = np.array([max(r.stop - r.start, c.stop - c.start) for r, c in boxes])
    large = [box for box, size in zip(boxes, sizes, strict=True) if size >= 0.15 * sizes.max()]
    starts = [min(box[axis].start for box in large) for axis in (0, 1)]
    stops = [max(box[axis].stop for box in large) for axis in (0, 1)]
    return slice(starts[0], stops[0]), slice(starts[1], stops[1])


def _without_sides(rest: Array, across: list[Line]) -> Array:
    """The ink without upright lines from one of the lines to another: the sides of boxes."""
    if len(across) > _MOST_PAIRED:
        return rest
    middles = sorted(
        (float(np.nonzero(line.pixels)[0].mean()), line.thickness, line.slope) for line in across
    )
    pairs = [pair for pair in combinations(middles, 2) if pair[1][0] - pair[0][0] >= _SMALLEST / 2]
    for upper, lower in sorted(pairs, key=lambda pair: pair[0][0] - pair[1][0]):
        slope = (upper[2] + lower[2]) / 2
        thickness = max(upper[1], lower[1])
        rest = _without_sides_between(rest, upper[0], lower[0], slope, thickness)
    return rest


def _without_sides_between(
    rest: Array, top: float, bottom: float, slope: float, thickness: float
) -> Array:
    """The ink without upright lines from `top` to `bottom`, given in the middle of the picture."""
    height, width = rest.shape
    columns = np.arange(width)
    # Straightened, so that the two lines are level.
    shift = np.rint(slope * (columns - width / 2)).astype(int)
    first, n_rows = round(top), round(bottom) - round(top) + 1
    rows = np.arange(first, first + n_rows)[:, None] + shift[None, :]
    inside = (rows >= 0) & (rows < height)
    band = rest[np.clip(rows, 0, height - 1), columns] & inside
    reach = int(1.5 * thickness) + 2
    sides = _sides(band, slope, thickness, reach)
    cleaned = rest.copy()
    where = np.nonzero(sides & inside)
    cleaned[rows[where], where[1]] = False
    return cleaned


def _sides(band: Array, slope: float, thickness: float, reach: int) -> Array:
    """Pixels of upright lines from the top of the band to its bottom."""
    height, width = band.shape
    down = np.arange(height)
    found = np.zeros_like(band)
    for skew in (0.0, -_SKEW / 2, _SKEW / 2, -_SKEW, _SKEW):
        shift = np.rint((skew - slope) * (down - height / 2)).astype(int)
        columns = np.arange(width)[None, :] + shift[:, None]
        inside = (columns >= 0) & (columns < width)
        upright = band[down[:, None], np.clip(columns, 0, width - 1)] & inside & ~found
        near = maximum_filter1d(upright, 3, axis=1)
        ends = near[: reach + 1].any(axis=0) & near[-reach - 1 :].any(axis=0)
        body = near[reach : height - reach]
        full = ends & (body.mean(axis=0) >= _SIDE_COVERS) if len(body) else ends
        for start, stop in _runs(full):
            if stop - start > 2 * thickness + 4:
                continue
            line = np.zeros_like(upright)
            low, high = max(start - 1, 0), min(stop + 1, width)
            line[:, low:high] = upright[:, low:high]
            # Where there is more ink beside it a stroke passes.
            wide = upright[:, max(low - 2, 0) : high + 2].sum(axis=1) > stop - start + 2
            line[wide] = False
            where = np.nonzero(line)
            found[where[0], columns[where]] = True
    return found


def _runs(flags: Array) -> list[tuple[int, int]]:
    """Start and end of each stretch of true values."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], flags.astype(np.int8), [0]])))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))


def _without_ruling(rest: Array, across: list[Line]) -> Array:
    """The ink without upright lines through all of the picture, if they are thin or squared."""
    if min(rest.shape) < _SMALLEST or not rest.any():
        return rest
    slopes = np.linspace(-_SKEW, _SKEW, 7)
    if across:
        slopes = slopes - np.median([line.slope for line in across])
    slopes = np.array(sorted(slopes, key=abs))
    turned, down = stripped(rest.T, slopes)
    if not down or not turned.any():
        return rest
    stroke = stroke_width(turned.astype(np.float32))
    squared = len(across) >= 2
    kept = turned.copy()
    for line in down:
        if line.thickness > (1.2 if squared else 0.6) * stroke:
            kept |= line.pixels
    return kept.T


def _without_boxes(mask: Array) -> Array:
    """The ink without frames around other ink and without long level bars."""
    labels, count = label(mask, NEIGHBOURS)
    kept = np.ones(count + 1, bool)
    kept[0] = False
    boxes = find_objects(labels)
    heights = sorted((r.stop - r.start for r, _ in boxes), reverse=True)
    for number, (rows, columns) in enumerate(boxes, 1):
        part = labels[rows, columns] == number
        height, width = part.shape
        long = width > 0.6 * heights[0] and height < 0.25 * width
        if (long and is_bar(part)) or (_holds_others(labels[rows, columns], number) and is_frame(part)):
            kept[number] = False
    return kept[labels]


def _holds_others(window: Array, number: int) -> bool:
    """Whether other ink lies in the middle of a part's box."""
    height, width = window.shape
    middle = window[height // 6 : height - height // 6, width // 6 : width - width // 6]
    return bool(((middle != 0) & (middle != number)).any())
