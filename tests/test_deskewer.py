"""DigitDeskewer."""

import numpy as np
import pandas as pd
import pytest
from scipy import ndimage, sparse
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline

import skdigits
from skdigits import DigitANNClassifier, DigitImageNormalizer, PixelScaler
from skdigits.datasets import load_mnist_sample
from skdigits.preprocessing import DigitDeskewer

SIDE = 28
MIDDLE = (SIDE - 1) / 2


@pytest.fixture(scope="module")
def digits():
    X, y = load_mnist_sample(subset="train", return_X_y=True)
    return PixelScaler().fit_transform(X[:1200]), y[:1200]


def moments(row):
    """Centre along x and y, and the slant, of one image of black background."""
    image = row.reshape(SIDE, SIDE).astype(float)
    down, right = np.indices(image.shape) - MIDDLE
    x, y = (right * image).sum() / image.sum(), (down * image).sum() / image.sum()
    mixed = ((right - x) * (down - y) * image).sum()
    return x, y, mixed / ((down - y) ** 2 * image).sum()


def test_deskewed_digits_are_upright_and_centred(digits):
    X = digits[0][:200]
    upright = DigitDeskewer().fit_transform(X)
    whole = np.isclose(upright.sum(1), X.sum(1), rtol=1e-5)
    assert whole.mean() > 0.95
    for before, after in zip(X[whole], upright[whole], strict=True):
        _, height, _ = moments(before)
        np.testing.assert_allclose(moments(after), (0, height, 0), atol=1e-3)
    assert np.abs([moments(row)[2] for row in X]).max() > 0.5


def test_deskewing_equals_affine_transform_of_scipy(digits):
    X = digits[0][:50].astype(np.float64)
    for before, after in zip(X, DigitDeskewer().fit_transform(X), strict=True):
        x, y, slant = moments(before)
        # Points of the result, from the middle, to points of the image.
        matrix = np.array([[1, 0], [slant, 1]])
        offset = np.array([0, x - slant * y]) + MIDDLE - matrix @ [MIDDLE, MIDDLE]
        image = before.reshape(SIDE, SIDE)
        expected = ndimage.affine_transform(image, matrix, offset, order=1)
        np.testing.assert_allclose(after.reshape(SIDE, SIDE), expected, atol=1e-9)


def test_sum_of_each_image_row_is_kept(digits):
    X = digits[0]
    before, after = (
        A.reshape(-1, SIDE, SIDE).sum(2) for A in (X, DigitDeskewer().fit_transform(X))
    )
    # Few digits reach so far that a part of them is pushed out of the image.
    lost = (before - after).sum(1) / before.sum(1)
    assert lost.max() < 0.1
    assert np.mean(lost > 1e-5) < 0.01


@pytest.mark.parametrize(
    "scale", [lambda X: 1 - X, lambda X: 255 * X, lambda X: 3 * X - 0.4, lambda X: 1e300 * X]
)
def test_background_and_scale_do_not_matter(digits, scale):
    X = digits[0][:100].astype(np.float64)
    deskewer = DigitDeskewer().fit(X)
    expected = scale(deskewer.transform(X))
    atol = 1e-9 * np.abs(expected).max()
    np.testing.assert_allclose(deskewer.transform(scale(X)), expected, atol=atol)


def test_images_are_independent_and_input_is_not_modified(digits):
    X = digits[0]
    kept = X.copy()
    deskewer = DigitDeskewer().fit(X)
    together = deskewer.transform(X)
    np.testing.assert_array_equal(X, kept)
    alone = np.vstack([deskewer.transform(X[i : i + 1]) for i in (0, 999, 1000, 1199)])
    np.testing.assert_allclose(together[[0, 999, 1000, 1199]], alone, atol=1e-5)


@pytest.mark.parametrize(
    ("dtype", "expected"),
    [
        (np.uint8, np.uint8),
        (np.float32, np.float32),
        (np.float64, np.float64),
        (np.float16, np.float32),
        (np.int64, np.float32),
        (bool, np.float32),
    ],
)
def test_output_dtypes(digits, dtype, expected):
    X = digits[0][:20]
    X = X > 0.5 if dtype is bool else (X * 255).astype(dtype)
    upright = DigitDeskewer().fit_transform(X)
    assert upright.dtype == expected
    exact = DigitDeskewer().fit_transform(X.astype(np.float64))
    rounding = {np.uint8: 0.5, np.float64: 0}.get(dtype, 1e-3)
    np.testing.assert_allclose(upright, exact, atol=rounding + 1e-9)


@pytest.mark.parametrize("value", [0, 7, 255])
def test_constant_images_are_unchanged(value):
    X = np.full((2, 64), value, np.uint8)
    with np.errstate(all="raise"):
        np.testing.assert_array_equal(DigitDeskewer().fit_transform(X), X)


def test_horizontal_stroke_and_single_pixel():
    """Such have no height to tell a slant from."""
    X = np.zeros((2, 7, 7))
    X[0, 2, 1:4] = 1
    X[1, 4, 5] = 1
    level, dot = DigitDeskewer().fit_transform(X).reshape(2, 7, 7)
    assert level[2].tolist() == [0, 0, 1, 1, 1, 0, 0]
    assert dot[4].tolist() == [0, 0, 0, 1, 0, 0, 0]
    assert (level.sum(), dot.sum()) == (3, 1)


def test_images_sparse_matrices_and_data_frames(digits):
    X = digits[0][:10]
    expected = DigitDeskewer().fit_transform(X)
    for same in (X.reshape(-1, SIDE, SIDE), sparse.csr_array(X), sparse.csc_matrix(X), X.tolist()):
        np.testing.assert_allclose(DigitDeskewer().fit_transform(same), expected, atol=1e-6)
    frame = pd.DataFrame(X, columns=[f"pixel{i + 1}" for i in range(784)])
    deskewer = DigitDeskewer().set_output(transform="pandas").fit(frame)
    assert list(deskewer.get_feature_names_out()) == list(frame.columns)
    assert list(deskewer.transform(frame).columns) == list(frame.columns)


@pytest.mark.parametrize(
    ("X", "message"),
    [
        (np.zeros((3, 783)), "Got 783 features with DigitDeskewer, expected a square number"),
        (np.zeros((3, 8, 9)), "Got 72 features with DigitDeskewer"),
        (np.full((1, 64), np.nan), "contains NaN"),
        (np.full((1, 64), np.inf), "contains infinity"),
        ([["a"] * 64], "Convert your data to numeric values"),
        (np.zeros((1, 64), complex), "Complex data not supported"),
        (np.zeros((0, 64)), "0 sample"),
        ([[10**400] * 64], "integer beyond float64"),
    ],
)
def test_rows_that_are_not_square_images_are_refused(X, message):
    with pytest.raises(ValueError, match=message):
        DigitDeskewer().fit(X)


def test_other_number_of_pixels_than_in_fit_is_refused():
    with pytest.raises(NotFittedError):
        DigitDeskewer().transform(np.zeros((1, 64)))
    with pytest.raises(ValueError, match="X has 49 features, but DigitDeskewer is expecting 64"):
        DigitDeskewer().fit(np.zeros((1, 64))).transform(np.zeros((1, 49)))


def test_pipeline_with_deskewer(digits, tmp_path):
    X, y = (digits[0] * 255).astype(np.uint8), digits[1]
    network = DigitANNClassifier((32,), augmentation="affine", epochs=5, random_state=0)
    model = make_pipeline(PixelScaler(), DigitDeskewer(), network).fit(X, y)
    by_hand = clone(network).fit(DigitDeskewer().fit_transform(digits[0]), y)
    np.testing.assert_allclose(
        model.predict_proba(X),
        by_hand.predict_proba(DigitDeskewer().fit_transform(digits[0])),
        atol=1e-6,
    )
    skdigits.save(model, tmp_path / "model.skdigits")
    loaded = skdigits.load(tmp_path / "model.skdigits")
    np.testing.assert_array_equal(loaded.predict_proba(X), model.predict_proba(X))
    reader = make_pipeline(DigitImageNormalizer(), loaded)
    assert (reader.predict(X[:50]) == model.predict(X[:50])).mean() > 0.9


@pytest.mark.slow
def test_deskewing_improves_accuracy():
    """On digits of the package that no one trained on, with several seeds."""
    (X, y), (X_test, y_test) = (
        load_mnist_sample(subset=subset, return_X_y=True) for subset in ("train", "test")
    )
    wrong = {True: 0, False: 0}
    for seed in range(3):
        for deskewed in wrong:
            steps = [PixelScaler(), *([DigitDeskewer()] if deskewed else [])]
            network = DigitANNClassifier((64,), epochs=10, random_state=seed)
            model = make_pipeline(*steps, network).fit(X, y)
            wrong[deskewed] += (model.predict(X_test) != y_test).sum()
    assert wrong[True] < 0.9 * wrong[False]
