"""A dense network as NumPy arrays, with its forward pass.

A fitted classifier stores, pickles and predicts with it. Nothing here depends on Keras.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from math import isqrt
from typing import Any

import numpy as np
from scipy import sparse
from scipy.special import log_softmax

from ._activations import ACTIVATIONS

Array = np.ndarray[Any, Any]

# Rows of one block: enough that a matrix product takes longer than the start of its threads, which
# is slow on a busy machine, and few enough to limit the memory of a prediction.
BLOCK_ROWS = 4096

# Largest share of a pixel for one neighbour: half of the pixel then goes to two of them.
MOST_BLUR = 0.25


@dataclass(frozen=True)
class BatchNorm:
    """Parameters of batch normalisation of one hidden layer, as arrays of its width."""

    gamma: Array
    beta: Array
    mean: Array
    variance: Array
    epsilon: float


@dataclass(frozen=True)
class Network:
    """A fitted dense network.

    Each hidden layer computes ``activation(batch_norm(h @ kernel + bias))``, the last layer the
    logits ``(h @ kernel + bias) / temperature``.

    Parameters
    ----------
    kernels : tuple of ndarray of shape (n_in, n_out)
        Weights, one per layer, all of one dtype (float32 or float64).
    biases : tuple of ndarray of shape (n_out,)
        Biases, one per layer.
    activation : str
        Name of the hidden layers' activation, a key of `ACTIVATIONS`.
    norms : tuple of BatchNorm or None
        One per hidden layer, or None for a network without batch normalisation.
    input_scale : float
        Factor of the input before the first layer: 1/255 for a network that was fitted on uint8,
        1 for every other.
    temperature : float
        Divisor of the last layer's outputs.
    blur : float
        Share of each pixel of a square image that goes to each of its two neighbours, along one
        axis and then along the other, before the first layer.
    """

    kernels: tuple[Array, ...]
    biases: tuple[Array, ...]
    activation: str
    norms: tuple[BatchNorm, ...] | None = None
    input_scale: float = 1.0
    temperature: float = 1.0
    blur: float = 0.0

    def __post_init__(self) -> None:
        for array in (*self.kernels, *self.biases):
            # An edit in place would not change the folded layers, which predict.
            array.flags.writeable = False
        object.__setattr__(self, "_folded", self._fold())

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "_folded"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        # Folding could broadcast arrays of wrong shapes to any size.
        _check_layers(self)
        self.__post_init__()

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.kernels[0].dtype

    @property
    def n_features(self) -> int:
        return int(self.kernels[0].shape[0])

    @property
    def widths(self) -> tuple[int, ...]:
        """Widths of all layers, input and output included."""
        return (*(int(k.shape[0]) for k in self.kernels), int(self.kernels[-1].shape[1]))

    def layers(self, *, scaled_input: bool = False) -> list[Array]:
        """Kernel and bias of each layer, with everything else multiplied into them.

        With `scaled_input`, the layers of a network that was fitted on uint8 expect pixels divided
        by 255.
        """
        network = replace(self, input_scale=1.0) if scaled_input else self
        folded: tuple[tuple[Array, Array], ...] = network._folded  # type: ignore[attr-defined]
        return [array for layer in folded for array in layer]

    def layout(self) -> str:
        """Shapes, activation and kind of input in words, which further training cannot change."""
        return layout(self.widths, self.activation, self.norms is not None, self.input_scale != 1.0)

    def astype(self, dtype: np.dtype[Any]) -> Network:
        """The same network in another floating-point dtype."""
        if dtype == self.dtype:
            return self
        norms = self.norms and tuple(
            BatchNorm(
                norm.gamma.astype(dtype),
                norm.beta.astype(dtype),
                norm.mean.astype(dtype),
                norm.variance.astype(dtype),
                norm.epsilon,
            )
            for norm in self.norms
        )
        return replace(
            self,
            kernels=tuple(kernel.astype(dtype) for kernel in self.kernels),
            biases=tuple(bias.astype(dtype) for bias in self.biases),
            norms=norms,
        )

    def _fold(self) -> tuple[tuple[Array, Array], ...]:
        """Layers with blur, normalisation, scale and temperature multiplied into their weights."""
        layers = []
        for i, (weights, bias) in enumerate(zip(self.kernels, self.biases, strict=True)):
            kernel, shift = weights, bias
            if i == 0 and self.blur:
                kernel = blurred(kernel, self.blur)
            if self.norms is not None and i < len(self.norms):
                norm = self.norms[i]
                gain = norm.gamma / np.sqrt(norm.variance + norm.epsilon)
                kernel = np.multiply(kernel, gain, out=_own(kernel, weights))
                shift = (bias - norm.mean) * gain + norm.beta
            if i == 0 and self.input_scale != 1.0:
                kernel = np.multiply(kernel, self.input_scale, out=_own(kernel, weights))
            if i == len(self.kernels) - 1 and self.temperature != 1.0:
                kernel = np.divide(kernel, self.temperature, out=_own(kernel, weights))
                shift = shift / self.temperature
            layers.append((kernel.astype(self.dtype, copy=False), shift.astype(self.dtype)))
        return tuple(layers)

    def is_finite(self) -> bool:
        """Whether all weights are finite."""
        return all(np.isfinite(array).all() for array in (*self.kernels, *self.biases))

    def logits(self, X: Any) -> Array:
        """Forward pass.

        Parameters
        ----------
        X : ndarray or sparse matrix of shape (n_samples, n_features)
            Of any numeric dtype, converted to that of the network.

        Returns
        -------
        ndarray of shape (n_samples, n_outputs)
            Logits in the network's dtype.
        """
        out, _ = self._forward(X, until_not_finite=False)
        return out

    def finite_logits(self, X: Any) -> Array:
        """Forward pass of rows with finite values.

        Raises
        ------
        ValueError
            If the logits overflow.
        """
        with np.errstate(over="ignore", invalid="ignore"):
            logits = self.logits(X)
        if not np.isfinite(logits).all():
            raise ValueError(
                f"Got X with values so large that the outputs overflow {self.dtype}, expected "
                "values like those of the training rows."
            )
        return logits

    def logits_of_finite(self, X: Array) -> Array | None:
        """Forward pass of rows that were not validated, None where a value is not finite.

        Such a value makes all sums of the first layer infinite or NaN. To check one of these sums
        takes less time than to check all values.
        """
        with np.errstate(invalid="ignore", over="ignore"):
            out, finite = self._forward(X, until_not_finite=True)
        return out if finite else None

    def _forward(self, X: Any, *, until_not_finite: bool) -> tuple[Array, bool]:
        activate = ACTIVATIONS[self.activation]
        layers: tuple[tuple[Array, Array], ...] = self._folded  # type: ignore[attr-defined]
        n_rows = X.shape[0]
        out = np.empty((n_rows, layers[-1][1].size), dtype=self.dtype)
        room = min(n_rows, BLOCK_ROWS)
        buffers = [np.empty((room, bias.size), self.dtype) for _, bias in layers[:-1]]
        for start in range(0, n_rows, BLOCK_ROWS):
            h = _dense(X[start : start + BLOCK_ROWS], self.dtype)
            outputs = [*(buffer[: len(h)] for buffer in buffers), out[start : start + BLOCK_ROWS]]
            for i, ((kernel, bias), sums) in enumerate(zip(layers, outputs, strict=True)):
                np.matmul(h, kernel, out=sums)
                np.add(sums, bias, out=sums)
                if until_not_finite and i == 0 and not np.isfinite(sums[:, 0]).all():
                    return out, False
                h = activate(sums) if i < len(buffers) else sums
        return out, True


def _own(array: Array, given: Array) -> Array | None:
    """The array for results: a copy itself, so that a large one is copied only once."""
    return None if array is given else array


def blurred(kernel: Array, share: float) -> Array:
    """Kernel of a first layer that blurs images and then applies the given kernel.

    Images are continued beyond their edge with the pixels at the edge.

    Parameters
    ----------
    kernel : ndarray of shape (side * side, n_out)
    share : float
        Share of each pixel for each of its two neighbours along an axis.

    Returns
    -------
    ndarray of the same shape and dtype
    """
    side = isqrt(len(kernel))
    square = kernel.reshape(side, side, -1)
    out = np.empty_like(square)
    # Some rows of pixels at a time: of a large kernel this takes little memory.
    for start in range(0, side, 4):
        rows = np.arange(start, min(start + 4, side))
        # The blur is symmetric, so that the kernel is blurred in the same way as images.
        block = _with_neighbours(share, square, rows, 0)
        out[rows] = _with_neighbours(share, block, np.arange(side), 1)
    return out.reshape(kernel.shape)


def _with_neighbours(share: float, square: Array, places: Array, axis: int) -> Array:
    """What is at some places of an axis, with a share of what is before and after them."""
    before, here, after = (
        np.take(square, places + step, axis=axis, mode="clip") for step in (-1, 0, 1)
    )
    return (1 - 2 * share) * here + share * (before + after)


def layout(widths: tuple[int, ...], activation: str, normed: bool, on_bytes: bool) -> str:
    """A network in words."""
    normalisation = " with batch normalisation" if normed else ""
    kind = "uint8" if on_bytes else "float"
    return f"{'-'.join(map(str, widths))} {activation} units{normalisation} on {kind} input"


def _check_layers(network: Network) -> None:
    """Check layers that may come from a damaged file.

    Raises
    ------
    ValueError
        If types, dtypes or shapes of the layers do not fit together.
    """
    kernels, biases, norms = network.kernels, network.biases, network.norms
    widths = [np.shape(kernel)[0] for kernel in kernels] + [len(biases[-1])]
    shapes: list[tuple[int, ...]] = list(pairwise(widths))
    shapes += [(width,) for width in widths[1:]]
    arrays = [*kernels, *biases]
    if norms is not None:
        arrays += [a for n in norms for a in (n.gamma, n.beta, n.mean, n.variance)]
        shapes += [(width,) for width in widths[1:-1] for _ in range(4)]
    found = [(getattr(a, "shape", None), getattr(a, "dtype", None)) for a in arrays]
    if (
        found != [(shape, network.dtype) for shape in shapes]
        or network.dtype not in (np.float32, np.float64)
        or 0 in widths
        or network.activation not in ACTIVATIONS
        or not all(isinstance(norm.epsilon, float) and norm.epsilon >= 0 for norm in norms or ())
        or not (isinstance(network.input_scale, float) and 0 < network.input_scale < np.inf)
        or not (isinstance(network.temperature, float) and 0 < network.temperature < np.inf)
        or not (isinstance(network.blur, float) and 0 <= network.blur <= MOST_BLUR)
        or (network.blur and isqrt(widths[0]) ** 2 != widths[0])
    ):
        raise ValueError(
            f"Got {network.activation!r} layers of the shapes and dtypes {found}, expected float "
            "arrays whose shapes fit together."
        )


def _dense(X: Any, dtype: np.dtype[Any]) -> Array:
    X = X.toarray() if sparse.issparse(X) else X  # type: ignore[attr-defined]
    return np.asarray(X, dtype=dtype)


def softmax(logits: Array) -> Array:
    """Probabilities of shape (n_samples, n_classes)."""
    # Classes first: NumPy reduces along the long axis several times faster than along ten columns.
    columns = np.array(logits.T, order="C")
    # Differences beyond the largest number become -inf, and their exponential 0.
    with np.errstate(over="ignore"):
        columns -= columns.max(axis=0)
    np.exp(columns, out=columns)
    columns /= columns.sum(axis=0)
    return np.ascontiguousarray(columns.T)


def cross_entropy(logits: Array, y: Array, label_smoothing: float = 0.0) -> Array:
    """Cross-entropy of each row for its class index, with targets smoothed as in Keras.

    Parameters
    ----------
    logits : ndarray of shape (n_samples, n_classes)
    y : ndarray of int of shape (n_samples,)
    label_smoothing : float
        Share of each target that is spread evenly over all classes.

    Returns
    -------
    ndarray of shape (n_samples,)
    """
    log_p = log_softmax(logits, axis=1)
    loss = -(1 - label_smoothing) * np.take_along_axis(log_p, y[:, None], axis=1)[:, 0]
    if label_smoothing:
        loss -= label_smoothing * log_p.mean(axis=1)
    return np.asarray(loss)
