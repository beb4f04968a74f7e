"""Plot of digits with their labels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from ._checks import Array, as_images, check_matplotlib, checked_probabilities, first
from ._image_grid import ImageGrid
from ._style import GREY, VERMILLION, percent

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Longer pairs of labels are written in two lines.
MAX_LINE_LENGTH = 8


class DigitGridDisplay:
    """Digits with their true and predicted labels.

    Create one with `from_estimator` or `from_predictions`. The caption of a digit is its label, or
    "true → predicted" if they differ, and the confidence of the prediction. Errors have a coloured
    frame.

    Parameters
    ----------
    images : ndarray of shape (n_images, height, width)
        Images of digits.
    y_true : ndarray of shape (n_images,), default=None
        True labels.
    y_pred : ndarray of shape (n_images,), default=None
        Predicted labels.
    confidence : ndarray of float of shape (n_images,), default=None
        Probability of each predicted label.

    Attributes
    ----------
    ax_ : matplotlib Axes
        The axes.
    figure_ : matplotlib Figure
        The figure.
    image_ : matplotlib AxesImage
        The grid of all images.
    texts_ : list of matplotlib Text
        The caption of each digit.

    Raises
    ------
    ValueError
        If there are no images, or the arrays have different lengths.

    See Also
    --------
    sklearn.metrics.ConfusionMatrixDisplay : Number of predictions by true and predicted label.

    Examples
    --------
    >>> from skdigits.datasets import load_mnist_sample
    >>> from skdigits.displays import DigitGridDisplay
    >>> digits = load_mnist_sample("test")
    >>> display = DigitGridDisplay(digits.images, y_true=digits.target)
    >>> display.plot(n_images=30, n_columns=10).texts_[0].get_text() == digits.target[0]
    True
    """

    def __init__(
        self, images: Any, *, y_true: Any = None, y_pred: Any = None, confidence: Any = None
    ) -> None:
        self.images = as_images(images)
        self.y_true = None if y_true is None else np.asarray(y_true)
        self.y_pred = None if y_pred is None else np.asarray(y_pred)
        self.confidence = None if confidence is None else np.asarray(confidence, np.float64)
        if not len(self.images):
            raise ValueError("Got no images, expected at least one.")
        for name in ("y_true", "y_pred", "confidence"):
            values = getattr(self, name)
            if values is not None and values.shape != (len(self.images),):
                raise ValueError(
                    f"Got {name} of shape {values.shape} with {len(self.images)} images, "
                    f"expected ({len(self.images)},)."
                )

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        y: Any = None,
        *,
        worst_first: bool = False,
        n_images: int = 25,
        n_columns: int | None = None,
        ax: Axes | None = None,
    ) -> DigitGridDisplay:
        """Predict digits and plot them.

        Parameters
        ----------
        estimator : classifier
            Fitted classifier or pipeline.
        X : array-like or sparse matrix of shape (n_samples, n_pixels), or ndarray of shape \
                (n_samples, height, width)
            Digits, as input of `estimator`.
        y : array-like of shape (n_samples,), default=None
            True labels.
        worst_first : bool, default=False
            Sort the digits: first the errors from the most to the least confident, then the
            correct predictions from the least to the most confident. Otherwise the order of X.
        n_images : int, default=25
            Maximum number of digits.
        n_columns : int, default=None
            Number of columns; None makes the grid about square.
        ax : matplotlib Axes, default=None
            Axes to plot on; None creates a new figure.

        Returns
        -------
        DigitGridDisplay
        """
        check_matplotlib(f"{cls.__name__}.from_estimator")
        check_is_fitted(estimator)
        probabilities = None
        if hasattr(estimator, "predict_proba"):
            probabilities = estimator.predict_proba(X)
        return cls.from_predictions(
            X,
            y,
            estimator.predict(X) if probabilities is None else None,
            probabilities=probabilities,
            classes=getattr(estimator, "classes_", None),
            worst_first=worst_first,
            n_images=n_images,
            n_columns=n_columns,
            ax=ax,
        )

    @classmethod
    def from_predictions(
        cls,
        X: Any,
        y_true: Any = None,
        y_pred: Any = None,
        *,
        probabilities: Any = None,
        classes: Any = None,
        worst_first: bool = False,
        n_images: int = 25,
        n_columns: int | None = None,
        ax: Axes | None = None,
    ) -> DigitGridDisplay:
        """Plot digits with given predictions.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_pixels), or ndarray of shape \
                (n_samples, height, width)
            Digits.
        y_true : array-like of shape (n_samples,), default=None
            True labels.
        y_pred : array-like of shape (n_samples,), default=None
            Predicted labels; None is the most probable ones.
        probabilities : array-like of shape (n_samples, n_classes), default=None
            Predicted probabilities; the largest of each row is its confidence.
        classes : array-like of shape (n_classes,), default=None
            Labels of the columns of `probabilities`; None is 0, 1, ….
        worst_first : bool, default=False
            Sort the digits: first the errors from the most to the least confident, then the
            correct predictions from the least to the most confident. Otherwise the order of X.
        n_images : int, default=25
            Maximum number of digits.
        n_columns : int, default=None
            Number of columns; None makes the grid about square.
        ax : matplotlib Axes, default=None
            Axes to plot on; None creates a new figure.

        Returns
        -------
        DigitGridDisplay

        Raises
        ------
        ValueError
            If shapes do not match, or `worst_first` is True without true and predicted labels.
        """
        check_matplotlib(f"{cls.__name__}.from_predictions")
        confidence = None
        if probabilities is not None:
            probabilities = checked_probabilities(probabilities, classes)
            confidence = probabilities.max(axis=1)
            if y_pred is None:
                columns = probabilities.argmax(axis=1)
                y_pred = columns if classes is None else np.asarray(classes)[columns]
        display = cls(X, y_true=y_true, y_pred=y_pred, confidence=confidence)
        if worst_first:
            display._sort()
        return display.plot(ax=ax, n_images=n_images, n_columns=n_columns)

    def plot(
        self,
        *,
        ax: Axes | None = None,
        n_images: int = 25,
        n_columns: int | None = None,
        cmap: Any = "gray",
    ) -> DigitGridDisplay:
        """Plot the first digits.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to plot on; None creates a new figure.
        n_images : int, default=25
            Maximum number of digits.
        n_columns : int, default=None
            Number of columns; None makes the grid about square.
        cmap : str or matplotlib Colormap, default="gray"
            Colormap of the pixels; "gray_r" gives black digits on white.

        Returns
        -------
        DigitGridDisplay
            The display itself.
        """
        check_matplotlib(f"{type(self).__name__}.plot")
        images = first(self.images, "n_images", n_images)
        captions = self._captions(len(images))
        two_lines = any("\n" in caption for caption in captions)
        grid = ImageGrid(images, n_columns, caption_share=0.6 if two_lines else 0.4)
        self.image_ = grid.draw(ax, inches=0.95, cmap=cmap)
        self.ax_: Axes = self.image_.axes
        self.figure_: Figure = self.ax_.figure
        labelled = self.y_pred is not None and self.y_true is not None
        # The title is wider than two columns.
        if labelled and grid.n_columns > 2:
            wording = "true → predicted" + ("" if self.confidence is None else ", confidence")
            self.ax_.set_title(wording, size="medium")
        size = grid.font_size(self.ax_, captions)
        wrong = self._wrong()
        self.texts_ = []
        for i, caption in enumerate(captions):
            colour = VERMILLION if wrong[i] else None
            grid.frame(self.ax_, i, colour or GREY, 1.8 if colour else 0.5)
            self.texts_.append(grid.write(self.ax_, i, caption, size, colour))
        return self

    def _wrong(self) -> Array:
        if self.y_true is None or self.y_pred is None:
            return np.zeros(len(self.images), dtype=bool)
        return np.asarray(self.y_true != self.y_pred)

    def _sort(self) -> None:
        """Sort the digits as described for `worst_first`."""
        if self.y_true is None or self.y_pred is None:
            raise ValueError("Got worst_first=True without y_true or y_pred, expected both.")
        wrong = self._wrong()
        confidence = np.zeros(len(wrong)) if self.confidence is None else self.confidence
        order = np.lexsort((np.where(wrong, -confidence, confidence), ~wrong))
        for name in ("images", "y_true", "y_pred", "confidence"):
            values = getattr(self, name)
            setattr(self, name, None if values is None else values[order])

    def _captions(self, n: int) -> list[str]:
        """Captions of the first digits, in two lines each if labels are long."""
        labels, confidences = [], []
        for i in range(n):
            both = [str(y[i]) for y in (self.y_true, self.y_pred) if y is not None]
            labels.append(list(dict.fromkeys(both)))
            confidences.append("" if self.confidence is None else percent(self.confidence[i]))
        fits = max(len("".join(names)) for names in labels) <= MAX_LINE_LENGTH
        arrow, space = (" → ", "  ") if fits else (" →\n", " ")
        joined = [arrow.join(names) for names in labels]
        return [space.join(filter(None, pair)) for pair in zip(joined, confidences, strict=True)]
