"""Cuts a line of digits into pieces, of which each digit has one or several."""

from __future__ import annotations

from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from scipy.ndimage import find_objects, label, maximum_filter

from .._pictures.binarization import NEIGHBOURS

Array = np.ndarray[Any, Any]

# Cost of a cut for each pixel that it moves sideways; ink costs 1 per pixel.
_SIDEWAYS = 1.2

# Parts at least so wide, in heights of a digit, may hold two.
_WIDE = 0.3

# Cuts are so far apart at least, in heights of a digit.
_APART = 0.1

# Cuts through more ink than this are none, in heights of a digit.
_MOST_INK = 0.8

# Each side of a cut holds this share of the height's square in ink at least.
_LEAST_INK = 0.012


class Pieces(NamedTuple):
    """Pieces of ink from left to right.

    Parameters
    ----------
    owners : ndarray of int, shape (height, width)
        Number of each pixel's piece, -1 where there is none.
    boxes : ndarray of int, shape (n_pieces, 4)
        Left, top, right and bottom of each.
    masses : ndarray of int, shape (n_pieces,)
        Number of pixels of each.
    parts : ndarray of int, shape (n_pieces,)
        Number of the part that each was cut from.
    cut_ink : ndarray of float, shape (n_pieces + 1,)
        How much ink was cut through, in heights of a digit, to have the first k pieces apart from
        the others.
    """

    owners: Array
    boxes: Array
    masses: Array
    parts: Array
    cut_ink: Array


class _Piece(NamedTuple):
    """Some pixels of a part, and what the cut between it and the part's next one costs."""

    part: int
    rows: Array
    columns: Array
    cost: float

    @property
    def box(self) -> tuple[int, int, int, int]:
        rows, columns = self.rows, self.columns
        return columns.min(), rows.min(), columns.max() + 1, rows.max() + 1


def oversegmented(labels: Array, amount: Array, height: float) -> Pieces:
    """Cut every part that may hold two digits wherever little ink is in the way.

    Over-segmentation: there are more cuts than digits, and the scores of the hypotheses decide
    which of them count [1]_.

    Parameters
    ----------
    labels : ndarray of int, shape (height, width)
        Number of each pixel's part, 0 where there is none.
    amount : ndarray of float32, shape (height, width)
        Ink from 0 to 1.
    height : float
        Height of the digits in pixels.

    Returns
    -------
    Pieces

    References
    ----------
    .. [1] R. G. Casey, E. Lecolinet, "A survey of methods and strategies in character
       segmentation", IEEE Transactions on Pattern Analysis and Machine Intelligence 18(7),
       690-706, 1996.
    """
    found: list[_Piece] = []
    for number, box in enumerate(find_objects(labels), 1):
        if box is not None:
            found += _pieces_of(labels[box] == number, amount[box], number, box, height)
    centres = [piece.box[0] + piece.box[2] for piece in found]
    places = np.argsort(np.argsort(centres, kind="stable"), kind="stable")
    cut_ink = np.zeros(len(found) + 1)
    for index, (left, right) in enumerate(pairwise(found)):
        if left.part == right.part:
            low, high = sorted((places[index], places[index + 1]))
            cut_ink[low + 1 : high + 1] += left.cost / height
    ordered = [found[index] for index in np.argsort(centres, kind="stable")]
    owners = np.full(labels.shape, -1)
    for place, piece in enumerate(ordered):
        owners[piece.rows, piece.columns] = place
    return Pieces(
        owners,
        np.array([piece.box for piece in ordered], int).reshape(-1, 4),
        np.array([piece.rows.size for piece in ordered], int),
        np.array([piece.part for piece in ordered], int),
        cut_ink,
    )


def _pieces_of(
    part: Array, amount: Array, number: int, box: tuple[slice, ...], height: float
) -> list[_Piece]:
    number_of, costs = cut(np.where(part, amount, 0), part, height)
    pieces = []
    for index, cost in enumerate([*costs, 0.0]):
        rows, columns = np.nonzero(part & (number_of == index))
        pieces.append(_Piece(number, rows + box[0].start, columns + box[1].start, cost))
    return pieces


def cut(amount: Array, part: Array, height: float) -> tuple[Array, list[float]]:
    """Cut one part from top to bottom.

    Parameters
    ----------
    amount : ndarray of float32, shape (n_rows, n_columns)
        Ink from 0 to 1.
    part : ndarray of bool, shape (n_rows, n_columns)
    height : float
        Height of the digits in pixels.

    Returns
    -------
    number_of : ndarray of int, shape (n_rows, n_columns)
        How many cuts are to the left of each pixel.
    costs : list of float
        Cost of each cut, from left to right: the ink that it crosses in pixels, and its turns.
    """
    number_of = np.zeros(part.shape, int)
    if part.shape[1] < _WIDE * height:
        return number_of, []
    inked = np.where(part, np.maximum(amount, 0.3), amount)
    total, back_up, back_down = _cheapest_paths(inked)
    columns = np.arange(part.shape[1])
    costs: list[float] = []
    for middle in _candidates(total, height):
        path = _path(back_up, back_down, middle)
        right = columns[None, :] >= path[:, None]
        later = number_of + right
        masses = np.bincount(later[part], minlength=len(costs) + 2)
        if masses[-2:].min() < _LEAST_INK * height**2:
            continue
        number_of = later
        costs.append(float(total[middle]))
    return number_of, costs


def _candidates(total: Array, height: float) -> list[int]:
    """Where cuts cross the middle: the cheapest places, at some distance from each other."""
    apart = max(3, round(_APART * height))
    chosen: list[int] = []
    for middle in np.argsort(total, kind="stable").tolist():
        if total[middle] > _MOST_INK * height:
            break
        if not apart <= middle < len(total) - apart:
            continue
        if all(abs(middle - other) >= apart for other in chosen):
            chosen.append(middle)
    return sorted(chosen)


def _cheapest_paths(inked: Array) -> tuple[Array, Array, Array]:
    """Cost of the cheapest path from top to bottom through each column of the middle row.

    Dynamic programming from the middle row to the top and to the bottom, by a column at most from
    row to row.

    Returns
    -------
    total : ndarray of float, shape (n_columns,)
    back_up, back_down : ndarray of int
        For each row away from the middle, and each column there, the previous column of the path.
    """
    middle = inked.shape[0] // 2
    up, back_up = _swept(inked[: middle + 1])
    down, back_down = _swept(inked[middle:][::-1])
    return up + down - inked[middle], back_up, back_down


def _swept(inked: Array) -> tuple[Array, Array]:
    """Cost of the cheapest path from the first row to each column of the last one."""
    n_rows, n_columns = inked.shape
    cost = inked[0].astype(float)
    back = np.zeros((n_rows, n_columns), int)
    columns = np.arange(n_columns)
    for row in range(1, n_rows):
        padded = np.pad(cost, 1, constant_values=np.inf)
        costs = np.stack([padded[1:-1], padded[:-2] + _SIDEWAYS, padded[2:] + _SIDEWAYS])
        best = costs.argmin(axis=0)
        back[row] = columns + np.array([0, -1, 1])[best]
        cost = costs[best, columns] + inked[row]
    return cost, back


def _path(back_up: Array, back_down: Array, middle: int) -> Array:
    """The column at which a cut passes each row."""
    halves = []
    for back in (back_up, back_down):
        column, columns = middle, []
        for row in range(len(back) - 1, -1, -1):
            columns.append(column)
            column = int(back[row, column])
        halves.append(columns)
    return np.array(halves[0][::-1] + halves[1][1:])


def with_fringe(owners: Array, amount: Array) -> Array:
    """Owners of the fringe too: pixels with some ink that touch a piece."""
    nearest = maximum_filter(owners, footprint=NEIGHBOURS)
    return np.where((owners < 0) & (amount > 0), nearest, owners)


def labelled(mask: Array) -> Array:
    """Numbers of the connected parts, across gaps of a pixel or two."""
    return label(maximum_filter(mask, 3), NEIGHBOURS)[0] * mask
