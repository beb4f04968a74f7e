"""A grid of small images on one Axes."""

from __future__ import annotations

from math import ceil, sqrt
from typing import TYPE_CHECKING, Any

import numpy as np

from ._checks import Array
from ._style import plain_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class ImageGrid:
    """Images in rows and columns on one Axes, with space for a caption below each.

    Parameters
    ----------
    images : ndarray of shape (n_images, height, width)
    n_columns : int or None
        None makes the grid about square.
    caption_share : float
        Height of a caption as a share of the height of an image.
    """

    def __init__(self, images: Array, n_columns: int | None, caption_share: float) -> None:
        n, self.height, self.width = images.shape
        self.n_columns = min(n, n_columns or ceil(sqrt(n)))
        self.n_rows = ceil(n / self.n_columns)
        self.pitch_x = self.width + max(1, round(0.2 * self.width))
        self.caption = max(1, round(caption_share * self.height))
        self.pitch_y = self.height + self.caption
        # NaN is transparent.
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
        """Show the images; in a new figure each is `inches` wide."""
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
        text = "\n".join(map(plain_text, text.split("\n")))
        return ax.text(*place, text, size=size, ha="center", va="center", **style)

    def font_size(self, ax: Axes, captions: list[str]) -> float:
        """Font size in points at which all captions fit below their images."""
        ax.apply_aspect()
        points = ax.get_window_extent().width / self.canvas.shape[1] * 72 / ax.figure.dpi
        lines = [caption.split("\n") for caption in captions]
        by_width = self.pitch_x / (0.62 * max(len(line) for each in lines for line in each))
        by_height = 0.6 * self.caption / max(map(len, lines))
        return float(np.clip(min(by_width, by_height) * points, 3, 11))
