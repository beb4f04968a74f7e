"""Plot of the weights of the first hidden layer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ._checks import as_images, check_matplotlib, first, fitted_network
from ._image_grid import ImageGrid
from ._style import GREY

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


class HiddenUnitsDisplay:
    """Weights of the units of the first hidden layer as images.

    Create one with `from_estimator`. Positive weights are blue and negative weights red. Each unit
    has its own scale, so that units with small weights are visible.

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
        The grid of all images.

    Raises
    ------
    ValueError
        If the number of pixels is not a square number.
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
        """Plot the weights of a fitted classifier.

        Parameters
        ----------
        estimator : estimator
            A fitted DigitANNClassifier, a pipeline that ends in one or a search over these.
        n_units : int, default=25
            Maximum number of units.
        n_columns : int, default=None
            Number of columns; None makes the grid about square.
        ax : matplotlib Axes, default=None
            Axes to plot on; None creates a new figure.

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
        """Plot the units with the largest weights.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to plot on; None creates a new figure.
        n_units : int, default=25
            Maximum number of units.
        n_columns : int, default=None
            Number of columns; None makes the grid about square.
        cmap : str or matplotlib Colormap, default="RdBu"
            Colormap from the most negative to the most positive weight.

        Returns
        -------
        HiddenUnitsDisplay
            The display itself.
        """
        check_matplotlib(f"{type(self).__name__}.plot")
        by_strength = np.argsort(-np.square(self.images).sum(axis=(1, 2)), kind="stable")
        images = first(self.images[by_strength], "n_units", n_units)
        peaks = np.abs(images).max(axis=(1, 2), keepdims=True)
        scaled = images / np.where(peaks > 0, peaks, 1)
        grid = ImageGrid(scaled, n_columns, caption_share=0.2)
        self.image_ = grid.draw(ax, inches=0.95, cmap=cmap, vmin=-1, vmax=1)
        self.ax_: Axes = self.image_.axes
        self.figure_: Figure = self.ax_.figure
        for i in range(len(images)):
            grid.frame(self.ax_, i, GREY, 0.5)
        return self
