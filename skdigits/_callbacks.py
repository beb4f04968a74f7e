"""Checks callbacks, calls scikit-learn's and prints the progress line of each epoch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ._parameters import Settings
from ._training import Result

_CANDIDATE, _REFIT = "candidate-split-evaluation", "refit-with-best-params"


def is_candidate(context: Any) -> bool:
    """Whether a fit is one of those that a scikit-learn search compares.

    Parameters
    ----------
    context : sklearn.callback.CallbackContext or None
        The context of the fit, or the context that a meta-estimator has given it.
    """
    return _is_inside(context, (_CANDIDATE,))


def is_in_search(context: Any) -> bool:
    """Whether a fit is a candidate or the refit of a scikit-learn search."""
    return _is_inside(context, (_CANDIDATE, _REFIT))


def _is_inside(context: Any, tasks: tuple[str, ...]) -> bool:
    while context is not None:
        if context.task_name in tasks or context.source_task_name in tasks:
            return True
        context = context.parent
    return False


def check_scikit_learn_callbacks(callbacks: tuple[Any, ...]) -> None:
    """Raise TypeError for a Keras callback in `set_callbacks`."""
    for callback in callbacks:
        if hasattr(callback, "on_epoch_end") and not hasattr(callback, "on_fit_task_end"):
            raise TypeError(
                f"Got the Keras callback {callback!r} in set_callbacks, expected a "
                "scikit-learn callback: Keras callbacks go into the parameter keras_callbacks."
            )


def keras_callback_list(keras_callbacks: Any) -> list[Any]:
    """The Keras callbacks in the parameter `keras_callbacks`: one, several or None.

    Raises
    ------
    TypeError
        If one is not an instance of keras.callbacks.Callback.
    """
    if keras_callbacks is None:
        return []
    several = isinstance(keras_callbacks, (list, tuple))
    callbacks = list(keras_callbacks) if several else [keras_callbacks]
    for callback in callbacks:
        if hasattr(callback, "on_fit_task_end"):
            raise TypeError(
                f"Got the scikit-learn callback {callback!r} in keras_callbacks, expected "
                "Keras callbacks: scikit-learn's are given to set_callbacks."
            )
        if isinstance(callback, type) or not hasattr(callback, "on_epoch_end"):
            raise TypeError(
                f"Got {callback!r} in keras_callbacks, expected instances of "
                "keras.callbacks.Callback."
            )
    return callbacks


class EpochReporter:
    """Calls the hooks of scikit-learn's callbacks for each epoch and prints its figures.

    Parameters
    ----------
    context : sklearn.callback.CallbackContext
        The context of the fit.
    hook_kwargs : dict
        Arguments of all hooks of the fit: estimator, X, y, metadata.
    settings : Settings
    fitted_state : callable
        Returns the fitted attributes that training would leave if it stopped with a result.
    """

    def __init__(
        self,
        context: Any,
        hook_kwargs: dict[str, Any],
        settings: Settings,
        fitted_state: Callable[[Result], dict[str, Any]],
    ) -> None:
        self._context, self._hook_kwargs, self._settings = context, hook_kwargs, settings
        self._fitted_state = fitted_state
        self._epoch_context: Any = None

    def begin_epoch(self, epoch: int) -> None:
        self._epoch_context = self._context.subcontext(task_name="epoch")
        self._epoch_context.call_on_fit_task_begin(**self._hook_kwargs)

    def end_epoch(self, epoch: int, logs: dict[str, float], result: Callable[[], Result]) -> bool:
        if self._settings.verbose:
            figures = ", ".join(f"{name} {value:.4g}" for name, value in logs.items())
            print(f"Epoch {epoch + 1}/{self._settings.epochs}: {figures}")
        stop = self._epoch_context.call_on_fit_task_end(
            **self._hook_kwargs, reconstruction_attributes=lambda: self._fitted_state(result())
        )
        return bool(stop)
