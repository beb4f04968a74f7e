"""A fit changes the estimator completely or not at all, also with a checkpoint and in a search."""

import os
import warnings
from functools import partial

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

from skdigits import DigitANNClassifier, _training, load_pretrained
from skdigits.datasets import load_mnist_sample

SAMPLE, LABELS = load_mnist_sample(subset="train", return_X_y=True)
X, Y = np.asarray(SAMPLE)[:200], np.asarray(LABELS)[:200]
OTHER_LABELS = np.array([f"digit {label}" for label in Y])


def small(**params):
    return DigitANNClassifier((16,), **{"epochs": 3, "random_state": 0} | params)


class RaiseAt:
    """A scikit-learn callback that raises an exception at the end of a task."""

    def __init__(self, error, task, number=0):
        self.error, self.task, self.number = error, task, number

    def setup(self, estimator, context): ...

    def teardown(self, estimator, context): ...

    def on_fit_task_begin(self, estimator, context): ...

    def on_fit_task_end(self, estimator, context):
        if context.task_name == self.task and (
            self.task == "fit" or context.task_id == self.number
        ):
            raise self.error


def attributes_of(model):
    return {
        name: value
        for name, value in vars(model).items()
        if name not in ("_skl_callbacks", "warm_start", "learning_rate")
    }


@pytest.mark.parametrize("warm_start", [False, True])
@pytest.mark.parametrize("task", ["epoch", "fit"])
@pytest.mark.parametrize("error", [OSError("No space left"), KeyboardInterrupt()])
def test_failed_fit_leaves_the_estimator_and_the_checkpoint(tmp_path, task, error, warm_start):
    if task == "epoch" and isinstance(error, KeyboardInterrupt):
        pytest.skip("Training then ends after that epoch.")
    path = tmp_path / "fit.checkpoint"
    model = small(warm_start=warm_start).fit(X, Y)
    before = attributes_of(model)
    labels = Y if warm_start else OTHER_LABELS
    model.set_callbacks(RaiseAt(error, task))
    with pytest.raises(type(error)):
        model.fit(X, labels, checkpoint=path)
    after = attributes_of(model)
    assert after.keys() == before.keys()
    assert all(after[name] is before[name] for name in before)
    assert path.exists()
    model.set_callbacks().fit(X, labels, checkpoint=path)
    assert model.score(X, labels) > 0
    assert os.listdir(tmp_path) == []


def test_warning_that_is_an_error_leaves_the_estimator():
    model = small().fit(X, Y)
    before = attributes_of(model)
    model.set_callbacks(RaiseAt(KeyboardInterrupt(), "epoch", 1))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(UserWarning, match="interrupted"):
            model.fit(X, OTHER_LABELS)
    assert all(value is before[name] for name, value in attributes_of(model).items())


def test_failed_first_fit_leaves_an_unfitted_estimator():
    model = small().set_callbacks(RaiseAt(OSError("No space left"), "fit"))
    with pytest.raises(OSError, match="No space"):
        model.fit(X, Y)
    assert not [name for name in vars(model) if name.endswith("_")]


def test_failed_chunk_leaves_the_estimator(monkeypatch):
    model = small().partial_fit(X, Y, classes=np.unique(Y))
    before = attributes_of(model)
    monkeypatch.setattr(
        "skdigits._training._Run._call", lambda *args: (_ for _ in ()).throw(MemoryError)
    )
    with pytest.raises(MemoryError):
        model.partial_fit(X, Y)
    assert all(value is before[name] for name, value in attributes_of(model).items())


@pytest.mark.parametrize("fitted", [False, True])
@pytest.mark.parametrize("method", ["fit", "warm_start", "partial_fit"])
def test_interrupt_in_the_first_epoch_is_raised(monkeypatch, method, fitted):
    model = small(warm_start=method == "warm_start")
    before = attributes_of(model.fit(X, Y)) if fitted else attributes_of(model)

    def interrupt(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr("skdigits._training._Run._call", interrupt)
    train = model.fit
    if method == "partial_fit":
        train = partial(model.partial_fit, classes=np.unique(Y))
    with pytest.raises(KeyboardInterrupt):
        train(X, Y)
    assert attributes_of(model).keys() == before.keys()
    assert all(value is before[name] for name, value in attributes_of(model).items())


def test_interrupt_in_a_later_epoch_keeps_the_weights_of_the_last_one():
    model = small().set_callbacks(RaiseAt(KeyboardInterrupt(), "epoch", 1))
    with pytest.warns(UserWarning, match="interrupted by the user: the weights after epoch 2"):
        model.fit(X, Y)
    assert model.n_iter_ == model.best_epoch_ == 2


# Checkpoints of searches.


def interrupted_search(path, monkeypatch, candidate):
    """Interrupt a search in the second epoch of one of its six fits."""
    monkeypatch.setattr("skdigits._checkpoint.PAUSE", 0)
    monkeypatch.setattr("skdigits._training.FLOP_PER_CALL", 1)
    calls = {"fit": 0}

    class Interrupt(RaiseAt):
        def on_fit_task_begin(self, estimator, context):
            calls["fit"] += context.task_name == "fit"

        def on_fit_task_end(self, estimator, context):
            if calls["fit"] == candidate and context.task_name == "epoch" and context.task_id:
                raise KeyboardInterrupt

    search = GridSearchCV(small(), {"learning_rate": [0.001, 0.01, 0.02]}, cv=2)
    search.estimator.set_callbacks(Interrupt(None, None))
    with pytest.raises(KeyboardInterrupt):
        search.fit(X, Y, checkpoint=path)
    search.estimator.set_callbacks()
    return search


@pytest.mark.parametrize("candidate", [1, 4])
def test_interrupted_search_continues_with_all_scores(tmp_path, monkeypatch, candidate):
    path = tmp_path / "search.checkpoint"
    search = interrupted_search(path, monkeypatch, candidate)
    assert path.exists()
    expected = clone(search).fit(X, Y)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        search.fit(X, Y, checkpoint=path)
    for name in ("mean_test_score", "split0_test_score", "split1_test_score"):
        np.testing.assert_array_equal(search.cv_results_[name], expected.cv_results_[name])
    assert os.listdir(tmp_path) == []


def test_interrupted_search_resumes_the_fit(tmp_path, monkeypatch):
    path = tmp_path / "search.checkpoint"
    search = interrupted_search(path, monkeypatch, 4)
    first_epochs = []
    original = _training.train
    monkeypatch.setattr(
        "skdigits._classifier.train",
        lambda job: (first_epochs.append(job.checkpoint.state.epochs), original(job))[1],
    )
    search.fit(X, Y, checkpoint=path)
    # The six candidates and the refit.
    assert [epochs > 0 for epochs in first_epochs] == [i == 3 for i in range(7)]


def test_search_leaves_the_checkpoint_of_another_fit(tmp_path, monkeypatch):
    path = tmp_path / "search.checkpoint"
    interrupted_search(path, monkeypatch, 4)
    before = path.read_bytes()
    search = GridSearchCV(small(), {"dropout": [0.1]}, cv=2).fit(X, Y, checkpoint=path)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert os.listdir(tmp_path) == [path.name]
    assert path.read_bytes() == before
    with pytest.raises(ValueError, match="belongs to another fit"):
        small(dropout=0.1).fit(X, Y, checkpoint=path)


# What belongs to the same fit.


def changed_teacher(**changes):
    teacher = small(epochs=1, batch_norm=True).fit(X, Y)
    for name, value in changes.items():
        object.__setattr__(teacher._network, name, value)
    object.__setattr__(teacher._network, "_folded", teacher._network._fold())
    return {"teacher": teacher}


@pytest.mark.parametrize("changes", [{"activation": "tanh"}, {"temperature": 2.0}])
def test_checkpoint_of_another_teacher_is_refused(tmp_path, monkeypatch, changes):
    path = tmp_path / "fit.checkpoint"
    monkeypatch.setattr("skdigits._checkpoint.PAUSE", 0)
    stopped = small().set_callbacks(RaiseAt(OSError("stop"), "epoch", 2))
    with pytest.raises(OSError, match="stop"):
        stopped.fit(X, Y, checkpoint=path, **changed_teacher())
    with pytest.raises(ValueError, match=r"belongs to another fit \(teacher"):
        small().fit(X, Y, checkpoint=path, **changed_teacher(**changes))
    small().fit(X, Y, checkpoint=path, **changed_teacher())


def test_checkpoint_of_a_warm_start_from_another_network_is_refused(tmp_path, monkeypatch):
    path = tmp_path / "fit.checkpoint"
    monkeypatch.setattr("skdigits._checkpoint.PAUSE", 0)
    models = [small(warm_start=True, batch_norm=True, epochs=2).fit(X, Y) for _ in range(2)]
    # The same predictions: a factor moved from the scale of the normalisation to its variance.
    network = models[1]._network
    norm = network.norms[0]
    object.__setattr__(norm, "gamma", norm.gamma * 2)
    object.__setattr__(norm, "variance", 4 * (norm.variance + norm.epsilon) - norm.epsilon)
    models[0].set_callbacks(RaiseAt(OSError("stop"), "epoch", 1))
    with pytest.raises(OSError, match="stop"):
        models[0].fit(X, Y, checkpoint=path)
    with pytest.raises(ValueError, match=r"belongs to another fit \(warm start from"):
        models[1].fit(X, Y, checkpoint=path)


def test_checkpoint_of_another_optimizer_class_of_the_same_name_is_refused(tmp_path):
    import keras

    def optimizer():
        class Own(keras.optimizers.SGD):
            pass

        return Own

    class Own(keras.optimizers.Adam):
        pass

    path = tmp_path / "fit.checkpoint"
    stopped = small(optimizer=optimizer()).set_callbacks(RaiseAt(OSError("stop"), "epoch", 2))
    with pytest.raises(OSError, match="stop"):
        stopped.fit(X, Y, checkpoint=path)
    with pytest.raises(ValueError, match=r"belongs to another fit \(optimizer"):
        small(optimizer=Own).fit(X, Y, checkpoint=path)


def test_checkpoint_that_cannot_be_removed_is_a_warning(tmp_path, monkeypatch):
    def refuse(self, missing_ok=False):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("pathlib.Path.unlink", refuse)
    model = small()
    with pytest.warns(RuntimeWarning, match="checkpoint .* could not be removed"):
        model.fit(X, Y, checkpoint=tmp_path / "fit.checkpoint")
    assert model.score(X, Y) > 0


# Further training of the pretrained network.


class NotTrainedError(Exception):
    """Raised in place of the training of a large network."""


@pytest.fixture
def without_training(monkeypatch):
    def train(job):
        raise NotTrainedError

    monkeypatch.setattr("skdigits._classifier.train", train)


def train_further(model, method):
    rows, labels = X / np.float32(255), Y
    ann = model[-1]
    if method == "pipeline":
        ann.set_params(warm_start=True)
        return model.fit(X, Y)
    if method == "warm_start":
        return ann.set_params(warm_start=True).fit(rows, labels)
    return ann.partial_fit(rows, labels)


@pytest.mark.parametrize("learning_rate", [0.003, 0.01, None])
@pytest.mark.parametrize("method", ["warm_start", "partial_fit", "pipeline"])
def test_further_training_of_the_pretrained_network_at_a_high_learning_rate_warns(
    without_training, method, learning_rate
):
    model = load_pretrained().set_params(ann__learning_rate=learning_rate)
    message = r"pretrained network, .*Use skdigits.fine_tune, or a learning_rate"
    with (
        pytest.warns(UserWarning, match=message) as caught,
        pytest.raises(NotTrainedError),
    ):
        train_further(model, method)
    assert method == "pipeline" or caught[0].filename == __file__


@pytest.mark.parametrize("method", ["warm_start", "partial_fit", "pipeline"])
def test_further_training_at_a_low_learning_rate_does_not_warn(without_training, method):
    model = load_pretrained().set_params(ann__learning_rate=1e-4)
    with pytest.raises(NotTrainedError):
        train_further(model, method)


def test_new_fit_and_clone_of_the_pretrained_network_do_not_warn():
    model = load_pretrained()[-1]
    model.set_params(epochs=1, hidden_layer_sizes=(16,), augmentation=None, activation="relu")
    rows = X / np.float32(255)
    clone(model).fit(rows, Y)
    model.fit(rows, Y).partial_fit(rows, Y)
