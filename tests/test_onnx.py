"""ONNX models compared with the predictions of the estimators."""

import json
import re
import subprocess
import sys
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from sklearn.decomposition import PCA
from sklearn.ensemble import VotingClassifier
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import (
    Binarizer,
    MaxAbsScaler,
    MinMaxScaler,
    Normalizer,
    PolynomialFeatures,
    QuantileTransformer,
    RobustScaler,
    StandardScaler,
)

import skdigits
from skdigits import DigitANNClassifier, PixelScaler
from skdigits._activations import ACTIVATIONS
from skdigits._cli import main
from skdigits._network import BatchNorm, Network
from skdigits.datasets import load_mnist_sample
from skdigits.onnx import export, to_onnx
from skdigits.preprocessing import DigitDeskewer, DigitImageNormalizer

onnx = pytest.importorskip("onnx")
ort = pytest.importorskip("onnxruntime")
skl2onnx = pytest.importorskip("skl2onnx")

DTYPES = {
    "tensor(float)": np.float32,
    "tensor(double)": np.float64,
    "tensor(int64)": np.int64,
    "tensor(uint8)": np.uint8,
}
STRINGS = np.array(["eight", "five", "nine"])


@pytest.fixture(scope="module")
def sample():
    return load_mnist_sample("test", return_X_y=True)


def classifier(**params):
    return DigitANNClassifier((24, 16), epochs=2, random_state=0, **params)


@pytest.fixture(scope="module")
def fitted(sample):
    return make_pipeline(PixelScaler(), classifier()).fit(*sample)


@pytest.fixture(scope="module")
def fitted_on_bytes(sample):
    return classifier().fit(*sample)


def blobs(dtype, labels=STRINGS):
    """A small Gaussian cluster for each class."""
    rng = np.random.default_rng(0)
    y = np.repeat(np.arange(len(labels)), 30)
    X = rng.normal(size=(len(y), 6)) + rng.normal(scale=2, size=(len(labels), 6))[y]
    return X.astype(dtype), labels[y]


def outputs(model, X):
    """Outputs of an ONNX model, by name, for X in the dtype that it takes."""
    session = ort.InferenceSession(model.SerializeToString())
    (given,) = session.get_inputs()
    assert given.shape == [None, X.shape[1]]
    names = [output.name for output in session.get_outputs()]
    values = session.run(names, {given.name: X.astype(DTYPES[given.type])})
    return dict(zip(names, values, strict=True))


def check_agreement(model, X, *, dtype=None, atol=1e-5, converted=None):
    found = outputs(converted or to_onnx(model, dtype=dtype), X)
    assert list(found) == ["label", "probabilities"]
    expected = model.predict_proba(X)
    assert found["probabilities"].shape == expected.shape
    np.testing.assert_allclose(found["probabilities"], expected, atol=atol, rtol=0)
    np.testing.assert_array_equal(found["label"], model.predict(X))
    return found


def random_model(activation, *, normed, dtype, scale=1.0):
    """A classifier of six features and three classes with random weights."""
    rng = np.random.default_rng(1)
    widths = (6, 12, 9, 3)
    kernels = tuple(rng.normal(size=shape).astype(dtype) for shape in pairwise(widths))
    biases = tuple(rng.normal(size=width).astype(dtype) for width in widths[1:])
    norms = tuple(
        BatchNorm(*rng.uniform(0.5, 1.5, (4, width)).astype(dtype), epsilon=1e-3)
        for width in widths[1:-1]
    )
    model = DigitANNClassifier(widths[1:-1], activation, batch_norm=normed)
    model._network = Network(
        kernels, biases, activation, norms if normed else None, scale, temperature=0.7
    )
    model.classes_, model.n_features_in_ = STRINGS, 6
    return model


@pytest.mark.parametrize(
    ("normed", "dtype"),
    [
        (True, np.float32),
        *(
            pytest.param(normed, dtype, marks=pytest.mark.slow)
            for normed, dtype in [(False, np.float32), (False, np.float64), (True, np.float64)]
        ),
    ],
)
@pytest.mark.parametrize("activation", sorted(ACTIVATIONS))
def test_every_activation(activation, normed, dtype):
    model = random_model(activation, normed=normed, dtype=dtype)
    X = np.random.default_rng(2).normal(scale=3, size=(300, 6)).astype(dtype)
    assert check_agreement(model, X)["probabilities"].dtype == dtype
    # Far out exponentials overflow.
    check_agreement(model, 1000 * X, atol=1e-3)
    pixels = np.random.default_rng(3).integers(0, 256, (300, 6), np.uint8)
    model = random_model(activation, normed=normed, dtype=dtype, scale=1 / 255)
    check_agreement(model, pixels)
    check_agreement(model, pixels, dtype=np.uint8)


@pytest.mark.parametrize("dtype", [np.float32, pytest.param(np.float64, marks=pytest.mark.slow)])
def test_fitted_with_batch_norm_smoothing_and_averaging(dtype):
    X, y = blobs(dtype)
    model = classifier(batch_norm=True, label_smoothing=0.1, weight_averaging=True).fit(X, y)
    assert model.temperature_ != 1
    assert check_agreement(model, 3 * X)["probabilities"].dtype == dtype


@pytest.mark.parametrize("n_hidden", [0, pytest.param(1, marks=pytest.mark.slow), 3])
def test_number_of_hidden_layers(n_hidden):
    X, y = blobs(np.float32)
    check_agreement(DigitANNClassifier((8,) * n_hidden, epochs=2).fit(X, y), X)


@pytest.mark.parametrize("n_classes", [pytest.param(2, marks=pytest.mark.slow), 3])
@pytest.mark.parametrize(
    ("labels", "dtype"),
    [
        (STRINGS, object),
        (STRINGS.astype(object), object),
        (np.array(["zéro", "один", "二"]), object),
        (np.array([3, 5, 8]), np.int64),
        (np.array([3, 5, 8], np.uint8), np.int64),
        (np.array([-(2**40), 0, 2**40]), np.int64),
        (np.array([0.0, 1.0, 7.0]), np.int64),
        (np.array([False, True]), np.int64),
    ],
)
def test_labels(labels, dtype, n_classes):
    X, y = blobs(np.float32, labels[:n_classes])
    model = classifier().fit(X, y)
    converted = to_onnx(model)
    assert check_agreement(model, X, converted=converted)["label"].dtype == dtype
    (entry,) = converted.metadata_props
    assert (entry.key, json.loads(entry.value)) == ("classes", model.classes_.tolist())


def test_labels_without_onnx_type_raise():
    X, _ = blobs(np.float32)
    model = classifier().fit(X, np.arange(len(X)) % 2)
    model.classes_ = np.array([0.5, 1.5])
    with pytest.raises(ValueError, match=r"labels of dtype float64, such as .*0.5.*, expected int"):
        to_onnx(model)


@pytest.mark.parametrize("dtype", [None, "float32", np.float64, np.uint8])
@pytest.mark.parametrize("scaled", [False, True])
def test_input_dtypes(sample, fitted, fitted_on_bytes, scaled, dtype):
    X, _ = sample
    model = fitted if scaled else fitted_on_bytes
    found = check_agreement(model, X, dtype=dtype)
    wide = dtype == np.float64
    assert found["probabilities"].dtype == (np.float64 if wide else np.float32)


@pytest.mark.parametrize("dtype", [None, np.float32, np.float64, np.uint8])
@pytest.mark.parametrize(
    ("scaled", "opset"),
    [
        (False, 18),
        (True, 13),
        *(pytest.param(*case, marks=pytest.mark.slow) for case in [(False, 13), (True, 18)]),
    ],
)
def test_deskewer(sample, scaled, dtype, opset):
    X, y = sample[0].copy(), sample[1]
    X[0], X[1] = 0, 255 - X[1]
    X[2] = np.eye(28, dtype=np.uint8)[:, ::-1].ravel() * 200
    steps = [PixelScaler(), DigitDeskewer()] if scaled else [DigitDeskewer()]
    model = make_pipeline(*steps, classifier()).fit(X, y)
    converted = to_onnx(model, dtype=dtype, target_opset=opset)
    rows = X if dtype == np.uint8 else X.astype(dtype or np.float32)
    # Bytes are rounded after the shift, and what lies between two may go either way.
    atol = 1e-3 if dtype == np.uint8 and not scaled else 1e-5
    check_agreement(model, rows, atol=atol, converted=converted)


@pytest.mark.parametrize(
    ("given", "dtype"),
    [
        (np.uint8, None),
        *(
            pytest.param(*case, marks=pytest.mark.slow)
            for case in [(np.uint8, np.float32), (np.float32, None), (np.float32, np.float32)]
        ),
    ],
)
@pytest.mark.parametrize(
    "scaler",
    [StandardScaler(), MinMaxScaler((-1, 1)), MaxAbsScaler(), RobustScaler(), Normalizer()],
)
def test_scikit_learn_scalers(sample, scaler, given, dtype):
    X, y = sample[0].astype(given), sample[1]
    model = make_pipeline(scaler, classifier()).fit(X, y)
    # Of bytes they make float64.
    wide = dtype is None and given == np.uint8
    found = check_agreement(model, X, dtype=dtype)
    assert found["probabilities"].dtype == (np.float64 if wide else np.float32)


@pytest.mark.slow
def test_nested_pipelines_and_searches(sample, fitted):
    X, y = sample
    idle = Pipeline([("nothing", "passthrough"), ("no", None), ("ann", classifier())])
    check_agreement(idle.fit(X, y), X)
    nested = make_pipeline(make_pipeline(PixelScaler()), make_pipeline(PCA(9), classifier()))
    check_agreement(nested.fit(X, y), X, atol=1e-4)
    search = GridSearchCV(fitted, {"digitannclassifier__l2": [0, 0.1]}, cv=2)
    check_agreement(search.fit(X, y), X)
    named = pd.DataFrame(X).add_prefix("pixel")
    model = make_pipeline(PixelScaler(), classifier()).fit(named, y)
    np.testing.assert_allclose(
        outputs(to_onnx(model), X)["probabilities"], model.predict_proba(named), atol=1e-5
    )


def test_skl2onnx_converts_directly(sample, fitted):
    X, _ = sample
    off = {id(fitted): {"zipmap": False}}
    for dtype in (np.uint8, np.float32, np.int64):
        rows = X.astype(dtype)
        converted = skl2onnx.to_onnx(fitted, rows[:1], options=off, target_opset=18)
        check_agreement(fitted, rows, converted=converted)
    scaler = skl2onnx.to_onnx(fitted[0], X[:1], target_opset=18)
    np.testing.assert_allclose(outputs(scaler, X)["variable"], X / 255, atol=1e-7)


@pytest.mark.parametrize("opset", [13, pytest.param(15, marks=pytest.mark.slow), 18])
def test_operator_set_versions(opset):
    X, _ = blobs(np.float32)
    for activation in ACTIVATIONS:
        model = random_model(activation, normed=True, dtype=np.float32)
        converted = to_onnx(model, target_opset=opset)
        assert {entry.version for entry in converted.opset_import if not entry.domain} == {opset}
        onnx.checker.check_model(converted, full_check=True)
        check_agreement(model, X, converted=converted)


def converted_with(model, X, **options):
    options = {id(model): options}
    return outputs(skl2onnx.to_onnx(model, X[:1], options=options, target_opset=18), X)


@pytest.mark.parametrize("labels", [STRINGS, np.array([3, 5, 8]), np.array([3, 5])])
def test_skl2onnx_options(labels):
    X, y = blobs(np.float32, labels)
    model = classifier().fit(X, y)
    expected = model.predict_proba(X)
    maps = converted_with(model, X)
    assert [set(row) for row in maps["output_probability"]] == [set(labels.tolist())] * len(X)
    rows = [[row[label] for label in labels.tolist()] for row in maps["output_probability"]]
    np.testing.assert_allclose(rows, expected, atol=1e-5)
    columns = list(converted_with(model, X, zipmap="columns").values())
    np.testing.assert_array_equal(columns[0], model.predict(X))
    np.testing.assert_allclose(np.transpose(columns[1:]), expected, atol=1e-5)
    found = converted_with(model, X, zipmap=False, output_class_labels=True)
    np.testing.assert_array_equal(found["class_labels"], labels)
    numbers = converted_with(model, X, zipmap=False, nocl=True)["label"]
    np.testing.assert_array_equal(labels[numbers], model.predict(X))
    raw = converted_with(model, X, zipmap=False, raw_scores=True)
    scores = model.decision_function(X)
    scores = np.column_stack([-scores, scores]) if scores.ndim == 1 else scores
    np.testing.assert_allclose(raw["probabilities"], scores, atol=1e-5)
    np.testing.assert_array_equal(raw["label"], model.predict(X))
    with pytest.raises(NameError, match="zipmaps"):
        converted_with(model, X, zipmaps=False)


def test_export_replaces_a_file(fitted, sample, tmp_path):
    path = tmp_path / "digits.onnx"
    path.write_text("old")
    export(fitted, path)
    check_agreement(fitted, sample[0], converted=onnx.load(path))
    assert [file.name for file in tmp_path.iterdir()] == ["digits.onnx"]


def test_failed_export_keeps_existing_file(sample, tmp_path):
    path = tmp_path / "digits.onnx"
    path.write_text("old")
    model = make_pipeline(DigitImageNormalizer(errors="ignore"), classifier())
    model.fit(sample[0][:50], sample[1][:50])
    with pytest.raises(TypeError, match=r"Got Pipeline with a step that cannot be .*DigitImageNor"):
        export(model, path)
    assert [file.read_text() for file in tmp_path.iterdir()] == ["old"]


@pytest.mark.parametrize(
    ("model", "error", "match"),
    [
        (classifier(), NotFittedError, "not fitted yet"),
        (make_pipeline(PixelScaler(), classifier()), NotFittedError, "not fitted yet"),
        (DigitANNClassifier, TypeError, "Got the class DigitANNClassifier, expected a fitted"),
        (PixelScaler(), TypeError, "Got PixelScaler, expected a fitted classifier"),
        (LinearRegression(), TypeError, "Got LinearRegression, expected a fitted classifier"),
        ("digits.skdigits", TypeError, "Got str, expected a fitted classifier"),
    ],
)
def test_other_than_fitted_classifiers_raise(model, error, match):
    with pytest.raises(error, match=match):
        to_onnx(model)


@pytest.mark.parametrize("dtype", ["float16", np.int64, "pixels", 7])
def test_invalid_dtype_raises(fitted, dtype):
    with pytest.raises(ValueError, match=r"Got dtype=.*, expected float32, float64 or uint8"):
        to_onnx(fitted, dtype=dtype)


@pytest.mark.parametrize(
    ("step", "dtype", "error", "match"),
    [
        (StandardScaler(), np.uint8, TypeError, "converted for input of dtype uint8, expected"),
        (
            PolynomialFeatures(2),
            None,
            TypeError,
            "onnxruntime does not run .PolynomialFeatures, Digit",
        ),
        (
            QuantileTransformer(n_quantiles=20),
            None,
            ValueError,
            "converts incorrectly .QuantileTransformer, ",
        ),
    ],
)
def test_unsupported_steps_raise(sample, step, dtype, error, match):
    X, y = sample[0][:, 400:430], sample[1]
    model = make_pipeline(step, classifier()).fit(X, y)
    with pytest.raises(error, match=match):
        to_onnx(model, dtype=dtype)


def test_thresholding_step_passes_the_comparison(sample):
    X, y = sample
    check_agreement(make_pipeline(Binarizer(threshold=100), classifier()).fit(X, y), X)


@pytest.mark.parametrize(
    "types",
    [
        [("X", "FloatTensorType", 5)],
        [("X", "StringTensorType", 6)],
        [("a", "FloatTensorType", 3), ("b", "FloatTensorType", 3)],
    ],
)
def test_invalid_input_types_raise(types):
    X, y = blobs(np.float32)
    model = classifier().fit(X, y)
    given = [
        (name, getattr(skl2onnx.common.data_types, kind)([None, width]))
        for name, kind, width in types
    ]
    with pytest.raises((ValueError, RuntimeError), match=r"Got the input .* of shape .n, 6"):
        skl2onnx.to_onnx(model, initial_types=given)


@pytest.mark.slow
def test_voting_classifier():
    X, y = blobs(np.float32, np.array([0, 1, 2]))
    both = VotingClassifier(
        [("a", classifier()), ("b", classifier(activation="tanh"))],
        voting="soft",
        flatten_transform=False,
    )
    check_agreement(both.fit(X, y), X)


@pytest.mark.parametrize("missing", ["skl2onnx", "onnxruntime"])
def test_missing_package_error_names_the_extra(fitted, monkeypatch, missing):
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(
        ImportError, match=rf"{missing} is not installed.*pip install 'skdigits\[onnx\]'"
    ):
        to_onnx(fitted)


def test_onnx_prediction_does_not_import_skdigits(fitted, sample, tmp_path):
    export(fitted, tmp_path / "digits.onnx", dtype=np.uint8)
    np.save(tmp_path / "X.npy", sample[0])
    code = (
        "import sys, numpy, onnxruntime\n"
        "session = onnxruntime.InferenceSession('digits.onnx')\n"
        "print(*session.run(['label'], {'X': numpy.load('X.npy')})[0])\n"
        "assert not {'sklearn', 'skdigits', 'tensorflow', 'keras'} & set(sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == fitted.predict(sample[0]).tolist()


@pytest.fixture
def run(tmp_path, monkeypatch, capfd):
    """Run the command line in an empty folder; exit status, standard output and error."""
    monkeypatch.chdir(tmp_path)

    def run(*args):
        with pytest.raises(SystemExit) as exit:
            main([str(arg) for arg in args])
        return exit.value.code, *capfd.readouterr()

    return run


def test_command(run, fitted, sample, tmp_path):
    skdigits.save(fitted, "digits.skdigits")
    status, out, err = run("export", "digits.skdigits", "digits.onnx")
    assert (status, err) == (0, "")
    assert "ONNX model saved: digits.onnx" in out
    check_agreement(fitted, sample[0], converted=onnx.load("digits.onnx"))
    assert run("export", "digits.skdigits", "digits.onnx", "--dtype", "uint8")[0] == 0
    (given,) = ort.InferenceSession("digits.onnx").get_inputs()
    assert given.type == "tensor(uint8)"


def test_command_refuses_in_one_line(run, fitted, tmp_path, monkeypatch):
    skdigits.save(fitted, "digits.skdigits")
    skdigits.save(fitted[0], "scaler.skdigits")
    (tmp_path / "junk.skdigits").write_bytes(b"junk")
    (tmp_path / "old.onnx").write_text("old")
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    for args, match in [
        ("digits.skdigits", "Missing argument 'OUTPUT'"),
        ("missing digits.onnx", "File not found: missing"),
        ("junk.skdigits digits.onnx", "Got the file 'junk.skdigits', expected one that"),
        ("scaler.skdigits digits.onnx", "Got PixelScaler, expected a fitted classifier"),
        ("digits.skdigits missing/digits.onnx", "Got missing/digits.onnx to write to, expected"),
        ("digits.skdigits .", "Got . to write to, expected a file or a new name"),
        ("digits.skdigits digits.skdigits", "expected a file other than the input"),
        ("digits.skdigits old.onnx --dtype int8", "Got dtype='int8', expected float32"),
    ]:
        status, out, err = run("export", *args.split())
        assert (status, out) == (2, "")
        assert re.fullmatch(f"Error: .*{match}.*\n", err), err
    monkeypatch.setitem(sys.modules, "skl2onnx", None)
    status, _, err = run("export", "digits.skdigits", "old.onnx")
    assert status == 2
    assert re.fullmatch(r"Error: skl2onnx is not installed.*pip install 'skdigits\[onnx\]'\n", err)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_help_imports_nothing_heavy():
    code = (
        "import sys\nfrom skdigits._cli import main\n"
        "try: main(['export', '--help'])\n"
        "finally: print('\\n' + ' '.join(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "Usage" in done.stdout
    heavy = {"numpy", "sklearn", "onnx", "skl2onnx", "onnxruntime", "tensorflow"}
    assert not heavy & set(done.stdout.split())


def test_importing_the_package_imports_no_onnx():
    code = (
        "import sys, skdigits\n"
        "assert all(hasattr(skdigits, name) for name in skdigits.__all__ if name != 'onnx')\n"
        "print(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"onnx", "skl2onnx", "onnxruntime"} & set(done.stdout.split())


def test_without_the_extra_the_module_can_be_imported():
    code = "import sys; sys.modules['skl2onnx'] = None; import skdigits.onnx"
    subprocess.run([sys.executable, "-c", code], check=True)
