"""Random deformation of images."""

import copy
import pickle
from types import SimpleNamespace

import numpy as np
import pytest
from scipy import ndimage
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.pipeline import make_pipeline

import skdigits
from skdigits import Augmentation, DigitANNClassifier, PixelScaler
from skdigits._augmentation import (
    N_RANDOM,
    background,
    coordinates,
    deformed,
    displacement_basis,
    random_numbers,
)
from skdigits.datasets import load_mnist_sample

STILL = Augmentation(rotation=0, scale=0, shear=0, shift=0, elastic=0)
FULL = Augmentation(stroke=0.7)


@pytest.fixture(scope="module")
def digits():
    X, y = load_mnist_sample(subset="train", return_X_y=True)
    return PixelScaler().fit_transform(X[:600]), y[:600]


def only(**ranges):
    return Augmentation(**{**vars(STILL), **ranges})


def extreme(column, n=1):
    """Random numbers with one value at its maximum and all others at 0, no change."""
    random = np.zeros((n, N_RANDOM), np.float32)
    random[:, column] = 1
    return random


def test_zero_ranges_do_not_change_images(digits):
    images = digits[0][:50]
    random = random_numbers(np.random.default_rng(0), 50)
    np.testing.assert_allclose(deformed(images, STILL, random, 0.0), images, atol=1e-6)


@pytest.mark.parametrize(
    ("ranges", "column", "matrix", "offset"),
    [
        ({"rotation": 30.0}, 0, None, (0, 0)),
        ({"scale": 0.2}, 1, [[1, 0], [0, 1.2]], (0, 0)),
        ({"scale": 0.2}, 2, [[1.2, 0], [0, 1]], (0, 0)),
        ({"shear": 0.3}, 3, [[1, 0], [0.3, 1]], (0, 0)),
        ({"shift": 0.1}, 4, [[1, 0], [0, 1]], (0, 2.8)),
        ({"shift": 0.1}, 5, [[1, 0], [0, 1]], (2.8, 0)),
    ],
)
def test_affine_maps_equal_scipy(digits, ranges, column, matrix, offset):
    if matrix is None:
        angle = np.deg2rad(ranges["rotation"])
        matrix = [[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]]
    matrix, centre = np.array(matrix), np.array([13.5, 13.5])
    images = digits[0][:20]
    found = deformed(images, only(**ranges), extreme(column, 20), 0.0)
    for image, result in zip(images.reshape(-1, 28, 28), found.reshape(-1, 28, 28), strict=True):
        expected = ndimage.affine_transform(
            np.pad(image, 2), matrix, centre + 2 + offset - matrix @ (centre + 2), order=1
        )[2:-2, 2:-2]
        np.testing.assert_allclose(result, expected, atol=2e-3)


@pytest.mark.parametrize("augmentation", [Augmentation(), FULL, only(stroke=1.0)])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_compiled_deformation_equals_numpy(digits, augmentation, dtype):
    import keras

    from skdigits._keras.deformation import resampled
    from skdigits._keras.program_cache import program_class

    images = digits[0][:64].astype(dtype) + 0.25
    random = random_numbers(np.random.default_rng(1), 64)
    expected = deformed(images, augmentation, random, 0.25)
    primitives = SimpleNamespace(gather=lambda array, index: keras.ops.take(array, index, axis=0))
    with program_class().context(dtype):
        fill = keras.ops.convert_to_tensor(0.25, dtype)
        found = resampled(images, augmentation, random, fill, primitives)
        found = keras.ops.convert_to_numpy(found)
    assert found.dtype == dtype
    # A point on the border of two pixels may be rounded to either.
    np.testing.assert_allclose(found, expected, atol=1e-3)
    assert np.mean(np.abs(found - expected)) < 1e-5
    assert np.abs(found - images).mean() > 0.001


@pytest.mark.parametrize("side", [8, 28])
def test_root_mean_square_of_displacements(side):
    random = random_numbers(np.random.default_rng(0), 4000)
    x, y = coordinates(only(elastic=0.04), side, random, np)
    down, right = np.divmod(np.arange(side**2), side)
    # Displacements of pixels near the edge are clipped.
    inner = ((down > 1) & (down < side - 2)) & ((right > 1) & (right < side - 2))
    for moved in (x - right, y - down):
        spread = np.sqrt((moved[:, inner] ** 2).mean(axis=0))
        np.testing.assert_allclose(spread, 0.04 * side, rtol=0.05)


def test_displacements_are_smooth():
    basis = displacement_basis(28)
    neighbours = (basis[:, 1:28] * basis[:, :27]).sum(axis=0)
    assert neighbours.min() > 0.95


def test_stroke_changes_the_amount_of_ink(digits):
    images = digits[0][:100]
    random = extreme(6, 100)
    ink = images.sum(axis=1)
    assert (deformed(images, only(stroke=0.5), random, 0.0).sum(axis=1) > 1.1 * ink).all()
    assert (deformed(images, only(stroke=0.5), -random, 0.0).sum(axis=1) < 0.9 * ink).all()


@pytest.mark.parametrize("scaled", [lambda X: X, lambda X: 255 * X, lambda X: (X - 0.13) / 0.31])
def test_shifted_images_are_filled_with_background(digits, scaled):
    images = scaled(digits[0][:100])
    fill = background(images)
    assert fill == pytest.approx(scaled(0.0), abs=1e-6)
    shifted = deformed(images, only(shift=0.2), extreme(4, 100), fill).reshape(-1, 28, 28)
    np.testing.assert_allclose(shifted[:, :, -2:], fill, atol=1e-5)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"rotation": -1}, "Got rotation=-1, expected a number from 0 to 180"),
        ({"scale": 1.5}, "Got scale=1.5, expected a number from 0 to 0.9"),
        ({"elastic": "much"}, "Got elastic='much'"),
        ({"shift": np.nan}, "Got shift=nan"),
        ({"shear": True}, "Got shear=True"),
        ({"stroke": None}, "Got stroke=None"),
    ],
)
def test_invalid_ranges_raise(given, message):
    with pytest.raises(ValueError, match=message):
        Augmentation(**given)


@pytest.mark.parametrize("augmentation", ["strong", 1, True, {"rotation": 5}, Augmentation])
def test_invalid_augmentation_raises(digits, augmentation):
    with pytest.raises(ValueError, match=r"Got augmentation=.*'affine', 'elastic' or"):
        DigitANNClassifier(augmentation=augmentation).fit(*digits)


@pytest.mark.parametrize("shape", [(20, 10), (20, 4, 9), (20, 1)])
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_images_that_are_not_square_raise(shape, method):
    X = np.random.default_rng(0).random(shape).astype(np.float32)
    y = np.arange(20) % 2
    more = {"classes": [0, 1]} if method == "partial_fit" else {}
    with pytest.raises(ValueError, match=r"augmentation.*square"):
        getattr(DigitANNClassifier((4,), epochs=1, augmentation="affine"), method)(X, y, **more)


PARAMS = {"hidden_layer_sizes": (16,), "epochs": 2, "random_state": 0}


@pytest.mark.slow
def test_named_augmentations(digits):
    by_name = DigitANNClassifier(**PARAMS, augmentation="elastic").fit(*digits)
    by_hand = DigitANNClassifier(**PARAMS, augmentation=Augmentation(rotation=15)).fit(*digits)
    np.testing.assert_array_equal(by_name.coefs_[0], by_hand.coefs_[0])
    affine = DigitANNClassifier(**PARAMS, augmentation="affine").fit(*digits)
    assert not np.array_equal(by_name.coefs_[0], affine.coefs_[0])


@pytest.mark.parametrize(
    "dtype",
    [np.uint8, *(pytest.param(d, marks=pytest.mark.slow) for d in (np.float32, np.float64))],
)
def test_weights_depend_on_random_state_only(digits, dtype):
    X = (digits[0] * 255).astype(dtype) if dtype == np.uint8 else digits[0].astype(dtype)
    make = lambda seed: DigitANNClassifier(  # noqa: E731
        **(PARAMS | {"random_state": seed}), augmentation=FULL
    ).fit(X, digits[1])
    first, second, other = make(1), make(1), make(2)
    np.testing.assert_array_equal(first.coefs_[0], second.coefs_[0])
    assert not np.array_equal(first.coefs_[0], other.coefs_[0])


def test_uint8_pixels_are_deformed_like_scaled_pixels(digits):
    X = np.round(digits[0] * 255).astype(np.uint8)
    on_bytes = DigitANNClassifier(**PARAMS, augmentation="elastic").fit(X, digits[1])
    scaled = DigitANNClassifier(**PARAMS, augmentation="elastic").fit(
        PixelScaler().fit_transform(X), digits[1]
    )
    np.testing.assert_allclose(on_bytes.predict_proba(X), scaled.predict_proba(X / 255), atol=1e-4)


@pytest.mark.slow
def test_augmentation_improves_accuracy_on_deformed_digits():
    X, y = load_mnist_sample(subset="train", return_X_y=True)
    X_test, y_test = load_mnist_sample(subset="test", return_X_y=True)
    X, X_test = PixelScaler().fit_transform(X), PixelScaler().fit_transform(X_test)
    X_test = deformed(X_test, Augmentation(), random_numbers(np.random.default_rng(0), 1000), 0.0)
    params = {"hidden_layer_sizes": (128,), "epochs": 20, "random_state": 0}
    plain = DigitANNClassifier(**params).fit(X, y).score(X_test, y_test)
    taught = DigitANNClassifier(**params, augmentation="elastic").fit(X, y).score(X_test, y_test)
    assert taught > plain + 0.03


def test_augmentation_of_8_by_8_images():
    X, y = load_digits(return_X_y=True)
    model = DigitANNClassifier((32,), augmentation="affine", random_state=0)
    assert model.fit(X[:1000] / 16, y[:1000]).score(X[1000:] / 16, y[1000:]) > 0.9


@pytest.mark.slow
def test_partial_fit_in_chunks_equals_one_call(digits):
    X, y = digits[0][:512], digits[1][:512]
    params = {"hidden_layer_sizes": (16,), "augmentation": "elastic", "random_state": 0}
    whole = DigitANNClassifier(**params).partial_fit(X, y, classes=np.unique(y))
    chunked = DigitANNClassifier(**params)
    for start in (0, 256):
        chunk = slice(start, start + 256)
        chunked.partial_fit(X[chunk], y[chunk], classes=np.unique(y))
    np.testing.assert_array_equal(whole.coefs_[0], chunked.coefs_[0])


def test_clone_copy_pickle_and_save(digits, tmp_path):
    model = DigitANNClassifier(**PARAMS, augmentation=FULL)
    for copied in (clone(model), copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert copied.augmentation == FULL
    fitted = make_pipeline(PixelScaler(), model).fit(digits[0] * 255, digits[1])
    skdigits.save(fitted, tmp_path / "model.skdigits")
    loaded = skdigits.load(tmp_path / "model.skdigits")
    assert loaded[-1].augmentation == FULL
    np.testing.assert_array_equal(
        loaded.predict_proba(digits[0] * 255), fitted.predict_proba(digits[0] * 255)
    )
