"""Plots of a search's scores: dots by parameter, and a heat map of two parameters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ._checks import Array
from ._search_parameters import MAX_TICKS, ParameterAxis
from ._style import BLUE, GREY, VERMILLION

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from ._search_results import SearchResultsDisplay

# A score is below the scale if it is this many times as far from the best as the median is.
MAX_MEDIANS = 6
INCHES_PER_LETTER = 0.09
FAILED: dict[str, Any] = {"marker": "x", "ls": "", "color": GREY, "markersize": 8, "mew": 2}


class Scores:
    """Scores of the candidates in the unit of the plot, and the range of its scale."""

    def __init__(self, display: SearchResultsDisplay) -> None:
        finite = display.mean_scores[np.isfinite(display.mean_scores)]
        self.in_percent = bool((finite >= 0).all() and (finite <= 1).all())
        factor = 100.0 if self.in_percent else 1.0
        self.means = display.mean_scores * factor
        self.stds = np.nan_to_num(display.spreads) * factor
        self.failed = ~np.isfinite(self.means)
        self.best, self.name = display.best_index, display.score_name
        finite = finite * factor
        self.high = finite.max()
        # One diverged candidate would give all others the same colour and height.
        usual = finite >= self.high - MAX_MEDIANS * (self.high - np.median(finite))
        self.low = finite[usual].min() if usual.sum() > 1 else finite.min()
        self.below = self.means < self.low
        # Candidates from the worst to the best, which is drawn last.
        order = np.argsort(np.where(self.failed, -np.inf, self.means), kind="stable")
        self.order = np.append(order[order != self.best], self.best)

    @property
    def label(self) -> str:
        unit = " in %" if self.in_percent else ""
        below = "\n▼ below the scale" if self.below.any() else ""
        return self.name.replace("_", " ") + unit + below

    def text(self, i: int, separator: str = " ") -> str:
        """Mean and standard deviation of a candidate."""
        digits = ".2f" if self.in_percent else ".4g"
        mean, std = format(self.means[i], digits), format(self.stds[i], digits)
        return f"{mean}{separator}± {std}" if self.stds[i] else mean

    def add_legend(self, ax: Axes, best: Any, *others: Any) -> None:
        """Explain the marks above the plot."""
        from matplotlib.lines import Line2D

        best.set_label(f"best: {self.text(self.best)}{' %' if self.in_percent else ''}")
        handles = [best, *others]
        if self.failed.any():
            handles.append(Line2D([], [], label=f"failed: {int(self.failed.sum())}", **FAILED))
        place = {"loc": "lower left", "bbox_to_anchor": (0.0, 1.01), "borderaxespad": 0.0}
        ax.legend(handles=handles, ncols=3, frameon=False, fontsize="small", **place)


def figure_size(kind: str, axes: list[ParameterAxis]) -> tuple[float, float]:
    """Width and height of a new figure, in inches."""
    if kind == "dots":
        return (6.0, 4.0) if len(axes) < 2 else (min(1.0 + 2.6 * len(axes), 18.0), 4.4)
    rows, columns = _rows_and_columns(axes)
    label_width = INCHES_PER_LETTER * max(map(len, rows.labels))
    width, height = 2.2 + label_width + 0.95 * len(columns.labels), 1.6 + 0.6 * len(rows.labels)
    return float(np.clip(width, 4.8, 16.0)), float(np.clip(height, 3.0, 12.0))


def plot_dots(display: SearchResultsDisplay, ax: Axes) -> list[Axes]:
    """Scores by each parameter; with several parameters, each has a panel inside of `ax`."""
    from matplotlib.lines import Line2D

    scores = Scores(display)
    nothing_varied = ParameterAxis("", ["the only candidate"], np.zeros(len(scores.means)), None)
    axes = display.axes or [nothing_varied]
    panels = _panels(ax, axes)
    for panel, axis in zip(panels, axes, strict=True):
        _plot_panel(panel, axis, scores, is_only=len(panels) == 1)
    panels[0].set_ylabel(scores.label)
    for panel in panels[1:]:
        panel.tick_params(labelleft=False)
    handles = [Line2D([], [], ls="", marker="o", color=VERMILLION, markersize=8)]
    if len(panels) > 1:
        handles.append(Line2D([], [], color=BLUE, lw=2, label="mean of each value"))
    scores.add_legend(ax, *handles)
    return panels


def _panels(ax: Axes, axes: list[ParameterAxis]) -> list[Axes]:
    """One Axes for each parameter, side by side, with the same vertical axis."""
    if len(axes) < 2:
        return [ax]
    ax.set_axis_off()
    panels: list[Axes] = []
    for i in range(len(axes)):
        place = (i / len(axes), 0, 0.96 / len(axes), 1)
        panels.append(ax.inset_axes(place, sharey=panels[0] if panels else None))
    return panels


def _plot_panel(ax: Axes, axis: ParameterAxis, scores: Scores, *, is_only: bool) -> None:
    """Scores by one parameter, the best candidate with its standard deviation."""
    x = _set_x_axis(ax, axis)
    shown = ~scores.failed & ~scores.below
    few_values = len(axis.labels) <= MAX_TICKS
    # Categories have no order that a line could follow.
    has_line = few_values and axis.numbers is not None
    style: dict[str, Any] = {"fmt": "o", "capsize": 3}
    if is_only:
        ax.errorbar(x[shown], scores.means[shown], scores.stds[shown], color=BLUE, **style)
    else:
        ax.plot(x[shown], scores.means[shown], "o", color=BLUE, alpha=0.5, mew=0)
    if few_values and (has_line or not is_only):
        values = np.unique(x[shown])
        means = [scores.means[shown & (x == value)].mean() for value in values]
        ax.plot(values, means, "-" if has_line else "_", color=BLUE, ms=22, mew=2, zorder=1)
    i = scores.best
    style |= {"color": VERMILLION, "markersize": 9, "zorder": 4}
    ax.errorbar(x[i], scores.means[i], scores.stds[i], **style)
    bottom = ax.get_xaxis_transform()
    for place in np.unique(x[scores.failed]):
        ax.plot(place, 0.04, transform=bottom, **FAILED)
    ax.plot(x[scores.below], np.full(scores.below.sum(), 0.03), "v", color=BLUE, transform=bottom)
    ax.margins(x=0.08 if is_only else 0.12, y=0.12)
    ax.grid(alpha=0.3)


def _set_x_axis(ax: Axes, axis: ParameterAxis) -> Array:
    """Name, scale and ticks of a horizontal axis; returns the positions of the candidates."""
    ax.set_xlabel(axis.name)
    if axis.scale == "ordinal" or axis.numbers is None:
        _label_ticks(ax, np.arange(len(axis.labels)), axis.labels)
        return axis.index
    ax.set_xscale(axis.scale)
    if len(axis.labels) <= MAX_TICKS:
        _label_ticks(ax, np.unique(axis.numbers), axis.labels)
        ax.set_xticks([], minor=True)
    return axis.numbers


def _label_ticks(ax: Axes, places: Array, labels: list[str]) -> None:
    """Label ticks, rotated where the labels would overlap."""
    ax.set_xticks(places, labels)
    room = _size_in_inches(ax)[0] / len(labels)
    if INCHES_PER_LETTER * (max(map(len, labels)) + 1) > room:
        for label in ax.get_xticklabels():
            label.set(rotation=40, ha="right", rotation_mode="anchor")


def _size_in_inches(ax: Axes) -> Array:
    """Width and height of the axes."""
    box = ax.get_window_extent()
    return np.array([box.width, box.height]) / ax.figure.dpi


def plot_heatmap(display: SearchResultsDisplay, ax: Axes, cmap: Any) -> None:
    """Scores by two parameters, of the best candidate where several have the same values."""
    from matplotlib.patches import Rectangle

    scores = Scores(display)
    rows, columns = _rows_and_columns(display.axes)
    values = np.full((len(rows.labels), len(columns.labels)), np.nan)
    cells = {}
    for i in scores.order:
        cells[rows.index[i], columns.index[i]] = i
        values[rows.index[i], columns.index[i]] = scores.means[i]
    limits = {"vmin": scores.low, "vmax": max(scores.high, scores.low + 1e-9)}
    image = ax.imshow(values, cmap=cmap, aspect="auto", origin="lower", **limits)
    _label_ticks(ax, np.arange(len(columns.labels)), columns.labels)
    ax.set_yticks(range(len(rows.labels)), rows.labels)
    ax.set(xlabel=columns.name, ylabel=rows.name)
    width, height = _size_in_inches(ax) / values.shape[::-1]
    separator = "\n" if height >= 0.42 else " "
    for (row, column), i in cells.items():
        if scores.failed[i]:
            ax.plot(column, row, **FAILED)
        elif width >= 0.45 and height >= 0.2:
            red, green, blue, _ = image.to_rgba(scores.means[i])
            is_bright = 0.3 * red + 0.59 * green + 0.11 * blue > 0.5
            ax.text(
                column,
                row,
                scores.text(i, separator),
                ha="center",
                va="center",
                size=min(9.0, 15 * width),
                color="black" if is_bright else "white",
            )
    corner = columns.index[scores.best] - 0.5, rows.index[scores.best] - 0.5
    frame = Rectangle(corner, 1, 1, fill=False, ec=VERMILLION, lw=3, zorder=4)
    ax.add_patch(frame)
    bar = ax.figure.colorbar(image, ax=ax, extend="min" if scores.below.any() else "neither")
    bar.set_label(scores.label)
    scores.add_legend(ax, frame)


def _rows_and_columns(axes: list[ParameterAxis]) -> list[ParameterAxis]:
    """The two parameters of a heat map, the one with more values last."""
    return sorted(axes, key=lambda axis: len(axis.labels))
