"""Weights of the first layer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ._checks import as_images, check_matplotlib, first, fitted_network
from ._style import GREY
from ._tiles import Tiles

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


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
        self.images = as_images(self.weights.T)

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
        check_matplotlib(f"{cls.__name__}.from_estimator")
        weights = fitted_network(estimator).coefs_[0]
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
        check_matplotlib(f"{type(self).__name__}.plot")
        by_strength = np.argsort(-np.square(self.images).sum(axis=(1, 2)), kind="stable")
        images = first(self.images[by_strength], "n_units", n_units)
        peaks = np.abs(images).max(axis=(1, 2), keepdims=True)
        scaled = images / np.where(peaks > 0, peaks, 1)
        tiles = Tiles(scaled, n_columns, caption_share=0.2)
        self.image_ = tiles.draw(ax, inches=0.95, cmap=cmap, vmin=-1, vmax=1)
        self.ax_: Axes = self.image_.axes
        self.figure_: Figure = self.ax_.figure
        for i in range(len(images)):
            tiles.frame(self.ax_, i, GREY, 0.5)
        return self
