"""Plot of pictures of numbers with their segmented digits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ._checks import Array, check_matplotlib
from ._style import VERMILLION, percent, plain_text

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ..preprocessing import Number


class NumberDisplay:
    """Pictures of numbers with a box around each digit, and the 28 × 28 pixels of each digit.

    Create one with `from_estimator`.

    Parameters
    ----------
    pictures : list of ndarray of shape (height, width) or (height, width, channels)
        The original pictures, upright.
    sizes : list of tuple of int
        Width and height of each picture in the pixels of the boxes.
    numbers : list of Number
        Result of `read_number` for each picture.
    names : list of str, default=None
        Title of each picture.

    Attributes
    ----------
    axes_ : list of list of matplotlib Axes
        For each picture the axes of the picture and of each digit.
    figure_ : matplotlib Figure
        The figure.
    size : tuple of float
        Width and height of a new figure, in inches.

    Examples
    --------
    >>> import numpy as np
    >>> from skdigits import load_pretrained
    >>> from skdigits.datasets import load_mnist_sample
    >>> from skdigits.displays import NumberDisplay
    >>> X = load_mnist_sample(subset="test", return_X_y=True)[0]
    >>> picture = 255 - np.hstack(X[:4].reshape(-1, 28, 28))
    >>> display = NumberDisplay.from_estimator(load_pretrained(), [picture])
    >>> len(display.axes_[0])
    5
    """

    def __init__(
        self,
        pictures: Sequence[Array],
        sizes: Sequence[tuple[int, int]],
        numbers: Sequence[Number],
        names: Sequence[str] | None = None,
    ) -> None:
        self.pictures, self.sizes, self.numbers = list(pictures), list(sizes), list(numbers)
        self.names = [""] * len(self.pictures) if names is None else list(names)
        counts = {len(self.pictures), len(self.sizes), len(self.numbers), len(self.names)}
        if len(counts) > 1 or not self.pictures:
            raise ValueError(
                f"Got {len(self.pictures)} pictures, {len(self.sizes)} sizes, "
                f"{len(self.numbers)} numbers and {len(self.names)} names, expected equally many "
                "and at least one."
            )
        self.size = (7.0, 2.6 * len(self.pictures))

    @classmethod
    def from_estimator(
        cls, estimator: Any, pictures: Sequence[Any], *, figure: Figure | None = None
    ) -> NumberDisplay:
        """Read pictures of numbers and plot them.

        Parameters
        ----------
        estimator : estimator
            A fitted classifier of rows of 784 pixels, such as `load_pretrained` returns.
        pictures : sequence of paths, bytes, PIL images or arrays
            Input of `read_number`.
        figure : matplotlib Figure, default=None
            Figure to plot on; None creates a new figure.

        Returns
        -------
        NumberDisplay

        Raises
        ------
        UnreadableImageError
            If a picture cannot be read.
        """
        check_matplotlib(f"{cls.__name__}.from_estimator")
        from ..preprocessing import read_number

        pictures = list(pictures)
        numbers = [read_number(picture, estimator) for picture in pictures]
        return cls.from_numbers(pictures, numbers).plot(figure=figure)

    @classmethod
    def from_numbers(cls, pictures: Sequence[Any], numbers: Sequence[Number]) -> NumberDisplay:
        """Create a display of numbers that were read before, without plotting.

        Parameters
        ----------
        pictures : sequence of paths, bytes, PIL images or arrays
            Input of `read_number`.
        numbers : sequence of Number
            Its result for each picture.

        Returns
        -------
        NumberDisplay
        """
        from os import PathLike

        from .._pictures.decoding import decode_sized

        pictures = list(pictures)
        names = [str(p) if isinstance(p, (str, PathLike)) else "" for p in pictures]
        decoded = [decode_sized(picture) for picture in pictures]
        arrays = [np.asarray(image) for image, _ in decoded]
        return cls(arrays, [size for _, size in decoded], numbers, names)

    def plot(self, *, figure: Figure | None = None) -> NumberDisplay:
        """Plot the pictures.

        Parameters
        ----------
        figure : matplotlib Figure, default=None
            Figure to plot on; None creates a new figure.

        Returns
        -------
        NumberDisplay
            The display itself.
        """
        check_matplotlib(f"{type(self).__name__}.plot")
        if figure is None:
            import matplotlib.pyplot as plt

            figure = plt.figure(figsize=self.size, layout="constrained")
        groups = figure.subfigures(len(self.pictures), 1, squeeze=False).ravel()
        self.figure_: Figure = figure
        self.axes_ = [self._draw(i, group) for i, group in enumerate(groups)]
        return self

    def _draw(self, i: int, group: Any) -> list[Any]:
        """Plot one picture with its digits below."""
        number = self.numbers[i]
        name = self.names[i] if len(self.names[i]) <= 60 else f"…{self.names[i][-59:]}"
        sure = percent(float(np.prod(number.confidences)))
        group.suptitle(plain_text(f"{name}  {number.text}, {sure}".strip()), size="small")
        grid = group.add_gridspec(2, max(len(number.rows), 4), height_ratios=(1.4, 1))
        axes = [group.add_subplot(grid[0, :])]
        self._draw_picture(i, axes[0])
        # Labels of more than one character cannot be assigned to the digits.
        labels = number.text if len(number.text) == len(number.rows) else " " * len(number.rows)
        for place, row in enumerate(number.rows):
            ax = group.add_subplot(grid[1, place])
            ax.imshow(row.reshape(28, 28), cmap="gray", vmin=0, vmax=255)
            sure = percent(number.confidences[place])
            ax.set_title(plain_text(f"{labels[place]}  {sure}".strip()), size="x-small")
            ax.set_xticks([])
            ax.set_yticks([])
            axes.append(ax)
        return axes

    def _draw_picture(self, i: int, ax: Any) -> None:
        """Plot a picture with a box around each digit."""
        from matplotlib.patches import Rectangle

        width, height = self.sizes[i]
        extent = (0, width, height, 0)
        ax.imshow(self.pictures[i], cmap="gray", vmin=0, vmax=255, extent=extent)
        for left, top, right, bottom in self.numbers[i].boxes.tolist():
            sides = (right - left, bottom - top)
            ax.add_patch(Rectangle((left, top), *sides, fill=False, edgecolor=VERMILLION))
        ax.set_axis_off()
