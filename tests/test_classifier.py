"""DigitANNClassifier on the digits of the embedded sample."""

import copy
import pickle
import re

import joblib
import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from scipy.special import log_softmax, softmax
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.metrics import accuracy_score

from skdigits import DigitANNClassifier, PixelScaler
from skdigits._activations import ACTIVATIONS
from skdigits.datasets import load_mnist_sample

SMALL = {
    "hidden_layer_sizes": (16,),
    "epochs": 8,
    "batch_size": 32,
    "random_state": 0,
    "learning_rate": 0.005,
    "label_smoothing": 0.0,
}


@pytest.fixture(scope="module")
def digits():
    X, y = load_mnist_sample(subset="train", return_X_y=True)
    X_test, y_test = load_mnist_sample(subset="test", return_X_y=True)
    scale = PixelScaler().fit(X)
    return scale.transform(X[:600]), y[:600], scale.transform(X_test), y_test


@pytest.fixture(scope="module")
def fitted(digits):
    """One network for all tests that don't change it."""
    X, y, _, _ = digits
    return DigitANNClassifier(**SMALL).fit(X, y)


def assert_same_weights(a, b):
    for first, second in zip(a.coefs_ + a.intercepts_, b.coefs_ + b.intercepts_, strict=True):
        np.testing.assert_array_equal(first, second)


def uncalibrated_losses(model, X, y):
    """Cross-entropy of each row as training sees it, the logits undivided."""
    log_p = log_softmax(model.temperature_ * model.decision_function(X), axis=1)
    return -log_p[np.arange(len(y)), y.astype(int)]


def test_fit_learns_digits_and_sets_fitted_attributes(digits, fitted):
    _, _, X_test, y_test = digits
    model = fitted
    assert model.score(X_test, y_test) > 0.8
    assert model.classes_.tolist() == [str(d) for d in range(10)]
    assert model.n_features_in_ == 784
    assert [w.shape for w in model.coefs_] == [(784, 16), (16, 10)]
    assert [b.shape for b in model.intercepts_] == [(16,), (10,)]
    assert {w.dtype for w in model.coefs_} == {np.dtype(np.float32)}
    assert (model.n_iter_, model.best_epoch_, len(model.loss_curve_)) == (8, 8, 8)
    assert (model.n_layers_, model.n_outputs_, model.out_activation_) == (3, 10, "softmax")
    assert model.validation_scores_ is None
    assert model.loss_curve_[-1] < model.loss_curve_[0] / 2
    assert set(model.history_) == {"loss", "accuracy", "learning_rate"}


def test_prediction_methods_agree(digits, fitted):
    _, _, X_test, y_test = digits
    model = fitted
    proba = model.predict_proba(X_test)
    np.testing.assert_allclose(proba.sum(axis=1), 1, rtol=1e-5)
    np.testing.assert_allclose(model.predict_log_proba(X_test), np.log(proba), atol=1e-4)
    logits = model.decision_function(X_test)
    np.testing.assert_array_equal(logits.argmax(axis=1), proba.argmax(axis=1))
    np.testing.assert_array_equal(model.predict(X_test), model.classes_[proba.argmax(axis=1)])
    assert model.score(X_test, y_test) == accuracy_score(y_test, model.predict(X_test))
    np.testing.assert_allclose(model.keras_model_.predict(X_test, verbose=0), proba, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("activation", sorted(ACTIVATIONS))
def test_every_activation_learns(digits, activation):
    X, y, X_test, y_test = digits
    model = DigitANNClassifier(**SMALL).set_params(activation=activation).fit(X, y)
    assert model.score(X_test, y_test) > 0.65


@pytest.mark.parametrize("labels", [np.arange(10), np.array(list("abcdefghij"))])
def test_label_type_does_not_change_the_network(digits, fitted, labels):
    X, y, X_test, _ = digits
    other = DigitANNClassifier(**SMALL).fit(X, labels[y.astype(int)])
    expected = labels[fitted.predict(X_test).astype(int)]
    np.testing.assert_array_equal(other.predict(X_test), expected)
    assert_same_weights(fitted, other)


def test_one_hot_targets(digits, fitted):
    X, y, X_test, y_test = digits
    model = DigitANNClassifier(**SMALL).fit(X, np.eye(10)[y.astype(int)])
    assert model.classes_.tolist() == list(range(10))
    assert_same_weights(model, fitted)
    one_hot = np.eye(10, dtype=np.float32)[y_test.astype(int)]
    assert model.score(X_test, one_hot) == fitted.score(X_test, y_test)


@pytest.mark.parametrize("row", [[0, 0, 0], [1, 1, 0], [0.5, 0.5, 0], [1, 0, 2]])
def test_multilabel_targets_raise(row):
    y = np.array([[1, 0, 0], row, [0, 1, 0]])
    with pytest.raises(ValueError, match=r"shape \(3, 3\) whose row 1 is .*multilabel"):
        DigitANNClassifier().fit(np.ones((3, 4)), y)


@pytest.mark.parametrize("dtype", [np.float32, pytest.param(np.float64, marks=pytest.mark.slow)])
def test_two_classes(digits, dtype):
    X, y, X_test, y_test = digits
    few, few_test = np.isin(y, ["3", "8"]), np.isin(y_test, ["3", "8"])
    model = DigitANNClassifier(**SMALL).fit(X[few].astype(dtype), y[few])
    scores = model.decision_function(X_test.astype(dtype))
    assert scores.shape == (len(X_test),)
    np.testing.assert_array_equal(model.predict(X_test.astype(dtype)) == "8", scores > 0)
    proba = model.predict_proba(X_test.astype(dtype))
    np.testing.assert_allclose(scores, np.log(proba[:, 1] / proba[:, 0]), rtol=1e-2, atol=1e-3)
    assert proba.dtype == dtype
    assert model.score(X_test[few_test].astype(dtype), y_test[few_test]) > 0.9


def test_uint8_rows_are_pixels():
    X, y = load_mnist_sample(subset="test", return_X_y=True)
    X, y = X[:600], y[:600]
    scaled = PixelScaler().fit_transform(X)
    on_bytes = DigitANNClassifier(**SMALL).fit(X, y)
    on_floats = DigitANNClassifier(**SMALL).fit(scaled, y)
    for a, b in zip(on_bytes.coefs_, on_floats.coefs_, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)
    expected = on_floats.predict_proba(scaled)
    for same in (X, X.astype(np.float32), X.astype(np.float64), X.astype(int), X.tolist()):
        np.testing.assert_allclose(on_bytes.predict_proba(same), expected, atol=1e-5)
    np.testing.assert_allclose(on_bytes.keras_model_.predict(X, verbose=0), expected, atol=1e-5)


@pytest.mark.parametrize(
    "convert",
    [
        lambda X: X.reshape(-1, 28, 28),
        np.asfortranarray,
        lambda X: X[:, ::-1].copy()[:, ::-1],
        pd.DataFrame,
        lambda X: X.tolist(),
        sparse.csr_array,
        sparse.csc_matrix,
        sparse.coo_array,
    ],
    ids=["images", "fortran", "strided", "frame", "list", "csr", "csc", "coo"],
)
def test_container_of_X_does_not_change_predictions(digits, fitted, convert):
    X, y, X_test, _ = digits
    X_test = X_test[:50]
    model = DigitANNClassifier(**SMALL).fit(convert(X), y)
    assert model.n_features_in_ == 784
    np.testing.assert_allclose(
        model.predict_proba(convert(X_test)), fitted.predict_proba(X_test), atol=1e-5
    )


def test_float64_is_computed_in_float64(digits):
    X, y, X_test, _ = digits
    model = DigitANNClassifier(**SMALL | {"label_smoothing": 0.1}, dropout=0.1, l2=1e-4)
    model.set_params(batch_norm=True, weight_averaging=True)
    model.fit(X.astype(np.float64), y)
    assert {w.dtype for w in model.coefs_} == {np.dtype(np.float64)}
    proba = model.predict_proba(X_test)
    assert proba.dtype == np.float64
    np.testing.assert_allclose(model.keras_model_.predict(X_test, verbose=0), proba, atol=1e-6)


def test_sample_weight_equals_repeated_rows(digits):
    X, y, _, _ = digits
    X, y = X[:60].astype(np.float64), y[:60]
    counts = np.random.default_rng(0).integers(0, 4, 60)
    params = SMALL | {"batch_size": 200}
    weighted = DigitANNClassifier(**params).fit(X, y, sample_weight=counts)
    copied = DigitANNClassifier(**params).fit(np.repeat(X, counts, axis=0), y.repeat(counts))
    np.testing.assert_allclose(weighted.coefs_[0], copied.coefs_[0], atol=1e-8)


@pytest.mark.parametrize(
    "class_weight", ["balanced", {"3": 4.0}, {str(d): 1.0 + d for d in range(10)}]
)
def test_class_weight_equals_sample_weight(digits, class_weight):
    X, y, _, _ = digits
    labels, counts = np.unique(y, return_counts=True)
    if class_weight == "balanced":
        of_label = dict(zip(labels, len(y) / (10 * counts), strict=True))
    else:
        of_label = {label: class_weight.get(label, 1.0) for label in labels}
    by_class = DigitANNClassifier(class_weight=class_weight, **SMALL).fit(X, y)
    by_row = DigitANNClassifier(**SMALL).fit(X, y, [of_label[label] for label in y])
    np.testing.assert_allclose(by_class.coefs_[0], by_row.coefs_[0], atol=1e-5)


def test_class_weight_of_unknown_label_raises(digits):
    X, y, _, _ = digits
    with pytest.raises(
        ValueError, match=r"Got class_weight for the labels \[3\], expected only the"
    ):
        DigitANNClassifier(class_weight={3: 2.0}).fit(X, y)


def test_all_zero_sample_weight_raises():
    with pytest.raises(ValueError, match="at least one non-zero"):
        DigitANNClassifier().fit([[0.0], [1.0]], [0, 1], sample_weight=[0, 0])


def test_early_stopping_keeps_the_best_weights(digits):
    X, y, X_test, y_test = digits
    model = DigitANNClassifier(early_stopping=True, n_iter_no_change=3, **SMALL)
    model.set_params(epochs=60, learning_rate_schedule="constant").fit(X, y)
    scores = model.validation_scores_
    assert len(scores) == len(model.validation_loss_curve_) == model.n_iter_ < 60
    ranked = list(zip(scores, np.negative(model.validation_loss_curve_), strict=True))
    assert model.best_epoch_ == ranked.index(max(ranked)) + 1
    assert model.n_iter_ == int(np.argmax(scores)) + 1 + 3
    X_val, y_val = X[400:], y[400:]
    given = clone(model).fit(X[:400], y[:400], X_val=X_val, y_val=y_val)
    np.testing.assert_allclose(given.score(X_val, y_val), max(given.validation_scores_))
    assert given.score(X_test, y_test) > 0.7


def test_validation_rows_do_not_change_training(digits, fitted):
    X, y, X_test, y_test = digits
    watched = DigitANNClassifier(**SMALL).fit(X, y, X_val=X_test, y_val=y_test)
    assert_same_weights(watched, fitted)
    assert len(watched.validation_scores_) == watched.n_iter_ == 8
    np.testing.assert_allclose(watched.validation_scores_[-1], watched.score(X_test, y_test))
    loss = uncalibrated_losses(watched, X_test, y_test).mean()
    np.testing.assert_allclose(watched.validation_loss_curve_[-1], loss, rtol=1e-4)


@pytest.mark.parametrize(
    ("validation", "message"),
    [
        ({"X_val": np.ones((2, 784))}, "Got y_val=None, expected both"),
        ({"y_val": ["1", "2"]}, "Got X_val=None, expected both"),
        ({"X_val": np.ones((2, 784)), "y_val": ["1", "x"]}, r"labels \['x'\], expected only"),
        ({"X_val": np.ones((2, 5)), "y_val": ["1", "2"]}, "X has 5 features"),
    ],
)
def test_invalid_validation_rows_raise(digits, validation, message):
    X, y, _, _ = digits
    with pytest.raises(ValueError, match=message):
        DigitANNClassifier(**SMALL).fit(X, y, **validation)


def test_too_few_rows_for_the_validation_split_raise():
    with pytest.raises(ValueError, match=r"Got 3 rows .* with validation_fraction=0.1, expected"):
        DigitANNClassifier(early_stopping=True).fit([[0.0], [1.0], [2.0]], [0, 1, 1])


def test_warm_start_continues_from_the_weights(digits):
    X, y, _, _ = digits
    params = SMALL | {"learning_rate_schedule": "constant", "optimizer": "sgd"}
    warm = DigitANNClassifier(warm_start=True, **params).fit(X, y)
    before = warm.loss_curve_
    start = warm.coefs_[0].copy()
    warm.set_params(epochs=1, learning_rate=1e-9).fit(X, y, X_val=X, y_val=y)
    np.testing.assert_allclose(warm.coefs_[0], start, atol=1e-6)
    assert warm.loss_curve_[:8] == before
    assert warm.n_iter_ == warm.best_epoch_ == 9
    assert np.isnan(warm.validation_scores_[:8]).all()
    assert len(warm.validation_scores_) == 9


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"hidden_layer_sizes": (9,)}, "784-9-10 relu.*784-16-10 relu"),
        ({"activation": "tanh"}, "tanh.*relu"),
        ({"batch_norm": True}, "with batch normalisation"),
    ],
)
def test_warm_start_with_another_network_raises(digits, fitted, change, message):
    X, y, _, _ = digits
    model = copy.deepcopy(fitted).set_params(warm_start=True)
    with pytest.raises(ValueError, match=message):
        model.set_params(**change).fit(X, y)
    with pytest.raises(ValueError, match=r"expected those of the fit before"):
        model.set_params(**dict(SMALL, activation="relu", batch_norm=False)).fit(
            X[:50], y[:50] > "4"
        )


def test_partial_fit_learns_from_chunks(digits):
    X, y, X_test, y_test = digits
    model = DigitANNClassifier(**SMALL)
    for _ in range(8):
        for start in range(0, 600, 96):
            chunk = slice(start, start + 96)
            model.partial_fit(X[chunk], y[chunk], classes=np.unique(y))
    assert model.score(X_test, y_test) > 0.75
    assert model.n_iter_ == 56


def test_partial_fit_on_chunks_equals_one_pass(digits):
    X, y, _, _ = digits
    params = SMALL | {"dropout": 0.2}
    whole = DigitANNClassifier(**params).partial_fit(X, y, np.unique(y))
    chunked = DigitANNClassifier(**params)
    for start, stop in [(0, 288), (288, 320), (320, 600)]:
        chunked.partial_fit(X[start:stop], y[start:stop], np.unique(y))
    assert_same_weights(whole, chunked)


@pytest.mark.parametrize("averaging", [True, pytest.param(0.9, marks=pytest.mark.slow)])
def test_weight_averaging_over_chunks_equals_one_pass(digits, averaging):
    X, y, _, _ = digits
    params = SMALL | {"weight_averaging": averaging}
    whole = DigitANNClassifier(**params).partial_fit(X, y, np.unique(y))
    chunked = DigitANNClassifier(**params)
    for start in range(0, 600, 288):
        chunked.partial_fit(X[start : start + 288], y[start : start + 288], np.unique(y))
    assert_same_weights(whole, chunked)


@pytest.mark.parametrize(
    "change",
    [{"hidden_layer_sizes": (9,)}, {"activation": "tanh"}, {"batch_norm": True}],
)
def test_partial_fit_with_another_network_raises(digits, fitted, change):
    X, y, _, _ = digits
    model = copy.deepcopy(fitted)
    before = model.predict_proba(X)
    with pytest.raises(ValueError, match="expected those of the fit before"):
        model.set_params(**change).partial_fit(X, y)
    with pytest.raises(ValueError, match="uint8 input, expected those of the fit before"):
        model.set_params(**SMALL, activation="relu", batch_norm=False).partial_fit(
            X.astype(np.uint8), y
        )
    np.testing.assert_array_equal(model.predict_proba(X), before)


def test_new_optimizer_between_partial_fits_has_new_state(digits):
    X, y, _, _ = digits
    model = DigitANNClassifier(**SMALL).partial_fit(X, y, np.unique(y))
    start = model.loss_curve_[0]
    model.set_params(optimizer="sgd", dropout=0.1).partial_fit(X, y).partial_fit(X, y)
    assert model.loss_curve_[-1] < start
    assert model.best_epoch_ == model.n_iter_ == 3


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"early_stopping": True}, "Got early_stopping=True in partial_fit"),
        ({"class_weight": "balanced"}, "Got class_weight='balanced' in partial_fit"),
    ],
)
def test_partial_fit_with_settings_that_need_all_rows_raises(params, message):
    with pytest.raises(ValueError, match=message):
        DigitANNClassifier(**params).partial_fit([[0.0], [1.0]], [0, 1], [0, 1])


def test_first_partial_fit_needs_classes():
    model = DigitANNClassifier()
    with pytest.raises(ValueError, match="classes must be passed on the first call"):
        model.partial_fit([[0.0]], [0])
    model.partial_fit([[0.0], [1.0]], [0, 1], classes=[0, 1, 2])
    with pytest.raises(ValueError, match=r"labels \[3\], expected only"):
        model.partial_fit([[0.0]], [3])


def test_dropout_and_l2_by_layer(digits, fitted):
    X, y, _, _ = digits
    decayed = DigitANNClassifier(**SMALL, l2=(0.1,)).fit(X, y)
    assert np.abs(decayed.coefs_[0]).sum() < np.abs(fitted.coefs_[0]).sum() / 2
    dropped = DigitANNClassifier(**SMALL | {"hidden_layer_sizes": (16, 16)}, dropout=(0.0, 0.5))
    dropped.fit(X, y)
    assert dropped.loss_curve_[-1] > fitted.loss_curve_[-1]
    rates = [layer.rate for layer in dropped.keras_model_.layers if hasattr(layer, "rate")]
    assert rates == [0.5]


def test_label_smoothing_lowers_confidence(digits, fitted):
    X, y, X_test, _ = digits
    model = DigitANNClassifier(**SMALL | {"label_smoothing": 0.2}).fit(X, y)
    plain, smoothed = (
        softmax(model.temperature_ * model.decision_function(X_test), axis=1)
        for model in (fitted, model)
    )
    assert smoothed.max(axis=1).mean() < plain.max(axis=1).mean() - 0.05


@pytest.mark.parametrize(
    "make",
    [
        lambda keras: keras.optimizers.SGD(learning_rate=0.05, momentum=0.9),
        lambda keras: keras.optimizers.SGD,
        lambda keras: "SGD",
    ],
    ids=["instance", "class", "name"],
)
def test_optimizer_by_name_class_or_instance(digits, make):
    import keras

    X, y, _, _ = digits
    given = make(keras)
    params = SMALL | {"learning_rate": 0.05, "optimizer": given}
    model = DigitANNClassifier(**params).set_params(optimizer__momentum=0.9)
    reference = DigitANNClassifier(**params)
    reference.set_params(optimizer="sgd", optimizer_params={"momentum": 0.9}).fit(X, y)
    for _ in range(2):
        assert_same_weights(clone(model).fit(X, y), reference)
    assert model.optimizer is given


def test_learning_rate_none_uses_the_rate_of_the_optimizer(digits):
    import keras

    X, y, _, _ = digits
    own = DigitANNClassifier(**SMALL | {"learning_rate": None, "epochs": 1})
    own.set_params(optimizer=keras.optimizers.Adam(0.003), learning_rate_schedule="constant")
    np.testing.assert_allclose(own.fit(X, y).history_["learning_rate"], [0.003])
    own.set_params(optimizer="sgd")
    np.testing.assert_allclose(own.fit(X, y).history_["learning_rate"], [0.01])


def test_rate_of_an_optimizer_instance_is_not_cached(digits):
    import keras

    X, y, _, _ = digits
    params = SMALL | {"learning_rate": None, "epochs": 1, "learning_rate_schedule": "constant"}
    for rate in (0.003, 0.05):
        model = DigitANNClassifier(**params, optimizer=keras.optimizers.Adam(rate)).fit(X, y)
        np.testing.assert_allclose(model.history_["learning_rate"], [rate])


def test_use_ema_of_keras_raises(digits):
    import keras

    X, y, _, _ = digits
    for params in (
        {"optimizer": keras.optimizers.SGD(0.1, use_ema=True)},
        {"optimizer_params": {"use_ema": True}},
    ):
        with pytest.raises(ValueError, match="use_ema=True, expected weight_averaging"):
            DigitANNClassifier(**params).fit(X, y)


def test_learning_rate_schedule_of_keras_raises(digits):
    import keras

    X, y, _, _ = digits
    schedule = keras.optimizers.schedules.ExponentialDecay(0.01, 100, 0.9)
    with pytest.raises(ValueError, match="use the parameter learning_rate_schedule"):
        DigitANNClassifier(optimizer=keras.optimizers.Adam(schedule)).fit(X, y)


def test_optimizer_params_are_routed():
    model = DigitANNClassifier(optimizer_params={"momentum": 0.5})
    given = model.optimizer_params
    assert model.get_params()["optimizer__momentum"] == 0.5
    assert "optimizer__momentum" not in model.get_params(deep=False)
    copy_ = clone(model).set_params(optimizer__momentum=0.9, optimizer__nesterov=True)
    assert copy_.optimizer_params == {"momentum": 0.9, "nesterov": True}
    assert given == {"momentum": 0.5}
    with pytest.raises(ValueError, match="Invalid parameter 'momentum'"):
        model.set_params(momentum=0.9)


def test_keras_callbacks_are_called_in_order_on_copies(digits):
    import keras

    X, y, _, _ = digits
    calls = []

    class Recorder(keras.callbacks.Callback):
        def on_train_begin(self, logs=None):
            calls.append("train begin")

        def on_epoch_begin(self, epoch, logs=None):
            calls.append(f"begin {epoch}")

        def on_epoch_end(self, epoch, logs=None):
            calls.append(f"end {epoch} {sorted(logs)}")
            self.model.stop_training = epoch == 1

        def on_train_end(self, logs=None):
            calls.append("train end")

    recorder = Recorder()
    model = DigitANNClassifier(keras_callbacks=[recorder], **SMALL).fit(X, y)
    logs = "['accuracy', 'learning_rate', 'loss']"
    assert calls == [
        "train begin", "begin 0", f"end 0 {logs}", "begin 1", f"end 1 {logs}", "train end",
    ]  # fmt: skip
    assert model.n_iter_ == 2
    assert recorder._model is None


def test_batch_hooks_are_called_for_every_batch(digits):
    import keras

    X, y, _, _ = digits
    seen = []
    hook = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: seen.append((batch, logs["loss"]))
    )
    params = SMALL | {"epochs": 2}
    model = DigitANNClassifier(**params, keras_callbacks=[hook]).fit(X, y)
    assert [batch for batch, _ in seen] == [*range(19)] * 2
    np.testing.assert_allclose([seen[18][1], seen[37][1]], model.loss_curve_, rtol=1e-6)
    assert_same_weights(model, DigitANNClassifier(**params).fit(X, y))


def test_keras_scheduler_sets_the_learning_rate(digits):
    import keras

    X, y, _, _ = digits
    rates = [0.01, 0.001, 0.02]
    steer = keras.callbacks.LearningRateScheduler(lambda epoch: rates[epoch])
    params = SMALL | {"epochs": 3, "learning_rate_schedule": "constant"}
    model = DigitANNClassifier(**params, keras_callbacks=[steer]).fit(X, y)
    np.testing.assert_allclose(model.history_["learning_rate"], rates, rtol=1e-6)
    by_hand = DigitANNClassifier(**params | {"epochs": 1, "learning_rate": 0.01}).fit(X, y)
    np.testing.assert_allclose(by_hand.loss_curve_[0], model.loss_curve_[0], rtol=1e-6)


def test_keras_early_stopping_on_validation_loss(digits):
    import keras

    X, y, X_test, y_test = digits
    stop = keras.callbacks.EarlyStopping("val_loss", patience=1, restore_best_weights=True)
    params = SMALL | {"epochs": 60, "learning_rate": 0.02, "keras_callbacks": [stop]}
    model = DigitANNClassifier(**params).fit(X, y, X_val=X_test, y_val=y_test)
    assert model.n_iter_ < 60
    losses = uncalibrated_losses(model, X_test, y_test)
    np.testing.assert_allclose(losses.mean(), min(model.validation_loss_curve_), rtol=1e-4)


def test_keras_early_stopping_on_validation_accuracy(digits):
    import keras

    X, y, X_test, y_test = digits
    stop = keras.callbacks.EarlyStopping("val_accuracy", patience=2, restore_best_weights=True)
    params = SMALL | {"epochs": 60, "learning_rate": 0.02, "keras_callbacks": [stop]}
    model = DigitANNClassifier(**params).fit(X, y, X_val=X_test, y_val=y_test)
    assert model.n_iter_ < 60
    np.testing.assert_allclose(model.score(X_test, y_test), max(model.validation_scores_))


def test_loss_of_a_stopped_epoch_averages_the_rows_seen(digits):
    import keras

    class Stop(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            self.model.stop_training = batch == 2
            seen.append(logs["loss"])

    X, y, _, _ = digits
    seen = []
    model = DigitANNClassifier(**SMALL, keras_callbacks=[Stop()]).fit(X, y)
    assert len(seen) == 3
    np.testing.assert_allclose(model.loss_curve_, [seen[-1]], rtol=1e-6)


def test_verbose_prints_a_line_per_epoch(digits, capsys):
    X, y, _, _ = digits
    DigitANNClassifier(**SMALL, verbose=True).fit(X, y)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 8
    assert re.fullmatch(r"Epoch 8/8: loss 0\.\d+, accuracy [01]\.?\d*, learning_rate .+", lines[-1])


@pytest.mark.parametrize(
    "duplicate",
    [
        copy.deepcopy,
        lambda model: pickle.loads(pickle.dumps(model)),
        pytest.param("joblib", id="joblib"),
    ],
)
@pytest.mark.parametrize("fitted", [False, True])
def test_copies_predict_the_same_bits(digits, tmp_path, duplicate, fitted):
    X, y, X_test, _ = digits
    model = DigitANNClassifier(**SMALL, batch_norm=True, optimizer_params={"beta_1": 0.8})
    if fitted:
        model.fit(X, y)
    if duplicate == "joblib":
        joblib.dump(model, tmp_path / "model.joblib")
        other = joblib.load(tmp_path / "model.joblib")
    else:
        other = duplicate(model)
    assert other.get_params() == model.get_params()
    if fitted:
        np.testing.assert_array_equal(other.predict_proba(X_test), model.predict_proba(X_test))
    else:
        with pytest.raises(NotFittedError):
            other.predict(X_test)


def test_clone_is_unfitted(digits, fitted):
    _, _, X_test, _ = digits
    with pytest.raises(NotFittedError):
        clone(fitted).predict(X_test)
    assert not hasattr(clone(fitted), "coefs_")


def test_divergence_without_finite_weights_raises(digits):
    X, y, _, _ = digits
    model = DigitANNClassifier(**SMALL).set_params(
        optimizer="sgd", learning_rate=1e30, learning_rate_schedule="constant"
    )
    with pytest.raises(ValueError, match=r"training diverged. Try a learning_rate below 1e[+]30"):
        model.fit(X, y)


def test_divergence_keeps_the_last_finite_weights(digits):
    import keras

    X, y, X_test, y_test = digits
    blow_up = keras.callbacks.LearningRateScheduler(lambda epoch: 0.05 if epoch < 5 else 1e30)
    params = SMALL | {"optimizer": "sgd", "learning_rate": 0.05}
    params |= {"learning_rate_schedule": "constant", "keras_callbacks": [blow_up]}
    with pytest.warns(ConvergenceWarning, match="diverged in epoch 6"):
        model = DigitANNClassifier(**params).fit(X, y)
    proba = model.predict_proba(X_test)
    assert np.isfinite(proba).all()
    assert model.score(X_test, y_test) > 0.3


def test_verbose_does_not_change_the_epoch_of_divergence(digits):
    """Without verbose, several epochs share a call of the program."""
    X, y, _, _ = digits
    params = SMALL | {"optimizer": "sgd", "epochs": 100, "l2": 1.0, "learning_rate": 1.05}
    params["learning_rate_schedule"] = "constant"
    messages = []
    for verbose in (False, True):
        with pytest.warns(ConvergenceWarning, match="diverged in epoch") as caught:
            DigitANNClassifier(**params, verbose=verbose).fit(X, y)
        messages.append(str(caught[0].message))
    assert messages[0] == messages[1]
    assert 1 < int(re.search(r"in epoch (\d+)", messages[0])[1]) < 100


def test_history_of_a_diverged_fit_has_one_length(digits):
    import keras

    X, y, X_test, y_test = digits
    blow_up = keras.callbacks.LearningRateScheduler(lambda epoch: 0.05 if epoch < 5 else 1e30)
    params = SMALL | {"optimizer": "sgd", "learning_rate_schedule": "constant"}
    with pytest.warns(ConvergenceWarning, match="in epoch 6: the weights of epoch"):
        model = DigitANNClassifier(**params, keras_callbacks=[blow_up]).fit(
            X, y, X_val=X_test, y_val=y_test
        )
    assert {len(values) for values in model.history_.values()} == {6}
    assert np.isnan(model.validation_scores_[-1])


def test_failed_fit_keeps_the_fitted_state(digits, fitted):
    X, y, X_test, _ = digits
    model = copy.deepcopy(fitted)
    before = model.predict_proba(X_test)
    with pytest.raises(ValueError, match="y_val=None"):
        model.fit(X[:, :7], y == "1", X_val=X)
    assert model.n_features_in_ == 784
    np.testing.assert_array_equal(model.predict_proba(X_test.tolist()), before)
    np.testing.assert_array_equal(model.predict(X_test), model.classes_[before.argmax(axis=1)])
    new = DigitANNClassifier(**SMALL)
    with pytest.raises(ValueError, match="NaN"):
        new.partial_fit([[np.nan]], [0], classes=[0, 1])
    assert not hasattr(new, "classes_")


def test_single_class_is_learned_without_warnings():
    model = DigitANNClassifier(epochs=2).fit([[0.0], [1.0]], ["a", "a"])
    assert model.predict([[5.0]]).tolist() == ["a"]
    np.testing.assert_array_equal(model.predict_proba([[5.0]]), [[1.0]])


def test_html_display_builds_no_keras_model(fitted, monkeypatch):

    def refuse(self):
        raise AssertionError("keras_model_ was read")

    monkeypatch.setattr(DigitANNClassifier, "keras_model_", property(refuse))
    assert "DigitANNClassifier" in fitted._repr_html_()


def test_keyboard_interrupt_keeps_the_weights(digits):
    import keras

    X, y, X_test, y_test = digits

    def press(epoch, logs):
        if epoch == 4:
            raise KeyboardInterrupt

    params = SMALL | {"keras_callbacks": [keras.callbacks.LambdaCallback(on_epoch_end=press)]}
    with pytest.warns(UserWarning, match="interrupted by the user"):
        model = DigitANNClassifier(**params).fit(X, y)
    assert model.n_iter_ == 5
    assert model.score(X_test, y_test) > 0.7


def test_fit_does_not_modify_inputs(digits):
    X, y, _, _ = digits
    X, y = X.copy(), y.copy()
    weights = np.arange(600, dtype=np.float64)
    class_weight = {"1": 2.0}
    before = X.copy(), y.copy(), weights.copy()
    for array in (X, y, weights):
        array.flags.writeable = False
    model = DigitANNClassifier(**SMALL, class_weight=class_weight)
    model.fit(X, y, sample_weight=weights)
    model.predict_proba(X)
    model.predict_proba(X[:1])
    for array, original in zip((X, y, weights), before, strict=True):
        np.testing.assert_array_equal(array, original)
    assert class_weight == {"1": 2.0}


@pytest.mark.parametrize("n_rows", [1, 3])
@pytest.mark.parametrize("fill", [np.nan, np.inf, -np.inf, 1e39])
def test_predict_proba_of_few_rows_with_nan_or_infinity_raises(fitted, n_rows, fill):
    bad = np.full((n_rows, 784), fill)
    for array in (bad, bad.astype(np.float64)):
        with pytest.raises(ValueError, match=r"contains NaN|contains infinity|too large"):
            fitted.predict_proba(array)


def test_predict_accepts_large_finite_values(fitted):
    X_huge = np.full((1, 784), 1e25, dtype=np.float32)
    assert fitted.predict(X_huge).shape == (1,)


def test_summary_counts_parameters_as_keras_does(digits):
    X, y, _, _ = digits
    params = {"dropout": (0.3, 0.0), "l2": 0.01, "batch_norm": True, "epochs": 1}
    model = DigitANNClassifier((20, 10), **params).fit(X, y)
    lines = model.summary().splitlines()
    assert lines[0].split() == ["layer", "outputs", "parameters"]
    assert "dense, relu, L2 0.01" in lines[2]
    assert sum("dropout" in line for line in lines) == 1
    assert sum("batch normalisation" in line for line in lines) == 2
    assert f"{model.keras_model_.count_params():,}" in lines[-1]
    with pytest.raises(NotFittedError):
        DigitANNClassifier().summary()
