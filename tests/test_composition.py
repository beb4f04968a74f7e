"""The classifier inside pipelines, ensembles and other tools of scikit-learn."""

import numpy as np
import pytest
import sklearn
from sklearn.base import clone, is_classifier
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import StackingClassifier, VotingClassifier
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.inspection import permutation_importance
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import ConfusionMatrixDisplay, classification_report
from sklearn.model_selection import (
    GridSearchCV,
    StratifiedKFold,
    check_cv,
    cross_val_score,
)
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from skdigits import DigitANNClassifier, PixelScaler
from skdigits.datasets import fetch_mnist, load_mnist_sample

SMALL = {
    "hidden_layer_sizes": (16,),
    "epochs": 6,
    "batch_size": 32,
    "learning_rate": 0.01,
    "random_state": 0,
}


@pytest.fixture(scope="module")
def sample():
    X, y = load_mnist_sample(subset="train", return_X_y=True)
    X_test, y_test = load_mnist_sample(subset="test", return_X_y=True)
    return X[:600], y[:600], X_test, y_test


def pipeline(scaler=None, **params):
    return Pipeline([("scaler", scaler or PixelScaler()), ("ann", model(**params))])


def model(**params):
    return DigitANNClassifier(**SMALL | params)


@pytest.mark.parametrize("scaler", [PixelScaler(), MinMaxScaler(), StandardScaler()])
def test_pipeline_with_every_scaler(sample, scaler):
    X, y, X_test, y_test = sample
    assert pipeline(scaler).fit(X, y).score(X_test, y_test) > 0.75


def test_images_and_labels_as_keras_loads_them(sample):
    """The layout of keras.datasets.mnist.load_data(): uint8 images, uint8 labels."""
    X, y, X_test, y_test = sample
    images, labels = X.reshape(-1, 28, 28), y.astype(np.uint8)
    fitted = pipeline().fit(images, labels)
    assert fitted.score(X_test.reshape(-1, 28, 28), y_test.astype(np.uint8)) > 0.75
    assert fitted.n_features_in_ == 784
    assert fitted.predict(images[:3]).dtype == np.uint8


def test_folds_are_stratified(sample):
    _, y, _, _ = sample
    assert is_classifier(pipeline())
    assert isinstance(check_cv(3, y, classifier=is_classifier(pipeline())), StratifiedKFold)
    # By position each fold would lack most classes.
    X, y = sample[0][np.argsort(y)], np.sort(y)
    scores = cross_val_score(pipeline(), X, y, cv=2)
    assert scores.min() > 0.6


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(
            lambda: VotingClassifier(
                [("a", pipeline()), ("b", pipeline(random_state=1))], voting="soft"
            ),
            id="voting",
        ),
        pytest.param(
            lambda: StackingClassifier(
                [("a", pipeline()), ("b", pipeline(random_state=1))], LogisticRegression(), cv=2
            ),
            id="stacking",
        ),
        pytest.param(
            lambda: CalibratedClassifierCV(pipeline(), cv=2, ensemble=False), id="sigmoid"
        ),
        pytest.param(
            lambda: CalibratedClassifierCV(pipeline(), cv=2, method="isotonic"),
            id="isotonic",
            marks=pytest.mark.slow,
        ),
    ],
)
def test_ensembles_and_calibration(sample, make):
    X, y, X_test, y_test = sample
    fitted = make().fit(X, y)
    assert fitted.score(X_test, y_test) > 0.7
    np.testing.assert_allclose(fitted.predict_proba(X_test).sum(axis=1), 1, rtol=1e-5)


def test_permutation_importance_of_constant_pixels_is_zero():
    from sklearn.datasets import load_digits

    X, y = load_digits(return_X_y=True)
    fitted = make_pipeline(MinMaxScaler(), model()).fit(X[:600], y[:600])
    found = permutation_importance(fitted, X[:400], y[:400], n_repeats=2, random_state=0)
    assert found.importances_mean[0] == 0
    assert found.importances_mean.max() > 0.01


def test_reports_and_confusion_matrix(sample):
    X, y, X_test, y_test = sample
    fitted = pipeline().fit(X, y)
    display = ConfusionMatrixDisplay.from_estimator(fitted, X_test, y_test)
    assert display.confusion_matrix.sum() == 1000
    report = classification_report(y_test, fitted.predict(X_test), output_dict=True)
    assert report["accuracy"] == fitted.score(X_test, y_test)


def test_sample_weight_is_routed_through_pipeline_and_search(sample):
    X, y, X_test, _ = sample
    weights = np.where(y == "0", 1e-6, 1.0)
    with sklearn.config_context(enable_metadata_routing=True):
        routed = Pipeline(
            [
                ("scaler", PixelScaler()),
                (
                    "ann",
                    model()
                    .set_fit_request(sample_weight=True)
                    .set_score_request(sample_weight=True),
                ),
            ]
        )
        search = GridSearchCV(routed, {"ann__l2": [0.0]}, cv=2)
        search.fit(X, y, sample_weight=weights)
    assert (search.predict(X_test) == "0").mean() < 0.01


def test_transform_input_scales_validation_rows(sample):
    X, y, X_test, y_test = sample
    with sklearn.config_context(enable_metadata_routing=True):
        routed = Pipeline(
            [
                ("scaler", PixelScaler()),
                ("ann", model().set_fit_request(X_val=True, y_val=True)),
            ],
            transform_input=["X_val"],
        )
        routed.fit(X, y, X_val=X_test, y_val=y_test)
    scores = routed["ann"].validation_scores_
    np.testing.assert_allclose(scores[-1], routed.score(X_test, y_test))


def test_clone_of_a_pipeline_in_a_search_keeps_its_parameters():
    first = pipeline(dropout=0.3, optimizer_params={"beta_1": 0.8})
    assert clone(first).get_params()["ann__optimizer__beta_1"] == 0.8


@pytest.mark.slow
@pytest.mark.mnist
def test_full_mnist_end_to_end(mnist_home):
    X, y = fetch_mnist(subset="train", return_X_y=True, data_home=mnist_home)
    X_test, y_test = fetch_mnist(subset="test", return_X_y=True, data_home=mnist_home)
    fitted = make_pipeline(
        PixelScaler(), DigitANNClassifier((128, 64), epochs=5, random_state=0)
    ).fit(X, y)
    assert fitted.score(X_test, y_test) > 0.97
