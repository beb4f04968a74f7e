"""Fits that die and go on."""

import errno
import itertools
import json
import multiprocessing
import os
import random
import signal
import time
import warnings
import zipfile
from pathlib import Path

import numpy as np
import pytest
from sklearn.pipeline import make_pipeline

from skdigits import DigitANNClassifier, PixelScaler, _checkpoint
from skdigits._atomic import write_atomically
from skdigits.datasets import load_mnist_sample

FIT = {"hidden_layer_sizes": (32, 16), "epochs": 8, "random_state": 3}


@pytest.fixture(scope="module")
def digits():
    X, y = load_mnist_sample(subset="train", return_X_y=True)
    return PixelScaler().fit_transform(X[:600]), y[:600]


@pytest.fixture
def at_every_epoch(monkeypatch):
    """Write after every call of a program, and one epoch in each call."""
    monkeypatch.setattr(_checkpoint, "PAUSE", 0)
    monkeypatch.setattr("skdigits._training.FLOP_PER_CALL", 1)


class Stop(Exception):
    """Raised in the middle of a fit, as a crash that can be caught."""


def crash_after(monkeypatch, n_writes):
    """Let the n-th checkpoint be the last thing that a fit does."""
    original, counter = _checkpoint.Checkpoint.write, itertools.count(1)

    def write(self, collect):
        original(self, collect)
        if next(counter) == n_writes:
            raise Stop

    monkeypatch.setattr(_checkpoint.Checkpoint, "write", write)


def weights_of(model):
    return [*model.coefs_, *model.intercepts_]


def assert_same_fit(model, expected):
    for found, wanted in zip(weights_of(model), weights_of(expected), strict=True):
        np.testing.assert_array_equal(found, wanted)
    assert model.history_ == expected.history_
    assert model.best_epoch_ == expected.best_epoch_


CASES = {
    "plain": {},
    "dropout": {"dropout": 0.3},
    "averaging": {"weight_averaging": 0.9, "batch_norm": True},
    "early_stopping": {"early_stopping": True, "n_iter_no_change": 3, "epochs": 30},
    "momentum": {"optimizer": "sgd", "optimizer_params": {"momentum": 0.9}},
}


@pytest.mark.parametrize("n_writes", [pytest.param(1, marks=pytest.mark.slow), 4])
@pytest.mark.parametrize("case", CASES)
def test_the_same_call_goes_on_and_ends_with_the_same_bits(
    digits, tmp_path, monkeypatch, at_every_epoch, case, n_writes
):
    path = tmp_path / "fit.checkpoint"
    make = lambda: DigitANNClassifier(**(FIT | CASES[case]))  # noqa: E731
    expected = make().fit(*digits)
    with monkeypatch.context() as patch:
        crash_after(patch, n_writes)
        with pytest.raises(Stop):
            make().fit(*digits, checkpoint=path)
    assert path.exists()
    model = make()
    epochs = []
    with monkeypatch.context() as patch:
        call = "skdigits._training._Run._call"
        original = __import__("skdigits._training", fromlist=["_Run"])._Run._call
        patch.setattr(call, lambda s, e, o: (epochs.append(e), original(s, e, o))[1])
        model.fit(*digits, checkpoint=path)
    assert epochs[0] == n_writes
    assert_same_fit(model, expected)
    assert os.listdir(tmp_path) == []


def test_a_seed_that_was_drawn_is_kept(digits, tmp_path, monkeypatch, at_every_epoch):
    path = tmp_path / "fit.checkpoint"
    params = FIT | {"random_state": None}
    with monkeypatch.context() as patch:
        crash_after(patch, 2)
        with pytest.raises(Stop):
            DigitANNClassifier(**params).fit(*digits, checkpoint=str(path))
    with zipfile.ZipFile(path) as archive:
        seed = json.loads(archive.read("checkpoint.json"))["seed"]
    model = DigitANNClassifier(**params).fit(*digits, checkpoint=str(path))
    assert_same_fit(model, DigitANNClassifier(**(FIT | {"random_state": seed})).fit(*digits))


def test_in_a_pipeline(digits, tmp_path):
    path = tmp_path / "fit.checkpoint"
    X, y = load_mnist_sample(subset="train", return_X_y=True)
    X, y = X[:300], y[:300]
    model = make_pipeline(PixelScaler(), DigitANNClassifier(**FIT))
    model.fit(X, y, digitannclassifier__checkpoint=path)
    expected = make_pipeline(PixelScaler(), DigitANNClassifier(**FIT)).fit(X, y)
    np.testing.assert_array_equal(model.predict_proba(X), expected.predict_proba(X))
    assert not path.exists()


def crashed(digits, path, monkeypatch):
    with monkeypatch.context() as patch:
        crash_after(patch, 2)
        with pytest.raises(Stop):
            DigitANNClassifier(**FIT).fit(*digits, checkpoint=path)
    return path.read_bytes()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"epochs": 9}, "epochs 8 there, 9 here"),
        ({"dropout": 0.1}, "dropout"),
        ({"random_state": 4}, "seed 3 there, 4 here"),
        ({"optimizer": "sgd"}, "optimizer 'adam' there, 'sgd' here"),
        ({"class_weight": {"1": 2.0}}, "data "),
    ],
)
def test_another_fits_file_is_refused_and_left(
    digits, tmp_path, monkeypatch, at_every_epoch, change, message
):
    path = tmp_path / "fit.checkpoint"
    before = crashed(digits, path, monkeypatch)
    model = DigitANNClassifier(**(FIT | change))
    with pytest.raises(ValueError, match=f"belongs to another fit .*{message}"):
        model.fit(*digits, checkpoint=path)
    assert path.read_bytes() == before
    assert not hasattr(model, "classes_")


@pytest.mark.parametrize("what", ["X", "y", "sample_weight", "X_val"])
def test_other_data_are_refused(digits, tmp_path, monkeypatch, at_every_epoch, what):
    path = tmp_path / "fit.checkpoint"
    before = crashed(digits, path, monkeypatch)
    X, y = digits[0].copy(), digits[1].copy()
    more = {}
    if what == "X":
        X[5, 300] += 0.01
    elif what == "y":
        y[[0, 1]] = y[[1, 0]] if y[0] != y[1] else (y[0] + 1) % 10
    elif what == "sample_weight":
        more["sample_weight"] = np.full(len(y), 2.0)
    else:
        more |= {"X_val": X[:50], "y_val": y[:50]}
    with pytest.raises(ValueError, match=r"belongs to another fit .*data "):
        DigitANNClassifier(**FIT).fit(X, y, checkpoint=path, **more)
    assert path.read_bytes() == before


@pytest.mark.parametrize("damage", ["text", "cut", "flipped", "empty"])
def test_other_files_are_refused_and_left(digits, tmp_path, monkeypatch, at_every_epoch, damage):
    path = tmp_path / "fit.checkpoint"
    content = crashed(digits, path, monkeypatch)
    flipped = bytearray(content)
    flipped[len(content) // 2] ^= 0x55
    content = {
        "text": b"my own notes",
        "cut": content[: len(content) // 2],
        "flipped": bytes(flipped),
        "empty": b"",
    }[damage]
    path.write_bytes(content)
    with pytest.raises(ValueError, match="damaged file or none of skdigits' checkpoints"):
        DigitANNClassifier(**FIT).fit(*digits, checkpoint=path)
    assert path.read_bytes() == content


@pytest.mark.parametrize("name", ["missing/fit.checkpoint", "."])
def test_a_path_that_cannot_be_written_is_told_before_training(digits, tmp_path, name):
    with pytest.raises(OSError, match=r"Got checkpoint=.* expected"):
        DigitANNClassifier(**FIT).fit(*digits, checkpoint=tmp_path / name)


@pytest.mark.parametrize("checkpoint", [3, b"path", ["a"]])
def test_what_is_no_path(digits, checkpoint):
    with pytest.raises(TypeError, match="Got checkpoint="):
        DigitANNClassifier(**FIT).fit(*digits, checkpoint=checkpoint)


def test_a_disk_that_fills_up_only_warns(digits, tmp_path, monkeypatch, at_every_epoch):
    path = tmp_path / "fit.checkpoint"
    calls = itertools.count()

    def write(target, fill):
        if next(calls):
            raise OSError(errno.ENOSPC, "No space left on device")
        write_atomically(target, fill)

    monkeypatch.setattr(_checkpoint, "write_atomically", write)
    with pytest.warns(RuntimeWarning, match=r"Training goes on.*No space left") as caught:
        model = DigitANNClassifier(**FIT).fit(*digits, checkpoint=path)
    assert len(caught) == 1
    assert_same_fit(model, DigitANNClassifier(**FIT).fit(*digits))
    assert os.listdir(tmp_path) == []


def test_another_number_of_threads_is_told(digits, tmp_path, monkeypatch, at_every_epoch):
    path = tmp_path / "fit.checkpoint"
    crashed(digits, path, monkeypatch)
    monkeypatch.setattr("skdigits._keras.process.environment", lambda: {"threads": "61"})
    with pytest.warns(UserWarning, match=r"threads . then, 61 now"):
        DigitANNClassifier(**FIT).fit(*digits, checkpoint=path)


def test_interruption_keeps_the_file(digits, tmp_path, monkeypatch, at_every_epoch):
    path = tmp_path / "fit.checkpoint"
    original, counter = _checkpoint.Checkpoint.write, itertools.count(1)

    def write(self, collect):
        original(self, collect)
        if next(counter) == 3:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(_checkpoint.Checkpoint, "write", write)
        with pytest.warns(UserWarning, match="interrupted"):
            model = DigitANNClassifier(**FIT).fit(*digits, checkpoint=path)
    assert model.n_iter_ == 3
    model = DigitANNClassifier(**FIT).fit(*digits, checkpoint=path)
    assert_same_fit(model, DigitANNClassifier(**FIT).fit(*digits))


def test_divergence_removes_the_file(digits, tmp_path, at_every_epoch):
    path = tmp_path / "fit.checkpoint"
    model = DigitANNClassifier(optimizer="sgd", learning_rate=1e30, epochs=5)
    with pytest.raises(ValueError, match="diverged"):
        model.fit(*digits, checkpoint=path)
    assert os.listdir(tmp_path) == []


def test_callbacks_of_keras_cannot_be_continued(digits, tmp_path):
    import keras

    model = DigitANNClassifier(**FIT, keras_callbacks=[keras.callbacks.ReduceLROnPlateau()])
    with pytest.raises(ValueError, match=r"checkpoint=.* with keras_callbacks="):
        model.fit(*digits, checkpoint=tmp_path / "fit.checkpoint")


def test_epochs_already_done_are_not_told_again(digits, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(_checkpoint, "PAUSE", 0)
    path = tmp_path / "fit.checkpoint"
    with monkeypatch.context() as patch:
        crash_after(patch, 6)
        with pytest.raises(Stop):
            DigitANNClassifier(**FIT, verbose=True).fit(*digits, checkpoint=path)
    capsys.readouterr()
    DigitANNClassifier(**FIT, verbose=True).fit(*digits, checkpoint=path)
    lines = capsys.readouterr().out.splitlines()
    assert [line.partition(":")[0] for line in lines] == ["Epoch 7/8", "Epoch 8/8"]


# In each trial a process is killed at a random moment, as often as it takes.

LONG_FIT = {
    "hidden_layer_sizes": (64, 32),
    "dropout": 0.2,
    "weight_averaging": True,
    "early_stopping": True,
    "n_iter_no_change": 1000,
    "random_state": 0,
}


def fit_in_a_process(path, epochs, pause, out):
    if pause is not None:
        _checkpoint.PAUSE = pause
    X, y = load_mnist_sample(subset="train", return_X_y=True)
    model = DigitANNClassifier(**LONG_FIT, epochs=epochs)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        # Written last: whoever finds this file may be killed at any moment from now on.
        Path(f"{out}.started").touch()
        model.fit(X[:2000], y[:2000], checkpoint=path)
    np.savez(f"{out}.part.npz", *weights_of(model), np.array(model.validation_scores_))
    os.replace(f"{out}.part.npz", f"{out}.npz")


def kill_and_resume(folder, n_trials, epochs, seed):
    """How often a fit was killed, and how many trials ended with other weights."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tensorflow", "keras", "sklearn.model_selection"])
    rng = random.Random(seed)

    def run(path, pause, out, life=None):
        process = context.Process(target=fit_in_a_process, args=(path, epochs, pause, out))
        process.start()
        started = Path(f"{out}.started")
        while process.is_alive() and not started.exists():
            time.sleep(0.001)
        begin = time.perf_counter()
        process.join(life)
        killed = process.is_alive()
        if killed:
            os.kill(process.pid, signal.SIGKILL)
            process.join()
        started.unlink(missing_ok=True)
        assert killed or process.exitcode == 0
        return killed, time.perf_counter() - begin

    def result(out):
        with np.load(f"{out}.npz") as found:
            return [found[name] for name in found.files]

    _, whole = run(None, None, folder / "undisturbed")
    expected = result(folder / "undisturbed")
    kills = differences = resumed = 0
    for trial in range(n_trials):
        path, out = folder / f"{trial}.checkpoint", folder / str(trial)
        # Every second trial writes at every turn, so that a kill may well hit a write.
        pause = 0 if trial % 2 else None
        while True:
            killed, _ = run(path, pause, out, rng.uniform(0, 1.2 * whole))
            if not killed:
                break
            kills += 1
            if path.exists():
                with zipfile.ZipFile(path) as archive:
                    resumed += json.loads(archive.read("checkpoint.json"))["epochs"] > 0
        same = all(np.array_equal(a, b) for a, b in zip(result(out), expected, strict=True))
        differences += not same
        assert not path.exists()
    leftovers = [name for name in os.listdir(folder) if name.endswith(".tmp")]
    return kills, resumed, differences, leftovers


@pytest.mark.parametrize(
    ("n_trials", "epochs"),
    [(2, 60), pytest.param(60, 200, marks=pytest.mark.slow)],
)
def test_killed_at_any_moment_it_ends_where_an_undisturbed_fit_ends(tmp_path, n_trials, epochs):
    kills, resumed, differences, leftovers = kill_and_resume(tmp_path, n_trials, epochs, seed=0)
    print(f"{n_trials} trials: {kills} kills, {resumed} of them resumed, {differences} differences")
    assert differences == 0
    assert kills > 0
    assert leftovers == []
