"""Finds straight lines in ink: ruled lines, frames, bars, the page's edge. Takes them out."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from scipy.ndimage import (
    distance_transform_edt,
    label,
    maximum_filter,
    minimum_filter,
)

from .background import border_of
from .binarization import NEIGHBOURS
from .stroke_width import stroke_width

Array = np.ndarray[Any, Any]

# At least this share of the columns that a line has to cover is not crossed by strokes.
_BARE = 0.6

# In each eighth of the width a line covers at least this share of the columns.
_EIGHTH_COVERS = 0.2

_MOST_LINES = 40

# Ruled lines are looked for in pictures with at least so many pixels a side.
_SMALLEST_RULED = 40

# A ruled line covers this share of the width, and is at most as steep as this, in pixels per
# pixel, which is seven degrees.
_RULE_COVERS, _RULE_STEEPEST = 0.55, 0.12

# Share of the columns in which one row of a ruled line has ink.
_SOLID = 0.5

# Ruled lines are thinner than this share of the height.
_RULE_THICKNESS = 1 / 12

# So many parallel lines are no strokes of a digit.
_RULING = 3

# Hairlines are not thicker, in pixels of the 160 or so that a picture is analysed in.
_THICKEST_HAIRLINE = 2

# Strokes that are thick enough to tell hairlines from them make up this share of the ink.
_MOSTLY = 0.6


class Line(NamedTuple):
    """A straight line from left to right.

    Parameters
    ----------
    zone : ndarray of bool, shape (height, width)
        Its pixels and those next to it.
    thickness : float
        In pixels.
    middle : float
        Row of its upper edge in the middle of the picture.
    slope : float
        Rows per column; positive if it falls to the right.
    """

    zone: Array
    thickness: float
    middle: float
    slope: float


def runs_down(mask: Array) -> tuple[Array, Array]:
    """Vertical run of ink that each pixel lies in.

    Parameters
    ----------
    mask : ndarray of bool, shape (height, width)

    Returns
    -------
    lengths, firsts : ndarray of int, shape (height, width)
        Length and first row of the run. Lengths are 0 where there is no ink; first rows have no
        meaning there.
    """
    height = mask.shape[0]
    rows = np.arange(height)[:, None]
    firsts = np.maximum.accumulate(np.where(mask, -1, rows), axis=0) + 1
    lasts = np.minimum.accumulate(np.where(mask, height, rows)[::-1], axis=0)[::-1]
    return np.where(mask, lasts - firsts, 0), firsts


def level_lines(
    mask: Array, min_coverage: float, max_slope: float, max_thickness: float
) -> list[Line]:
    """Straight lines from the left to the right side of a mask.

    Lines are found by projecting the upper edges of thin vertical runs along a few slopes, as the
    Hough transform does [1]_, the strongest line first.

    Parameters
    ----------
    mask : ndarray of bool, shape (height, width)
    min_coverage : float
        Smallest share of the columns in which a line has ink.
    max_slope : float
        In pixels per pixel.
    max_thickness : float
        In pixels.

    Returns
    -------
    list of Line

    References
    ----------
    .. [1] R. O. Duda, P. E. Hart, "Use of the Hough transformation to detect lines and curves in
       pictures", Communications of the ACM 15(1), 11-15, 1972.
    """
    height, width = mask.shape
    lengths, firsts = runs_down(mask)
    rows, columns = np.nonzero((lengths > 0) & (lengths <= max_thickness))
    tops = rows == firsts[rows, columns]
    rows, columns = rows[tops], columns[tops]
    thick = lengths[rows, columns]
    n_slopes = 2 * int(max_slope * width / 1.5) + 1
    slopes = np.array(sorted(np.linspace(-max_slope, max_slope, n_slopes), key=abs))
    lines: list[Line] = []
    while len(lines) < _MOST_LINES and rows.size >= _BARE * min_coverage * width:
        slope, middle = _strongest(rows, columns - width / 2, slopes)
        off = rows - slope * (columns - width / 2) - middle
        on = np.abs(off) <= 1.5
        if on.sum() < _BARE * min_coverage * width:
            break
        down = np.arange(height)[:, None] - middle - slope * (np.arange(width) - width / 2)
        covered = (mask & (np.abs(down) <= 1.5)).any(axis=0)
        eighths = min(float(part.mean()) for part in np.array_split(covered, 8))
        thickness = float(np.median(thick[on]))
        if covered.mean() >= min_coverage and eighths >= _EIGHTH_COVERS:
            zone = (down >= -2) & (down <= thickness + 1.5)
            lines.append(Line(zone, thickness, middle, slope))
            # Ruled lines are parallel, in perspective nearly so.
            slopes = slope + np.arange(-3, 4) * 1.5 / width
        beside = np.abs(off) > thickness + 2
        rows, columns, thick = rows[beside], columns[beside], thick[beside]
    return lines


def _strongest(rows: Array, columns: Array, slopes: Array) -> tuple[float, float]:
    """Slope, and row in the middle, of the line with most points in two neighbouring rows."""
    best, found = -1, (0.0, 0.0)
    for slope in slopes:
        places = np.rint(rows - slope * columns).astype(int)
        least = int(places.min())
        counts = np.bincount(places - least, minlength=2)
        pairs = counts[:-1] + counts[1:]
        if pairs.max() > 1.02 * best:
            best = int(pairs.max())
            found = float(slope), least + int(pairs.argmax()) + 0.5
    return found


def without_lines(mask: Array, lines: list[Line]) -> Array:
    """The ink without some lines, but with the strokes that cross them.

    Where a vertical run of ink is longer than the line is thick, a stroke crosses the line and is
    kept, as in the removal of staff lines from music.

    Parameters
    ----------
    mask : ndarray of bool, shape (height, width)
    lines : list of Line

    Returns
    -------
    ndarray of bool, shape (height, width)
    """
    rest = mask
    for line in lines:
        lengths, _ = runs_down(rest)
        rest = rest & ~(line.zone & (lengths <= line.thickness + 2))
    return rest


def zone_of(lines: list[Line], shape: tuple[int, ...]) -> Array:
    """Union of the zones of some lines.

    Parameters
    ----------
    lines : list of Line
    shape : (height, width) : tuple of int

    Returns
    -------
    ndarray of bool, shape (height, width)
    """
    zone = np.zeros(shape, bool)
    for line in lines:
        zone |= line.zone
    return zone


def without_rules(mask: Array) -> Array:
    """The mask without lines that run through the whole picture.

    A single line that carries the rest of the ink, as the bar of a 7 or the stem of a 4 does in a
    tightly cropped picture, is kept.

    Parameters
    ----------
    mask : ndarray of bool, shape (height, width)

    Returns
    -------
    ndarray of bool, shape (height, width)
    """
    if min(mask.shape) < _SMALLEST_RULED or not _reaches_opposite_sides(mask):
        return mask
    across = _rules(mask)
    without_across = without_lines(mask, across)
    down = _rules(without_across.T)
    rest = without_lines(without_across.T, down).T
    if not rest.any():
        return mask
    kept = _strokes_among(across, mask, rest)
    kept |= _strokes_among(down, without_across.T, rest.T, beside=True).T
    return rest | kept


def _rules(mask: Array) -> list[Line]:
    max_thickness = max(3, len(mask) * _RULE_THICKNESS)
    lines = level_lines(mask, _RULE_COVERS, _RULE_STEEPEST, max_thickness)
    return [line for line in lines if _is_solid(mask, line)]


def _is_solid(mask: Array, line: Line) -> bool:
    """Whether one row of a line has ink in many columns, which rows of noise have not."""
    columns = np.arange(mask.shape[1])
    centre = line.middle + line.slope * (columns - mask.shape[1] / 2)
    offsets = np.arange(-1, int(line.thickness) + 2)[:, None]
    # The middle lies between two rows.
    rows = np.clip(np.floor(centre + offsets).astype(int), 0, len(mask) - 1)
    return bool(mask[rows, columns].mean(axis=1).max() >= _SOLID)


def _reaches_opposite_sides(mask: Array) -> bool:
    """Whether ink lies at two opposite sides of the picture, nearly."""
    depth = max(1, min(mask.shape) // 20)
    sides = (mask[:depth], mask[-depth:], mask[:, :depth], mask[:, -depth:])
    top, bottom, left, right = (bool(side.any()) for side in sides)
    return (top and bottom) or (left and right)


def _strokes_among(lines: list[Line], mask: Array, rest: Array, beside: bool = False) -> Array:
    """Pixels of those lines from left to right that look like strokes of the writing.

    Three lines are a ruling in any case. One or two have to be much thinner than the strokes, or
    to continue on both sides of them, or, if that doesn't suffice, to lie beside them or at the
    picture's edge.
    """
    strokes = np.zeros_like(rest)
    if len(lines) >= _RULING:
        return strokes
    thickness = stroke_width(rest.astype(np.float32))
    along_rest = np.flatnonzero(rest.any(axis=0))
    slack = 0.08 * rest.shape[1]
    _, n_apart = label(rest, NEIGHBOURS)
    for line in lines:
        pixels = mask & ~without_lines(mask, [line])
        along = np.flatnonzero(pixels.any(axis=0))
        if not along.size:
            continue
        at_edge = line.middle < 2 or line.middle + line.thickness > len(mask) - 2
        beyond = 0 if at_edge else slack
        continues = along[0] < along_rest[0] - beyond and along[-1] > along_rest[-1] + beyond
        if beside and not at_edge:
            continues = continues and label(rest | pixels, NEIGHBOURS)[1] > n_apart
        if not continues and line.thickness > 0.5 * thickness:
            strokes |= pixels
    return strokes


def without_hairlines(mask: Array) -> Array:
    """The mask without lines to the picture's border that are far thinner than its strokes.

    Parameters
    ----------
    mask : ndarray of bool, shape (height, width)

    Returns
    -------
    ndarray of bool, shape (height, width)
    """
    if min(mask.shape) < _SMALLEST_RULED or not border_of(mask).any():
        return mask
    padded = np.pad(mask, 1, mode="edge")
    thickness = 2 * float(distance_transform_edt(padded).max())
    side = min(int(0.45 * thickness), _THICKEST_HAIRLINE + 1)
    if side < 2:
        return mask
    thick = maximum_filter(minimum_filter(padded, side), side)[1:-1, 1:-1]
    # Strokes end inside the picture, unless it was cut out tightly.
    if border_of(thick).any():
        return mask
    thick = maximum_filter(thick, 2 * (side // 2) + 1) & mask
    if thick.sum() < _MOSTLY * mask.sum():
        return mask
    labels, count = label(mask & ~thick, NEIGHBOURS)
    hairs = np.zeros(count + 1, bool)
    edge = max(1, min(mask.shape) // 8)
    for near_border in (labels[:edge], labels[-edge:], labels[:, :edge], labels[:, -edge:]):
        hairs[near_border] = True
    hairs[0] = False
    rest = mask & ~hairs[labels]
    rows, columns = np.nonzero(thick)
    if rows.size == 0 or max(np.ptp(rows), np.ptp(columns)) < 0.25 * min(mask.shape):
        return mask
    return rest


def is_frame(part: Array) -> bool:
    """Whether a connected part is a box drawn around something.

    Parameters
    ----------
    part : ndarray of bool, shape (height, width)
        Cut out so that it touches all four sides.

    Returns
    -------
    bool
    """
    height, width = part.shape
    if min(height, width) < 12:
        return False
    depth = max(2, round(0.12 * min(height, width)))
    middle = part[depth:-depth, depth:-depth]
    outside = int(part.sum()) - int(middle.sum())
    flat = (part[:depth].any(axis=0), part[-depth:].any(axis=0))
    upright = (part[:, :depth].any(axis=1), part[:, -depth:].any(axis=1))
    covered = sorted(float(side.mean()) for side in flat + upright)
    return outside > 0.9 * part.sum() and covered[1] > 0.85 and covered[0] > 0.6


def is_bar(part: Array) -> bool:
    """Whether a connected part is one straight stroke, much longer than thick.

    Parameters
    ----------
    part : ndarray of bool, shape (height, width)
        Cut out so that it touches all four sides.

    Returns
    -------
    bool
    """
    height, width = part.shape
    length = max(height, width)
    thickness = float(part.sum()) / length
    return min(height, width) < max(2.5 * thickness, 0.12 * length) and length > 5 * thickness
