"""scikit-learn's searches, and Optuna's."""

import joblib
import numpy as np
import pytest
from sklearn.exceptions import FitFailedWarning
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.model_selection import (
    GridSearchCV,
    HalvingGridSearchCV,
    HalvingRandomSearchCV,
    RandomizedSearchCV,
    cross_val_score,
)
from sklearn.pipeline import Pipeline

from skdigits import DigitANNClassifier, PixelScaler
from skdigits.datasets import load_mnist_sample
from skdigits.presets import param_grid

SMALL = {
    "hidden_layer_sizes": (16,),
    "epochs": 4,
    "batch_size": 32,
    "learning_rate": 0.005,
    "random_state": 0,
}


@pytest.fixture(scope="module")
def sample():
    X, y = load_mnist_sample(subset="train", return_X_y=True)
    X_test, y_test = load_mnist_sample(subset="test", return_X_y=True)
    return X[:600], y[:600], X_test, y_test


def model(**params):
    return DigitANNClassifier(**SMALL | params)


def pipeline(memory=None, scaler=None, **params):
    steps = [("scaler", scaler or PixelScaler()), ("ann", model(**params))]
    return Pipeline(steps, memory=memory)


@pytest.mark.parametrize("n_jobs", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_grid_search(sample, n_jobs):
    X, y, X_test, y_test = sample
    grid = {"ann__hidden_layer_sizes": [(16,), (8, 8)], "ann__learning_rate": [0.005, 1e-5]}
    search = GridSearchCV(pipeline(), grid, cv=2, n_jobs=n_jobs).fit(X, y)
    assert search.best_params_ == {"ann__hidden_layer_sizes": (16,), "ann__learning_rate": 0.005}
    assert search.score(X_test, y_test) > 0.7
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


@pytest.mark.slow
def test_results_of_a_search_do_not_depend_on_workers(sample):
    X, y, _, _ = sample
    grid = {"ann__learning_rate": [0.001, 0.01]}
    results = []
    for n_jobs in (1, 2):
        with joblib.parallel_config("loky", inner_max_num_threads=2):
            search = GridSearchCV(pipeline(), grid, cv=3, n_jobs=n_jobs).fit(X, y)
        results.append(search.cv_results_["mean_test_score"])
    np.testing.assert_array_equal(*results)


def test_optimizer_options_in_a_grid(sample):
    X, y, _, _ = sample
    grid = {"ann__optimizer__momentum": [0.0, 0.9], "ann__optimizer": ["sgd"]}
    search = GridSearchCV(pipeline(learning_rate=0.05), grid, cv=2).fit(X, y)
    assert search.best_params_["ann__optimizer__momentum"] == 0.9
    assert search.best_estimator_["ann"].optimizer_params == {"momentum": 0.9}


@pytest.mark.parametrize(
    "make",
    [
        lambda p: RandomizedSearchCV(
            p,
            {"ann__learning_rate": [0.001, 0.01, 0.02]},
            n_iter=2,
            cv=2,
            random_state=0,
        ),
        lambda p: HalvingGridSearchCV(
            p, {"ann__learning_rate": [0.005, 1e-4]}, cv=2, min_resources=200, random_state=0
        ),
    ],
    ids=["random", "halving rows"],
)
def test_other_searches(sample, make):
    X, y, X_test, y_test = sample
    search = make(pipeline()).fit(X, y)
    assert search.score(X_test, y_test) > 0.5


def test_halving_over_epochs(sample):
    X, y, X_test, y_test = sample
    # epochs="auto", the default, is no number to halve: the search sets numbers of its own.
    halving = HalvingRandomSearchCV(
        pipeline(epochs="auto"),
        {"ann__learning_rate": [0.001, 0.003, 0.01, 0.02]},
        cv=2,
        resource="ann__epochs",
        min_resources=1,
        max_resources=4,
        factor=2,
        random_state=0,
    ).fit(X, y)
    epochs = [candidate["ann__epochs"] for candidate in halving.cv_results_["params"]]
    assert epochs == [1] * 4 + [2] * 2 + [4]
    assert halving.n_resources_ == [1, 2, 4]
    assert halving.best_estimator_["ann"].n_iter_ == 4
    assert halving.score(X_test, y_test) > 0.7


@pytest.mark.parametrize("name", ["small", pytest.param("medium", marks=pytest.mark.slow)])
def test_param_grid_can_be_searched(sample, name):
    X, y, _, _ = sample
    wanted = param_grid(name, step="ann")
    one = {parameter: values[-1:] for parameter, values in wanted.items()}
    search = GridSearchCV(pipeline(), one, cv=2).fit(X[:300], y[:300])
    assert search.best_params_ == {parameter: values[-1] for parameter, values in wanted.items()}


@pytest.mark.parametrize(
    ("wrong", "match", "n_jobs"),
    [
        ({"dropout": 1.2}, r"Got dropout=1\.2, expected a number in \[0, 1\)", 2),
        ({"learning_rate": 1e30}, r"training diverged\. Try a learning_rate below 1e\+30", 1),
        ({"optimizer": "adan"}, "Got optimizer='adan', expected a Keras optimizer", 1),
    ],
)
def test_failing_candidate_does_not_end_the_search(sample, wrong, match, n_jobs):
    X, y, _, _ = sample
    ((name, value),) = wrong.items()
    good = model().get_params()[name]
    search = GridSearchCV(pipeline(), {f"ann__{name}": [value, good]}, cv=2, n_jobs=n_jobs)
    with (
        pytest.warns(UserWarning, match="non-finite"),
        pytest.warns(FitFailedWarning, match=match),
        joblib.parallel_config("threading"),
    ):
        search.fit(X[:300], y[:300])
    assert search.best_params_ == {f"ann__{name}": good}
    assert np.isnan(search.cv_results_["mean_test_score"]).tolist() == [True, False]
    assert search.predict(X[:5]).shape == (5,)


class StopAt:
    """A callback that raises KeyboardInterrupt in the middle of a fit."""

    def __init__(self, n_epochs):
        self.left = n_epochs

    def setup(self, estimator, context): ...

    def teardown(self, estimator, context): ...

    def on_fit_task_begin(self, estimator, context): ...

    def on_fit_task_end(self, estimator, context):
        if context.task_name == "epoch":
            self.left -= 1
            if not self.left:
                raise KeyboardInterrupt


class Counted(PixelScaler):
    """A scaler that counts its fits."""

    fits = 0

    def fit(self, X, y=None):
        Counted.fits += 1
        return super().fit(X, y)


@pytest.fixture
def counted():
    Counted.fits = 0
    return Counted()


def test_keyboard_interrupt_ends_a_search(sample):
    X, y, _, _ = sample
    steps = pipeline()
    steps["ann"].set_callbacks(StopAt(6))
    search = GridSearchCV(steps, {"ann__learning_rate": [0.005, 0.01]}, cv=2)
    with pytest.raises(KeyboardInterrupt):
        search.fit(X[:300], y[:300])
    assert not hasattr(search, "cv_results_")


def test_keyboard_interrupt_in_a_pipeline_keeps_the_weights(sample):
    X, y, _, _ = sample
    steps = pipeline()
    steps["ann"].set_callbacks(StopAt(2))
    with pytest.warns(UserWarning, match="interrupted by the user"):
        steps.fit(X[:300], y[:300])
    assert steps["ann"].n_iter_ == 2


@pytest.mark.slow
def test_repeated_search_reuses_cached_transformers(sample, counted, tmp_path):
    X, y, _, _ = sample

    def search(*callbacks):
        steps = pipeline(memory=joblib.Memory(tmp_path, verbose=0), scaler=counted)
        steps["ann"].set_callbacks(*callbacks)
        return GridSearchCV(steps, {"ann__learning_rate": [0.005, 0.01]}, cv=2)

    # Of four epochs each: in the second fit of the second candidate.
    with pytest.raises(KeyboardInterrupt):
        search(StopAt(14)).fit(X[:300], y[:300])
    assert Counted.fits == 2
    again = search().fit(X[:300], y[:300])
    # Only that on all rows, for the best candidate, is new.
    assert Counted.fits == 3
    uncached = GridSearchCV(pipeline(), again.param_grid, cv=2).fit(X[:300], y[:300])
    np.testing.assert_array_equal(
        again.cv_results_["mean_test_score"], uncached.cv_results_["mean_test_score"]
    )


optuna = pytest.importorskip("optuna")
optuna.logging.set_verbosity(optuna.logging.WARNING)


def rates_of(trial):
    return trial.suggest_float("learning_rate", 1e-4, 1e-1, log=True)


def test_optuna_study_improves_the_learning_rate(sample):
    X, y, _, _ = sample

    def objective(trial):
        return cross_val_score(pipeline(learning_rate=rates_of(trial)), X, y, cv=2).mean()

    study = optuna.create_study(
        direction="maximize", sampler=optuna.samplers.TPESampler(seed=0, n_startup_trials=3)
    )
    study.enqueue_trial({"learning_rate": 1e-4})
    study.optimize(objective, n_trials=5)
    assert study.best_value > study.trials[0].value + 0.2
    best = pipeline(**study.best_params).fit(X, y)
    assert best["ann"].learning_rate == study.best_params["learning_rate"]


class Pruning:
    """A scikit-learn callback that reports every epoch to a trial and stops pruned ones."""

    def __init__(self, trial):
        self.trial = trial

    def setup(self, estimator, context): ...

    def teardown(self, estimator, context): ...

    def on_fit_task_begin(self, estimator, context): ...

    def on_fit_task_end(self, estimator, context, *, fitted_estimator):
        if context.task_name != "epoch":
            return False
        self.trial.report(fitted_estimator.validation_scores_[-1], context.task_id)
        return self.trial.should_prune()


def by_scikit_learn_callback(trial, *data, **params):
    fitted = model(**params).set_callbacks(Pruning(trial))
    fitted.fit(*data[:2], X_val=data[2], y_val=data[3])
    if trial.should_prune():
        raise optuna.TrialPruned
    return fitted


def by_keras_callback(trial, *data, **params):
    keras_pruning = pytest.importorskip("optuna_integration").KerasPruningCallback
    fitted = model(keras_callbacks=[keras_pruning(trial, "val_accuracy")], **params)
    return fitted.fit(*data[:2], X_val=data[2], y_val=data[3])


@pytest.mark.parametrize("fit", [by_scikit_learn_callback, by_keras_callback])
def test_unpromising_trials_are_pruned(sample, tmp_path, fit):
    X, y, _, _ = sample
    scaled = PixelScaler().fit_transform(X)
    data = scaled[:300], y[:300], scaled[300:], y[300:]
    n_epochs = []

    def objective(trial):
        rate = trial.suggest_categorical("learning_rate", [0.01, 1e-6])
        fitted = fit(trial, *data, learning_rate=rate, epochs=6)
        n_epochs.append(fitted.n_iter_)
        return fitted.validation_scores_[-1]

    study = optuna.create_study(
        # Keras callbacks are copied: copies of a trial in a file still tell the same study.
        storage=f"sqlite:///{tmp_path}/study.db",
        direction="maximize",
        pruner=optuna.pruners.MedianPruner(n_startup_trials=1, n_warmup_steps=1),
    )
    for rate in (0.01, 1e-6):
        study.enqueue_trial({"learning_rate": rate})
    study.optimize(objective, n_trials=2)
    states = [trial.state.name for trial in study.trials]
    assert states == ["COMPLETE", "PRUNED"]
    assert [len(trial.intermediate_values) for trial in study.trials] == [6, 2]
    assert n_epochs == [6]


def test_scikit_learn_callback_prunes_a_study_in_memory(sample):
    X, y, _, _ = sample
    data = X[:300], y[:300], X[300:], y[300:]
    study = optuna.create_study(
        direction="maximize", pruner=optuna.pruners.ThresholdPruner(lower=0.99, n_warmup_steps=2)
    )
    study.optimize(lambda trial: by_scikit_learn_callback(trial, *data), n_trials=1)
    assert study.trials[0].state.name == "PRUNED"
    assert sorted(study.trials[0].intermediate_values) == [0, 1, 2]


def sqlite(folder):
    return f"sqlite:///{folder}/study.db"


def journal(folder):
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    return JournalStorage(JournalFileBackend(str(folder / "study.log")))


@pytest.mark.parametrize("storage", [pytest.param(sqlite, marks=pytest.mark.slow), journal])
def test_interrupted_study_is_resumed(sample, tmp_path, storage):
    X, y, _, _ = sample
    fits = []

    def study():
        return optuna.create_study(
            storage=storage(tmp_path), study_name="digits", load_if_exists=True
        )

    def objective(trial):
        if len(fits) == 2:
            fits.append("cut off")
            raise KeyboardInterrupt
        rate = rates_of(trial)
        fits.append(rate)
        return model(learning_rate=rate).fit(X[:300], y[:300]).loss_curve_[-1]

    until_four = optuna.study.MaxTrialsCallback(4, states=(optuna.trial.TrialState.COMPLETE,))
    with pytest.raises(KeyboardInterrupt):
        study().optimize(objective, callbacks=[until_four])
    resumed = study()
    before = [trial.value for trial in resumed.trials if trial.value is not None]
    assert len(before) == 2
    resumed.optimize(objective, callbacks=[until_four])
    done = [trial for trial in study().trials if trial.state.name == "COMPLETE"]
    assert [trial.value for trial in done][:2] == before
    assert [trial.params["learning_rate"] for trial in done] == [
        rate for rate in fits if rate != "cut off"
    ]
    assert len(done) == 4


@pytest.mark.filterwarnings(
    "ignore::optuna.exceptions.ExperimentalWarning",
    # Optuna 5 warns of a module of its own that optuna-integration 5 uses.
    "ignore:.optuna.terminator. module has been deprecated:FutureWarning",
)
def test_optuna_search_cv_takes_a_pipeline(sample):
    integration = pytest.importorskip("optuna_integration")
    X, y, X_test, y_test = sample
    space = {
        "ann__learning_rate": optuna.distributions.FloatDistribution(1e-3, 1e-2, log=True),
        "ann__batch_size": optuna.distributions.CategoricalDistribution([32]),
    }
    search = integration.OptunaSearchCV(
        pipeline(), space, cv=2, n_trials=2, random_state=0, error_score=np.nan
    )
    search.fit(X, y)
    assert len(search.trials_) == 2
    assert set(search.best_params_) == set(space)
    assert search.score(X_test, y_test) > 0.5
