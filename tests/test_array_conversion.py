"""Images, data frames and tensors are trained on as the NumPy arrays that they hold."""

import warnings

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from scipy import sparse

from skdigits import DigitANNClassifier, DigitDeskewer, DigitImageNormalizer, PixelScaler
from skdigits.datasets import load_mnist_sample
from skdigits.preprocessing import flatten_images

X, Y = load_mnist_sample(subset="train", return_X_y=True)
X, Y = np.asarray(X)[:200], np.asarray(Y)[:200]
IMAGES = X.reshape(-1, 28, 28)
NAMES = [f"pixel{i + 1}" for i in range(784)]


def small():
    return DigitANNClassifier((16,), epochs=1, random_state=0)


@pytest.fixture(scope="module")
def reference():
    return small().fit(X, Y)


def tensor(array):
    return pytest.importorskip("tensorflow").constant(array)


def jax_array(array):
    return pytest.importorskip("jax.numpy").asarray(array)


def torch_tensor(array):
    return pytest.importorskip("torch").from_numpy(array.copy())


def arrow_table(array):
    pa = pytest.importorskip("pyarrow")
    return pa.table(dict(zip(NAMES, array.T, strict=True)))


def arrow_frame(array):
    pytest.importorskip("pyarrow")
    return pd.DataFrame(array, columns=NAMES).astype("uint8[pyarrow]")


def polars_frame(array):
    return pytest.importorskip("polars").DataFrame(array, schema=NAMES)


TABLES = {
    "pandas": lambda array: pd.DataFrame(array, columns=NAMES),
    "pandas UInt8": lambda array: pd.DataFrame(array).astype("UInt8"),
    "pandas sparse": lambda array: pd.DataFrame(array).astype(pd.SparseDtype("uint8", 0)),
    "pandas on pyarrow": arrow_frame,
    "polars": polars_frame,
    "pyarrow": arrow_table,
    "TensorFlow": tensor,
    "JAX": jax_array,
    "PyTorch": torch_tensor,
    "sparse": sparse.csr_array,
    "list of rows": list,
}

STACKS = {
    "(n, 28, 28)": lambda: IMAGES,
    "(n, 28, 28, 1)": lambda: IMAGES[..., None],
    "(n, 1, 28, 28)": lambda: IMAGES[:, None],
    "list of arrays": lambda: list(IMAGES),
    "tuple of (28, 28, 1)": lambda: tuple(IMAGES[..., None]),
    "list of PIL images": lambda: [Image.fromarray(image) for image in IMAGES],
    "object array of arrays": lambda: pd.Series(list(IMAGES)).to_numpy(),
    "TensorFlow": lambda: tensor(IMAGES),
    "JAX": lambda: jax_array(IMAGES[..., None]),
    "PyTorch": lambda: torch_tensor(IMAGES[:, None]),
    "list of tensors": lambda: [tensor(image) for image in IMAGES],
}


def assert_trained_on_bytes(rows, reference):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = small().fit(rows, Y, X_val=rows, y_val=Y)
        assert model.score(rows, Y) == reference.score(X, Y)
        model.partial_fit(rows, Y)
    again = small().fit(X, Y).partial_fit(X, Y)
    np.testing.assert_array_equal(model.coefs_[0], again.coefs_[0])
    assert model.n_features_in_ == 784


@pytest.mark.parametrize("table", TABLES)
def test_uint8_in_any_container_is_trained_on_as_bytes(table, reference):
    assert_trained_on_bytes(TABLES[table](X), reference)


@pytest.mark.parametrize("stack", STACKS)
def test_stacks_of_images_are_trained_on_as_rows(stack, reference):
    assert_trained_on_bytes(STACKS[stack](), reference)


@pytest.mark.parametrize("transformer", [PixelScaler(), DigitDeskewer()])
@pytest.mark.parametrize("stack", STACKS)
def test_transformers_take_stacks_of_images(stack, transformer):
    images = STACKS[stack]()
    np.testing.assert_array_equal(transformer.fit_transform(images), transformer.transform(X))
    np.testing.assert_array_equal(flatten_images(images), X)


@pytest.mark.parametrize("table", [name for name in TABLES if "sparse" not in name])
@pytest.mark.parametrize("transformer", [DigitDeskewer(), DigitImageNormalizer()])
def test_transformers_keep_uint8_of_any_container(transformer, table):
    rows = TABLES[table](X[:20])
    found = transformer.fit(rows).transform(rows)
    assert found.dtype == np.uint8
    np.testing.assert_array_equal(found, transformer.fit(X[:20]).transform(X[:20]))


def test_other_column_dtypes_are_floats():
    frame = pd.DataFrame(X, columns=NAMES).astype({"pixel1": "float32"})
    with pytest.warns(UserWarning, match="not of dtype uint8"):
        small().fit(frame, Y)


@pytest.mark.parametrize("dtype", ["UInt8", "uint8[pyarrow]"])
def test_missing_values_are_refused(dtype):
    frame = pd.DataFrame(X).astype(dtype)
    frame.iloc[3, 5] = pd.NA
    with pytest.raises(ValueError, match="NaN"):
        small().fit(frame, Y)


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (np.repeat(IMAGES[..., None], 3, axis=3), r"shape \(200, 28, 28, 3\).*read_digit_images"),
        ([IMAGES[0], IMAGES[1][:20]], r"shapes \(20, 28\), \(28, 28\), expected one shape"),
        ([Image.fromarray(IMAGES[0]).convert("P")] * 2, "mode 'P'"),
        ([Image.fromarray(IMAGES[0]).convert("RGB")] * 2, "with colours"),
    ],
    ids=["channels", "shapes", "palette", "RGB"],
)
@pytest.mark.parametrize("estimator", [small(), PixelScaler()])
def test_images_of_other_shapes_and_modes_are_refused(estimator, images, message):
    with pytest.raises(ValueError, match=message):
        estimator.fit(images, Y[: len(images)])


def test_flatten_images_returns_other_input_itself():
    for rows in (X, X.tolist(), sparse.csr_array(X), pd.DataFrame(X), [1, 2], "text", None):
        assert flatten_images(rows) is rows
