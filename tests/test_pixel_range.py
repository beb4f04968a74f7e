"""Rows on another scale than the network expects cause a warning, other rows do not."""

import warnings

import numpy as np
import pytest
from scipy import sparse
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skdigits import DigitANNClassifier, PixelScaler, load_pretrained
from skdigits.datasets import load_mnist_sample

X, Y = load_mnist_sample(subset="test", return_X_y=True)
X, Y = np.asarray(X)[:300], np.asarray(Y)[:300]
SCALED = X / np.float32(255)
STANDARD = StandardScaler().fit_transform(X).astype(np.float32)
PIXELS = X.astype(np.float32)
CLASSES = np.unique(Y)


def small(**params):
    return DigitANNClassifier((16,), epochs=1, random_state=0, **params)


@pytest.fixture(scope="module")
def on_bytes():
    return small().fit(X, Y)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n_rows", [1, 300])
def test_predict_warns_of_scaled_rows_after_bytes(on_bytes, dtype, n_rows):
    rows = SCALED[:n_rows].astype(dtype)
    with pytest.warns(UserWarning, match=r"pixels from 0 to 255 .*transform_input") as caught:
        on_bytes.predict(rows)
    assert caught[0].filename == __file__


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_scaler_warns_of_scaled_rows(dtype):
    rows = SCALED.astype(dtype)
    scaler = PixelScaler().fit(rows)
    with pytest.warns(UserWarning, match="divided by 255 already") as caught:
        scaler.transform(rows)
    assert caught[0].filename == __file__
    with pytest.warns(UserWarning, match="divided by 255 already"):
        load_pretrained().predict(rows)


@pytest.mark.parametrize("dtype", [np.int64, np.float32, np.float64])
def test_fit_and_first_chunk_warn_of_pixels_that_are_not_bytes(dtype):
    message = "whole numbers from 0 to 255 that are not of dtype uint8"
    with pytest.warns(UserWarning, match=message) as caught:
        small().fit(X.astype(dtype), Y)
    assert caught[0].filename == __file__
    with pytest.warns(UserWarning, match=message) as caught:
        small().partial_fit(X.astype(dtype), Y, classes=CLASSES)
    assert caught[0].filename == __file__


OTHER_SCALES = {
    "pixels after scaled rows": (SCALED, PIXELS),
    "bytes after scaled rows": (SCALED, X),
    "scaled rows after bytes": (X, SCALED),
    "scaled rows after standardised rows": (STANDARD, SCALED),
    "standardised rows after scaled rows": (SCALED, STANDARD),
    "standardised rows after bytes": (X, STANDARD),
    "pixels after standardised rows": (STANDARD, X),
}


@pytest.mark.parametrize("case", OTHER_SCALES)
def test_validation_rows_on_another_scale(case):
    rows, others = OTHER_SCALES[case]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        small().fit(rows[:200], Y[:200], X_val=others[200:], y_val=Y[200:])
    # A second warning may name a temperature at its bound.
    assert "Got X_val on another scale than the training rows X" in str(caught[0].message)
    assert all("transform_input" in str(warning.message) for warning in caught)
    assert {warning.filename for warning in caught} == {__file__}


@pytest.mark.parametrize("case", OTHER_SCALES)
@pytest.mark.parametrize("method", ["partial_fit", "warm_start"])
def test_later_rows_on_another_scale(case, method):
    rows, others = OTHER_SCALES[case]
    model = small(warm_start=method == "warm_start")

    def train(some):
        if method == "warm_start":
            return model.fit(some, Y)
        return model.partial_fit(some, Y, classes=CLASSES)

    train(rows)
    before = model.coefs_[0].copy()
    if (rows.dtype == np.uint8) != (others.dtype == np.uint8):
        with pytest.raises(ValueError, match=r"expected those of the fit .*transform_input"):
            train(others)
        np.testing.assert_array_equal(model.coefs_[0], before)
        return
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        train(others)
    found = [w for w in caught if "X on another scale than the earlier rows" in str(w.message)]
    assert len(found) == 1
    assert "transform_input" in str(found[0].message)
    assert found[0].filename == __file__


def test_validation_rows_that_do_not_pass_the_scaler_of_a_pipeline():
    model = make_pipeline(PixelScaler(), small())
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model.fit(X, Y, digitannclassifier__X_val=X, digitannclassifier__y_val=Y)
    assert "transform_input" in str(caught[0].message)


def test_rows_on_the_expected_scale_cause_no_warning(on_bytes):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        on_bytes.predict(X)
        on_bytes.predict(X.astype(float))
        on_bytes.predict(np.zeros((2, 784)))
        on_bytes.predict(sparse.csr_array(SCALED))
        on_bytes.predict((X > 127).astype(float))
        PixelScaler().fit_transform(np.zeros((2, 784)))
        PixelScaler().fit_transform((X > 127).astype(float))
        PixelScaler().fit_transform(SCALED[:, 300:360])
        PixelScaler().fit_transform(-SCALED)
        for rows in (SCALED, STANDARD, np.rint(16 * SCALED), 255 * SCALED + 0.5):
            small().fit(rows, Y)
        make_pipeline(PixelScaler(), small()).fit(X.astype(float), Y).predict(X)


@pytest.mark.parametrize("rows", [X, SCALED, STANDARD], ids=["bytes", "scaled", "standardised"])
def test_validation_rows_and_chunks_on_the_scale_of_X_cause_no_warning(rows):
    for n_rows in (1, 20, 100):
        some = slice(200, 200 + n_rows)
        small().fit(rows[:200], Y[:200], X_val=rows[some], y_val=Y[some])
    model = small()
    for label in CLASSES:
        model.partial_fit(rows[label == Y], Y[label == Y], classes=CLASSES)
    pixels = X.astype(np.float64)
    small().fit(X, Y, X_val=pixels, y_val=Y)
