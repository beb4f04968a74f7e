"""X, y and weights of any type give the results of plain arrays or raise an error with a message.

The error is a ValueError or TypeError whose traceback doesn't reach TensorFlow. Arguments are never
modified, and no prediction is NaN. The tests named fuzzed are slow and run a fixed number of cases;
SKDIGITS_EXAMPLES=2000 runs as many random ones of each.
"""

import copy
import datetime
import os
import tempfile
import traceback
import warnings
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, assume, currently_in_test_context, example, given, settings
from hypothesis import strategies as st
from scipy import sparse, special
from sklearn.exceptions import ConvergenceWarning, DataConversionWarning
from sklearn.model_selection import GridSearchCV, KFold, StratifiedKFold, cross_val_score

from skdigits import DigitANNClassifier, PixelScaler

EXAMPLES = int(os.environ.get("SKDIGITS_EXAMPLES", "0"))

# One network for nearly everything, so that few programs are compiled.
PARAMS = {
    "hidden_layer_sizes": (3,),
    "epochs": 2,
    "batch_size": 8,
    "label_smoothing": 0.0,
    "random_state": 0,
}
ROWS, FEATURES = 16, 4
Y = np.arange(ROWS) % 3


def share(n_examples):
    return settings(
        max_examples=EXAMPLES or n_examples,
        derandomize=not EXAMPLES,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )


def require(condition):
    """Skip random cases that don't exist."""
    if currently_in_test_context():
        assume(condition)
    assert condition


def model(**params):
    return DigitANNClassifier(**PARAMS | params)


def numbers(seed=0, n_rows=ROWS, n_features=FEATURES):
    """Small integers, which every numeric dtype can hold."""
    return np.random.default_rng(seed).integers(0, 4, (n_rows, n_features))


def fingerprint(given):
    """All that could change in an argument."""
    if isinstance(given, np.ndarray):
        return given.dtype, given.shape, given.strides, given.tobytes()
    if sparse.issparse(given):
        names = ("data", "indices", "indptr", "coords", "offsets", "rows")
        arrays = [(name, repr(getattr(given, name, None))) for name in names]
        return given.dtype, given.shape, arrays, given.toarray().tobytes()
    if isinstance(given, (pd.DataFrame, pd.Series)):
        return repr(given.to_dict()), repr(given.index), repr(given.dtypes)
    return repr(given)


def attempt(call, *given):
    """What a call returns, or the error by which it refuses; other errors are failures."""
    before = [fingerprint(argument) for argument in given]
    try:
        result = call(*given)
    except (ValueError, TypeError) as error:
        result = error
    if refused(result):
        assert len(str(result)) > 10
        files = [frame.filename for frame in traceback.extract_tb(result.__traceback__)]
        assert not {"tensorflow", "keras", "scikeras"} & {p for f in files for p in Path(f).parts}
    assert [fingerprint(argument) for argument in given] == before
    return result


def refused(result):
    return isinstance(result, Exception)


REFERENCES = {}


def reference(X, y=Y, *, sample_weight=None, partial=False, watched=False):
    """The plain case: C-contiguous float32 rows and class indices, each fitted once."""
    X = np.ascontiguousarray(X, dtype=np.float32)
    key = (X.shape, X.tobytes(), tuple(y), None if sample_weight is None else tuple(sample_weight))
    key += (partial, watched)
    if key not in REFERENCES:
        fresh = model()
        if partial:
            fresh.partial_fit(X, y, classes=[0, 1, 2], sample_weight=sample_weight)
        else:
            validation = {"X_val": X, "y_val": y} if watched else {}
            fresh.fit(X, y, sample_weight=sample_weight, **validation)
        REFERENCES[key] = fresh
    return REFERENCES[key]


def assert_agree(fitted, expected, atol=1e-6):
    arrays = [*fitted.coefs_, *fitted.intercepts_]
    for found, plain in zip(arrays, [*expected.coefs_, *expected.intercepts_], strict=True):
        np.testing.assert_allclose(found, plain, atol=atol)


def check_x(X, values, atol=1e-6, must_work=True, scale=1.0):
    """Every method on X against the same on plain float32 `values`; True if X is taken.

    `scale` is what fit multiplies by: 1/255 for bytes.
    """
    scaled = (values * scale).astype(np.float32)
    calls = {
        "fit": lambda X: model().fit(X, Y),
        "partial_fit": lambda X: model().partial_fit(X, Y, classes=[0, 1, 2]),
        "predict": reference(values).predict,
        "predict_proba": reference(values).predict_proba,
        "score": lambda X: reference(values).score(X, Y),
    }
    found = {name: attempt(call, X) for name, call in calls.items()}
    if any(refused(result) for result in found.values()):
        assert all(refused(result) for result in found.values()), found
        assert not must_work, found
        return False
    assert_agree(found["fit"], reference(scaled), atol)
    assert_agree(found["partial_fit"], reference(scaled, partial=True), atol)
    plain = values.astype(np.float32)
    expected = reference(values).predict_proba(plain)
    # Strides may take another path through the matrix product, with other last digits.
    np.testing.assert_allclose(found["predict_proba"], expected, rtol=1e-5, atol=atol)
    np.testing.assert_array_equal(found["predict"], expected.argmax(axis=1))
    assert found["score"] == reference(values).score(plain, Y)
    curve = attempt(lambda X: model().fit(plain, Y, X_val=X, y_val=Y), X).validation_loss_curve_
    expected = reference(values, watched=True).validation_loss_curve_
    np.testing.assert_allclose(curve, expected, rtol=1e-5)
    own = attempt(found["fit"].predict_proba, X)
    expected = reference(scaled).predict_proba(scaled)
    np.testing.assert_allclose(own, expected, rtol=1e-5, atol=atol)
    return True


# --- X: dtype, order, stride ---------------------------------------------------------------------

NUMERIC_DTYPES = ["?", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "f2", "f4", "f8", "g"]
OTHER_DTYPES = ["F", "D", "M8[D]", "m8[s]", "S4", "U4", "O", [("a", "f4")], "V4"]


def in_memory_map(X, mode):
    if X.dtype.hasobject:
        raise TypeError("No objects in files.")
    with tempfile.TemporaryFile() as file:
        file.write(X.tobytes())
        file.flush()
        return np.memmap(file, X.dtype, mode, shape=X.shape)


def unaligned(X):
    room = np.zeros(X.nbytes + 1, dtype=np.uint8)[1:]
    room[:] = np.frombuffer(X.tobytes(), dtype=np.uint8)
    return room.view(X.dtype).reshape(X.shape)


def inside_another(X):
    room = np.zeros((len(X) + 2, X.shape[1] + 3), X.dtype)
    room[1:-1, 2:-1] = X
    return room[1:-1, 2:-1]


def read_only(X):
    X = X.copy()
    X.flags.writeable = False
    return X


class Subclass(np.ndarray):
    """An array type of somebody else."""


LAYOUTS = {
    "C": np.ascontiguousarray,
    "Fortran": np.asfortranarray,
    "rows backwards": lambda X: X[::-1].copy()[::-1],
    "columns backwards": lambda X: X[:, ::-1].copy()[:, ::-1],
    "every other row": lambda X: np.repeat(X, 2, axis=0)[::2],
    "every third column": lambda X: np.repeat(X, 3, axis=1)[:, ::3],
    "inside another": inside_another,
    "one row broadcast": lambda X: np.broadcast_to(X[:1], X.shape),
    "one column broadcast": lambda X: np.broadcast_to(X[:, :1], X.shape),
    "bytes swapped": lambda X: X.astype(X.dtype.newbyteorder()),
    "read-only": read_only,
    "unaligned": unaligned,
    "memory map, read-only": lambda X: in_memory_map(X, "r"),
    "memory map, copy on write": lambda X: in_memory_map(X, "c"),
    "subclass": lambda X: X.view(Subclass),
    "images": lambda X: X.reshape(len(X), 2, 2),
    "images in Fortran order": lambda X: np.asfortranarray(X.reshape(len(X), 2, 2)),
}

any_dtype = st.sampled_from([*NUMERIC_DTYPES, *OTHER_DTYPES]).map(np.dtype)
any_layout = st.sampled_from(list(LAYOUTS))


def of_dtype(values, dtype):
    return np.zeros(values.shape, dtype) if dtype.kind == "V" else values.astype(dtype)


def laid_out(X, layout):
    require(not (X.dtype.hasobject and ("map" in layout or layout == "unaligned")))
    return LAYOUTS[layout](X)


def check_array(dtype, layout, seed):
    X = laid_out(of_dtype(numbers(seed), dtype), layout)
    is_number = dtype.kind in "biuf"
    values = laid_out(numbers(seed).astype(np.float64), layout).reshape(ROWS, FEATURES)
    values = np.array({"b": values != 0, "V": 0 * values}.get(dtype.kind, values), dtype=float)
    taken = check_x(
        X,
        values,
        atol=1e-4 if dtype in (np.float64, np.uint8) else 0,
        must_work=is_number,
        scale=1 / 255 if dtype == np.uint8 else 1.0,
    )
    assert not (taken and dtype.kind == "c")


@pytest.mark.parametrize(
    ("dtype", "layout"),
    [
        ("f4", "Fortran"), ("f4", "read-only"), ("f8", "every third column"), ("u1", "images"),
        (">f4", "C"), ("i8", "memory map, read-only"), ("?", "C"), ("f2", "unaligned"),
        ("O", "C"), ("D", "C"), ("M8[D]", "C"), ("U4", "C"), ("V4", "C"), ("f4", "subclass"),
    ],
)  # fmt: skip
def test_X_of_dtype_and_layout(dtype, layout):
    check_array(np.dtype(dtype), layout, seed=0)


@pytest.mark.slow
@share(100)
@given(dtype=any_dtype, layout=any_layout, seed=st.integers(0, 3))
def test_array_fuzzed(dtype, layout, seed):
    check_array(dtype, layout, seed)


def check_scaled_array(dtype, layout, seed):
    X = laid_out(of_dtype(50 * numbers(seed) % 128, dtype), layout)
    fitted = attempt(lambda X: PixelScaler().fit(X), X)
    scaled = fitted if refused(fitted) else attempt(fitted.transform, X)
    if refused(scaled):
        assert dtype.kind not in "biuf"
        return
    assert dtype.kind not in "cV"
    values = np.array(X, dtype=np.float64).reshape(ROWS, FEATURES)
    assert (scaled.dtype, scaled.shape) == (np.float32, values.shape)
    assert not np.shares_memory(scaled, X)
    np.testing.assert_allclose(scaled, values / 255, rtol=1e-6)
    np.testing.assert_allclose(fitted.inverse_transform(scaled), values, rtol=1e-6)


@pytest.mark.parametrize(
    ("dtype", "layout"), [("u1", "images"), ("f8", "Fortran"), ("i4", "read-only"), ("D", "C")]
)
def test_scaled_X_of_dtype_and_layout(dtype, layout):
    check_scaled_array(np.dtype(dtype), layout, seed=0)


@pytest.mark.slow
@share(100)
@given(dtype=any_dtype, layout=any_layout, seed=st.integers(0, 3))
def test_scaled_array_fuzzed(dtype, layout, seed):
    check_scaled_array(dtype, layout, seed)


# --- X: shape ------------------------------------------------------------------------------------

INNER = [
    (), (0,), (1,), (4,), (9,), (1, 1), (2, 2), (3, 3), (0, 4), (4, 0), (0, 0), (1, 1, 4),
    (2, 2, 1), (2, 2, 0),
]  # fmt: skip


def check_shape(n_rows, inner, as_list):
    shape = () if n_rows is None else (n_rows, *inner)
    X = np.random.default_rng(1).integers(0, 4, shape).astype(np.float32)
    y = np.arange(n_rows or 0) % 3
    n_features = int(np.prod(inner))
    rows = X.reshape(len(X), n_features) if inner and n_rows else np.ones((1, 1), np.float32)
    # Images with or without an axis for the one channel.
    images = len(inner) == 2 or (len(inner) == 3 and 1 in (inner[0], inner[2]))
    works = bool(n_rows) and (len(inner) == 1 or images) and n_features
    given_x = X.tolist() if as_list else X

    fitted = attempt(lambda X: model().partial_fit(X, y, classes=[0, 1, 2]), given_x)
    assert refused(fitted) != works
    of_width = [reference(numbers(2, 16, width), partial=True) for width in (1, 4, 9)]
    for network in of_width:
        proba = attempt(network.predict_proba, given_x)
        assert refused(proba) != (works and n_features == network.n_features_in_)
        if not refused(proba):
            np.testing.assert_array_equal(proba, network.predict_proba(rows))
    scaled = attempt(lambda X: PixelScaler().fit_transform(X), given_x)
    assert refused(scaled) != works
    if works:
        assert_agree(fitted, reference(rows, y, partial=True))
        np.testing.assert_allclose(scaled, rows / 255, rtol=1e-6)
        assert scaled.shape == rows.shape


@pytest.mark.parametrize(
    ("n_rows", "inner", "as_list"),
    [
        (None, (), False), (0, (4,), False), (1, (4,), True), (16, (2, 2), False),
        (16, (2, 2), True), (3, (0,), False), (16, (1, 1, 4), False), (0, (2, 2), False),
    ],
)  # fmt: skip
def test_X_of_shape(n_rows, inner, as_list):
    check_shape(n_rows, inner, as_list)


@pytest.mark.slow
@share(90)
@given(
    n_rows=st.sampled_from([None, 0, 1, 2, 3, 7, 16, 17, 32]),
    inner=st.sampled_from(INNER),
    as_list=st.booleans(),
)
@example(n_rows=0, inner=(2, 2), as_list=False)
def test_shape_fuzzed(n_rows, inner, as_list):
    check_shape(n_rows, inner, as_list)


def check_batches(n_rows, batch_size, seed):
    """Batches of a linear network by hand, the last one shorter or the only one."""
    X, y = numbers(seed, n_rows).astype(np.float64), np.arange(n_rows) % 3
    params = {"hidden_layer_sizes": (), "batch_size": batch_size, "optimizer": "sgd"}
    fitted = model(**params, learning_rate=0.125).partial_fit(X, y, classes=[0, 1, 2])
    kernel, bias = np.zeros((FEATURES, 3)), np.zeros(3)
    for start in range(0, n_rows, batch_size):
        rows, labels = X[start : start + batch_size], y[start : start + batch_size]
        error = (special.softmax(rows @ kernel + bias, axis=1) - np.eye(3)[labels]) / len(rows)
        kernel, bias = kernel - 0.125 * rows.T @ error, bias - 0.125 * error.sum(axis=0)
    np.testing.assert_allclose(fitted.coefs_[0], kernel, atol=1e-9)
    np.testing.assert_allclose(fitted.intercepts_[0], bias, atol=1e-9)


@pytest.mark.parametrize(("n_rows", "batch_size"), [(1, 5), (12, 5), (16, 1000)])
def test_batches_by_hand(n_rows, batch_size):
    check_batches(n_rows, batch_size, seed=0)


@pytest.mark.slow
@share(40)
@given(n_rows=st.integers(1, 32), batch_size=st.sampled_from([5, 32, 1000]), seed=st.integers(0, 9))
def test_batches_fuzzed(n_rows, batch_size, seed):
    check_batches(n_rows, batch_size, seed)


# --- X: values -----------------------------------------------------------------------------------

BAD = [np.nan, np.inf, -np.inf]
HUGE = [1e10, -1e20, 1e30, 3e38, -3e38, 1e39, -1e300, 1.7e308, 1e-45, 5e-324, "longdouble"]


CALLS = {
    "fit": lambda X, plain: model().fit(X, Y),
    "partial_fit": lambda X, plain: model().partial_fit(X, Y, classes=[0, 1, 2]),
    "next partial_fit": lambda X, plain: copy.deepcopy(plain).partial_fit(X, Y),
    "X_val": lambda X, plain: model().fit(plain.rows, Y, X_val=X, y_val=Y),
    "predict": lambda X, plain: plain.predict(X) == 1,
    "predict_proba": lambda X, plain: plain.predict_proba(X),
    "decision_function": lambda X, plain: plain.decision_function(X),
    "score": lambda X, plain: plain.score(X, Y),
    "scaler": lambda X, plain: PixelScaler().fit_transform(X),
    "scaler back": lambda X, plain: PixelScaler().fit(plain.rows).inverse_transform(X),
}
FRESH = ("fit", "partial_fit")


def check_extreme_value(name, dtype, bad, where, seed):
    bad = np.finfo(np.longdouble).max if bad == "longdouble" else bad
    with np.errstate(over="ignore"):
        X = numbers(seed).astype(dtype)
        for index in where:
            X[index] = bad
        taken = X.astype(np.float64 if dtype == np.float64 and name in FRESH else np.float32)
    plain = reference(numbers(seed))
    plain.rows = numbers(seed).astype(np.float32)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        # Validation rows on another scale.
        warnings.simplefilter("ignore", UserWarning)
        result = attempt(lambda X: CALLS[name](X, plain), X)
    if not np.isfinite(taken).all() and "scaler" not in name:
        assert refused(result)
    if isinstance(result, DigitANNClassifier):
        result = attempt(result.predict_proba, plain.rows)
    assert refused(result) or np.isfinite(result).all()


@pytest.mark.parametrize(
    ("name", "dtype", "bad"),
    [
        *((name, "f4", np.nan) for name in CALLS),
        ("fit", "f8", np.inf), ("predict_proba", "f8", 1e39), ("predict_proba", "f4", 3e38),
        ("fit", "g", "longdouble"), ("next partial_fit", "f8", 1.7e308), ("X_val", "f8", 1.7e308),
        ("scaler", "f8", 1.7e308), ("fit", "f8", 5e-324),
    ],
)  # fmt: skip
def test_extreme_values(name, dtype, bad):
    check_extreme_value(name, np.dtype(dtype), bad, [(3, i) for i in range(4)], seed=0)


@pytest.mark.slow
@share(150)
@given(
    name=st.sampled_from(list(CALLS)),
    dtype=st.sampled_from(["f2", "f4", "f8", "g", ">f4", ">f8"]).map(np.dtype),
    bad=st.sampled_from([*BAD, *HUGE]),
    where=st.lists(st.tuples(st.integers(0, 15), st.integers(0, 3)), min_size=1, max_size=64),
    seed=st.integers(0, 3),
)
@example("predict_proba", np.dtype("f4"), 3e38, [(0, i) for i in range(4)], 0)
@example("predict_proba", np.dtype("f4"), -3e38, [(i, 0) for i in range(16)], 1)
@example("fit", np.dtype("g"), "longdouble", [(0, 0)], 0)
@example("next partial_fit", np.dtype("f8"), 1.7e308, [(0, 0)], 0)
@example("X_val", np.dtype("f8"), 1.7e308, [(3, i) for i in range(4)], 1)
@example("X_val", np.dtype("f4"), 3e38, [(3, i) for i in range(4)], 1)
@example("scaler", np.dtype("f8"), 1.7e308, [(0, 0)], 0)
def test_extreme_value_fuzzed(name, dtype, bad, where, seed):
    check_extreme_value(name, dtype, bad, where, seed)


ELEMENTS = [
    -1, 2.5, True, np.float32(0.5), np.int8(3), Decimal("1.5"), Fraction(1, 2),
    None, np.nan, np.inf, pd.NA, pd.NaT, "1", "one", "", b"1", 1j, 10**30, 10**400, [1], (), {},
    np.array([1, 2]), np.array(1), datetime.date(2020, 1, 1), np.datetime64("2020"), object(),
]  # fmt: skip
REAL = (bool, int, float, np.number, Decimal, Fraction)


def is_real(element):
    return isinstance(element, REAL) and not np.iscomplexobj(element) and abs(element) < 100


def check_objects(elements, where, as_list):
    X = numbers().astype(object)
    for element, index in zip(elements, where, strict=False):
        X[index] = element
    real = all(is_real(element) for element in X.ravel())
    values = np.array([[float(v) for v in row] for row in X]) if real else numbers()
    plain = reference(values if real else numbers())
    given_x = X.tolist() if as_list else X
    for call in (
        lambda X: model().fit(X, Y),
        lambda X: model().partial_fit(X, Y, classes=[0, 1, 2]),
        plain.predict_proba,
        lambda X: plain.score(X, Y),
        lambda X: PixelScaler().fit_transform(X),
    ):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            result = attempt(call, given_x)
        assert not (real and refused(result)), result
        if isinstance(result, DigitANNClassifier):
            result = result.predict_proba(numbers().astype(np.float32))
        assert refused(result) or np.isfinite(result).all()
    if real:
        atol = 1e-4  # of floats, lists become float64
        assert_agree(attempt(lambda X: model().fit(X, Y), given_x), reference(values), atol)
        np.testing.assert_allclose(
            plain.predict_proba(given_x), plain.predict_proba(values.astype(np.float32)), atol=atol
        )


@pytest.mark.parametrize(
    ("element", "as_list"),
    [
        (Decimal("1.5"), False), (Fraction(1, 2), True), (None, False), (pd.NA, True), ("1", False),
        (1j, False), (10**400, False), ([1], True), (np.datetime64("2020"), False),
    ],
)  # fmt: skip
def test_X_of_objects(element, as_list):
    check_objects([element], [(0, 0)], as_list)


@pytest.mark.slow
@share(120)
@given(
    elements=st.lists(st.sampled_from(ELEMENTS), min_size=1, max_size=3),
    where=st.lists(st.tuples(st.integers(0, 15), st.integers(0, 3)), min_size=1, max_size=3),
    as_list=st.booleans(),
)
@example(elements=[10**400], where=[(0, 0)], as_list=False)
def test_objects_fuzzed(elements, where, as_list):
    check_objects(elements, where, as_list)


NO_TABLES = {
    "none": None,
    "a number": 3,
    "a word": "0123",
    "bytes": b"0123",
    "a dict": {"a": [1, 2], "b": [3, 4]},
    "a set": {1, 2},
    "a generator": ([i, i] for i in range(ROWS)),
    "a range": range(ROWS),
    "a function": len,
    "an object": object(),
    "a class": DigitANNClassifier,
    "nothing": [],
    "rows of nothing": [[]] * ROWS,
    "ragged rows": [[1, 2, 3, 4]] * (ROWS - 1) + [[1, 2, 3]],
    "words": [["one", "two", "three", "four"]] * ROWS,
    "a matrix of old": np.asmatrix(numbers()),
    "a series": pd.Series(range(ROWS)),
    "a frame without columns": pd.DataFrame(index=range(ROWS)),
    "a frame without rows": pd.DataFrame(columns=["a", "b", "c", "d"]),
    "names of several types": pd.DataFrame(numbers(), columns=["a", 1, "b", 2]),
    "a sparse vector": sparse.coo_array(np.arange(ROWS)),
    "a sparse matrix without columns": sparse.csr_array((ROWS, 0)),
}


@pytest.mark.filterwarnings("ignore:X has feature names")
@pytest.mark.parametrize("name", NO_TABLES)
def test_X_that_is_no_table_raises(name):
    plain = reference(numbers())
    for call in (
        lambda X: model().fit(X, Y),
        lambda X: model().partial_fit(X, Y, classes=[0, 1, 2]),
        lambda X: model().fit(numbers(), Y, X_val=X, y_val=Y),
        plain.predict,
        plain.predict_proba,
        lambda X: plain.score(X, Y),
        lambda X: PixelScaler().fit(X),
        PixelScaler().fit(numbers()).transform,
    ):
        assert refused(attempt(call, NO_TABLES[name]))


def test_decision_function_of_large_values_is_not_nan():
    X = numbers().astype(np.float32)
    fitted = model().fit(X, Y > 0)
    for huge in (1e30, 3e38, -3e38):
        odds = attempt(fitted.decision_function, np.full((2, FEATURES), huge, np.float32))
        assert refused(odds) or not np.isnan(odds).any()


# --- X: sparse -----------------------------------------------------------------------------------

FORMATS = ["bsr", "coo", "csc", "csr", "dia", "dok", "lil"]


def with_duplicates(X):
    """The same matrix, each entry in two halves, unsorted, with zeros stored."""
    row, column = np.indices(X.shape).reshape(2, -1)[:, ::-1]
    values = X[row, column]
    halves = (values // 2, values - values // 2)
    indices = np.tile(row, 2), np.tile(column, 2)
    return sparse.coo_array((np.concatenate(halves).astype(X.dtype), indices), shape=X.shape)


def raw_csr_with_duplicates(X):
    duplicated = with_duplicates(X)
    order = np.argsort(duplicated.row, kind="stable")
    indptr = np.arange(len(X) + 1) * 2 * X.shape[1]
    parts = (duplicated.data[order], duplicated.col[order], indptr)
    return sparse.csr_array(parts, shape=X.shape)


def check_sparse(form, kind, dtype, how, seed):
    dense = numbers(seed).astype(dtype)
    require(not (how.endswith("duplicates") and dtype.kind in "bc"))
    if how == "empty":
        dense = np.zeros_like(dense)
    given_x = getattr(sparse, f"{form}_{kind}")(dense)
    if how == "duplicates":
        given_x = getattr(sparse, f"{form}_{kind}")(with_duplicates(dense))
    elif how == "raw duplicates":
        given_x = raw_csr_with_duplicates(dense)
    elif how == "long indices" and hasattr(given_x, "indptr"):
        given_x.indices = given_x.indices.astype(np.int64)
        given_x.indptr = given_x.indptr.astype(np.int64)
    np.testing.assert_array_equal(given_x.toarray(), dense)
    check_x(
        given_x,
        np.real(dense).astype(np.float64),
        atol=1e-4 if dtype in (np.float64, np.uint8) else 0,
        must_work=dtype.kind != "c",
        scale=1 / 255 if dtype == np.uint8 else 1.0,
    )
    fitted = attempt(lambda X: PixelScaler().fit(X), given_x)
    assert refused(fitted) == (dtype.kind == "c")
    if not refused(fitted):
        scaled = attempt(fitted.transform, given_x)
        assert scaled.dtype == np.float32
        np.testing.assert_allclose(scaled.toarray(), dense.astype(float) / 255, rtol=1e-6)


@pytest.mark.parametrize(
    ("form", "kind", "dtype", "how"),
    [
        ("csr", "array", "f4", "raw duplicates"), ("csc", "matrix", "u1", "long indices"),
        ("coo", "array", "f8", "duplicates"), ("dok", "matrix", "i4", "plain"),
        ("lil", "array", "?", "empty"), ("csr", "array", "F", "plain"),
    ],
)  # fmt: skip
def test_sparse_X(form, kind, dtype, how):
    check_sparse(form, kind, np.dtype(dtype), how, seed=0)


@pytest.mark.slow
@share(90)
@given(
    form=st.sampled_from(FORMATS),
    kind=st.sampled_from(["array", "matrix"]),
    dtype=st.sampled_from(["?", "i1", "u1", "i4", "i8", "u8", "f4", "f8", "g", "F"]).map(np.dtype),
    how=st.sampled_from(["plain", "long indices", "duplicates", "raw duplicates", "empty"]),
    seed=st.integers(0, 3),
)
def test_sparse_fuzzed(form, kind, dtype, how, seed):
    check_sparse(form, kind, dtype, how, seed)


@pytest.mark.parametrize("bad", [np.nan, np.inf, 3e38])
@pytest.mark.parametrize("form", FORMATS)
def test_sparse_X_with_nan_or_infinity_raises(form, bad):
    dense = numbers().astype(np.float32)
    given_x = getattr(sparse, f"{form}_array")(np.where(np.eye(ROWS, FEATURES) > 0, bad, dense))
    fitted = reference(numbers())
    for call in (lambda X: model().fit(X, Y), fitted.predict_proba, lambda X: fitted.score(X, Y)):
        result = attempt(call, given_x)
        assert refused(result) or (bad == 3e38 and np.isfinite(result).all())


def test_sparse_duplicates_with_infinite_sum_raise():
    parts = (np.full(2, 3e38, np.float32), np.zeros(2, int), np.array([0, 2]))
    X = sparse.csr_array(parts, shape=(1, FEATURES))
    fitted = reference(numbers())
    for call in (
        fitted.predict_proba,
        lambda X: model().partial_fit(X, [1], classes=[0, 1, 2]),
    ):
        assert refused(attempt(call, X))


# --- X: frames -----------------------------------------------------------------------------------

COLUMN_DTYPES = [
    "int64", "float32", "float64", "uint8", "bool", "Int64", "Int8", "UInt8", "Float32", "Float64",
    "boolean", "category", "string", "str", "object", "datetime64[ns]", "Sparse",
]  # fmt: skip
NUMERIC_COLUMNS = {
    "int64", "float32", "float64", "bool", "Int64", "Int8", "UInt8", "Float32", "Float64",
    "boolean", "object", "Sparse",
}  # fmt: skip
NAMES = ["a", "b", "c", "d"]


def column(values, dtype, missing):
    series = pd.Series(values)
    series = series.astype(str) if dtype in ("string", "str") else series
    series = series != 0 if dtype == "boolean" else series
    series = series.astype("int64") if dtype == "datetime64[ns]" else series
    series = series.astype(pd.SparseDtype("float32", 0.0) if dtype == "Sparse" else dtype)
    if missing:
        series[3] = None if dtype == "object" else pd.NA
    return series


def check_frame(dtypes, missing, order, seed):
    can_miss = {"Int64", "Int8", "UInt8", "Float32", "Float64", "boolean", "string", "object"}
    require(missing is None or dtypes[missing] in can_miss)
    values = numbers(seed)
    frame = pd.DataFrame(
        {
            name: column(values[:, i], dtype, missing=i == missing)
            for i, (name, dtype) in enumerate(zip(NAMES, dtypes, strict=True))
        }
    )
    plain = np.stack(
        [v != 0 if "bool" in d else v for v, d in zip(values.T, dtypes, strict=True)], axis=1
    ).astype(np.float64)
    fitted = attempt(lambda X: model().fit(X, Y), frame)
    if missing is not None:
        assert refused(fitted)
    elif set(dtypes) <= NUMERIC_COLUMNS | {"uint8"}:
        assert not refused(fitted), fitted
    if refused(fitted):
        return
    if set(dtypes) <= NUMERIC_COLUMNS | {"uint8"}:
        bytes_alone = set(dtypes) <= {"uint8", "UInt8"}
        assert_agree(fitted, reference(plain / 255 if bytes_alone else plain), atol=1e-4)
    assert fitted.feature_names_in_.tolist() == NAMES
    proba = attempt(fitted.predict_proba, frame)
    assert np.isfinite(proba).all()
    shuffled = frame[list(order)]
    for call in (
        fitted.predict_proba,
        fitted.predict,
        lambda X: fitted.score(X, Y),
        lambda X: model().fit(frame, Y, X_val=X, y_val=Y),
        lambda X: model().partial_fit(frame, Y, classes=[0, 1, 2]).partial_fit(X, Y),
    ):
        result = attempt(call, shuffled)
        assert refused(result) == (order != NAMES)
        assert "feature names should match" in str(result) or not refused(result)


@pytest.mark.filterwarnings("ignore:pandas.DataFrame with sparse columns found")
@pytest.mark.parametrize(
    ("dtypes", "missing"),
    [
        (["float32"] * 4, None), (["uint8"] * 4, None), (["Sparse"] * 4, None),
        (["Int64", "boolean", "object", "Float32"], None),
        (["string"] * 4, None), (["category"] * 4, None),
        (["Float64"] * 4, 0), (["object"] * 4, 3), (["datetime64[ns]"] * 4, None),
    ],
)  # fmt: skip
def test_frames(dtypes, missing):
    check_frame(dtypes, missing, order=["b", "a", "c", "d"], seed=0)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:pandas.DataFrame with sparse columns found")
@share(100)
@given(
    dtypes=st.one_of(
        st.sampled_from(COLUMN_DTYPES).map(lambda dtype: [dtype] * 4),
        st.lists(st.sampled_from(COLUMN_DTYPES), min_size=4, max_size=4),
    ),
    missing=st.sampled_from([None, None, 0, 3]),
    order=st.permutations(NAMES),
    seed=st.integers(0, 3),
)
def test_frame_fuzzed(dtypes, missing, order, seed):
    check_frame(dtypes, missing, order, seed)


def check_polars_frame(dtypes, missing, order):
    pl = pytest.importorskip("polars")
    values = numbers()
    columns = {}
    for i, (name, dtype) in enumerate(zip(NAMES, dtypes, strict=True)):
        entries = [bool(v) if dtype == "Boolean" else v for v in values[:, i].tolist()]
        entries = [str(v) for v in entries] if dtype == "String" else entries
        entries = [None, *entries[1:]] if i == missing else entries
        columns[name] = pl.Series(entries, dtype=getattr(pl, dtype))
    frame = pl.DataFrame(columns)
    before = frame.clone()
    fitted = attempt(lambda X: model().fit(X, Y), frame)
    if missing is not None:
        assert refused(fitted)
    elif "String" not in dtypes:
        assert not refused(fitted), fitted
    if not refused(fitted):
        plain = [v != 0 if d == "Boolean" else v for v, d in zip(values.T, dtypes, strict=True)]
        scale = 1 / 255 if set(dtypes) == {"UInt8"} else 1.0
        assert_agree(fitted, reference(scale * np.stack(plain, axis=1)), atol=1e-4)
        result = attempt(fitted.predict_proba, frame[list(order)])
        assert refused(result) == (order != NAMES)
    assert frame.equals(before)


@pytest.mark.parametrize(
    ("dtypes", "missing"),
    [(["Int8", "UInt8", "Float32", "Boolean"], None), (["String"] * 4, None), (["Float64"] * 4, 3)],
)
def test_polars_frames(dtypes, missing):
    check_polars_frame(dtypes, missing, order=["b", "a", "c", "d"])


@pytest.mark.slow
@share(40)
@given(
    dtypes=st.lists(
        st.sampled_from(["Int8", "Int64", "UInt8", "Float32", "Float64", "Boolean", "String"]),
        min_size=4,
        max_size=4,
    ),
    missing=st.sampled_from([None, None, 0, 3]),
    order=st.permutations(NAMES),
)
def test_polars_frame_fuzzed(dtypes, missing, order):
    check_polars_frame(dtypes, missing, order)


# --- y -------------------------------------------------------------------------------------------

LABEL_SETS = {
    "integers": [7, -3, 1000],
    "large integers": [2**62, -(2**62), 0],
    "booleans": [True, False, True],
    "whole floats": [2.0, -1.0, 0.0],
    "text": ["two", "one", "zero"],
    "text of numbers": ["10", "9", "-1"],
    "empty text": ["", " ", "a"],
    "not of the alphabet": ["٣", "三", "é"],
    "dates": [np.datetime64("2020"), np.datetime64("1999"), np.datetime64("2000")],
    "durations": [np.timedelta64(3, "s"), np.timedelta64(1, "s"), np.timedelta64(2, "s")],
    "fractions": [0.5, 1.25, 2.0],
    "NaN": [0.0, np.nan, 1.0],
    "infinity": [0.0, np.inf, 1.0],
    "None": ["a", None, "b"],
    "NA": ["a", pd.NA, "b"],
    "mixed": ["a", 1, 2.0],
    "mixed, number first": [1, "a", 2.0],
    "numbers as objects": [Decimal(1), Fraction(1, 2), 3],
    "bytes": [b"a", b"b", b"c"],
    "complex": [1j, 2j, 3j],
    "tuples": [(1,), (2,), (3,)],
    "pieces": [[1, 2], [3], []],
    "objects": [object(), {}, set()],
}
WORK = list(LABEL_SETS)[:8]


def as_objects(y):
    array = np.empty(len(y), dtype=object)
    array[:] = y
    return array


CONTAINERS = {
    "list": list,
    "tuple": tuple,
    "array": np.array,
    "array of objects": as_objects,
    "column": lambda y: np.array(y).reshape(-1, 1),
    "bytes swapped": lambda y: np.array(y).astype(np.array(y).dtype.newbyteorder()),
    "read-only": lambda y: read_only(np.array(y)),
    "memory map": lambda y: in_memory_map(np.array(y), "r"),
    "backwards": lambda y: np.array(y[::-1])[::-1],
    "series": pd.Series,
    "series with another index": lambda y: pd.Series(y, index=range(len(y), 0, -1)),
    "category": lambda y: pd.Series(y).astype("category"),
    "extension": lambda y: pd.Series(y).convert_dtypes(),
    "frame": lambda y: pd.DataFrame({"y": y}),
}


def made(container, y):
    """The labels in their container, if it can hold them."""
    try:
        return CONTAINERS[container](y)
    except (ValueError, TypeError, OverflowError, NotImplementedError):
        require(False)


def check_labels(name, container, chosen):
    labels = [LABEL_SETS[name][i] for i in chosen]
    y = made(container, labels)
    X = numbers().astype(np.float32)
    fitted = attempt(lambda y: model().fit(X, y), y)
    if name in WORK and container not in ("array of objects", "extension"):
        assert not refused(fitted), fitted
    if refused(fitted):
        return
    plain = np.asarray(y).reshape(-1)
    classes = sorted(set(plain.tolist()))
    assert fitted.classes_.tolist() == classes
    indices = [classes.index(label) for label in plain.tolist()]
    assert_agree(fitted, reference(X, indices), atol=0)
    expected = [classes[i] for i in reference(X, indices).predict_proba(X).argmax(axis=1)]
    assert fitted.predict(X).tolist() == expected
    score = attempt(lambda y: fitted.score(X, y), y)
    if not refused(score):
        assert score == np.mean([a == b for a, b in zip(expected, plain.tolist(), strict=True)])
    else:
        assert name not in WORK
    for call in (
        lambda y: model().fit(X, y, X_val=X, y_val=y),
        lambda y: model().partial_fit(X, y, classes=fitted.classes_),
    ):
        assert not refused(attempt(call, y))


@pytest.mark.filterwarnings("ignore:A column-vector y was passed")
@pytest.mark.parametrize(
    ("name", "container"),
    [
        ("integers", "list"), ("large integers", "bytes swapped"), ("booleans", "series"),
        ("whole floats", "read-only"), ("text", "category"), ("text of numbers", "column"),
        ("not of the alphabet", "memory map"), ("dates", "array"), ("fractions", "array"),
        ("NaN", "array"), ("None", "list"), ("mixed", "array of objects"), ("bytes", "list"),
        ("complex", "array"), ("integers", "extension"), ("text", "frame"),
    ],
)  # fmt: skip
def test_labels_of_kind_in_container(name, container):
    check_labels(name, container, [0, 1, 2, 2] * 4)


@pytest.mark.slow
@share(200)
@given(
    name=st.sampled_from(list(LABEL_SETS)),
    container=st.sampled_from(list(CONTAINERS)),
    chosen=st.lists(st.integers(0, 2), min_size=ROWS, max_size=ROWS),
)
@pytest.mark.filterwarnings("ignore:A column-vector y was passed")
def test_labels_fuzzed(name, container, chosen):
    check_labels(name, container, chosen)


WRONG_TARGETS = {
    "none": None,
    "a number": 3,
    "an array of no dimension": np.array(3),
    "a word": "0120120120120120",
    "bytes": b"0120120120120120",
    "a generator": (i for i in range(ROWS)),
    "a set": {0, 1, 2},
    "a dict": dict.fromkeys(range(ROWS), 1),
    "too few": Y[:-1],
    "too many": np.append(Y, 1),
    "nothing": [],
    "an empty table": np.empty((ROWS, 0)),
    "a table without rows": np.empty((0, 3)),
    "two columns of labels": np.stack([Y, Y], axis=1),
    "text in columns": np.full((ROWS, 3), "1"),
    "objects in columns": np.full((ROWS, 3), None),
    "dates in columns": np.zeros((ROWS, 3), "M8[D]"),
    "records in columns": np.zeros((ROWS, 3), [("a", "i4")]),
    "three dimensions": np.zeros((ROWS, 3, 1)),
    "rows of probabilities": np.full((ROWS, 3), 1 / 3),
    "rows of NaN": np.full((ROWS, 3), np.nan),
    "one-hot with a second one": np.eye(3)[Y] + np.eye(ROWS, 3),
    "two ones": 1 - np.eye(3, dtype=int)[Y],
    "sparse one-hot": sparse.csr_array(np.eye(3)[Y]),
    "a sparse column": sparse.csc_matrix(Y.reshape(-1, 1)),
    "a sparse vector": sparse.coo_array(Y),
    "ragged": [[0, 1]] * (ROWS - 1) + [[1]],
    "sets": [{0}] * ROWS,
    "frame of two columns": pd.DataFrame({"a": Y, "b": Y}),
}


@pytest.mark.filterwarnings("ignore:A column-vector y was passed")
@pytest.mark.parametrize("name", WRONG_TARGETS)
def test_y_that_is_no_vector_of_labels_raises(name):
    y, X = WRONG_TARGETS[name], numbers().astype(np.float32)
    fitted = reference(numbers())
    for call in (
        lambda y: model().fit(X, y),
        lambda y: model().partial_fit(X, y, classes=[0, 1, 2]),
        lambda y: model().fit(X, Y, X_val=X, y_val=y),
        lambda y: fitted.score(X, y),
    ):
        assert refused(attempt(call, y))


@pytest.mark.parametrize(
    "dtype",
    ["M8[D]", *(pytest.param(d, marks=pytest.mark.slow) for d in ([("a", "i4")], "V4", "m8[s]"))],
)
def test_records_and_dates_as_labels(dtype):
    y = np.zeros(ROWS, dtype)
    y.view(np.uint8)[::9] = 1
    if y.dtype.kind in "mM":
        y[5] = "NaT"
    X = numbers().astype(np.float32)
    fitted = attempt(lambda y: model().fit(X, y), y)
    assert refused(fitted) or set(fitted.predict(X).tolist()) <= set(y.tolist())


@pytest.mark.parametrize("form", [np.int8, bool, float, object, "f2", ">i4", pd.DataFrame])
def test_one_hot_y_of_dtype(form):
    one_hot = np.eye(3, dtype=int)[Y]
    y = form(one_hot) if form is pd.DataFrame else one_hot.astype(form)
    X = numbers().astype(np.float32)
    assert_agree(attempt(lambda y: model().fit(X, y), y), reference(X), atol=0)
    assert attempt(lambda y: reference(X).score(X, y), y) == reference(X).score(X, Y)


def check_labels_of_another_type(n_classes, of, come_as, labels):
    """Sorting numbers as text, or text as numbers, would find wrong classes."""
    X = numbers(0, len(labels)).astype(np.float32)
    classes = np.arange(n_classes).astype(of)
    y = np.array(labels).astype(come_as)
    expected = attempt(
        lambda y: model().partial_fit(X, y, classes=range(n_classes)), np.array(labels)
    )
    assert refused(expected) == (max(labels) >= n_classes)
    found = attempt(lambda y: model().partial_fit(X, y, classes=classes), y)
    if not refused(found):
        same = model().partial_fit(X, np.array(labels).astype(of), classes=classes)
        assert_agree(found, same, atol=0)
    rows = numbers(1, n_classes).astype(np.float32)
    watched = attempt(lambda y: model().fit(rows, classes, X_val=X, y_val=y), y)
    if not refused(watched):
        right = watched.predict(X) == np.array(labels).astype(of)
        assert watched.validation_scores_[-1] == pytest.approx(right.mean())


@pytest.mark.parametrize(
    ("of", "come_as", "label"), [(int, str, 2), (int, str, 10), (str, int, 10), (int, float, 10)]
)
def test_labels_of_another_type_are_not_confused(of, come_as, label):
    check_labels_of_another_type(12, of, come_as, [label])


@pytest.mark.slow
@share(60)
@given(
    n_classes=st.sampled_from([3, 12]),
    of=st.sampled_from([str, int, float]),
    come_as=st.sampled_from([str, int, float, np.str_, np.uint8, object]),
    labels=st.lists(st.integers(0, 12), min_size=1, max_size=ROWS),
)
@example(n_classes=12, of=int, come_as=str, labels=[2])
@example(n_classes=12, of=int, come_as=str, labels=[10])
def test_labels_of_another_type_fuzzed(n_classes, of, come_as, labels):
    check_labels_of_another_type(n_classes, of, come_as, labels)


def check_classes(classes, after):
    X = numbers().astype(np.float32)

    def call(classes):
        fresh = model()
        if after:
            fresh.partial_fit(X, Y, classes=[0, 1, 2])
        return fresh.partial_fit(X, Y, classes=classes)

    fitted = attempt(call, classes)
    if refused(fitted):
        return
    assert fitted.classes_.tolist() == [0, 1, 2]
    if not after:
        assert_agree(fitted, reference(X, partial=True), atol=0)


@pytest.mark.filterwarnings("ignore:A column-vector y was passed")
@pytest.mark.filterwarnings("ignore:invalid value encountered in cast")  # NaN, by scikit-learn
@pytest.mark.parametrize(
    ("classes", "after"),
    [
        ([2, 1, 0], False), (range(3), True), (pd.Series([2, 0, 1]), False),
        ([0, 1, 2, 2, 1], False),
        ([0, 1, np.nan], False), ([], False), (None, False), ("012", False), (np.eye(3), False),
        ([0, 1], True), (["0", "1", "2"], True), ([[0], [1], [2]], False),
    ],
)  # fmt: skip
def test_classes_of_partial_fit(classes, after):
    check_classes(classes, after)


@pytest.mark.slow
@share(40)
@given(
    classes=st.sampled_from(
        [
            [2, 1, 0], (0, 1, 2), range(3), np.arange(3.0), [0, 1, 2, 2, 1], pd.Series([2, 0, 1]),
            pd.array([0, 1, 2], dtype="Int64"), np.arange(3)[::-1], np.arange(3, dtype=">i8"),
            [], [0], 3, "012", None, {0, 1, 2}, {0: 1, 1: 2, 2: 0}, [0, 1, np.nan], [0, 1, None],
            ["0", "1", "2"], ["a", 1, 2], np.array([0, "a", 2], dtype=object), [0.5, 1, 2],
            np.eye(3), [[0, 1, 2]], [[0], [1], [2]], np.zeros((3, 0)), [0, 1j], [b"0", b"1"],
            [[0, 1], [2]], sparse.eye_array(3), np.zeros(3, [("a", "i4")]), [True, False], [0, 1],
        ]
    ),
    after=st.booleans(),
)  # fmt: skip
@pytest.mark.filterwarnings("ignore:A column-vector y was passed")
@pytest.mark.filterwarnings("ignore:invalid value encountered in cast")  # NaN, by scikit-learn
def test_classes_fuzzed(classes, after):
    check_classes(classes, after)


def check_folds(counts, shuffle, stratified, early):
    y = np.repeat(["often", "seldom", "rare"], counts)
    X = numbers(0, len(y)).astype(np.float32)
    fold = StratifiedKFold if stratified else KFold
    folds = fold(3, shuffle=shuffle, random_state=0 if shuffle else None)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The least populated class", UserWarning)
        pieces = list(folds.split(X, y))

        def by_hand(X):
            network = model(early_stopping=early, validation_fraction=0.3)
            return [network.fit(X[a], y[a]).score(X[b], y[b]) for a, b in pieces]

        expected = attempt(by_hand, X)
        network = model(early_stopping=early, validation_fraction=0.3)
        options = {"cv": folds, "error_score": "raise"}
        scores = attempt(lambda X: cross_val_score(network, X, y, **options), X)
        search = attempt(lambda X: GridSearchCV(network, {"l2": [0.0]}, **options).fit(X, y), X)
    assert refused(expected) == refused(scores) == refused(search)
    if refused(expected):
        assert early
        return
    np.testing.assert_array_equal(scores, expected)
    assert search.best_score_ == pytest.approx(np.mean(expected))
    assert set(search.predict(X)) <= set(y)


@pytest.mark.parametrize("early", [False, True])
def test_folds_without_one_class(early):
    check_folds((6, 2, 1), shuffle=False, stratified=False, early=early)


@pytest.mark.slow
@share(25)
@given(
    counts=st.tuples(st.integers(6, 12), st.integers(1, 5), st.integers(1, 3)),
    shuffle=st.booleans(),
    stratified=st.booleans(),
    early=st.booleans(),
)
def test_folds_fuzzed(counts, shuffle, stratified, early):
    check_folds(counts, shuffle, stratified, early)


# --- Weights -------------------------------------------------------------------------------------

WEIGHTS = np.arange(1.0, ROWS + 1)

# The others are slow.
FEW_WEIGHTS = ("list", "half precision", "series", "huge", "tiny", "one for all", "not one class")

SAMPLE_WEIGHTS = {
    "list": WEIGHTS.tolist(),
    "tuple": tuple(WEIGHTS),
    "integers": WEIGHTS.astype(int),
    "bytes": WEIGHTS.astype(np.uint8),
    "half precision": WEIGHTS.astype(np.float16),
    "long": WEIGHTS.astype(np.longdouble),
    "swapped": WEIGHTS.astype(">f8"),
    "read-only": read_only(WEIGHTS),
    "memory map": in_memory_map(WEIGHTS, "r"),
    "strided": np.repeat(WEIGHTS, 2)[::2],
    "backwards": WEIGHTS[::-1].copy()[::-1],
    "objects": WEIGHTS.astype(object),
    "series": pd.Series(WEIGHTS, index=range(ROWS, 0, -1)),
    "extension": pd.Series(WEIGHTS, dtype="Float32"),
    "extension integers": pd.Series(WEIGHTS.astype(int), dtype="Int64"),
    "huge": WEIGHTS * 1e300,
    "as large as can be": np.full(ROWS, np.finfo(np.float64).max / ROWS),
    "tiny": WEIGHTS * 1e-300,
    "as small as can be": np.full(ROWS, 5e-324),
    "far apart": np.where(Y == 0, 1e100, 1e-100),
    "negative zeros": np.where(Y == 0, -0.0, 1.0),
    "booleans": Y > 0,
    "one for all": 2.0,
    "not one class": np.where(Y == 1, 0.0, 1.0),
    "one row alone": np.eye(ROWS)[3],
}
WRONG_WEIGHTS = {
    "NaN": np.where(Y == 0, np.nan, 1.0),
    "infinite": np.where(Y == 0, np.inf, 1.0),
    "adding up to infinity": np.full(ROWS, np.finfo(np.float64).max),
    "beyond float64": np.full(ROWS, np.finfo(np.longdouble).max),
    "negative": WEIGHTS - 2,
    "all negative": -WEIGHTS,
    "all zero": np.zeros(ROWS),
    "zero for all": 0,
    "too short": WEIGHTS[:-1],
    "too long": np.append(WEIGHTS, 1),
    "empty": [],
    "column": WEIGHTS.reshape(-1, 1),
    "row": WEIGHTS.reshape(1, -1),
    "table": np.ones((ROWS, 3)),
    "no dimension": np.array(1.0),
    "words": ["heavy"] * ROWS,
    "a word": "balanced",
    "bytes": [b"x"] * ROWS,
    "none": [None] * ROWS,
    "missing": pd.Series([None, *[1] * (ROWS - 1)], dtype="Float64"),
    "objects": [object()] * ROWS,
    "huge objects": as_objects([10**400] * ROWS),
    "lists": [[1], [1, 2]] * (ROWS // 2),
    "complex": WEIGHTS * 1j,
    "dict": dict.fromkeys(range(ROWS), 1.0),
    "set": {1.0},
    "sparse": sparse.csr_array(WEIGHTS.reshape(1, -1)),
    "records": np.zeros(ROWS, [("a", "f8")]),
    "frame": pd.DataFrame({"w": WEIGHTS}),
    "generator": (1.0 for _ in range(ROWS)),
}


def of_normal_size(weights):
    """The same weights in another unit, a power of 2, so that nothing is rounded."""
    return np.ldexp(weights, -np.frexp(weights.max())[1])


def slow_but_few(names):
    return [n if n in FEW_WEIGHTS else pytest.param(n, marks=pytest.mark.slow) for n in names]


@pytest.mark.parametrize("name", slow_but_few(SAMPLE_WEIGHTS))
def test_sample_weight_of_any_form(name):
    weights, X = SAMPLE_WEIGHTS[name], numbers().astype(np.float32)
    plain = np.array(np.broadcast_to(np.asarray(weights, dtype=np.float64), ROWS))
    scaled = of_normal_size(plain)
    fitted = attempt(lambda w: model().fit(X, Y, sample_weight=w), weights)
    assert_agree(fitted, reference(X, sample_weight=scaled), atol=1e-6)
    chunk = attempt(lambda w: model().partial_fit(X, Y, [0, 1, 2], sample_weight=w), weights)
    assert_agree(chunk, reference(X, sample_weight=scaled, partial=True), atol=1e-6)
    proba = fitted.predict_proba(X)
    assert np.isfinite(proba).all()
    if name != "one for all":
        score = attempt(lambda w: fitted.score(X, Y, sample_weight=w), weights)
        right = fitted.predict(X) == Y
        assert score == pytest.approx(np.average(right, weights=scaled))


@pytest.mark.parametrize("name", WRONG_WEIGHTS)
def test_invalid_sample_weight_raises(name):
    weights, X = WRONG_WEIGHTS[name], numbers().astype(np.float32)
    for call in (
        lambda w: model().fit(X, Y, sample_weight=w),
        lambda w: model().partial_fit(X, Y, [0, 1, 2], sample_weight=w),
    ):
        assert refused(attempt(call, weights))
    if "infinity" not in name and "beyond" not in name:  # accuracy_score's own
        score = attempt(lambda w: reference(X).score(X, Y, sample_weight=w), weights)
        assert refused(score) or np.isfinite(score)


FACTORS = [
    1, 0.5, 2.0, 0, 0.0, 1e300, 5e-324, np.float32(3), np.int8(2), np.array(1.5), Fraction(1, 2),
    Decimal(1), True, -1, np.nan, np.inf, -0.0, None, "2", "balanced", [1], 1j, pd.NA, 10**400,
]  # fmt: skip


def check_class_weight(factors, weights, partial):
    X = numbers().astype(np.float32)
    rows = {
        "none": np.ones(ROWS),
        "zero for a class": np.where(Y == 1, 0.0, 1.0),
        "huge": np.full(ROWS, 1e300),
    }[weights]

    def call(factors):
        network = model(class_weight=factors)
        if partial:
            return network.partial_fit(X, Y, classes=[0, 1, 2], sample_weight=rows)
        return network.fit(X, Y, sample_weight=rows)

    fitted = attempt(call, factors)
    if refused(fitted):
        return
    assert np.isfinite(fitted.predict_proba(X)).all()
    of_label = {int(label): float(factor) for label, factor in factors.items()}
    product = [Fraction(r) * Fraction(of_label.get(k, 1.0)) for r, k in zip(rows, Y, strict=True)]
    # What is above 0 stays so, since rows of weight 0 are as good as absent.
    plain = [max(float(weight / max(product)), 5e-324 * (weight > 0)) for weight in product]
    assert_agree(fitted, reference(X, sample_weight=plain, partial=partial), atol=1e-5)


@pytest.mark.parametrize(
    ("factors", "weights", "partial"),
    [
        ({0: 2.0, 1: 0}, "none", False), ({0: Fraction(1, 2)}, "none", True),
        ({1: 1e300}, "huge", False), ({0: 10**400}, "none", False), ({0: np.nan}, "none", False),
        ({2: -1}, "zero for a class", True), ({"0": 1}, "none", False), ({3: 1}, "none", False),
    ],
)  # fmt: skip
def test_class_weight(factors, weights, partial):
    check_class_weight(factors, weights, partial)


@pytest.mark.slow
@share(120)
@given(
    factors=st.dictionaries(
        st.sampled_from([0, 1, 2, 3, "0", 1.0, np.int64(2), None, True, (0,), pd.NA, np.nan]),
        st.sampled_from(FACTORS),
        max_size=3,
    ),
    weights=st.sampled_from(["none", "zero for a class", "huge"]),
    partial=st.booleans(),
)
@example(factors={0: 10**400}, weights="none", partial=False)
@example(factors={0: 1e300, 1: 1e300}, weights="huge", partial=False)
@example(factors={0: Fraction(1, 2)}, weights="none", partial=True)
def test_class_weight_fuzzed(factors, weights, partial):
    check_class_weight(factors, weights, partial)


@pytest.mark.parametrize(
    "class_weight",
    [
        "even", 3, 1.5, [1, 2, 3], (1,), np.ones(3), {0, 1}, pd.Series([1, 2, 3]), b"balanced",
        [("0", 1)], object(), pd.NA, {"a": 1}, {0: {}}, {3: 1.0},
    ],
    ids=lambda value: type(value).__name__ if type(value) is object else repr(value),
)  # fmt: skip
def test_invalid_class_weight_raises(class_weight):
    X = numbers().astype(np.float32)
    result = attempt(lambda w: model(class_weight=w).fit(X, Y), class_weight)
    assert refused(result)
    assert str(result).startswith("Got class_weight")


@pytest.mark.parametrize(
    "name",
    # One number can't be balanced by hand, and the smallest one not be multiplied.
    slow_but_few(sorted(SAMPLE_WEIGHTS.keys() - {"one for all", "as small as can be"})),
)
def test_balanced_class_weight_with_sample_weight(name):
    X, weights = numbers().astype(np.float32), SAMPLE_WEIGHTS[name]
    fitted = model(class_weight="balanced").fit(X, Y, sample_weight=weights)
    plain = of_normal_size(np.asarray(weights, dtype=np.float64))
    sums = np.array([plain[k == Y].sum() for k in range(3)])
    balanced = np.divide(plain, sums[Y], out=np.zeros(ROWS), where=sums[Y] > 0)
    assert_agree(fitted, model().fit(X, Y, sample_weight=balanced), atol=1e-5)


def test_column_vector_y_warns():
    with pytest.warns(DataConversionWarning, match="column-vector y was passed"):
        model().fit(numbers().astype(np.float32), Y.reshape(-1, 1))
