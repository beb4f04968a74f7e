"""Segmentation hypotheses, their scores and the best path through them."""

from __future__ import annotations

from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from .._pictures.mnist_form import to_form
from .segmentation import Pieces

Array = np.ndarray[Any, Any]

# A digit has so many pieces at most.
_MOST_PIECES = 14

# No digit is wider, in heights of a digit, unless it is one piece.
_WIDEST = 1.5

# No digit is lower, in heights of a digit; commas are.
_LOWEST = 0.4

# Lower bound of log probabilities: some digits are badly written.
_LEAST = -7.0

# Limit of the log-odds of being one whole digit. Whole digits have positive scores, since the
# best path would be that of the fewest digits otherwise.
_MOST_ODDS = 4.0

# Costs, subtracted from the scores. Lengths are in heights of a digit.
# Ink that was cut through, and any cut:
_CUT = 2.0
_CUT_AT_ALL = 0.5
# Paper inside a digit:
_GAP = 25.0
# Two tall parts in one digit that don't overlap:
_TWO_TALL = 3.0
# Height that a digit lacks:
_LOW = 8.0
_LOW_FROM = 0.75
# Width that a digit has too much:
_WIDE = 10.0
_WIDE_FROM = 0.95
# Pieces that are left out, each and by their height:
_LEFT_OUT = 2.0
_LEFT_OUT_HEIGHT = 12.0


class Hypothesis(NamedTuple):
    """The pieces from `start` to before `stop` as one digit, with the cost of its shape."""

    start: int
    stop: int
    cost: float
    box: tuple[int, int, int, int]
    form: Array


def segment_hypotheses(
    pieces: Pieces, amount: Array, owners: Array, height: float
) -> list[Hypothesis]:
    """Every run of neighbouring pieces that may be a digit.

    Parameters
    ----------
    pieces : Pieces
    amount : ndarray of float32, shape (height, width)
        Ink from 0 to 1.
    owners : ndarray of int, shape (height, width)
        Number of each pixel's piece, the fringe included; -1 where there is none.
    height : float
        Height of the digits in pixels.

    Returns
    -------
    list of Hypothesis
    """
    found = []
    n_pieces = len(pieces.boxes)
    for start in range(n_pieces):
        for stop in range(start + 1, min(start + _MOST_PIECES, n_pieces) + 1):
            boxes = pieces.boxes[start:stop]
            left, top = boxes[:, :2].min(axis=0).tolist()
            right, bottom = boxes[:, 2:].max(axis=0).tolist()
            if stop - start > 1 and right - left > _WIDEST * height:
                continue
            cost = _cost(pieces, start, stop, height)
            if cost > -_LEAST or bottom - top < _LOWEST * height:
                continue
            window = slice(max(top - 1, 0), bottom + 1), slice(max(left - 1, 0), right + 1)
            owner = owners[window]
            own = np.where((owner >= start) & (owner < stop), amount[window], 0)
            if not (own > 0.3).any():
                continue
            found.append(Hypothesis(start, stop, cost, (left, top, right, bottom), to_form(own)))
    return found


def _cost(pieces: Pieces, start: int, stop: int, height: float) -> float:
    """Cost of the shape of some pieces as one digit."""
    boxes = pieces.boxes[start:stop]
    low = _LOW_FROM - (boxes[:, 3].max() - boxes[:, 1].min()) / height
    wide = (boxes[:, 2].max() - boxes[:, 0].min()) / height - _WIDE_FROM
    cost = _LOW * max(low, 0.0) + _WIDE * max(wide, 0.0)
    order = np.argsort(boxes[:, 0])
    edge = boxes[order[0], 2]
    for index in order[1:]:
        cost += _GAP * max(boxes[index, 0] - edge, 0) / height
        edge = max(edge, boxes[index, 2])
    parts = pieces.parts[start:stop]
    tall = []
    for part in np.unique(parts):
        own = boxes[parts == part]
        if own[:, 3].max() - own[:, 1].min() > 0.6 * height:
            tall.append((own[:, 0].min(), own[:, 2].max()))
    tall.sort()
    for (left, end), (begin, right) in pairwise(tall):
        if end - begin < 0.5 * min(end - left, right - begin):
            cost += _TWO_TALL
    return float(cost)


def hypothesis_scores(probabilities: Array, log_odds: Array) -> Array:
    """Scores of hypotheses, as digits.

    Parameters
    ----------
    probabilities : ndarray of float, shape (n_hypotheses,)
        Probability of the predicted digit, given that the hypothesis is a digit.
    log_odds : ndarray of float, shape (n_hypotheses,)
        Log-odds that it is one whole digit.

    Returns
    -------
    ndarray of float, shape (n_hypotheses,)
    """
    read = np.maximum(np.log(np.maximum(probabilities, 1e-9)), _LEAST)
    whole: Array = np.maximum(-np.logaddexp(0, -log_odds), _LEAST)
    return read + whole + np.clip(log_odds, -_MOST_ODDS, _MOST_ODDS)


def best_path(pieces: Pieces, found: list[Hypothesis], scores: Array, height: float) -> list[int]:
    """The hypotheses that explain the line best, from left to right.

    The best path through the lattice of cuts, by dynamic programming [1]_; pieces may be left out
    at a cost.

    Parameters
    ----------
    pieces : Pieces
    found : list of Hypothesis
    scores : ndarray of float, shape (n_hypotheses,)
        From `hypothesis_scores`.
    height : float
        Height of the digits in pixels.

    Returns
    -------
    list of int
        Their places in the list.

    References
    ----------
    .. [1] Y. LeCun, L. Bottou, Y. Bengio, P. Haffner, "Gradient-based learning applied to
       document recognition", Proceedings of the IEEE 86(11), 2278-2324, 1998, section V.
    """
    n_pieces = len(pieces.boxes)
    best = np.full(n_pieces + 1, -np.inf)
    best[0] = 0
    back: list[tuple[int, int]] = [(0, -1)] * (n_pieces + 1)
    between = _CUT * pieces.cut_ink + _CUT_AT_ALL * (pieces.cut_ink > 0)
    by_stop: dict[int, list[int]] = {}
    for index, hypothesis in enumerate(found):
        by_stop.setdefault(hypothesis.stop, []).append(index)
    for stop in range(1, n_pieces + 1):
        tall = (pieces.boxes[stop - 1, 3] - pieces.boxes[stop - 1, 1]) / height
        left_out = best[stop - 1] - _LEFT_OUT - _LEFT_OUT_HEIGHT * tall
        candidates = [(left_out, (stop - 1, -1))]
        for index in by_stop.get(stop, []):
            start, _, cost = found[index][:3]
            candidates.append((best[start] + float(scores[index]) - cost, (start, index)))
        value, back[stop] = max(candidates)
        best[stop] = value - between[stop]
    chosen = []
    stop = n_pieces
    while stop > 0:
        stop, index = back[stop]
        if index >= 0:
            chosen.append(index)
    return chosen[::-1]
