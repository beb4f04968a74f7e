"""Compiled training epochs that are kept from fit to fit."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from itertools import pairwise
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from .._augmentation import Augmentation
from .building import KERAS_ACTIVATIONS, compiled_model
from .conversion import network_variables
from .deformation import deform
from .device_data import PlacedData, StreamedData
from .process import check_room
from .program_spec import ProgramSpec

# Where a teacher is, both its probabilities and the network's are softened by this temperature.
SOFTENING = 2.0


class EpochProgram:
    """A Keras model and optimizer with a compiled loop over the steps of training.

    Its state lives in TensorFlow variables: load before use, one user at a time.
    """

    def __init__(self, spec: ProgramSpec) -> None:
        self.spec = spec
        self.key = spec.key()
        self.reusable = True
        self.model = compiled_model(spec.architecture, spec.optimizer, spec.label_smoothing)
        self.optimizer = self.model.optimizer
        self.learning_rate = float(self.optimizer.learning_rate.numpy())
        self._network = [v.value for v in network_variables(self.model)]
        known = {id(v) for v in self._network} | {id(self.optimizer.learning_rate.value)}
        others = [*self.model.variables, *self.optimizer.variables]
        self._slots = [v.value for v in others if id(v.value) not in known]
        self._initial_slots = [_unless_zero(v.numpy()) for v in self._slots]
        self._averages = [tf.Variable(v) for v in self._network] if spec.averaging else []
        # Seed of the deformations, and what lies around the images.
        self._deformation = []
        if spec.augmentation:
            self._deformation = [tf.Variable(0, dtype=tf.int32), tf.Variable(0.0)]
        self._teacher = self._teacher_variables()
        # Where averages are what predicts, the weights themselves are state like the slots.
        self._state = self._slots + (self._network if spec.averaging else []) + self._deformation
        # TensorFlow takes the first traces of several programs for retracing of one function,
        # unless each has a function object of its own without code.
        self._run = tf.function(
            partial(self._steps),
            jit_compile=True,
            autograph=False,
            input_signature=self._signature(),
        )

    def _teacher_variables(self) -> list[Any]:
        widths = self.spec.teacher[0] if self.spec.teacher else ()
        shapes = [shape for pair in pairwise(widths) for shape in (pair, pair[1:])]
        return [tf.Variable(tf.zeros(shape, self.spec.architecture.dtype)) for shape in shapes]

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

    @property
    def state_owner(self) -> str:
        """What the optimizer's state belongs to: nothing else can go on from it."""
        dropped = tuple(rate > 0 for rate in self.spec.architecture.dropout)
        averaged, deformed = bool(self.spec.averaging), bool(self.spec.augmentation)
        return repr((self.spec.optimizer.key(), averaged, dropped, deformed))

    @property
    def nbytes(self) -> int:
        """Memory of the variables."""
        variables = [*self._network, *self._slots, *self._averages, *self._teacher]
        return sum(int(np.prod(v.shape)) * v.dtype.size for v in variables)

    def load(self, weights: list[np.ndarray], state: list[np.ndarray] | None = None) -> None:
        """Start from these weights with a new optimizer, or with the state of an earlier one."""
        for variable, array in zip(self._network, weights, strict=True):
            variable.assign(array)
        for variable, array in zip(self._averages, weights, strict=False):
            variable.assign(array)
        if state is not None:
            for variable, array in zip(self._state, state, strict=True):
                variable.assign(array)
            return
        for variable, initial in zip(self._slots, self._initial_slots, strict=True):
            variable.assign(np.zeros(variable.shape) if initial is None else initial)

    def seed(self, seeds: np.ndarray) -> None:
        """Start the layers' random generators.

        Parameters
        ----------
        seeds : ndarray of uint32 of shape (n_hidden_layers, 2)
        """
        generators = [getattr(layer, "seed_generator", None) for layer in self.model.layers]
        for generator, seed in zip(filter(None, generators), seeds, strict=False):
            generator.state.value.assign(seed)

    def learn_from(self, layers: list[np.ndarray]) -> None:
        """Take the probabilities of a network of these kernels and biases for targets."""
        for variable, array in zip(self._teacher, layers, strict=True):
            variable.assign(array)

    def deform(self, seed: int, fill: float) -> None:
        """Start the deformations from this seed, with this value around the images."""
        for variable, value in zip(self._deformation, (seed, fill), strict=False):
            variable.assign(value)

    def weights(self) -> list[np.ndarray]:
        """The network's arrays for prediction: averages where averaging is on."""
        return [v.numpy() for v in self._averages or self._network]

    def state(self) -> list[np.ndarray]:
        """All else that a later run needs to go on: slots, step count, random generators."""
        return [v.numpy() for v in self._state]

    def run(
        self, data: PlacedData | StreamedData, order: np.ndarray, rates: np.ndarray, *span: int
    ) -> np.ndarray:
        """Train on steps `start` to `stop` of the index matrix.

        Parameters
        ----------
        data : PlacedData or StreamedData
        order : ndarray of int32 of shape (steps_capacity, batch_size)
            Rows of each step, one epoch after the other; of streamed rows one epoch, however
            long.
        rates : ndarray of float32 of shape (len(order),)
            Learning rate of each step.
        *span : int
            start, stop and the number of steps of one epoch.

        Returns
        -------
        ndarray of shape (len(order), 2)
            Of each step the loss summed over its rows and the number of rows classified
            correctly; 0 outside of the span.
        """
        if isinstance(data, StreamedData):
            return self._run_streamed(data, order, rates, *span)
        scalars = np.array([*span, data.n_rows], dtype=np.int32)
        return self._run(data.X, data.y, data.weights, order, rates, scalars).numpy()

    def _run_streamed(
        self, data: StreamedData, order: np.ndarray, rates: np.ndarray, *span: int
    ) -> np.ndarray:
        """The same, window after window."""
        sums = np.zeros((len(order), 2))
        for steps, window, own_order in data.windows(order, *span):
            n = steps.stop - steps.start
            own_rates = np.zeros(self.spec.steps_capacity, dtype=np.float32)
            own_rates[:n] = rates[steps]
            sums[steps] = self.run(window, own_order, own_rates, 0, n, n)[:n]
            # Before the next one is placed.
            del window
        return sums

    def _steps(self, X: Any, y: Any, w: Any, order: Any, rates: Any, scalars: Any) -> Any:
        start, stop, per_epoch, n_rows = tf.unstack(scalars)
        batch = self.spec.batch_size

        def step(i: Any, sums: Any) -> tuple[Any, Any]:
            rows = tf.minimum(batch, n_rows - (i % per_epoch) * batch)
            real = tf.range(batch) < rows
            chosen = order[i]
            loss, hits = self._train_step(
                tf.gather(X, chosen), tf.gather(y, chosen), tf.gather(w, chosen), real, rates[i]
            )
            return i + 1, tf.tensor_scatter_nd_update(sums, [[i]], [tf.stack([loss, hits])])

        sums = tf.zeros((self.spec.steps_capacity, 2), self.spec.architecture.dtype)
        return tf.while_loop(lambda i, _: i < stop, step, (start, sums))[1]

    def _train_step(self, x: Any, y: Any, w: Any, real: Any, rate: Any) -> tuple[Any, Any]:
        """One step of the optimizer on a batch whose rows count where `real` is true."""
        dtype = self.spec.architecture.dtype
        if self.spec.input_dtype == "uint8":
            x = tf.cast(x, dtype) / 255
        if self.spec.augmentation:
            x = self._deformed(x, self.spec.augmentation)
        mask = tf.cast(real, dtype)
        n_real = tf.reduce_sum(mask)
        targets = self._targets(x, y)
        with tf.GradientTape() as tape:
            logits = self._forward(x, real)
            data_loss = tf.reduce_sum(self._losses(targets, logits) * w * mask) / n_real
            loss = tf.add_n([data_loss, *self.model.losses])
            scaled_loss = self.optimizer.scale_loss(loss)
        trained = self.model.trainable_variables
        self.optimizer.learning_rate.assign(rate)
        self.optimizer.apply(tape.gradient(scaled_loss, trained), trained)
        self._average()
        right = tf.equal(tf.argmax(logits, 1, output_type=tf.int32), y)
        return loss * n_real, tf.reduce_sum(tf.cast(right, dtype) * mask)

    def _deformed(self, x: Any, augmentation: Augmentation) -> Any:
        seed, fill = self._deformation
        # Every step of a fit has its own number.
        step = tf.cast(self.optimizer.iterations, tf.int32)
        fill = tf.cast(fill, x.dtype)
        return deform(x, augmentation, tf.stack([seed, step]), fill)

    def _losses(self, targets: Any, logits: Any) -> Any:
        if self.spec.architecture.n_classes == 1:
            # Of one class nothing is to learn, and Keras' loss warns of it.
            return 0 * logits[:, 0]
        if self._teacher:
            softened = tf.nn.softmax_cross_entropy_with_logits(targets, logits / SOFTENING)
            return SOFTENING**2 * softened
        return self.model.loss(targets, logits)

    def _targets(self, x: Any, y: Any) -> Any:
        """What the network is to answer, one row of probabilities for each sample."""
        a = self.spec.architecture
        if not self.spec.teacher:
            return tf.one_hot(y, a.n_classes, dtype=a.dtype)
        activate = keras.activations.get(
            KERAS_ACTIVATIONS.get(self.spec.teacher[1], self.spec.teacher[1])
        )
        h, last = x, len(self._teacher) - 2
        for i in range(0, last + 1, 2):
            h = tf.matmul(h, self._teacher[i]) + self._teacher[i + 1]
            h = activate(h) if i < last else h
        return tf.nn.softmax(h / SOFTENING)

    def _forward(self, h: Any, real: Any) -> Any:
        for layer in self.model.layers:
            if isinstance(layer, keras.layers.BatchNormalization):
                h = layer(h, training=True, mask=real)
            else:
                h = layer(h, training=True)
        return h

    def _average(self) -> None:
        if not self._averages:
            return
        # A short memory at first, so that the initial weights are soon forgotten.
        step = tf.cast(self.optimizer.iterations, tf.float32)
        decay = tf.minimum(self.spec.averaging, (1 + step) / (10 + step))
        for average, variable in zip(self._averages, self._network, strict=True):
            average.assign_sub((average - variable) * tf.cast(1 - decay, average.dtype))


def _unless_zero(array: np.ndarray) -> np.ndarray | None:
    return array if array.any() else None


class ProgramCache:
    """Idle programs, the least recently used dropped beyond a number and a size in bytes.

    A program is taken out while a fit uses it, so a concurrent fit of the same kind builds its
    own. One whose fit failed or was interrupted, or whose model was shown to callbacks, isn't put
    back.
    """

    def __init__(self, maxsize: int = 24, maxbytes: int = 2**29) -> None:
        self.maxsize, self.maxbytes = maxsize, maxbytes
        self._idle: list[EpochProgram] = []
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._idle)

    def clear(self) -> None:
        with self._lock:
            self._idle.clear()

    def _take(self, key: tuple[Any, ...]) -> EpochProgram | None:
        with self._lock:
            for i in reversed(range(len(self._idle))):
                if self._idle[i].key == key:
                    return self._idle.pop(i)
        return None

    def _put_back(self, program: EpochProgram) -> None:
        with self._lock:
            self._idle.append(program)
            while (
                len(self._idle) > self.maxsize
                or sum(idle.nbytes for idle in self._idle) > self.maxbytes
            ):
                del self._idle[0]

    @contextmanager
    def checked_out(self, spec: ProgramSpec, *, keep: bool = True) -> Iterator[EpochProgram]:
        """A program for this spec, the caller's alone within the context."""
        program = self._take(spec.key()) if keep else None
        if program is None:
            check_room()
            program = EpochProgram(spec)
        yield program
        if keep and program.reusable:
            self._put_back(program)


PROGRAMS = ProgramCache()
