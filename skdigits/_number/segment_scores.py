"""Scores of segments: log-odds of one whole digit against parts, pairs and other ink."""

from __future__ import annotations

from functools import lru_cache
from importlib.resources import files
from typing import Any

import numpy as np

from .._packed_network import read_network
from .._pictures.mnist_form import SIDE
from .hypotheses import Hypothesis
from .segmentation import Pieces

Array = np.ndarray[Any, Any]

# Side of the picture of the ink around, in pixels and in heights of a digit.
_AROUND, _AROUND_HEIGHTS = 20, 1.7

# Width and height, in heights of a digit, fill a bar of so many bytes up to the largest value;
# the ink that was cut through on either side likewise.
_BAR, _LARGEST = 12, 1.5
_CUT_BAR, _LARGEST_CUT = 8, 0.5

# The label of what is no digit.
NONE = 10


def segment_features(
    pieces: Pieces, found: list[Hypothesis], amount: Array, owners: Array, height: float
) -> Array:
    """Features of hypotheses: their digit in MNIST's format, the ink around, size and cut ink.

    Parameters
    ----------
    pieces : Pieces
    found : list of Hypothesis
    amount : ndarray of float32, shape (height, width)
        Ink from 0 to 1.
    owners : ndarray of int, shape (height, width)
        Number of each pixel's piece, -1 where there is none.
    height : float
        Height of the digits in pixels.

    Returns
    -------
    ndarray of uint8, shape (n_hypotheses, 1224)
    """
    forms = np.array([hypothesis.form for hypothesis in found]).reshape(-1, SIDE * SIDE)
    margin = int(_AROUND_HEIGHTS * height) + 2
    inked = np.pad(np.where(owners >= 0, amount, 0).astype(np.float32), margin)
    owners = np.pad(owners, margin, constant_values=-1)
    around = [_around(inked, owners, hypothesis, margin, height) for hypothesis in found]
    boxes = np.array([hypothesis.box for hypothesis in found])
    ends = np.array([[hypothesis.start, hypothesis.stop] for hypothesis in found])
    bars = [_bar(sizes / height, _BAR, _LARGEST) for sizes in (boxes[:, 2:] - boxes[:, :2]).T]
    bars += [_bar(cuts, _CUT_BAR, _LARGEST_CUT) for cuts in pieces.cut_ink[ends].T]
    return np.hstack([forms, np.array(around).reshape(len(found), -1), *bars])


def _around(
    inked: Array, owners: Array, hypothesis: Hypothesis, margin: int, height: float
) -> Array:
    """The other ink in a square around a hypothesis, small."""
    from PIL import Image

    left, top, right, bottom = hypothesis.box
    reach = _AROUND_HEIGHTS * height / 2
    middle = (left + right) / 2 + margin, (top + bottom) / 2 + margin
    first = [int(place - reach) for place in middle]
    size = int(2 * reach) + 2
    window = slice(first[1], first[1] + size), slice(first[0], first[0] + size)
    owner = owners[window]
    others = np.where((owner < hypothesis.start) | (owner >= hypothesis.stop), inked[window], 0)
    x, y = (place - reach - start for place, start in zip(middle, first, strict=True))
    box = (x, y, x + 2 * reach, y + 2 * reach)
    small = Image.fromarray(others).resize((_AROUND, _AROUND), Image.Resampling.BOX, box)
    return np.rint(255 * np.clip(np.asarray(small), 0, 1)).astype(np.uint8)


def _bar(values: Array, n_bytes: int, largest: float) -> Array:
    """Each value as a bar of pixels, of which the first ones are white."""
    filled = values[:, None] * n_bytes / largest - np.arange(n_bytes)
    return np.rint(255 * np.clip(filled, 0, 1)).astype(np.uint8)


def log_odds(seen: Array) -> Array:
    """Log-odds of being one whole digit for each row of features, shape (n_hypotheses,)."""
    logits = _network().logits(seen / np.float32(255))
    highest = logits.max(axis=1, keepdims=True)
    odds = np.exp(logits - highest)
    others = np.maximum(odds[:, :NONE].sum(axis=1), 1e-12)
    log: Array = np.log(others) - np.log(np.maximum(odds[:, NONE], 1e-12))
    return log


@lru_cache(maxsize=1)
def _network() -> Any:
    with (files("skdigits") / "data" / "pieces.npz").open("rb") as file:
        return read_network(file)[0]
