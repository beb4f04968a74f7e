"""Fine-tuning: fitted networks trained further on few rows."""

import warnings

import numpy as np
import pytest
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline

from skdigits import DigitANNClassifier, PixelScaler, fine_tune
from skdigits.datasets import load_mnist_sample


@pytest.fixture(scope="module")
def model():
    X, y = load_mnist_sample(subset="train", return_X_y=True)
    network = DigitANNClassifier((16,), epochs=5, random_state=0)
    return make_pipeline(PixelScaler(), network).fit(X, y)


@pytest.fixture(scope="module")
def mirrored():
    """Test digits seen in a mirror, on which the model fails."""
    X, y = load_mnist_sample(subset="test", return_X_y=True)
    return X.reshape(-1, 28, 28)[:, :, ::-1].reshape(-1, 784), y


@pytest.fixture(scope="module")
def tuned(model, mirrored):
    X, y = mirrored
    return fine_tune(
        model, X[:100], y[:100], X_old=X[:300, ::-1], y_old=y[:300], learning_rate=0.01,
        epochs=30, random_state=0,
    )  # fmt: skip


def test_fine_tuning_improves_on_the_new_rows(model, mirrored, tuned):
    X, y = mirrored
    assert tuned.score(X[100:], y[100:]) > model.score(X[100:], y[100:]) + 0.05


def test_fine_tuning_keeps_parameters_and_does_not_modify_the_model(model, mirrored, tuned):
    X, _ = mirrored
    before = [array.copy() for array in model[-1].coefs_]
    assert repr(tuned) == repr(model)
    assert all((a == b).all() for a, b in zip(before, model[-1].coefs_, strict=True))
    assert not np.array_equal(tuned.predict_proba(X[:5]), model.predict_proba(X[:5]))


def test_fine_tuning_limits_errors_on_the_original_task(model):
    X, y = load_mnist_sample(subset="train", return_X_y=True)
    X_test, y_test = load_mnist_sample(subset="test", return_X_y=True)
    inverted = 255 - X[:60]
    with warnings.catch_warnings():
        # Whether inverted digits can be learned within the limit does not matter here.
        warnings.simplefilter("ignore", UserWarning)
        tuned = fine_tune(model, inverted, y[:60], learning_rate=0.05, epochs=5, random_state=0)
    assert tuned.score(X_test, y_test) > model.score(X_test, y_test) - 0.02


def test_unchanged_copy_is_returned_where_held_back_rows_do_not_improve(model, mirrored):
    X, _ = mirrored
    random_labels = np.random.RandomState(0).choice(model.classes_, 40)
    with pytest.warns(UserWarning, match=r"40 rows .* none of 10 rows held back is predicted"):
        tuned = fine_tune(model, X[:40], random_labels, learning_rate=0.05, random_state=0)
    assert tuned is not model
    np.testing.assert_array_equal(tuned.predict_proba(X), model.predict_proba(X))


def test_same_random_state_gives_the_same_network(model, mirrored, tuned):
    X, y = mirrored
    again = fine_tune(
        model, X[:100], y[:100], X_old=X[:300, ::-1], y_old=y[:300], learning_rate=0.01,
        epochs=30, random_state=0,
    )  # fmt: skip
    np.testing.assert_array_equal(again.predict_proba(X), tuned.predict_proba(X))


def test_integer_labels_stand_for_the_digits_of_string_classes(model, mirrored):
    X, y = mirrored
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        tuned = fine_tune(model, X[:40], y[:40].astype(int), epochs=1, random_state=0)
    assert set(tuned.predict(X)) <= set(model.classes_)


def test_wrong_input_is_refused(model, mirrored):
    X, y = mirrored
    with pytest.raises(ValueError, match=r"Got the labels \['10'\], expected only"):
        fine_tune(model, X[:20], [*y[:19], "10"])
    with pytest.raises(ValueError, match="Got 7 rows, expected at least 8"):
        fine_tune(model, X[:7], y[:7])
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        fine_tune(model, X[:20], y[:19])
    with pytest.raises(TypeError, match="Got PixelScaler, expected a fitted"):
        fine_tune(PixelScaler(), X, y)
    with pytest.raises(NotFittedError):
        fine_tune(DigitANNClassifier(), X, y)
    with pytest.raises(ValueError, match="X_old=ndarray and y_old=NoneType"):
        fine_tune(model, X[:20], y[:20], X_old=X)


def test_other_tasks_need_rows_of_their_own(flowers_model):
    model, X, y = flowers_model
    with pytest.raises(ValueError, match=r"of 4 features .* expected rows of the original task"):
        fine_tune(model, X, y)


@pytest.fixture
def flowers_model():
    X = np.random.RandomState(0).normal(size=(60, 4))
    y = np.where(X[:, 0] > 0, "a", "b")
    return DigitANNClassifier((16,), epochs=2, random_state=0).fit(X, y), X, y
