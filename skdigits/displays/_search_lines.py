"""Parallel coordinates of a search's scores."""

from __future__ import annotations

from textwrap import fill
from typing import TYPE_CHECKING, Any

import numpy as np

from ._checks import Array
from ._search_parameters import N_ORDINAL, ParameterAxis
from ._search_scores import Scores
from ._style import GREY, VERMILLION

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from ._search_results import SearchResultsDisplay

# Share of its place that the lines through a value take.
BAND = 0.72
# Where lines of failed candidates end, below the scores.
FAILED_AT = -0.09
# Width, in axes, of the scores' part.
FAN = 1.3


def parallel(display: SearchResultsDisplay, ax: Axes, cmap: Any) -> None:
    """A line per candidate, through its value of each parameter to its score."""
    from matplotlib.lines import Line2D

    scores = Scores(display, cmap)
    order = scores.order()
    rank = np.empty(len(order))
    rank[order] = np.linspace(0, 1, len(order)) if len(order) > 1 else 0.5
    heights = np.column_stack([_heights(axis, rank) for axis in display.axes])
    n_axes = len(display.axes)
    last = np.where(scores.failed, FAILED_AT, [_height(scores, mean) for mean in scores.means])
    x_score = n_axes - 0.35 + (FAN - 0.65) * rank
    width = float(np.clip(45 / len(order), 0.6, 1.8))
    for i in order:
        x, y = np.append(np.arange(n_axes), x_score[i]), np.append(heights[i], last[i])
        if i == scores.best:
            ax.plot(x, y, color=VERMILLION, lw=2.8, zorder=5)
        elif scores.failed[i]:
            ax.plot(x, y, "--", color=GREY, lw=1.0, zorder=1)
        else:
            ax.plot(x, y, color=scores.colour(i), lw=width, zorder=2 + rank[i])
        _draw_score(ax, scores, i, x_score[i], last[i])
    for place, axis in enumerate(display.axes):
        _draw_axis(ax, axis, place)
    _finish(ax, display, scores)
    scores.legend(
        ax,
        Line2D([], [], color=VERMILLION, lw=2.8, marker="o"),
        Line2D([], [], color=GREY, lw=1.0, ls="--", marker="x"),
    )


def _heights(axis: ParameterAxis, rank: Array) -> Array:
    """Where lines cross an axis, from 0 to 1; those of one value lie beside each other by rank."""
    if axis.numbers is None or len(axis.labels) <= N_ORDINAL:
        return (axis.index + 0.5 + BAND * (rank - 0.5)) / len(axis.labels)
    return _along(axis, axis.numbers)


def _along(axis: ParameterAxis, numbers: Array) -> Array:
    """Numbers between the least and the greatest of an axis as 0 to 1."""
    assert axis.numbers is not None
    scaled, ends = numbers, np.array([axis.numbers.min(), axis.numbers.max()])
    if axis.scale == "log":
        scaled, ends = np.log(numbers), np.log(ends)
    return np.asarray(0.04 + 0.92 * (scaled - ends[0]) / (ends[1] - ends[0]))


def _height(scores: Scores, score: float) -> float:
    return 0.0 if score < scores.low else 0.06 + 0.88 * float(scores.norm(score))


def _draw_score(ax: Axes, scores: Scores, i: int, x: float, y: float) -> None:
    """A candidate's mean score with its spread."""
    colour = VERMILLION if i == scores.best else scores.colour(i)
    front = 6 if i == scores.best else 4
    if scores.failed[i]:
        ax.plot(x, y, "x", color=GREY, markersize=6, mew=1.5)
    elif scores.means[i] < scores.low:
        ax.plot(x, y, "v", color=colour, markersize=6, zorder=front)
    else:
        spread = 0.88 * scores.spreads[i] / (scores.high - scores.low)
        low, high = max(y - spread, 0.0), min(y + spread, 1.06)
        ax.plot([x, x], [low, high], color=colour, lw=1.0, zorder=front, alpha=0.8)
        ax.plot(x, y, "o", color=colour, markersize=8 if i == scores.best else 4, zorder=front)


def _draw_axis(ax: Axes, axis: ParameterAxis, place: int) -> None:
    """One parameter's axis with its values at the left of it."""
    from matplotlib.ticker import LogLocator, MaxNLocator

    line: dict[str, Any] = {
        "color": GREY,
        "lw": 3,
        "alpha": 0.6,
        "solid_capstyle": "butt",
        "zorder": 4.5,
    }
    if axis.numbers is None or len(axis.labels) <= N_ORDINAL:
        n, step = len(axis.labels), -(-len(axis.labels) // 25)
        heights = (np.arange(n) + 0.5) / n
        for height in heights:
            ax.plot([place, place], height + np.array([-0.5, 0.5]) * BAND / n, **line)
        ticks = list(zip(heights, axis.labels, strict=True))[::step]
    else:
        ax.plot([place, place], [0, 1], **line)
        low, high = axis.numbers.min(), axis.numbers.max()
        locator = LogLocator(subs=(1, 2, 5)) if axis.scale == "log" else MaxNLocator(6)
        inside = [tick for tick in locator.tick_values(low, high) if low <= tick <= high]
        ticks = [(float(_along(axis, np.array(tick))), f"{tick:.4g}") for tick in inside]
    paper: dict[str, Any] = {"fc": ax.get_facecolor(), "ec": "none", "alpha": 0.8, "pad": 1.0}
    for height, label in ticks:
        style: dict[str, Any] = {
            "ha": "right",
            "va": "center",
            "size": 8,
            "bbox": paper,
            "zorder": 7,
        }
        ax.text(place - 0.05, height, label, **style)


def _finish(ax: Axes, display: SearchResultsDisplay, scores: Scores) -> None:
    """Names below, the scale of scores at the right."""
    from matplotlib.ticker import MaxNLocator

    n_axes = len(display.axes)
    names = [fill(axis.name, 14) for axis in display.axes]
    middle = n_axes - 0.35 + (FAN - 0.65) / 2
    ax.set_xticks([*range(n_axes), middle], [*names, "candidates\nby score"])
    ax.tick_params("x", length=0)
    room = 0.09 * max(len(label) for label in display.axes[0].labels[:25]) + 0.15
    ax.set_xlim(-min(room, 1.2), n_axes - 1 + FAN + 0.1)
    ax.set_ylim(FAILED_AT - 0.04 if scores.failed.any() else -0.02, 1.08)
    ax.yaxis.tick_right()
    ax.yaxis.set_label_position("right")
    ticks = np.asarray(MaxNLocator(6).tick_values(scores.low, scores.high))
    # As few decimals as tell 77.5 from 78.
    n_decimals = next(n for n in range(17) if np.allclose(ticks, ticks.round(n), 1e-12, 1e-12))
    inside = [tick for tick in ticks if scores.low <= tick <= scores.high]
    ax.set_yticks(
        [_height(scores, tick) for tick in inside], [f"{tick:.{n_decimals}f}" for tick in inside]
    )
    ax.set_ylabel(scores.label)
    for side in ("top", "left", "bottom"):
        ax.spines[side].set_visible(False)
