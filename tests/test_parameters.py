"""Checks of the constructor parameters."""

import inspect
import re

import numpy as np
import pytest

from skdigits import Augmentation, DigitANNClassifier, PixelScaler
from skdigits._parameters import TABLE, check_parameters, per_layer, settings_from

DEFAULTS = DigitANNClassifier().get_params(deep=False)

BAD = {
    "hidden_layer_sizes": [0, -1, 2.5, "128", (10, 0), (True,), None],
    "activation": ["ReLU", None, len],
    "dropout": [1.2, 1.0, -0.1, "0.2", (0.1, 1.0), np.nan, True],
    "l2": [-1, np.inf, "a"],
    "batch_norm": [None, "yes", 2],
    "optimizer": [None, 3, dict],
    "optimizer_params": [3, [("a", 1)], {1: 2}],
    "learning_rate": [0, -1e-3, np.inf, np.nan, "0.1", True],
    "learning_rate_schedule": ["step", None],
    "batch_size": [0, 1.5, "all", None, True],
    "epochs": [0, 1.5, "many", None],
    "label_smoothing": [1.0, -0.1, None],
    "augmentation": ["strong", 1, True, Augmentation],
    "weight_averaging": [1.0, -0.5, None, "yes"],
    "input_blur": [0.3, -0.1, None, True, "1/8"],
    "early_stopping": [None, 1.5],
    "validation_fraction": [0, 1, 1.5, None],
    "n_iter_no_change": [0, None, 2.5],
    "class_weight": ["even", 3, [1, 2], {0: -1.0}, {0: "a"}, np.ones(2)],
    "warm_start": [None, "yes"],
    "keras_callbacks": [3, "early"],
    "random_state": [-1, 1.5, "seed", 2**32, np.random.default_rng(0)],
    "verbose": [-1, "yes", None],
}


def test_every_parameter_has_a_check_and_bad_values():
    assert set(TABLE) == set(DEFAULTS)
    assert set(BAD) == set(TABLE)


def test_defaults_pass():
    check_parameters(DEFAULTS)


@pytest.mark.parametrize(("name", "value"), [(n, v) for n, vs in BAD.items() for v in vs])
def test_bad_value_names_received_and_expected(name, value):
    message = re.escape(f"Got {name}={value!r}, expected ")
    with pytest.raises(ValueError, match=message):
        DigitANNClassifier(**{name: value}).fit([[0.0], [1.0]], [0, 1])


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"dropout": (0.1, 0.2, 0.3)}, "3 entries, expected one number or one for each of the 2"),
        ({"l2": ()}, "0 entries, expected one number or one for each of the 2"),
        ({"optimizer_params": {"use_ema": True}}, "expected weight_averaging"),
        ({"optimizer_params": {"learning_rate": 1.0}}, "expected the learning rate in the param"),
        ({"optimizer": "adm"}, "Got optimizer='adm', expected a Keras optimizer's class"),
        ({"optimizer_params": {"momentun": 0.9}}, "momentun.*expected options that it takes"),
    ],
)
def test_parameters_that_do_not_fit_together(params, message):
    model = DigitANNClassifier(hidden_layer_sizes=(3, 2)).set_params(**params)
    with pytest.raises(ValueError, match=message):
        model.fit([[0.0], [1.0]], [0, 1])


@pytest.mark.parametrize(
    ("epochs", "batch_size", "augmentation", "n_rows", "expected"),
    [
        (7, "auto", None, 60_000, 7),
        ("auto", 128, None, 10, 200),
        ("auto", 128, None, 1437, 125),
        ("auto", 128, "affine", 1437, 125),
        ("auto", 128, None, 60_000, 15),
        ("auto", 128, "affine", 60_000, 20),
    ],
)
def test_epochs_in_settings(epochs, batch_size, augmentation, n_rows, expected):
    params = DEFAULTS | {
        "epochs": epochs,
        "batch_size": batch_size,
        "augmentation": augmentation,
    }
    assert settings_from(params, n_rows).epochs == expected


def test_per_layer_repeats_one_number():
    assert per_layer("dropout", 0.5, 3) == (0.5, 0.5, 0.5)
    assert per_layer("dropout", [0.5, 0], 2) == (0.5, 0.0)


@pytest.mark.parametrize("cls", [DigitANNClassifier, PixelScaler])
def test_documented_defaults_equal_the_signature(cls):
    text = inspect.getdoc(cls)
    for name, parameter in inspect.signature(cls).parameters.items():
        found = re.search(rf"^{name} : .*default=(.+)$", text, flags=re.MULTILINE)
        assert found, name
        shown = found[1].replace('"', "'")
        assert shown == repr(parameter.default), name
