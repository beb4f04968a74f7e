"""Fits that are interrupted and resumed from their checkpoint."""

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
from skdigits.datasets import load_mnist_sample

FIT = {"hidden_layer_sizes": (16,), "epochs": 6, "batch_size": 32, "random_state": 3}


@pytest.fixture(scope="module")
def digits():
    X, y = load_mnist_sample(subset="train", return_X_y=True)
    return PixelScaler().fit_transform(X[:300]), y[:300]


@pytest.fixture(scope="module")
def expected(digits):
    """The fit that nothing interrupts."""
    return DigitANNClassifier(**FIT).fit(*digits)


class Crash(Exception):
    """Raised in the middle of a fit."""


class Epochs:
    """A scikit-learn callback that counts epochs and raises an error at the end of one.

    A checkpoint is written when enough time has passed. This clock lets an hour pass in each
    epoch.
    """

    def __init__(self, monkeypatch, raise_in=None, error=Crash):
        self.raise_in, self.error, self.seen, self.now = raise_in, error, 0, 0.0
        monkeypatch.setattr(time, "monotonic", lambda: self.now)

    def setup(self, estimator, context): ...

    def teardown(self, estimator, context): ...

    def on_fit_task_begin(self, estimator, context): ...

    def on_fit_task_end(self, estimator, context):
        if context.task_name == "epoch":
            self.seen += 1
            self.now += 3600
            if self.seen == self.raise_in:
                raise self.error


def fit_with(callback, digits, path, params):
    model = DigitANNClassifier(**params)
    model.set_callbacks(callback)
    return model.fit(*digits, checkpoint=path)


def crashed(digits, path, n_epochs, **params):
    """Leave the checkpoint of a fit that crashes in the epoch after `n_epochs`."""
    with pytest.MonkeyPatch.context() as patch, pytest.raises(Crash):
        fit_with(Epochs(patch, raise_in=n_epochs + 1), digits, path, FIT | params)


@pytest.fixture(scope="module")
def content(digits, tmp_path_factory):
    """A checkpoint's bytes after two epochs."""
    path = tmp_path_factory.mktemp("crashed") / "fit.checkpoint"
    crashed(digits, path, 2)
    return path.read_bytes()


@pytest.fixture
def path(content, tmp_path):
    """A copy of this checkpoint."""
    path = tmp_path / "fit.checkpoint"
    path.write_bytes(content)
    return path


def weights_of(model):
    return [*model.coefs_, *model.intercepts_]


def assert_same_fit(model, expected):
    for found, wanted in zip(weights_of(model), weights_of(expected), strict=True):
        np.testing.assert_array_equal(found, wanted)
    assert model.history_ == expected.history_
    assert model.best_epoch_ == expected.best_epoch_


CASES = {
    "plain": {},
    "dropout, averaging, batch norm": {
        "dropout": 0.3,
        "weight_averaging": 0.9,
        "batch_norm": True,
    },
    "early stopping": {"early_stopping": True, "n_iter_no_change": 3, "epochs": 30},
    "momentum": {"optimizer": "sgd", "optimizer_params": {"momentum": 0.9}},
}


@pytest.mark.parametrize(
    ("case", "n_epochs"),
    [
        ("dropout, averaging, batch norm", 4),
        ("early stopping", 4),
        *(pytest.param(case, 1, marks=pytest.mark.slow) for case in CASES),
    ],
)
def test_resumed_fit_has_the_bits_of_an_uninterrupted_one(
    digits, tmp_path, monkeypatch, case, n_epochs
):
    path = tmp_path / "fit.checkpoint"
    params = FIT | CASES[case]
    crashed(digits, path, n_epochs, **params)
    assert path.exists()
    callback = Epochs(monkeypatch)
    model = fit_with(callback, digits, path, params)
    expected = DigitANNClassifier(**params).fit(*digits)
    assert callback.seen == expected.n_iter_ - n_epochs
    assert_same_fit(model, expected)
    assert os.listdir(tmp_path) == []


def test_resumed_fit_keeps_a_drawn_seed(digits, tmp_path):
    path = tmp_path / "fit.checkpoint"
    params = FIT | {"random_state": None}
    crashed(digits, path, 2, **params)
    with zipfile.ZipFile(path) as archive:
        seed = json.loads(archive.read("checkpoint.json"))["seed"]
    model = DigitANNClassifier(**params).fit(*digits, checkpoint=str(path))
    assert_same_fit(model, DigitANNClassifier(**(FIT | {"random_state": seed})).fit(*digits))


def test_checkpoint_in_a_pipeline(digits, tmp_path, expected):
    path = tmp_path / "fit.checkpoint"
    X, y = load_mnist_sample(subset="train", return_X_y=True)
    X, y = X[:300], y[:300]
    model = make_pipeline(PixelScaler(), DigitANNClassifier(**FIT))
    model.fit(X, y, digitannclassifier__checkpoint=path)
    np.testing.assert_array_equal(model.predict_proba(X), expected.predict_proba(digits[0]))
    assert not path.exists()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"epochs": 9}, "epochs 6 there, 9 here"),
        ({"dropout": 0.1}, "dropout"),
        ({"random_state": 4}, "seed 3 there, 4 here"),
        ({"optimizer": "sgd"}, "optimizer 'adam' there, 'sgd' here"),
        ({"class_weight": {"1": 2.0}}, "data "),
    ],
)
def test_checkpoint_of_another_fit_raises_and_stays(digits, path, content, change, message):
    model = DigitANNClassifier(**(FIT | change))
    with pytest.raises(ValueError, match=f"belongs to another fit .*{message}"):
        model.fit(*digits, checkpoint=path)
    assert path.read_bytes() == content
    assert not hasattr(model, "classes_")


@pytest.mark.parametrize("changed", ["X", "y", "sample_weight", "X_val"])
def test_checkpoint_of_other_data_raises_and_stays(digits, path, content, changed):
    X, y = digits[0].copy(), digits[1].copy()
    more = {}
    if changed == "X":
        X[5, 300] += 0.01
    elif changed == "y":
        y[5] = "3" if y[5] != "3" else "4"
    elif changed == "sample_weight":
        more["sample_weight"] = np.full(len(y), 2.0)
    else:
        more |= {"X_val": X[:50], "y_val": y[:50]}
    with pytest.raises(ValueError, match=r"belongs to another fit .*data "):
        DigitANNClassifier(**FIT).fit(X, y, checkpoint=path, **more)
    assert path.read_bytes() == content


@pytest.mark.parametrize("damage", ["text", "cut", "flipped", "empty"])
def test_other_file_raises_and_stays(digits, path, content, damage):
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
def test_unwritable_path_raises_before_training(digits, tmp_path, name):
    with pytest.raises(OSError, match=r"Got checkpoint=.* expected"):
        DigitANNClassifier(**FIT).fit(*digits, checkpoint=tmp_path / name)


@pytest.mark.parametrize("checkpoint", [3, b"path", ["a"]])
def test_checkpoint_of_wrong_type_raises(digits, checkpoint):
    with pytest.raises(TypeError, match="Got checkpoint="):
        DigitANNClassifier(**FIT).fit(*digits, checkpoint=checkpoint)


def test_failed_write_warns_once(digits, tmp_path, monkeypatch, expected):
    resource = pytest.importorskip("resource")
    path = tmp_path / "fit.checkpoint"
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    # The first file, without weights, is smaller.
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, limits[1]))
    try:
        with pytest.warns(RuntimeWarning, match="could not be written") as caught:
            model = fit_with(Epochs(monkeypatch), digits, path, FIT)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert len(caught) == 1
    assert_same_fit(model, expected)
    assert os.listdir(tmp_path) == []


def test_another_number_of_threads_warns(digits, path):
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    header = json.loads(members["checkpoint.json"])
    header["environment"]["threads"] = "61"
    members["checkpoint.json"] = json.dumps(header)
    with zipfile.ZipFile(path, "w") as archive:
        for name, member in members.items():
            archive.writestr(name, member)
    with pytest.warns(UserWarning, match=r"threads 61 then, . now"):
        DigitANNClassifier(**FIT).fit(*digits, checkpoint=path)


def test_keyboard_interrupt_keeps_the_checkpoint(digits, tmp_path, monkeypatch, expected):
    path = tmp_path / "fit.checkpoint"
    with pytest.warns(UserWarning, match="interrupted"):
        model = fit_with(Epochs(monkeypatch, 3, KeyboardInterrupt), digits, path, FIT)
    assert model.n_iter_ == 3
    model = DigitANNClassifier(**FIT).fit(*digits, checkpoint=path)
    assert_same_fit(model, expected)


def test_divergence_removes_the_checkpoint(digits, tmp_path):
    model = DigitANNClassifier(**FIT).set_params(optimizer="sgd", learning_rate=1e30)
    with pytest.raises(ValueError, match="diverged"):
        model.fit(*digits, checkpoint=tmp_path / "fit.checkpoint")
    assert os.listdir(tmp_path) == []


def test_keras_callbacks_with_checkpoint_raise(digits, tmp_path):
    import keras

    model = DigitANNClassifier(**FIT, keras_callbacks=[keras.callbacks.ReduceLROnPlateau()])
    with pytest.raises(ValueError, match=r"checkpoint=.* with keras_callbacks="):
        model.fit(*digits, checkpoint=tmp_path / "fit.checkpoint")


def test_verbose_prints_only_the_remaining_epochs(digits, path, capsys):
    DigitANNClassifier(**FIT, verbose=True).fit(*digits, checkpoint=path)
    lines = capsys.readouterr().out.splitlines()
    assert [line.partition(":")[0] for line in lines] == [f"Epoch {i}/6" for i in range(3, 7)]


# In each trial a process is killed at a random moment until it ends by itself.

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
        # Private, since a kill hits a write only where there are many.
        _checkpoint.PAUSE = pause
    X, y = load_mnist_sample(subset="train", return_X_y=True)
    model = DigitANNClassifier(**LONG_FIT, epochs=epochs)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        # From here on the process may be killed.
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


# SKDIGITS_TRIALS=60 repeats it; .ci/matrix does.
@pytest.mark.slow
def test_killed_fit_ends_with_the_bits_of_an_undisturbed_one(tmp_path):
    n_trials, epochs = int(os.environ.get("SKDIGITS_TRIALS", "4")), 100
    kills, resumed, differences, leftovers = kill_and_resume(tmp_path, n_trials, epochs, seed=0)
    print(f"{n_trials} trials: {kills} kills, {resumed} of them resumed, {differences} differences")
    assert differences == 0
    assert kills > 0
    assert leftovers == []
