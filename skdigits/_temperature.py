"""How well probabilities mean what they say, and the temperature of logits that makes them."""

from __future__ import annotations

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import logsumexp

from ._network import Array, Network, cross_entropy
from ._rows import Rows

# How far the logit of a digit's class lies above the others in networks whose probabilities are
# right: choose_recipes.py prints the factor for the logits of each of its candidates that is the
# best on validation rows of MNIST, and with this number these factors lie around 1.
CALIBRATED_GAP = 8.7

# The same for rows that were trained on, whose logits lie a little further apart, as
# calibration.py prints it.
TRAINED_GAP = 9.1

# Rows of which the gap is measured: fewer than the least say too little about a network.
LEAST_ROWS, MOST_ROWS = 100, 1000

# Spread of the logarithm of temperatures around the rule, before validation rows are seen.
PRIOR_SPREAD = 0.5


# Bins of confidence of the expected calibration error.
N_BINS = 15


def rule(label_smoothing: float, n_classes: int) -> float:
    """Temperature for a network of which no validation rows are known.

    With smoothed targets the loss is least where the right logit lies
    ``log((1 - s + s / k) / (s / k))`` above the others, less than what the share of right
    answers asks for; without smoothing, logits stay as they are here, see `of_trained`.

    Parameters
    ----------
    label_smoothing : float
    n_classes : int

    Returns
    -------
    float
        In (0, 1].
    """
    if label_smoothing == 0 or n_classes < 2:
        return 1.0
    spread = label_smoothing / n_classes
    gap = float(np.log((1 - label_smoothing + spread) / spread))
    return min(1.0, max(gap, 0.1) / CALIBRATED_GAP)


def of_trained(network: Network, rows: Rows) -> float:
    """Temperature for a network that was trained on plain labels, of which no others are known.

    The loss of rows that are learned by heart falls for ever as their logits grow. How far the
    logit of the right class has come to lie above the others, measured on some of these rows,
    over what it is in networks whose probabilities are right is the temperature.
    examples/benchmarks/calibration.py compares it with the best one on validation rows.

    Parameters
    ----------
    network : Network
        Of temperature 1.
    rows : Rows
        Those that it was trained on, as they are.

    Returns
    -------
    float
        At least 1, in hundredths; 1 for fewer than 100 rows.
    """
    some = rows[np.arange(0, len(rows), -(-len(rows) // MOST_ROWS))]
    if len(some) < LEAST_ROWS or not some.weights.any():
        return 1.0
    with np.errstate(over="ignore", invalid="ignore"):
        logits = network.logits(some.X).astype(np.float64)
        right = np.take_along_axis(logits, some.y[:, None], axis=1)[:, 0]
        np.put_along_axis(logits, some.y[:, None], -np.inf, axis=1)
        gaps = right - logsumexp(logits, axis=1) + np.log(logits.shape[1] - 1)
        gap = float(np.average(gaps, weights=some.weights))
    return max(1.0, round(gap / TRAINED_GAP, 2)) if np.isfinite(gap) else 1.0


def fitted(logits: Array, y: Array, weights: Array, prior: float) -> float:
    """Temperature that makes rows which training hasn't seen most probable.

    The maximum a posteriori for a log-normal prior around `prior`, so that few rows, which may
    all be right, don't make the network infinitely sure.

    Parameters
    ----------
    logits : ndarray of shape (n_samples, n_classes)
    y : ndarray of int of shape (n_samples,)
        Class indices.
    weights : ndarray of shape (n_samples,)
    prior : float
        Temperature expected before the rows are seen.

    Returns
    -------
    float

    References
    ----------
    C. Guo et al., "On calibration of modern neural networks", ICML 2017, arXiv 1706.04599.
    """
    logits = logits.astype(np.float64)
    weights = weights / weights.mean()

    def surprise(log_temperature: float) -> float:
        losses = cross_entropy(logits / np.exp(log_temperature), y)
        distance = (log_temperature - np.log(prior)) / PRIOR_SPREAD
        return float((weights * losses).sum() + distance**2 / 2)

    found = minimize_scalar(surprise, bounds=(-4, 4), method="bounded", options={"xatol": 1e-4})
    return float(np.exp(found.x))


def expected_calibration_error(y: Array, predicted: Array, probabilities: Array) -> float:
    """How far confidence is from accuracy, on average over bins of confidence.

    Parameters
    ----------
    y : ndarray of shape (n_samples,)
        True labels.
    predicted : ndarray of shape (n_samples,)
        Predicted labels.
    probabilities : ndarray of shape (n_samples, n_classes)
        Their probabilities.

    Returns
    -------
    float
        0 where among all digits predicted with a confidence of, say, 80 %, 80 % are right.

    References
    ----------
    C. Guo, G. Pleiss, Y. Sun, K. Q. Weinberger, "On calibration of modern neural networks", ICML
    2017, arXiv 1706.04599.
    """
    confidence = probabilities.max(axis=1).astype(np.float64)
    right = (y == predicted).astype(np.float64)
    bins = np.clip(np.ceil(confidence * N_BINS).astype(int) - 1, 0, N_BINS - 1)
    gaps = np.bincount(bins, weights=right - confidence, minlength=N_BINS)
    return float(np.abs(gaps).sum() / len(y))
