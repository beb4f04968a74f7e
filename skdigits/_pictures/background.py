"""Measures how far each pixel stands out from the paper around it."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from scipy.ndimage import grey_closing, grey_opening, uniform_filter

Array = np.ndarray[Any, Any]

# The surface of the paper is fitted to so many points each way.
_POINTS = 32

# Spread of brightness along the border from which on the light is taken for uneven.
_UNEVEN = 0.02

# Deviation at which a point still counts as paper, in multiples of the paper's own noise.
_TOLERANCE = 3.0

# Bins of the histogram for Otsu's threshold.
_BINS = 64

# Quantiles are taken among so many values, which is more than enough.
_FEW = 2000


class Contrast(NamedTuple):
    """How far pixels stand out from the paper.

    Parameters
    ----------
    ink : ndarray of float32, shape (height, width)
        0 for paper, up to 1 for black on white or white on black.
    noise : float
        Standard deviation of the paper's own grain, in the same unit.
    dark : bool
        Whether the ink is darker than the paper.
    """

    ink: Array
    noise: float
    dark: bool


def contrast(brightness: Array) -> Contrast:
    """How far pixels stand out from the paper, whichever of the two is the brighter.

    The paper is what lies along the picture's border; ink is on the side of it on which the
    larger deviations are. Dark ink takes away a share of the light that falls on the paper, so
    that it is measured as such a share.

    Parameters
    ----------
    brightness : ndarray of float32, shape (height, width)

    Returns
    -------
    Contrast
    """
    surface = paper_surface(brightness)
    deviation = brightness - surface
    noise = _grain(deviation)
    beyond = np.maximum(np.abs(deviation) - _TOLERANCE * noise - 0.02, 0)
    energy = float((np.square(beyond) * np.sign(deviation)).sum())
    return _measured(deviation, surface, noise, dark=energy <= 0)


def local_contrast(brightness: Array) -> Contrast:
    """How far thin things stand out from what is around them, in shadows with sharp edges too.

    This is the top-hat transform: what a closing by a square as wide as a third of the picture
    fills up [1]_. Nothing that is wider than the square is left.

    Parameters
    ----------
    brightness : ndarray of float32, shape (height, width)

    Returns
    -------
    Contrast

    References
    ----------
    .. [1] F. Meyer, "Iterative image transformations for an automatic screening of cervical
       smears", Journal of Histochemistry and Cytochemistry 27(1), 128-135, 1979.
    """
    smooth = uniform_filter(brightness, 3, mode="nearest")
    size = (max(3, min(brightness.shape) // 3),) * 2
    closed, opened = grey_closing(smooth, size), grey_opening(smooth, size)
    # Shadows fall on paper, which is mostly the brighter one; inside of loops counts for less.
    dark = 2 * float(np.square(closed - smooth).sum()) >= float(np.square(smooth - opened).sum())
    surface = closed if dark else opened
    surface = surface + np.float32(median(brightness - surface))
    deviation = brightness - surface
    return _measured(deviation, surface, _grain(deviation), dark)


def _measured(deviation: Array, surface: Array, noise: float, dark: bool) -> Contrast:
    if dark:
        deviation = -deviation / np.maximum(surface, 0.1)
        noise /= max(float(surface.mean()), 0.1)
    return Contrast(np.maximum(deviation, 0), noise, dark)


def _likely_paper(brightness: Array, border: Array) -> Array:
    """The border's brighter or darker pixels, whichever there are more of in all the picture."""
    threshold = otsu(brightness)
    bright = border > threshold
    paper_is_bright = float(bright.mean()) + float((brightness > threshold).mean()) > 1
    paper = border[bright == paper_is_bright]
    return paper if paper.size else border


def _grain(deviation: Array) -> float:
    """The noise of the paper, which a large or blurred digit shall not be taken for."""
    step = max(1, min(deviation.shape) // 50)
    off = np.abs(deviation[::step, ::step])
    everywhere = median(off[off <= 0.5 * off.max()])
    along_border = median(np.abs(border_of(deviation)))
    # Neighbours differ by noise alone, but for edges; in a photograph they are alike.
    rows = deviation[::step]
    between = 3 * median(np.abs(rows[:, 1:] - rows[:, :-1]))
    return 1.4826 * min(everywhere, along_border, between)


def paper_surface(brightness: Array) -> Array:
    """The brightness that the paper has, or would have, at each pixel.

    The median along the border where the light is even. Elsewhere a surface of second degree that
    starts from that median and is fitted again and again to the points close to it, so that ink
    doesn't pull it.

    Parameters
    ----------
    brightness : ndarray of float32, shape (height, width)

    Returns
    -------
    ndarray of float32, shape (height, width)
    """
    border = border_of(brightness)
    low, high = quantiles(border, 0.1, 0.9)
    paper = border if high - low < _UNEVEN else _likely_paper(brightness, border)
    lower, middle, upper = quantiles(paper, 0.25, 0.5, 0.75)
    if upper - lower < _UNEVEN:
        return np.full_like(brightness, middle)
    height, width = brightness.shape
    rows = np.linspace(0, height - 1, min(height, _POINTS)).round().astype(int)
    columns = np.linspace(0, width - 1, min(width, _POINTS)).round().astype(int)
    smooth = (
        uniform_filter(brightness, 3, mode="nearest") if min(height, width) > 48 else brightness
    )
    points = smooth[np.ix_(rows, columns)]
    terms = _terms(rows / max(height - 1, 1), columns / max(width - 1, 1))
    coefficients = np.zeros(6)
    coefficients[0] = middle
    tolerance = 0.5 * (high - low)
    for degree in (3, 3, 6, 6, 6):
        off = np.abs(np.tensordot(coefficients, terms, 1) - points)
        near = off <= max(tolerance, 0.02)
        if near.sum() < 20:
            break
        used = terms[:degree, near]
        gram = used @ used.T + 1e-4 * near.sum() * np.diag([0, 0, 0, 1, 1, 1])[:degree, :degree]
        coefficients[:degree] = np.linalg.solve(gram, used @ points[near])
        off = np.abs(np.tensordot(coefficients, terms, 1) - points)
        tolerance = _TOLERANCE * 1.4826 * median(off[near])
    return _surface(coefficients.astype(np.float32), height, width)


def quantiles(values: Array, *shares: float) -> list[float]:
    """The values below which these shares of all lie, nearly; quicker than NumPy's own.

    Parameters
    ----------
    values : ndarray of float, of any shape
        Of large arrays every few values are looked at.
    *shares : float
        From 0 to 1.

    Returns
    -------
    list of float
    """
    few = values.ravel()[:: max(1, values.size // _FEW) | 1]
    # Sorting is quicker than partitioning where many values are equal, as on blank paper.
    ordered = np.sort(few)
    return [float(ordered[round(share * (few.size - 1))]) for share in shares]


def median(values: Array) -> float:
    """The value in the middle.

    Parameters
    ----------
    values : ndarray of float, of any shape

    Returns
    -------
    float
    """
    return quantiles(values, 0.5)[0]


def otsu(values: Array) -> float:
    """The threshold between two groups of values with the largest variance between the groups.

    Parameters
    ----------
    values : ndarray of float32, shape (n,)

    Returns
    -------
    float
        Half of the values' mean if they are all alike.
    """
    low, high = float(values.min()), float(values.max())
    if high - low < 0.1 * high:
        return 0.5 * (low + high) / 2
    # np.histogram takes several times as long.
    places = ((values - low) * (_BINS / (high - low))).astype(np.intp)
    counts = np.bincount(np.minimum(places.ravel(), _BINS - 1), minlength=_BINS)
    edges = np.linspace(low, high, _BINS + 1)
    centres = (edges[:-1] + edges[1:]) / 2
    below = np.cumsum(counts)[:-1]
    above = values.size - below
    sums = np.cumsum(counts * centres)
    means_below = sums[:-1] / np.maximum(below, 1)
    means_above = (sums[-1] - sums[:-1]) / np.maximum(above, 1)
    between = below * above * np.square(means_above - means_below)
    # The middle of the best ones: an empty stretch between the groups has many.
    best = np.flatnonzero(between >= between.max() * (1 - 1e-9))
    return float(edges[1:-1][best].mean())


def border_of(values: Array) -> Array:
    """The outermost pixels, about a twentieth of each side, in one row."""
    height, width = values.shape[:2]
    rows, columns = max(1, height // 20), max(1, width // 20)
    parts = (
        values[:rows],
        values[-rows:],
        values[rows:-rows, :columns],
        values[rows:-rows, -columns:],
    )
    return np.concatenate([part.ravel() for part in parts])


def _surface(coefficients: Array, height: int, width: int) -> Array:
    """The surface with these coefficients of the six terms, at every pixel."""
    constant, x1, y1, x2, xy, y2 = coefficients
    y = np.linspace(-1, 1, height, dtype=np.float32)[:, None]
    x = np.linspace(-1, 1, width, dtype=np.float32)
    return (constant + y1 * y + y2 * y * y) + (x1 * x + x2 * x * x) + xy * y * x


def _terms(rows: Array, columns: Array) -> Array:
    """The six terms of a surface of second degree; rows and columns from 0 to 1."""
    y, x = np.meshgrid(2 * rows - 1, 2 * columns - 1, indexing="ij")
    return np.stack([np.ones_like(x), x, y, x * x, x * y, y * y])
