"""Calls scikit-learn's callbacks and prints the progress line of each epoch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ._parameters import Settings
from ._training import Result


def is_candidate(context: Any) -> bool:
    """Whether a fit is one of those that a search of scikit-learn's compares."""
    while context is not None:
        if context.source_task_name == "candidate-split-evaluation":
            return True
        context = context.parent
    return False


class EpochReporter:
    """An observer of epochs for scikit-learn's callback contexts and for `verbose`.

    Parameters
    ----------
    context : sklearn.callback.CallbackContext
        The context of the fit.
    told : dict
        What hooks are told of a fit: estimator, X, y, metadata.
    settings : Settings
    fitted : callable
        Makes what training would leave, were this its last epoch, into the attributes of the
        estimator that hooks are given to predict with.
    """

    def __init__(
        self,
        context: Any,
        told: dict[str, Any],
        settings: Settings,
        fitted: Callable[[Result], dict[str, Any]],
    ) -> None:
        self._context, self._told, self._settings = context, told, settings
        self._fitted = fitted
        self._epoch_context: Any = None

    def begin_epoch(self, epoch: int) -> None:
        self._epoch_context = self._context.subcontext(task_name="epoch")
        self._epoch_context.call_on_fit_task_begin(**self._told)

    def end_epoch(self, epoch: int, logs: dict[str, float], result: Callable[[], Result]) -> bool:
        if self._settings.verbose:
            figures = ", ".join(f"{name} {value:.4g}" for name, value in logs.items())
            print(f"Epoch {epoch + 1}/{self._settings.epochs}: {figures}")
        stop = self._epoch_context.call_on_fit_task_end(
            **self._told, reconstruction_attributes=lambda: self._fitted(result())
        )
        return bool(stop)
