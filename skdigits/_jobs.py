"""Builds the training job of a fit and turns its result into fitted attributes."""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.validation import check_is_fitted

from ._callbacks import is_in_search, keras_callback_list
from ._checkpoint import Checkpoint, fit_description
from ._fitted import extended_history, fitted_attributes
from ._network import Array, Network, layout
from ._parameters import Settings, drawn_seed
from ._rows import Rows
from ._temperature import is_at_bound, temperature_of
from ._training import SPLIT, Job, Result, generator, initial_network
from ._validation import TrainingData


def fit_job(
    estimator: BaseEstimator,
    settings: Settings,
    data: TrainingData,
    validation: Rows | None,
    *,
    teacher: Any,
    checkpoint: Any,
) -> tuple[Job, TrainingData]:
    """The job of `fit`, and the data without the rows that early stopping holds back.

    Parameters
    ----------
    estimator : DigitANNClassifier
    settings : Settings
    data : TrainingData
    validation : Rows or None
    teacher : DigitANNClassifier or None
    checkpoint : path or None
        Path of the checkpoint, from which an interrupted fit is resumed.
    """
    previous = previous_network(estimator, settings, data, 5) if estimator.warm_start else None
    taught_by = None if teacher is None else _teacher_network(teacher, data)
    seed, saved = drawn_seed(estimator.random_state), None
    if checkpoint is not None:
        fraction, rows = estimator.validation_fraction, (data.rows, validation)
        fit = fit_description(settings, fraction, rows, data.classes, previous, taught_by)
        saved = _open_checkpoint(estimator, checkpoint, fit, seed)
        seed = saved.seed
    if settings.early_stopping and validation is None:
        split_seed = int(generator(seed, SPLIT).integers(2**31))
        data, held_back = data.split(estimator.validation_fraction, split_seed)
        validation = held_back.rows
    job = Job(
        settings=settings,
        rows=data.rows,
        validation=validation,
        network=previous or _new_network(settings, data, seed),
        seed=seed,
        epochs=settings.epochs,
        keras_callbacks=keras_callback_list(estimator.keras_callbacks),
        checkpoint=saved,
        teacher=taught_by,
    )
    return job, data


def partial_fit_job(estimator: BaseEstimator, settings: Settings, data: TrainingData) -> Job:
    """The job of `partial_fit`: one epoch in the order of the rows, at a constant rate."""
    settings = replace(settings, learning_rate_schedule="constant")
    state = vars(estimator).get("_optimizer_state")
    seed = 0 if state else drawn_seed(estimator.random_state)
    previous = previous_network(estimator, settings, data, 4)
    return Job(
        settings=settings,
        rows=data.rows,
        validation=None,
        network=previous or _new_network(settings, data, seed),
        seed=seed,
        epochs=1,
        shuffle=False,
        keep_state=True,
        state=state,
    )


def fitted_state(
    result: Result, *, estimator: BaseEstimator, job: Job, data: TrainingData, extend: bool
) -> dict[str, Any]:
    """The fitted attributes after a training run.

    Parameters
    ----------
    result : Result
    estimator : DigitANNClassifier
    job : Job
    data : TrainingData
    extend : bool
        Whether the run trained the network of an earlier fit further.
    """
    history, best_epoch = result.history, result.best_epoch
    network = replace(result.network, temperature=temperature_of(result.network, job))
    if extend:
        best_epoch += estimator.n_iter_
        history = extended_history(estimator.history_, history)
    return fitted_attributes(network, data.classes, history, best_epoch, data.scale)


def warn_of_result(estimator: BaseEstimator, result: Result, job: Job, stacklevel: int) -> None:
    """Warn of a run that was interrupted or diverged, and of useless validation rows.

    Parameters
    ----------
    estimator : DigitANNClassifier
        With the fitted attributes of the run.
    result : Result
    job : Job
    stacklevel : int
        1 is the caller.
    """
    if result.stopped == "interrupted":
        warnings.warn(
            f"Training interrupted by the user: the weights after epoch {estimator.best_epoch_} "
            "are kept.",
            UserWarning,
            stacklevel=stacklevel + 1,
        )
    elif result.stopped == "diverged":
        warnings.warn(
            f"Training diverged in epoch {estimator.n_iter_}: the weights of epoch "
            f"{estimator.best_epoch_} are kept. Try a smaller learning_rate or scaled X.",
            ConvergenceWarning,
            stacklevel=stacklevel + 1,
        )
    if job.validation is not None and is_at_bound(estimator.temperature_):
        warnings.warn(
            f"Got validation rows for which temperature_ is at its bound, "
            f"{estimator.temperature_:.3g}: probabilities will be far from the accuracy. "
            "Validation rows must be on the scale of X; in a Pipeline, transform_input=['X_val'] "
            "passes them through the steps before the classifier.",
            UserWarning,
            stacklevel=stacklevel + 1,
        )


def previous_network(
    estimator: BaseEstimator, settings: Settings, data: TrainingData, stacklevel: int
) -> Network | None:
    """The network of an earlier fit, to be trained further; None before the first fit."""
    state = vars(estimator)
    if "_network" not in state:
        return None
    network = _matching_network(state["_network"], state["classes_"], settings, data)
    data.warn_if_other_scale(state.get("_training_scale"), stacklevel)
    rate = state.get("_pretrained_learning_rate")
    if rate is not None and (settings.learning_rate is None or settings.learning_rate >= rate):
        warnings.warn(
            f"Got learning_rate={settings.learning_rate} for further training of the pretrained "
            f"network, expected one far below {rate}, with which it was trained from random "
            "weights: it forgets what it has learned. Use skdigits.fine_tune, or a learning_rate "
            "such as 1e-4.",
            UserWarning,
            stacklevel=stacklevel,
        )
    return network


def _open_checkpoint(
    estimator: BaseEstimator, path: Any, fit: dict[str, str], seed: int
) -> Checkpoint:
    """The checkpoint of a fit, with the state that an interrupted run has left in it."""
    if estimator.keras_callbacks:
        raise ValueError(
            f"Got checkpoint={path!r} with keras_callbacks={estimator.keras_callbacks!r}, expected "
            "one of them: the state of Keras callbacks cannot be stored."
        )
    return Checkpoint(
        path,
        fit,
        seed,
        fixed_seed=estimator.random_state is not None,
        in_search=is_in_search(vars(estimator).get("_parent_callback_ctx")),
    )


def _new_network(settings: Settings, data: TrainingData, seed: int) -> Network:
    """A network with random weights for these data."""
    n_classes = len(data.classes)
    network = initial_network(settings, data.n_features, n_classes, data.dtype, seed)
    scale = 1 / 255 if data.is_bytes else 1.0
    return replace(network, input_scale=scale, blur=settings.input_blur)


def _matching_network(
    network: Network, classes: Array, settings: Settings, data: TrainingData
) -> Network:
    """The network of an earlier fit in the dtype of these data.

    Parameters
    ----------
    network : Network
    classes : ndarray of shape (n_classes,)
        Classes of the earlier fit.
    settings : Settings
    data : TrainingData

    Raises
    ------
    ValueError
        If classes, layers or the kind of input are different.
    """
    if not np.array_equal(data.classes, classes):
        raise ValueError(
            f"Got y with the classes {data.classes.tolist()}, expected those of the fit before, "
            f"{classes.tolist()}."
        )
    widths = (data.n_features, *settings.hidden_layer_sizes, len(classes))
    expected = layout(widths, settings.activation, settings.batch_norm, data.is_bytes)
    if network.layout() != expected:
        was_bytes = network.input_scale != 1.0
        hint = (
            " Give all rows as uint8 or all of them scaled; transform_input names the rows that "
            "the scaler of a Pipeline transforms besides X."
        )
        raise ValueError(
            f"Got X and parameters for a network of {expected}, expected those of the fit before, "
            f"{network.layout()}.{hint if was_bytes != data.is_bytes else ''}"
        )
    return replace(network.astype(data.dtype), blur=settings.input_blur)


def _teacher_network(teacher: Any, data: TrainingData) -> Network:
    """The network of a teacher in the dtype of these data.

    Raises
    ------
    TypeError
        If the teacher is not a DigitANNClassifier.
    ValueError
        If it has other features, classes or pixel values.
    """
    if not hasattr(type(teacher), "_predictor"):
        raise TypeError(
            f"Got teacher of type {type(teacher).__name__}, expected a fitted "
            "DigitANNClassifier; of a pipeline, its last step."
        )
    check_is_fitted(teacher, "_network")
    network, classes = teacher._predictor(), teacher.classes_
    if network.n_features != data.n_features or not np.array_equal(data.classes, classes):
        raise ValueError(
            f"Got a teacher of {network.n_features} features with the classes "
            f"{classes.tolist()}, expected one of {data.n_features} features with "
            f"{data.classes.tolist()}."
        )
    if network.input_scale != 1.0 and not data.is_bytes:
        raise ValueError(
            f"Got X of dtype {data.dtype} with a teacher that was fitted on uint8, expected uint8 "
            "or a teacher that was fitted on rows scaled like X."
        )
    return network.astype(data.dtype)
