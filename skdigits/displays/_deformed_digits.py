"""Plot of digits and their random deformations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ._checks import as_images, check_matplotlib
from ._image_grid import ImageGrid
from ._style import VERMILLION

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


class DeformedDigitsDisplay:
    """Digits and random deformations of them, as augmentation generates them in training.

    Create one with `from_estimator` or `from_augmentation`. The first column has the original
    digits in a frame, each other column has one random deformation of every digit.

    Parameters
    ----------
    views : array-like of shape (n_digits, n_views + 1, height, width)
        The original and the deformations of each digit.

    Attributes
    ----------
    ax_ : matplotlib Axes
        The axes.
    figure_ : matplotlib Figure
        The figure.
    image_ : matplotlib AxesImage
        The grid of all images.

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
        """Plot deformations as `fit` of a classifier generates them.

        Parameters
        ----------
        estimator : estimator
            A DigitANNClassifier with `augmentation`, or a pipeline that ends in one; fitted or
            not.
        X : array-like of shape (n_digits, n_pixels) or (n_digits, height, width)
            Input of the classifier itself, after the other steps of a pipeline.
        n_views : int, default=9
            Number of deformations of each digit.
        random_state : int, default=0
            Seed of the deformations.
        ax : matplotlib Axes, default=None
            Axes to plot on; None creates a new figure.

        Returns
        -------
        DeformedDigitsDisplay

        Raises
        ------
        ValueError
            If `augmentation` of the classifier is None.
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
        """Plot digits deformed within given ranges.

        Parameters
        ----------
        augmentation : {"affine", "elastic"} or Augmentation
            Ranges of the deformations.
        X : array-like of shape (n_digits, n_pixels) or (n_digits, height, width)
            Pixels of square images.
        n_views : int, default=9
            Number of deformations of each digit.
        random_state : int, default=0
            Seed of the deformations.
        ax : matplotlib Axes, default=None
            Axes to plot on; None creates a new figure.

        Returns
        -------
        DeformedDigitsDisplay
        """
        from .._augmentation import NAMED, background, deformed, random_numbers

        check_matplotlib(f"{cls.__name__}.from_augmentation")
        images = as_images(X)
        rows = images.reshape(len(images), -1).astype(np.float32)
        fill, rng = background(rows), np.random.default_rng(random_state)
        views = [images.astype(np.float32)]
        for _ in range(n_views):
            random = random_numbers(rng, len(rows))
            ranges = NAMED.get(augmentation, augmentation)
            views.append(deformed(rows, ranges, random, fill).reshape(images.shape))
        return cls(np.stack(views, axis=1)).plot(ax=ax)

    def plot(self, *, ax: Axes | None = None, cmap: Any = "gray_r") -> DeformedDigitsDisplay:
        """Plot the digits, one per row.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to plot on; None creates a new figure.
        cmap : str or matplotlib Colormap, default="gray_r"
            Colormap of the pixels.

        Returns
        -------
        DeformedDigitsDisplay
            The display itself.
        """
        check_matplotlib(f"{type(self).__name__}.plot")
        n_digits, n_columns = self.views.shape[:2]
        images = self.views.reshape(-1, *self.views.shape[2:])
        grid = ImageGrid(images, n_columns, caption_share=0.2)
        self.image_ = grid.draw(ax, inches=0.7, cmap=cmap)
        self.ax_: Axes = self.image_.axes
        self.figure_: Figure = self.ax_.figure
        for i in range(n_digits):
            grid.frame(self.ax_, i * n_columns, VERMILLION, 1.2)
        return self
