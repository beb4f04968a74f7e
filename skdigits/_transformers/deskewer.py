"""Removes the slant of digits."""

from __future__ import annotations

from math import isqrt
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.utils.validation import check_is_fitted

from .._augmentation import side_of
from .pixel_transformer import PixelTransformer


class DigitDeskewer(PixelTransformer):
    """Remove the slant of digits, as a step of a Pipeline before the classifier.

    Each row of an image is shifted, with linear interpolation between neighbouring pixels, so that
    the digit has no slant and its centre of mass lies on the middle column. The slant is μ11 / μ02,
    of the central moments of the differences between pixels and background. Nothing is learned from
    the data. A network needs the deskewer in training and in predictions.

    Attributes
    ----------
    n_features_in_ : int
        Number of features; 784 for images of 28 × 28.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the features, where X had string column names.

    See Also
    --------
    DigitImageNormalizer : Converts pictures to MNIST's format, with their slant.

    Notes
    -----
    [1]_ compares deskewing with other preprocessing on MNIST. The background of an image is the
    median of its outermost pixels.

    References
    ----------
    .. [1] Y. LeCun, L. Bottou, Y. Bengio and P. Haffner, "Gradient-based learning applied to
       document recognition", Proceedings of the IEEE 86 (11), 1998.

    Examples
    --------
    >>> import numpy as np
    >>> from skdigits import DigitDeskewer
    >>> slash = np.eye(5, dtype=np.uint8)[::-1] * 255
    >>> DigitDeskewer().fit_transform(slash.reshape(1, 25)).reshape(5, 5)
    array([[  0,   0, 255,   0,   0],
           [  0,   0, 255,   0,   0],
           [  0,   0, 255,   0,   0],
           [  0,   0, 255,   0,   0],
           [  0,   0, 255,   0,   0]], dtype=uint8)
    """

    def transform(self, X: Any) -> Any:
        """Remove the slant of each digit.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_pixels), or images
            Square images whose pixels have one scale, as rows or as for `PixelScaler`.

        Returns
        -------
        ndarray of shape (n_samples, n_pixels)
            A new array of the dtype of X for uint8 (rounded), float32 and float64, else of
            float32. Images without a digit are unchanged.
        """
        check_is_fitted(self)
        X = self._pixels(X, reset=False)
        if sparse.issparse(X):
            X = X.toarray()  # type: ignore[attr-defined]
        upright = np.empty(X.shape, X.dtype if X.dtype in (np.uint8, np.float64) else np.float32)
        for start in range(0, len(X), 1000):
            images = X[start : start + 1000].astype(np.promote_types(upright.dtype, np.float32))
            deskewed = _deskewed(images)
            if upright.dtype == np.uint8:
                np.rint(deskewed, out=deskewed)
            upright[start : start + 1000] = deskewed
        return upright

    def _pixels(self, X: Any, *, reset: bool) -> Any:
        X = super()._pixels(X, reset=reset)
        side_of(X.shape[1], type(self).__name__)
        return X

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float32", "float64"]
        return tags


def _deskewed(rows: np.ndarray) -> np.ndarray:
    """Square images of floats, sheared and shifted along their rows."""
    side = isqrt(rows.shape[1])
    images = rows.reshape(-1, side, side)
    edges = [images[:, 0], images[:, -1], images[:, 1:-1, 0], images[:, 1:-1, -1]]
    ground = np.median(np.concatenate(edges, axis=1), axis=1)[:, None, None].astype(rows.dtype)
    images = images - ground
    mass = np.abs(images)
    tiny = np.finfo(rows.dtype).tiny
    # Sums of large pixels would overflow.
    mass /= np.maximum(mass.max((1, 2), keepdims=True), tiny)
    from_middle = np.arange(side, dtype=rows.dtype) - (side - 1) / 2
    total = np.maximum(mass.sum((1, 2)), tiny)[:, None]
    along, down = mass.sum(1), mass.sum(2)
    x, y = (along @ from_middle)[:, None] / total, (down @ from_middle)[:, None] / total
    dx, dy = from_middle - x, from_middle - y
    second = (down * dy**2).sum(1, keepdims=True)
    mixed = (np.matmul(mass, dx[:, :, None])[:, :, 0] * dy).sum(1, keepdims=True)
    shift = x + mixed / np.maximum(second, tiny) * dy
    # Pixels outside of an image are background.
    shift = np.clip(shift, -side, side)
    whole = np.floor(shift)
    between = (shift - whole)[:, :, None]
    padded = np.zeros((len(images), side, 3 * side + 1), rows.dtype)
    padded[:, :, side : 2 * side] = images
    left = whole.astype(np.intp)[:, :, None] + np.arange(side, 2 * side)
    beside = np.take_along_axis(padded, left, 2), np.take_along_axis(padded, left + 1, 2)
    shifted = beside[0] + between * (beside[1] - beside[0]) + ground
    return shifted.reshape(rows.shape)
