"""A search's scores as colours, heights, words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ._checks import Array

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from ._search_results import SearchResultsDisplay

# Scores this many times as far from the best as the median is are off the scale.
N_MEDIANS = 6


class Scores:
    """Scores with their unit, their range without outliers, their colours."""

    def __init__(self, display: SearchResultsDisplay, cmap: Any) -> None:
        from matplotlib import colormaps
        from matplotlib.colors import Normalize

        finite = display.mean_scores[np.isfinite(display.mean_scores)]
        self.is_share = bool((finite >= 0).all() and (finite <= 1).all())
        self.factor, self.unit = (100.0, " %") if self.is_share else (1.0, "")
        self.means = display.mean_scores * self.factor
        self.spreads = np.nan_to_num(display.spreads) * self.factor
        self.failed = ~np.isfinite(self.means)
        self.best, self.name = display.best_index, display.score_name
        finite = finite * self.factor
        self.high = finite.max()
        # One diverged candidate would make all others the same colour.
        usual = finite >= self.high - N_MEDIANS * (self.high - np.median(finite))
        self.low = finite[usual].min() if usual.sum() > 1 else finite.min()
        if self.low == self.high:
            self.low, self.high = self.low - 0.5, self.high + 0.5
        self.cut = bool((finite < self.low).any())
        self.norm, self.cmap = Normalize(self.low, self.high), colormaps.get_cmap(cmap)

    def colour(self, i: int) -> Any:
        return self.cmap(float(self.norm(max(self.means[i], self.low))))

    def text(self, score: float, spread: float | None = None) -> str:
        shown = f"{score:.2f}" if self.is_share else f"{score:.4g}"
        if spread:
            shown += f" ± {spread:.2f}" if self.is_share else f" ± {spread:.2g}"
        return shown + self.unit

    @property
    def label(self) -> str:
        unit = " in %" if self.is_share else ""
        return self.name.replace("_", " ") + unit + ("\n▼ below the scale" if self.cut else "")

    def order(self) -> Array:
        """Candidates from the failed ones and the worst to the best."""
        means = np.where(self.failed, -np.inf, self.means)
        order = np.argsort(means, kind="stable")
        return np.append(order[order != self.best], self.best)

    def legend(self, ax: Axes, best: Any, failed: Any) -> None:
        """Name the marks above the picture."""
        best.set_label(f"best: {self.text(self.means[self.best], self.spreads[self.best])}")
        handles = [best]
        if self.failed.any():
            failed.set_label(f"failed: {int(self.failed.sum())}")
            handles.append(failed)
        place = {"loc": "lower left", "bbox_to_anchor": (0.0, 1.01), "borderaxespad": 0.0}
        ax.legend(handles=handles, ncols=2, frameon=False, fontsize="small", **place)
