"""scikit-learn's callbacks, alone and together with Keras callbacks."""

import re
from io import StringIO
from itertools import product

import numpy as np
import pandas as pd
import pytest
import sklearn
from rich.console import Console
from sklearn.callback import ProgressBar, ScoringMonitor
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline

from skdigits import DigitANNClassifier, PixelScaler
from skdigits.datasets import load_mnist_sample

SMALL = {"hidden_layer_sizes": (16,), "epochs": 4, "learning_rate": 0.005, "random_state": 0}


@pytest.fixture(scope="module")
def sample():
    X, y = load_mnist_sample(subset="train", return_X_y=True)
    return X[:600], y[:600], X[600:800], y[600:800]


def model(**params):
    return DigitANNClassifier(**SMALL | params)


def pipeline(**params):
    return Pipeline([("scaler", PixelScaler()), ("ann", model(**params))])


class Witness:
    """A callback that records the arguments of its hooks and can stop or raise after an epoch."""

    def __init__(self, stop_after=None, raise_after=None):
        self.stop_after, self.raise_after = stop_after, raise_after
        self.begun, self.ended, self.estimators, self.rows = [], [], [], []
        self.set_up = self.torn_down = 0

    def setup(self, estimator, context):
        self.set_up += 1
        self.n_epochs = context.max_subtasks

    def teardown(self, estimator, context):
        self.torn_down += 1

    def on_fit_task_begin(self, estimator, context):
        self.begun.append((context.task_name, context.task_id))

    def on_fit_task_end(self, estimator, context, *, X=None, y=None, fitted_estimator=None):
        self.ended.append((context.task_name, context.task_id))
        self.estimators.append(fitted_estimator)
        self.rows.append((X, y))
        if context.task_name == "epoch":
            if context.task_id == self.raise_after:
                raise RuntimeError("enough")
            return context.task_id == self.stop_after
        return False


def epochs(*numbers):
    return [("epoch", number) for number in numbers]


def shown_by(monkeypatch, **terminal):
    """Where rich's progress bars write from now on."""
    console = Console(file=StringIO(), width=200, **terminal)
    monkeypatch.setattr("rich._console", console)
    return console.file


@pytest.mark.parametrize("params", [{}, {"epochs": 9}])
def test_epochs_are_tasks_of_a_known_number(sample, params):
    X, y, _, _ = sample
    witness = Witness()
    fitted = model(**params).set_callbacks(witness).fit(X, y)
    n = fitted.epochs
    assert witness.n_epochs == n
    assert witness.begun == [("fit", 0), *epochs(*range(n))]
    assert witness.ended == [*epochs(*range(n)), ("fit", 0)]
    assert (witness.set_up, witness.torn_down) == (1, 1)


def test_early_stopping_ends_the_epoch_tasks(sample):
    X, y, _, _ = sample
    witness = Witness()
    stopping = {"early_stopping": True, "n_iter_no_change": 2, "epochs": 60}
    fitted = model(**stopping).set_callbacks(witness).fit(X, y)
    assert witness.n_epochs == 60
    assert fitted.n_iter_ < 60
    assert witness.ended == [*epochs(*range(fitted.n_iter_)), ("fit", 0)]
    assert (witness.set_up, witness.torn_down) == (1, 1)


def test_callback_stops_training(sample):
    X, y, _, _ = sample
    witness = Witness(stop_after=1)
    fitted = model().set_callbacks(witness).fit(X, y)
    assert fitted.n_iter_ == 2
    assert witness.ended == [*epochs(0, 1), ("fit", 0)]


def test_callback_that_raises_is_torn_down_and_leaves_the_estimator_unfitted(sample):
    X, y, _, _ = sample
    witness = Witness(raise_after=1)
    estimator = model().set_callbacks(witness)
    with pytest.raises(RuntimeError, match="enough"):
        estimator.fit(X, y)
    assert (witness.set_up, witness.torn_down) == (1, 1)
    assert not hasattr(estimator, "classes_")
    assert estimator.set_callbacks().fit(X, y).n_iter_ == 4


VARIANTS = {
    "plain": {},
    "averaged": {"weight_averaging": True},
    "early": {"early_stopping": True, "n_iter_no_change": 3, "epochs": 30},
    "smoothed": {"label_smoothing": 0.1},
    "scarce": {"dropout": 0.5, "batch_norm": True},
}


FEW = [("averaged", False), ("smoothed", True), ("early", False)]


@pytest.mark.parametrize(
    ("variant", "validation"),
    [
        case if case in FEW else pytest.param(*case, marks=pytest.mark.slow)
        for case in product(VARIANTS, [False, True])
    ],
)
def test_fitted_estimator_of_a_hook_equals_a_fit_that_stopped_there(sample, variant, validation):
    """The same training, ended after that epoch by a callback, is the independent witness."""
    X, y, X_val, y_val = sample
    unseen = {"X_val": X_val, "y_val": y_val} if validation else {}
    through, stopped = Witness(), Witness(stop_after=2)
    whole = model(**VARIANTS[variant]).set_callbacks(through).fit(X, y, **unseen)
    ended = model(**VARIANTS[variant]).set_callbacks(stopped).fit(X, y, **unseen)
    for shown, fitted in [(through.estimators[2], ended), (through.estimators[-2], whole)]:
        np.testing.assert_array_equal(shown.predict_proba(X_val), fitted.predict_proba(X_val))
        assert shown.predict(X_val).dtype == y.dtype
        assert shown.history_ == fitted.history_
        assert shown.best_epoch_ == fitted.best_epoch_
        assert shown.temperature_ == fitted.temperature_
    assert through.estimators[0] is not whole
    assert through.estimators[0].n_iter_ == 1
    assert (through.estimators[0].coefs_[0] != whole.coefs_[0]).any()


def test_fitted_estimator_counts_the_epochs_of_a_warm_start(sample):
    X, y, _, _ = sample
    witness = Witness()
    fitted = model(warm_start=True, epochs=3).fit(X, y).set_callbacks(witness).fit(X, y)
    assert [shown.n_iter_ for shown in witness.estimators] == [4, 5, 6, 6]
    assert witness.estimators[2].loss_curve_ == fitted.loss_curve_


@pytest.mark.parametrize(("library", "early"), [("pandas", True), ("polars", False)])
def test_hooks_receive_data_frames_with_feature_names(sample, library, early):
    X, y, _, _ = sample
    frame = pytest.importorskip(library).DataFrame
    names = [f"pixel{i}" for i in range(784)]
    table = pd.DataFrame(X / np.float32(255), columns=names)
    witness, monitor = Witness(), ScoringMonitor(scoring="accuracy")
    estimator = model(early_stopping=early).set_callbacks(witness, monitor)
    # Rows without names would be warned of, which is an error here.
    estimator.fit(table if library == "pandas" else frame(table.to_dict("list")), y)
    rows, labels = witness.rows[1]
    assert isinstance(rows, frame)
    assert list(rows.columns) == names
    assert len(rows) == len(labels) == (540 if early else 600)
    log = monitor.get_logs().data_as_pandas
    assert log.loc[log.task_name == "fit", "accuracy"].item() == np.mean(
        estimator.predict(rows) == labels
    )


@pytest.mark.parametrize("early", [False, True])
def test_scoring_monitor_has_a_score_per_epoch(sample, early):
    X, y, _, _ = sample
    monitor = ScoringMonitor(scoring=["accuracy", "neg_log_loss"])
    fitted = model(early_stopping=early).set_callbacks(monitor).fit(X, y)
    log = monitor.get_logs().data_as_pandas
    rows = log[log["task_name"] == "epoch"]
    assert rows["task_id"].tolist() == [0, 1, 2, 3]
    assert rows["accuracy"].is_monotonic_increasing
    assert rows["accuracy"].nunique() > 2
    assert rows["neg_log_loss"].is_monotonic_increasing
    last = log[log["task_name"] == "fit"].iloc[0]
    assert (last["accuracy"], last["neg_log_loss"]) == tuple(
        rows[["accuracy", "neg_log_loss"]].iloc[-1]
    )
    if not early:
        assert last["accuracy"] == fitted.score(X, y)


def test_scoring_monitor_uses_sample_weight(sample):
    X, y, _, _ = sample
    weights = np.where(y < "5", 0.0, np.arange(600) % 3 + 1.0)
    monitor = ScoringMonitor(scoring="accuracy")
    fitted = model(class_weight={"7": 3.0}).set_callbacks(monitor).fit(X, y, weights)
    log = monitor.get_logs().data_as_pandas
    np.testing.assert_allclose(log["accuracy"].iloc[-1], fitted.score(X, y, weights))


def test_pipeline_routes_validation_rows_with_callbacks_set(sample):
    X, y, X_val, y_val = sample
    monitor = ScoringMonitor(scoring="accuracy")
    witness = Witness()
    with sklearn.config_context(enable_metadata_routing=True):
        ann = model(early_stopping=True).set_fit_request(X_val=True, y_val=True)
        routed = Pipeline(
            [("scaler", PixelScaler()), ("ann", ann.set_callbacks(witness, monitor))],
            transform_input=["X_val"],
        )
        routed.fit(X, y, X_val=X_val, y_val=y_val)
    scaled = routed["scaler"].transform(X_val)
    for shown in witness.estimators:
        score = np.mean(shown.predict(scaled) == y_val)
        np.testing.assert_allclose(score, max(shown.validation_scores_))
    log = monitor.get_logs().data_as_pandas
    assert log.task_name.tolist() == ["fit", *["epoch"] * 4]


def test_keras_callbacks_together_with_scikit_learn_callbacks(sample):
    import keras

    X, y, X_val, y_val = sample
    lines = []
    keras_own = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: lines.append(logs["val_loss"])
    )
    stop = keras.callbacks.EarlyStopping("val_loss", patience=1, start_from_epoch=3, min_delta=10)
    witness, monitor = Witness(), ScoringMonitor(scoring="accuracy")
    estimator = model(epochs=30, keras_callbacks=[keras_own, stop])
    estimator.set_callbacks(witness, monitor).fit(X, y, X_val=X_val, y_val=y_val)
    assert lines == estimator.validation_loss_curve_
    assert witness.ended == [*epochs(*range(estimator.n_iter_)), ("fit", 0)]
    assert 3 < estimator.n_iter_ < 30
    log = monitor.get_logs().data_as_pandas
    assert (log.task_name == "epoch").sum() == estimator.n_iter_


def test_callbacks_passed_to_the_wrong_parameter_are_refused():
    import keras

    with pytest.raises(TypeError, match="given to set_callbacks"):
        DigitANNClassifier(keras_callbacks=[ProgressBar()]).fit([[0.0], [1.0]], [0, 1])
    with pytest.raises(TypeError, match="go into the parameter keras_callbacks"):
        DigitANNClassifier().set_callbacks(keras.callbacks.TerminateOnNaN())
    with pytest.raises(TypeError, match=r"expected instances of keras\.callbacks\.Callback"):
        DigitANNClassifier(keras_callbacks=[keras.callbacks.TerminateOnNaN]).fit(
            [[0.0], [1.0]], [0, 1]
        )


NESTED = """\
GridSearchCV - fit
  GridSearchCV - search #0
    GridSearchCV - candidate-split-evaluation | Pipeline - fit #0
      Pipeline - fit-transform-scaler | PixelScaler - fit #0
      Pipeline - fit-final-estimator | DigitANNClassifier - fit #1
    GridSearchCV - candidate-split-evaluation | Pipeline - fit #1
      Pipeline - fit-transform-scaler | PixelScaler - fit #0
      Pipeline - fit-final-estimator | DigitANNClassifier - fit #1
    GridSearchCV - candidate-split-evaluation | Pipeline - fit #2
      Pipeline - fit-transform-scaler | PixelScaler - fit #0
      Pipeline - fit-final-estimator | DigitANNClassifier - fit #1
    GridSearchCV - candidate-split-evaluation | Pipeline - fit #3
      Pipeline - fit-transform-scaler | PixelScaler - fit #0
      Pipeline - fit-final-estimator | DigitANNClassifier - fit #1
  GridSearchCV - refit-with-best-params | Pipeline - fit #1
    Pipeline - fit-transform-scaler | PixelScaler - fit #0
    Pipeline - fit-final-estimator | DigitANNClassifier - fit #1
"""


def by_fold(lines):
    """Lines in which those of each fold stand together, the folds by their number."""
    text = "\n".join(lines)
    folds = re.findall(r"^ {4}GridSearchCV.*(?:\n {6}.*)*", text, re.MULTILINE)
    head, tail = text.split(folds[0])[0], text.split(folds[-1])[-1]
    return head + "\n".join(sorted(folds)) + tail + "\n"


@pytest.mark.parametrize("n_jobs", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_progress_bar_shows_search_candidate_step_and_epochs(sample, monkeypatch, n_jobs):
    X, y, _, _ = sample
    shown = shown_by(monkeypatch)
    monitor = ScoringMonitor(scoring="accuracy")
    steps = pipeline()
    steps["ann"].set_callbacks(monitor)
    search = GridSearchCV(steps, {"ann__learning_rate": [0.005, 0.01]}, cv=2, n_jobs=n_jobs)
    search.set_callbacks(ProgressBar(max_propagation_depth=None)).fit(X[:300], y[:300])
    lines = [re.split(r" +━", line) for line in shown.getvalue().splitlines()]
    # Folds end in any order where two are run at once.
    assert by_fold(name for name, *_ in lines) == NESTED
    assert all("100%" in rest[-1] for _, *rest in lines)
    # Five fits of four epochs, wherever they ran.
    log = monitor.get_logs().data_as_pandas
    scores = log[log.task_name == "epoch"].groupby("parent_task_id_path").accuracy
    assert scores.size().tolist() == [4] * 5
    assert (scores.last() > scores.first()).all()


def test_progress_bar_advances_in_every_epoch(sample, monkeypatch):
    import time

    import keras

    X, y, _, _ = sample
    shown = shown_by(monkeypatch, force_terminal=True, color_system=None)
    slow = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: time.sleep(0.4))
    model(keras_callbacks=[slow]).set_callbacks(ProgressBar()).fit(X[:300], y[:300])
    percentages = re.findall(r"DigitANNClassifier - fit.*?(\d+)%", shown.getvalue())
    assert list(dict.fromkeys(percentages)) == ["0", "25", "50", "75", "100"]


def test_progress_bar_is_full_after_an_early_stop(sample, monkeypatch):
    X, y, _, _ = sample
    shown = shown_by(monkeypatch)
    stopping = {"early_stopping": True, "n_iter_no_change": 2, "epochs": 60}
    model(**stopping).set_callbacks(ProgressBar()).fit(X, y)
    assert re.fullmatch(r"DigitANNClassifier - fit ━+ 100% [\d:]+ *\n", shown.getvalue())
