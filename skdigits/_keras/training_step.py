"""One training step as pure functions of arrays, the same for every engine."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import keras
from keras import ops

from .building import KERAS_ACTIVATIONS
from .deformation import deformed
from .program_spec import ProgramSpec

# With a teacher, both its logits and the network's are divided by this temperature.
SOFTENING = 2.0

# Share of batch normalisation's moving statistics that a step keeps: Keras' default.
MOMENTUM = 0.99
EPSILON = 1e-3


class Primitives(Protocol):
    """What Keras has no fast operation for: an engine's own functions."""

    def uniform(self, shape: tuple[int, ...], seed: Any) -> Any:
        """Random numbers in [0, 1) of float32 from a seed of two integers."""

    def gather(self, array: Any, index: Any) -> Any:
        """Rows of an array; every index is in range."""


class TrainingStep:
    """Functions of one training step.

    Networks are lists of arrays in the order of `network_variables`: kernels, biases, then gamma,
    beta, mean and variance of each hidden layer with batch normalisation.

    Parameters
    ----------
    spec : ProgramSpec
    loss : keras.losses.Loss
        Of one-hot targets and logits, one value per row.
    primitives : Primitives
    """

    def __init__(
        self, spec: ProgramSpec, loss: Callable[[Any, Any], Any], primitives: Primitives
    ) -> None:
        self.spec, self._row_losses, self._primitives = spec, loss, primitives
        self._dtype = spec.architecture.dtype
        n_hidden = len(spec.architecture.hidden_layer_sizes) if spec.architecture.batch_norm else 0
        first = 2 * len(spec.architecture.hidden_layer_sizes) + 2
        # Where the moving means and variances are in the network.
        self.statistics_indices = [first + 4 * i + j for i in range(n_hidden) for j in (2, 3)]

    def inputs(self, x: Any, step: Any, deformation: Sequence[Any]) -> Any:
        """The rows of a batch as the network sees them: scaled, and deformed if asked for.

        Parameters
        ----------
        x : array of shape (batch_size, n_features)
            Of the spec's input dtype.
        step : int32 scalar
            Steps since the optimizer started; each has deformations of its own.
        deformation : [] or [seed, fill]
        """
        if self.spec.input_dtype == "uint8":
            x = ops.cast(x, self._dtype) / 255
        if self.spec.augmentation is None:
            return x
        seed, fill = deformation
        return deformed(
            x, self.spec.augmentation, ops.stack([seed, step]), ops.cast(fill, x.dtype),
            self._primitives,
        )  # fmt: skip

    def targets(self, x: Any, y: Any, teacher: Sequence[Any]) -> Any:
        """Probabilities to learn, one row per sample: one-hot labels, or the teacher's.

        Parameters
        ----------
        x : array of shape (batch_size, n_features)
            From `inputs`.
        y : int32 array of shape (batch_size,)
        teacher : list of array
            Kernel and bias of each of its layers; empty without a teacher.
        """
        a = self.spec.architecture
        if self.spec.teacher is None:
            return ops.one_hot(y, a.n_classes, dtype=a.dtype)
        activate, last = _activation(self.spec.teacher[1]), len(teacher) - 2
        h = x
        for i in range(0, last + 1, 2):
            h = ops.add(ops.matmul(h, teacher[i]), teacher[i + 1])
            h = activate(h) if i < last else h
        return ops.softmax(h / SOFTENING)

    def loss(
        self, network: Sequence[Any], x: Any, targets: Any, weights: Any, mask: Any, noise: Any
    ) -> tuple[Any, Any, list[Any]]:
        """Weighted mean loss of a batch with penalties.

        Parameters
        ----------
        network : list of array
        x, targets : arrays of `inputs` and `targets`
        weights, mask : arrays of shape (batch_size,)
            Weight of each row; 1 for rows that count, 0 for padding.
        noise : callable
            From `dropout_noise`.

        Returns
        -------
        loss : scalar
        logits : array of shape (batch_size, n_classes)
        statistics : list of array
            New moving mean and variance of each normalised layer.
        """
        logits, statistics = self.forward(network, x, mask, noise)
        loss = ops.sum(self._losses(targets, logits) * weights * mask) / ops.sum(mask)
        for l2, kernel in zip(self.spec.architecture.l2, network, strict=False):
            if l2:
                loss = loss + l2 * ops.sum(ops.square(kernel))
        return loss, logits, statistics

    def _losses(self, targets: Any, logits: Any) -> Any:
        if self.spec.architecture.n_classes == 1:
            # Of one class nothing is to learn, and Keras' loss warns of it.
            return 0 * logits[:, 0]
        if self.spec.teacher is not None:
            softened = ops.categorical_crossentropy(targets, logits / SOFTENING, from_logits=True)
            return SOFTENING**2 * softened
        return self._row_losses(targets, logits)

    def forward(
        self, network: Sequence[Any], h: Any, mask: Any, noise: Any
    ) -> tuple[Any, list[Any]]:
        """Logits in training, and new moving statistics of batch normalisation."""
        a = self.spec.architecture
        n_layers, activate = len(a.hidden_layer_sizes) + 1, _activation(a.activation)
        statistics: list[Any] = []
        for i in range(n_layers - 1):
            h = ops.add(ops.matmul(h, network[i]), network[n_layers + i])
            if a.batch_norm:
                first = 2 * n_layers + 4 * i
                h, new = batch_normalized(h, network[first : first + 4], mask)
                statistics += new
            h = activate(h)
            if a.dropout[i]:
                keep = ops.cast(noise(i, h.shape) >= a.dropout[i], h.dtype)
                h = h * keep / (1 - a.dropout[i])
        return ops.add(ops.matmul(h, network[n_layers - 1]), network[2 * n_layers - 1]), statistics

    def dropout_noise(
        self, seeds: Sequence[Any], step: Any
    ) -> Callable[[int, tuple[int, ...]], Any]:
        """Uniform noise of each layer for one step.

        Parameters
        ----------
        seeds : [uint32 array of shape (n_hidden_layers, 2)], [] without dropout
            Those of layers with dropout come first.
        step : int32 scalar
        """
        counter = ops.stack([ops.zeros_like(step), step])
        dropping = [i for i, rate in enumerate(self.spec.architecture.dropout) if rate]

        def noise(layer: int, shape: tuple[int, ...]) -> Any:
            seed = seeds[0][dropping.index(layer)] + ops.cast(counter, "uint32")
            return self._primitives.uniform(tuple(shape), ops.cast(seed, "int32"))

        return noise

    def correct(self, logits: Any, y: Any, mask: Any) -> Any:
        """How many rows of a batch are classified correctly."""
        right = ops.equal(ops.argmax(logits, axis=1), y)
        return ops.sum(ops.cast(right, self._dtype) * mask)

    def averaged(self, average: Any, weights: Any, step: Any) -> Any:
        """The moving average of weights after a step."""
        # A short memory at first, so that the initial weights are soon forgotten.
        step = ops.cast(step, "float32")
        decay = ops.minimum(self.spec.averaging, (1 + step) / (10 + step))
        return average - (average - weights) * ops.cast(1 - decay, average.dtype)


def _activation(name: str) -> Any:
    return keras.activations.get(KERAS_ACTIVATIONS.get(name, name))


def batch_normalized(h: Any, norm: Sequence[Any], mask: Any) -> tuple[Any, list[Any]]:
    """Batch normalisation in training as Keras computes it, by the rows that count.

    The norm is gamma, beta, moving mean and moving variance; the last two are returned anew.
    """
    gamma, beta, mean, variance = norm
    real = ops.expand_dims(mask, -1) > 0
    n = ops.sum(mask) + keras.config.epsilon()
    batch_mean = ops.sum(ops.where(real, h, 0), axis=0) / n
    batch_variance = ops.sum(ops.square(ops.where(real, h - batch_mean, 0)), axis=0) / n
    out = ops.batch_normalization(
        h, batch_mean, batch_variance, axis=-1, offset=beta, scale=gamma, epsilon=EPSILON
    )
    moved = [
        old * MOMENTUM + new * (1 - MOMENTUM)
        for old, new in ((mean, batch_mean), (variance, batch_variance))
    ]
    return out, moved
