"""Trains a fitted classifier further on few rows without losing what it has learned."""

from __future__ import annotations

import warnings
from copy import deepcopy
from dataclasses import replace
from typing import Any

import numpy as np
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_consistent_length, check_is_fitted

from ._classifier import DigitANNClassifier
from ._network import Array, BatchNorm, Network, cross_entropy
from .datasets import load_mnist_sample

# Parts of the way from the fitted weights to the tuned ones that are compared.
SHARES = (1.0, 0.75, 0.5, 0.25)

# Rows of the original task that are trained on, and further ones that must stay correct.
N_MIXED, N_CHECKED = 1000, 2000

# Share of the checked rows of the original task that may additionally be misclassified.
TOLERATED = 0.002

FEWEST_ROWS = 8


def fine_tune(
    model: Any,
    X: Any,
    y: Any,
    *,
    X_old: Any = None,
    y_old: Any = None,
    learning_rate: float = 3e-4,
    epochs: int = 30,
    validation_fraction: float = 0.25,
    random_state: int | None = None,
) -> Any:
    """Train a fitted digit classifier further on your own digits.

    A few dozen rows are enough, and they need not contain all classes. The network is trained at a
    low learning rate on these rows mixed with rows of the original task. Then its weights are
    interpolated between those before and after this training [1]_. A share of the rows is held
    back; it decides how far the weights move. Rows of the original task limit the movement: at
    most 0.2 % of them may additionally be misclassified. If no interpolated network predicts the
    rows held back better, an unchanged copy is returned with a warning.

    Parameters
    ----------
    model : DigitANNClassifier or Pipeline that ends in one
        Fitted, for example :func:`load_pretrained`. It is not modified.
    X : array-like of shape (n_samples, n_features), or whatever the pipeline takes
        Your own rows, at least 8, for example from :func:`read_digit_images` or
        :func:`skdigits.datasets.load_digit_folder`.
    y : array-like of shape (n_samples,)
        Their labels, of the model's classes.
    X_old, y_old : array-likes like X and y, default=None
        Rows of the original task. By default the embedded MNIST sample is used for networks of 784
        pixels and the classes 0 to 9; other models require them.
    learning_rate : float, default=3e-4
        Peak learning rate, with the schedule "cosine".
    epochs : int, default=30
        Passes over the mixed rows.
    validation_fraction : float, default=0.25
        Share of your rows that is held back to choose the interpolation. The returned network is
        trained on all rows.
    random_state : int, default=None
        Seed of the rows held back, of the mixed rows and of training.

    Returns
    -------
    DigitANNClassifier or Pipeline
        A fitted copy with the parameters of `model`.

    Raises
    ------
    TypeError
        If `model` is not a DigitANNClassifier or a pipeline that ends in one.
    ValueError
        If there are fewer than 8 rows, labels that are not classes of the model, or no rows of the
        original task.

    References
    ----------
    .. [1] M. Wortsman et al., "Robust fine-tuning of zero-shot models", CVPR 2022, arXiv
       2109.01903.

    Examples
    --------
    >>> from skdigits import fine_tune, load_pretrained
    >>> from skdigits.datasets import load_mnist_sample
    >>> X, y = load_mnist_sample(subset="test", return_X_y=True)
    >>> shifted = np.roll(X.reshape(-1, 28, 28), 4, axis=2).reshape(-1, 784)  # not centred
    >>> model = load_pretrained()
    >>> tuned = fine_tune(model, shifted[:50], y[:50], random_state=0)  # doctest: +SKIP
    >>> model.score(shifted[50:], y[50:]), tuned.score(shifted[50:], y[50:])  # doctest: +SKIP
    """
    tuned = deepcopy(model)
    classifier = tuned.steps[-1][1] if isinstance(tuned, Pipeline) else tuned
    if type(classifier) is not DigitANNClassifier:
        raise TypeError(
            f"Got {type(model).__name__}, expected a fitted DigitANNClassifier or a Pipeline that "
            "ends in one."
        )
    check_is_fitted(classifier, "_network")
    prepare = tuned[:-1].transform if isinstance(tuned, Pipeline) and len(tuned) > 1 else np.asarray
    own, own_y = prepare(X), _checked_labels(y, classifier.classes_)
    check_consistent_length(own, own_y)
    if len(own_y) < FEWEST_ROWS:
        raise ValueError(f"Got {len(own_y)} rows, expected at least {FEWEST_ROWS}.")
    rng = np.random.default_rng(random_state)
    old, old_y = _old_rows(classifier, X_old, y_old, rng)
    mixed, checked = _split(prepare(old), old_y, min(N_MIXED, len(old_y) // 2))
    order = rng.permutation(len(own_y))
    n_held_back = max(2, round(validation_fraction * len(own_y)))
    held_back = own[order[:n_held_back]], own_y[order[:n_held_back]]
    kept = own[order[n_held_back:]], own_y[order[n_held_back:]]

    seed = int(rng.integers(2**31))
    start: Network = vars(classifier)["_network"]

    def trained(rows: Array, labels: Array) -> Network:
        candidate = deepcopy(classifier)
        _train(candidate, (rows, labels), mixed, learning_rate, epochs, seed)
        return replace(vars(candidate)["_network"], temperature=start.temperature)

    share = _best_share(classifier, trained(*kept), held_back, checked)
    if share == 0:
        warnings.warn(
            f"Got {len(own_y)} rows on which fine-tuning brings no improvement: none of "
            f"{n_held_back} rows held back is predicted better. An unchanged copy is returned.",
            UserWarning,
            stacklevel=2,
        )
        return tuned
    network = _interpolated(start, trained(own, own_y), share)
    classifier.__dict__["_network"] = network
    # The state of the optimizer belongs to the weights before.
    classifier.__dict__.pop("_optimizer_state", None)
    return tuned


def _checked_labels(y: Any, classes: Array) -> Array:
    """Labels as the model's classes; integers stand for the strings of their digits."""
    by_text = {str(label): label for label in classes.tolist()}
    texts = [str(label) for label in np.asarray(y).tolist()]
    unknown = sorted(set(texts) - set(by_text))
    if unknown:
        raise ValueError(
            f"Got the labels {unknown[:10]}, expected only the model's classes {classes.tolist()}."
        )
    return np.array([by_text[text] for text in texts], dtype=classes.dtype)


def _old_rows(
    classifier: DigitANNClassifier, X_old: Any, y_old: Any, rng: np.random.Generator
) -> tuple[Any, Array]:
    """Shuffled rows of the original task with their labels."""
    if X_old is None or y_old is None:
        digits = {str(label) for label in classifier.classes_.tolist()} == set("0123456789")
        if X_old is not None or y_old is not None or not digits or classifier.n_features_in_ != 784:
            raise ValueError(
                f"Got X_old={type(X_old).__name__} and y_old={type(y_old).__name__} for a model of "
                f"{classifier.n_features_in_} features with the classes "
                f"{classifier.classes_.tolist()}, expected rows of the original task in both: the "
                "embedded MNIST sample fits networks of 784 pixels and the classes 0 to 9 only."
            )
        X_old, y_old = load_mnist_sample(subset="train", return_X_y=True)
    y_old = _checked_labels(y_old, classifier.classes_)
    order = rng.permutation(len(y_old))[: N_MIXED + N_CHECKED]
    return np.asarray(X_old)[order], y_old[order]


def _split(X: Array, y: Array, n_first: int) -> tuple[tuple[Array, Array], tuple[Array, Array]]:
    return (X[:n_first], y[:n_first]), (X[n_first:], y[n_first:])


def _train(
    classifier: DigitANNClassifier,
    own: tuple[Array, Array],
    mixed: tuple[Array, Array],
    learning_rate: float,
    epochs: int,
    seed: int,
) -> None:
    """Train a classifier further; own and mixed rows have the same total weight."""
    classifier.set_params(
        warm_start=True,
        early_stopping=False,
        learning_rate=learning_rate,
        learning_rate_schedule="cosine",
        epochs=epochs,
        batch_size=128,
        weight_averaging=True,
        keras_callbacks=None,
        random_state=seed,
    )
    X = np.concatenate([own[0], mixed[0]])
    y = np.concatenate([own[1], mixed[1]])
    weights = np.repeat([len(mixed[1]) / len(own[1]), 1.0], [len(own[1]), len(mixed[1])])
    classifier.fit(X, y, sample_weight=weights)


def _best_share(
    classifier: DigitANNClassifier,
    tuned: Network,
    held_back: tuple[Array, Array],
    checked: tuple[Array, Array],
) -> float:
    """The share of the way to the tuned weights that is best on the rows held back, or 0."""
    start: Network = vars(classifier)["_network"]
    best, best_score = 0.0, _score(start, *held_back, classifier.classes_)
    most_errors = _score(start, *checked, classifier.classes_)[0] + TOLERATED * len(checked[1])
    for share in SHARES:
        network = _interpolated(start, tuned, share)
        if _score(network, *checked, classifier.classes_)[0] > most_errors:
            continue
        score = _score(network, *held_back, classifier.classes_)
        if score < best_score:
            best, best_score = share, score
    return best


def _score(network: Network, X: Array, y: Array, classes: Array) -> tuple[int, float]:
    """Number of errors and mean cross-entropy."""
    logits, indices = network.logits(X), np.searchsorted(classes, y)
    errors = int((logits.argmax(axis=1) != indices).sum())
    return errors, float(cross_entropy(logits, indices).mean())


def _interpolated(start: Network, end: Network, share: float) -> Network:
    """The network whose weights lie at this share of the way from one to the other."""

    def between(a: Array, b: Array) -> Array:
        return ((1 - share) * a + share * b).astype(a.dtype)

    norms = start.norms and tuple(
        BatchNorm(
            between(a.gamma, b.gamma),
            between(a.beta, b.beta),
            between(a.mean, b.mean),
            between(a.variance, b.variance),
            a.epsilon,
        )
        for a, b in zip(start.norms, end.norms or (), strict=True)
    )
    return replace(
        start,
        kernels=tuple(map(between, start.kernels, end.kernels)),
        biases=tuple(map(between, start.biases, end.biases)),
        norms=norms,
    )
