"""Finds straight lines in ink, and takes them out."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

Array = np.ndarray[Any, Any]

# So much of what a line has to cover is free of strokes that cross it.
_BARE = 0.6

_MOST_LINES = 40


class Line(NamedTuple):
    """A straight line from left to right.

    Parameters
    ----------
    zone : ndarray of bool, shape (height, width)
        Its pixels, and those beside it.
    thickness : float
        In pixels.
    middle : float
        Its upper edge's row in the middle of the picture.
    slope : float
        By how many rows it falls from column to column.
    """

    zone: Array
    thickness: float
    middle: float
    slope: float


def runs_down(mask: Array) -> tuple[Array, Array]:
    """How long the run of ink is in which each pixel lies, from top to bottom, and its first row.

    Parameters
    ----------
    mask : ndarray of bool, shape (height, width)

    Returns
    -------
    lengths, firsts : ndarray of int, shape (height, width)
        Lengths are 0 where there is no ink; first rows have no meaning there.
    """
    height = mask.shape[0]
    rows = np.arange(height)[:, None]
    firsts = np.maximum.accumulate(np.where(mask, -1, rows), axis=0) + 1
    lasts = np.minimum.accumulate(np.where(mask, height, rows)[::-1], axis=0)[::-1]
    return np.where(mask, lasts - firsts, 0), firsts


def level_lines(weak: Array, covers: float, steepest: float, thickest: float) -> list[Line]:
    """The straight lines through a mask from its left to its right.

    Parameters
    ----------
    weak : ndarray of bool, shape (height, width)
    covers : float
        Share of the width that a line has ink in at least.
    steepest : float
        Largest slope in pixels per pixel.
    thickest : float
        Largest thickness in pixels.

    Returns
    -------
    list of Line
    """
    height, width = weak.shape
    lengths, firsts = runs_down(weak)
    rows, columns = np.nonzero((lengths > 0) & (lengths <= thickest))
    tops = rows == firsts[rows, columns]
    rows, columns = rows[tops], columns[tops]
    thick = lengths[rows, columns]
    n_slopes = 2 * int(steepest * width / 1.5) + 1
    slopes = np.array(sorted(np.linspace(-steepest, steepest, n_slopes), key=abs))
    lines: list[Line] = []
    while len(lines) < _MOST_LINES and rows.size >= _BARE * covers * width:
        slope, middle = _strongest(rows, columns - width / 2, slopes)
        off = rows - slope * (columns - width / 2) - middle
        on = np.abs(off) <= 1.5
        down = np.arange(height)[:, None] - middle - slope * (np.arange(width) - width / 2)
        covered = (weak & (np.abs(down) <= 1.5)).any(axis=0)
        eighths = min(float(part.mean()) for part in np.array_split(covered, 8))
        if on.sum() < _BARE * covers * width:
            break
        thickness = float(np.median(thick[on]))
        if covered.mean() >= covers and eighths >= 0.2:
            zone = (down >= -2) & (down <= thickness + 1.5)
            lines.append(Line(zone, thickness, middle, slope))
            # Ruled lines are parallel, in perspective nearly so.
            slopes = slope + np.arange(-3, 4) * 1.5 / width
        beside = np.abs(off) > thickness + 2
        rows, columns, thick = rows[beside], columns[beside], thick[beside]
    return lines


def _strongest(rows: Array, columns: Array, slopes: Array) -> tuple[float, float]:
    """Slope and row in the middle of the line with most points, in two neighbouring rows."""
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
    """All the pixels on some lines.

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
