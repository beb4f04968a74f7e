from __future__ import annotations

import copy
import io
import itertools
import json
import os
import pickle
import random
import subprocess
import sys
import tempfile
import time
import tracemalloc
import warnings
import zipfile
from collections import Counter
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pytest
import skops.io
from sklearn import config_context
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.callback import ProgressBar
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA
from sklearn.exceptions import InconsistentVersionWarning, NotFittedError
from sklearn.feature_selection import SelectKBest
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import (
    Binarizer,
    FunctionTransformer,
    MaxAbsScaler,
    MinMaxScaler,
    Normalizer,
    PolynomialFeatures,
    PowerTransformer,
    QuantileTransformer,
    RobustScaler,
    StandardScaler,
)

import skdigits
from skdigits import DigitANNClassifier, PixelScaler
from skdigits._fitted import fitted_attributes
from skdigits._model_files.checks import OWN
from skdigits._network import BatchNorm, Network
from skdigits.persistence import TRUSTED_TYPES, InvalidFileError, load, save

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
        ([make_pipeline(MinMaxScaler(), RobustScaler())], 6),
        ([PCA(4)], 4),
        ([FunctionTransformer(np.log1p), PolynomialFeatures(include_bias=False)], 27),
        ([ColumnTransformer([("some", StandardScaler(), slice(0, 3))])], 3),
    ],
    ids=["passthrough", "nested", "PCA", "functions", "columns"],
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
    with pytest.raises(TypeError, match=r"Got GridSearchCV, expected .* its best_estimator_\."):
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


@pytest.mark.parametrize("learning_rate", [None, 0.01])
def test_keras_optimizer_is_stored_by_name(tmp_path, learning_rate):
    import keras

    params = {"optimizer_params": {"beta_2": 0.9}, "learning_rate": learning_rate}
    model = fitted(optimizer=keras.optimizers.AdamW, **params)
    loaded = round_trip(model, tmp_path)
    assert loaded.get_params() == {**model.get_params(), "optimizer": "adamw"}

    model = fitted(optimizer=keras.optimizers.AdamW(0.02, weight_decay=0.3), **params)
    optimizer = model.optimizer
    loaded = round_trip(model, tmp_path)
    assert model.optimizer is optimizer
    assert loaded.optimizer == "adamw"
    assert loaded.optimizer_params.items() >= {"weight_decay": 0.3, "beta_2": 0.9}.items()
    assert not loaded.optimizer_params.keys() & {"learning_rate", "name"}
    assert loaded.learning_rate == pytest.approx(learning_rate or 0.02, rel=1e-6)


def test_named_optimizer_trains_like_the_instance(tmp_path):
    import keras

    optimizer = keras.optimizers.SGD(0.02, momentum=0.8, nesterov=True, clipnorm=0.5)
    model = DigitANNClassifier(
        (5,), optimizer=optimizer, learning_rate=None, epochs=3, random_state=0
    ).fit(X, Y)
    loaded = round_trip(model, tmp_path)
    assert_same_weights(model, loaded)
    assert_same_weights(model, loaded.fit(X, Y))


def assert_same_weights(a, b):
    for first, second in zip(a.coefs_ + a.intercepts_, b.coefs_ + b.intercepts_, strict=True):
        np.testing.assert_array_equal(first, second)


def test_optimizers_that_have_no_name_are_refused(tmp_path):
    import keras

    class Mine(keras.optimizers.SGD):
        pass

    with pytest.raises(TypeError, match=r"Got optimizer=.*Mine.*, expected one of Keras' own"):
        save(fitted(optimizer=Mine), tmp_path / "model")
    schedule = keras.optimizers.schedules.CosineDecay(0.1, 10)
    with pytest.raises(TypeError, match=r"with the learning rate .*CosineDecay.*, expected"):
        save(fitted(optimizer=keras.optimizers.SGD(schedule)), tmp_path / "model")
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


def test_callbacks_and_memory_are_left_out_with_a_warning(tmp_path):
    import keras

    callbacks = [keras.callbacks.TerminateOnNaN(), keras.callbacks.LambdaCallback()]
    progress = ProgressBar()
    ann = fitted(keras_callbacks=callbacks).set_callbacks(progress)
    model = make_pipeline(StandardScaler().fit(X).set_callbacks(progress), ann, memory="folder")
    names = (
        "memory of Pipeline, ProgressBar of StandardScaler, ProgressBar of DigitANNClassifier, "
        r"TerminateOnNaN of DigitANNClassifier, LambdaCallback of DigitANNClassifier\."
    )
    with pytest.warns(UserWarning, match=f"Left out of the file.*: {names}") as caught:
        loaded = round_trip(model, tmp_path)
    assert caught[0].filename == __file__
    assert (ann.keras_callbacks, model.memory) == (callbacks, "folder")
    assert ann._skl_callbacks == [progress]
    assert (loaded[1].keras_callbacks, loaded.memory) == (None, None)
    assert not any("_skl_callbacks" in vars(step) for step in loaded)
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
        (lambda: "model", TypeError, "Got str, expected a fitted DigitANNClassifier or"),
        (lambda: DigitANNClassifier, TypeError, "Got the class DigitANNClassifier, expected"),
        (LogisticRegression, TypeError, "Got LogisticRegression, expected"),
        (derived, TypeError, "Got Derived, expected"),
        (
            lambda: make_pipeline(StandardScaler(), LogisticRegression()),
            TypeError,
            "Got LogisticRegression at the end of a pipeline, expected",
        ),
        (lambda: pipeline(Custom()), TypeError, "Got a Pipeline that cannot be .*Custom"),
        (selecting, TypeError, "cannot be stored.*f_classif.* joblib.dump stores it"),
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
            "Got StandardScaler for 5 features, expected 6",
        ),
        (
            lambda: fitted(optimizer_params={"weight_decay": np.zeros(2)}),
            ValueError,
            "Got optimizer_params with weight_decay=array.*, expected a number or a word",
        ),
    ],
)
def test_what_cannot_be_stored_is_refused_before_writing(tmp_path, make, error, message):
    path = tmp_path / "model.skdigits"
    path.write_bytes(b"an earlier file")
    with pytest.raises(error, match=message):
        save(make(), path)
    assert path.read_bytes() == b"an earlier file"
    assert os.listdir(tmp_path) == ["model.skdigits"]


def members_of(content):
    """Return the members of an archive by name."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def archive_of(members, compression=zipfile.ZIP_STORED):
    """Return an archive of pairs of name and content, its checksums right."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive, warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Duplicate name", UserWarning)
        for name, content in members.items() if isinstance(members, dict) else members:
            archive.writestr(name, content)
    return buffer.getvalue()


def array_file(array):
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """Return the content of a file."""
    path = tmp_path_factory.mktemp("saved") / "model"
    net = network((6, 8, 3), norm=True)
    ann = fitted(net=net, random_state=np.random.RandomState(0), class_weight={"a": 2.0})
    save(make_pipeline(StandardScaler().fit(X), ann), path)
    return path.read_bytes()


class Tree:
    """The tree of a file, to be crafted with: attributes of the objects in it by name."""

    def __init__(self, content):
        self.members = members_of(content)
        self.schema = json.loads(self.members["schema.json"])
        self.pipeline = self.schema["content"]["content"]
        steps = [step["content"][1] for step in self.pipeline["steps"]["content"]]
        self.dicts = {"scaler": steps[0]["content"], "ann": steps[1]["content"]}
        self.scaler, self.ann = (node["content"] for node in self.dicts.values())
        self.dicts["network"] = self.ann["_network"]["content"]
        self.network = self.dicts["network"]["content"]

    def add(self, part, name, new):
        """Add an attribute; skops counts the types of the keys."""
        node = self.dicts[part]
        node["content"][name] = new
        node["key_types"]["content"].append(node["key_types"]["content"][0])

    def content(self):
        return archive_of({**self.members, "schema.json": json.dumps(self.schema)})

    def put_array(self, node, array):
        self.members[node["file"]] = array_file(array)


IDS = itertools.count(10**6)


def node(loader, name, content):
    """Return a node of a skops tree."""
    module, _, kind = name.rpartition(".")
    return {
        "__loader__": f"{loader}Node",
        "__module__": module,
        "__class__": kind,
        "__id__": next(IDS),
        "content": content,
    }


def value(content):
    return node("Json", "builtins.str", json.dumps(content))


def scalar(name, dtype):
    """Return how to craft an array of another class."""

    def craft(tree):
        tree.put_array(tree.scaler["mean_"], np.array(10**13, dtype=dtype))
        tree.scaler["mean_"]["__class__"] = name

    return craft


def ladder(tree, steps=60):
    """Craft nodes that each hold the next one twice."""
    inner = top = value(0)
    for _ in range(steps):
        top = node("List", "builtins.list", [inner, dict(inner, content=[])])
        inner = top
    tree.ann["l2"] = top


def untrusted(loader, name, content=None):
    def craft(tree):
        tree.ann["l2"] = node(loader, name, content)

    return craft


def loop(tree):
    tree.ann["l2"] = node("List", "builtins.list", [])
    tree.ann["l2"]["content"].append(dict(tree.ann["l2"], content=[]))


def wide(tree):
    """Craft normalisation that would broadcast 6 x 8 weights to many."""
    norm = tree.network["norms"]["content"][0]["content"]["content"]
    tree.put_array(norm["gamma"], np.ones((1000, 6, 1)))


def at(*keys, to):
    """Return how to craft a tree with another value in one place."""

    def craft(tree):
        here = vars(tree)[keys[0]]
        for key in keys[1:-1]:
            here = here[key]
        here[keys[-1]] = to

    return craft


def added(part, name, to):
    return lambda tree: tree.add(part, name, to)


def arrays(name, array, part="network"):
    def craft(tree):
        here = vars(tree)[part][name]
        tree.put_array(here["content"][0] if part == "network" else here, array)

    return craft


def state_at(position):
    def craft(tree):
        state = tree.ann["random_state"]["content"]["content"]["state"]["content"]
        state["pos"] = value(position)

    return craft


TREES = {
    "unknown type": (untrusted("Object", "tests.Evil"), r"Untrusted types .*tests\.Evil"),
    "function": (untrusted("Function", "os.system"), r"Untrusted types .*os\.system"),
    "type": (untrusted("Type", "subprocess.Popen"), r"Untrusted types .*subprocess\.Popen"),
    "method": (untrusted("Method", "os.system"), "Got a MethodNode of os.system, which is not"),
    "partial": (untrusted("Partial", "functools.partial"), "Got a PartialNode"),
    "operator": (untrusted("OperatorFunc", "operator.attrgetter"), "Got a OperatorFuncNode"),
    "constructor": (untrusted("ConstructorFromReduce", "os.popen"), "Got a ConstructorFrom"),
    "sparse": (untrusted("SparseMatrix", "scipy.sparse._csr.csr_array"), "Got a SparseMatrixN"),
    "tree of a forest": (untrusted("Tree", "sklearn.tree._tree.Tree"), "Got a TreeNode"),
    "unknown kind": (untrusted("Evil", "builtins.int"), "Got a EvilNode of builtins.int"),
    "size for numpy.void": (scalar("void", np.int64), "Got a numpy.void made of int64"),
    "other scalar": (scalar("float32", np.int64), "Got a numpy.float32 made of int64"),
    "exponential": (ladder, "Got nodes of 3 and 1 parts with one id"),
    "endless": (loop, "Got nodes of 1 and 2 parts with one id"),
    "pointer": (at("ann", "l2", to={"__id__": 1}), "Got a node of .None, None, None., expected"),
    "no kind": (at("ann", "l2", "__loader__", to=None), "Got a node of"),
    "id of a kind": (at("ann", "l2", "__id__", to="1"), "Got a node of"),
    "file elsewhere": (at("scaler", "mean_", "file", to="../../etc/passwd"), "KeyError: '../../"),
    "no file": (at("scaler", "mean_", "file", to="1.npy"), "KeyError: '1.npy'"),
    "protocol": (at("schema", "protocol", to=99), "saved with skops protocol 99"),
    "broadcast": (wide, r"expected float arrays whose shapes fit together"),
    "kernel": (arrays("kernels", np.ones((6, 9))), r"expected float arrays whose shapes"),
    "dtype": (arrays("kernels", np.ones((6, 8), np.float32)), r"expected float arrays whose"),
    "integers": (arrays("kernels", np.ones((6, 8), int)), r"expected float arrays whose shapes"),
    "infinite": (arrays("kernels", np.full((6, 8), np.inf)), "Got weights that are infinite"),
    "not a number": (arrays("biases", np.full(8, np.nan)), "Got weights that are infinite"),
    "activation": (at("network", "activation", to=value("eval")), "Got 'eval' layers of"),
    "input scale": (at("network", "input_scale", to=value("1")), "expected float arrays whose"),
    "method of network": (added("network", "logits", value(1)), r"a network with \['logits'\]"),
    "method of ours": (added("ann", "predict", value(1)), "Classifier with an attribute predict"),
    "method of a scaler": (
        added("scaler", "transform", node("Function", "numpy.exp", None)),
        # skops 0.13 doesn't trust the function to begin with.
        "Got a StandardScaler with an attribute transform, expected none of that name|numpy.exp",
    ),
    "labels": (arrays("classes_", np.array(["a", "b"]), "ann"), r"classes_=array.*expected 3 sor"),
    "label order": (arrays("classes_", np.array([2, 1, 3]), "ann"), "expected 3 sorted labels"),
    "parameter": (at("ann", "epochs", to=value(-1)), r"Got epochs=-1, expected"),
    "callbacks": (at("ann", "keras_callbacks", to=value([])), "Got keras_callbacks="),
    "optimizer": (at("ann", "optimizer_params", to=value({"a": [1]})), "Got optimizer_params wi"),
    "features": (at("ann", "n_features_in_", to=value(10**12)), "Got n_features_in_=10000000000"),
    "curve": (at("ann", "n_iter_", to=value(3)), "Got n_iter_=3, expected 2"),
    "history": (at("ann", "history_", to=value({"loss": ["a"]})), "Got history_="),
    "memory": (
        at("pipeline", "memory", to=value("folder")),
        "Got memory='folder' of Pipeline, expected None",
    ),
    "steps": (at("pipeline", "steps", to=value([1])), "a Pipeline with steps"),
    "scaler's shape": (arrays("mean_", np.ones(5), "scaler"), "could not be broadcast"),
    "scaler's dtype": (
        arrays("scale_", np.array(["a"] * 6), "scaler"),
        "could not convert string to float",
    ),
    "scaler's columns": (at("scaler", "n_features_in_", to=value(5)), "StandardScaler for 5 feat"),
    "random state": (state_at(10**9), "Got a RandomState at position 1000000000, expected 0 to"),
    "random state before": (state_at(-1), "Got a RandomState at position -1, expected 0 to 624"),
}


def refused(content, tmp_path, message):
    """Assert that a file is refused, in bounded time and memory."""
    path = tmp_path / "hostile file"
    path.write_bytes(content)
    tracemalloc.start()
    start = time.perf_counter()
    with pytest.raises(InvalidFileError, match=message) as caught:
        load(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    text = str(caught.value)
    assert text.startswith(f"Got the file '{path}', expected one that skdigits.save wrote: ")
    assert isinstance(caught.value, ValueError)
    assert "\n" not in text
    assert text.endswith(".")
    assert time.perf_counter() - start < 5
    assert peak < 2**23 + 10 * len(content)


@pytest.mark.parametrize("craft", TREES)
def test_crafted_trees_are_refused(tmp_path, saved, craft):
    craft, message = TREES[craft]
    tree = Tree(saved)
    craft(tree)
    refused(tree.content(), tmp_path, message)


def npy(header, data=b"", magic=b"\x93NUMPY\x01\x00"):
    return magic + len(header).to_bytes(2, "little") + header.encode() + data


def shape(text, descr="<f8"):
    return npy(f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {text}, }}\n", bytes(64))


def with_member(name, new):
    """Return how to craft an archive with another member; "array" is the first of its arrays."""

    def craft(content):
        members = members_of(content)
        return archive_of({**members, array_in(members) if name == "array" else name: new})

    return craft


def without_member(name):
    def craft(content):
        members = members_of(content)
        members.pop(array_in(members) if name == "array" else name)
        return archive_of(members)

    return craft


def array_in(members):
    return next(name for name in members if name.endswith(".npy"))


def array_file_of_objects():
    buffer = io.BytesIO()
    np.save(buffer, np.array([Bomb()], dtype=object), allow_pickle=True)
    return buffer.getvalue()


def bomb(content):
    """Return an archive whose tree is a hundred times its size."""
    zeros = io.BytesIO()
    with zipfile.ZipFile(zeros, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, member in members_of(content).items():
            if name != "schema.json":
                archive.writestr(name, member)
        with archive.open("schema.json", "w") as file:
            for _ in range(128):
                file.write(bytes(2**20))
    return zeros.getvalue()


def overlap(content):
    """Return an archive of which every array is the same megabyte."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, member in members_of(content).items():
            archive.writestr(name, member)
        archive.writestr("1.npy", array_file(np.zeros(2**17)))
        first = archive.infolist()[-1]
        for number in range(2, 100):
            again = copy.copy(first)
            again.filename = again.orig_filename = f"{number}.npy"
            archive.filelist.append(again)
    return buffer.getvalue()


def flagged(content):
    """Return an archive whose first member claims to be encrypted."""
    content = bytearray(content)
    content[content.index(b"PK\x01\x02") + 8] |= 1
    return bytes(content)


class Bomb:
    """An object that leaves a trace where it is unpickled."""

    trace = Path("trace of code")

    def __reduce__(self):
        return Path.touch, (self.trace,)


ARCHIVES = {
    "empty": (lambda content: b"", "BadZipFile: File is not a zip file"),
    "text": (lambda content: b"hello" * 100, "BadZipFile"),
    "pickle": (lambda content: pickle.dumps(Bomb()), "written by pickle or joblib"),
    "truncated": (lambda content: content[:-1], "BadZipFile"),
    "half": (lambda content: content[: len(content) // 2], "BadZipFile"),
    "path": (with_member("../../evil.npy", b""), r"Got members named \['../../evil.npy'\], exp"),
    "absolute path": (with_member("/etc/passwd", b""), r"Got members named \['/etc/passwd'\]"),
    "other digits": (with_member("\u0661.npy", b""), r"Got members named"),
    "twice": (
        lambda content: archive_of([*members_of(content).items(), ("schema.json", b"{}")]),
        r"Got members named .* each once",
    ),
    "compressed": (
        lambda content: archive_of(members_of(content), zipfile.ZIP_DEFLATED),
        "Got compressed members of",
    ),
    "bomb": (bomb, r"Got compressed members of 1342.* bytes .*, expected them uncompressed"),
    "overlap": (overlap, r"Got members of 10.* bytes in a file of .*, expected them"),
    "encrypted": (flagged, r"RuntimeError: File .* is encrypted"),
    "no schema": (without_member("schema.json"), "Got no skdigits.json and schema.json, expected"),
    "no metadata": (without_member("skdigits.json"), "Got no skdigits.json and schema.json"),
    "no array": (without_member("array"), r"KeyError: '[0-9]+.npy'"),
    "newer": (
        with_member("skdigits.json", '{"format": 2, "skdigits": "9.9"}'),
        r"Got format=2 of skdigits 9\.9, expected at most 1: a newer skdigits can read it",
    ),
    "format": (with_member("skdigits.json", '{"format": true}'), "Got format=True, expected 1"),
    "no format": (with_member("skdigits.json", "{}"), "KeyError: 'format'"),
    "no object": (with_member("skdigits.json", "[]"), "list indices must be integers"),
    "no JSON": (with_member("schema.json", "{"), "JSONDecodeError"),
    "deep JSON": (with_member("schema.json", "[" * 10**5), "RecursionError"),
    "text array": (with_member("array", b"1 2 3 4 5"), "the magic string is not correct"),
    "large array": (with_member("array", shape("(10000000000000,)")), "with 64 bytes for shape"),
    "wide array": (with_member("array", shape("(10000000000000,)", "<U0")), "expected a plain dt"),
    "below nothing": (with_member("array", shape("(-8, -1)")), r"for shape \(-8, -1\) of float64"),
    "records": (with_member("array", shape("(8,)", "V8")), r"of \|V8, expected a plain dtype"),
    "pickled array": (with_member("array", array_file_of_objects()), r"of object, expected a pl"),
    "code in header": (with_member("array", npy("__import__('os')")), "malformed node or string"),
    "another package's": (
        lambda content: skops.io.dumps(StandardScaler().fit(X)),
        "Got no skdigits.json",
    ),
}


@pytest.mark.parametrize("craft", ARCHIVES)
def test_crafted_archives_are_refused(tmp_path, saved, craft, monkeypatch):
    monkeypatch.chdir(tmp_path)
    craft, message = ARCHIVES[craft]
    refused(craft(saved), tmp_path, message)
    assert os.listdir(tmp_path) == ["hostile file"]


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


def directory(content, draw):
    """Flip bits where the archive says what it holds."""
    start = content.index(b"PK\x01\x02")
    return content[:start] + flip(content[start:], draw)


def damage_member(content, draw):
    members = members_of(content)
    name = draw.choice(list(members))
    members[name] = draw.choice([flip, truncate, overwrite, delete, insert])(members[name], draw)
    return archive_of(members)


def damage_names(content, draw):
    members = list(members_of(content).items())
    i, j = draw.randrange(len(members)), draw.randrange(len(members))
    other = draw.choice([members[j][0], "../x", "1.npy", "schema.json", "a" * 9999, "é\0b"])
    choices = [
        [*members[:i], *members[i + 1 :]],
        [*members[:i], (other, members[i][1]), *members[i + 1 :]],
        [*members, (members[i][0], members[j][1])],
    ]
    return archive_of(draw.choice(choices), draw.choice([0, 0, 0, 8, 12, 14]))


def damage_array(content, draw):
    members = members_of(content)
    name = draw.choice([name for name in members if name.endswith(".npy")])
    array = np.load(io.BytesIO(members[name]))
    if draw.random() < 0.3:
        other = draw.choice([name for name in members if name.endswith(".npy")])
        array = np.load(io.BytesIO(members[other]))
    dims = [draw.choice([0, 1, 2, 3, 6, 8, 10**3]) for _ in range(draw.randint(0, 2))]
    dtype = draw.choice(["f4", ">f8", "f2", "i8", "u1", "?", "U3", "S2", "c16", "M8[s]", "V4"])
    number = draw.choice([0, -1, 1e-300, 1e300, np.inf, np.nan, 10**6])
    new = [
        lambda: array.astype(dtype),
        lambda: np.zeros(dims, dtype),
        lambda: array.reshape(-1),
        lambda: array[..., :-1],
        lambda: np.where(np.arange(array.size).reshape(array.shape) == 0, number, array),
        lambda: array[None],
    ]
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            members[name] = array_file(draw.choice(new)())
        except (ValueError, TypeError, IndexError):
            members[name] = array_file(np.zeros(dims))
    return archive_of(members)


STRINGS = ["os", "system", "builtins", "eval", "numpy", "void", "ndarray", "ObjectNode", "json"]
STRINGS += ["DictNode", "TypeNode", "FunctionNode", "MethodNode", "SparseMatrixNode", "sklearn"]
STRINGS += ["sklearn.svm._classes", "SVC", "relu", "nan", "null", '"a"', "[[1, 2]]", "1.npy", ""]
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
        here[key] = draw.choice([*STRINGS, json.dumps(draw.choice([*NUMBERS, [], {}, "a"]))])
    elif isinstance(here[key], int):
        here[key] = draw.choice([here[key] + 1, *NUMBERS])
    else:
        here[key] = copy.deepcopy(there[other])


def damage_tree(content, draw):
    members = members_of(content)
    tree = json.loads(members["schema.json"])
    for _ in range(draw.choice([1, 1, 1, 2, 5])):
        mutate(tree, draw)
    return archive_of({**members, "schema.json": json.dumps(tree)})


def damage_leaf(content, draw):
    """Change what one JSON node holds, which may be a parameter."""
    members = members_of(content)
    tree = json.loads(members["schema.json"])
    leaves = []

    def visit(here):
        if isinstance(here, dict) and here.get("__loader__") == "JsonNode":
            leaves.append(here)
        elif isinstance(here, (dict, list)):
            for item in here.values() if isinstance(here, dict) else here:
                visit(item)

    visit(tree)
    draw.choice(leaves)["content"] = draw.choice(
        [*STRINGS, *map(json.dumps, NUMBERS), "[]", "{}", draw.choice(leaves)["content"]]
    )
    return archive_of({**members, "schema.json": json.dumps(tree)})


def damage_metadata(content, draw):
    members = members_of(content)
    metadata = json.loads(members["skdigits.json"])
    mutate(metadata, draw)
    return archive_of({**members, "skdigits.json": json.dumps(metadata)})


BLIND = [flip, truncate, overwrite, delete, insert, repeat, directory]
CLEVER = [damage_member, damage_names, damage_array, damage_tree, damage_tree, damage_leaf]
CLEVER += [damage_leaf, damage_metadata]


REFUSED, SAME = "refused", "loaded, the same predictions"
# A file whose damage is hidden by right checksums may be a whole file of another model, even of
# one whose numbers overflow when it predicts, which scikit-learn's or NumPy's checks then tell.
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
        damage = draw.choice(BLIND if number % 2 else CLEVER)
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
    """Return what must not come of damage: blind damage never makes another model."""
    blind = {damage.__name__ for damage in BLIND}
    return {
        (damage, result): count
        for (damage, result), count in counts.items()
        if result not in ({REFUSED, SAME} if damage in blind else {REFUSED, SAME, OTHER, OVERFLOWS})
    }


def test_damaged_files(tmp_path):
    counts = fuzz(600, 0, tmp_path)
    assert not unexpected(counts)
    assert sum(counts.values()) == 600
    assert {result for _, result in counts} >= {REFUSED, SAME, OTHER}


@pytest.mark.slow
def test_many_damaged_files(tmp_path):
    assert not unexpected(fuzz(20_000, 1, tmp_path))


@pytest.mark.parametrize("dump", ["joblib", "pickle", "deepcopy", "skops"])
def test_other_ways_to_keep_a_model(tmp_path, dump):
    model = make_pipeline(StandardScaler().fit(X), fitted(net=network((6, 8, 3), norm=True)))
    path = tmp_path / "model"
    if dump == "joblib":
        joblib.dump(model, path)
        loaded = joblib.load(path)
    elif dump == "pickle":
        loaded = pickle.loads(pickle.dumps(model))
    elif dump == "deepcopy":
        loaded = copy.deepcopy(model)
    else:
        skops.io.dump(model, path)
        loaded = skops.io.load(path, trusted=TRUSTED_TYPES)
    assert_same(model, loaded)
    assert loaded[1].n_iter_ == 2
    with pytest.raises(ValueError, match="read-only"):
        loaded[1].coefs_[0][0] = 1


def test_skops_takes_the_file_if_told_what_to_trust(tmp_path, saved):
    path = tmp_path / "model"
    path.write_bytes(saved)
    with pytest.raises(TypeError, match=r"Untrusted types found in the file.*DigitANNClassifier"):
        skops.io.load(path)
    assert set(skops.io.get_untrusted_types(file=path)) <= set(TRUSTED_TYPES)
    loaded = skops.io.load(path, trusted=TRUSTED_TYPES)
    np.testing.assert_array_equal(loaded.predict(X), load(path).predict(X))


def test_every_estimator_of_ours_is_trusted():
    values = [*vars(skdigits.preprocessing).values(), DigitANNClassifier]
    public = {
        value
        for value in values
        if isinstance(value, type)
        and issubclass(value, BaseEstimator)
        and value.__module__.startswith("skdigits.")
        and not value.__name__.startswith("_")
    }
    names = {f"{kind.__module__}.{kind.__name__}" for kind in public}
    assert names <= set(TRUSTED_TYPES)
    assert set(OWN) == public


def test_other_version_of_scikit_learn_warns(tmp_path, saved):
    tree = Tree(saved)
    tree.scaler["_sklearn_version"] = value("1.0")
    path = tmp_path / "model"
    path.write_bytes(tree.content())
    with pytest.warns(InconsistentVersionWarning, match=r"StandardScaler from version 1\.0"):
        loaded = load(path)
    assert loaded.predict(X).shape == (50,)


@pytest.mark.parametrize("missing", ["kernels", "activation"])
def test_damaged_network_is_not_unpickled(missing):
    state = network((6, 8, 3)).__getstate__()
    del state[missing]
    with pytest.raises(AttributeError, match=missing):
        Network.__new__(Network).__setstate__(state)
    state = network((6, 8, 3)).__getstate__() | {"biases": (np.ones(3), np.ones(8))}
    with pytest.raises(ValueError, match=r"Got 'relu' layers of .*, expected float arrays whose"):
        Network.__new__(Network).__setstate__(state)


def test_metadata_of_a_file(saved):
    metadata = json.loads(members_of(saved)["skdigits.json"])
    assert metadata["format"] == 1
    assert metadata["skdigits"] == skdigits.__version__
    assert metadata["numpy"] == np.__version__
    assert metadata.keys() == {"format", "skdigits", "scikit-learn", "numpy", "skops"}


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


SCRIPT = """
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
    command = [sys.executable, "-W", "error", "-c", SCRIPT, "model", "rows.npy", "proba.npy"]
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
