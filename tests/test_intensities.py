"""Images in another range than is meant are warned of, and nothing else is."""

import warnings

import numpy as np
import pytest
from scipy import sparse
from sklearn.pipeline import make_pipeline

from skdigits import DigitANNClassifier, PixelScaler, load_pretrained
from skdigits.datasets import load_mnist_sample

X, Y = load_mnist_sample(subset="test", return_X_y=True)
X, Y = np.asarray(X)[:300], np.asarray(Y)[:300]
SCALED = X / np.float32(255)


def small():
    return DigitANNClassifier((16,), epochs=1, random_state=0)


@pytest.fixture(scope="module")
def on_bytes():
    return small().fit(X, Y)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n_rows", [1, 300])
def test_scaled_images_where_pixels_are_meant(on_bytes, dtype, n_rows):
    rows = SCALED[:n_rows].astype(dtype)
    for model in (on_bytes, load_pretrained()):
        with pytest.warns(UserWarning, match="from 0 to 1, expected pixels from 0 to 255"):
            model.predict(rows)
    scaler = PixelScaler().fit(rows)
    with pytest.warns(UserWarning, match="divided by 255 already") as caught:
        scaler.transform(rows)
    assert caught[0].filename == __file__


@pytest.mark.parametrize("dtype", [np.int64, np.float32, np.float64])
def test_pixels_that_are_no_bytes(dtype):
    with pytest.warns(UserWarning, match="whole numbers from 0 to 255, which look like pixels"):
        small().fit(X.astype(dtype), Y)


def test_what_is_as_it_is_meant(on_bytes):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        on_bytes.predict(X)
        on_bytes.predict(X.astype(float))
        on_bytes.predict(np.zeros((2, 784)))
        on_bytes.predict(sparse.csr_array(SCALED))
        PixelScaler().fit_transform(np.zeros((2, 784)))
        on_bytes.predict((X > 127).astype(float))
        PixelScaler().fit_transform((X > 127).astype(float))
        PixelScaler().fit_transform(SCALED[:, 300:360])
        PixelScaler().fit_transform(-SCALED)
        for rows in (SCALED, SCALED - 0.5, np.rint(16 * SCALED), 255 * SCALED + 0.5):
            small().fit(rows, Y)
        make_pipeline(PixelScaler(), small()).fit(X.astype(float), Y).predict(X)
