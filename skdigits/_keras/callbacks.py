"""Keras callbacks around compiled epochs."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from .building import compiled_model
from .conversion import network_variables, to_numpy
from .device_data import PlacedData, StreamedData
from .epoch_program import EpochProgram, slot_variables

BATCH_HOOKS = ("on_train_batch_begin", "on_train_batch_end", "on_batch_begin", "on_batch_end")


def _overrides(callback: Any, name: str) -> bool:
    method = getattr(callback, name)
    return getattr(method, "__func__", method) is not getattr(keras.callbacks.Callback, name)


class KerasHooks:
    """Copies of the user's Keras callbacks, called as Keras' own fit would call them.

    They see a Keras model of their own, whose output is the logits. Before each hook it gets the
    program's weights and optimizer state, and after it the program gets the model's. A callback
    with batch hooks makes the run call its program once per batch.
    """

    def __init__(
        self, callbacks: list[Any], program: EpochProgram, epochs: int, verbose: bool
    ) -> None:
        self.active = bool(callbacks)
        self.sees_batches = any(_overrides(c, name) for c in callbacks for name in BATCH_HOOKS)
        self._program = program
        self._factor = 1.0
        self._last_set = 0.0
        if not self.active:
            return
        spec = program.spec
        self._model = compiled_model(spec.architecture, spec.optimizer, spec.label_smoothing)
        self._shared = {
            "network": network_variables(self._model),
            "slots": slot_variables(self._model.optimizer),
        }
        self._model.stop_training = False
        copies = [copy.deepcopy(callback) for callback in callbacks]
        for callback in copies:
            # Keras looks for the direction in metrics that its own fit would have built.
            if getattr(callback, "mode", None) == "auto" and "accuracy" in callback.monitor:
                callback.mode = "max"
        self._list = keras.callbacks.CallbackList(
            copies,
            model=self._model,
            add_history=False,
            verbose=int(verbose),
            epochs=epochs,
        )

    def _call(self, hook: Callable[..., None], *args: Any) -> None:
        """Call a hook on the model with the program's state, and take over what it changed."""
        for group, variables in self._shared.items():
            for variable, array in zip(variables, self._program.get(group), strict=True):
                variable.assign(array)
        hook(*args)
        for group, variables in self._shared.items():
            self._program.put(group, [to_numpy(v) for v in variables])

    def begin_training(self, learning_rate: float) -> None:
        if self.active:
            self._last_set = learning_rate
            self._model.optimizer.learning_rate.assign(learning_rate)
            self._call(self._list.on_train_begin)

    def end_training(self) -> None:
        if self.active:
            self._call(self._list.on_train_end)

    def begin_epoch(self, epoch: int) -> None:
        if self.active:
            self._call(self._list.on_epoch_begin, epoch)

    def end_epoch(self, epoch: int, logs: dict[str, float]) -> bool:
        """Call the hooks; True where a callback asked to stop."""
        if not self.active:
            return False
        self._call(self._list.on_epoch_end, epoch, dict(logs))
        return bool(self._model.stop_training)

    def learning_rates(self, planned: np.ndarray) -> np.ndarray:
        """The planned rates, multiplied by what callbacks have made of the optimizer's rate."""
        if not self.active:
            return planned
        now = float(to_numpy(self._model.optimizer.learning_rate))
        if self._last_set:
            self._factor *= now / self._last_set
        elif now:
            self._factor = now / float(planned[0]) if planned[0] else 0.0
        rates = planned * np.float32(self._factor)
        self._last_set = float(rates[-1])
        self._model.optimizer.learning_rate.assign(rates[-1])
        return rates

    def run_batches(
        self,
        program: EpochProgram,
        data: PlacedData | StreamedData,
        order: np.ndarray,
        rates: np.ndarray,
        n_steps: int,
    ) -> tuple[np.ndarray, int]:
        """One epoch, a call of the program per batch with the batch hooks around it.

        Returns the sums of `EpochProgram.run` and how many rows were trained on.
        """
        batch, seen = program.spec.batch_size, 0
        sums = np.zeros((len(order), 2))
        for step in range(n_steps):
            self._call(self._list.on_train_batch_begin, step)
            sums[step] = program.run(data, order, rates, step, step + 1, n_steps)[step]
            self._model.optimizer.learning_rate.assign(rates[step])
            seen = min((step + 1) * batch, data.n_rows)
            loss, hits = sums[: step + 1].sum(axis=0) / seen
            self._call(self._list.on_train_batch_end, step, {"loss": loss, "accuracy": hits})
            if self._model.stop_training:
                break
        return sums, seen
