"""Tells scikit-learn's callbacks and the screen about each epoch."""

from __future__ import annotations

from collections.abc import Callable
from math import nan
from typing import Any

from ._network import Array, Network
from ._parameters import Settings


def fitted_attributes(
    network: Network, classes: Array, history: dict[str, list[float]], best_epoch: int
) -> dict[str, Any]:
    """Everything that makes a classifier a fitted one."""
    return {
        "_network": network,
        "classes_": classes,
        "history_": history,
        "loss_curve_": history["loss"],
        "validation_loss_curve_": history.get("val_loss"),
        "validation_scores_": history.get("val_accuracy"),
        "n_iter_": len(history["loss"]),
        "best_epoch_": best_epoch,
        "n_layers_": len(network.kernels) + 1,
        "n_outputs_": len(classes),
        "out_activation_": "softmax",
    }


def extended_history(
    before: dict[str, list[float]], after: dict[str, list[float]]
) -> dict[str, list[float]]:
    """Two runs' figures one after the other, NaN where one of them has none."""
    n_before, n_after = len(before["loss"]), len(after["loss"])
    return {
        name: before.get(name, [nan] * n_before) + after.get(name, [nan] * n_after)
        for name in before | after
    }


class EpochReporter:
    """An observer of epochs for scikit-learn's callback contexts and for `verbose`.

    Parameters
    ----------
    context : sklearn.callback.CallbackContext
        The context of the fit.
    told : dict
        What hooks are told of a fit: estimator, X, y, metadata.
    settings : Settings
    classes : ndarray
        Labels of the estimator that hooks are given to predict with.
    """

    def __init__(
        self, context: Any, told: dict[str, Any], settings: Settings, classes: Array
    ) -> None:
        self._context, self._told, self._settings = context, told, settings
        self._classes = classes
        self._history: dict[str, list[float]] = {}
        self._epoch_context: Any = None

    def begin_epoch(self, epoch: int) -> None:
        self._epoch_context = self._context.subcontext(task_name="epoch")
        self._epoch_context.call_on_fit_task_begin(**self._told)

    def end_epoch(self, epoch: int, logs: dict[str, float], network: Callable[[], Network]) -> bool:
        for name, value in logs.items():
            self._history.setdefault(name, []).append(value)
        if self._settings.verbose:
            figures = ", ".join(f"{name} {value:.4g}" for name, value in logs.items())
            print(f"Epoch {epoch + 1}/{self._settings.epochs}: {figures}")

        def fitted() -> dict[str, Any]:
            history = {name: list(values) for name, values in self._history.items()}
            return fitted_attributes(network(), self._classes, history, epoch + 1)

        stop = self._epoch_context.call_on_fit_task_end(
            **self._told, reconstruction_attributes=fitted
        )
        return bool(stop)
