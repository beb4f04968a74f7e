"""Behaviour that the tests of MLPClassifier, SciKeras and skorch require, required of ours.

docs/guide/differences.rst lists what ours does otherwise.
"""

import copy
import inspect
import io
import pickle
from itertools import pairwise

import joblib
import numpy as np
import pandas as pd
import pytest
from scipy import special, stats
from sklearn.base import clone
from sklearn.datasets import load_digits, load_iris, make_classification
from sklearn.ensemble import AdaBoostClassifier, BaggingClassifier
from sklearn.exceptions import ConvergenceWarning, DataConversionWarning, NotFittedError
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline

import skdigits
from skdigits import DigitANNClassifier

# --- By hand, in float64, on twelve flowers ------------------------------------------------------

STEP = 2.0**-6  # exact in float32, which learning rates are kept in
HAND = {
    "hidden_layer_sizes": (5,),
    "activation": "tanh",
    "batch_size": 12,
    "epochs": 1,
    "learning_rate": STEP,
    "learning_rate_schedule": "constant",
    "label_smoothing": 0.0,
    "random_state": 3,
}

BY_HAND = {
    "relu": lambda h: np.maximum(h, 0),
    "leaky_relu": lambda h: np.where(h > 0, h, 0.2 * h),
    "elu": lambda h: np.where(h > 0, h, np.exp(h) - 1),
    "selu": lambda h: 1.0507009873554805 * np.where(h > 0, h, 1.6732632423543772 * np.expm1(h)),
    "gelu": lambda h: h * stats.norm.cdf(h),
    "silu": lambda h: h / (1 + np.exp(-h)),
    "tanh": np.tanh,
    "logistic": lambda h: 1 / (1 + np.exp(-h)),
    "softplus": lambda h: np.log(1 + np.exp(h)),
    "softsign": lambda h: h / (1 + abs(h)),
    "identity": lambda h: h,
}


@pytest.fixture(scope="module")
def flowers():
    X, y = load_iris(return_X_y=True)
    X, y = X[::13], y[::13]
    return (X - X.mean(axis=0)) / X.std(axis=0), y


def weights_of(model):
    return [*model.coefs_, *model.intercepts_]


def initial_weights(X, y, **params):
    """Weights that a fit of this seed starts from, found by a step of next to no length."""
    params = HAND | params | {"optimizer": "sgd", "learning_rate": 1e-30}
    return weights_of(DigitANNClassifier(**params).fit(X, y))


def loss_by_hand(weights, X, targets, activation, row_weights, l2=0.0):
    """Weighted mean cross-entropy and penalty of a network with one hidden layer."""
    kernel, last, bias, last_bias = weights
    hidden = BY_HAND[activation](X @ kernel + bias)
    log_p = special.log_softmax(hidden @ last + last_bias, axis=1)
    losses = -(targets * log_p).sum(axis=1)
    return (row_weights * losses).sum() / row_weights.sum() + l2 * (kernel**2).sum()


def numeric_gradient(function, weights, width=1e-6):
    """Central differences in every single weight."""
    gradients = []
    for i, array in enumerate(weights):
        gradient = np.zeros_like(array)
        for index in np.ndindex(array.shape):
            sides = []
            for sign in (1, -1):
                moved = [a.copy() for a in weights]
                moved[i][index] += sign * width
                sides.append(function(moved))
            gradient[index] = (sides[0] - sides[1]) / (2 * width)
        gradients.append(gradient)
    return gradients


def tanh_gradient(weights, X, y):
    """The chain rule written out, for one hidden layer of tanh units."""
    kernel, last, bias, last_bias = weights
    hidden = np.tanh(X @ kernel + bias)
    error = (special.softmax(hidden @ last + last_bias, axis=1) - np.eye(3)[y]) / len(X)
    back = error @ last.T * (1 - hidden**2)
    return [X.T @ back, hidden.T @ error, back.sum(axis=0), error.sum(axis=0)]


class Adam:
    """D. P. Kingma, J. Ba, "Adam: a method for stochastic optimization", ICLR 2015.

    With decays that float32 holds exactly, as Keras rounds them to it.
    """

    beta_1, beta_2 = 0.875, 1 - 2.0**-6

    def __init__(self):
        self.t, self.m, self.v = 0, 0.0, 0.0

    def step(self, weights, gradients, rate):
        flat = np.concatenate([g.ravel() for g in gradients])
        self.t += 1
        self.m = self.beta_1 * self.m + (1 - self.beta_1) * flat
        self.v = self.beta_2 * self.v + (1 - self.beta_2) * flat**2
        rate *= np.sqrt(1 - self.beta_2**self.t) / (1 - self.beta_1**self.t)
        return moved_by(weights, -rate * self.m / (np.sqrt(self.v) + 1e-7))


class Momentum:
    """Gradient descent with momentum 0.9."""

    def __init__(self):
        self.velocity = 0.0

    def step(self, weights, gradients, rate):
        flat = np.concatenate([g.ravel() for g in gradients])
        self.velocity = 0.9 * self.velocity - rate * flat
        return moved_by(weights, self.velocity)


def moved_by(weights, flat):
    ends = np.cumsum([w.size for w in weights])[:-1]
    return [w + d.reshape(w.shape) for w, d in zip(weights, np.split(flat, ends), strict=True)]


OPTIMIZERS = {
    "adam": (
        Adam,
        {"optimizer": "adam", "optimizer_params": {"beta_1": Adam.beta_1, "beta_2": Adam.beta_2}},
    ),
    "momentum": (Momentum, {"optimizer": "sgd", "optimizer_params": {"momentum": 0.9}}),
}


def assert_close(model, expected, atol=1e-9):
    for ours, by_hand in zip(weights_of(model), expected, strict=True):
        np.testing.assert_allclose(ours, by_hand, atol=atol)


def assert_same_weights(a, b):
    for first, second in zip(weights_of(a), weights_of(b), strict=True):
        np.testing.assert_array_equal(first, second)


# The forward pass of each is compared with Keras' in test_network.
@pytest.mark.parametrize(
    "activation",
    [name if name == "relu" else pytest.param(name, marks=pytest.mark.slow) for name in BY_HAND],
)
def test_a_step_follows_the_numeric_gradient(flowers, activation):
    X, y = flowers
    before = initial_weights(X, y, activation=activation)
    model = DigitANNClassifier(**HAND | {"activation": activation, "optimizer": "sgd"}).fit(X, y)

    def loss(weights):
        return loss_by_hand(weights, X, np.eye(3)[y], activation, np.ones(12))

    slope = numeric_gradient(loss, before)
    assert_close(model, [w - STEP * g for w, g in zip(before, slope, strict=True)])
    np.testing.assert_allclose(model.loss_curve_, [loss(before)], rtol=1e-9)


def test_a_step_with_weights_l2_and_smoothing_follows_the_numeric_gradient(flowers):
    X, y = flowers
    more = {"l2": 2.0**-5, "label_smoothing": 0.25}
    before = initial_weights(X, y, **more)
    rows, of_class = np.arange(1.0, 13.0), {0: 2.0, 1: 0.25}
    model = DigitANNClassifier(**HAND | more, optimizer="sgd", class_weight=of_class)
    model.fit(X, y, sample_weight=rows)
    targets = 0.75 * np.eye(3)[y] + 0.25 / 3

    def loss(weights):
        row_weights = rows * np.array([2.0, 0.25, 1.0])[y]
        return loss_by_hand(weights, X, targets, "tanh", row_weights, l2=2.0**-5)

    slope = numeric_gradient(loss, before)
    assert_close(model, [w - STEP * g for w, g in zip(before, slope, strict=True)])
    np.testing.assert_allclose(model.loss_curve_, [loss(before)], rtol=1e-9)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_partial_fit_continues_the_optimizer_with_new_rates(flowers, name):
    X, y = flowers
    by_hand, params = OPTIMIZERS[name]
    expected, optimizer = initial_weights(X, y), by_hand()
    model = DigitANNClassifier(**HAND | params)
    for rate in (STEP, STEP / 4, 2 * STEP):
        model.set_params(learning_rate=rate).partial_fit(X, y, classes=[0, 1, 2])
        expected = optimizer.step(expected, tanh_gradient(expected, X, y), rate)
    assert_close(model, expected)
    assert model.history_["learning_rate"] == [STEP, STEP / 4, 2 * STEP]


@pytest.mark.parametrize("again", ["warm start", "partial_fit", "file"])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_training_after_fit_keeps_weights_and_resets_the_optimizer(flowers, name, again, tmp_path):
    X, y = flowers
    by_hand, params = OPTIMIZERS[name]
    expected = initial_weights(X, y)
    model = DigitANNClassifier(**HAND | params, warm_start=True).fit(X, y)
    for _ in range(2):
        expected = by_hand().step(expected, tanh_gradient(expected, X, y), STEP)
    if again == "file":
        skdigits.save(model, tmp_path / "model.skdigits")
        model = skdigits.load(tmp_path / "model.skdigits")
    model = model.fit(X, y) if again == "warm start" else model.partial_fit(X, y)
    assert_close(model, expected)
    # Counted on, where MLPClassifier begins again at 0.
    assert model.n_iter_ == len(model.loss_curve_) == model.best_epoch_ == 2


def test_partial_fit_is_one_pass_in_the_given_order(flowers):
    X, y = flowers
    params = HAND | {"batch_size": 5, "epochs": 40, "optimizer": "sgd"}
    model = DigitANNClassifier(**params).partial_fit(X, y, classes=[0, 1, 2])
    expected, losses = initial_weights(X, y), []
    for start, stop in [(0, 5), (5, 10), (10, 12)]:
        rows = X[start:stop], y[start:stop]
        of_rows = np.eye(3)[rows[1]], "tanh", np.ones(stop - start)
        losses.append((stop - start) * loss_by_hand(expected, rows[0], *of_rows))
        slope = tanh_gradient(expected, *rows)
        expected = [w - STEP * g for w, g in zip(expected, slope, strict=True)]
    assert_close(model, expected)
    np.testing.assert_allclose(model.loss_curve_, [sum(losses) / 12], rtol=1e-9)


def test_fit_shuffles_rows(flowers):
    X, y = flowers
    params = HAND | {"batch_size": 5, "optimizer": "sgd"}
    in_order = DigitANNClassifier(**params).partial_fit(X, y, classes=[0, 1, 2])
    shuffled = DigitANNClassifier(**params).fit(X, y)
    assert abs(shuffled.coefs_[0] - in_order.coefs_[0]).max() > 1e-6


@pytest.mark.parametrize("epochs", [1, 3])
def test_an_epoch_uses_every_row_once(flowers, epochs):
    """Steps too short to change the slope add up to the sum over the rows, in any order."""
    X, y = flowers
    rate = 2.0**-20
    params = HAND | {"hidden_layer_sizes": (), "batch_size": 1, "optimizer": "sgd"}
    model = DigitANNClassifier(**params | {"epochs": epochs, "learning_rate": rate}).fit(X, y)
    of_rows = X[:, :, None] * (np.eye(3)[y] - 1 / 3)[:, None, :]
    np.testing.assert_allclose(model.coefs_[0] / (rate * epochs), of_rows.sum(axis=0), atol=1e-3)


def test_repeated_partial_fit_equals_fit(flowers):
    """On full batches order doesn't matter."""
    X, y = flowers
    whole = DigitANNClassifier(**HAND | {"epochs": 10}).fit(X, y)
    chunks = DigitANNClassifier(**HAND)
    for _ in range(10):
        chunks.partial_fit(X, y, classes=[0, 1, 2])
    assert_close(chunks, weights_of(whole), atol=1e-7)
    np.testing.assert_allclose(chunks.loss_curve_, whole.loss_curve_, rtol=1e-7)
    np.testing.assert_array_equal(chunks.predict(X), whole.predict(X))
    assert chunks.history_.keys() == whole.history_.keys()
    assert (chunks.n_iter_, chunks.best_epoch_) == (whole.n_iter_, whole.best_epoch_)


def test_full_batch_descent_lowers_the_loss_in_every_epoch(flowers):
    X, y = flowers
    model = DigitANNClassifier(**HAND | {"epochs": 50, "optimizer": "sgd", "learning_rate": 0.1})
    assert (np.diff(model.fit(X, y).loss_curve_) < 0).all()


def test_learning_rate_schedule_restarts_at_a_warm_start(flowers):
    X, y = flowers
    model = DigitANNClassifier(**HAND | {"epochs": 4, "warm_start": True}).fit(X, y)
    assert model.fit(X, y).history_["learning_rate"] == [STEP] * 8
    model = clone(model).set_params(learning_rate_schedule="one_cycle").fit(X, y).fit(X, y)
    rates = model.history_["learning_rate"]
    assert rates[:4] == rates[4:]
    assert len(set(rates)) > 2


def test_no_hidden_layers_is_logistic_regression():
    X, y = make_classification(
        200, 3, n_informative=3, n_redundant=0, n_classes=3, n_clusters_per_class=1,
        flip_y=0.3, class_sep=0.5, random_state=0,
    )  # fmt: skip
    linear = LogisticRegression(C=np.inf, tol=1e-10, max_iter=1000).fit(X, y)
    params = {"batch_size": 200, "epochs": 1500, "learning_rate": 0.05, "label_smoothing": 0.0}
    model = DigitANNClassifier((), **params).fit(X, y)
    np.testing.assert_allclose(model.predict_proba(X), linear.predict_proba(X), atol=1e-4)
    np.testing.assert_array_equal(model.predict(X), linear.predict(X))


@pytest.mark.parametrize("early_stopping", [False, True])
def test_training_on_too_large_values_raises(early_stopping):
    X = np.random.default_rng(0).uniform(size=(30, 4)) * np.finfo(np.float64).max
    y = np.arange(30) % 3
    params = HAND | {"activation": "relu", "early_stopping": early_stopping}
    model = DigitANNClassifier(**params)
    with pytest.raises(ValueError, match=r"training diverged\. Try a learning_rate .* scaled X"):
        model.fit(X, y)
    assert not hasattr(model, "classes_")


def test_diverged_fit_does_not_change_the_next(flowers):
    X, y = flowers
    params = HAND | {"activation": "relu", "optimizer": "sgd"}
    before = DigitANNClassifier(**params).fit(X, y)
    with pytest.raises(ValueError, match="training diverged"):
        DigitANNClassifier(**params | {"learning_rate": 1e38, "epochs": 9}).fit(X * 1e9, y)
    assert_same_weights(DigitANNClassifier(**params).fit(X, y), before)


# --- On digits -----------------------------------------------------------------------------------

SMALL = {
    "hidden_layer_sizes": (16,),
    "batch_size": 32,
    "epochs": 4,
    "label_smoothing": 0.0,
    "random_state": 0,
}


@pytest.fixture(scope="module")
def digits():
    X, y = load_digits(return_X_y=True)
    X = (X / 16).astype(np.float32)
    return X[:240], y[:240], X[240:640], y[240:640]


@pytest.fixture(scope="module")
def fitted(digits):
    """One fitted model for tests that only look at it."""
    X, y, _, _ = digits
    return DigitANNClassifier(**SMALL).fit(X, y)


@pytest.mark.parametrize(
    ("sizes", "widths"),
    [(16, [64, 16, 10]), ([8, 4], [64, 8, 4, 10]), ((), [64, 10])],
)
def test_shapes_of_weights(digits, sizes, widths):
    X, y, _, _ = digits
    model = DigitANNClassifier(**SMALL | {"hidden_layer_sizes": sizes, "epochs": 1}).fit(X, y)
    assert [w.shape for w in model.coefs_] == list(pairwise(widths))
    assert [b.shape for b in model.intercepts_] == [(width,) for width in widths[1:]]
    assert model.n_layers_ == len(widths)


FITTED = [
    "classes_", "n_features_in_", "coefs_", "intercepts_", "loss_curve_",
    "validation_loss_curve_", "validation_scores_", "history_", "n_iter_", "best_epoch_",
    "n_layers_", "n_outputs_", "out_activation_", "keras_model_",
]  # fmt: skip


def test_fitted_attributes_exist_only_after_fit(fitted):
    assert [name for name in FITTED if not hasattr(fitted, name)] == []
    assert [name for name in FITTED if hasattr(clone(fitted), name)] == []


METHODS = ["predict", "predict_proba", "predict_log_proba", "decision_function"]


@pytest.mark.parametrize("method", [*METHODS, "score"])
def test_predicting_before_fit_raises(digits, method):
    X, y, _, _ = digits
    arguments = (X, y) if method == "score" else (X,)
    with pytest.raises(NotFittedError, match="DigitANNClassifier instance is not fitted yet"):
        getattr(DigitANNClassifier(), method)(*arguments)


def test_predictions_are_made_without_dropout(digits):
    X, y, X_test, _ = digits
    model = DigitANNClassifier(**SMALL, dropout=0.5).fit(X, y)
    for method in METHODS:
        first, second = (getattr(model, method)(X_test) for _ in range(2))
        np.testing.assert_array_equal(first, second)
    expected = model.keras_model_.predict(X_test, verbose=0)
    np.testing.assert_allclose(model.predict_proba(X_test), expected, atol=1e-6)


def test_fit_returns_self_and_does_not_change_parameters(digits):
    import keras

    X, y, _, _ = digits
    given = {
        "hidden_layer_sizes": [16],
        "optimizer": keras.optimizers.Adam(0.001),
        "optimizer_params": {"beta_1": 0.8},
        "keras_callbacks": [keras.callbacks.Callback()],
        "random_state": np.random.RandomState(0),
    }
    model = DigitANNClassifier(**SMALL | given)
    before = model.get_params(deep=False)
    assert model.fit(X, y) is model
    assert model.partial_fit(X, y) is model
    after = model.get_params(deep=False)
    assert all(after[name] is value for name, value in before.items())
    assert given["optimizer_params"] == {"beta_1": 0.8}


def test_second_fit_starts_from_scratch(digits, fitted):
    X, y, _, _ = digits
    model = DigitANNClassifier(**SMALL).fit(X[:100, :3], y[:100] > 4)
    model.fit(X, y)
    assert_same_weights(model, fitted)
    assert model.n_iter_ == len(model.loss_curve_) == 4
    assert model.n_features_in_ == 64


def test_parameters_set_after_fit_apply_to_the_next_fit(digits):
    X, y, _, _ = digits
    model = DigitANNClassifier(**SMALL | {"epochs": 1}).fit(X, y)
    assert model.set_params(hidden_layer_sizes=(8, 4), epochs=2).coefs_[0].shape == (64, 16)
    assert [w.shape for w in model.fit(X, y).coefs_] == [(64, 8), (8, 4), (4, 10)]
    assert model.n_iter_ == 2


@pytest.mark.parametrize(
    "call",
    [
        lambda model, X, y: type(model)(bathc_size=20),
        lambda model, X, y: model.fit(X, y, epochs=2),
        lambda model, X, y: model.partial_fit(X, y, epochs=2),
        lambda model, X, y: model.predict(X, batch_size=8),
    ],
    ids=["constructor", "fit", "partial_fit", "predict"],
)
def test_unknown_arguments_raise(digits, fitted, call):
    X, y, _, _ = digits
    with pytest.raises(TypeError, match="unexpected keyword argument"):
        call(fitted, X, y)


def test_unknown_parameters_raise():
    with pytest.raises(ValueError, match="Invalid parameter 'max_iter' for estimator Digit"):
        DigitANNClassifier().set_params(max_iter=3)


def test_repr_shows_changed_parameters(fitted):
    assert repr(DigitANNClassifier()) == "DigitANNClassifier()"
    shown = repr(fitted)
    assert all(f"{name}={SMALL[name]!r}" in shown for name in SMALL)
    assert "optimizer" not in shown


def test_get_params_has_the_parameters_of_the_constructor(fitted):
    names = list(inspect.signature(DigitANNClassifier).parameters)
    assert sorted(fitted.get_params()) == sorted(names)


LABELS = {
    "float32": np.array([0, 1], dtype=np.float32),
    "float64": np.array([-1.0, 1.0]),
    "int64": np.array([3, 8]),
    "int8": np.array([-1, 1], dtype=np.int8),
    "uint8": np.array([0, 255], dtype=np.uint8),
    "uint16": np.array([0, 1000], dtype=np.uint16),
    "bool": np.array([False, True]),
    "text": np.array(["even", "odd"]),
    "objects": np.array(["even", "odd"], dtype=object),
}


@pytest.mark.parametrize("kind", LABELS)
def test_predictions_have_shapes_and_dtypes_of_mlp_classifier(digits, kind):
    X, y, X_test, _ = digits
    y = LABELS[kind][y % 2]
    ours = DigitANNClassifier(**SMALL).fit(X, y)
    with pytest.warns(ConvergenceWarning):
        theirs = MLPClassifier((4,), max_iter=1).fit(X, y)
    for method in ("predict", "predict_proba", "predict_log_proba"):
        found, expected = (getattr(model, method)(X_test) for model in (ours, theirs))
        # MLPClassifier makes text of objects; ours answers with the labels it was given.
        dtype = y.dtype if method == "predict" else expected.dtype
        assert (found.shape, found.dtype) == (expected.shape, dtype), method
        assert found.dtype == expected.dtype or kind == "objects"
    assert ours.classes_.dtype == y.dtype
    np.testing.assert_array_equal(ours.classes_, theirs.classes_)
    assert isinstance(ours.score(X, y), float)


def test_two_separable_classes_have_roc_auc_one(digits):
    X, y, _, _ = digits
    few = y < 2
    model = DigitANNClassifier(**SMALL | {"epochs": 40}).fit(X[few], y[few])
    proba = model.predict_proba(X[few])
    assert proba.shape == (few.sum(), 2)
    assert roc_auc_score(y[few], proba[:, 1]) == 1
    log_proba = model.predict_log_proba(X[few])
    np.testing.assert_allclose(np.exp(log_proba), proba, atol=1e-6)
    np.testing.assert_array_equal(log_proba.argmax(axis=1), proba.argmax(axis=1))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_weights_and_predictions_have_the_dtype_of_X(digits, fitted, dtype):
    X, y, X_test, _ = digits
    model = DigitANNClassifier(**SMALL).fit(X.astype(dtype), y)
    assert {array.dtype for array in weights_of(model)} == {np.dtype(dtype)}
    proba = model.predict_proba(X_test.astype(dtype))
    assert proba.dtype == dtype
    np.testing.assert_allclose(proba, fitted.predict_proba(X_test), atol=1e-4)
    np.testing.assert_array_equal(model.predict(X_test), fitted.predict(X_test))


def test_fit_on_tfidf_features():
    words = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
    texts = [f"{words[i % 10]} and {words[(3 * i) % 10]} make {i % 2}" for i in range(200)]
    odd = np.arange(200) % 2
    vectors = TfidfVectorizer(dtype=np.float32, token_pattern=r"\w{2,}")
    model = make_pipeline(vectors, DigitANNClassifier(**SMALL | {"epochs": 20})).fit(texts, odd)
    assert model.score(texts, odd) > 0.95


@pytest.mark.parametrize(
    "ensemble", [BaggingClassifier, AdaBoostClassifier], ids=["bagging", "boosting"]
)
def test_ensembles_with_sample_weight(digits, ensemble):
    X, y, X_test, y_test = digits
    base = DigitANNClassifier(**SMALL | {"epochs": 10, "learning_rate": 0.02})
    model = ensemble(base, n_estimators=2, random_state=0).fit(X, y)
    assert model.score(X_test, y_test) > 0.65


def test_equal_sample_weight_equals_none(digits, fitted):
    X, y, _, _ = digits
    for weights in (np.full(240, 0.5), [2] * 240):
        assert_same_weights(DigitANNClassifier(**SMALL).fit(X, y, sample_weight=weights), fitted)


def test_sample_weight_shifts_probabilities():
    X = np.ones((240, 64), dtype=np.float32)
    y = np.repeat([0, 1], 120)
    params = SMALL | {"epochs": 30, "learning_rate": 0.02}
    for share in (0.5, 0.8):
        model = DigitANNClassifier(**params).fit(X, y, np.repeat([share, 1 - share], 120))
        assert abs(model.predict_proba(X[:1])[0, 0] - share) < 0.08


def test_score_with_sample_weight(digits, fitted):
    _, _, X_test, y_test = digits
    right = fitted.predict(X_test) == y_test
    weights = np.where(right, 1.0, 5.0)
    expected = right.sum() / weights.sum()
    assert fitted.score(X_test, y_test, sample_weight=weights) == pytest.approx(expected)
    assert fitted.score(X_test, y_test) == pytest.approx(right.mean())


def test_batch_size_is_capped_at_the_number_of_rows(digits):
    X, y, _, _ = digits
    params = SMALL | {"optimizer": "sgd", "learning_rate_schedule": "constant"}
    whole = DigitANNClassifier(**params | {"batch_size": 240}).fit(X, y)
    large = DigitANNClassifier(**params | {"batch_size": 10**6}).fit(X, y)
    assert_close(large, weights_of(whole), atol=1e-6)


@pytest.mark.slow
def test_fit_and_predict_on_one_row(digits):
    X, y, _, _ = digits
    model = DigitANNClassifier(**SMALL).fit(X[:1], y[:1])
    assert model.predict(X[:1]).tolist() == y[:1].tolist()
    model = DigitANNClassifier(**SMALL).partial_fit(X[:1], y[:1], classes=range(10))
    assert model.predict_proba(X[:1]).shape == (1, 10)


@pytest.mark.parametrize("n_features", [63, 65])
@pytest.mark.parametrize("method", ["predict", "predict_proba", "score", "partial_fit"])
def test_other_number_of_features_raises(digits, fitted, method, n_features):
    X, y, _, _ = digits
    X = np.ones((240, n_features), dtype=np.float32)
    arguments = (X,) if method.startswith("predict") else (X, y)
    with pytest.raises(ValueError, match=f"X has {n_features} features, but Digit.* 64 features"):
        getattr(fitted, method)(*arguments)


def test_column_vector_y_warns(digits, fitted):
    X, y, _, _ = digits
    with pytest.warns(DataConversionWarning, match="column-vector y was passed"):
        model = DigitANNClassifier(**SMALL).fit(X, y.reshape(-1, 1))
    assert_same_weights(model, fitted)


# --- partial_fit ---------------------------------------------------------------------------------


def test_partial_fit_with_other_classes_raises(digits):
    X, y, _, _ = digits
    model = DigitANNClassifier(**SMALL).partial_fit(X, y, classes=range(9, -1, -1))
    assert model.classes_.tolist() == list(range(10))
    model.partial_fit(X, y, classes=[*range(5, 10), *range(5)])
    for wrong in (range(9), range(11), list("0123456789")):
        with pytest.raises(ValueError, match=r"classes=.* is not the same as on last call"):
            model.partial_fit(X, y, classes=wrong)
    assert model.n_iter_ == 2


def test_first_partial_fit_with_label_outside_classes_raises(digits):
    X, y, _, _ = digits
    with pytest.raises(ValueError, match=r"y with the labels \[3, .*expected only .*\[0, 1, 2\]"):
        DigitANNClassifier(**SMALL).partial_fit(X, y, classes=[0, 1, 2])


def test_partial_fit_learns_a_class_that_appears_later(digits):
    X, y, _, _ = digits
    few = y < 9
    model = DigitANNClassifier(**SMALL | {"learning_rate": 0.02})
    model.partial_fit(X[few], y[few], classes=range(10))
    assert model.predict_proba(X).shape == (240, 10)
    for _ in range(15):
        model.partial_fit(X, y)
    assert model.classes_.tolist() == list(range(10))
    assert (model.predict(X[~few]) == 9).mean() > 0.8


def copy_by_joblib(model):
    file = io.BytesIO()
    joblib.dump(model, file)
    file.seek(0)
    return joblib.load(file)


DUPLICATES = {
    "pickle": lambda model: pickle.loads(pickle.dumps(model)),
    "joblib": copy_by_joblib,
    "deepcopy": copy.deepcopy,
}


@pytest.mark.parametrize(
    ("duplicate", "instance"),
    [
        ("pickle", True),
        ("deepcopy", False),
        *(
            pytest.param(*case, marks=pytest.mark.slow)
            for case in [("pickle", False), ("joblib", False), ("joblib", True), ("deepcopy", True)]
        ),
    ],
)
def test_copy_between_partial_fits_continues_with_the_same_bits(digits, duplicate, instance):
    """With the optimizer's slots and step count, and the generators of dropout."""
    import keras

    X, y, _, _ = digits
    optimizer = keras.optimizers.Adam(0.003) if instance else "adam"
    params = SMALL | {"optimizer": optimizer, "dropout": 0.5}
    steady = DigitANNClassifier(**params)
    copied = clone(steady)
    for _ in range(2):
        steady.partial_fit(X, y, classes=range(10))
        copied.partial_fit(X, y, classes=range(10))
        left_behind, before = copied, weights_of(copied)
        copied = DUPLICATES[duplicate](copied)
        assert_same_weights(copied, steady)
    copied.partial_fit(X, y)
    for kept, array in zip(weights_of(left_behind), before, strict=True):
        np.testing.assert_array_equal(kept, array)
    assert copied.n_iter_ == 3
    assert (copied.coefs_[0] != steady.coefs_[0]).any()
    assert_same_weights(copied, steady.partial_fit(X, y))


def test_partial_fit_appends_to_history(digits):
    X, y, _, _ = digits
    model = DigitANNClassifier(**SMALL)
    for k in range(1, 5):
        model = pickle.loads(pickle.dumps(model.partial_fit(X, y, classes=range(10))))
        assert isinstance(model.history_, dict)
        assert set(model.history_) == {"loss", "accuracy", "learning_rate"}
        for values in model.history_.values():
            assert isinstance(values, list)
            assert len(values) == model.n_iter_ == k
            assert all(isinstance(value, float) for value in values)
    assert model.loss_curve_[-1] < model.loss_curve_[0]
    assert model.validation_scores_ is model.validation_loss_curve_ is None


def test_partial_fit_after_early_stopped_fit_raises(digits):
    X, y, _, _ = digits
    model = DigitANNClassifier(**SMALL, early_stopping=True).fit(X, y)
    before = weights_of(model)
    with pytest.raises(ValueError, match="Got early_stopping=True in partial_fit"):
        model.partial_fit(X, y)
    assert all((a == b).all() for a, b in zip(weights_of(model), before, strict=True))
    assert model.set_params(early_stopping=False).partial_fit(X, y).n_iter_ == 5


# --- Early stopping and warm starts --------------------------------------------------------------

STILL = {"optimizer": "sgd", "learning_rate": 1e-30, "learning_rate_schedule": "constant"}


@pytest.mark.parametrize("patience", [1, 3])
def test_early_stopping_stops_after_n_iter_no_change(digits, patience):
    X, y, _, _ = digits
    model = DigitANNClassifier(**SMALL | STILL | {"epochs": 50}, early_stopping=True)
    model.set_params(n_iter_no_change=patience).fit(X, y)
    assert model.n_iter_ == 1 + patience
    assert model.best_epoch_ == 1
    assert len(set(model.validation_scores_)) == 1


def test_large_n_iter_no_change_never_stops(digits):
    X, y, _, _ = digits
    model = DigitANNClassifier(**SMALL | STILL, early_stopping=True, n_iter_no_change=10**9)
    assert model.fit(X, y).n_iter_ == 4


class Witness:
    """A scikit-learn callback that keeps what it is told."""

    def setup(self, estimator, context): ...

    def teardown(self, estimator, context): ...

    def on_fit_task_begin(self, estimator, context, *, X=None, y=None):
        self.X, self.y = X, y

    def on_fit_task_end(self, estimator, context): ...


def test_validation_split_is_stratified(digits):
    X, _, _, _ = digits
    X, y = X[:200], np.repeat(["rare", "often"], [40, 160])
    witness = Witness()
    model = DigitANNClassifier(**SMALL, early_stopping=True, validation_fraction=0.25)
    model.set_callbacks(witness).fit(X, y)
    labels, counts = np.unique(witness.y, return_counts=True)
    assert dict(zip(labels, counts, strict=True)) == {"rare": 30, "often": 120}
    assert witness.X.shape == (150, 64)
    in_fiftieths = np.multiply(model.validation_scores_, 50)
    np.testing.assert_allclose(in_fiftieths, in_fiftieths.round(), atol=1e-9)


def test_early_stopping_with_a_class_of_one_row_raises(digits):
    X, y, _, _ = digits
    y = np.where(np.arange(240) == 7, 99, y)
    with pytest.raises(ValueError, match=r"enough of each class .* only 1 member.* \[99\]"):
        DigitANNClassifier(**SMALL, early_stopping=True).fit(X, y)


def test_equal_sample_weight_equals_none_with_early_stopping(digits):
    X, y, _, _ = digits
    model = DigitANNClassifier(**SMALL, early_stopping=True)
    plain, weighted = clone(model).fit(X, y), clone(model).fit(X, y, sample_weight=np.ones(240))
    assert_same_weights(plain, weighted)
    assert plain.validation_scores_ == weighted.validation_scores_


def test_early_stopping_keeps_feature_names(digits):
    X, y, _, _ = digits
    frame = pd.DataFrame(X, columns=[f"pixel_{i}" for i in range(64)])
    labels = pd.Series(y).astype(str)
    model = DigitANNClassifier(**SMALL, early_stopping=True).fit(frame, labels)
    assert model.feature_names_in_.tolist() == list(frame.columns)
    assert model.predict(frame)[0] in "0123456789"
    with pytest.raises(ValueError, match="feature names should match"):
        model.predict(frame[frame.columns[::-1]])
    with pytest.warns(UserWarning, match="does not have valid feature names"):
        model.predict(X)


def test_validation_scores_are_none_without_early_stopping(digits):
    X, y, _, _ = digits
    model = DigitANNClassifier(**SMALL, early_stopping=True).fit(X, y)
    assert len(model.validation_scores_) == len(model.validation_loss_curve_) == model.n_iter_
    assert all(isinstance(score, float) for score in model.validation_scores_)
    model.set_params(early_stopping=False).fit(X, y)
    assert model.validation_scores_ is model.validation_loss_curve_ is None


def test_warm_start_with_early_stopping_appends_to_curves(digits):
    X, y, X_val, y_val = digits
    model = DigitANNClassifier(**SMALL, early_stopping=True, warm_start=True)
    for k in (1, 2, 3):
        model.fit(X, y, X_val=X_val, y_val=y_val)
        assert len(model.validation_scores_) == len(model.loss_curve_) == model.n_iter_ == 4 * k
        kept = model.validation_scores_[model.best_epoch_ - 1]
        assert model.score(X_val, y_val) == pytest.approx(kept)


@pytest.mark.parametrize("other", [[0, 1], [0, 1, 3], [0, 1, 2, 3], ["0", "1", "2"]], ids=str)
def test_warm_start_with_other_classes_raises(digits, other):
    X, y, _, _ = digits
    model = DigitANNClassifier(**SMALL, warm_start=True).fit(X, y % 3)
    before = model.predict_proba(X)
    with pytest.raises(ValueError, match=r"Got y with the classes .* fit before, \[0, 1, 2\]"):
        model.fit(X, np.array(other)[y % len(other)])
    np.testing.assert_array_equal(model.predict_proba(X), before)
    assert model.fit(X, (y + 1) % 3).n_iter_ == 8


def test_early_stopping_keeps_the_best_epoch_of_a_diverged_fit(digits):
    import keras

    X, y, X_val, y_val = digits
    blow_up = keras.callbacks.LearningRateScheduler(lambda epoch: 0.3 if epoch < 3 else 1e30)
    params = SMALL | {"epochs": 9, "optimizer": "sgd", "learning_rate_schedule": "constant"}
    model = DigitANNClassifier(**params, early_stopping=True, keras_callbacks=[blow_up])
    with pytest.warns(ConvergenceWarning, match="diverged in epoch 4"):
        model.fit(X, y, X_val=X_val, y_val=y_val)
    assert model.best_epoch_ <= 3
    assert np.isnan(model.validation_scores_[-1])
    best = model.validation_scores_[model.best_epoch_ - 1]
    assert model.score(X_val, y_val) == pytest.approx(best)


# --- Output and callbacks ------------------------------------------------------------------------


def test_verbose_prints_validation_figures(digits, capsys):
    X, y, _, _ = digits
    model = DigitANNClassifier(**SMALL | STILL, early_stopping=True, n_iter_no_change=2)
    model.set_params(verbose=10).fit(X, y)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == model.n_iter_ == 3
    assert all("loss" in line and "val_accuracy" in line for line in lines)


def test_default_and_partial_fit_print_nothing(digits, capsys):
    X, y, _, _ = digits
    DigitANNClassifier(**SMALL).fit(X, y).predict(X)
    DigitANNClassifier(**SMALL, verbose=True).partial_fit(X, y, classes=range(10))
    assert capsys.readouterr() == ("", "")


def test_keras_callbacks_are_called_in_order(digits):
    import keras

    X, y, _, _ = digits
    calls = []

    def recorder(name):
        hooks = {
            hook: lambda *args, hook=hook, **logs: calls.append((hook, name))
            for hook in ("on_train_begin", "on_epoch_begin", "on_train_batch_begin")
        }
        return keras.callbacks.LambdaCallback(**hooks)

    callbacks = [recorder(name) for name in ("b", "a", "c")]
    DigitANNClassifier(**SMALL | {"epochs": 2}, keras_callbacks=callbacks).fit(X, y)
    assert [name for _, name in calls] == ["b", "a", "c"] * (1 + 2 + 2 * 8)
    hooks = [hook for hook, name in calls if name == "a"]
    epoch = ["on_epoch_begin", *["on_train_batch_begin"] * 8]
    assert hooks == ["on_train_begin", *epoch, *epoch]


def test_partial_fit_calls_no_keras_callback(digits):
    import keras

    X, y, _, _ = digits
    calls = []
    callback = keras.callbacks.LambdaCallback(on_train_begin=calls.append)
    model = DigitANNClassifier(**SMALL, keras_callbacks=[callback])
    model.partial_fit(X, y, classes=range(10))
    assert not calls


def test_models_with_keras_callbacks_can_be_pickled_and_refitted(digits):
    import keras

    X, y, _, _ = digits
    stop = keras.callbacks.EarlyStopping("loss", patience=5)
    model = DigitANNClassifier(**SMALL, keras_callbacks=[stop]).fit(X, y)
    stored = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(stored.predict_proba(X), model.predict_proba(X))
    assert stored.keras_callbacks[0].patience == 5
    assert_same_weights(stored.fit(X, y), model)
