"""Activation functions on NumPy arrays."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import special

Array = np.ndarray[Any, Any]

_SELU_ALPHA, _SELU_SCALE = 1.6732632423543772, 1.0507009873554805


def _relu(h: Array) -> Array:
    return np.maximum(h, 0, out=h)


def _leaky_relu(h: Array) -> Array:
    return np.maximum(h, h * h.dtype.type(0.2), out=h)


def _elu(h: Array) -> Array:
    return np.where(h > 0, h, np.expm1(np.minimum(h, 0)))


def _selu(h: Array) -> Array:
    scale, alpha = h.dtype.type(_SELU_SCALE), h.dtype.type(_SELU_ALPHA)
    return scale * np.where(h > 0, h, alpha * np.expm1(np.minimum(h, 0)))


def _gelu(h: Array) -> Array:
    return h * special.ndtr(h)


def _silu(h: Array) -> Array:
    # Far below 0 the exponential is infinite and the quotient 0, which is correct. NumPy's
    # exponential takes a fraction of the time of SciPy's logistic function.
    with np.errstate(over="ignore"):
        below = np.exp(-h)
    below += 1
    return np.divide(h, below, out=h)


def _softplus(h: Array) -> Array:
    return np.logaddexp(h, h.dtype.type(0))


ACTIVATIONS: dict[str, Callable[[Array], Array]] = {
    "relu": _relu,
    "leaky_relu": _leaky_relu,
    "elu": _elu,
    "selu": _selu,
    "gelu": _gelu,
    "silu": _silu,
    "swish": _silu,
    "tanh": lambda h: np.tanh(h, out=h),
    "sigmoid": lambda h: special.expit(h, out=h),
    "logistic": lambda h: special.expit(h, out=h),
    "softplus": _softplus,
    "softsign": lambda h: h / (1 + np.abs(h)),
    "linear": lambda h: h,
    "identity": lambda h: h,
}
"""Activations by name. MLPClassifier calls sigmoid "logistic" and linear "identity"."""
