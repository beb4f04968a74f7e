"""Temperature scaling of logits, and the expected calibration error."""

from __future__ import annotations

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import logsumexp

from ._network import Array, Network, cross_entropy
from ._rows import Rows
from ._training import Job

# How far the logit of the right class lies above the others in well calibrated networks for digits:
# examples/benchmarks/choose_recipes.py prints the best factor of the logits of each candidate on
# validation rows of MNIST, and with this number the factors are close to 1.
CALIBRATED_GAP = 8.7

# The same for training rows, whose logits lie a little further apart, as
# examples/benchmarks/calibration.py prints it.
TRAINED_GAP = 9.1

# Training rows of which the gap is measured. Fewer rows say too little about a network.
LEAST_ROWS, MOST_ROWS = 100, 1000

# Standard deviation of the log-normal prior of a temperature before validation rows are seen.
PRIOR_SPREAD = 0.5

# Limits of the logarithm of a temperature that is found on validation rows.
LOG_BOUNDS = (-4.0, 4.0)

# Bins of confidence of the expected calibration error.
N_BINS = 15


def temperature_of(network: Network, job: Job) -> float:
    """Temperature of a network that was just trained.

    It is fitted to the validation rows where there are any. Otherwise it follows from the label
    smoothing or, without smoothing, from the logits of the training rows. It is 1 where neither
    applies: deformed images are harder than those to be predicted, and the probabilities of a
    teacher are not smoothed.

    Parameters
    ----------
    network : Network
        Of temperature 1.
    job : Job
        Its training.
    """
    n_classes = len(network.biases[-1])
    smoothing = 0.0 if job.teacher else job.settings.label_smoothing
    temperature = temperature_from_smoothing(smoothing, n_classes)
    if n_classes < 2:
        return temperature
    if job.validation is not None:
        with np.errstate(over="ignore", invalid="ignore"):
            logits = network.logits(job.validation.X)
        if not np.isfinite(logits).all():
            return temperature
        return fit_temperature(logits, job.validation.y, job.validation.weights, temperature)
    if smoothing == 0 and job.settings.augmentation is None and job.teacher is None:
        return temperature_from_training_rows(network, job.rows)
    return temperature


def temperature_from_smoothing(label_smoothing: float, n_classes: int) -> float:
    """Temperature that corrects the underconfidence caused by label smoothing.

    With smoothed targets the loss is least where the logit of the right class lies
    ``log((1 - s + s / k) / (s / k))`` above the others, less than the accuracy asks for. Without
    smoothing the temperature is 1, see `temperature_from_training_rows`.

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


def temperature_from_training_rows(network: Network, rows: Rows) -> float:
    """Temperature that corrects the overconfidence of a network that has overfitted.

    The loss of memorised rows falls as long as their logits grow. The temperature is the distance
    of the logit of the right class from the others, measured on training rows, divided by that
    distance in well calibrated networks. examples/benchmarks/calibration.py compares it with the
    best temperature on validation rows.

    Parameters
    ----------
    network : Network
        Of temperature 1.
    rows : Rows
        Its training rows.

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


def fit_temperature(logits: Array, y: Array, weights: Array, prior: float) -> float:
    """Temperature that maximises the posterior probability of validation rows.

    The prior is log-normal around `prior`, so that a few rows that are all classified correctly do
    not make the network infinitely confident.

    Parameters
    ----------
    logits : ndarray of shape (n_samples, n_classes)
    y : ndarray of int of shape (n_samples,)
        Class indices.
    weights : ndarray of shape (n_samples,)
    prior : float
        Median of the prior.

    Returns
    -------
    float

    References
    ----------
    C. Guo et al., "On calibration of modern neural networks", ICML 2017, arXiv 1706.04599.
    """
    logits = logits.astype(np.float64)
    weights = weights / weights.mean()

    def negative_log_posterior(log_temperature: float) -> float:
        losses = cross_entropy(logits / np.exp(log_temperature), y)
        distance = (log_temperature - np.log(prior)) / PRIOR_SPREAD
        return float((weights * losses).sum() + distance**2 / 2)

    minimum = minimize_scalar(
        negative_log_posterior, bounds=LOG_BOUNDS, method="bounded", options={"xatol": 1e-4}
    )
    return float(np.exp(minimum.x))


def is_at_bound(temperature: float) -> bool:
    """Whether a temperature lies at a limit of those that `fit_temperature` looks at."""
    low, high = LOG_BOUNDS
    return not low + 0.01 < np.log(temperature) < high - 0.01


def expected_calibration_error(y: Array, predicted: Array, probabilities: Array) -> float:
    """Mean difference between confidence and accuracy over bins of confidence.

    Parameters
    ----------
    y : ndarray of shape (n_samples,)
        True labels.
    predicted : ndarray of shape (n_samples,)
        Predicted labels.
    probabilities : ndarray of shape (n_samples, n_classes)
        Predicted probabilities.

    Returns
    -------
    float
        0 where for example 80 % of all rows predicted with a confidence of 80 % are right.

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
