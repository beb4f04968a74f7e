"""A search's scores against one parameter or two."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from ._checks import Array
from ._search_lines import FAN
from ._search_parameters import N_ORDINAL, ParameterAxis
from ._search_scores import Scores
from ._style import BLUE, GREY, VERMILLION

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from ._search_results import SearchResultsDisplay

INCHES_PER_LETTER = 0.09


def figure_size(display: SearchResultsDisplay) -> tuple[float, float]:
    """Inches in which everything has its place."""
    axes = display.axes
    if display.kind == "heatmap":
        rows, columns = sorted(axes, key=lambda axis: len(axis.labels))
        letters = max(map(len, rows.labels))
        width = max(4.8, 2.2 + 0.09 * letters + 0.95 * len(columns.labels))
        return min(width, 16.0), min(max(3.0, 1.6 + 0.6 * len(rows.labels)), 12.0)
    if display.kind == "dots":
        return 6.0, 4.0
    most = max(min(len(axis.labels), N_ORDINAL) for axis in axes)
    return min(2.4 + 1.75 * (len(axes) + FAN - 1), 18.0), max(4.6, 0.45 * most + 1.6)


def dots(display: SearchResultsDisplay, ax: Axes, cmap: Any) -> None:
    """Scores against one parameter, with their spread over the folds."""
    from matplotlib.lines import Line2D

    scores = Scores(display, cmap)
    place = _places(display.axes[0], ax) if display.axes else np.zeros(len(scores.means))
    if not display.axes:
        ax.set_xticks([0], ["the one candidate"])
    style: dict[str, Any] = {"fmt": "o", "capsize": 3, "color": BLUE, "markersize": 5}
    fine, off = ~scores.failed & (scores.means >= scores.low), scores.means < scores.low
    ax.errorbar(place[fine], scores.means[fine], scores.spreads[fine], **style)
    if display.axes and display.axes[0].numbers is not None:
        levels = np.unique(place[fine])
        means = [scores.means[fine & (place == level)].mean() for level in levels]
        ax.plot(levels, means, color=BLUE, alpha=0.4, zorder=1)
    i = scores.best
    style |= {"color": VERMILLION, "markersize": 9, "zorder": 4}
    ax.errorbar(place[i], scores.means[i], scores.spreads[i], **style)
    on_the_floor = ax.get_xaxis_transform()
    for x in np.unique(place[scores.failed]):
        ax.plot(x, 0.04, "x", color=GREY, transform=on_the_floor, markersize=8, mew=2)
    ax.plot(place[off], np.full(off.sum(), 0.03), "v", color=BLUE, transform=on_the_floor)
    ax.set_ylabel(scores.label)
    ax.margins(x=0.08, y=0.12)
    ax.grid(alpha=0.3)
    scores.legend(
        ax,
        Line2D([], [], ls="", marker="o", color=VERMILLION, markersize=8),
        Line2D([], [], ls="", marker="x", color=GREY, markersize=8, mew=2),
    )


def _places(axis: ParameterAxis, ax: Axes) -> Array:
    """Where candidates stand on a horizontal axis, which gets its scale, ticks and name."""
    ax.set_xlabel(axis.name)
    if axis.scale == "ordinal" or axis.numbers is None:
        _label_places(ax, axis.labels)
        return axis.index
    if axis.scale == "log":
        ax.set_xscale("log")
    if len(axis.labels) <= N_ORDINAL:
        ax.set_xticks(np.unique(axis.numbers), axis.labels)
        ax.set_xticks([], minor=True)
    return axis.numbers


def _inches(ax: Axes) -> tuple[float, float]:
    """Width and height of the axes."""
    box = ax.get_window_extent()
    return box.width / ax.figure.dpi, box.height / ax.figure.dpi


def _label_places(ax: Axes, labels: list[str]) -> None:
    """Write labels under the places 0, 1, …, aslant where they would touch."""
    ax.set_xticks(range(len(labels)), labels)
    room = _inches(ax)[0] / len(labels)
    neighbours = max(len(a) + len(b) for a, b in pairwise([*labels, labels[-1]])) / 2
    if INCHES_PER_LETTER * (neighbours + 1) > room:
        for label in ax.get_xticklabels():
            label.set(rotation=40, ha="right", rotation_mode="anchor")


def heatmap(display: SearchResultsDisplay, ax: Axes, cmap: Any) -> None:
    """Scores in the cells of two parameters' values."""
    from matplotlib.patches import Patch, Rectangle

    scores = Scores(display, cmap)
    rows, columns = sorted(display.axes, key=lambda axis: len(axis.labels))
    shape = len(rows.labels), len(columns.labels)
    cells, values = np.full(shape, -1), np.full(shape, np.nan)
    # The best of a cell's candidates comes last.
    for i in scores.order():
        cells[rows.index[i], columns.index[i]] = i
        values[rows.index[i], columns.index[i]] = scores.means[i]
    image = ax.imshow(values, cmap=scores.cmap, norm=scores.norm, aspect="auto", origin="lower")
    _label_places(ax, columns.labels)
    ax.set_yticks(range(shape[0]), rows.labels)
    ax.set(xlabel=columns.name, ylabel=rows.name)
    for (row, column), i in np.ndenumerate(cells):
        if i >= 0:
            _write_cell(ax, scores, i, row, column, shape)
    frame: dict[str, Any] = {"fill": False, "ec": VERMILLION, "lw": 3}
    corner = columns.index[scores.best] - 0.5, rows.index[scores.best] - 0.5
    ax.add_patch(Rectangle(corner, 1, 1, zorder=4, **frame))
    bar = ax.figure.colorbar(image, ax=ax, extend="min" if scores.cut else "neither")
    bar.set_label(scores.label)
    scores.legend(ax, Patch(**frame), Patch(fill=False, ec=GREY, hatch="///"))


def _write_cell(
    ax: Axes, scores: Scores, i: int, row: int, column: int, shape: tuple[int, int]
) -> None:
    from matplotlib.patches import Rectangle

    if scores.failed[i]:
        box: dict[str, Any] = {"fill": False, "ec": GREY, "hatch": "///", "lw": 0}
        ax.add_patch(Rectangle((column - 0.5, row - 0.5), 1, 1, **box))
    width, height = np.array(_inches(ax)) / shape[::-1]
    if width < 0.45 or height < 0.2:
        return
    if scores.failed[i]:
        text, colour = "failed", None
    else:
        text = scores.text(scores.means[i]).removesuffix(scores.unit)
        if height >= 0.42 and scores.spreads[i]:
            text += f"\n± {scores.text(scores.spreads[i]).removesuffix(scores.unit)}"
        red, green, blue, _ = scores.colour(i)
        colour = "black" if 0.3 * red + 0.59 * green + 0.11 * blue > 0.5 else "white"
    box_style = {"fc": ax.get_facecolor(), "ec": "none", "pad": 1.5} if colour is None else None
    style: dict[str, Any] = {
        "ha": "center",
        "va": "center",
        "size": min(9.0, 15 * width),
        "color": colour,
    }
    ax.text(column, row, text, bbox=box_style, **style)
