"""The parameter input_blur."""

import io
import pickle

import numpy as np
import pytest
from scipy import ndimage, sparse
from sklearn.base import clone

import skdigits
from skdigits import DigitANNClassifier, PixelScaler
from skdigits._augmentation import Augmentation, coordinates, random_numbers
from skdigits._packed_network import read_network, write_network
from skdigits.datasets import load_mnist_sample

PARAMS = {"hidden_layer_sizes": (24,), "epochs": 3, "batch_norm": True, "random_state": 0}


@pytest.fixture(scope="module")
def digits():
    X, y = load_mnist_sample(subset="train", return_X_y=True)
    return PixelScaler().fit_transform(X[:600]), y[:600]


@pytest.fixture
def model(digits):
    return DigitANNClassifier(**PARAMS).fit(*digits)


def smooth(X, share):
    """The same blur by SciPy."""
    side = int(X.shape[1] ** 0.5)
    images = X.reshape(-1, side, side).astype(np.float64)
    for axis in (1, 2):
        weights = [share, 1 - 2 * share, share]
        images = ndimage.convolve1d(images, weights, axis=axis, mode="nearest")
    return images.reshape(X.shape).astype(X.dtype)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("share", [1 / 12, 0.25])
def test_predictions_equal_those_of_blurred_images(digits, share, dtype):
    X, y = digits[0].astype(dtype), digits[1]
    model = DigitANNClassifier(**PARAMS).fit(X, y)
    expected = model.decision_function(smooth(X, share))
    assert np.abs(expected - model.decision_function(X)).max() > 0.1
    model.set_params(input_blur=share)
    found = model.decision_function(X)
    assert found.dtype == dtype
    np.testing.assert_allclose(found, expected, atol=1e-3 if dtype == np.float32 else 1e-10)
    for rows in (X[:1], sparse.csr_array(X), X.reshape(-1, 28, 28)):
        n = rows.shape[0]
        np.testing.assert_allclose(model.decision_function(rows), found[:n], atol=1e-4)
    model.set_params(input_blur=0)
    np.testing.assert_allclose(smooth(X, 0), X)
    assert np.abs(model.decision_function(X) - expected).max() > 0.1


def test_mean_blur_of_interpolation_is_one_twelfth():
    """What the parameter's documentation says of deformed images."""
    random = random_numbers(np.random.default_rng(0), 500)
    for points in coordinates(Augmentation(), 28, random, np):
        between = points % 1
        # Linear interpolation spreads a pixel with the variance u (1 - u), a blur with 2 share.
        assert np.mean(between * (1 - between)) == pytest.approx(2 / 12, abs=0.01)


def test_training_is_independent_of_input_blur(digits, model):
    blurred = DigitANNClassifier(**PARAMS, input_blur=0.1).fit(*digits)
    for one, other in zip(blurred.coefs_, model.coefs_, strict=True):
        np.testing.assert_array_equal(one, other)
    model.set_params(input_blur=0.1)
    np.testing.assert_array_equal(blurred.predict(digits[0]), model.predict(digits[0]))


def test_warm_start_continues_from_weights_without_blur(digits):
    X, y = digits
    chains = []
    for blur in (0.0, 0.2):
        model = DigitANNClassifier(**PARAMS, warm_start=True, input_blur=blur)
        chains.append(model.fit(X, y).fit(X, y).partial_fit(X, y))
    for one, other in zip(chains[0].coefs_, chains[1].coefs_, strict=True):
        np.testing.assert_array_equal(one, other)


def test_early_stopping_and_temperature_use_blurred_images(digits):
    X, y = digits
    held = {"X_val": X[400:], "y_val": y[400:]}
    stops = PARAMS | {"epochs": 30, "early_stopping": True, "n_iter_no_change": 2}
    plain = DigitANNClassifier(**stops).fit(X[:400], y[:400], **held)
    blurred = DigitANNClassifier(**stops, input_blur=0.2).fit(X[:400], y[:400], **held)
    on_smooth = {"X_val": smooth(X[400:], 0.2), "y_val": y[400:]}
    same = DigitANNClassifier(**stops).fit(X[:400], y[:400], **on_smooth)
    assert blurred.validation_loss_curve_ != plain.validation_loss_curve_
    assert blurred.validation_scores_ == same.validation_scores_
    np.testing.assert_array_equal(blurred.coefs_[0], same.coefs_[0])
    np.testing.assert_allclose(blurred.validation_loss_curve_, same.validation_loss_curve_, 1e-4)
    assert blurred.temperature_ == pytest.approx(same.temperature_, rel=1e-3)


def test_teacher_does_not_blur_deformed_images(digits, model):
    """They are blurred already; others a teacher sees as its own predictions do."""
    X, y = digits
    learn = {"hidden_layer_sizes": (8,), "epochs": 2, "random_state": 0}
    for augmentation, same in (("affine", True), (None, False)):
        weights = []
        for blur in (0.0, 0.25):
            model.set_params(input_blur=blur)
            student = DigitANNClassifier(**learn, augmentation=augmentation)
            weights.append(student.fit(X, y, teacher=model).coefs_[0])
        assert np.array_equal(*weights) == same


def test_saved_pickled_and_keras_models_have_the_blur(digits, model, tmp_path):
    X = digits[0][:50]
    model.set_params(input_blur=0.125)
    expected = model.predict_proba(X)
    keras_probabilities = model.keras_model_.predict(X, verbose=0)
    np.testing.assert_allclose(keras_probabilities, expected, atol=1e-6)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(model)).predict_proba(X), expected)
    skdigits.save(model, tmp_path / "model.skdigits")
    loaded = skdigits.load(tmp_path / "model.skdigits")
    np.testing.assert_array_equal(loaded.predict_proba(X), expected)
    loaded.set_params(input_blur=0.0)
    assert not np.array_equal(loaded.predict_proba(X), expected)
    assert clone(model).input_blur == 0.125


@pytest.mark.slow
@pytest.mark.parametrize("dtype", [np.float32, np.uint8])
def test_onnx_model_has_the_blur(digits, dtype):
    pytest.importorskip("skl2onnx", reason="needs the extra onnx")
    import onnxruntime

    from skdigits.onnx import to_onnx

    X = digits[0] if dtype == np.float32 else np.round(digits[0] * 255).astype(np.uint8)
    model = DigitANNClassifier(**PARAMS).fit(X, digits[1])
    plain = model.predict_proba(X)
    # Not by set_params, so that the fitted network is as fit has left it.
    model.input_blur = 0.125
    session = onnxruntime.InferenceSession(to_onnx(model, dtype=dtype).SerializeToString())
    found = session.run(None, {session.get_inputs()[0].name: X})[1]
    np.testing.assert_allclose(found, model.predict_proba(X), atol=1e-5)
    np.testing.assert_allclose(model.keras_model_.predict(X, verbose=0), found, atol=1e-5)
    assert np.abs(found - plain).max() > 0.01
    assert "input" in model.summary()
    assert "blur 0.125" in model.summary()


def test_packed_network_stores_blur_and_weights_separately(digits):
    model = DigitANNClassifier(**PARAMS).fit(*digits)
    networks = []
    for blur in (0.0, 0.125):
        file = io.BytesIO()
        write_network(file, model.set_params(input_blur=blur)._network, {})
        file.seek(0)
        networks.append(read_network(file)[0])
    assert [network.blur for network in networks] == [0.0, 0.125]
    for one, other in zip(networks[0].kernels, networks[1].kernels, strict=True):
        np.testing.assert_array_equal(one, other)
    X = digits[0]
    np.testing.assert_allclose(
        networks[1].logits(X), networks[0].logits(smooth(X, 0.125)), atol=1e-4
    )


def test_predictions_do_not_modify_the_estimator(digits, model):
    model.input_blur = 0.125
    before = vars(model).copy()
    model.predict(digits[0])
    model.set_params(epochs=-1)
    model.predict(digits[0])
    assert vars(model)["_network"] is before["_network"]
    expected = model.predict_proba(digits[0])
    model.set_params(input_blur=0.125)
    assert vars(model)["_network"].blur == 0.125
    np.testing.assert_array_equal(model.predict_proba(digits[0]), expected)
    with pytest.raises(ValueError, match="Got input_blur='much'"):
        model.set_params(input_blur="much").predict(digits[0])


def test_rows_that_are_not_square_images_are_refused(digits):
    X, y = digits
    with pytest.raises(ValueError, match="Got 700 features with augmentation or input_blur"):
        DigitANNClassifier(**PARAMS, input_blur=0.1).fit(X[:, :700], y)
    images = X.reshape(-1, 14, 56)
    with pytest.raises(ValueError, match="expected square images"):
        DigitANNClassifier(**PARAMS, input_blur=0.1).fit(images, y)
    model = DigitANNClassifier(**PARAMS).fit(images, y).set_params(input_blur=0.1)
    with pytest.raises(ValueError, match="expected square images"):
        model.predict(images)
    model = DigitANNClassifier(**PARAMS).fit(X[:, :700], y)
    model.set_params(input_blur=0.1)
    with pytest.raises(ValueError, match="Got 700 features with augmentation or input_blur"):
        model.predict(X[:, :700])
    model.set_params(input_blur=0.6)
    with pytest.raises(ValueError, match=r"Got input_blur=0.6, expected a number in \[0, 0.25\]"):
        model.predict(X[:, :700])


@pytest.mark.parametrize("blur", [0.3, -0.1, np.float64(0.1), True, float("nan")])
def test_network_with_invalid_blur_is_refused(model, blur):
    state = model._network.__getstate__() | {"blur": blur}
    network = object.__new__(type(model._network))
    if isinstance(blur, np.float64):
        network.__setstate__(state)
        assert network.blur == blur
    else:
        with pytest.raises(ValueError, match="Got 'relu' layers"):
            network.__setstate__(state)
