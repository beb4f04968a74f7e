"""Calibration of probabilities, and training with a teacher."""

import warnings

import numpy as np
import pytest
from scipy import sparse
from scipy.special import softmax

from skdigits import DigitANNClassifier, PixelScaler
from skdigits._network import Network
from skdigits._rows import Rows
from skdigits._temperature import (
    CALIBRATED_GAP,
    TRAINED_GAP,
    expected_calibration_error,
    fit_temperature,
    temperature_from_smoothing,
    temperature_from_training_rows,
)
from skdigits.datasets import load_mnist_sample

PARAMS = {"hidden_layer_sizes": (16,), "epochs": 10, "random_state": 0}


@pytest.fixture(scope="module")
def digits():
    X, y = load_mnist_sample(subset="train", return_X_y=True)
    return PixelScaler().fit_transform(X), y


def test_temperature_from_smoothing_gives_the_calibrated_gap():
    smoothed_gap = np.log((0.9 + 0.01) / 0.01)
    assert smoothed_gap / temperature_from_smoothing(0.1, 10) == pytest.approx(CALIBRATED_GAP)
    assert temperature_from_smoothing(0.0, 10) == 1.0
    assert temperature_from_smoothing(1e-9, 10) == 1.0
    assert temperature_from_smoothing(0.5, 1) == 1.0


@pytest.mark.parametrize("n_classes", [2, 3, 10, 1000])
@pytest.mark.parametrize("smoothing", [1e-6, 0.1, 0.5, 0.99])
def test_temperature_from_smoothing_is_in_its_range(n_classes, smoothing):
    assert 0 < temperature_from_smoothing(smoothing, n_classes) <= 1


@pytest.mark.parametrize("true", [0.3, 1.0, 2.5])
def test_fit_temperature_finds_the_temperature_of_the_labels(true):
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 3, (20000, 5))
    p = softmax(logits / true, axis=1)
    y = (rng.random((len(p), 1)) > p.cumsum(axis=1)).sum(axis=1)
    assert fit_temperature(logits, y, np.ones(len(y)), 1.0) == pytest.approx(true, rel=0.03)


def test_prior_limits_the_temperature_of_few_rows():
    logits = np.eye(5) * 3
    found = fit_temperature(logits, np.arange(5), np.ones(5), 1.0)
    assert 0.3 < found < 1.0


def test_temperature_at_its_bound_is_a_warning(digits):
    X, y = digits[0][:300], digits[1][:300]
    model = DigitANNClassifier((16,), epochs=2, random_state=0)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model.fit(X, y, X_val=255 * X + 0.5, y_val=y)
    assert "temperature_ is at its bound, 54.6" in str(caught[-1].message)
    assert all("transform_input" in str(warning.message) for warning in caught)
    assert {warning.filename for warning in caught} == {__file__}


def linear(gap, n=500, n_classes=4):
    """A network, and rows whose right class lies so far above the others."""
    y = np.arange(n) % n_classes
    X = np.eye(n_classes, dtype=np.float32)[y]
    kernel = np.float32(gap) * np.eye(n_classes, dtype=np.float32)
    network = Network((kernel,), (np.zeros(n_classes, np.float32),), "relu")
    return network, Rows(X, y, np.ones(n))


@pytest.mark.parametrize("gap", [1.0, 9.0, 15.0, 400.0])
@pytest.mark.parametrize("n_classes", [2, 4])
def test_temperature_from_training_rows_gives_the_gap(gap, n_classes):
    found = temperature_from_training_rows(*linear(gap, n_classes=n_classes))
    assert found == pytest.approx(max(1.0, gap / TRAINED_GAP), abs=0.005)


def test_temperature_from_few_or_unweighted_training_rows():
    network, rows = linear(30.0, n=99)
    assert temperature_from_training_rows(network, rows) == 1.0
    network, rows = linear(30.0)
    assert temperature_from_training_rows(network, Rows(rows.X, rows.y, 0 * rows.weights)) == 1.0
    # Of 100 rows, those count that have a weight.
    weights = np.where(rows.y == 0, 1.0, 0.0)
    wrong = Rows(rows.X, np.where(rows.y == 0, 0, (rows.y + 1) % 4), weights)
    assert temperature_from_training_rows(network, wrong) == temperature_from_training_rows(
        network, rows
    )
    assert (
        temperature_from_training_rows(
            Network((np.float32(1e38) * rows.X[:4],), network.biases, "relu"), rows
        )
        >= 1
    )


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["csr", "array", "uint8"])
def test_overfitted_network_is_calibrated(digits, kind):
    X, y = load_mnist_sample(subset="train", return_X_y=True)
    X_test, y_test = load_mnist_sample(subset="test", return_X_y=True)
    if kind != "uint8":
        X, X_test = (PixelScaler().fit_transform(rows) for rows in (X, X_test))
    X = sparse.csr_array(X) if kind == "csr" else X
    model = DigitANNClassifier((128, 64), epochs=60, label_smoothing=0.0, random_state=0)
    model.fit(X, y)
    p = model.predict_proba(X_test)
    raw = softmax(model.temperature_ * model.decision_function(X_test), axis=1)
    predicted = model.classes_[p.argmax(axis=1)]
    before, after = (expected_calibration_error(y_test, predicted, q) for q in (raw, p))
    assert model.temperature_ > 1.3
    assert after < 0.8 * before


@pytest.mark.parametrize(
    "how",
    ["X_val", *(pytest.param(how, marks=pytest.mark.slow) for how in ("early_stopping", "rule"))],
)
def test_mean_confidence_is_closer_to_the_accuracy(digits, how):
    X, y = digits
    X_test, y_test = load_mnist_sample(subset="test", return_X_y=True)
    X_test = PixelScaler().fit_transform(X_test)
    model = DigitANNClassifier(**PARAMS, label_smoothing=0.1, early_stopping=how != "rule")
    more = {"X_val": X[4000:], "y_val": y[4000:]} if how == "X_val" else {}
    model.fit(X[:4000], y[:4000], **more)
    accuracy = model.score(X_test, y_test)
    calibrated = model.predict_proba(X_test).max(axis=1).mean()
    raw = softmax(model.temperature_ * model.decision_function(X_test), axis=1).max(axis=1).mean()
    assert model.temperature_ < 1
    assert abs(calibrated - accuracy) < abs(raw - accuracy)


def test_keras_model_has_the_temperature(digits, tmp_path):
    X, y = digits[0][:500], digits[1][:500]
    model = DigitANNClassifier(**PARAMS, label_smoothing=0.1).fit(X, y)
    assert model.temperature_ == pytest.approx(temperature_from_smoothing(0.1, 10))
    raw = np.maximum(X @ model.coefs_[0] + model.intercepts_[0], 0)
    raw = raw @ model.coefs_[1] + model.intercepts_[1]
    np.testing.assert_allclose(
        model.decision_function(X), raw / model.temperature_, rtol=1e-4, atol=1e-4
    )
    keras_answer = model.keras_model_.predict(X, verbose=0)
    np.testing.assert_allclose(keras_answer, model.predict_proba(X), atol=1e-5)


@pytest.mark.slow
def test_partial_fit_continues_from_weights_without_temperature(digits):
    X, y = digits[0][:500], digits[1][:500]
    one = DigitANNClassifier((16,), label_smoothing=0.1, random_state=0, batch_size=100)
    other = DigitANNClassifier((16,), label_smoothing=0.1, random_state=0, batch_size=100)
    one.partial_fit(X, y, classes=np.unique(y))
    for start in range(0, 500, 100):
        chunk = slice(start, start + 100)
        other.partial_fit(X[chunk], y[chunk], classes=np.unique(y))
    np.testing.assert_array_equal(one.coefs_[0], other.coefs_[0])


# Learning from a teacher.


@pytest.fixture(scope="module")
def teacher(digits):
    return DigitANNClassifier(**PARAMS).fit(digits[0][:600], digits[1][:600])


@pytest.mark.slow
def test_teacher_improves_a_small_network(digits):
    params = {"hidden_layer_sizes": (256, 128), "epochs": 60, "augmentation": "elastic"}
    teacher = DigitANNClassifier(**params, random_state=0).fit(*digits)
    X_test, y_test = load_mnist_sample(subset="test", return_X_y=True)
    X_test = PixelScaler().fit_transform(X_test)
    X, y = digits[0][:1000], digits[1][:1000]
    alone, taught = [], []
    for seed in range(3):
        model = DigitANNClassifier((48,), random_state=seed)
        alone.append(model.fit(X, y).score(X_test, y_test))
        taught.append(model.fit(X, y, teacher=teacher).score(X_test, y_test))
    assert np.mean(taught) > np.mean(alone) + 0.005


def test_labels_are_not_used_with_a_teacher(digits, teacher):
    X, y = digits[0][:1000], digits[1][:1000]
    params = PARAMS | {"hidden_layer_sizes": (16,)}
    right = DigitANNClassifier(**params).fit(X, y, teacher=teacher)
    wrong = DigitANNClassifier(**params).fit(X, y[::-1], teacher=teacher)
    np.testing.assert_array_equal(right.coefs_[0], wrong.coefs_[0])
    assert right.temperature_ == 1.0


def test_step_follows_the_softened_cross_entropy(digits, teacher):
    X, y = digits[0][:100], digits[1][:100]
    model = DigitANNClassifier(
        (), optimizer="sgd", learning_rate=0.5, learning_rate_schedule="constant", epochs=1
    )
    model.fit(X, y, teacher=teacher)
    targets = softmax(teacher.decision_function(X) / 2, axis=1)
    gradient = X.T @ (softmax(np.zeros((100, 10)), axis=1) - targets) / 100 * 2
    np.testing.assert_allclose(model.coefs_[0], -0.5 * gradient, atol=1e-6)


def test_teacher_is_neither_modified_nor_stored(digits, teacher):
    X, y = digits[0][:300], digits[1][:300]
    before = [array.copy() for array in teacher.coefs_]
    model = DigitANNClassifier(**PARAMS).fit(X, y, teacher=teacher)
    for array, copied in zip(teacher.coefs_, before, strict=True):
        np.testing.assert_array_equal(array, copied)
    assert all(value is not teacher for value in vars(model).values())


@pytest.mark.slow
def test_teachers_fitted_on_bytes_and_on_scaled_pixels(digits):
    X, y = digits[0][:600], digits[1][:600]
    pixels = np.round(X * 255).astype(np.uint8)
    on_bytes = DigitANNClassifier(**PARAMS).fit(pixels, y)
    scaled = DigitANNClassifier(**PARAMS).fit(X, y)
    one = DigitANNClassifier(**PARAMS).fit(pixels, y, teacher=on_bytes)
    other = DigitANNClassifier(**PARAMS).fit(pixels, y, teacher=scaled)
    np.testing.assert_allclose(one.predict_proba(pixels), other.predict_proba(pixels), atol=1e-3)
    with pytest.raises(ValueError, match="teacher that was fitted on uint8"):
        DigitANNClassifier(**PARAMS).fit(X, y, teacher=on_bytes)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda t, X, y: "teacher", TypeError, "Got teacher of type str"),
        (lambda t, X, y: DigitANNClassifier(), ValueError, "not fitted"),
        (
            lambda t, X, y: DigitANNClassifier((4,), epochs=1).fit(X[:, :9], y),
            ValueError,
            "Got a teacher of 9 features",
        ),
        (
            lambda t, X, y: DigitANNClassifier((4,), epochs=1).fit(X, y.astype(int)),
            ValueError,
            "with the classes",
        ),
    ],
)
def test_unsuitable_teachers_are_refused(digits, teacher, make, error, message):
    X, y = digits[0][:200], digits[1][:200]
    with pytest.raises(error, match=message):
        DigitANNClassifier(**PARAMS).fit(X, y, teacher=make(teacher, X, y))
