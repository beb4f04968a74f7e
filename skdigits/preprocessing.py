"""Pixels and pictures in the form that networks are trained on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from math import isqrt
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from scipy import sparse
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin
from sklearn.callback import CallbackSupportMixin, with_callbacks
from sklearn.utils import assert_all_finite
from sklearn.utils.validation import check_is_fitted, validate_data

from ._augmentation import side_of
from ._intensities import warn_if_scaled

if TYPE_CHECKING:
    from ._pictures.decoding import UnreadableImageError
    from ._pictures.line import Number, read_number
    from ._pictures.reading import read_digit_images

__all__ = [
    "DigitDeskewer",
    "DigitImageNormalizer",
    "Number",
    "PixelScaler",
    "UnreadableImageError",
    "flatten_images",
    "read_digit_images",
    "read_number",
]

_N_PIXELS = 28 * 28

# Whoever scales pixels alone shall not wait for these.
_HOMES = {
    "Number": "_pictures.line",
    "UnreadableImageError": "_pictures.decoding",
    "read_digit_images": "_pictures.reading",
    "read_number": "_pictures.line",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f".{_HOMES[name]}", __package__), name)
    globals()[name] = value
    return value


class _PixelTransformer(
    CallbackSupportMixin, OneToOneFeatureMixin, TransformerMixin, BaseEstimator
):
    """What transformers of pixels share, which learn nothing but the number of features."""

    @with_callbacks
    def fit(self, X: Any, y: Any = None) -> Self:
        """Check X and remember its number of features.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features), or ndarray of shape \
                (n_samples, height, width)
            Pixels of any numeric dtype, as in transform.
        y : object, default=None
            Ignored.

        Returns
        -------
        PixelScaler or DigitDeskewer
            Itself.

        Raises
        ------
        ValueError
            If X is not what transform takes; a deskewer takes square images only.
        """
        context = self._init_callback_context()
        context.call_on_fit_task_begin(estimator=self, X=X, y=y)
        self._pixels(X, reset=True)
        context.call_on_fit_task_end(estimator=self, X=X, y=y, reconstruction_attributes={})
        return self

    def _pixels(self, X: Any, *, reset: bool) -> Any:
        """X as numbers in rows, dense or sparse."""
        X = flatten_images(X)
        if isinstance(X, (list, tuple)):
            # scikit-learn makes numbers of arrays of objects, not of lists of them.
            X = np.asarray(X)
        with floats_only("X"):
            X = validate_data(self, X, accept_sparse=("csr", "csc"), dtype="numeric", reset=reset)
        if X.dtype.kind not in "biuf":
            raise ValueError(f"Got X of dtype {X.dtype}, expected numbers.")
        return X

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "n_features_in_")

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.input_tags.three_d_array = True
        tags.transformer_tags.preserves_dtype = ["float32"]
        return tags


class PixelScaler(_PixelTransformer):
    """Map pixels from 0–255 to float32 from 0 to 1.

    Learns nothing from the data: each value is divided by 255. scikit-learn's MinMaxScaler and
    StandardScaler give float64, which takes twice the memory and trains slower; this one
    doesn't, and it flattens images to rows. It warns of images whose floats end at 1 already.

    Attributes
    ----------
    n_features_in_ : int
        Number of features; 784 for images of 28 × 28.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the features, where X had string column names.

    Examples
    --------
    >>> import numpy as np
    >>> from skdigits import PixelScaler
    >>> PixelScaler().fit_transform(np.array([[0, 51, 255]], dtype=np.uint8))
    array([[0. , 0.2, 1. ]], dtype=float32)
    """

    def transform(self, X: Any) -> Any:
        """Divide by 255.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features), or ndarray of shape \
                (n_samples, height, width)
            Pixels from 0 to 255 of any numeric dtype.

        Returns
        -------
        ndarray or sparse matrix of float32 of shape (n_samples, n_features)
            A new array; X is left as it is.
        """
        check_is_fitted(self)
        X = self._pixels(X, reset=False)
        # The caller is behind the method in which scikit-learn wraps this one.
        warn_if_scaled(X, stacklevel=3)
        return _applied(np.divide, X)

    def inverse_transform(self, X: Any) -> Any:
        """Multiply by 255.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            Values from 0 to 1.

        Returns
        -------
        ndarray or sparse matrix of float32 of shape (n_samples, n_features)
            Pixels from 0 to 255, not rounded.
        """
        check_is_fitted(self)
        X = self._pixels(X, reset=False)
        return _applied(np.multiply, X)


def _applied(operation: Any, X: Any) -> Any:
    """X with 255, in float32."""
    may_overflow = X.dtype.kind == "f"
    # What overflows float32 is refused, so it needs no warning as well.
    with np.errstate(over="ignore"):
        if sparse.issparse(X):
            X = X.astype(np.float32)  # type: ignore[attr-defined]
            operation(X.data, np.float32(255), out=X.data)
        else:
            X = operation(X, np.float32(255), dtype=np.float32, casting="unsafe")
    if may_overflow:
        assert_all_finite(X, input_name="X")
    return X


@contextmanager
def floats_only(name: str) -> Iterator[None]:
    """What overflows a float is refused by its check, so it needs no warning as well."""
    with np.errstate(over="ignore"):
        try:
            yield
        except OverflowError as error:
            raise ValueError(
                f"Got {name} with an integer beyond float64, expected numbers that a float holds."
            ) from error


def flatten_images(X: Any) -> Any:
    """X with one row per image; anything but a stack of images is left as it is."""
    if isinstance(X, np.ndarray) and X.ndim == 3:
        return X.reshape(len(X), X.shape[1] * X.shape[2])
    return X


class DigitDeskewer(_PixelTransformer):
    """Stand slanted digits upright, as a step of a Pipeline before the classifier.

    Each row of an image is shifted, by linear interpolation between neighbouring pixels, so that
    the digit leans neither way and its centre of mass lies on the middle column. The slant that
    is taken away is μ11 / μ02, of the central moments of the pixels' differences from their
    background. Learns nothing from the data. A network is to be trained and used with it alike.

    Attributes
    ----------
    n_features_in_ : int
        Number of features; 784 for images of 28 × 28.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the features, where X had string column names.

    See Also
    --------
    DigitImageNormalizer : Brings people's own pictures into MNIST's form, the slant kept.

    Notes
    -----
    Deskewing is among the preprocessings that [1]_ compares on MNIST. The background of an image
    is the median of its outermost pixels.

    References
    ----------
    .. [1] Y. LeCun, L. Bottou, Y. Bengio and P. Haffner, "Gradient-based learning applied to
       document recognition", Proceedings of the IEEE 86 (11), 1998.

    Examples
    --------
    >>> import numpy as np
    >>> from skdigits.preprocessing import DigitDeskewer
    >>> slash = np.eye(5, dtype=np.uint8)[::-1] * 255
    >>> DigitDeskewer().fit_transform(slash.reshape(1, 25)).reshape(5, 5)
    array([[  0,   0, 255,   0,   0],
           [  0,   0, 255,   0,   0],
           [  0,   0, 255,   0,   0],
           [  0,   0, 255,   0,   0],
           [  0,   0, 255,   0,   0]], dtype=uint8)
    """

    def transform(self, X: Any) -> Any:
        """Stand each digit upright.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_pixels), or ndarray of shape \
                (n_samples, side, side)
            Square images whose pixels have one scale.

        Returns
        -------
        ndarray of shape (n_samples, n_pixels)
            A new array, of uint8 (rounded), float32 or float64 as X is, else of float32. Images
            without a digit are as they were.
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
    """Square images, sheared and shifted along their rows; floats in and out."""
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
    # What comes in from beside an image is background.
    shift = np.clip(shift, -side, side)
    whole = np.floor(shift)
    between = (shift - whole)[:, :, None]
    padded = np.zeros((len(images), side, 3 * side + 1), rows.dtype)
    padded[:, :, side : 2 * side] = images
    left = whole.astype(np.intp)[:, :, None] + np.arange(side, 2 * side)
    beside = np.take_along_axis(padded, left, 2), np.take_along_axis(padded, left + 1, 2)
    shifted = beside[0] + between * (beside[1] - beside[0]) + ground
    return shifted.reshape(rows.shape)


class DigitImageNormalizer(CallbackSupportMixin, TransformerMixin, BaseEstimator):
    """Bring pictures of single digits into MNIST's form, as a step of a Pipeline.

    Does for each picture what :func:`read_digit_images` does; learns nothing from the data and
    works without having been fitted. Digits of MNIST come out as they went in.

    Parameters
    ----------
    errors : {"raise", "warn", "ignore"}, default="raise"
        What to do about a picture in which no single digit can be read: raise an
        UnreadableImageError, or give a row of zeros, with or without a UserWarning.

    Attributes
    ----------
    n_features_in_ : int
        Number of features, where X was an array of rows.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the features, where X had string column names.

    See Also
    --------
    read_digit_images : The function behind it.

    Examples
    --------
    >>> import numpy as np
    >>> from skdigits.preprocessing import DigitImageNormalizer
    >>> pictures = np.full((2, 90, 60), 255, dtype=np.uint8)
    >>> pictures[:, 20:70, 27:33] = 0
    >>> DigitImageNormalizer().transform(pictures).shape
    (2, 784)
    """

    def __init__(self, errors: str = "raise") -> None:
        self.errors = errors

    @with_callbacks
    def fit(self, X: Any, y: Any = None) -> DigitImageNormalizer:
        """Check X, if it is an array of rows, and remember its number of features.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_pixels), ndarray of shape \
                (n_samples, height, width) or list of pictures
            As in transform.
        y : object, default=None
            Ignored.

        Returns
        -------
        DigitImageNormalizer
            Itself.
        """
        context = self._init_callback_context()
        context.call_on_fit_task_begin(estimator=self, X=X, y=y)
        if _is_rows(X):
            self._pictures(X, reset=True)
        context.call_on_fit_task_end(estimator=self, X=X, y=y, reconstruction_attributes={})
        return self

    def transform(self, X: Any) -> Any:
        """Read every picture.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_pixels), ndarray of shape \
                (n_samples, height, width) or list of pictures
            Rows are square pictures, pixel by pixel, such as MNIST's 784. A list may hold
            whatever :func:`read_digit_images` takes: paths, bytes, PIL images, arrays.

        Returns
        -------
        ndarray of uint8 of shape (n_samples, 784)
            White on black, 0 to 255.

        Raises
        ------
        UnreadableImageError
            With ``errors="raise"``, if a picture holds no single digit.
        """
        from ._pictures.reading import read_digit_images

        pictures = self._pictures(X, reset=False) if _is_rows(X) else X
        return read_digit_images(pictures, errors=self.errors)

    def get_feature_names_out(self, input_features: Any = None) -> Any:
        """Names of the 784 pixels, as MNIST's have them at OpenML.

        Parameters
        ----------
        input_features : object, default=None
            Ignored.

        Returns
        -------
        ndarray of str objects of shape (784,)
            "pixel1" to "pixel784".
        """
        return np.array([f"pixel{number + 1}" for number in range(_N_PIXELS)], dtype=object)

    def _pictures(self, X: Any, *, reset: bool) -> list[Any]:
        """Rows as square pictures."""
        rows = validate_data(self, X, dtype="numeric", reset=reset)
        side = isqrt(rows.shape[1])
        # Rows that are no squares are unreadable pictures as any other are.
        return list(rows.reshape(-1, side, side) if side * side == rows.shape[1] else rows)

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        tags.transformer_tags.preserves_dtype = []
        tags.input_tags.three_d_array = True
        tags.input_tags.string = True
        return tags


def _is_rows(X: Any) -> bool:
    """Whether X is a table of pixels with one row per picture, not pictures one by one."""
    if sparse.issparse(X):
        return True
    if isinstance(X, (list, tuple)) and len(X):
        first = X[0]
        return isinstance(first, (list, tuple, np.ndarray)) and np.ndim(first) == 1
    if not hasattr(X, "__array__"):
        return False
    array = np.asarray(X)
    return array.ndim == 2 or (array.ndim == 1 and array.dtype.kind in "buifc")
