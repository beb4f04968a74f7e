from __future__ import annotations

import copy
import itertools
import json
import os
import pickle
import random
import re
import subprocess
import sys
import tempfile
import tracemalloc
import warnings
from collections import Counter
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pytest
import safetensors.numpy
import sklearn
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import config_context
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.callback import ProgressBar
from sklearn.decomposition import PCA
from sklearn.exceptions import InconsistentVersionWarning, NotFittedError
from sklearn.feature_selection import SelectKBest, VarianceThreshold
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import (
    Binarizer,
    FunctionTransformer,
    MaxAbsScaler,
    MinMaxScaler,
    Normalizer,
    PowerTransformer,
    QuantileTransformer,
    RobustScaler,
    StandardScaler,
)

import skdigits
from skdigits import (
    Augmentation,
    DigitANNClassifier,
    DigitDeskewer,
    DigitImageNormalizer,
    PixelScaler,
)
from skdigits._fitted import fitted_attributes
from skdigits._network import BatchNorm, Network
from skdigits._tensor_file import packed, unpacked
from skdigits.persistence import InvalidFileError, load, save

rng = np.random.RandomState(0)
X = rng.rand(50, 6)
Y = np.arange(50) % 3

SCALERS = [
    Binarizer(threshold=0.5),
    MaxAbsScaler(),
    MinMaxScaler(clip=True),
    Normalizer(),
    PixelScaler(),
    PowerTransformer(),
    PowerTransformer("box-cox"),
    QuantileTransformer(n_quantiles=9, output_distribution="normal"),
    RobustScaler(),
    StandardScaler(with_std=False),
    StandardScaler(),
]


def network(widths, dtype=np.float64, norm=False, **kwargs):
    """Return a network of random weights."""
    draw = np.random.RandomState(1)
    pairs = list(itertools.pairwise(widths))
    norms = tuple(
        BatchNorm(*(draw.uniform(0.5, 1.5, (4, n)).astype(dtype)), epsilon=1e-3)
        for n in widths[1:-1]
    )
    return Network(
        kernels=tuple(draw.normal(size=pair).astype(dtype) for pair in pairs),
        biases=tuple(draw.normal(size=n).astype(dtype) for n in widths[1:]),
        norms=norms if norm else None,
        **{"activation": "relu", **kwargs},
    )


def fitted(classes=("a", "b", "c"), hidden=(8,), n_features=6, net=None, **params):
    """Return a classifier that looks as if fitted, at once and without TensorFlow."""
    model = DigitANNClassifier(hidden, **params)
    net = net or network((n_features, *hidden, len(classes)))
    history = {"loss": [1.5, float("nan")], "accuracy": [0.1, 0.2], "val_loss": [0.1, 3.0]}
    history["val_accuracy"] = [0.25, 0.5]
    vars(model).update(fitted_attributes(net, np.asarray(classes), history, 2))
    model.n_features_in_ = n_features
    return model


def pipeline(*steps, n_features=6):
    """Return a pipeline of fitted steps before a classifier that looks as if fitted."""
    before = make_pipeline(*steps).fit(X)
    return Pipeline([*before.steps, ("ann", fitted(n_features=n_features))])


def round_trip(model, tmp_path):
    path = tmp_path / "model.skdigits"
    save(model, path)
    return load(path)


def assert_same(a, b, rows=X):
    """Assert that two models are alike to the last bit."""
    np.testing.assert_array_equal(a.predict_proba(rows), b.predict_proba(rows))
    np.testing.assert_array_equal(a.predict(rows), b.predict(rows))
    assert repr(a) == repr(b)


@pytest.mark.parametrize(
    "net",
    [
        network((6, 8, 3)),
        network((6, 3)),
        network((6, 8, 5, 3), np.float32, norm=True, activation="selu"),
        network((6, 8, 3), np.float32, input_scale=1 / 255),
    ],
)
def test_classifier_round_trip(tmp_path, net):
    model = fitted(net=net, l2=0.125, verbose=1, batch_size=np.int64(4), dropout=(0.25,))
    before = pickle.dumps(model)
    loaded = round_trip(model, tmp_path)
    assert_same(model, loaded)
    assert pickle.dumps(model) == before
    assert os.listdir(tmp_path) == ["model.skdigits"]
    assert loaded.get_params() == model.get_params()
    assert vars(loaded).keys() == vars(model).keys()
    assert repr(loaded.history_) == repr(model.history_)
    assert loaded.loss_curve_ is loaded.history_["loss"]
    for a, b in zip(loaded.coefs_, model.coefs_, strict=True):
        np.testing.assert_array_equal(a, b)
        assert (a.dtype, a.flags.c_contiguous, a.flags.writeable) == (b.dtype, True, False)


@pytest.mark.parametrize("scaler", SCALERS, ids=repr)
@pytest.mark.parametrize("kind", ["array", "frame", "constant"])
def test_pipeline_of_each_scaler_round_trip(tmp_path, scaler, kind):
    rows = pd.DataFrame(X, columns=list("uvwxyz")) if kind == "frame" else X.copy()
    if kind == "constant" and "box-cox" not in repr(scaler):
        # As a picture's corners are.
        rows[:, :2] = 0
    model = make_pipeline(copy.deepcopy(scaler), fitted())
    model[0].fit(rows)
    assert_same(model, round_trip(model, tmp_path), rows)


@pytest.mark.parametrize(
    ("steps", "n_features"),
    [
        (["passthrough", StandardScaler()], 6),
        ([None, make_pipeline(MinMaxScaler(), RobustScaler())], 6),
        ([PCA(4)], 4),
        # The rows of its components are in reverse order in memory.
        ([PCA(3, svd_solver="arpack", whiten=True, random_state=0)], 3),
        ([PCA("mle"), StandardScaler()], 1),
        ([VarianceThreshold(0.08)], 5),
    ],
    ids=["passthrough", "nested", "PCA", "arpack", "mle", "variance"],
)
def test_other_pipelines_round_trip(tmp_path, steps, n_features):
    model = pipeline(*steps, n_features=n_features)
    assert_same(model, round_trip(model, tmp_path))
    nested = make_pipeline("passthrough", model)
    assert_same(nested, round_trip(nested, tmp_path))


def test_data_frames_through_the_whole_pipeline(tmp_path):
    rows = pd.DataFrame(X, columns=list("uvwxyz"))
    model = make_pipeline(StandardScaler(), fitted()).set_output(transform="pandas")
    model[0].fit(rows)
    model[1].feature_names_in_ = model[0].feature_names_in_
    loaded = round_trip(model, tmp_path)
    assert_same(model, loaded, rows)
    assert isinstance(loaded[0].transform(rows), pd.DataFrame)


@pytest.mark.parametrize(
    ("classes", "class_weight"),
    [
        (np.array([3, 5, 8]), {3: 1.0, 5: 0.5, 8: 2}),
        (np.array([False, True]), {False: 1.0, True: 3.0}),
        (np.array([0.5, 1.5]), {np.float64(0.5): 1.0, np.float64(1.5): 2.0}),
        (np.array(["no", "yes"]), {"no": np.float32(1.5)}),
        (np.array(["no", "yes"], dtype=object), "balanced"),
    ],
)
def test_labels_of_each_kind_round_trip(tmp_path, classes, class_weight):
    model = fitted(classes, class_weight=class_weight)
    loaded = round_trip(model, tmp_path)
    assert loaded.classes_.dtype == classes.dtype
    assert loaded.predict(X).tolist() == model.predict(X).tolist()
    assert loaded.class_weight == class_weight


def test_transformer_alone(tmp_path):
    scaler = PixelScaler().fit(X)
    np.testing.assert_array_equal(round_trip(scaler, tmp_path).transform(X), scaler.transform(X))
    pair = make_pipeline(StandardScaler(), PixelScaler()).fit(X)
    np.testing.assert_array_equal(round_trip(pair, tmp_path).transform(X), pair.transform(X))


def test_random_state_goes_on_where_it_was(tmp_path):
    state = np.random.RandomState(5)
    state.normal(size=3)
    model = fitted(random_state=state)
    loaded = round_trip(model, tmp_path)
    np.testing.assert_array_equal(loaded.random_state.normal(size=700), state.normal(size=700))


def test_what_is_found_by_a_search(tmp_path):
    search = GridSearchCV(
        make_pipeline(StandardScaler(), DigitANNClassifier((5,), epochs=1, random_state=0)),
        {"digitannclassifier__learning_rate": np.array([1e-2])},
        cv=2,
    ).fit(X, Y)
    assert_same(search.best_estimator_, round_trip(search.best_estimator_, tmp_path))
    with pytest.raises(
        TypeError, match=r"(?s)Got GridSearchCV.*, expected .* its best_estimator_\."
    ):
        save(search, tmp_path / "search")
    assert os.listdir(tmp_path) == ["model.skdigits"]


def test_metadata_requests_round_trip(tmp_path):
    with config_context(enable_metadata_routing=True):
        model = make_pipeline(
            StandardScaler().set_fit_request(sample_weight=False),
            fitted()
            .set_fit_request(sample_weight="importance")
            .set_score_request(sample_weight=True),
        )
        model[0].fit(X)
        loaded = round_trip(model, tmp_path)
        for a, b in zip(model, loaded, strict=True):
            assert repr(b.get_metadata_routing()) == repr(a.get_metadata_routing())
            assert b.get_metadata_routing().owner is not None


@pytest.mark.parametrize("kind", ["class", "instance", "callbacks"])
def test_objects_of_keras_are_refused_by_the_name_of_the_parameter(tmp_path, kind):
    import keras

    parameter, value = {
        "class": ("optimizer", keras.optimizers.AdamW),
        "instance": ("optimizer", keras.optimizers.SGD(0.02, momentum=0.8)),
        "callbacks": ("keras_callbacks", [keras.callbacks.TerminateOnNaN()]),
    }[kind]
    model = fitted(**{parameter: value})
    message = rf"Got DigitANNClassifier with {parameter}=.*(AdamW|SGD|TerminateOnNaN).* set_params"
    with pytest.raises(TypeError, match=message):
        save(model, tmp_path / "model")
    assert os.listdir(tmp_path) == []


def test_optimizer_state_is_not_stored(tmp_path):
    model = DigitANNClassifier((5,), random_state=0)
    model.partial_fit(X, Y, classes=[0, 1, 2])
    assert "_optimizer_state" in vars(model)
    loaded = round_trip(model, tmp_path)
    assert "_optimizer_state" not in vars(loaded)
    assert "_optimizer_state" in vars(model)
    assert_same(model, loaded)
    loaded.partial_fit(X, Y)


def test_callbacks_memory_and_other_attributes_are_left_out_with_a_warning(tmp_path):
    progress = ProgressBar()
    ann = fitted().set_callbacks(progress)
    ann.note = "mine"
    model = make_pipeline(StandardScaler().fit(X).set_callbacks(progress), ann, memory="folder")
    names = (
        "memory of Pipeline, ProgressBar of StandardScaler, ProgressBar of DigitANNClassifier, "
        r"note of DigitANNClassifier\."
    )
    with pytest.warns(UserWarning, match=f"Left out of the file.*: {names}") as caught:
        loaded = round_trip(model, tmp_path)
    assert caught[0].filename == __file__
    assert (model.memory, ann.note, ann._skl_callbacks) == ("folder", "mine", [progress])
    assert loaded.memory is None
    assert not any({"_skl_callbacks", "note"} & vars(step).keys() for step in loaded)
    np.testing.assert_array_equal(model.predict_proba(X), loaded.predict_proba(X))


class Custom(TransformerMixin, BaseEstimator):
    """A transformer of nobody's trust."""

    def fit(self, X, y=None):
        return self

    def transform(self, X):
        return X


class Derived(DigitANNClassifier):
    """A user's own classifier."""


def derived():
    model = fitted()
    model.__class__ = Derived
    return model


def selecting():
    return make_pipeline(SelectKBest(k=6).fit(X, Y), fitted())


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: "model", TypeError, "Got 'model', which can't be stored, expected one of"),
        (lambda: DigitANNClassifier, TypeError, "Got DigitANNClassifier, .* joblib.* skops"),
        (
            LogisticRegression,
            TypeError,
            r"Got LogisticRegression\(\), which can't .* joblib.* skops",
        ),
        (derived, TypeError, "Got Derived.*, which can't be stored"),
        (
            lambda: make_pipeline(StandardScaler().fit(X), LogisticRegression()),
            TypeError,
            r"Got Pipeline with steps=LogisticRegression\(\)",
        ),
        (lambda: pipeline(Custom()), TypeError, r"Got Pipeline with steps=Custom\(\)"),
        (selecting, TypeError, "Got Pipeline with steps=SelectKBest.* joblib.* skops"),
        (
            lambda: pipeline(FunctionTransformer(np.log1p)),
            TypeError,
            "Got Pipeline with steps=FunctionTransformer",
        ),
        (
            lambda: fitted(random_state=np.random.RandomState(np.random.PCG64())),
            TypeError,
            "Got DigitANNClassifier with random_state=RandomState",
        ),
        (lambda: fitted(dropout=np.array([1j])), TypeError, "with dropout=of shape .* complex128"),
        (lambda: fitted(random_state=0, epochs=-1), ValueError, "Got epochs=-1, expected"),
        (DigitANNClassifier, NotFittedError, "is not fitted yet"),
        (PixelScaler, NotFittedError, "is not fitted yet"),
        (lambda: make_pipeline(StandardScaler(), fitted()), NotFittedError, "StandardScaler"),
        (
            lambda: make_pipeline(StandardScaler().fit(X), DigitANNClassifier()),
            NotFittedError,
            "DigitANNClassifier",
        ),
        (
            lambda: make_pipeline(StandardScaler().fit(X[:, :5]), fitted()),
            ValueError,
            "Got DigitANNClassifier for 6 features after 5, expected the same number",
        ),
        (
            lambda: make_pipeline(fitted(), fitted()),
            ValueError,
            "Got a step DigitANNClassifier.*, expected a transformer",
        ),
        (
            lambda: fitted(optimizer_params={"weight_decay": np.zeros(2)}),
            ValueError,
            "Got optimizer_params or class_weight .*, expected numbers and words",
        ),
        (
            lambda: fitted(["a" * 400_000, "b" * 200_000], optimizer_params={"a": "c" * 2**19}),
            ValueError,
            "bytes of names, parameters and labels, expected at most 524288",
        ),
    ],
)
def test_unsupported_models_are_refused_before_writing(tmp_path, make, error, message):
    path = tmp_path / "model.skdigits"
    path.write_bytes(b"an earlier file")
    with pytest.raises(error, match=message):
        save(make(), path)
    assert path.read_bytes() == b"an earlier file"
    assert os.listdir(tmp_path) == ["model.skdigits"]


def document_of(content):
    """Return arrays and document of a file."""
    header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    return safetensors.numpy.load(content), json.loads(header["__metadata__"]["skdigits"])


def file_of(arrays, document):
    """Return the content of a file."""
    text = document if isinstance(document, str) else json.dumps(document)
    return safetensors.numpy.save(arrays, {"skdigits": text})


def raw(header, data=b""):
    """Return a file with a header of any content."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """Return the content of a file."""
    path = tmp_path_factory.mktemp("saved") / "model"
    net = network((6, 8, 3), norm=True)
    ann = fitted(net=net, random_state=np.random.RandomState(0), class_weight={"a": 2.0})
    frame = pd.DataFrame(X, columns=list("uvwxyz"))
    save(make_pipeline(StandardScaler().fit(frame), PCA(6).fit(X), ann), path)
    return path.read_bytes()


class File:
    """The content of a file to change: steps, parameters, attributes and arrays by name."""

    def __init__(self, content):
        self.arrays, self.document = document_of(content)
        self.pipeline = self.document["model"]
        steps = [step["!tuple"][1]["!estimator"][0] for step in self.pipeline["params"]["steps"]]
        self.scaler, self.pca, self.ann = steps
        self.network = dict(self.ann["fitted"]["_network"]["!Network"])

    def content(self):
        if isinstance(self.ann.get("fitted", {}).get("_network"), dict):
            self.ann["fitted"]["_network"] = {"!Network": [*self.network.items()]}
        return file_of(self.arrays, self.document)

    def put(self, node, array):
        """Replace the array of a node."""
        self.arrays[next(iter(node.values()))[0]] = array


def at(*keys, to):
    """Return a function that changes one value of a file's document."""

    def change(file):
        here = vars(file)[keys[0]]
        for key in keys[1:-1]:
            here = here[key]
        here[keys[-1]] = to

    return change


def with_array(*keys, to):
    """Return a function that replaces one array of a file."""

    def change(file):
        node = vars(file)[keys[0]]
        for key in keys[1:]:
            node = node[key]
        file.put(node, to)

    return change


def kernel(to):
    return with_array("network", "kernels", "!tuple", 0, to=to)


SCRIPT = '"><img src=x onerror="alert(1)">'
FITTED = ("scaler", "fitted")
CHANGES = {
    "unknown class": (at("scaler", "class", to="os.system"), "Got the class 'os.system', expected"),
    "unknown type": (
        at("ann", "params", "l2", to={"!eval": ["1"]}),
        "Got the type '!eval', expected one of",
    ),
    "two types": (at("ann", "params", "l2", to={"!tuple": [], "!dict": []}), "too many values"),
    "no class": (lambda f: f.scaler.clear(), "KeyError: 'class'"),
    "unknown parameter": (
        at("scaler", "params", "evil", to=1),
        "unexpected keyword argument 'evil'",
    ),
    "parameter": (at("ann", "params", "epochs", to=-1), "Got epochs=-1, expected"),
    "parameter of scikit-learn": (
        at("scaler", "params", "with_std", to=[]),
        "The 'with_std' param",
    ),
    "optimizer": (at("ann", "params", "optimizer", to=None), "Got optimizer"),
    "callbacks": (at("ann", "params", "keras_callbacks", to=[1]), "Got keras_callbacks"),
    "options": (
        at("ann", "params", "optimizer_params", to={"!dict": [["a", [1]]]}),
        "Got optimizer_params or class_weight",
    ),
    "method": (at("ann", "fitted", "predict", to=1), r"DigitANNClassifier with .*'predict'"),
    "method of a scaler": (
        at(*FITTED, "transform", to=1),
        r"StandardScaler with .*'transform'",
    ),
    "link": (
        at(*FITTED, "_doc_link_template", to=SCRIPT),
        r"with \['_doc_link_template'\], expected no such attributes",
    ),
    "method of the network": (
        at("network", "logits", to=1),
        "Got Network with .*, expected its fields",
    ),
    "missing attribute": (
        lambda f: f.scaler["fitted"].pop("mean_"),
        "StandardScaler without 'mean_'",
    ),
    "missing number": (
        lambda f: f.scaler["fitted"].pop("n_features_in_"),
        "KeyError|Got .*n_features_in_",
    ),
    "missing network": (lambda f: f.ann["fitted"].pop("_network"), "without '_network'"),
    "missing kernels": (lambda f: f.network.pop("kernels"), "kernels"),
    "unused array": (lambda f: f.arrays.update(more=np.zeros(3)), "Got 1 arrays that belong to no"),
    "strides": (
        lambda f: f.scaler["fitted"]["mean_"]["!array"].append([10**9]),
        "Got gaps 39999999960, expected at most",
    ),
    "strides of another shape": (
        lambda f: f.scaler["fitted"]["mean_"]["!array"].append([1, 1]),
        "zip",
    ),
    "missing array": (
        lambda f: f.arrays.pop("0.feature_names_in_", 0) is f.arrays.popitem(),
        "Key",
    ),
    "array twice": (
        lambda f: f.scaler["fitted"].update(var_=f.scaler["fitted"]["mean_"]),
        "KeyError",
    ),
    "scaler's shape": (
        with_array(*FITTED, "mean_", to=np.ones(5)),
        "mean_ of shape .5,. .*expected",
    ),
    "scaler's axes": (
        with_array(*FITTED, "mean_", to=np.ones((6, 1))),
        "Got mean_ of shape .6, 1.",
    ),
    "scaler's dtype": (
        with_array(*FITTED, "mean_", to=np.ones(6, bool)),
        "Got mean_ .* dtype bool",
    ),
    "scaler's range": (
        with_array(*FITTED, "scale_", to=np.zeros(6)),
        "Got scale_ .*expected finite",
    ),
    "scaler's NaN": (with_array(*FITTED, "mean_", to=np.full(6, np.nan)), "Got mean_ .*finite"),
    "scaler's infinity": (
        with_array(*FITTED, "mean_", to=np.full(6, np.inf)),
        "Got mean_ .*finite",
    ),
    "features": (at(*FITTED, "n_features_in_", to=10**12), "Got n_features_in_ 1000000000000"),
    "kind of number": (at(*FITTED, "n_features_in_", to=6.0), "Got n_features_in_ 6.0"),
    "text for a number": (
        at(*FITTED, "n_features_in_", to="6"),
        "n_features_in_|UFuncNoLoop|ufunc",
    ),
    "names": (at(*FITTED, "feature_names_in_", to={"!object": ["a"]}), "Got feature_names_in_ of"),
    "numbers for names": (
        at(*FITTED, "feature_names_in_", to={"!object": [1, 2, 3, 4, 5, 6]}),
        "Got feature_names_in_ of shape",
    ),
    "components": (
        with_array("pca", "fitted", "components_", to=np.ones((6, 5))),
        "Got components_ of shape .*, expected finite numbers of shape .6, 6.",
    ),
    "number of components": (at("pca", "fitted", "n_components_", to=10**9), "Got n_components_"),
    "solver": (at("pca", "fitted", "_fit_svd_solver", to=SCRIPT), "Got _fit_svd_solver"),
    "kernel": (kernel(np.ones((6, 9))), "expected float arrays whose shapes fit together"),
    "dtype": (kernel(np.ones((6, 8), np.float32)), "expected float arrays whose shapes"),
    "integers": (kernel(np.ones((6, 8), int)), "expected float arrays whose shapes"),
    "infinite": (kernel(np.full((6, 8), np.inf)), "Got weights up to .*expected finite"),
    "not a number": (
        with_array("network", "biases", "!tuple", 0, to=np.full(8, np.nan)),
        "Got weights up to .*nan.*, expected finite",
    ),
    "overflowing": (kernel(np.full((6, 8), 1.7e308)), "Got weights up to .*expected finite"),
    "broadcasting": (
        with_array("network", "norms", "!tuple", 0, "!BatchNorm", 0, 1, to=np.ones((1000, 6, 1))),
        "expected float arrays whose shapes fit together",
    ),
    "no weights": (kernel(np.ones((6, 0))), "expected float arrays whose shapes"),
    "activation": (at("network", "activation", to="eval"), "Got 'eval' layers of"),
    "input scale": (at("network", "input_scale", to="1"), "expected float arrays whose"),
    "other network": (at("ann", "fitted", "n_features_in_", to=7), "Got a network .* 7 features"),
    "no network": (
        at("ann", "fitted", "_network", to=3),
        "expected one for 6 features|no attribute",
    ),
    "labels": (
        with_array("ann", "fitted", "classes_", to=np.full((2, 1), 97, np.uint32)),
        "classes_",
    ),
    "label order": (
        with_array("ann", "fitted", "classes_", to=np.array([[98], [97], [99]], np.uint32)),
        "Got classes_ of shape .3,. .*expected sorted labels",
    ),
    "no characters": (
        with_array("ann", "fitted", "classes_", to=np.full((3, 1), 2**31, np.uint32)),
        "Got text of shape .*expected rows of Unicode",
    ),
    "script as labels": (at("ann", "fitted", "classes_", to=[SCRIPT] * 3), "Got classes_"),
    "history": (at("ann", "fitted", "history_", to={"!dict": [["loss", [1.0]]]}), "Got history_"),
    "no loss": (at("ann", "fitted", "history_", to={"!dict": []}), "Got history_"),
    "epoch": (at("ann", "fitted", "best_epoch_", to=3), "Got best_epoch_ 3, expected an epoch"),
    "random state": (
        at("ann", "params", "random_state", "!RandomState", 1, to=10**9),
        "1000000000",
    ),
    "random state before": (
        at("ann", "params", "random_state", "!RandomState", 1, to=-1),
        "position -1",
    ),
    "augmentation": (
        at("ann", "params", "augmentation", to={"!Augmentation": [["rotation", 1e9]]}),
        "Got rotation=1000000000.0, expected a number from 0 to 180",
    ),
    "memory": (
        at("pipeline", "params", "memory", to="folder"),
        "Got memory 'folder', expected None",
    ),
    "no steps": (at("pipeline", "params", "steps", to=[]), "Got names of steps"),
    "steps": (at("pipeline", "params", "steps", to=[1]), "TypeError"),
    "numbers as steps": (
        at("pipeline", "params", "steps", 0, to={"!tuple": ["a", 3]}),
        "Got a step 3, expected a transformer",
    ),
    "network as a step": (
        lambda f: f.pipeline["params"]["steps"].append(
            copy.deepcopy(f.pipeline["params"]["steps"][0])
        ),
        "KeyError|Got",
    ),
    "names of steps": (
        at("pipeline", "params", "steps", 0, "!tuple", 0, to="pca"),
        "Names provided are not unique",
    ),
    "step in a parameter": (
        lambda f: f.ann["params"].update(l2={"!estimator": [f.pca]}),
        "Got l2=PCA|KeyError",
    ),
    "metadata request": (
        at("scaler", "requests", to={"__class__": {"a": True}}),
        "Got a metadata request",
    ),
    "alias": (
        at("scaler", "requests", to={"fit": {"sample_weight": SCRIPT}}),
        "alias you're setting",
    ),
    "output": (at("scaler", "output", to=SCRIPT), "Got the output"),
    "endless": (at("ann", "params", "l2", to=[[[[]]]]), "Got l2="),
    "large integer": (at("ann", "params", "epochs", to={"!uint8": [300]}), "OverflowError"),
    "infinity": (
        at("ann", "params", "l2", to={"!float": ["one"]}),
        "could not convert string",
    ),
    "no format": (lambda f: f.document.pop("format"), "KeyError: 'format'"),
    "format": (at("document", "format", to=True), "Got format=True"),
    "newer": (
        lambda f: f.document.update(format=3, skdigits="9.9"),
        "Got format=3 of skdigits '9.9', expected 2: another version of skdigits reads it",
    ),
    "no model": (at("document", "model", to=3), "object is not subscriptable"),
    "no object": (lambda f: vars(f).update(document=[]), "list indices must be integers"),
}


def refused(content, tmp_path, message):
    """Assert that a file is refused, in bounded time and memory."""
    path = tmp_path / "hostile file"
    path.write_bytes(content)
    tracemalloc.start()
    with pytest.raises(InvalidFileError, match=message) as caught:
        load(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    text = str(caught.value)
    assert text.startswith(f"Got the file '{path}', expected one that skdigits.save wrote: ")
    assert isinstance(caught.value, ValueError)
    assert "\n" not in text
    assert text.endswith(".")
    assert peak < 50e6 + 2 * len(content)


@pytest.mark.parametrize("change", CHANGES)
def test_changed_documents_and_arrays_are_refused(tmp_path, saved, change):
    change, message = CHANGES[change]
    file = File(saved)
    change(file)
    refused(file.content(), tmp_path, message)


def tensor(shape, start, stop, dtype="F64", **more):
    return {"dtype": dtype, "shape": shape, "data_offsets": [start, stop], **more}


METADATA = {"__metadata__": {"skdigits": "{}"}}
EQUAL_KEYS = b'{"__metadata__":{"skdigits":"{}"},"a":' + b',"a":'.join(
    [json.dumps(tensor([1], 0, 8)).encode()] * 2
)


class Bomb:
    """An object that leaves a trace where it is unpickled."""

    trace = Path("trace of code")

    def __reduce__(self):
        return Path.touch, (self.trace,)


CONTENTS = {
    "empty": (lambda content: b"", "Got 0 bytes, expected a complete safetensors file"),
    "text": (lambda content: b"hello" * 100, "Got 500 bytes, expected a complete safetensors file"),
    "pickle": (lambda content: pickle.dumps(Bomb()), "written by pickle or joblib"),
    "skops": (
        lambda content: b"PK\x03\x04" + content,
        r"by skdigits 0\.1\.0, and only that",
    ),
    "truncated": (lambda content: content[:-1], "SafetensorError"),
    "half": (lambda content: content[: len(content) // 2], "SafetensorError|complete"),
    "longer": (lambda content: content + b"\0", "SafetensorError"),
    "header beyond the file": (
        lambda content: raw(b"")[:7] + b"\x7f" + content,
        "complete safetens",
    ),
    "long header": (lambda content: raw(b" " * 2**20 + b"{}"), "Got 1048578 bytes of names"),
    "no JSON": (lambda content: raw(b"{"), "JSONDecodeError|Expecting"),
    "list": (lambda content: raw(b"[]"), "Got other metadata"),
    "deep header": (lambda content: raw(b"[" * 10**5), "RecursionError"),
    "no metadata": (lambda content: raw({"a": tensor([1], 0, 8)}, bytes(8)), "Got other metadata"),
    "more metadata": (
        lambda content: raw({"__metadata__": {"skdigits": "{}", "b": ""}}),
        "Got other metadata",
    ),
    "number as metadata": (lambda content: raw({"__metadata__": {"skdigits": 1}}), "SafetensorE"),
    "equal tensors": (
        lambda content: raw(EQUAL_KEYS + b"}", bytes(8)),
        "Got a JSON object with equ",
    ),
    "overlap": (
        lambda content: raw(METADATA | dict.fromkeys("abc", tensor([1], 0, 8)), bytes(8)),
        "SafetensorError",
    ),
    "gap": (
        lambda content: raw(METADATA | {"a": tensor([1], 8, 16)}, bytes(16)),
        "SafetensorError",
    ),
    "large array": (
        lambda content: raw(METADATA | {"a": tensor([10**12], 0, 8 * 10**12)}, bytes(8)),
        "SafetensorError",
    ),
    "larger than its bytes": (
        lambda content: raw(METADATA | {"a": tensor([10**12], 0, 8)}, bytes(8)),
        "SafetensorError",
    ),
    "overflowing size": (
        lambda content: raw(METADATA | {"a": tensor([2**63, 2, 0], 0, 0)}),
        "SafetensorError|ValueError",
    ),
    "negative shape": (
        lambda content: raw(METADATA | {"a": tensor([-1, -1], 0, 8)}, bytes(8)),
        "SafetensorError",
    ),
    "other dtype": (
        lambda content: raw(METADATA | {"a": tensor([1], 0, 2, "BF16")}, bytes(2)),
        "KeyError",
    ),
    "no document": (lambda content: file_of({}, "{"), "Expecting property name"),
    "deep document": (lambda content: file_of({}, "[" * 10**5), "RecursionError"),
    "equal keys": (lambda content: file_of({}, '{"format": 2, "format": 2}'), "with equal keys"),
    "large document": (lambda content: file_of({}, "[]" * 2**19), "bytes of names"),
    "many objects": (lambda content: file_of({}, f"[{'[0],' * 130_000}0]"), "list indices"),
    "many values": (
        lambda content: file_of(
            {},
            '{"format": 2, "skdigits": "", "scikit-learn": "", "model": {"class": '
            f'"Binarizer", "params": {{"copy": [{"[0]," * 130_000}0]}}, "fitted": {{}}}}}}',
        ),
        "The 'copy' parameter of Binarizer",
    ),
    "many arrays": (
        lambda content: raw(METADATA | {f"{i:x}": tensor([0], 0, 0, "U8") for i in range(8_000)}),
        "KeyError: 'format'",
    ),
}


@pytest.mark.parametrize("change", CONTENTS)
def test_invalid_contents_are_refused(tmp_path, saved, change, monkeypatch):
    monkeypatch.chdir(tmp_path)
    change, message = CONTENTS[change]
    refused(change(saved), tmp_path, message)
    assert os.listdir(tmp_path) == ["hostile file"]


def same_attributes(a, b):
    """Assert that two estimators have equal parameters and attributes of equal types."""
    assert vars(a).keys() == vars(b).keys()
    for name, value in vars(a).items():
        other = vars(b)[name]
        assert type(value) is type(other)
        if isinstance(value, BaseEstimator):
            same_attributes(value, other)
        elif isinstance(value, np.ndarray):
            np.testing.assert_array_equal(value, other)
            assert value.dtype == other.dtype
            # Those of axes of length 1 have no meaning.
            assert value.strides == other.strides or 1 in value.shape
            assert other.flags.writeable
        elif isinstance(value, np.random.RandomState):
            assert value.get_state()[2:] == other.get_state()[2:]
            np.testing.assert_array_equal(value.get_state()[1], other.get_state()[1])
        else:
            assert repr(value) == repr(other)


def html(model):
    """Return the HTML representation without numbers of elements and addresses of objects."""
    return re.sub(r"id-\d+|0x[0-9A-F]+", "", model._repr_html_())


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    "step",
    [
        *SCALERS,
        MaxAbsScaler(clip=True),
        PowerTransformer(standardize=False),
        QuantileTransformer(n_quantiles=7, subsample=40, random_state=0),
        RobustScaler(with_centering=False, quantile_range=(10, 90.0)),
        RobustScaler(with_scaling=False, unit_variance=True),
        StandardScaler(with_mean=False, with_std=False),
        PCA(),
        PCA("mle"),
        PCA(0.9, svd_solver="full", whiten=True),
        PCA(3, svd_solver="arpack", random_state=np.random.RandomState(0)),
        PCA(np.int64(2), svd_solver="randomized", random_state=0),
        VarianceThreshold(),
        VarianceThreshold(0.08),
        DigitDeskewer(),
        DigitImageNormalizer("ignore"),
    ],
    ids=lambda step: type(step).__name__,
)
def test_attributes_and_html_of_each_transformer(tmp_path, step, dtype):
    columns = 4 if isinstance(step, (DigitDeskewer, DigitImageNormalizer)) else 6
    for rows in (
        X[:, :columns].astype(dtype),
        pd.DataFrame(X[:, :columns], columns=[*"uvwxyz"[:columns]]),
    ):
        model = copy.deepcopy(step).fit(rows)
        loaded = round_trip(model, tmp_path)
        same_attributes(model, loaded)
        assert html(loaded) == html(model)
        np.testing.assert_array_equal(loaded.transform(rows), model.transform(rows))


def test_html_of_a_pipeline(tmp_path):
    model = make_pipeline(StandardScaler().fit(X), "passthrough", fitted())
    loaded = round_trip(model, tmp_path)
    assert html(loaded) == html(model)
    assert type(loaded.steps) is list
    assert all(type(step) is tuple for step in loaded.steps)


def test_strings_in_a_file_are_escaped_in_html(tmp_path):
    ann = fitted(
        [SCRIPT, SCRIPT + "b"],
        optimizer=SCRIPT,
        optimizer_params={SCRIPT: SCRIPT},
        class_weight={SCRIPT: 1.0, SCRIPT + "b": 2.0},
    )
    rows = pd.DataFrame(X, columns=[f"{SCRIPT}{i}" for i in range(6)])
    ann.feature_names_in_ = np.array(rows.columns, object)
    model = Pipeline([(SCRIPT, StandardScaler().fit(rows)), ("ann", ann)])
    text = round_trip(model, tmp_path)._repr_html_()
    assert "<img" not in text
    assert "&lt;img" in text


@pytest.mark.parametrize(
    "array",
    [
        np.asfortranarray([[0.0, 1], [2, 3], [4, 5]]),
        np.arange(12.0).reshape(3, 4)[:, ::2],
        np.arange(12.0).reshape(4, 3)[::-2, ::-1],
        np.arange(6.0).reshape(2, 3).T,
        np.arange(6, dtype=">f8").reshape(3, 2),
        np.arange(6, dtype=">i2").reshape(3, 2)[::-1],
        np.arange(6, dtype=np.float16).reshape(3, 2).T,
        np.zeros((0, 3)),
        np.array(2.5),
        np.array([True, False]),
    ],
    ids=[
        "Fortran",
        "strided",
        "reversed",
        "transposed",
        "big-endian",
        ">i2",
        "f2",
        "empty",
        "0-d",
        "?",
    ],
)
def test_arrays_of_every_layout_and_byte_order(array):
    loaded, text = unpacked(packed({"a": array}, "text"))
    np.testing.assert_array_equal(loaded["a"], array)
    assert loaded["a"].dtype == array.dtype.newbyteorder("=")
    assert (loaded["a"].shape, text) == (array.shape, "text")
    # The reader of any program has the values in C order.
    content = safetensors.numpy.load(packed({"a": array}, ""))["a"]
    np.testing.assert_array_equal(content, array)


@pytest.mark.parametrize("layout", ["F", "big-endian", "strided", "reversed"])
def test_attributes_of_every_layout_give_the_same_predictions(tmp_path, layout):
    change = {
        "F": np.asfortranarray,
        "big-endian": lambda a: a.astype(a.dtype.newbyteorder(">")),
        "strided": lambda a: np.repeat(a, 2, axis=-1)[..., ::2],
        "reversed": lambda a: np.ascontiguousarray(a[::-1])[::-1],
    }[layout]
    model = make_pipeline(StandardScaler(), PCA(5, whiten=True)).fit(X)
    for step in model:
        for name, value in vars(step).items():
            if isinstance(value, np.ndarray):
                setattr(step, name, change(value))
    loaded = round_trip(model, tmp_path)
    np.testing.assert_array_equal(loaded[1].components_, model[1].components_)
    assert loaded[1].components_.dtype.isnative
    np.testing.assert_allclose(loaded.transform(X), model.transform(X), rtol=1e-12)
    if layout != "big-endian":
        np.testing.assert_array_equal(loaded.transform(X), model.transform(X))


def test_equal_models_give_equal_bytes(tmp_path, saved):
    path = tmp_path / "model"
    path.write_bytes(saved)
    for _ in range(3):
        save(load(path), path)
        assert path.read_bytes() == saved


NUMBER = st.floats(0, 1e6) | st.integers(0, 10**6)
LABEL = st.text(max_size=5).filter(lambda text: not text.endswith("\0"))
LABELS = (
    st.lists(LABEL, min_size=2, max_size=4, unique=True).map(np.unique)
    | st.lists(LABEL, min_size=2, max_size=4, unique=True).map(
        lambda v: np.array(sorted(v), object)
    )
    | st.lists(st.integers(-(2**40), 2**40), min_size=2, max_size=4, unique=True).map(np.unique)
    | st.lists(st.floats(-9, 9), min_size=2, max_size=4, unique=True).map(np.unique)
    | st.just(np.array([False, True]))
)
NUMPY = st.sampled_from([np.float32(0.1), np.float64(0.1), np.float16(0.1), 0.1])
PARAMETERS = st.fixed_dictionaries(
    {},
    optional={
        "hidden_layer_sizes": st.lists(st.integers(1, 99), max_size=3).flatmap(
            lambda sizes: st.sampled_from([sizes, tuple(sizes), np.array(sizes, np.int32)])
        ),
        "dropout": NUMPY | st.lists(NUMPY, max_size=2) | st.lists(NUMPY, max_size=2).map(tuple),
        "l2": NUMBER | st.just(5e-324),
        "batch_norm": st.sampled_from([True, False, np.True_]),
        "optimizer_params": st.none()
        | st.dictionaries(
            st.text(max_size=4).filter(lambda key: key != "learning_rate"),
            st.none() | st.booleans() | st.text(max_size=3) | st.floats() | st.integers() | NUMPY,
            max_size=3,
        ),
        "learning_rate": st.none() | NUMBER.filter(bool),
        "augmentation": st.sampled_from(
            [None, "affine", Augmentation(1, np.float32(0.1), elastic=0)]
        ),
        "class_weight": st.sampled_from([None, "balanced"])
        | st.dictionaries(
            LABEL | st.integers() | st.booleans() | st.floats(allow_nan=False), NUMBER, max_size=3
        ),
        "random_state": st.none() | st.integers(0, 2**32 - 1) | st.just(np.int64(3)),
        "verbose": st.sampled_from([0, 1, True, False]),
    },
)


def check_round_trip(params, classes):
    """Assert that parameters and labels keep values and types."""
    net = network((4, 3, len(classes)))
    model = fitted(classes, n_features=4, net=net).set_params(**params)
    with tempfile.TemporaryDirectory() as folder:
        loaded = round_trip(model, Path(folder))
    assert types(loaded.get_params()) == types(model.get_params())
    assert types(loaded.classes_.tolist()) == types(model.classes_.tolist())
    assert loaded.classes_.dtype == model.classes_.dtype
    np.testing.assert_array_equal(loaded.predict_proba(X[:, :4]), model.predict_proba(X[:, :4]))


def types(value):
    """Return a value with the types of everything in it, NaN as text."""
    if isinstance(value, dict):
        return dict, [(types(key), types(item)) for key, item in value.items()]
    if isinstance(value, (list, tuple)):
        return type(value), [types(item) for item in value]
    if isinstance(value, np.ndarray):
        return value.dtype, value.tolist()
    return type(value), repr(value)


@settings(max_examples=25, deadline=None, derandomize=True)
@given(PARAMETERS, LABELS)
def test_parameters_and_labels_keep_their_types(params, classes):
    check_round_trip(params, classes)


@pytest.mark.slow
@settings(max_examples=2000, deadline=None)
@given(PARAMETERS, LABELS)
def test_many_parameters_and_labels_keep_their_types(params, classes):
    check_round_trip(params, classes)


MEMORY = """
import sys, skdigits, sklearn.preprocessing, sklearn.decomposition
skdigits.DigitANNClassifier

def peak():
    line = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
    return int(line.split()[1]) * 1024

for path in sys.argv[1:]:
    with open("/proc/self/clear_refs", "w") as file:
        file.write("5")
    before = peak()
    try:
        model = skdigits.load(path)
        outcome = "loaded"
    except ValueError as error:
        outcome = "refused"
    print(outcome, peak() - before)
    model = error = None
"""


def peaks(paths):
    """Return outcome and peak memory in bytes of loading files one after the other."""
    command = [sys.executable, "-c", MEMORY, *map(str, paths)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    lines = [line.split() for line in done.stdout.splitlines()]
    return [(outcome, int(peak)) for outcome, peak in lines]


def write_large_files(folder, saved, n_features):
    """Write files whose content may need many times their size; return their paths."""
    wide = network((n_features, 5, 3), np.float32, norm=True, blur=0.125, input_scale=1 / 255)
    single = network((n_features, 5), np.float32, blur=0.125, input_scale=1 / 255, temperature=2.0)
    labels = [f"{'x' * 10_000}{i}" for i in range(5)]
    save(fitted(net=wide, hidden=(5,), n_features=n_features), folder / "wide")
    save(fitted(net=single, hidden=(), n_features=n_features, classes=labels), folder / "single")
    arrays, document = document_of((folder / "single").read_bytes())
    name = next(name for name in arrays if name.endswith("kernels"))
    (folder / "NaN").write_bytes(file_of({**arrays, name: arrays[name] * np.nan}, document))
    arrays["0.history_"] = np.zeros(n_features * 5)
    document["model"]["fitted"]["history_"] = {"!dict": [["loss", {"!array": ["0.history_"]}]]}
    (folder / "history").write_bytes(file_of(arrays, document))
    for name in ("many objects", "many values", "many arrays", "large document"):
        (folder / name).write_bytes(CONTENTS[name][0](saved))
    return sorted(folder.iterdir())


@pytest.mark.skipif(not os.access("/proc/self/clear_refs", os.W_OK), reason="Linux")
@pytest.mark.parametrize("side", [512, pytest.param(2000, marks=pytest.mark.slow)])
def test_memory_of_loading_is_twice_the_file_and_50_mb(tmp_path, saved, side):
    paths = write_large_files(tmp_path, saved, side * side)
    outcomes = dict(zip(paths, peaks(paths), strict=True))
    for path, (_, peak) in outcomes.items():
        assert peak < 2 * path.stat().st_size + 50e6, path.name
    loaded = {path.name for path, (outcome, _) in outcomes.items() if outcome == "loaded"}
    assert loaded == {"wide", "single"}


def run_of(content, draw):
    start = draw.randrange(len(content))
    return start, min(len(content), start + draw.randint(1, 64))


def flip(content, draw):
    content = bytearray(content)
    for _ in range(draw.randint(1, 8)):
        content[draw.randrange(len(content))] ^= 1 << draw.randrange(8)
    return bytes(content)


def truncate(content, draw):
    return content[: draw.randrange(len(content))]


def overwrite(content, draw):
    start, stop = run_of(content, draw)
    return content[:start] + draw.randbytes(stop - start) + content[stop:]


def delete(content, draw):
    start, stop = run_of(content, draw)
    return content[:start] + content[stop:]


def insert(content, draw):
    start, stop = run_of(content, draw)
    return content[:start] + draw.randbytes(stop - start) + content[start:]


def repeat(content, draw):
    start, stop = run_of(content, draw)
    return content[:stop] + content[start:]


def damage_header(content, draw):
    """Change the header alone, which holds the JSON of the model."""
    size = int.from_bytes(content[:8], "little")
    header = draw.choice([flip, overwrite])(content[8 : 8 + size], draw)
    return content[:8] + header + content[8 + size :]


def damage_array(content, draw):
    arrays, document = document_of(content)
    name = draw.choice(list(arrays))
    array = arrays[draw.choice(list(arrays)) if draw.random() < 0.3 else name]
    dims = [draw.choice([0, 1, 2, 3, 6, 8, 10**3]) for _ in range(draw.randint(0, 2))]
    number = draw.choice([0, -1, 1e-300, 1e300, np.inf, np.nan, 10**6])
    new = [
        lambda: array.astype(draw.choice(["f4", "f8", "f2", "i8", "u1", "?", "u4"])),
        lambda: np.zeros(dims, draw.choice(["f4", "f8", "i8"])),
        lambda: array.reshape(-1),
        lambda: array[..., :-1],
        lambda: np.where(np.arange(array.size).reshape(array.shape) == 0, number, array),
        lambda: array[None],
    ]
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            arrays[name] = np.ascontiguousarray(draw.choice(new)())
        except (ValueError, TypeError, IndexError):
            arrays[name] = np.zeros(dims)
    return file_of(arrays, document)


STRINGS = ["os", "eval", "!estimator", "!array", "!text", "!tuple", "!dict", "!object"]
STRINGS += [
    "PCA",
    "StandardScaler",
    "!Network",
    "!Augmentation",
    "!float64",
    "relu",
    "nan",
    "0.mean_",
    "a",
    "",
]
NUMBERS = [0, 1, -1, 2, 3, 8, 624, 2**31, 2**63, 10**12, 0.5, -0.5, 1e308, float("nan"), True]


def mutate(tree, draw):
    """Change one place of a JSON tree."""
    places = []

    def visit(here):
        keys = here if isinstance(here, dict) else range(len(here))
        for key in keys:
            places.append((here, key))
            if isinstance(here[key], (dict, list)):
                visit(here[key])

    visit(tree)
    here, key = draw.choice(places)
    there, other = draw.choice(places)
    change = draw.randrange(8)
    if change == 0:
        here.pop(key)
    elif change == 1:
        here[key] = copy.deepcopy(there[other])
    elif change == 2:
        here[key] = draw.choice([None, [], {}, "", [1, [2]], {"a": 1}, *STRINGS, *NUMBERS])
    elif change == 3 and isinstance(here[key], list):
        draw.shuffle(here[key])
    elif change == 4 and isinstance(here, dict):
        here[draw.choice([*STRINGS, str(other)])] = copy.deepcopy(there[other])
    elif isinstance(here[key], str):
        here[key] = draw.choice(STRINGS)
    elif isinstance(here[key], int):
        here[key] = draw.choice([here[key] + 1, *NUMBERS])
    else:
        here[key] = copy.deepcopy(there[other])


def damage_document(content, draw):
    arrays, document = document_of(content)
    for _ in range(draw.choice([1, 1, 1, 2, 5])):
        mutate(document, draw)
    return file_of(arrays, document)


# safetensors has no checksums: other bytes of weights are other weights.
KINDS = [flip, truncate, overwrite, delete, insert, repeat, damage_header, damage_array]
KINDS += [damage_document] * 6


REFUSED, SAME = "refused", "loaded, the same predictions"
# A damaged file may be the file of another model, even of one whose numbers overflow when it
# predicts, which the checks of scikit-learn or NumPy then report.
OTHER, OVERFLOWS = "loaded, another model", "loaded, another model that overflows"


def outcome(path, before, rows):
    """Load a damaged file and say in a word what came of it."""
    try:
        model = load(path)
    except InvalidFileError:
        return REFUSED
    except Exception as error:
        return f"UNEXPECTED {type(error).__name__}"
    names = getattr(model, "feature_names_in_", None)
    rows = pd.DataFrame(np.array(rows), columns=names) if names is not None else np.array(rows)
    try:
        repr(clone(model))
        if isinstance(state := model[-1].random_state, np.random.RandomState):
            state.randint(9, size=1000)
        proba = model.predict_proba(rows)
        assert proba.shape == (len(rows), len(model.classes_))
    except Exception as error:
        return OVERFLOWS if "contains infinity" in str(error) else f"USELESS {error!r:.90}"
    if np.array_equal(proba, before):
        return SAME
    return OTHER if np.isfinite(proba).all() else OVERFLOWS


def fuzz(n_files, seed, folder):
    """Damage files in many ways and count what comes of loading them, by kind of damage."""
    draw = random.Random(seed)
    path = Path(folder, "file")
    bases = []
    for model, rows in fuzzed_models():
        save(model, path)
        bases.append((path.read_bytes(), model.predict_proba(rows), rows))
    counts = Counter()
    for number in range(n_files):
        content, before, rows = bases[number % len(bases)]
        damage = draw.choice(KINDS)
        path.write_bytes(damage(content, draw))
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            counts[damage.__name__, outcome(path, before, rows)] += 1
    return counts


def fuzzed_models():
    """Return pairs of a pipeline and rows to predict."""
    frame = pd.DataFrame(X, columns=list("uvwxyz"))
    ann = fitted(net=network((6, 8, 3), norm=True), random_state=np.random.RandomState(0))
    labels = np.array(["no", "yes"], dtype=object)
    other = fitted(labels, class_weight={"no": 2.0}, optimizer_params={"weight_decay": 0.1})
    return [
        (make_pipeline(StandardScaler().fit(X), ann), X),
        (make_pipeline(QuantileTransformer(n_quantiles=5).fit(frame), other), frame),
        (make_pipeline(fitted(hidden=(), net=network((6, 3), np.float32), epochs=3)), X),
    ]


def unexpected(counts):
    """Return the results that no damage may have."""
    known = {REFUSED, SAME, OTHER, OVERFLOWS}
    return {key: count for key, count in counts.items() if key[1] not in known}


def test_damaged_files(tmp_path):
    counts = fuzz(600, 0, tmp_path)
    assert not unexpected(counts)
    assert sum(counts.values()) == 600
    assert {result for _, result in counts} >= {REFUSED, SAME, OTHER}


@pytest.mark.slow
def test_many_damaged_files(tmp_path):
    assert not unexpected(fuzz(20_000, 1, tmp_path))


@pytest.mark.parametrize("dump", ["joblib", "pickle", "deepcopy"])
def test_other_ways_to_keep_a_model(tmp_path, dump):
    model = make_pipeline(StandardScaler().fit(X), fitted(net=network((6, 8, 3), norm=True)))
    path = tmp_path / "model"
    if dump == "joblib":
        joblib.dump(model, path)
        loaded = joblib.load(path)
    elif dump == "pickle":
        loaded = pickle.loads(pickle.dumps(model))
    else:
        loaded = copy.deepcopy(model)
    assert_same(model, loaded)
    assert loaded[1].n_iter_ == 2
    with pytest.raises(ValueError, match="read-only"):
        loaded[1].coefs_[0][0] = 1


def test_every_estimator_of_the_package_can_be_saved(tmp_path):
    values = [*vars(skdigits.preprocessing).values(), DigitANNClassifier]
    public = {
        value
        for value in values
        if isinstance(value, type)
        and issubclass(value, BaseEstimator)
        and value.__module__.startswith("skdigits.")
        and not value.__name__.startswith("_")
    }
    assert len(public) == 4
    for kind in public - {DigitANNClassifier}:
        model = kind().fit(np.eye(4))
        assert repr(round_trip(model, tmp_path)) == repr(model)


def test_other_version_of_scikit_learn_warns(tmp_path, saved):
    arrays, document = document_of(saved)
    document["scikit-learn"] = "1.0"
    path = tmp_path / "model"
    path.write_bytes(file_of(arrays, document))
    with pytest.warns(InconsistentVersionWarning, match=r"from version 1\.0"):
        loaded = load(path)
    assert loaded.predict(pd.DataFrame(X, columns=list("uvwxyz"))).shape == (50,)


@pytest.mark.parametrize("missing", ["kernels", "activation"])
def test_damaged_network_is_not_unpickled(missing):
    state = network((6, 8, 3)).__getstate__()
    del state[missing]
    with pytest.raises(AttributeError, match=missing):
        Network.__new__(Network).__setstate__(state)
    state = network((6, 8, 3)).__getstate__() | {"biases": (np.ones(3), np.ones(8))}
    with pytest.raises(ValueError, match=r"Got 'relu' layers of .*, expected float arrays whose"):
        Network.__new__(Network).__setstate__(state)


def test_versions_in_a_file(saved):
    _, document = document_of(saved)
    assert document.keys() == {"format", "skdigits", "scikit-learn", "model"}
    assert document["format"] == 2
    assert document["skdigits"] == skdigits.__version__
    assert document["scikit-learn"] == sklearn.__version__


@pytest.mark.parametrize("kind", [str, Path])
def test_paths_of_each_kind(tmp_path, kind):
    path = kind(tmp_path / "modèle.skdigits")
    save(fitted(), path)
    save(fitted(epochs=7), path)
    assert load(path).epochs == 7
    assert os.listdir(tmp_path) == ["modèle.skdigits"]


def test_missing_files_and_folders(tmp_path):
    with pytest.raises(FileNotFoundError, match="no such model"):
        load(tmp_path / "no such model")
    with pytest.raises(FileNotFoundError, match="no such folder"):
        save(fitted(), tmp_path / "no such folder" / "model")
    for act in (load, lambda path: save(fitted(), path)):
        with pytest.raises(OSError, match=r"Got path=.*, expected a regular file"):
            act(tmp_path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="POSIX pipes")
def test_pipe_is_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match=r"Got path=.*pipe', expected a regular file"):
        load(tmp_path / "pipe")


def test_size_limit(tmp_path, saved):
    path = tmp_path / "model"
    path.write_bytes(saved)
    load(path, max_bytes=len(saved))
    with pytest.raises(InvalidFileError, match=rf"Got {len(saved)} bytes, expected at most max_"):
        load(path, max_bytes=len(saved) - 1)
    with path.open("wb") as file:
        file.truncate(2**40)
    with pytest.raises(InvalidFileError, match=r"Got 1099511627776 bytes, expected at most max_b"):
        load(path)


NEW_PROCESS = """
import sys, skdigits, numpy as np
loaded = skdigits.load(sys.argv[1])
np.save(sys.argv[3], loaded.predict_proba(np.load(sys.argv[2])))
print(*{"tensorflow", "keras", "scikeras", "matplotlib"} & set(sys.modules))
"""


def test_new_process_loads_without_tensorflow_and_predicts_the_same(tmp_path):
    model = make_pipeline(PixelScaler(), DigitANNClassifier((5,), epochs=1, random_state=0))
    model.fit((X * 255).astype(np.uint8), Y)
    save(model, tmp_path / "model")
    np.save(tmp_path / "rows.npy", X)
    command = [sys.executable, "-W", "error", "-c", NEW_PROCESS, "model", "rows.npy", "proba.npy"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.stdout.strip(), done.stderr) == ("", "")
    np.testing.assert_array_equal(np.load(tmp_path / "proba.npy"), model.predict_proba(X))


if __name__ == "__main__":
    # Arguments: number of files, seed.
    with tempfile.TemporaryDirectory() as folder:
        counted = fuzz(int(sys.argv[1]), int(sys.argv[2]), folder)
    for (damage, result), count in sorted(counted.items()):
        print(f"{damage:16} {count:7}  {result}")
    sys.exit(bool(unexpected(counted)))
