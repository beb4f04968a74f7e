"""Plot of loss and accuracy by epoch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import cycle
from typing import TYPE_CHECKING, Any

import numpy as np

from ._checks import Array, check_matplotlib, fitted_network
from ._style import BLUE, COLOURS, GREY, MARKERS, VERMILLION

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_QUANTITIES = {"loss": "Loss", "accuracy": "Accuracy"}
_CURVES = ("loss", "accuracy", "val_loss", "val_accuracy")


class TrainingCurveDisplay:
    """Loss and accuracy of each epoch, in training and on validation data.

    Create one with `from_estimator` or `from_history`. Training curves are dashed, validation
    curves solid, and a dot marks the epoch with the best validation accuracy. Several fits differ
    in colour.

    Parameters
    ----------
    histories : dict of str to dict of str to array-like of shape (n_epochs,)
        History of each fit by name, with "loss" or "accuracy" or both and, with validation data,
        "val_loss" and "val_accuracy". Other entries are ignored.
    best_epochs : dict of str to int, default=None
        Epoch to mark for each fit, counted from 1. The default is the epoch with the best
        "val_accuracy".

    Attributes
    ----------
    ax_ : ndarray of matplotlib Axes of shape (n_quantities,)
        The axes of each quantity.
    figure_ : matplotlib Figure
        The figure.
    lines_ : list of matplotlib Line2D
        The curves.

    Raises
    ------
    ValueError
        If a history has no curves, or its curves have different lengths.

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
        """Plot the curves of one or several fitted classifiers.

        Parameters
        ----------
        estimator : estimator or dict of str to estimator
            A fitted DigitANNClassifier, a pipeline that ends in one or a search over these.
            A dict contains several of them by name.
        ax : matplotlib Axes or array-like of Axes, default=None
            Axes to plot on, as for `plot`.
        quantities : sequence of {"loss", "accuracy"}, default=None
            Quantities to plot, each on its own Axes. None is both, or the accuracy if `ax` is a
            single Axes.

        Returns
        -------
        TrainingCurveDisplay

        Raises
        ------
        TypeError
            If an estimator does not contain a DigitANNClassifier.
        sklearn.exceptions.NotFittedError
            If an estimator isn't fitted.
        """
        check_matplotlib(f"{cls.__name__}.from_estimator")
        several = estimator if isinstance(estimator, Mapping) else {"": estimator}
        networks = {str(name): fitted_network(each) for name, each in several.items()}
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
        """Plot the curves of a history, also that of Keras' ``History`` callback.

        Parameters
        ----------
        history : dict of str to array-like of shape (n_epochs,), or dict of str to such dicts
            One or more of "loss", "accuracy", "val_loss" and "val_accuracy". A dict of dicts
            contains several fits by name.
        best_epoch : int, default=None
            Epoch to mark, counted from 1. None is the epoch with the best "val_accuracy".
        ax : matplotlib Axes or array-like of Axes, default=None
            Axes to plot on, as for `plot`.
        quantities : sequence of {"loss", "accuracy"}, default=None
            Quantities to plot, each on its own Axes. None is both, or the accuracy if `ax` is a
            single Axes.

        Returns
        -------
        TrainingCurveDisplay

        Raises
        ------
        ValueError
            If a history has no curves, or its curves have different lengths.
        """
        check_matplotlib(f"{cls.__name__}.from_history")
        single = not all(isinstance(value, Mapping) for value in history.values())
        histories = {"": history} if single or not history else history
        best = None if best_epoch is None else dict.fromkeys(histories, best_epoch)
        return cls(histories, best_epochs=best).plot(ax=ax, quantities=quantities)

    def plot(
        self, *, ax: Any = None, quantities: Sequence[str] | None = None
    ) -> TrainingCurveDisplay:
        """Plot the curves.

        Parameters
        ----------
        ax : matplotlib Axes or array-like of Axes, default=None
            Axes to plot on, one for each quantity; None creates a new figure.
        quantities : sequence of {"loss", "accuracy"}, default=None
            Quantities to plot, each on its own Axes. None is both, or the accuracy if `ax` is a
            single Axes.

        Returns
        -------
        TrainingCurveDisplay
            The display itself.

        Raises
        ------
        ValueError
            If a quantity is unknown or has no curve, or the number of Axes differs from the
            number of quantities.
        """
        check_matplotlib(f"{type(self).__name__}.plot")
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
        """The quantities to plot, checked."""
        available = {key.removeprefix("val_") for h in self.histories.values() for key in h}
        if quantities is None:
            both = [q for q in _QUANTITIES if q in available]
            return both[-1:] if n_axes == 1 else both
        if isinstance(quantities, str) or not quantities or not available.issuperset(quantities):
            raise ValueError(
                f"Got quantities={quantities!r}, expected a sequence of {sorted(available)}, the "
                "quantities with curves."
            )
        return list(quantities)

    def _styles(self) -> list[tuple[str, str, str, str]]:
        """Name of each fit, colour of its training and of its validation curve, marker."""
        if len(self.histories) == 1:
            return [(next(iter(self.histories)), VERMILLION, BLUE, "")]
        # When the colours are used up they repeat with another marker.
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
                    # A line through one point is invisible.
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
        """The best epoch with its validation accuracy."""
        epoch, scores = self.best_epochs.get(name), self.histories[name].get("val_accuracy")
        if epoch is None:
            return ""
        score = "" if scores is None else f"{scores[epoch - 1]:.2%}".replace("%", " %")
        if brackets:
            return f"({score} in epoch {epoch})" if score else f"(epoch {epoch})"
        return f"best epoch: {epoch}" + (f" ({score})" if score else "")


def _new_axes(n_axes: int) -> Array:
    """Axes of a new figure, side by side."""
    import matplotlib.pyplot as plt

    size = (5.2 * n_axes, 4.0)
    grid = plt.subplots(1, n_axes, figsize=size, layout="constrained", squeeze=False)[1]
    return np.asarray(grid[0])


def _best_epoch(history: Mapping[str, Array]) -> int | None:
    """Epoch with the best validation accuracy, counted from 1; ties go to the lower loss."""
    scores = history.get("val_accuracy")
    if scores is None or np.isnan(scores).all():
        return None
    losses = history.get("val_loss", np.zeros(len(scores)))
    return int(np.lexsort((losses, -scores))[0]) + 1


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
