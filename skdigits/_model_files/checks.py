"""Checks of a whole model, on its way into a file or out of one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from sklearn import config_context
from sklearn.base import BaseEstimator
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import (
    Binarizer,
    MaxAbsScaler,
    MinMaxScaler,
    Normalizer,
    PowerTransformer,
    QuantileTransformer,
    RobustScaler,
    StandardScaler,
)
from sklearn.utils.validation import check_is_fitted

from .._classifier import DigitANNClassifier
from .._network import BatchNorm, Network
from .._parameters import check_parameters
from .._transformers.deskewer import DigitDeskewer
from .._transformers.image_normalizer import DigitImageNormalizer
from .._transformers.pixel_scaler import PixelScaler

# Our estimators, which may stand at the end of a pipeline.
OWN = (DigitANNClassifier, DigitDeskewer, DigitImageNormalizer, PixelScaler)

# Steps that keep the number of columns and work in plain NumPy: they can be tried on one row.
SCALERS = (
    Binarizer,
    DigitDeskewer,
    MaxAbsScaler,
    MinMaxScaler,
    Normalizer,
    PixelScaler,
    PowerTransformer,
    QuantileTransformer,
    RobustScaler,
    StandardScaler,
)

# What scikit-learn keeps in an estimator's attributes for callbacks, some of it only in a fit.
CALLBACK_ATTRIBUTES = (
    "_skl_callbacks",
    "_skl_callbacks_to_teardown",
    "_callback_fit_ctx",
    "_parent_callback_ctx",
)


def parts(value: Any, seen: set[int]) -> Iterator[Any]:
    """Everything that an estimator holds, itself first."""
    if id(value) in seen:
        return
    seen.add(id(value))
    yield value
    inner: Any = ()
    if isinstance(value, BaseEstimator):
        inner = list(vars(value).values())
    elif isinstance(value, dict):
        inner = value.values()
    elif isinstance(value, (list, tuple, set)):
        inner = value
    for item in inner:
        yield from parts(item, seen)


def check_model(model: Any) -> None:
    """Check that a model is of a kind that can be stored, whole and fitted.

    Raises
    ------
    TypeError
        If it is of another kind.
    NotFittedError
        If it is not fitted.
    ValueError
        If a parameter or a fitted attribute is not as expected. Where attributes are missing or
        of other types than any fit leaves them, AttributeError and others are possible too.
    """
    steps, last = [], model
    while isinstance(last, Pipeline):
        _check_pipeline(last)
        steps += [step for _, step in last.steps[:-1]]
        last = last.steps[-1][1]
    if type(last) not in OWN:
        raise TypeError(
            f"Got {_kind(last)}{' at the end of a pipeline' if last is not model else ''}, "
            f"expected a fitted {' or '.join(kind.__name__ for kind in OWN)} or a Pipeline that "
            "ends in one; of a search, its best_estimator_."
        )
    check_is_fitted(last, "_network" if type(last) is DigitANNClassifier else None)
    for part in parts(model, set()):
        if isinstance(part, BaseEstimator):
            _check_estimator(part)
        elif isinstance(part, np.random.RandomState):
            # NumPy takes any position and would read there, wherever that is.
            position = part.get_state(legacy=False)["state"]["pos"]
            _expect(0 <= position <= 624, f"a RandomState at position {position}", "0 to 624")
    scalers = [step for step in steps if step not in (None, "passthrough")]
    if type(last) is DigitANNClassifier and all(type(step) in SCALERS for step in scalers):
        _try(model, scalers, last.n_features_in_)


def _kind(value: Any) -> str:
    return f"the class {value.__name__}" if isinstance(value, type) else type(value).__name__


def _expect(holds: Any, got: str, expected: str) -> None:
    if not holds:
        raise ValueError(f"Got {got}, expected {expected}.")


def _check_pipeline(pipeline: Pipeline) -> None:
    steps = vars(pipeline).get("steps")
    pairs = isinstance(steps, list) and all(
        isinstance(pair, tuple) and len(pair) == 2 and isinstance(pair[0], str) for pair in steps
    )
    _expect(steps and pairs, f"a Pipeline with steps={steps!r:.200}", "pairs of name and step")
    for name, step in steps[:-1]:
        _expect(
            step in (None, "passthrough")
            or (isinstance(step, BaseEstimator) and hasattr(step, "transform")),
            f"{_kind(step)} as the step {name!r}",
            "a transformer",
        )


def _check_estimator(estimator: BaseEstimator) -> None:
    """Check an estimator by itself."""
    kind = type(estimator)
    for name in vars(estimator):
        _expect(
            name not in CALLBACK_ATTRIBUTES and not callable(getattr(kind, name, None)),
            f"a {kind.__name__} with an attribute {name}",
            "none of that name",
        )
    estimator.get_params(deep=False)
    # joblib unpickles what it finds in that folder.
    memory = vars(estimator).get("memory")
    _expect(memory is None, f"memory={memory!r:.200} of {kind.__name__}", "None")
    if isinstance(estimator, Pipeline):
        _check_pipeline(estimator)
    if kind in SCALERS:
        for name, value in vars(estimator).items():
            plain = not isinstance(value, np.ndarray) or value.dtype.kind != "f"
            _expect(
                plain or np.isfinite(value).all(),
                f"a {kind.__name__} whose {name} is infinite or no number somewhere",
                "numbers",
            )
    if kind in OWN and hasattr(estimator, "n_features_in_"):
        _check_features(estimator)
    if kind is DigitANNClassifier:
        _check_params(estimator)
        if "_network" in vars(estimator):
            _check_fitted(estimator)


def _check_features(estimator: Any) -> None:
    """Check number and names of features."""
    n_features = estimator.n_features_in_
    counted = type(n_features) is int and n_features > 0
    _expect(counted, f"n_features_in_={n_features!r:.200}", "an integer above 0")
    names = vars(estimator).get("feature_names_in_")
    if names is not None:
        _expect(
            isinstance(names, np.ndarray)
            and names.shape == (n_features,)
            and all(isinstance(name, str) for name in names),
            f"feature_names_in_={names!r:.200}",
            f"{n_features} names",
        )


def _check_params(model: DigitANNClassifier) -> None:
    params = model.get_params(deep=False)
    check_parameters(params)
    optimizer, callbacks = params["optimizer"], params["keras_callbacks"]
    _expect(isinstance(optimizer, str), f"optimizer={optimizer!r:.200}", "a name")
    _expect(callbacks is None, f"keras_callbacks={callbacks!r:.200}", "None")
    for name, value in (params["optimizer_params"] or {}).items():
        _expect(
            value is None or isinstance(value, (bool, int, float, str, np.number, np.bool_)),
            f"optimizer_params with {name}={value!r:.200}",
            "a number or a word",
        )


def _check_fitted(model: DigitANNClassifier) -> None:
    network = vars(model)["_network"]
    _expect(type(network) is Network, f"{_kind(network)} for a network", "a Network")
    norms = network.norms or ()
    names = {*vars(network)} | {name for norm in norms for name in vars(norm)}
    known = {"_folded", *Network.__annotations__, *BatchNorm.__annotations__}
    _expect(names <= known, f"a network with {sorted(names - known)}", "none of that name")
    arrays = [*network.kernels, *network.biases]
    arrays += [a for n in norms for a in (n.gamma, n.beta, n.mean, n.variance)]
    arrays += [a for layer in network._folded for a in layer]
    finite = all(np.isfinite(array).all() for array in arrays)
    _expect(finite, "weights that are infinite or no numbers", "finite ones")
    n_features = model.n_features_in_
    _expect(
        n_features == network.n_features,
        f"n_features_in_={n_features}",
        f"{network.n_features}, the rows of the first layer",
    )
    _check_classes(model.classes_, network.kernels[-1].shape[1])
    _check_curves(model)


def _check_classes(classes: Any, n_outputs: int) -> None:
    whole = (
        isinstance(classes, np.ndarray)
        and classes.shape == (n_outputs,)
        and (
            classes.dtype != object
            or all(isinstance(label, (str, int, float)) for label in classes)
        )
        and np.array_equal(np.unique(classes), classes)
    )
    _expect(whole, f"classes_={classes!r:.200}", f"{n_outputs} sorted labels")


def _check_curves(model: DigitANNClassifier) -> None:
    """Check what is left of training besides the network."""
    history, network = model.history_, vars(model)["_network"]
    curves = isinstance(history, dict) and all(
        isinstance(name, str)
        and isinstance(curve, list)
        and all(isinstance(value, float) for value in curve)
        for name, curve in history.items()
    )
    _expect(curves and "loss" in history, f"history_={history!r:.200}", "lists of numbers")
    n_epochs = len(history["loss"])
    expected = {
        "loss_curve_": history["loss"],
        "validation_loss_curve_": history.get("val_loss"),
        "validation_scores_": history.get("val_accuracy"),
        "n_iter_": n_epochs,
        "n_layers_": len(network.kernels) + 1,
        "n_outputs_": network.kernels[-1].shape[1],
        "out_activation_": "softmax",
        "temperature_": network.temperature,
    }
    for name, value in expected.items():
        found = getattr(model, name)
        # As text, since a curve may hold NaN, which equals nothing.
        _expect(repr(found) == repr(value), f"{name}={found!r:.200}", f"{value!r:.200}")
    best = model.best_epoch_
    among = type(best) is int and 0 <= best <= n_epochs
    _expect(among, f"best_epoch_={best!r:.200}", f"one of {n_epochs} epochs")


def _try(model: Any, scalers: list[Any], n_features: int) -> None:
    """Predict one row, which fails where a scaler's arrays are not as they should be."""
    for scaler in scalers:
        found = vars(scaler).get("n_features_in_", n_features)
        name = type(scaler).__name__
        _expect(found == n_features, f"{name} for {found!r:.200} features", str(n_features))
    # Above 1, so that no warning takes it for a scaled image.
    row: Any = np.full((1, n_features), 2.0)
    names = getattr(model, "feature_names_in_", None)
    if names is not None:
        import pandas as pd

        row = pd.DataFrame(row, columns=names)
    # A row that no training row was like may well overflow: only shapes and dtypes matter.
    with np.errstate(all="ignore"), config_context(assume_finite=True):
        model.predict(row)
