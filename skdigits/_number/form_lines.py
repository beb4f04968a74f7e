"""Takes out the lines and boxes that numbers are written on or into."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np
from scipy.ndimage import find_objects, label, maximum_filter

from .._pictures.background import Contrast, median
from .._pictures.binarization import NEIGHBOURS
from .._pictures.lines import Line, is_bar, is_frame, level_lines, without_lines, zone_of
from .._pictures.stroke_width import stroke_width

Array = np.ndarray[Any, Any]

# Ink of this share of the usual is enough to tell where lines run.
_WEAK = 0.25

# Lines are at most so thick, as a share of the picture's shorter side and in pixels.
_THICK_SHARE, _THICK = 0.06, 6

# Lines rise by so many pixels per pixel at most, and sides of boxes differ from upright by that.
_STEEPEST, _SKEW = 0.07, 0.04

# A line covers so much of what is written, and the side of a box so much of its height.
_COVERS, _SIDE_COVERS = 0.55, 0.85

# An upright line covers so much of the picture's height.
_DOWN_COVERS = 0.7

# Lines are so many times as long as digits are high.
_LONGER = 1.2

# At either end, a tenth of its height, the side of a box covers so much. A digit leaves some room.
_END_COVERS = 0.6

# Upright lines are no strokes if they are so much fainter or thinner.
_FAINTER, _THINNER = 0.7, 0.6

# What lies on lines to this share is left of them.
_MOSTLY = 0.7

# More lines than this are a ruled sheet, on which boxes are not looked for one pair at a time.
_MOST_PAIRED = 8

# The lowest box, in pixels.
_LOWEST = 14


def without_form_lines(mask: Array, contrast: Contrast) -> Array:
    """The ink without guide lines, underlines, ruling, frames and the boxes of a form.

    Lines from left to right through all the writing go first; no stroke of a number is as long.
    Upright ones go if they connect two of those, or cross the whole picture and can be told from
    strokes. Lines are found by projection along a few slopes [1]_. Where a column's run of ink is
    longer than the line is thick, a stroke crosses it and is kept, as in the removal of staff
    lines from music.

    Parameters
    ----------
    mask : ndarray of bool, shape (height, width)
        Which pixels are ink.
    contrast : Contrast
        Faint lines, of which the mask may have but pieces, are looked for in it.

    Returns
    -------
    ndarray of bool, shape (height, width)
        With nothing in it if there were only lines.

    References
    ----------
    .. [1] R. O. Duda, P. E. Hart, "Use of the Hough transformation to detect lines and curves in
       pictures", Communications of the ACM 15(1), 11-15, 1972.
    """
    usual = median(contrast.ink[mask])
    weak = mask | (contrast.ink > max(_WEAK * usual, 2.5 * contrast.noise))
    thickest = max(_THICK, _THICK_SHARE * min(weak.shape))
    rest, across = _without_level(mask, weak, thickest)
    sides = []
    if len(across) <= _MOST_PAIRED:
        sides = _sides(weak, across) + _sides(mask, across)
        rest = without_lines(rest.T, sides).T
    found = level_lines(weak.T, _DOWN_COVERS, _STEEPEST, thickest)
    down = _no_strokes(found, across, rest.T, contrast.ink.T, usual)
    rest = without_lines(rest.T, down).T
    return _without_boxes(_without_remains(rest, across, [*sides, *down]))


def _without_level(mask: Array, weak: Array, thickest: float) -> tuple[Array, list[Line]]:
    """The ink without lines from left to right; shorter ones once the longer ones are gone."""
    rest, across = mask, list[Line]()
    for _ in range(3):
        if not rest.any():
            break
        columns = _extent(rest)[1]
        found = level_lines(weak[:, columns], _COVERS, _STEEPEST, thickest)
        new = [_widened(line, columns, mask.shape) for line in found]
        known = [line.middle for line in across]
        new = [line for line in new if all(abs(line.middle - m) > 3 for m in known)]
        if not new or not _longer_than_digits(rest, new, columns):
            break
        across += new
        rest = without_lines(rest, new)
    return rest, across


def _longer_than_digits(mask: Array, lines: list[Line], columns: slice) -> bool:
    """Whether lines in those columns are longer than the bar of a 7 would be.

    That is longer than what else there is is high, unless that crosses all of the picture.
    """
    rest = mask & ~zone_of(lines, mask.shape)
    boxes = find_objects(label(rest, NEIGHBOURS)[0])
    tallest = max((rows.stop - rows.start for rows, _ in boxes), default=0)
    length = columns.stop - columns.start
    squared = tallest > 0.9 * len(mask) and length > 0.9 * mask.shape[1]
    return squared or length > _LONGER * tallest


def _extent(mask: Array) -> tuple[slice, slice]:
    """The rows and columns of all parts that are not small."""
    boxes = find_objects(label(mask, NEIGHBOURS)[0])
    sizes = np.array([max(r.stop - r.start, c.stop - c.start) for r, c in boxes])
    large = [box for box, size in zip(boxes, sizes, strict=True) if size >= 0.15 * sizes.max()]
    starts = [min(box[axis].start for box in large) for axis in (0, 1)]
    stops = [max(box[axis].stop for box in large) for axis in (0, 1)]
    return slice(starts[0], stops[0]), slice(starts[1], stops[1])


def _widened(line: Line, columns: slice, shape: tuple[int, ...]) -> Line:
    """A line found in some columns, in all of the picture."""
    height, width = shape
    middle = line.middle + line.slope * (width / 2 - (columns.start + columns.stop) / 2)
    down = np.arange(height)[:, None] - middle - line.slope * (np.arange(width) - width / 2)
    zone = (down >= -2) & (down <= line.thickness + 1.5)
    return Line(zone, line.thickness, middle, line.slope)


def _sides(mask: Array, across: list[Line]) -> list[Line]:
    """Upright lines from one of the lines to another: the sides of boxes; turned by 90°."""
    ordered = sorted(across, key=lambda line: line.middle)
    between = mask & ~zone_of(across, mask.shape)
    found = []
    for upper, lower in combinations(ordered, 2):
        top, bottom = upper.middle + upper.thickness + 1, lower.middle - 1
        if bottom - top < _LOWEST:
            continue
        slope = (upper.slope + lower.slope) / 2
        thickest = 2 * max(upper.thickness, lower.thickness) + 1
        rows = _band(mask.shape, top, bottom, slope)
        band = _taken(mask, rows)
        starts = upper.middle - upper.thickness - 7, lower.middle + lower.thickness + 5
        strips = [_taken(between, _band(mask.shape, first, first + 2, slope)) for first in starts]
        beyond = [np.all(strip, axis=0) for strip in strips]
        for line in level_lines(band.T, _SIDE_COVERS, _SKEW, thickest):
            inside = line.zone.T & (rows >= 0) & (rows < len(mask))
            if not _reaches_ends(line.zone & band.T) or _goes_on(line.zone.T, beyond):
                continue
            zone = np.zeros_like(mask)
            zone[rows[inside], np.nonzero(inside)[1]] = True
            found.append(line._replace(zone=zone.T))
    return found


def _taken(mask: Array, rows: Array) -> Array:
    """The mask at these rows of each column."""
    inside = (rows >= 0) & (rows < len(mask))
    taken: Array = mask[np.clip(rows, 0, len(mask) - 1), np.arange(mask.shape[1])]
    return taken & inside


def _goes_on(zone: Array, beyond: list[Array]) -> bool:
    """Whether an upright line extends above the upper line or below the lower one."""
    above, below = beyond
    return bool((zone[0] & above).any() or (zone[-1] & below).any())


def _band(shape: tuple[int, ...], top: float, bottom: float, slope: float) -> Array:
    """For each row of a straightened band, and each column, the row of the picture."""
    columns = np.arange(shape[1])
    shift = np.rint(slope * (columns - shape[1] / 2)).astype(int)
    return np.arange(round(top), round(bottom) + 1)[:, None] + shift


def _reaches_ends(pixels: Array) -> bool:
    """Whether a line from left to right has ink at its very ends."""
    covered: Array = np.asarray(pixels.any(axis=0))
    tenth = max(3, len(covered) // 10)
    return float(min(covered[:tenth].mean(), covered[-tenth:].mean())) >= _END_COVERS


def _no_strokes(
    down: list[Line], across: list[Line], rest: Array, ink: Array, usual: float
) -> list[Line]:
    """Those upright lines that are a ruling or a margin; all turned by 90°."""
    if not down or not rest.any():
        return []
    others = rest & ~zone_of(down, rest.shape)
    if not others.any():
        return []
    stroke = stroke_width(others.astype(np.float32))
    strength = max(usual, median(ink[others]))
    ruled = max((line.thickness for line in across), default=0.0) if len(across) > 1 else 0.0
    found = []
    for line in down:
        on: Array = line.zone & rest
        fainter = on.any() and median(ink[on]) < _FAINTER * strength
        thinner = line.thickness < max(_THINNER * stroke, 1.6 * ruled)
        if fainter or (thinner and _reaches_ends(on)):
            found.append(line)
    # Where most are, all are: what is written may hide one of a ruling.
    return down if len(down) > 2 and 2 * len(found) > len(down) else found


def _without_remains(mask: Array, across: list[Line], down: list[Line]) -> Array:
    """The ink without the corners and crossings of lines that were taken out."""
    zone = zone_of(across, mask.shape) | zone_of(down, mask.T.shape).T
    labels, count = label(mask, NEIGHBOURS)
    sizes = np.bincount(labels.ravel(), minlength=count + 1)
    inside = np.bincount(labels[maximum_filter(zone, 3)], minlength=count + 1)
    kept = inside <= _MOSTLY * sizes
    kept[0] = False
    return kept[labels]


def _without_boxes(mask: Array) -> Array:
    """The ink without frames around other ink and without long level bars."""
    labels, count = label(mask, NEIGHBOURS)
    kept = np.ones(count + 1, bool)
    kept[0] = False
    boxes = find_objects(labels)
    highest = max((rows.stop - rows.start for rows, _ in boxes), default=0)
    for number, (rows, columns) in enumerate(boxes, 1):
        window = labels[rows, columns]
        part = window == number
        long = part.shape[1] > _LONGER * highest and part.shape[0] < 0.25 * part.shape[1]
        if (long and is_bar(part)) or (_holds_others(window, number) and is_frame(part)):
            kept[number] = False
    return kept[labels]


def _holds_others(window: Array, number: int) -> bool:
    """Whether other ink lies in the middle of a part's box."""
    height, width = window.shape
    middle = window[height // 6 : height - height // 6, width // 6 : width - width // 6]
    return bool(((middle != 0) & (middle != number)).any())
