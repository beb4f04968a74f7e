"""Reads the digits of one line."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from scipy.ndimage import find_objects

from .._pictures.background import Contrast
from .._pictures.binarization import amount_of
from .._pictures.decoding import decode_sized
from .._pictures.errors import UnreadableImageError, unreadable_on_error
from .._pictures.mnist_form import SIDE
from .._pictures.readings import ink_in
from .._pictures.sources import name_of
from .form_lines import without_form_lines
from .hypotheses import Hypothesis, best_path, hypothesis_scores, segment_hypotheses
from .segment_scores import log_odds, segment_features
from .segmentation import Pieces, labelled, oversegmented, with_fringe

if TYPE_CHECKING:
    from PIL.Image import Image

Array = np.ndarray[Any, Any]

# A line is looked for in a copy with no side longer than this.
_WORKING_SIDE = 500

# Digits lower than this, in pixels, are looked at again in the larger picture.
_LOW = 40

# Parts smaller than this share of the digits' height are specks, dots or commas.
_SPECK = 0.2

# Parts are on the line if their middle is not further off than this share of the height.
_OFF_LINE, _SMALL_OFF_LINE = 0.6, 0.75

# Parts elsewhere are another line of writing if they have this share of the line's ink.
_ANOTHER = 0.25


@dataclass(frozen=True, eq=False)
class Number:
    """The digits that were read from one line.

    Attributes
    ----------
    text : str
        The digits from left to right, leading zeros kept.
    boxes : ndarray of int, shape (n_digits, 4)
        Left, top, right and bottom of each digit in pixels of the picture after the rotation that
        its EXIF data ask for; right and bottom are the first pixels outside.
    probabilities : ndarray of float, shape (n_digits, n_classes)
        Of each class for each digit.
    rows : ndarray of uint8, shape (n_digits, 784)
        What the network saw of each digit.
    """

    text: str
    boxes: Array
    probabilities: Array
    rows: Array

    @property
    def confidences(self) -> Array:
        """Probability of the class that was read, shape (n_digits,)."""
        return self.probabilities.max(axis=1)


class Lattice(NamedTuple):
    """The segmentation hypotheses of a line.

    `amount`, from 0 to 1, and `owners`, with the fringe, are those of a part of the picture that
    was reduced by `factor`; its left and top are at `corner`. Digits are `height` pixels high.
    """

    pieces: Pieces
    hypotheses: list[Hypothesis]
    amount: Array
    owners: Array
    height: float
    corner: tuple[int, int]
    factor: int


def read_number(image: Any, model: Any = None) -> Number:
    """Read the handwritten digits of a single line: a postcode, an amount, a meter's reading.

    Guide lines, underlines, ruled and squared paper, frames and the boxes of a form are left out,
    and so are specks, dots and commas. Digits that touch are cut apart where little ink is in the
    way. Each group of neighbouring pieces is a hypothesis; the sequence of hypotheses with the
    largest score is the result (see [1]_). Scores come from the probabilities of the network, from
    the shapes, and from a second, small network that tells whole digits from parts of them.

    Parameters
    ----------
    image : path, bytes, binary file object, PIL image or array
        One picture, as for :func:`read_digit_images`.
    model : estimator, default=None
        A fitted classifier of rows of 784 pixels from 0 to 255 with `predict_proba`; None takes
        that of `load_pretrained`.

    Returns
    -------
    Number
        The text, and each digit's box and probabilities.

    Raises
    ------
    UnreadableImageError
        If the file cannot be read, or if there are no digits or several lines of writing in the
        picture. The message names the picture and the reason.
    TypeError
        If the model has no `predict_proba`.

    Notes
    -----
    Punctuation isn't read: 1.234,50 becomes 123450. Letters are taken for digits, whole or cut
    apart. The second network has learned what is no digit from wrongly cut lines, as in [2]_; it
    decides where to cut, whatever the `model`, so models of letters are not served.

    References
    ----------
    .. [1] R. G. Casey, E. Lecolinet, "A survey of methods and strategies in character
       segmentation", IEEE Transactions on Pattern Analysis and Machine Intelligence 18(7),
       690-706, 1996.
    .. [2] Y. LeCun, L. Bottou, Y. Bengio, P. Haffner, "Gradient-based learning applied to
       document recognition", Proceedings of the IEEE 86(11), 2278-2324, 1998, sections V-VI.

    Examples
    --------
    >>> import numpy as np
    >>> from skdigits.datasets import load_mnist_sample
    >>> from skdigits.preprocessing import read_number
    >>> X, y = load_mnist_sample(subset="test", return_X_y=True)
    >>> picture = 255 - np.hstack(X[:4].reshape(-1, 28, 28))
    >>> read_number(picture).text == "".join(y[:4].astype(str))
    True
    """
    if model is not None and not hasattr(model, "predict_proba"):
        raise TypeError(
            f"Got {type(model).__name__} without predict_proba, expected a fitted classifier."
        )
    try:
        return _read(image, _pretrained() if model is None else model)
    except UnreadableImageError as error:
        raise UnreadableImageError(f"{name_of(image)}: {error}.") from error.__cause__


def _read(source: Any, model: Any) -> Number:
    """The digits in a picture."""
    with unreadable_on_error():
        image, size = decode_sized(source)
        lattice = segmentation_lattice(image)
    hypotheses = lattice.hypotheses
    rows = np.array([hypothesis.form for hypothesis in hypotheses]).reshape(-1, SIDE * SIDE)
    probabilities = np.asarray(model.predict_proba(rows))
    scores = hypothesis_scores(probabilities.max(axis=1), _log_odds_of_digits(lattice))
    chosen = best_path(lattice.pieces, hypotheses, scores, lattice.height)
    if not chosen:
        raise UnreadableImageError("holds no digits: nothing in it looks like one")
    boxes = np.array([hypotheses[index].box for index in chosen])
    boxes = boxes * lattice.factor + [*lattice.corner] * 2
    probabilities = probabilities[chosen]
    text = "".join(str(label) for label in model.classes_[probabilities.argmax(axis=1)])
    return Number(text, _in_whole(boxes, image.size, size), probabilities, rows[chosen])


def segmentation_lattice(image: Image) -> Lattice:
    """The segmentation hypotheses for a picture of a line."""
    part, corner, factor = _line_in(image)
    found, mask, height = _digits_in(part)
    amount = amount_of(found, mask, found.ink > 0, round(2 * height))
    pieces = oversegmented(labelled(mask), amount, height)
    owners = with_fringe(pieces.owners, amount)
    hypotheses = segment_hypotheses(pieces, amount, owners, height)
    if not hypotheses:
        raise UnreadableImageError("holds no digits: there is nothing but lines and specks")
    return Lattice(pieces, hypotheses, amount, owners, height, corner, factor)


def _log_odds_of_digits(lattice: Lattice) -> Array:
    """Log-odds that each hypothesis is one whole digit; 0 if there is only one."""
    if len(lattice.hypotheses) == 1:
        return np.zeros(1)
    return log_odds(segment_features(*lattice[:5]))


def _in_whole(boxes: Array, decoded: tuple[int, int], size: tuple[int, int]) -> Array:
    """Boxes in the decoded picture as boxes in the whole one."""
    scale = np.divide(size, decoded)
    limits = [*decoded, *decoded]
    return np.rint(np.clip(boxes, 0, limits) * [*scale, *scale]).astype(int)


@lru_cache(maxsize=1)
def _pretrained() -> Any:
    from .._pretrained import load_pretrained

    return load_pretrained()


def _line_in(image: Image) -> tuple[Image, tuple[int, int], int]:
    """The part of a picture that holds the line, at a moderate size.

    Returns
    -------
    part : PIL.Image.Image
    corner : tuple of int
        Where its left and top are in the picture.
    factor : int
        By which it was reduced.
    """
    factor = -(-max(image.size) // _WORKING_SIDE)
    whole = image.reduce(factor) if factor > 1 else image
    if factor == 1:
        return whole, (0, 0), 1
    _, mask, height = _digits_in(whole)
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if height >= _LOW:
        return whole, (0, 0), factor
    margin = height / 2
    area = np.array(
        [columns[0] - margin, rows[0] - margin, columns[-1] + margin, rows[-1] + margin]
    )
    area = np.clip(area * factor, 0, [*image.size] * 2).astype(int)
    finer = max(1, int(factor * height / _LOW))
    part = image.crop(area.tolist())
    return part.reduce(finer) if finer > 1 else part, (int(area[0]), int(area[1])), finer


def _digits_in(image: Image) -> tuple[Contrast, Array, float]:
    """The ink of the digits of the only line, with their height."""
    found, mask = ink_in(image)
    rest = without_form_lines(mask, found)
    if not rest.any():
        raise UnreadableImageError("holds no digits: there is nothing but lines")
    kept, height = on_line(labelled(rest))
    return found, kept, height


def on_line(labels: Array) -> tuple[Array, float]:
    """Which pixels belong to the digits of the only line, and how high these are.

    Parameters
    ----------
    labels : ndarray of int, shape (height, width)
        Number of each pixel's part, 0 where there is none.

    Returns
    -------
    kept : ndarray of bool, shape (height, width)
        Without specks, and without parts above or below the line.
    height : float
        In pixels.

    Raises
    ------
    UnreadableImageError
        If there are several lines.
    """
    boxes = find_objects(labels)
    counts = np.bincount(labels.ravel(), minlength=len(boxes) + 1)[1:]
    edges = np.array([[r.start, r.stop, c.start, c.stop] for r, c in boxes])
    heights, widths = edges[:, 1] - edges[:, 0], edges[:, 3] - edges[:, 2]
    main = _weighted_median(heights, counts * heights)
    large = (heights > 0.5 * main) & (heights < 2 * main)
    height = _weighted_median(heights[large], (counts * heights)[large])
    off = _off_line(edges, large, counts) / height
    near = off <= np.where(large, _OFF_LINE, _SMALL_OFF_LINE)
    elsewhere = large & ~near
    if elsewhere.sum() > 1 and counts[elsewhere].sum() > _ANOTHER * counts[near].sum():
        raise UnreadableImageError("holds several lines of writing, expected one")
    kept = near & (np.maximum(heights, widths) >= _SPECK * height)
    return np.concatenate([[False], kept])[labels], float(height)


def _off_line(edges: Array, large: Array, counts: Array) -> Array:
    """How far the middle of each part is from a line through most of the large ones, in pixels."""
    down, across = edges[:, :2].mean(axis=1), edges[:, 2:].mean(axis=1)
    slope, offset = _through(across[large], down[large], counts[large])
    return np.abs(down - slope * across - offset)


def _through(x: Array, y: Array, weights: Array) -> tuple[float, float]:
    """Slope and offset of a nearly level line through most of some points."""
    best, fit = np.inf, (0.0, float(_weighted_median(y, weights)))
    for slope in np.linspace(-0.15, 0.15, 31):
        offset = _weighted_median(y - slope * x, weights)
        cost = float(np.abs(y - slope * x - offset) @ weights) / weights.sum() + 5 * abs(slope)
        if cost < best:
            best, fit = cost, (float(slope), offset)
    return fit


def _weighted_median(values: Array, weights: Array) -> float:
    return float(np.quantile(values, 0.5, weights=weights, method="inverted_cdf"))
