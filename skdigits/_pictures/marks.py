"""Takes out what is no handwriting: frames, ruled lines, the edge of the page."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from scipy.ndimage import distance_transform_edt, label, maximum_filter, minimum_filter

from .background import border_of
from .binarization import NEIGHBOURS
from .stroke_width import stroke_width

Array = np.ndarray[Any, Any]

# Ruled lines are looked for in pictures with at least so many pixels a side.
_SMALLEST_RULED = 40

# Slopes of lines, in pixels per pixel: up to seven degrees, the most likely ones first.
_SLOPES = np.array(sorted(np.linspace(-0.12, 0.12, 49), key=abs))

# A line covers so much of the picture's width.
_LINE_COVERS = 0.55

_MOST_LINES = 40

# Hairs are not thicker, in pixels of the 160 or so that a picture is looked at in.
_THICKEST_HAIR = 2

# Strokes that are thick enough to tell hairs from them make up so much of the ink.
_MOSTLY = 0.6

# So many parallel lines are no strokes of a digit.
_RULING = 3


class _Line(NamedTuple):
    """A straight line through a mask: its pixels, its thickness."""

    pixels: Array
    thickness: float


def without_rules(mask: Array) -> Array:
    """The mask without lines that run through the whole picture.

    Lines are found by projecting the ink along a few slopes, as the Hough transform does [1]_.
    Where a stroke crosses a line the crossing is kept, as in the removal of staff lines from
    music. A single line that carries the rest of the ink, as the bar of a 7 or the stem of a 4
    does in a tightly cropped picture, is left.

    Parameters
    ----------
    mask : ndarray of bool, shape (height, width)

    Returns
    -------
    ndarray of bool, shape (height, width)

    References
    ----------
    .. [1] R. O. Duda, P. E. Hart, "Use of the Hough transformation to detect lines and curves in
       pictures", Communications of the ACM 15(1), 11-15, 1972.
    """
    if min(mask.shape) < _SMALLEST_RULED or not _crossed(mask):
        return mask
    rest, across = _stripped(mask)
    turned, down = _stripped(rest.T)
    rest = turned.T
    if not rest.any():
        return mask
    kept = _strokes_among(across, rest) | _strokes_among(down, turned, beside=True).T
    return rest | kept


def _crossed(mask: Array) -> bool:
    """Whether ink reaches two opposite sides of the picture, nearly."""
    depth = max(1, min(mask.shape) // 20)
    sides = (mask[:depth], mask[-depth:], mask[:, :depth], mask[:, -depth:])
    top, bottom, left, right = (bool(side.any()) for side in sides)
    return (top and bottom) or (left and right)


def _stripped(mask: Array) -> tuple[Array, list[_Line]]:
    """The mask without its lines from left to right, with these lines."""
    lines: list[_Line] = []
    rest, slopes = mask.copy(), _SLOPES
    while len(lines) < _MOST_LINES:
        slope, row = _strongest(rest, slopes)
        line = None if row is None else _line_at(rest, slope, row)
        if line is None:
            break
        lines.append(line)
        rest &= ~line.pixels
        # Ruled lines are parallel, in perspective nearly so.
        slopes = slope + np.array([0, -0.01, 0.01])
    return rest, lines


def _strongest(mask: Array, slopes: Array) -> tuple[float, int | None]:
    """Slope of the line with the most ink on it, and its row in the middle of the picture."""
    # The upper edge of a line tells as much as all of it, with far fewer pixels.
    edge = mask.copy()
    edge[1:] &= ~mask[:-1]
    rows, columns = np.nonzero(edge)
    width = mask.shape[1]
    best, best_slope, peak = 0.0, 0.0, 0
    if rows.size < _LINE_COVERS * width:
        return 0.0, None
    for slope in slopes:
        counts = np.bincount(np.rint(rows - slope * (columns - width / 2)).astype(int) + width)
        if counts.max() > 1.05 * best:
            best, best_slope, peak = float(counts.max()), float(slope), int(counts.argmax())
    return best_slope, peak - width if best >= _LINE_COVERS * width else None


def _line_at(mask: Array, slope: float, row: int) -> _Line | None:
    """The line of that slope through that row in the middle, unless it is no thin one."""
    height, width = mask.shape
    columns = np.arange(width)
    centre = row + slope * (columns - width / 2)
    reach = max(3, height // 12)
    offsets = np.arange(-reach, reach + 1)
    rows = np.rint(centre[None, :] + offsets[:, None]).astype(int)
    inside = (rows >= 0) & (rows < height)
    band = mask[np.clip(rows, 0, height - 1), columns[None, :]] & inside
    eighths = np.array_split(band, 8, axis=1)
    thick = np.min([part.mean(axis=1) for part in eighths], axis=0) > 0.25
    top = bottom = reach
    while top > 0 and thick[top - 1]:
        top -= 1
    while bottom < 2 * reach and thick[bottom + 1]:
        bottom += 1
    thickness = bottom - top + 1
    if thickness >= reach or _least(band[top : bottom + 1].any(axis=0)) < 0.3:
        return None
    # One more pixel on either side for the fringe; where there is more ink, a stroke passes.
    above, below = max(top - 1, 0), min(bottom + 1, 2 * reach)
    passes = band[max(above - 2, 0) : below + 3].sum(axis=0) >= thickness + 2
    part = band[above : below + 1] & ~passes
    pixels = np.zeros_like(mask)
    taken, where = np.nonzero(part)
    pixels[rows[above + taken, where], where] = True
    if not taken.size:
        return None
    return _Line(pixels, float(thickness))


def _least(covered: Array) -> float:
    """The share of columns covered in that eighth of the picture where it is least."""
    return min(float(part.mean()) for part in np.array_split(covered, 8))


def _strokes_among(lines: list[_Line], rest: Array, beside: bool = False) -> Array:
    """Pixels of those lines from left to right that look like strokes of what is written.

    Three lines are a ruling in any case. One or two have to be much thinner than the strokes, or
    to go on to both sides of them, or, if that doesn't suffice, to lie beside them.
    """
    strokes = np.zeros_like(rest)
    if len(lines) >= _RULING:
        return strokes
    thickness = stroke_width(rest.astype(np.float32))
    along_rest = np.flatnonzero(rest.any(axis=0))
    slack = 0.08 * rest.shape[1]
    _, n_apart = label(rest, NEIGHBOURS)
    for line in lines:
        along = np.flatnonzero(line.pixels.any(axis=0))
        goes_on = along[0] < along_rest[0] - slack and along[-1] > along_rest[-1] + slack
        if beside:
            goes_on = goes_on and label(rest | line.pixels, NEIGHBOURS)[1] > n_apart
        if not goes_on and line.thickness > 0.5 * thickness:
            strokes |= line.pixels
    return strokes


def without_hairs(mask: Array) -> Array:
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
    side = min(int(0.45 * thickness), _THICKEST_HAIR + 1)
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
