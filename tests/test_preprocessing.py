"""PixelScaler."""

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from skdigits import PixelScaler

PIXELS = np.arange(256, dtype=np.uint8).reshape(4, 64)


@pytest.mark.parametrize("dtype", [np.uint8, np.int64, np.float32, np.float64, np.float16, object])
def test_pixels_are_divided_by_255(dtype):
    scaled = PixelScaler().fit_transform(PIXELS.astype(dtype))
    assert scaled.dtype == np.float32
    np.testing.assert_allclose(scaled, np.arange(256).reshape(4, 64) / 255, rtol=1e-6)


def test_images_are_flattened():
    scaler = PixelScaler().fit(PIXELS.reshape(4, 8, 8))
    assert scaler.n_features_in_ == 64
    expected = scaler.transform(PIXELS)
    np.testing.assert_array_equal(scaler.transform(PIXELS.reshape(4, 8, 8)), expected)


@pytest.mark.parametrize("form", [sparse.csr_array, sparse.csc_matrix])
def test_sparse_stays_sparse(form):
    X = form(PIXELS)
    scaler = PixelScaler().fit(X)
    scaled = scaler.transform(X)
    assert sparse.issparse(scaled)
    np.testing.assert_array_equal(scaled.toarray(), scaler.transform(PIXELS))
    np.testing.assert_array_equal(X.toarray(), PIXELS)
    np.testing.assert_allclose(scaler.inverse_transform(scaled).toarray(), PIXELS, rtol=1e-6)


def test_transform_does_not_modify_float32_input():
    X = PIXELS.astype(np.float32)
    PixelScaler().fit_transform(X)
    np.testing.assert_array_equal(X, PIXELS)


def test_inverse_transform_restores_pixels():
    scaler = PixelScaler().fit(PIXELS)
    back = scaler.inverse_transform(scaler.transform(PIXELS))
    np.testing.assert_allclose(back, PIXELS, atol=1e-4)


def test_feature_names_are_kept():
    frame = pd.DataFrame(PIXELS, columns=[f"pixel{i}" for i in range(64)])
    scaler = PixelScaler().set_output(transform="pandas").fit(frame)
    assert list(scaler.transform(frame).columns) == list(frame.columns)
    with pytest.raises(ValueError, match="feature names should match"):
        scaler.transform(frame.iloc[:, ::-1])


def test_wrong_width_is_refused():
    with pytest.raises(ValueError, match="X has 8 features, but PixelScaler is expecting 64"):
        PixelScaler().fit(PIXELS).transform(PIXELS[:, :8])
