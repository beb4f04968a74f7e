"""Scores of a search by the parameters that it varied."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from ._checks import check_matplotlib
from ._search_drawing import dots, figure_size, heatmap
from ._search_lines import parallel
from ._search_parameters import varied

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class SearchResultsDisplay:
    """Scores of a search's candidates by the parameters that it varied.

    Make one with `from_estimator` or `from_results`. One parameter gives dots with their spread
    over the folds, the two of a grid a heat map, and more a line per candidate through one axis
    per parameter to its score. The best candidate is marked, failed ones are shown as such.

    Parameters
    ----------
    results : dict of str to array-like of shape (n_candidates,) or DataFrame
        `cv_results_` of a search, also when read back from a CSV file. Needed are ``params`` or
        the columns ``param_…``, and the mean scores; their spread where there is one.
    metric : str, default="score"
        Whose scores are shown, "mean_test_<metric>".
    score_name : str, default=None
        What stands at the scores; None takes `metric`.
    best_index : int, default=None
        The candidate to mark; None takes the one with the best score.

    Attributes
    ----------
    ax_ : matplotlib Axes
        The axes.
    figure_ : matplotlib Figure
        The figure.
    mean_scores : ndarray of float of shape (n_candidates,)
        Mean over the folds, NaN where a candidate failed.
    spreads : ndarray of float of shape (n_candidates,)
        Standard deviation over the folds.
    axes : list
        The varied parameters, with name, labels and each candidate's value.
    size : tuple of float
        Width and height that a new figure gets, in inches.

    Raises
    ------
    ValueError
        If there are no such scores, or all candidates failed.

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
                "that has not failed."
            )
        spreads = results.get(f"std_test_{metric}", np.zeros(len(self.mean_scores)))
        self.spreads = np.asarray(spreads, dtype=np.float64)
        self.score_name = metric if score_name is None else score_name
        best = int(np.nanargmax(self.mean_scores)) if best_index is None else int(best_index)
        self.best_index = best
        self.axes = varied(results)
        self.kind = self._fitting_kind()
        self.size = figure_size(self)

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
        """Draw a fitted search.

        Parameters
        ----------
        search : GridSearchCV or another of scikit-learn's searches
            Fitted.
        metric : str, default=None
            Whose scores are shown where the search has several; None takes the one that it
            refits by.
        kind : {"dots", "heatmap", "parallel"}, default=None
            Which picture, as in `plot`.
        cmap : str or matplotlib Colormap, default="cividis"
            Colours of the scores.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.

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
        """Draw `cv_results_`, or what has been read back from its CSV file.

        Parameters
        ----------
        results : dict of str to array-like of shape (n_candidates,) or DataFrame
            Parameters and scores of the candidates.
        metric : str, default="score"
            Whose scores are shown, "mean_test_<metric>".
        kind : {"dots", "heatmap", "parallel"}, default=None
            Which picture, as in `plot`.
        cmap : str or matplotlib Colormap, default="cividis"
            Colours of the scores.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.

        Returns
        -------
        SearchResultsDisplay
        """
        check_matplotlib(f"{cls.__name__}.from_results")
        return cls(results, metric=metric).plot(kind=kind, cmap=cmap, ax=ax)

    def plot(
        self, *, kind: str | None = None, cmap: Any = "cividis", ax: Axes | None = None
    ) -> SearchResultsDisplay:
        """Draw.

        Parameters
        ----------
        kind : {"dots", "heatmap", "parallel"}, default=None
            Scores against one parameter, against two, or lines through any number of
            parameters. None takes the one that fits.
        cmap : str or matplotlib Colormap, default="cividis"
            Colours of the scores.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.

        Returns
        -------
        SearchResultsDisplay
            Itself.

        Raises
        ------
        ValueError
            If `kind` is unknown or needs another number of parameters.
        """
        check_matplotlib(f"{type(self).__name__}.plot")
        kind = self.kind if kind is None else kind
        n = len(self.axes)
        fits = {"dots": n < 2, "heatmap": n == 2, "parallel": n > 0}
        if kind not in fits:
            raise ValueError(f"Got kind={kind!r}, expected one of {', '.join(map(repr, fits))}.")
        if not fits[kind]:
            raise ValueError(
                f"Got kind={kind!r} with {n} varied parameters, expected "
                f"{[name for name, fit in fits.items() if fit]}."
            )
        if ax is None:
            import matplotlib.pyplot as plt

            ax = plt.subplots(figsize=self.size, layout="constrained")[1]
        self.ax_: Axes = ax
        self.figure_: Any = ax.figure
        {"dots": dots, "heatmap": heatmap, "parallel": parallel}[kind](self, ax, cmap)
        return self

    def _fitting_kind(self) -> str:
        if len(self.axes) < 2:
            return "dots"
        n_cells = np.prod([len(axis.labels) for axis in self.axes])
        # Of numbers drawn at random nearly every cell would be empty.
        if len(self.axes) == 2 and n_cells <= 2 * len(self.mean_scores):
            return "heatmap"
        return "parallel"
