"""Learning rates of the steps of a fit."""

from __future__ import annotations

import numpy as np

from ._network import Array

# Share of the steps over which the rate rises to its peak.
WARM_UP = {"cosine": 0.05, "one_cycle": 0.3}


def learning_rates(schedule: str, peak: float, n_steps: int) -> Array:
    """Learning rate of every step of a run.

    "constant" keeps the peak. "cosine" climbs to it over the first 5 % of the steps,
    "one_cycle" over the first 30 % from a 25th of it; both then fall to 0 along half a cosine.

    Parameters
    ----------
    schedule : {"constant", "cosine", "one_cycle"}
    peak : float
    n_steps : int

    Returns
    -------
    ndarray of float32 of shape (n_steps,)

    References
    ----------
    I. Loshchilov, F. Hutter, "SGDR: Stochastic gradient descent with warm restarts", 2017,
    arXiv 1608.03983.
    L. N. Smith, N. Topin, "Super-convergence: very fast training of neural networks using large
    learning rates", 2018, arXiv 1708.07120.
    """
    if schedule == "constant":
        return np.full(n_steps, peak, dtype=np.float32)
    done = (np.arange(n_steps) + 1) / n_steps
    warm_up = WARM_UP[schedule]
    floor = 1 / 25 if schedule == "one_cycle" else 0.0
    rising = floor + (1 - floor) * done / warm_up
    falling = 0.5 * (1 + np.cos(np.pi * (done - warm_up - 1 / n_steps) / (1 - warm_up)))
    factor = np.where(done <= warm_up, rising, falling)
    return (peak * factor).astype(np.float32)
