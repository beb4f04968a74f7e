"""Training on TensorFlow: an epoch is one XLA program that assigns variables."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import tensorflow as tf

from .device_data import PlacedData
from .epoch_program import Arrays, EpochProgram
from .program_spec import ProgramSpec


class TensorFlowProgram(EpochProgram):
    """State in TensorFlow variables; those of the network and the optimizer are Keras' own."""

    engine = "tensorflow"

    def __init__(self, spec: ProgramSpec) -> None:
        super().__init__(spec)
        # TensorFlow takes the first traces of several programs for retracing of one function,
        # unless each has a function object of its own without code.
        self._compiled = tf.function(
            partial(self._steps),
            jit_compile=True,
            autograph=False,
            input_signature=self._signature(),
        )

    def _signature(self) -> list[tf.TensorSpec]:
        spec, dtype = self.spec, self.spec.architecture.dtype
        rows, steps = spec.capacity, spec.steps_capacity
        return [
            tf.TensorSpec((rows, spec.architecture.n_features), spec.input_dtype),
            tf.TensorSpec((rows,), tf.int32),
            tf.TensorSpec((rows,), dtype),
            tf.TensorSpec((steps, spec.batch_size), tf.int32),
            tf.TensorSpec((steps,), tf.float32),
            tf.TensorSpec((4,), tf.int32),
        ]

    def _hold(self, value: Any) -> Any:
        return tf.Variable(value) if isinstance(value, np.ndarray) else value.value

    def put(self, group: str, arrays: Arrays) -> None:
        for variable, array in zip(self._groups[group], arrays, strict=True):
            variable.assign(array)

    def get(self, group: str) -> Arrays:
        return [variable.numpy() for variable in self._groups[group]]

    def place(self, array: np.ndarray) -> Any:
        if tf.config.list_logical_devices("GPU"):
            return tf.constant(array)
        return tf.experimental.dlpack.from_dlpack(array.__dlpack__())

    def uniform(self, shape: tuple[int, ...], seed: Any) -> Any:
        # Threefry compiles to far faster code than the automatic choice.
        return tf.random.stateless_uniform(shape, seed, alg="threefry")

    def gather(self, array: Any, index: Any) -> Any:
        return tf.gather(array, index)

    def _run_steps(
        self, data: PlacedData, order: np.ndarray, rates: np.ndarray, scalars: np.ndarray
    ) -> np.ndarray:
        return self._compiled(data.X, data.y, data.weights, order, rates, scalars).numpy()

    def _steps(self, X: Any, y: Any, w: Any, order: Any, rates: Any, scalars: Any) -> Any:
        start, stop, per_epoch, n_rows = tf.unstack(scalars)
        batch, dtype = self.spec.batch_size, self.spec.architecture.dtype

        def step(i: Any, sums: Any) -> tuple[Any, Any]:
            n_real = tf.minimum(batch, n_rows - (i % per_epoch) * batch)
            mask = tf.cast(tf.range(batch) < n_real, dtype)
            rows = [tf.gather(array, order[i]) for array in (X, y, w)]
            loss, correct = self._train_step(rows, mask, rates[i])
            return i + 1, tf.tensor_scatter_nd_update(sums, [[i]], [tf.stack([loss, correct])])

        sums = tf.zeros((self.spec.steps_capacity, 2), dtype)
        return tf.while_loop(lambda i, _: i < stop, step, (start, sums))[1]

    def _train_step(self, rows: list[Any], mask: Any, rate: Any) -> tuple[Any, Any]:
        """One step of the optimizer on a batch; its summed loss and number of correct rows."""
        state, optimizer, step = self._groups, self._optimizer, self.step
        done = tf.cast(optimizer.iterations.value, tf.int32)
        x, y, w = rows
        x = step.inputs(x, done, state["deformation"])
        targets = step.targets(x, y, state["teacher"])
        noise = step.dropout_noise(state["seeds"], done)
        with tf.GradientTape() as tape:
            loss, logits, statistics = step.loss(state["network"], x, targets, w, mask, noise)
            scaled_loss = optimizer.scale_loss(loss)
        gradients = tape.gradient(scaled_loss, [state["network"][i] for i in self._trained_at])
        optimizer.learning_rate.assign(rate)
        optimizer.apply(gradients, self._trained)
        for i, array in zip(step.statistics_indices, statistics, strict=True):
            state["network"][i].assign(array)
        for average, variable in zip(state["averages"], state["network"], strict=False):
            average.assign(step.averaged(average, variable, optimizer.iterations.value))
        return loss * tf.reduce_sum(mask), step.correct(logits, y, mask)
