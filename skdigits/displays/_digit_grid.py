"""Digits with their labels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from ._checks import Array, as_images, check_matplotlib, checked_probabilities, first
from ._style import GREY, VERMILLION, percent
from ._tiles import Tiles

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Letters of labels that still fit into one line under a digit.
FOLDED_FROM = 8


class DigitGridDisplay:
    """Digits with their true and predicted labels.

    Make one with `from_estimator` or `from_predictions`. Under each digit stands its label, or
    "true → predicted" where they differ, with the confidence of the prediction. Mistakes have a
    coloured frame as well.

    Parameters
    ----------
    images : ndarray of shape (n_images, height, width)
        Pictures.
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
        All pictures in one.
    texts_ : list of matplotlib Text
        The line under each digit.

    Raises
    ------
    ValueError
        If there are no images, or the arrays have different lengths.

    See Also
    --------
    sklearn.metrics.ConfusionMatrixDisplay : How often each digit is taken for each.

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
        """Predict digits and draw them.

        Parameters
        ----------
        estimator : classifier
            Fitted, also a pipeline.
        X : array-like or sparse matrix of shape (n_samples, n_pixels), or ndarray of shape \
                (n_samples, height, width)
            Digits as `estimator` takes them.
        y : array-like of shape (n_samples,), default=None
            True labels.
        worst_first : bool, default=False
            Begin with the mistakes, the most confident first; right ones follow, the least
            confident first. Otherwise the order is that of X.
        n_images : int, default=25
            How many to draw at most.
        n_columns : int, default=None
            Digits in a row; None makes about a square.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.

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
        """Draw digits with what was predicted.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_pixels), or ndarray of shape \
                (n_samples, height, width)
            Digits.
        y_true : array-like of shape (n_samples,), default=None
            True labels.
        y_pred : array-like of shape (n_samples,), default=None
            Predicted labels; None takes the most probable ones.
        probabilities : array-like of shape (n_samples, n_classes), default=None
            Predicted probabilities; the largest of a row is its confidence.
        classes : array-like of shape (n_classes,), default=None
            Labels of the columns of `probabilities`; None counts from 0.
        worst_first : bool, default=False
            Begin with the mistakes, the most confident first; right ones follow, the least
            confident first. Otherwise the order is that of X.
        n_images : int, default=25
            How many to draw at most.
        n_columns : int, default=None
            Digits in a row; None makes about a square.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.

        Returns
        -------
        DigitGridDisplay

        Raises
        ------
        ValueError
            If arrays don't fit together, or the worst are to come first where it is not known
            what is wrong.
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
        """Draw the first digits.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.
        n_images : int, default=25
            How many to draw at most.
        n_columns : int, default=None
            Digits in a row; None makes about a square.
        cmap : str or matplotlib Colormap, default="gray"
            Colours of the pixels; "gray_r" gives black ink on white paper.

        Returns
        -------
        DigitGridDisplay
            Itself.
        """
        check_matplotlib(f"{type(self).__name__}.plot")
        images = first(self.images, "n_images", n_images)
        lines = self._lines(len(images))
        folded = any("\n" in line for line in lines)
        tiles = Tiles(images, n_columns, caption_share=0.6 if folded else 0.4)
        self.image_ = tiles.draw(ax, inches=0.95, cmap=cmap)
        self.ax_: Axes = self.image_.axes
        self.figure_: Figure = self.ax_.figure
        labelled = self.y_pred is not None and self.y_true is not None
        # Over fewer there is no room for it.
        if labelled and tiles.n_columns > 2:
            wording = "true → predicted" + ("" if self.confidence is None else ", confidence")
            self.ax_.set_title(wording, size="medium")
        size = tiles.font_size(self.ax_, lines)
        wrong = self._wrong()
        self.texts_ = []
        for i, line in enumerate(lines):
            colour = VERMILLION if wrong[i] else None
            tiles.frame(self.ax_, i, colour or GREY, 1.8 if colour else 0.5)
            self.texts_.append(tiles.write(self.ax_, i, line, size, colour))
        return self

    def _wrong(self) -> Array:
        if self.y_true is None or self.y_pred is None:
            return np.zeros(len(self.images), dtype=bool)
        return np.asarray(self.y_true != self.y_pred)

    def _sort(self) -> None:
        """Put the most confident mistakes first."""
        if self.y_true is None or self.y_pred is None:
            raise ValueError("Got worst_first=True without true and predicted labels.")
        wrong = self._wrong()
        confidence = np.zeros(len(wrong)) if self.confidence is None else self.confidence
        order = np.lexsort((np.where(wrong, -confidence, confidence), ~wrong))
        for name in ("images", "y_true", "y_pred", "confidence"):
            values = getattr(self, name)
            setattr(self, name, None if values is None else values[order])

    def _lines(self, n: int) -> list[str]:
        """What stands under the first digits: one line each, or two where names are long."""
        labels, confidences = [], []
        for i in range(n):
            both = [str(y[i]) for y in (self.y_true, self.y_pred) if y is not None]
            labels.append(list(dict.fromkeys(both)))
            confidences.append("" if self.confidence is None else percent(self.confidence[i]))
        longest = max(len("".join(names)) for names in labels)
        arrow = " → " if longest <= FOLDED_FROM else " →\n"
        space = "  " if longest <= FOLDED_FROM else " "
        lines = [arrow.join(names) for names in labels]
        return [space.join(filter(None, pair)) for pair in zip(lines, confidences, strict=True)]
