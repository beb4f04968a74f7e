"""Scores of a search by the parameters that it varied."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from ._checks import check_matplotlib
from ._search_parameters import varied_parameters
from ._search_plots import figure_size, plot_dots, plot_heatmap

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class SearchResultsDisplay:
    """Scores of a search's candidates by the parameters that the search varied.

    Create one with `from_estimator` or `from_results`. The grid of two parameters gives a heat
    map. Any other number of parameters gives dots: one panel for each parameter shows the score
    of every candidate by its value, with the mean score of each value. The best candidate is
    marked, and failed candidates have a cross.

    Parameters
    ----------
    results : dict of str to array-like of shape (n_candidates,) or DataFrame
        `cv_results_` of a search, also after it was written to a CSV file and read back. Required
        are ``params`` or the columns ``param_…``, and the mean scores. Standard deviations are
        shown if `results` contains them.
    metric : str, default="score"
        Metric of the scores, "mean_test_<metric>".
    score_name : str, default=None
        Label of the scores; None is `metric`.
    best_index : int, default=None
        The candidate to mark; None is the one with the best score.

    Attributes
    ----------
    ax_ : matplotlib Axes
        The axes. With panels it is the area that contains them.
    panels_ : list of matplotlib Axes
        The axes of each parameter; `ax_` alone if there is one plot.
    figure_ : matplotlib Figure
        The figure.
    mean_scores : ndarray of float of shape (n_candidates,)
        Mean over the folds, NaN where a candidate failed.
    spreads : ndarray of float of shape (n_candidates,)
        Standard deviation over the folds.
    axes : list
        The varied parameters, with name, labels and each candidate's value.
    kind : {"dots", "heatmap"}
        The plot that `plot` draws by default.
    size : tuple of float
        Width and height of a new figure, in inches.

    Raises
    ------
    ValueError
        If `results` has no scores of `metric`, or all candidates failed.

    See Also
    --------
    sklearn.model_selection.ValidationCurveDisplay : Training and test scores by one parameter.

    Examples
    --------
    >>> from skdigits.displays import SearchResultsDisplay
    >>> results = {
    ...     "params": [{"dropout": 0.0}, {"dropout": 0.2}, {"dropout": 0.4}],
    ...     "mean_test_score": [0.96, 0.97, 0.95],
    ... }
    >>> display = SearchResultsDisplay.from_results(results)
    >>> display.best_index, display.kind
    (1, 'dots')
    """

    def __init__(
        self,
        results: Mapping[str, Any],
        *,
        metric: str = "score",
        score_name: str | None = None,
        best_index: int | None = None,
    ) -> None:
        means = results.get(f"mean_test_{metric}")
        if means is None:
            known = [str(key) for key in results if str(key).startswith("mean_test_")]
            raise ValueError(
                f"Got results without 'mean_test_{metric}', expected {known or 'cv_results_'}."
            )
        self.mean_scores = np.asarray(means, dtype=np.float64)
        if not np.isfinite(self.mean_scores).any():
            raise ValueError(
                f"Got {len(self.mean_scores)} candidates without any score, expected at least one "
                "that did not fail."
            )
        spreads = results.get(f"std_test_{metric}", np.zeros(len(self.mean_scores)))
        self.spreads = np.asarray(spreads, dtype=np.float64)
        self.score_name = metric if score_name is None else score_name
        best = int(np.nanargmax(self.mean_scores)) if best_index is None else int(best_index)
        self.best_index = best
        self.axes = varied_parameters(results)
        n_cells = np.prod([len(axis.labels) for axis in self.axes])
        # A random search of two parameters would leave nearly all cells empty.
        is_grid = len(self.axes) == 2 and n_cells <= 2 * len(self.mean_scores)
        self.kind = "heatmap" if is_grid else "dots"
        self.size = figure_size(self.kind, self.axes)

    @classmethod
    def from_estimator(
        cls,
        search: Any,
        *,
        metric: str | None = None,
        kind: str | None = None,
        cmap: Any = "cividis",
        ax: Axes | None = None,
    ) -> SearchResultsDisplay:
        """Plot the results of a fitted search.

        Parameters
        ----------
        search : GridSearchCV or another of scikit-learn's searches
            Fitted.
        metric : str, default=None
            Metric of the scores if the search has several; None is the one of `refit`.
        kind : {"dots", "heatmap"}, default=None
            Kind of plot; None is "heatmap" for the grid of two parameters, otherwise "dots".
        cmap : str or matplotlib Colormap, default="cividis"
            Colormap of the heat map.
        ax : matplotlib Axes, default=None
            Axes to plot on; None creates a new figure.

        Returns
        -------
        SearchResultsDisplay

        Raises
        ------
        TypeError
            If `search` has no `cv_results_`.
        """
        check_matplotlib(f"{cls.__name__}.from_estimator")
        if not hasattr(search, "cv_results_"):
            raise TypeError(
                f"Got {type(search).__name__} without cv_results_, expected a fitted search such "
                "as GridSearchCV."
            )
        refit, scoring = getattr(search, "refit", None), getattr(search, "scoring", None)
        several = "mean_test_score" not in search.cv_results_
        name = metric or (refit if several and isinstance(refit, str) else "score")
        shown = scoring if isinstance(scoring, str) else None
        return cls(
            search.cv_results_,
            metric=name,
            score_name=None if several else shown,
            best_index=getattr(search, "best_index_", None) if metric is None else None,
        ).plot(kind=kind, cmap=cmap, ax=ax)

    @classmethod
    def from_results(
        cls,
        results: Mapping[str, Any],
        *,
        metric: str = "score",
        kind: str | None = None,
        cmap: Any = "cividis",
        ax: Axes | None = None,
    ) -> SearchResultsDisplay:
        """Plot `cv_results_`, also as read from a CSV file.

        Parameters
        ----------
        results : dict of str to array-like of shape (n_candidates,) or DataFrame
            Parameters and scores of the candidates.
        metric : str, default="score"
            Metric of the scores, "mean_test_<metric>".
        kind : {"dots", "heatmap"}, default=None
            Kind of plot; None is "heatmap" for the grid of two parameters, otherwise "dots".
        cmap : str or matplotlib Colormap, default="cividis"
            Colormap of the heat map.
        ax : matplotlib Axes, default=None
            Axes to plot on; None creates a new figure.

        Returns
        -------
        SearchResultsDisplay
        """
        check_matplotlib(f"{cls.__name__}.from_results")
        return cls(results, metric=metric).plot(kind=kind, cmap=cmap, ax=ax)

    def plot(
        self, *, kind: str | None = None, cmap: Any = "cividis", ax: Axes | None = None
    ) -> SearchResultsDisplay:
        """Plot the scores.

        Parameters
        ----------
        kind : {"dots", "heatmap"}, default=None
            Kind of plot; None is "heatmap" for the grid of two parameters, otherwise "dots".
        cmap : str or matplotlib Colormap, default="cividis"
            Colormap of the heat map.
        ax : matplotlib Axes, default=None
            Axes to plot on; None creates a new figure.

        Returns
        -------
        SearchResultsDisplay
            The display itself.

        Raises
        ------
        ValueError
            If `kind` is unknown, or "heatmap" without exactly two varied parameters.
        """
        check_matplotlib(f"{type(self).__name__}.plot")
        kind = self.kind if kind is None else kind
        if kind not in ("dots", "heatmap"):
            raise ValueError(f"Got kind={kind!r}, expected 'dots' or 'heatmap'.")
        if kind == "heatmap" and len(self.axes) != 2:
            raise ValueError(
                f"Got kind='heatmap' with {len(self.axes)} varied parameters, expected 2."
            )
        if ax is None:
            import matplotlib.pyplot as plt

            size = figure_size(kind, self.axes)
            ax = plt.subplots(figsize=size, layout="constrained")[1]
        self.ax_: Axes = ax
        self.figure_: Any = ax.figure
        self.panels_: list[Axes] = [ax]
        if kind == "heatmap":
            plot_heatmap(self, ax, cmap)
        else:
            self.panels_ = plot_dots(self, ax)
        return self
