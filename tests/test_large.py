"""Data larger than memory: memory-mapped files in fit, chunks in partial_fit."""

import json
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

from skdigits import DigitANNClassifier, _rows
from skdigits._keras.program_cache import PROGRAMS
from skdigits.datasets import load_mnist_sample

PARAMS = {"hidden_layer_sizes": (24, 16), "epochs": 2, "batch_size": 64, "random_state": 0}


@pytest.fixture(scope="module")
def digits():
    return load_mnist_sample(subset="train", return_X_y=True)


@pytest.fixture
def small_windows(monkeypatch):
    """Windows of 1,000 rows of bytes, for files of any size."""
    monkeypatch.setattr(_rows, "ON_DISK_BYTES", 0)
    monkeypatch.setattr(_rows, "LEAST_WINDOW", 784_000)
    monkeypatch.setattr(_rows, "LARGEST_WINDOW", 784_000)


def mapped(path, X):
    np.save(path, X)
    return np.load(path, mmap_mode="r")


def assert_same_model(a, b):
    for ours, other in zip(a.coefs_ + a.intercepts_, b.coefs_ + b.intercepts_, strict=True):
        np.testing.assert_array_equal(ours, other)
    assert a.history_ == b.history_
    assert a.temperature_ == b.temperature_


def weights_of(y):
    """Weights whose mean is another in each part of the rows, some of them 0."""
    weights = np.random.default_rng(0).uniform(0.5, 2, len(y)) * np.linspace(0.1, 3, len(y))
    weights[::7] = 0
    return weights


class SeesBatches(keras.callbacks.Callback):
    def on_train_batch_end(self, batch, logs=None):
        assert logs["loss"] > 0


@pytest.mark.parametrize(
    "params",
    [
        {"dropout": 0.3, "batch_norm": True, "weight_averaging": True, "batch_size": 2000},
        {"augmentation": "elastic"},
        pytest.param({"early_stopping": True, "batch_size": 100}, marks=pytest.mark.slow),
        pytest.param(
            {"keras_callbacks": [SeesBatches()], "epochs": 1, "batch_size": 512},
            marks=pytest.mark.slow,
        ),
    ],
    ids=" ".join,
)
def test_fit_on_a_file_gives_the_bits_of_a_fit_in_memory(digits, tmp_path, small_windows, params):
    X, y = digits
    weights = weights_of(y) if "augmentation" in params else None
    in_memory = DigitANNClassifier(**PARAMS | params).fit(X, y, weights)
    on_disk = DigitANNClassifier(**PARAMS | params).fit(mapped(tmp_path / "X.npy", X), y, weights)
    assert_same_model(on_disk, in_memory)


@pytest.mark.parametrize(
    "kind",
    ["float32", *(pytest.param(k, marks=pytest.mark.slow) for k in ("images", "every second row"))],
)
def test_other_files(digits, tmp_path, small_windows, kind):
    X, y = digits[0][:3000], digits[1][:3000]
    if kind == "float32":
        X = X / np.float32(255)
    X_file = mapped(tmp_path / "X.npy", X.reshape(-1, 28, 28) if kind == "images" else X)
    if kind == "every second row":
        X, X_file, y = X[::2], X_file[::2], y[::2]
    on_disk = DigitANNClassifier(**PARAMS).fit(X_file, y)
    assert_same_model(on_disk, DigitANNClassifier(**PARAMS).fit(X, y))


@pytest.mark.slow
def test_a_fit_on_a_file_goes_on_from_its_checkpoint(digits, tmp_path, small_windows, monkeypatch):
    X, y = mapped(tmp_path / "X.npy", digits[0]), digits[1]
    model = DigitANNClassifier(**PARAMS | {"epochs": 4})
    expected = DigitANNClassifier(**PARAMS | {"epochs": 4}).fit(digits[0], y)

    class Crash(BaseException):
        pass

    class CrashAfterTwo:
        def setup(self, estimator, context): ...

        def teardown(self, estimator, context): ...

        def on_fit_task_begin(self, estimator, context):
            if context.task_name == "epoch" and context.task_id == 2:
                raise Crash

        def on_fit_task_end(self, estimator, context): ...

    monkeypatch.setattr("skdigits._checkpoint.PAUSE", 0)
    path = tmp_path / "fit.checkpoint"
    with pytest.raises(Crash):
        model.set_callbacks(CrashAfterTwo()).fit(X, y, checkpoint=path)
    resumed = DigitANNClassifier(**PARAMS | {"epochs": 4}).fit(X, y, checkpoint=path)
    assert_same_model(resumed, expected)
    assert not path.exists()


def test_which_rows_are_streamed(digits, tmp_path):
    X, _ = digits
    large = np.lib.format.open_memmap(
        tmp_path / "X.npy", mode="w+", dtype=np.uint8, shape=(50_000, 784)
    )
    assert _rows.streamed(large)
    assert _rows.streamed(np.asarray(large)[5:])
    assert not _rows.streamed(large[:40_000])
    assert not _rows.streamed(X)
    assert not _rows.streamed(np.empty((50_000, 784), np.uint8))


ONE_FIT = """
import json, sys, threading, time
import numpy as np
from skdigits import DigitANNClassifier

def own_memory():
    # Not the file's pages, which the kernel takes back when somebody needs the room.
    lines = open("/proc/self/status").read().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("RssAnon")) * 1024

X = np.load(sys.argv[1], mmap_mode="r")
y = np.arange(len(X)) % 10
model = DigitANNClassifier((16,), epochs=1, early_stopping=True, validation_fraction=0.2)
# Everything is imported and compiled.
model.fit(X[:60_000], y[:60_000])
before, peak, done = own_memory(), [0], threading.Event()
def watch():
    while not done.wait(0.002):
        peak[0] = max(peak[0], own_memory())
watcher = threading.Thread(target=watch)
watcher.start()
model.fit(X, y)
done.set()
watcher.join()
print(json.dumps({"grown": peak[0] - before, "accuracy": model.validation_scores_[-1]}))
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads Linux' own figures")
def test_a_file_is_not_loaded_whole(tmp_path):
    """Peak memory of a fit on 157 MB with a split for early stopping."""
    rng = np.random.default_rng(0)
    X = np.lib.format.open_memmap(
        tmp_path / "X.npy", mode="w+", dtype=np.uint8, shape=(200_000, 784)
    )
    for start in range(0, len(X), 20_000):
        X[start : start + 20_000] = rng.integers(100, size=(20_000, 784), dtype=np.uint8)
    # Ten classes that a network can tell apart.
    X[np.arange(len(X)), np.arange(len(X)) % 10] = 255
    done = subprocess.run(
        [sys.executable, "-c", ONE_FIT, str(tmp_path / "X.npy")],
        capture_output=True,
        text=True,
        check=True,
    )
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["grown"] < 80e6
    assert found["accuracy"] > 0.9


def chunks_of(length, *arrays):
    for start in range(0, len(arrays[0]), length):
        yield tuple(array[start : start + length] for array in arrays)


def from_memmap(folder, X, y, length):
    return chunks_of(length, mapped(folder / "X.npy", X), y)


def from_parquet(folder, X, y, length):
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    pixels = pyarrow.FixedSizeListArray.from_arrays(pyarrow.array(X.ravel()), X.shape[1])
    table = pyarrow.table({"pixels": pixels, "label": pyarrow.array(y)})
    parquet.write_table(table, folder / "digits.parquet", row_group_size=length)
    file = parquet.ParquetFile(folder / "digits.parquet")
    for i in range(file.num_row_groups):
        group = file.read_row_group(i)
        rows = group["pixels"].combine_chunks().flatten().to_numpy()
        yield rows.reshape(-1, X.shape[1]), group["label"].to_numpy(zero_copy_only=False)


def from_dask(folder, X, y, length):
    array = pytest.importorskip("dask.array")
    blocks = array.from_array(X, chunks=(length, X.shape[1]))
    for i, (_, labels) in enumerate(chunks_of(length, X, y)):
        yield blocks.blocks[i].compute(scheduler="synchronous"), labels


@pytest.mark.parametrize(
    "source",
    [from_memmap, *(pytest.param(s, marks=pytest.mark.slow) for s in (from_parquet, from_dask))],
)
def test_chunks_give_the_bits_of_their_concatenation(digits, tmp_path, source):
    X, y = digits
    params = PARAMS | {"dropout": 0.2, "weight_averaging": True}
    whole = DigitANNClassifier(**params).partial_fit(X, y, np.unique(y))
    PROGRAMS.clear()
    chunked = DigitANNClassifier(**params)
    # The last of these chunks is a shorter one.
    for X_chunk, y_chunk in source(tmp_path, X, y, 64 * 30):
        chunked.partial_fit(X_chunk, y_chunk, np.unique(y))
    for a, b in zip(chunked.coefs_, whole.coefs_, strict=True):
        np.testing.assert_array_equal(a, b)
    assert len(PROGRAMS) == 1


@pytest.mark.slow
def test_a_longer_chunk_and_pickles_in_between_change_nothing(digits):
    import pickle

    X, y = digits
    whole = DigitANNClassifier(**PARAMS).partial_fit(X, y, np.unique(y))
    chunked = DigitANNClassifier(**PARAMS)
    for start, stop in ((0, 64), (64, 4096), (4096, 5000)):
        chunked.partial_fit(X[start:stop], y[start:stop], np.unique(y))
        chunked = pickle.loads(pickle.dumps(chunked))
    np.testing.assert_array_equal(chunked.coefs_[0], whole.coefs_[0])


def test_one_partial_fit_of_a_whole_file(digits, tmp_path, small_windows):
    X, y = digits
    in_memory = DigitANNClassifier(**PARAMS).partial_fit(X, y, np.unique(y))
    on_disk = DigitANNClassifier(**PARAMS)
    on_disk.partial_fit(mapped(tmp_path / "X.npy", X), y, np.unique(y))
    assert_same_model(on_disk, in_memory)
