"""Checks of an estimator that was read from a file; a ValueError names what does not fit."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._augmentation import side_of
from .._network import Network
from .._parameters import check_parameters
from .._pixel_range import Scale
from .registry import ATTRIBUTES, NUMBERS, expect

# A Python float needs four times the memory that a number takes in a file.
MAX_FIGURES = 2**20
_WORDS = ("raise", "warn", "ignore", "full", "covariance_eigh", "arpack", "randomized")


def check(estimator: Any) -> None:
    """Check parameters and attributes of an estimator."""
    name, state = type(estimator).__name__, vars(estimator)
    if name == "DigitANNClassifier":
        check_parameters(estimator.get_params(deep=False))
    elif not type(estimator).__module__.startswith("skdigits."):
        estimator._validate_params()
    for attribute, switch in ATTRIBUTES[name].items():
        value = state.get(attribute)
        if value is None:
            absent = switch == "" or (switch and not getattr(estimator, switch))
            expect(absent, f"{name} without", attribute, "a value")
        elif attribute in NUMBERS:
            _check_numbers(estimator, attribute, value)
        elif attribute == "feature_names_in_":
            fits = value.shape == (estimator.n_features_in_,) and _strings(value)
            expect(fits, attribute, value, "one name for each feature")
    _check_words(estimator)
    if name == "DigitANNClassifier":
        _check_classifier(estimator)
    elif name == "Pipeline":
        _check_pipeline(estimator)


def _check_numbers(estimator: Any, name: str, value: Any) -> None:
    kinds, low, high, axes = NUMBERS[name]
    array, shape = np.asarray(value), tuple(int(getattr(estimator, axis)) for axis in axes)
    # Of data with missing values, each feature has a number of samples.
    shapes = [shape, (estimator.n_features_in_,)] if name == "n_samples_seen_" else [shape]
    # min and max of an array with NaN are NaN, with which no comparison holds.
    inside = not array.size or low <= float(array.min()) <= float(array.max()) <= high
    fits = inside and array.shape in shapes and array.dtype.kind in kinds
    expect(fits, name, value, f"finite numbers of shape {shape} from {low:g} to {high:g}")


def _check_classifier(model: Any) -> None:
    options, weights = model.optimizer_params or {}, model.class_weight
    expect(isinstance(model.optimizer, str), "optimizer", model.optimizer, "a name")
    expect(not model.keras_callbacks, "keras_callbacks", model.keras_callbacks, "None")
    words = [*options.values(), *(weights if isinstance(weights, dict) else ())]
    fits = all(v is None or isinstance(v, (int, float, str, np.generic)) for v in words)
    expect(fits, "optimizer_params or class_weight", words, "numbers and words")
    network, classes, history = model._network, model.classes_, model.history_
    fits = type(network) is Network and network.n_features == model.n_features_in_
    expect(fits, "a network", network, f"one for {model.n_features_in_} features")
    if model.input_blur:
        side_of(network.n_features)
    weights = (*network.kernels, *network.biases, *network.layers())
    extremes = [end(array) for array in weights for end in (np.min, np.max)]
    expect(np.isfinite(extremes).all(), "weights up to", extremes, "finite ones")
    fits = isinstance(classes, np.ndarray) and classes.shape == (network.widths[-1],)
    fits = fits and (classes.dtype != object or {type(v) for v in classes} <= {str, int, float})
    expect(fits and (classes[:-1] < classes[1:]).all(), "classes_", classes, "sorted labels")
    fits = _strings(history) and all(
        isinstance(curve, np.ndarray) and curve.dtype == float and curve.ndim == 1
        for curve in history.values()
    )
    fits = fits and sum(curve.size for curve in history.values()) <= MAX_FIGURES
    expect(fits and "loss" in history, "history_", history, "curves of numbers")
    best, scale = model.best_epoch_, vars(model).get("_training_scale")
    expect(type(best) is int and 0 <= best <= history["loss"].size, "best_epoch_", best, "an epoch")
    fits = scale is None or (type(scale) is Scale and all(0 <= value < np.inf for value in scale))
    expect(fits, "_training_scale", scale, "a Scale of positive numbers")


def _check_pipeline(pipeline: Any) -> None:
    names, given = [name for name, _ in pipeline.steps], pipeline.transform_input or []
    expect(names and _strings(names + given), "names of steps", names, "strings")
    pipeline._validate_names(names)
    expect(pipeline.memory is None, "memory", pipeline.memory, "None")
    for _, step in pipeline.steps[:-1]:
        fits = step in (None, "passthrough") or hasattr(step, "transform")
        expect(fits, "a step", step, "a transformer")
    width = None
    for step in _leaves(pipeline):
        name = type(step).__name__
        n_features = vars(step).get("n_features_in_", width)
        fits = width in (None, n_features) or name == "DigitImageNormalizer"
        expect(fits, f"{name} for {n_features} features after", width, "the same number")
        if name == "VarianceThreshold":
            n_features = int((step.variances_ > step.threshold).sum())
        width = {"DigitImageNormalizer": 784, "PCA": vars(step).get("n_components_")}.get(
            name, n_features
        )


def _leaves(step: Any) -> list[Any]:
    """The estimators of nested pipelines in the order of their use."""
    if step in (None, "passthrough"):
        return []
    expect(type(step).__name__ in ATTRIBUTES, "a step", step, "an estimator")
    return (
        [leaf for _, s in step.steps for leaf in _leaves(s)] if hasattr(step, "steps") else [step]
    )


def _check_words(estimator: Any) -> None:
    """Check what no table says."""
    state = vars(estimator)
    for name in ("feature_range", "quantile_range"):
        pair = state.get(name, (0, 1))
        fits = np.shape(pair) == (2,) and np.asarray(pair).dtype.kind in "iuf"
        expect(fits, name, pair, "two numbers")
    for name in ("errors", "_fit_svd_solver"):
        word = state.get(name, "full")
        expect(word in _WORDS, name, word, f"one of {_WORDS}")
    if scaler := state.get("_scaler"):
        found = type(scaler).__name__, scaler.n_features_in_
        fits = found == ("StandardScaler", estimator.n_features_in_)
        expect(fits, "_scaler", scaler, "a StandardScaler for the same features")


def _strings(values: Any) -> bool:
    return all(isinstance(value, str) for value in values)
