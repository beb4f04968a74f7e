"""Pictures of training, of predictions and of what a network has learnt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import cycle
from math import ceil, isqrt, sqrt
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = [
    "DeformedDigitsDisplay",
    "DigitGridDisplay",
    "HiddenUnitsDisplay",
    "ReadingDisplay",
    "TrainingCurveDisplay",
]

Array = np.ndarray[Any, Any]

# Okabe and Ito's colours that stand out from white as well as from black, told apart by people
# with any kind of colour vision.
BLUE, VERMILLION = "#0072B2", "#D55E00"
GREY = "#8C8C8C"
COLOURS = (BLUE, VERMILLION, "#009E73", "#CC79A7", GREY)
MARKERS = ("", "s", "^", "D")

# Letters of labels that still fit into one line under a digit.
FOLDED_FROM = 8

_QUANTITIES = {"loss": "Loss", "accuracy": "Accuracy"}
_CURVES = ("loss", "accuracy", "val_loss", "val_accuracy")


def _check_matplotlib(caller: str) -> None:
    try:
        import matplotlib  # noqa: F401
    except ImportError as error:
        raise ImportError(
            f"{caller} needs matplotlib, which `pip install 'skdigits[plot]'` installs."
        ) from error


def _fitted_network(estimator: Any) -> Any:
    """The fitted DigitANNClassifier at the end of a pipeline or inside a search."""
    inner = estimator
    while True:
        if hasattr(inner, "best_estimator_"):
            inner = inner.best_estimator_
        elif hasattr(inner, "steps"):
            inner = inner[-1]
        else:
            break
    if not hasattr(inner, "keras_callbacks"):
        raise TypeError(
            f"Got {type(estimator).__name__}, expected a DigitANNClassifier, a pipeline that ends "
            "in one, or a fitted search over these."
        )
    check_is_fitted(inner)
    return inner


def _best_epoch(history: Mapping[str, Array]) -> int | None:
    """The epoch, from 1, of the best validation accuracy, of equal ones that of the least loss."""
    scores = history.get("val_accuracy")
    if scores is None or np.isnan(scores).all():
        return None
    losses = history.get("val_loss", np.zeros(len(scores)))
    return int(np.lexsort((losses, -scores))[0]) + 1


class TrainingCurveDisplay:
    """Loss and accuracy of each epoch, in training and on validation data.

    Make one with `from_estimator` or `from_history`. With several fits each has its colour;
    training is dashed, validation solid, and a dot marks the best epoch on validation data.

    Parameters
    ----------
    histories : dict of str to dict of str to array-like of shape (n_epochs,)
        Of each fit by name: "loss" or "accuracy" or both, and, where there are validation data,
        "val_loss" and "val_accuracy". Other entries are ignored.
    best_epochs : dict of str to int, default=None
        Of each fit the epoch to mark, counted from 1. Where there is none, that with the best
        "val_accuracy".

    Attributes
    ----------
    ax_ : ndarray of matplotlib Axes of shape (n_quantities,)
        The axes, one for each quantity.
    figure_ : matplotlib Figure
        The figure.
    lines_ : list of matplotlib Line2D
        The curves.

    Raises
    ------
    ValueError
        If there are no curves, or the curves of one fit have different lengths.

    See Also
    --------
    sklearn.model_selection.LearningCurveDisplay : Scores against the number of training rows.

    Examples
    --------
    >>> from skdigits.displays import TrainingCurveDisplay
    >>> history = {"loss": [0.9, 0.4, 0.3], "val_loss": [0.6, 0.4, 0.45],
    ...            "accuracy": [0.7, 0.9, 0.95], "val_accuracy": [0.8, 0.91, 0.9]}
    >>> display = TrainingCurveDisplay.from_history(history)
    >>> display.best_epochs
    {'': 2}
    """

    def __init__(
        self,
        histories: Mapping[str, Mapping[str, Any]],
        *,
        best_epochs: Mapping[str, int] | None = None,
    ) -> None:
        self.histories = {name: _checked_history(h, name) for name, h in histories.items()}
        if not self.histories:
            raise ValueError("Got no histories, expected at least one.")
        best = {name: _best_epoch(h) for name, h in self.histories.items()} | dict(
            best_epochs or {}
        )
        self.best_epochs = {name: epoch for name, epoch in best.items() if epoch is not None}

    @classmethod
    def from_estimator(
        cls, estimator: Any, *, ax: Any = None, quantities: Sequence[str] | None = None
    ) -> TrainingCurveDisplay:
        """Draw the curves of a fitted classifier, or of several.

        Parameters
        ----------
        estimator : estimator or dict of str to estimator
            A fitted DigitANNClassifier, a pipeline that ends in one or a search over these; or
            several by the names to show.
        ax : matplotlib Axes or array-like of Axes, default=None
            Where to draw, as in `plot`.
        quantities : sequence of {"loss", "accuracy"}, default=None
            What to draw, each on Axes of its own; None draws both, but on a single `ax` the
            accuracy alone.

        Returns
        -------
        TrainingCurveDisplay

        Raises
        ------
        TypeError
            If an estimator is of another kind.
        sklearn.exceptions.NotFittedError
            If an estimator isn't fitted.
        """
        _check_matplotlib(f"{cls.__name__}.from_estimator")
        several = estimator if isinstance(estimator, Mapping) else {"": estimator}
        networks = {str(name): _fitted_network(each) for name, each in several.items()}
        best = {n: e.best_epoch_ for n, e in networks.items() if e.validation_scores_ is not None}
        display = cls({name: e.history_ for name, e in networks.items()}, best_epochs=best)
        return display.plot(ax=ax, quantities=quantities)

    @classmethod
    def from_history(
        cls,
        history: Mapping[str, Any],
        *,
        best_epoch: int | None = None,
        ax: Any = None,
        quantities: Sequence[str] | None = None,
    ) -> TrainingCurveDisplay:
        """Draw curves from their numbers, which may also be those of Keras' own ``History``.

        Parameters
        ----------
        history : dict of str to array-like of shape (n_epochs,), or dict of str to such dicts
            The curves "loss", "accuracy", "val_loss", "val_accuracy" or some of them; or
            several fits' by the names to show.
        best_epoch : int, default=None
            The epoch to mark, counted from 1; of one fit only. None takes that with the best
            "val_accuracy".
        ax : matplotlib Axes or array-like of Axes, default=None
            Where to draw, as in `plot`.
        quantities : sequence of {"loss", "accuracy"}, default=None
            What to draw, each on Axes of its own; None draws both, but on a single `ax` the
            accuracy alone.

        Returns
        -------
        TrainingCurveDisplay

        Raises
        ------
        ValueError
            If there are no curves, or the curves of one fit have different lengths.
        """
        _check_matplotlib(f"{cls.__name__}.from_history")
        single = not all(isinstance(value, Mapping) for value in history.values())
        histories = {"": history} if single or not history else history
        best = None if best_epoch is None else dict.fromkeys(histories, best_epoch)
        return cls(histories, best_epochs=best).plot(ax=ax, quantities=quantities)

    def plot(
        self, *, ax: Any = None, quantities: Sequence[str] | None = None
    ) -> TrainingCurveDisplay:
        """Draw the curves.

        Parameters
        ----------
        ax : matplotlib Axes or array-like of Axes, default=None
            Where to draw, one for each quantity; None makes a new figure.
        quantities : sequence of {"loss", "accuracy"}, default=None
            What to draw, each on Axes of its own; None draws both, but on a single `ax` the
            accuracy alone.

        Returns
        -------
        TrainingCurveDisplay
            Itself.

        Raises
        ------
        ValueError
            If a quantity has no curve or is unknown, or `ax` has another number of axes.
        """
        _check_matplotlib(f"{type(self).__name__}.plot")
        given = None if ax is None else np.ravel(np.asarray(ax, dtype=object))
        quantities = self._drawable(quantities, None if given is None else len(given))
        if given is not None and len(given) != len(quantities):
            raise ValueError(f"Got ax with {len(given)} axes, expected {len(quantities)}.")
        self.ax_ = _new_axes(len(quantities)) if given is None else given
        self.figure_: Figure = self.ax_[0].figure
        self.lines_: list[Any] = []
        for axes, quantity in zip(self.ax_, quantities, strict=True):
            self._draw(axes, quantity)
        self._add_legend(self.ax_[-1], quantities[-1])
        return self

    def _drawable(self, quantities: Sequence[str] | None, n_axes: int | None) -> list[str]:
        """The wanted quantities, checked."""
        there = {key.removeprefix("val_") for h in self.histories.values() for key in h}
        if quantities is None:
            both = [q for q in _QUANTITIES if q in there]
            return both[-1:] if n_axes == 1 else both
        if isinstance(quantities, str) or not quantities or not there.issuperset(quantities):
            raise ValueError(
                f"Got quantities={quantities!r}, expected a sequence of {sorted(there)}, of which "
                "there are curves."
            )
        return list(quantities)

    def _styles(self) -> list[tuple[str, str, str, str]]:
        """Name of each fit, colour of its training and of its validation curve, marker."""
        if len(self.histories) == 1:
            return [(next(iter(self.histories)), VERMILLION, BLUE, "")]
        # Colours come again with markers that tell them apart.
        looks = [(colour, marker) for marker in MARKERS for colour in COLOURS]
        return [(n, c, c, m) for n, (c, m) in zip(self.histories, cycle(looks), strict=False)]

    def _draw(self, ax: Axes, quantity: str) -> None:
        from matplotlib.ticker import MaxNLocator, PercentFormatter

        for name, *colours, marker in self._styles():
            history = self.histories[name]
            parts = (quantity, "--"), (f"val_{quantity}", "-")
            for (key, style), colour in zip(parts, colours, strict=True):
                if key in history:
                    epochs = np.arange(1, len(history[key]) + 1)
                    lines = ax.plot(epochs, history[key], style, color=colour)
                    # A line needs two points to be seen.
                    lines[0].set_marker("o" if len(epochs) == 1 else marker)
                    lines[0].set_markevery(max(1, len(epochs) // 8))
                    self.lines_ += lines
            best, key = self.best_epochs.get(name), f"val_{quantity}"
            if best is not None and key in history:
                ax.plot(best, history[key][best - 1], "o", color=colours[1], markersize=8, zorder=5)
        ax.set(xlabel="Epoch", ylabel=_QUANTITIES[quantity])
        ax.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        if quantity == "accuracy":
            ax.yaxis.set_major_formatter(PercentFormatter(1.0, symbol=" %"))
        ax.grid(alpha=0.3)

    def _add_legend(self, ax: Axes, quantity: str) -> None:
        from matplotlib.lines import Line2D

        handles = []
        styles = self._styles()
        for name, _, colour, marker in styles if len(styles) > 1 else []:
            label = " ".join(filter(None, (name, self._best_label(name, brackets=True))))
            handles.append(Line2D([], [], label=label, color=colour, marker=marker, linewidth=4))
        colours = styles[0][1:3] if len(styles) == 1 else (GREY, GREY)
        keys = {key for h in self.histories.values() for key in h}
        if keys & {"loss", "accuracy"}:
            handles.append(Line2D([], [], ls="--", color=colours[0], label="training"))
        if keys & {"val_loss", "val_accuracy"}:
            handles.append(Line2D([], [], ls="-", color=colours[1], label="validation"))
        if self.best_epochs:
            label = self._best_label(styles[0][0]) if len(styles) == 1 else "best epoch"
            handles.append(Line2D([], [], ls="", marker="o", color=colours[1], label=label))
        place = "lower right" if quantity == "accuracy" else "upper right"
        ax.legend(handles=handles, loc=place, fontsize="small")

    def _best_label(self, name: str, *, brackets: bool = False) -> str:
        """What the best epoch was and how good."""
        epoch, scores = self.best_epochs.get(name), self.histories[name].get("val_accuracy")
        if epoch is None:
            return ""
        score = "" if scores is None else f"{scores[epoch - 1]:.2%}".replace("%", " %")
        if brackets:
            return f"({score} in epoch {epoch})" if score else f"(epoch {epoch})"
        return f"best epoch: {epoch}" + (f" ({score})" if score else "")


def _checked_history(history: Mapping[str, Any], name: str) -> dict[str, Array]:
    curves = {
        key: np.asarray(history[key], dtype=np.float64)
        for key in _CURVES
        if history.get(key) is not None
    }
    shapes = {key: curve.shape for key, curve in curves.items()}
    if not curves or len(set(shapes.values())) > 1 or min(len(s) for s in shapes.values()) != 1:
        of = f" of {name!r}" if name else ""
        raise ValueError(
            f"Got a history{of} with curves of shapes {shapes}, expected one or more of "
            f"{', '.join(_CURVES)}, each with one number per epoch."
        )
    if not len(next(iter(curves.values()))):
        raise ValueError("Got a history without epochs, expected at least one.")
    return curves


def _new_axes(n_axes: int) -> Array:
    """Axes of a new figure, side by side."""
    import matplotlib.pyplot as plt

    size = (5.2 * n_axes, 4.0)
    grid = plt.subplots(1, n_axes, figsize=size, layout="constrained", squeeze=False)[1]
    return np.asarray(grid[0])


def _as_images(X: Any) -> Array:
    """X as pictures: rows of pixels become squares."""
    X = np.asarray(X.toarray() if hasattr(X, "toarray") else X)
    if X.ndim == 3:
        return X
    side = isqrt(X.shape[1]) if X.ndim == 2 else 0
    if X.ndim != 2 or side * side != X.shape[1]:
        raise ValueError(
            f"Got X of shape {X.shape}, expected images of shape (n_images, height, width) or "
            "rows of as many pixels as a square has, such as 784."
        )
    return X.reshape(len(X), side, side)


def _first(images: Array, name: str, n: int) -> Array:
    """At most so many images."""
    if n < 1:
        raise ValueError(f"Got {name}={n}, expected at least 1.")
    return images[:n]


class _Tiles:
    """Pictures laid out in rows and columns on one Axes, with room for a line under each."""

    def __init__(self, images: Array, n_columns: int | None, caption_share: float) -> None:
        n, self.height, self.width = images.shape
        self.n_columns = min(n, n_columns or ceil(sqrt(n)))
        self.n_rows = ceil(n / self.n_columns)
        self.pitch_x = self.width + max(1, round(0.2 * self.width))
        self.caption = max(1, round(caption_share * self.height))
        self.pitch_y = self.height + self.caption
        # What no picture covers is transparent.
        self.canvas = np.full(
            (self.n_rows * self.pitch_y, self.n_columns * self.pitch_x), np.nan, np.float32
        )
        self.corners = [
            (i % self.n_columns * self.pitch_x, i // self.n_columns * self.pitch_y)
            for i in range(n)
        ]
        for (x, y), image in zip(self.corners, images, strict=True):
            self.canvas[y : y + self.height, x : x + self.width] = image

    def draw(self, ax: Axes | None, inches: float, **style: Any) -> Any:
        """Show the pictures; those of a new figure are `inches` wide."""
        if ax is None:
            import matplotlib.pyplot as plt

            scale = inches / self.width
            size = (self.canvas.shape[1] * scale, self.canvas.shape[0] * scale + 0.3)
            ax = plt.subplots(figsize=size, layout="constrained")[1]
        image = ax.imshow(self.canvas, interpolation="nearest", **style)
        ax.set_axis_off()
        return image

    def frame(self, ax: Axes, i: int, colour: str, width: float) -> None:
        from matplotlib.patches import Rectangle

        x, y = self.corners[i]
        corner = (x - 0.5, y - 0.5)
        ax.add_patch(Rectangle(corner, self.width, self.height, fill=False, ec=colour, lw=width))

    def write(self, ax: Axes, i: int, text: str, size: float, colour: str | None) -> Any:
        x, y = self.corners[i]
        style: dict[str, Any] = {"color": colour, "weight": "bold"} if colour else {}
        place = (x + self.width / 2 - 0.5, y + self.height + 0.4 * self.caption - 0.5)
        return ax.text(*place, text, size=size, ha="center", va="center", **style)

    def font_size(self, ax: Axes, captions: list[str]) -> float:
        """Points at which each caption fits under its picture."""
        ax.apply_aspect()
        points = ax.get_window_extent().width / self.canvas.shape[1] * 72 / ax.figure.dpi
        lines = [caption.split("\n") for caption in captions]
        by_width = self.pitch_x / (0.62 * max(len(line) for each in lines for line in each))
        by_height = 0.6 * self.caption / max(map(len, lines))
        return float(np.clip(min(by_width, by_height) * points, 3, 11))


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
        self.images = _as_images(images)
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
        _check_matplotlib(f"{cls.__name__}.from_estimator")
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
        _check_matplotlib(f"{cls.__name__}.from_predictions")
        confidence = None
        if probabilities is not None:
            probabilities = _checked_probabilities(probabilities, classes)
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
        _check_matplotlib(f"{type(self).__name__}.plot")
        images = _first(self.images, "n_images", n_images)
        lines = self._lines(len(images))
        folded = any("\n" in line for line in lines)
        tiles = _Tiles(images, n_columns, caption_share=0.6 if folded else 0.4)
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
            confidences.append("" if self.confidence is None else _percent(self.confidence[i]))
        longest = max(len("".join(names)) for names in labels)
        arrow = " → " if longest <= FOLDED_FROM else " →\n"
        space = "  " if longest <= FOLDED_FROM else " "
        lines = [arrow.join(names) for names in labels]
        return [space.join(filter(None, pair)) for pair in zip(lines, confidences, strict=True)]


def _percent(confidence: float) -> str:
    """Whole percent, of which 100 is kept for what has no doubt at all."""
    return f"{100 if confidence >= 1 else min(round(100 * confidence), 99)} %"


def _checked_probabilities(probabilities: Any, classes: Any) -> Array:
    checked = np.asarray(probabilities)
    if checked.ndim != 2 or (classes is not None and checked.shape[1] != len(classes)):
        columns = "n_classes" if classes is None else len(classes)
        raise ValueError(
            f"Got probabilities of shape {checked.shape}, expected (n_samples, {columns})."
        )
    return checked


class HiddenUnitsDisplay:
    """What the units of the first hidden layer look for: their weights as pictures.

    Make one with `from_estimator`. Blue pixels speak for a unit, red ones against it; each unit
    has its own scale, so that weak ones can be seen as well.

    Parameters
    ----------
    weights : array-like of shape (n_pixels, n_units)
        Weights from each pixel to each unit.

    Attributes
    ----------
    ax_ : matplotlib Axes
        The axes.
    figure_ : matplotlib Figure
        The figure.
    image_ : matplotlib AxesImage
        All pictures in one.

    Raises
    ------
    ValueError
        If the number of pixels is not a square.
    """

    def __init__(self, weights: Any) -> None:
        self.weights = np.asarray(weights)
        self.images = _as_images(self.weights.T)

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        *,
        n_units: int = 25,
        n_columns: int | None = None,
        ax: Axes | None = None,
    ) -> HiddenUnitsDisplay:
        """Draw the first layer of a fitted classifier.

        Parameters
        ----------
        estimator : estimator
            A fitted DigitANNClassifier, a pipeline that ends in one or a search over these.
        n_units : int, default=25
            How many to draw at most.
        n_columns : int, default=None
            Units in a row; None makes about a square.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.

        Returns
        -------
        HiddenUnitsDisplay
        """
        _check_matplotlib(f"{cls.__name__}.from_estimator")
        weights = _fitted_network(estimator).coefs_[0]
        return cls(weights).plot(ax=ax, n_units=n_units, n_columns=n_columns)

    def plot(
        self,
        *,
        ax: Axes | None = None,
        n_units: int = 25,
        n_columns: int | None = None,
        cmap: Any = "RdBu",
    ) -> HiddenUnitsDisplay:
        """Draw the units with the largest weights.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.
        n_units : int, default=25
            How many to draw at most.
        n_columns : int, default=None
            Units in a row; None makes about a square.
        cmap : str or matplotlib Colormap, default="RdBu"
            Colours from the most negative weight to the most positive.

        Returns
        -------
        HiddenUnitsDisplay
            Itself.
        """
        _check_matplotlib(f"{type(self).__name__}.plot")
        by_strength = np.argsort(-np.square(self.images).sum(axis=(1, 2)), kind="stable")
        images = _first(self.images[by_strength], "n_units", n_units)
        peaks = np.abs(images).max(axis=(1, 2), keepdims=True)
        scaled = images / np.where(peaks > 0, peaks, 1)
        tiles = _Tiles(scaled, n_columns, caption_share=0.2)
        self.image_ = tiles.draw(ax, inches=0.95, cmap=cmap, vmin=-1, vmax=1)
        self.ax_: Axes = self.image_.axes
        self.figure_: Figure = self.ax_.figure
        for i in range(len(images)):
            tiles.frame(self.ax_, i, GREY, 0.5)
        return self


class DeformedDigitsDisplay:
    """Digits beside what a network is shown of them in training.

    Make one with `from_estimator` or `from_augmentation`. The first column has the digits as they
    are, framed; each further one another random deformation.

    Parameters
    ----------
    views : array-like of shape (n_digits, n_views + 1, height, width)
        Each digit, first as it is.

    Attributes
    ----------
    ax_ : matplotlib Axes
        The axes.
    figure_ : matplotlib Figure
        The figure.
    image_ : matplotlib AxesImage
        All pictures in one.

    Examples
    --------
    >>> from skdigits import Augmentation
    >>> from skdigits.datasets import load_mnist_sample
    >>> from skdigits.displays import DeformedDigitsDisplay
    >>> X, _ = load_mnist_sample(subset="test", return_X_y=True)
    >>> display = DeformedDigitsDisplay.from_augmentation(Augmentation(), X[:5], n_views=7)
    >>> display.views.shape
    (5, 8, 28, 28)
    """

    def __init__(self, views: Any) -> None:
        self.views = np.asarray(views)
        if self.views.ndim != 4:
            raise ValueError(
                f"Got views of shape {self.views.shape}, expected (n_digits, n_views + 1, height, "
                "width)."
            )

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        *,
        n_views: int = 9,
        random_state: int = 0,
        ax: Axes | None = None,
    ) -> DeformedDigitsDisplay:
        """Draw what training deforms digits to.

        Parameters
        ----------
        estimator : estimator
            A DigitANNClassifier with `augmentation`, or a pipeline that ends in one; fitted or
            not.
        X : array-like of shape (n_digits, n_pixels) or (n_digits, height, width)
            Pixels as they are given to the classifier itself.
        n_views : int, default=9
            Deformations of each digit.
        random_state : int, default=0
            Seed of the deformations.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.

        Returns
        -------
        DeformedDigitsDisplay

        Raises
        ------
        ValueError
            If the classifier has no `augmentation`.
        """
        inner = estimator[-1] if hasattr(estimator, "steps") else estimator
        augmentation = getattr(inner, "augmentation", None)
        if augmentation is None:
            raise ValueError(
                f"Got {type(inner).__name__} without augmentation, expected a DigitANNClassifier "
                "with augmentation='affine', 'elastic' or an Augmentation."
            )
        return cls.from_augmentation(
            augmentation, X, n_views=n_views, random_state=random_state, ax=ax
        )

    @classmethod
    def from_augmentation(
        cls,
        augmentation: Any,
        X: Any,
        *,
        n_views: int = 9,
        random_state: int = 0,
        ax: Axes | None = None,
    ) -> DeformedDigitsDisplay:
        """Draw digits deformed within given ranges.

        Parameters
        ----------
        augmentation : {"affine", "elastic"} or Augmentation
            Ranges of the deformations.
        X : array-like of shape (n_digits, n_pixels) or (n_digits, height, width)
            Pixels of square images.
        n_views : int, default=9
            Deformations of each digit.
        random_state : int, default=0
            Seed of the deformations.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.

        Returns
        -------
        DeformedDigitsDisplay
        """
        from ._augmentation import NAMED, background, deformed, random_numbers

        _check_matplotlib(f"{cls.__name__}.from_augmentation")
        images = _as_images(X)
        rows = images.reshape(len(images), -1).astype(np.float32)
        fill, rng = background(rows), np.random.default_rng(random_state)
        views = [images.astype(np.float32)]
        for _ in range(n_views):
            random = random_numbers(rng, len(rows))
            ranges = NAMED.get(augmentation, augmentation)
            views.append(deformed(rows, ranges, random, fill).reshape(images.shape))
        return cls(np.stack(views, axis=1)).plot(ax=ax)

    def plot(self, *, ax: Axes | None = None, cmap: Any = "gray_r") -> DeformedDigitsDisplay:
        """Draw the digits, a row each.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.
        cmap : str or matplotlib Colormap, default="gray_r"
            Colours from the lowest pixel to the highest.

        Returns
        -------
        DeformedDigitsDisplay
            Itself.
        """
        _check_matplotlib(f"{type(self).__name__}.plot")
        n_digits, n_columns = self.views.shape[:2]
        images = self.views.reshape(-1, *self.views.shape[2:])
        tiles = _Tiles(images, n_columns, caption_share=0.2)
        self.image_ = tiles.draw(ax, inches=0.7, cmap=cmap)
        self.ax_: Axes = self.image_.axes
        self.figure_: Figure = self.ax_.figure
        for i in range(n_digits):
            tiles.frame(self.ax_, i * n_columns, VERMILLION, 1.2)
        return self


class ReadingDisplay:
    """Pictures beside what a network saw of them and what it made of that.

    Make one with `from_estimator`. For each picture it shows the picture itself, its form after
    `read_digit_images`, and the probability of each class.

    Parameters
    ----------
    pictures : list of ndarray of shape (height, width) or (height, width, channels)
        Pictures as they came.
    rows : array-like of uint8 of shape (n_pictures, 784)
        What was read from them.
    probabilities : array-like of shape (n_pictures, n_classes)
        Of each class.
    classes : array-like of shape (n_classes,)
        Their labels.
    names : list of str, default=None
        What stands above each picture.

    Attributes
    ----------
    axes_ : ndarray of matplotlib Axes of shape (n_pictures, 3)
        Of each picture: itself, its form, its probabilities.
    figure_ : matplotlib Figure
        The figure.
    size : tuple of float
        Width and height that a new figure gets, in inches.

    Examples
    --------
    >>> import numpy as np
    >>> from skdigits import load_pretrained
    >>> from skdigits.displays import ReadingDisplay
    >>> picture = np.full((90, 60), 255, dtype=np.uint8)
    >>> picture[20:70, 27:33] = 0
    >>> display = ReadingDisplay.from_estimator(load_pretrained(), [picture])
    >>> display.axes_.shape
    (1, 3)
    """

    def __init__(
        self,
        pictures: Sequence[Array],
        rows: Any,
        probabilities: Any,
        classes: Any,
        names: Sequence[str] | None = None,
    ) -> None:
        self.pictures = list(pictures)
        self.images = _as_images(rows)
        self.classes = np.asarray(classes)
        self.probabilities = _checked_probabilities(probabilities, classes)
        self.names = [""] * len(self.pictures) if names is None else list(names)
        counts = {len(self.pictures), len(self.images), len(self.probabilities), len(self.names)}
        if len(counts) > 1 or not self.pictures:
            raise ValueError(
                f"Got {len(self.pictures)} pictures, {len(self.images)} rows, "
                f"{len(self.probabilities)} rows of probabilities and {len(self.names)} names, "
                "expected equally many and at least one."
            )
        self._n_columns = min(3, ceil(sqrt(len(self.pictures) / 2)))
        self._n_rows = ceil(len(self.pictures) / self._n_columns)
        self.size = (4.6 * self._n_columns, 1.75 * self._n_rows + 0.2)

    @classmethod
    def from_estimator(
        cls, estimator: Any, pictures: Sequence[Any], *, figure: Figure | None = None
    ) -> ReadingDisplay:
        """Read pictures and draw.

        Parameters
        ----------
        estimator : estimator
            A fitted classifier of rows of 784 pixels, such as `load_pretrained` returns.
        pictures : sequence of paths, bytes, PIL images or arrays
            Whatever `read_digit_images` takes. Each must hold a readable digit.
        figure : matplotlib Figure, default=None
            Where to draw; None makes a new figure.

        Returns
        -------
        ReadingDisplay

        Raises
        ------
        UnreadableImageError
            If one can't be read.
        """
        _check_matplotlib(f"{cls.__name__}.from_estimator")
        return cls.from_pictures(estimator, pictures).plot(figure=figure)

    @classmethod
    def from_pictures(cls, estimator: Any, pictures: Sequence[Any]) -> ReadingDisplay:
        """Read pictures without drawing yet; parameters as for `from_estimator`.

        Parameters
        ----------
        estimator : estimator
            A fitted classifier of rows of 784 pixels.
        pictures : sequence of paths, bytes, PIL images or arrays
            Whatever `read_digit_images` takes.

        Returns
        -------
        ReadingDisplay
        """
        from os import PathLike

        from ._pictures.decoding import decode
        from .preprocessing import read_digit_images

        pictures = list(pictures)
        rows = read_digit_images(pictures)
        names = [str(p) if isinstance(p, (str, PathLike)) else "" for p in pictures]
        decoded = [np.asarray(decode(picture)) for picture in pictures]
        return cls(decoded, rows, estimator.predict_proba(rows), estimator.classes_, names)

    def plot(self, *, figure: Figure | None = None) -> ReadingDisplay:
        """Draw.

        Parameters
        ----------
        figure : matplotlib Figure, default=None
            Where to draw; None makes a new figure.

        Returns
        -------
        ReadingDisplay
            Itself.
        """
        _check_matplotlib(f"{type(self).__name__}.plot")
        if figure is None:
            import matplotlib.pyplot as plt

            figure = plt.figure(figsize=self.size, layout="constrained")
        groups = figure.subfigures(self._n_rows, self._n_columns, squeeze=False).ravel()
        axes = [group.subplots(1, 3, width_ratios=(1, 1, 1.3)) for group in groups]
        self.figure_: Figure = figure
        self.axes_ = np.array(axes[: len(self.pictures)])
        for unused in axes[len(self.pictures) :]:
            for ax in unused:
                ax.set_axis_off()
        for i, group in enumerate(groups[: len(self.pictures)]):
            self._draw(i, group)
        return self

    def _draw(self, i: int, group: Any) -> None:
        picture, image, bars = self.axes_[i]
        best = int(self.probabilities[i].argmax())
        name = self.names[i] if len(self.names[i]) <= 40 else f"…{self.names[i][-39:]}"
        sure = _percent(self.probabilities[i, best])
        group.suptitle(f"{name}  {self.classes[best]}, {sure}".strip(), size="small")
        picture.imshow(self.pictures[i], cmap="gray", vmin=0, vmax=255)
        image.imshow(self.images[i], cmap="gray", vmin=0, vmax=255)
        for ax in (picture, image):
            ax.set_xticks([])
            ax.set_yticks([])
        places = np.arange(len(self.classes))
        colours = [VERMILLION if place == best else BLUE for place in places]
        bars.barh(places, self.probabilities[i], color=colours)
        bars.set_yticks(places, [str(label) for label in self.classes], size=6)
        bars.set_xlim(0, 1)
        bars.set_xticks([])
        bars.invert_yaxis()
        for side in ("top", "right", "bottom"):
            bars.spines[side].set_visible(False)
