"""Plot of pictures with their normalized form and class probabilities."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, sqrt
from typing import TYPE_CHECKING, Any

import numpy as np

from ._checks import Array, as_images, check_matplotlib, checked_probabilities
from ._style import BLUE, VERMILLION, percent, plain_text

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class ReadingDisplay:
    """Pictures of digits with their 28 × 28 pixels and the predicted probabilities.

    Create one with `from_estimator`. It shows each picture, the result of `read_digit_images`, and
    the probability of each class.

    Parameters
    ----------
    pictures : list of ndarray of shape (height, width) or (height, width, channels)
        The original pictures.
    rows : array-like of uint8 of shape (n_pictures, 784)
        Their pixels after `read_digit_images`.
    probabilities : array-like of shape (n_pictures, n_classes)
        Probability of each class.
    classes : array-like of shape (n_classes,)
        Labels of the classes.
    names : list of str, default=None
        Title of each picture.

    Attributes
    ----------
    axes_ : ndarray of matplotlib Axes of shape (n_pictures, 3)
        For each picture the axes of the picture, its pixels and its probabilities.
    figure_ : matplotlib Figure
        The figure.
    size : tuple of float
        Width and height of a new figure, in inches.

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
        self.images = as_images(rows)
        self.classes = np.asarray(classes)
        self.probabilities = checked_probabilities(probabilities, classes)
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
        """Read pictures, predict and plot.

        Parameters
        ----------
        estimator : estimator
            A fitted classifier of rows of 784 pixels, such as `load_pretrained` returns.
        pictures : sequence of paths, bytes, PIL images or arrays
            Input of `read_digit_images`.
        figure : matplotlib Figure, default=None
            Figure to plot on; None creates a new figure.

        Returns
        -------
        ReadingDisplay

        Raises
        ------
        UnreadableImageError
            If a picture cannot be read.
        """
        check_matplotlib(f"{cls.__name__}.from_estimator")
        return cls.from_pictures(estimator, pictures).plot(figure=figure)

    @classmethod
    def from_pictures(cls, estimator: Any, pictures: Sequence[Any]) -> ReadingDisplay:
        """Read pictures and predict, without plotting.

        Parameters
        ----------
        estimator : estimator
            A fitted classifier of rows of 784 pixels.
        pictures : sequence of paths, bytes, PIL images or arrays
            Input of `read_digit_images`.

        Returns
        -------
        ReadingDisplay
        """
        from os import PathLike

        from .._pictures.decoding import decode
        from ..preprocessing import read_digit_images

        pictures = list(pictures)
        rows = read_digit_images(pictures)
        names = [str(p) if isinstance(p, (str, PathLike)) else "" for p in pictures]
        decoded = [np.asarray(decode(picture)) for picture in pictures]
        return cls(decoded, rows, estimator.predict_proba(rows), estimator.classes_, names)

    def plot(self, *, figure: Figure | None = None) -> ReadingDisplay:
        """Plot the pictures.

        Parameters
        ----------
        figure : matplotlib Figure, default=None
            Figure to plot on; None creates a new figure.

        Returns
        -------
        ReadingDisplay
            The display itself.
        """
        check_matplotlib(f"{type(self).__name__}.plot")
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
        sure = percent(self.probabilities[i, best])
        title = plain_text(f"{name}  {self.classes[best]}, {sure}".strip())
        group.suptitle(title, size="small")
        picture.imshow(self.pictures[i], cmap="gray", vmin=0, vmax=255)
        image.imshow(self.images[i], cmap="gray", vmin=0, vmax=255)
        for ax in (picture, image):
            ax.set_xticks([])
            ax.set_yticks([])
        places = np.arange(len(self.classes))
        colours = [VERMILLION if place == best else BLUE for place in places]
        bars.barh(places, self.probabilities[i], color=colours)
        bars.set_yticks(places, [plain_text(label) for label in self.classes], size=6)
        bars.set_xlim(0, 1)
        bars.set_xticks([])
        bars.invert_yaxis()
        for side in ("top", "right", "bottom"):
            bars.spines[side].set_visible(False)
