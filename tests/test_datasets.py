from __future__ import annotations

import hashlib
import os
import runpy
import struct
import subprocess
import sys
import threading
import time
import tracemalloc
import warnings
from pathlib import Path
from urllib.error import URLError

import numpy as np
import pandas as pd
import pytest
import sklearn.datasets

import skdigits
from skdigits.datasets import _openml, fetch_mnist, load_mnist_sample
from skdigits.datasets._labelled_images import LabelledImages

LABELS = list("0123456789")
ABOUT = {"DESCR": "a déscription", "details": {"id": "554"}, "url": "https://example.org"}

# MD5 of the original, uncompressed IDX files, as published in many places: training images,
# training labels, test images, test labels.
IDX_MD5 = {
    "mnist_784": (
        "6bbc9ace898e44ae57da46a324031adb",
        "a25bea736e30d166cdddb491f175f624",
        "2646ac647ad5339dbf082846283269ea",
        "27ae3e4e09519cfbb04c329615203637",
    ),
    "Fashion-MNIST": (
        "f4a8712d7a061bf5bd6d2ca38dc4d50a",
        "9018921c3c673c538a1fc5bad174d6f9",
        "8181f5470baa50b63fa0f6fddb340f0a",
        "15d484375f8d13e6eb1aabb0c3f46965",
    ),
}


def idx_md5(X, y):
    """Return the checksums that images and labels have as IDX files."""
    images = struct.pack(">IIII", 2051, len(X), 28, 28) + X.tobytes()
    labels = struct.pack(">II", 2049, len(y)) + y.astype(np.uint8).tobytes()
    return tuple(hashlib.md5(data).hexdigest() for data in (images, labels))


def file_digests(folder):
    return {
        path.relative_to(folder): hashlib.md5(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.fixture(scope="module")
def digits():
    """Random pixels in the shape of MNIST, where the content does not matter."""
    rng = np.random.default_rng(0)
    X = rng.integers(0, 256, (70_000, 784), dtype=np.uint8)
    return LabelledImages(X, rng.integers(0, 10, 70_000, dtype=np.uint8), LABELS, ABOUT)


@pytest.fixture(scope="module")
def noise_home(digits, tmp_path_factory):
    """A data folder that contains the compact cache only."""
    home = tmp_path_factory.mktemp("noise_home")
    (home / "skdigits").mkdir()
    with (home / "skdigits" / "mnist_784.npz").open("wb") as file:
        _openml._write_cache(file, digits)
    return home


@pytest.fixture
def openml(digits, monkeypatch):
    """Replace fetch_openml and record its calls."""
    calls = []

    def fetch_openml(**kwargs):
        calls.append(kwargs)
        X = np.asfortranarray(digits.X)
        return sklearn.utils.Bunch(data=X, target=digits.y, **ABOUT)

    monkeypatch.setattr(sklearn.datasets, "fetch_openml", fetch_openml)
    return calls


# --- the sample inside the package ------------------------------------------------------------


@pytest.mark.parametrize(("subset", "n_rows"), [("all", 6000), ("train", 5000), ("test", 1000)])
def test_sample_has_the_format_of_fetch_mnist(subset, n_rows):
    sample = load_mnist_sample(subset)
    assert sample.data.shape == (n_rows, 784)
    assert sample.data.dtype == np.uint8
    assert sample.data.flags.c_contiguous
    assert sample.data.flags.writeable
    assert (sample.data.min(), sample.data.max()) == (0, 255)
    assert sample.target.dtype == object
    assert sorted(set(sample.target)) == LABELS
    assert np.shares_memory(sample.images, sample.data)
    np.testing.assert_array_equal(sample.images[-1].ravel(), sample.data[-1])
    X, y = load_mnist_sample(subset, return_X_y=True)
    np.testing.assert_array_equal(X, sample.data)
    np.testing.assert_array_equal(y, sample.target)


def test_sample_is_training_set_then_test_set():
    X, y = load_mnist_sample(return_X_y=True)
    parts = [load_mnist_sample(subset, return_X_y=True) for subset in ("train", "test")]
    np.testing.assert_array_equal(X, np.concatenate([part[0] for part in parts]))
    np.testing.assert_array_equal(y, np.concatenate([part[1] for part in parts]))
    assert len(np.unique(X, axis=0)) == 6000


# How often each digit occurs in MNIST's training set of 60,000 and its test set of 10,000.
MNIST_COUNTS = {
    "train": [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949],
    "test": [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009],
}


@pytest.mark.parametrize("subset", ["train", "test"])
def test_sample_is_stratified(subset):
    _, y = load_mnist_sample(subset, return_X_y=True)
    counts = np.array([np.sum(y == label) for label in LABELS])
    shares = np.array(MNIST_COUNTS[subset]) / sum(MNIST_COUNTS[subset])
    assert np.abs(counts - shares * len(y)).max() <= 1


def test_sample_is_a_new_copy_at_each_call():
    first = load_mnist_sample()
    first.data[:] = 0
    first.categories["class"].clear()
    second = load_mnist_sample()
    assert second.data.any()
    assert second.categories == {"class": LABELS}


def test_sample_is_small_and_fast():
    size = (Path(skdigits.__file__).parent / "data" / "mnist_sample.npz").stat().st_size
    assert size < 2_000_000
    load_mnist_sample()
    times = []
    for _ in range(5):
        start = time.perf_counter()
        load_mnist_sample()
        times.append(time.perf_counter() - start)
    assert min(times) < 0.1


def test_sample_credits_its_authors():
    description = load_mnist_sample().DESCR
    for word in ("LeCun", "Cortes", "Burges", "CC BY-SA 3.0"):
        assert word in description


def test_sample_needs_no_network_and_no_data_folder(no_network, monkeypatch, tmp_path):
    monkeypatch.setenv("SCIKIT_LEARN_DATA", str(tmp_path / "none"))
    monkeypatch.chdir(tmp_path)
    assert load_mnist_sample().data.shape == (6000, 784)
    assert os.listdir(tmp_path) == []


def test_nearest_neighbour_on_sample():
    from sklearn.neighbors import KNeighborsClassifier

    X, y = load_mnist_sample("train", return_X_y=True)
    X_test, y_test = load_mnist_sample("test", return_X_y=True)
    model = KNeighborsClassifier(1).fit(X.astype(np.float32), y)
    # 93.5 % on all 10,000 test digits; four standard errors of 1,000 digits are 3.1 points.
    assert model.score(X_test.astype(np.float32), y_test) > 0.904


# --- parameters of fetch_mnist --------------------------------------------------------------------


@pytest.mark.parametrize("load", [load_mnist_sample, fetch_mnist])
@pytest.mark.parametrize("value", ["x", "Train", "", None, 1, ["train"], np.array(["all"])])
def test_invalid_subset_raises(load, value):
    with pytest.raises(ValueError, match=r"Got subset=.*, expected one of 'all', 'train', 'test'"):
        load(subset=value)


@pytest.mark.parametrize(
    "value", ["", "../mnist", "a/b", ".hidden", "x" * 200, 0, -1, True, 1.5, None]
)
def test_invalid_name_raises(value):
    with pytest.raises(ValueError, match=r"Got name=.*, expected the name or id of a data set"):
        fetch_mnist(name=value)


@pytest.mark.parametrize(
    ("subset", "rows"),
    [("all", slice(None)), ("train", slice(60_000)), ("test", slice(60_000, None))],
)
def test_subsets_in_official_order(noise_home, digits, subset, rows):
    X, y = fetch_mnist(subset=subset, return_X_y=True, data_home=noise_home)
    assert X.dtype == np.uint8
    assert X.flags.c_contiguous
    assert X.flags.writeable
    assert y.dtype == object
    np.testing.assert_array_equal(X, digits.X[rows])
    np.testing.assert_array_equal(y, digits.y[rows].astype(str))


def test_test_subset_does_not_keep_the_training_images(noise_home):
    X, _ = fetch_mnist(subset="test", return_X_y=True, data_home=noise_home)
    assert X.base is None


def test_bunch(noise_home, digits):
    dataset = fetch_mnist(subset="test", data_home=noise_home)
    assert dataset.frame is None
    assert dataset.categories == {"class": LABELS}
    assert dataset.target_names == ["class"]
    assert dataset.feature_names[:2] == ["pixel1", "pixel2"]
    assert dataset.feature_names[-1] == "pixel784"
    assert {key: dataset[key] for key in ABOUT} == ABOUT
    assert dataset.images.shape == (10_000, 28, 28)
    assert np.shares_memory(dataset.images, dataset.data)
    np.testing.assert_array_equal(dataset.images[3, 1], digits.X[60_003, 28:56])


@pytest.mark.parametrize("subset", ["all", "test"])
def test_as_frame(noise_home, subset):
    X, y = fetch_mnist(subset=subset, return_X_y=True, data_home=noise_home)
    dataset = fetch_mnist(subset=subset, as_frame=True, data_home=noise_home)
    assert isinstance(dataset.data, pd.DataFrame)
    assert isinstance(dataset.target, pd.Series)
    assert (dataset.data.dtypes == np.uint8).all()
    assert dataset.data.columns.tolist() == dataset.feature_names
    assert dataset.target.name == "class"
    assert dataset.target.cat.categories.tolist() == LABELS
    assert dataset.categories is None
    assert "images" not in dataset
    np.testing.assert_array_equal(dataset.data, X)
    np.testing.assert_array_equal(dataset.target, y)
    assert dataset.frame.columns.tolist() == [*dataset.feature_names, "class"]
    pd.testing.assert_frame_equal(dataset.frame[dataset.feature_names], dataset.data)
    pd.testing.assert_series_equal(dataset.frame["class"], dataset.target)
    X_frame, y_frame = fetch_mnist(
        subset=subset, as_frame=True, return_X_y=True, data_home=noise_home
    )
    pd.testing.assert_frame_equal(X_frame, dataset.data)
    pd.testing.assert_series_equal(y_frame, dataset.target)


@pytest.mark.parametrize("as_home", [str, Path])
def test_data_home_types(noise_home, as_home):
    _, y = fetch_mnist(subset="test", return_X_y=True, data_home=as_home(noise_home))
    assert len(y) == 10_000


def test_data_home_from_the_environment(noise_home, monkeypatch):
    monkeypatch.setenv("SCIKIT_LEARN_DATA", str(noise_home))
    description = fetch_mnist(subset="test").DESCR
    assert description == "a déscription"


# --- the compact cache --------------------------------------------------------------------------


def test_cached_call_time_and_memory(noise_home):
    fetch_mnist(data_home=noise_home)
    start = time.perf_counter()
    fetch_mnist(data_home=noise_home)
    assert time.perf_counter() - start < 1
    tracemalloc.start()
    try:
        dataset = fetch_mnist(data_home=noise_home)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.reset_peak()
        frame = fetch_mnist(data_home=noise_home, as_frame=True)
        _, peak_of_both = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert dataset.data.nbytes < peak < 60e6
    assert frame.data.shape == (70_000, 784)
    assert peak_of_both < 120e6


@pytest.mark.slow
def test_only_first_call_uses_openml(openml, digits, tmp_path):
    first = fetch_mnist(data_home=tmp_path)
    assert [call["name"] for call in openml] == ["mnist_784"]
    assert openml[0]["data_home"] == tmp_path
    second = fetch_mnist(data_home=tmp_path)
    assert len(openml) == 1
    np.testing.assert_array_equal(first.data, digits.X)
    np.testing.assert_array_equal(second.data, digits.X)
    np.testing.assert_array_equal(second.target, first.target)
    assert first.data.flags.c_contiguous
    assert second.DESCR == first.DESCR == ABOUT["DESCR"]
    assert os.listdir(tmp_path / "skdigits") == ["mnist_784.npz"]
    fetch_mnist(data_home=tmp_path, name="Fashion-MNIST")
    assert openml[1]["data_id"] == 40996


@pytest.fixture
def small(digits, monkeypatch):
    """MNIST with 700 rows, for tests with hundreds of cases."""
    monkeypatch.setattr(_openml, "N_TRAIN", 600)
    monkeypatch.setattr(_openml, "N_TEST", 100)
    return LabelledImages(digits.X[:700], digits.y[:700], LABELS, ABOUT)


@pytest.fixture
def small_cache(small, tmp_path):
    path = tmp_path / "skdigits" / "mnist_784.npz"
    path.parent.mkdir()
    with path.open("wb") as file:
        _openml._write_cache(file, small)
    return path


def flip(position):
    def damage(path):
        data = bytearray(path.read_bytes())
        data[position] ^= 4
        path.write_bytes(data)

    return damage


def truncate(fraction, more=0):
    return lambda path: os.truncate(path, int(path.stat().st_size * fraction) + more)


def store(X=(700, 784), dtype=np.uint8, y=0):
    def damage(path):
        y_array = np.full(X[0], y, dtype=np.uint8)
        np.savez(path, X=np.zeros(X, dtype), y=y_array, about=np.frombuffer(b"{}", np.uint8))

    return damage


def save_lone_array(path):
    with path.open("wb") as file:
        np.save(file, np.zeros(3))


# The pixels begin after some 200 bytes and end at 549,000; the targets follow.
DAMAGES = {
    "first byte": flip(0),
    "NumPy's header": flip(100),
    "first pixels": flip(1_000),
    "a pixel in the middle": flip(300_000),
    "last pixels": flip(548_900),
    "a target": flip(549_500),
    "central directory": flip(-150),
    "end of the archive": flip(-5),
    "empty": truncate(0),
    "half": truncate(0.5),
    "one byte short": truncate(1, -1),
    "text": lambda path: path.write_text("no archive"),
    "a lone array": save_lone_array,
    "other names": lambda path: np.savez(path, a=np.zeros(3)),
    "fewer rows": store(X=(600, 784)),
    "fewer pixels": store(X=(700, 783)),
    "other type": store(dtype=np.int8),
    "no such class": store(y=10),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES.keys())
def test_damaged_cache_is_replaced(small, small_cache, monkeypatch, damage):
    def fetch_openml(**kwargs):
        return sklearn.utils.Bunch(data=small.X, target=small.y, **ABOUT)

    monkeypatch.setattr(sklearn.datasets, "fetch_openml", fetch_openml)
    sound = small_cache.read_bytes()
    damage(small_cache)
    assert _openml._read_cache(small_cache, _openml._MNIST) is None
    X, y = fetch_mnist(return_X_y=True, data_home=small_cache.parents[1])
    np.testing.assert_array_equal(X, small.X)
    np.testing.assert_array_equal(y, small.y.astype(str))
    assert small_cache.read_bytes() == sound


def test_flipped_bits_never_change_the_data(small, small_cache):
    size = small_cache.stat().st_size
    # A quarter of the bytes outside of pixels and targets: headers, names, the archive's directory.
    n_unnoticed = 0
    for position in [*range(0, 400, 4), *range(size - 800, size, 4)]:
        flip(position)(small_cache)
        cached = _openml._read_cache(small_cache, _openml._MNIST)
        if cached is not None:
            n_unnoticed += 1
            np.testing.assert_array_equal(cached.X, small.X)
            np.testing.assert_array_equal(cached.y, small.y)
            assert cached.about == small.about
        flip(position)(small_cache)
    # Dates, attributes and the like carry no data.
    assert n_unnoticed < 100


def test_cache_that_cannot_be_written_is_no_error(openml, digits, tmp_path):
    # A file in the folder's place stops even a superuser.
    (tmp_path / "skdigits").write_text("")
    for n_calls in (1, 2):
        X, _ = fetch_mnist(return_X_y=True, data_home=tmp_path)
        np.testing.assert_array_equal(X, digits.X)
        assert len(openml) == n_calls
    assert os.listdir(tmp_path) == ["skdigits"]


def test_full_disk_is_no_error(openml, digits, tmp_path, monkeypatch):
    def fail(file_descriptor):
        raise OSError("No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    X, _ = fetch_mnist(return_X_y=True, data_home=tmp_path)
    np.testing.assert_array_equal(X, digits.X)
    assert os.listdir(tmp_path / "skdigits") == []


# --- network and download ------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["mnist_784", "Fashion-MNIST"])
def test_error_without_network_and_data(no_network, tmp_path, name):
    filters = list(warnings.filters)
    with pytest.raises(OSError, match=f"Could not load name='{name}'") as caught:
        fetch_mnist(name=name, data_home=tmp_path)
    message = str(caught.value)
    for part in (
        str(tmp_path),
        f"skdigits/{name}.npz",
        "openml.org",
        "URLError",
        "no network in this test",
        "data_home",
        "SCIKIT_LEARN_DATA",
        "load_mnist_sample",
    ):
        assert part in message
    assert isinstance(caught.value.__cause__, URLError)
    assert warnings.filters == filters
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


@pytest.mark.parametrize("damage", ["flip", "wrong shape"])
def test_response_of_openml_is_checked(openml, digits, tmp_path, monkeypatch, damage):
    def fetch_openml(**kwargs):
        X, y = (digits.X[:-1], digits.y[:-1]) if damage != "flip" else (digits.X, digits.y + 10)
        return sklearn.utils.Bunch(data=X, target=y, **ABOUT)

    monkeypatch.setattr(sklearn.datasets, "fetch_openml", fetch_openml)
    with pytest.raises(OSError, match=r"ValueError: Got (images of|target) .*, expected "):
        fetch_mnist(data_home=tmp_path)
    assert not (tmp_path / "skdigits").exists()


def test_memory_error_propagates(openml, tmp_path, monkeypatch):
    def fetch_openml(**kwargs):
        raise MemoryError

    monkeypatch.setattr(sklearn.datasets, "fetch_openml", fetch_openml)
    with pytest.raises(MemoryError):
        fetch_mnist(data_home=tmp_path)


@pytest.mark.parametrize("error", [TypeError, MemoryError, KeyboardInterrupt])
def test_deleted_download_is_restored(tmp_path, monkeypatch, error):
    folder = tmp_path / "openml" / "openml.org" / "data" / "52667"
    folder.mkdir(parents=True)
    download, other = folder / "mnist_784.arff.gz", folder / "titanic.arff.gz"
    download.write_bytes(b"sound")
    other.write_bytes(b"not ours")

    def fetch_openml(**kwargs):
        download.unlink()
        raise error("expected string or bytes-like object, got 'int'")

    monkeypatch.setattr(sklearn.datasets, "fetch_openml", fetch_openml)
    with pytest.raises(OSError if error is TypeError else error, match="got 'int'"):
        fetch_mnist(data_home=tmp_path)
    assert download.read_bytes() == b"sound"
    assert sorted(os.listdir(folder)) == ["mnist_784.arff.gz", "titanic.arff.gz"]


def test_new_download_is_kept(openml, digits, tmp_path, monkeypatch):
    download = tmp_path / "openml" / "mnist_784.arff.gz"
    download.parent.mkdir()
    download.write_bytes(b"damaged")

    def fetch_openml(**kwargs):
        download.unlink()
        download.write_bytes(b"fresh")
        return sklearn.utils.Bunch(data=digits.X, target=digits.y, **ABOUT)

    monkeypatch.setattr(sklearn.datasets, "fetch_openml", fetch_openml)
    fetch_mnist(data_home=tmp_path)
    assert download.read_bytes() == b"fresh"


def test_concurrent_first_calls_keep_warning_filters(digits, tmp_path, monkeypatch):
    both_inside = threading.Barrier(2)

    def fetch_openml(**kwargs):
        # Only threads that are let in together can restore the filters in the wrong order.
        try:
            both_inside.wait(timeout=0.5)
        except threading.BrokenBarrierError:
            pass
        else:
            time.sleep(0.1 * (threading.current_thread().name == "second"))
        return sklearn.utils.Bunch(data=digits.X, target=digits.y, **ABOUT)

    monkeypatch.setattr(sklearn.datasets, "fetch_openml", fetch_openml)
    filters = list(warnings.filters)
    threads = []
    for name in ("first", "second"):
        home = tmp_path / name
        threads.append(threading.Thread(target=fetch_mnist, kwargs={"data_home": home}, name=name))
        threads[-1].start()
    for thread in threads:
        thread.join()
    assert warnings.filters == filters
    assert (tmp_path / "second" / "skdigits" / "mnist_784.npz").exists()


def test_import_is_light():
    code = (
        "import sys, skdigits; before = set(sys.modules); import skdigits.datasets; "
        "print(*sorted({name.split('.')[0] for name in set(sys.modules) - before}))"
    )
    output = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    assert "skdigits" in output
    assert not {"tensorflow", "keras", "pandas", "sklearn", "scikeras", "scipy"} & set(output)


# --- other data sets of OpenML ------------------------------------------------------------------


def letters(n=90, side=16, dtype=np.int64):
    """Images with three classes, as fetch_openml returns them."""
    rng = np.random.default_rng(0)
    X = np.asfortranarray(rng.integers(0, 256, (n, side**2)).astype(dtype))
    return X, np.array(["b", "ä", "c"], dtype=object)[np.arange(n) % 3]


@pytest.fixture
def other(monkeypatch):
    """Make fetch_openml return given data, and record its calls."""
    calls = []

    def use(data, target):
        def fetch_openml(**kwargs):
            calls.append(kwargs)
            return sklearn.utils.Bunch(data=data, target=target, **ABOUT)

        monkeypatch.setattr(sklearn.datasets, "fetch_openml", fetch_openml)
        return calls

    return use


@pytest.mark.parametrize(
    ("name", "query", "file"),
    [
        ("letters", {"name": "letters"}, "letters.npz"),
        (41982, {"data_id": 41982}, "openml_41982.npz"),
    ],
)
@pytest.mark.parametrize("dtype", [np.int64, np.float64])
def test_images_of_other_sizes_and_classes(other, tmp_path, name, query, file, dtype):
    X, y = letters(dtype=dtype)
    calls = other(X, y)
    for _ in range(2):
        dataset = fetch_mnist(name=name, data_home=tmp_path)
        np.testing.assert_array_equal(dataset.data, X)
        assert dataset.data.dtype == np.uint8
        assert dataset.data.flags.c_contiguous
        assert dataset.images.shape == (90, 16, 16)
        assert dataset.target.tolist() == y.tolist()
        assert dataset.categories == {"class": ["b", "c", "ä"]}
        assert {key: dataset[key] for key in ABOUT} == ABOUT
        assert len(dataset.feature_names) == 256
    assert len(calls) == 1
    assert query.items() <= calls[0].items()
    assert os.listdir(tmp_path / "skdigits") == [file]
    frame = fetch_mnist(name=name, data_home=tmp_path, as_frame=True).frame
    assert frame["class"].tolist() == y.tolist()


@pytest.mark.parametrize("as_floats", [False, True])
def test_numeric_classes_are_in_numerical_order(other, tmp_path, as_floats):
    y = np.arange(90) % 30
    other(letters()[0], y.astype(float) if as_floats else y)
    dataset = fetch_mnist(name="letters", data_home=tmp_path)
    assert dataset.categories == {"class": [str(i) for i in range(30)]}
    assert dataset.target.tolist() == [str(i) for i in y]


def test_more_than_255_classes(other, tmp_path):
    other(letters(600, 8)[0], np.arange(600))
    for _ in range(2):
        assert fetch_mnist(name="letters", data_home=tmp_path).target[599] == "599"


@pytest.mark.parametrize(
    ("data", "target", "match"),
    [
        (np.ones((9, 4)), np.zeros(9), "with 4 features and values from 1.0 to 1.0, expected squ"),
        (np.ones((9, 65)), np.zeros(9), "with 65 features and values"),
        (np.full((9, 64), 0.5), np.zeros(9), "with 64 features and values from 0.5 to 0.5"),
        (np.full((9, 64), 256), np.zeros(9), "with 64 features and values from 256 to 256"),
        (np.full((9, 64), -1), np.zeros(9), "with 64 features and values from -1 to -1"),
        (np.full((9, 64), np.nan), np.zeros(9), "with 64 features and values from nan to nan"),
        (np.full((9, 64), "a", object), np.zeros(9), "with 64 features and dtype object"),
        (np.ones((9, 64)), None, "without a single target, expected one class per image"),
        (np.ones((9, 64)), np.zeros((9, 2)), "without a single target"),
    ],
)
def test_data_sets_other_than_images_raise(other, tmp_path, data, target, match):
    other(data, target)
    with pytest.raises(ValueError, match=f"Got name='other' {match}"):
        fetch_mnist(name="other", data_home=tmp_path)
    assert not (tmp_path / "skdigits").exists()


def test_subset_without_known_test_set_raises(other, tmp_path):
    other(*letters())
    with pytest.raises(
        ValueError, match=r"Got subset='test' with name='letters', expected subset="
    ):
        fetch_mnist(name="letters", subset="test", data_home=tmp_path)


def test_subsets_of_70000_other_images(other, tmp_path):
    X, y = letters(70_000, 8, np.uint8)
    other(X, y)
    X_test, y_test = fetch_mnist(name="k", subset="test", return_X_y=True, data_home=tmp_path)
    np.testing.assert_array_equal(X_test, X[60_000:])
    assert y_test.tolist() == y[60_000:].tolist()


@pytest.mark.parametrize(
    ("name", "file"),
    [(554, "mnist_784"), ("MNIST_784", "mnist_784"), (40996, "Fashion-MNIST")],
)
def test_names_and_ids_share_the_cache(openml, tmp_path, name, file):
    fetch_mnist(name=name, data_home=tmp_path)
    assert os.listdir(tmp_path / "skdigits") == [f"{file}.npz"]


@pytest.mark.mnist
@pytest.mark.slow
def test_general_reader_gives_fashion_mnist(mnist_home, no_network, monkeypatch):
    if not any((mnist_home / "openml").rglob("Fashion-MNIST*.gz")):
        pytest.skip("SCIKIT_LEARN_DATA has no download of Fashion-MNIST")
    monkeypatch.setattr(_openml, "_KNOWN", {})
    X, y = fetch_mnist(name=40996, subset="test", return_X_y=True, data_home=mnist_home)
    assert idx_md5(X, y) == IDX_MD5["Fashion-MNIST"][2:]


# --- the real MNIST -------------------------------------------------------------------------------


@pytest.fixture(params=["quoted", "unquoted"])
def fresh_home(request, mnist_source, tmp_path):
    """A copy of scikit-learn's cache in either spelling of the classes, not yet read by us."""
    source = mnist_source
    if request.param == "unquoted":
        source = mnist_source.parent / "openml_cache_unquoted"
        if not source.is_dir():
            pytest.skip("no folder openml_cache_unquoted beside SCIKIT_LEARN_DATA")
    for path in (source / "openml").rglob("*"):
        if path.is_file() and "ashion" not in path.name:
            copy = tmp_path / path.relative_to(source)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(path.read_bytes())
    return tmp_path


@pytest.mark.slow
@pytest.mark.mnist
def test_both_notations_give_the_original_mnist(fresh_home, no_network):
    before = file_digests(fresh_home / "openml")
    for _ in range(2):
        for i, subset in enumerate(("train", "test")):
            X, y = fetch_mnist(subset=subset, return_X_y=True, data_home=fresh_home)
            assert idx_md5(X, y) == IDX_MD5["mnist_784"][2 * i : 2 * i + 2]
    assert file_digests(fresh_home / "openml") == before


@pytest.mark.slow
@pytest.mark.mnist
def test_fashion_mnist(mnist_home, no_network):
    if not any((mnist_home / "openml").rglob("Fashion-MNIST*.gz")):
        pytest.skip("SCIKIT_LEARN_DATA holds no download of Fashion-MNIST")
    for i, subset in enumerate(("train", "test")):
        X, y = fetch_mnist(
            name="Fashion-MNIST", subset=subset, return_X_y=True, data_home=mnist_home
        )
        assert idx_md5(X, y) == IDX_MD5["Fashion-MNIST"][2 * i : 2 * i + 2]


@pytest.mark.slow
@pytest.mark.mnist
@pytest.mark.parametrize("as_frame", [False, True])
def test_same_as_unmodified_fetch_openml(mnist_home, as_frame):
    # This parser reads the quoted spelling only, which SCIKIT_LEARN_DATA must hold for the test.
    expected = sklearn.datasets.fetch_openml(
        "mnist_784", version=1, as_frame=as_frame, data_home=mnist_home
    )
    dataset = fetch_mnist(as_frame=as_frame, data_home=mnist_home)
    np.testing.assert_array_equal(dataset.data, expected.data)
    np.testing.assert_array_equal(dataset.target, expected.target)
    assert dataset.target.dtype == expected.target.dtype
    assert set(dataset) - set(expected) == (set() if as_frame else {"images"})
    for key in set(expected) - {"data", "target", "frame"}:
        assert dataset[key] == expected[key]
    if as_frame:
        assert dataset.frame.columns.equals(expected.frame.columns)
        assert dataset.frame.shape == expected.frame.shape


@pytest.mark.slow
@pytest.mark.mnist
def test_download_survives_failing_parser(fresh_home, no_network, monkeypatch):
    def read_csv(*args, **kwargs):
        raise TypeError("expected string or bytes-like object, got 'int'")

    before = file_digests(fresh_home)
    with monkeypatch.context() as patched:
        patched.setattr(pd, "read_csv", read_csv)
        with pytest.raises(OSError, match="Could not load name='mnist_784'"):
            fetch_mnist(data_home=fresh_home)
    assert file_digests(fresh_home) == before
    X, y = fetch_mnist(subset="test", return_X_y=True, data_home=fresh_home)
    assert idx_md5(X, y) == IDX_MD5["mnist_784"][2:]


FIRST_CALL = """
import hashlib, resource, sys
import pandas, sklearn.datasets
from skdigits.datasets import fetch_mnist
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
X, y = fetch_mnist(return_X_y=True, data_home=sys.argv[1])
extra = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
print(hashlib.md5(X.tobytes()).hexdigest(), extra / (1024 if sys.platform == "linux" else 2**20))
"""


@pytest.mark.slow
@pytest.mark.mnist
@pytest.mark.skipif(os.name != "posix", reason="needs the resource module")
def test_concurrent_first_calls_in_two_processes(fresh_home):
    command = [sys.executable, "-W", "error", "-c", FIRST_CALL, str(fresh_home)]
    processes = [
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    outputs = [process.communicate(timeout=300) for process in processes]
    assert [error for _, error in outputs] == ["", ""]
    X, _ = fetch_mnist(return_X_y=True, data_home=fresh_home)
    for output, _ in outputs:
        digest, megabytes = output.split()
        assert digest == hashlib.md5(X.tobytes()).hexdigest()
        # The pixels are 52 MB; a parser's 8-byte numbers would be 419 MB.
        assert float(megabytes) < 300
    assert os.listdir(fresh_home / "skdigits") == ["mnist_784.npz"]


@pytest.mark.slow
@pytest.mark.mnist
def test_sample_is_reproducible(mnist_home, tmp_path):
    script = Path(__file__).parents[1] / "examples" / "make_mnist_sample.py"
    write_sample = runpy.run_path(str(script))["write_sample"]
    for name in ("a.npz", "b.npz"):
        write_sample(tmp_path / name, data_home=mnist_home)
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    X, y = load_mnist_sample(return_X_y=True)
    with np.load(tmp_path / "a.npz") as archive:
        np.testing.assert_array_equal(archive["X"], X)
        np.testing.assert_array_equal(archive["y"].astype(str), y)


@pytest.mark.slow
@pytest.mark.mnist
@pytest.mark.parametrize("subset", ["train", "test"])
def test_sample_is_a_subset_of_mnist(mnist_home, subset):
    X, _ = fetch_mnist(subset=subset, return_X_y=True, data_home=mnist_home)
    rows = {row.tobytes() for row in X}
    sample, _ = load_mnist_sample(subset, return_X_y=True)
    assert all(row.tobytes() in rows for row in sample)
