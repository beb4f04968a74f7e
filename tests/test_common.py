"""scikit-learn's own checks."""

import warnings

import numpy as np
import pytest
from sklearn.utils.estimator_checks import check_estimator, parametrize_with_checks

from skdigits import DigitANNClassifier, PixelScaler

# Defaults' two layers of 512 and 256 units take their time; they are a further pass.
SMALL = {"hidden_layer_sizes": (8,), "learning_rate": 0.02, "epochs": 30}


@parametrize_with_checks([DigitANNClassifier(**SMALL), PixelScaler()])
def test_sklearn_checks(estimator, check):
    check(estimator)


@pytest.mark.slow
@parametrize_with_checks([DigitANNClassifier(), DigitANNClassifier(())])
def test_sklearn_checks_with_other_layers(estimator, check):
    check(estimator)


EQUIVALENCE = "check_sample_weight_equivalence_on_dense_data"
SPARSE_EQUIVALENCE = "check_sample_weight_equivalence_on_sparse_data"
SPLIT = "rows are held back by position, so weighted rows and their copies split differently"
MASK = "masks are drawn by position in the batch, so copies of a row get different ones"
BATCH = "normalisation counts rows, not their weights, as Keras has it"
ONE_CHUNK = "partial_fit refuses early stopping, as MLPClassifier's does"

# Settings and the checks that contradict their meaning, each with its reason. MLPClassifier 1.9.1
# fails 7 with early_stopping=True, among them the same three for partial_fit, and 2 with
# warm_start=True.
CONTRADICTIONS = {
    "early_stopping": (
        {"early_stopping": True},
        {
            "check_fit_score_takes_y": ONE_CHUNK,
            "check_n_features_in_after_fitting": ONE_CHUNK,
            "check_estimators_partial_fit_n_features": ONE_CHUNK,
            EQUIVALENCE: SPLIT,
            SPARSE_EQUIVALENCE: SPLIT,
        },
    ),
    "dropout": ({"dropout": 0.2}, {EQUIVALENCE: MASK, SPARSE_EQUIVALENCE: MASK}),
    "warm_start": ({"warm_start": True}, {}),
    "batch_norm": (
        {"batch_norm": True},
        {EQUIVALENCE: BATCH, SPARSE_EQUIVALENCE: BATCH, "check_class_weight_classifiers": BATCH},
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("case", CONTRADICTIONS)
def test_sklearn_checks_with_contradicting_settings(case):
    params, expected = CONTRADICTIONS[case]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        results = check_estimator(DigitANNClassifier(**params), on_fail=None, on_skip=None)
    failed = {r["check_name"] for r in results if r["status"] == "failed"}
    assert failed == set(expected)


@pytest.mark.slow
@pytest.mark.parametrize("case", ["early_stopping", "dropout", "batch_norm"])
def test_sample_weight_equals_repeated_rows_on_average(case):
    """The equivalence checks compare single fits; here means over seeds are compared."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(120, 4)).astype(np.float32)
    y = (X[:, 0] + rng.normal(size=120) > 0).astype(int)
    weights = np.where(y == 1, 3, 1)
    means = {"weighted": [], "copied": [], "unweighted": []}
    for seed in range(12):
        params = {"hidden_layer_sizes": (8,), "epochs": 60, "learning_rate": 0.03}
        model = DigitANNClassifier(**params, random_state=seed, **CONTRADICTIONS[case][0])
        means["weighted"].append(model.fit(X, y, weights).predict_proba(X)[:, 1].mean())
        copied = model.fit(np.repeat(X, weights, axis=0), np.repeat(y, weights))
        means["copied"].append(copied.predict_proba(X)[:, 1].mean())
        means["unweighted"].append(model.fit(X, y).predict_proba(X)[:, 1].mean())
    errors = [np.var(means[name], ddof=1) / 12 for name in ("weighted", "copied")]
    difference = abs(np.mean(means["weighted"]) - np.mean(means["copied"]))
    assert difference < 4 * np.sqrt(sum(errors)) + 0.02
    assert np.mean(means["weighted"]) > np.mean(means["unweighted"]) + 0.1


def test_tags():
    tags = DigitANNClassifier().__sklearn_tags__()
    assert tags.estimator_type == "classifier"
    assert tags.input_tags.sparse
    assert tags.classifier_tags.multi_class
    assert not tags.classifier_tags.multi_label
    assert not tags.non_deterministic
    assert np.all([tags.target_tags.required, tags.input_tags.two_d_array])
