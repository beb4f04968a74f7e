"""What is imported when: TensorFlow takes seconds and is needed for training alone."""

import subprocess
import sys

import pytest

HEAVY = ("tensorflow", "keras", "scikeras", "matplotlib")
# What only some need, at some time.
LATE = (
    *HEAVY,
    "safetensors",
    "starlette",
    "uvicorn",
    "dask",
    "distributed",
    "PIL",
    "onnx",
    "skl2onnx",
    "onnxruntime",
)


def modules_after(code, cwd=None):
    script = f"{code}\nimport sys; print('\\n' + ' '.join(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=cwd
    )
    return set(done.stdout.splitlines()[-1].split())


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    import joblib
    from sklearn.pipeline import make_pipeline

    from skdigits import DigitANNClassifier, PixelScaler, save
    from skdigits.datasets import load_mnist_sample

    folder = tmp_path_factory.mktemp("model")
    X, y = load_mnist_sample(subset="test", return_X_y=True)
    model = make_pipeline(PixelScaler(), DigitANNClassifier((16,), epochs=1)).fit(X, y)
    joblib.dump(model, folder / "model.joblib")
    save(model, folder / "model.skdigits")
    return folder


def import_seconds(code):
    """Time that each module took by itself, by name."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", code], capture_output=True, text=True, check=True
    )
    columns = (line.removeprefix("import time:").split("|") for line in done.stderr.splitlines())
    return {name.strip(): int(own) / 1e6 for own, _, name in columns if own.strip().isdigit()}


def test_the_package_itself_imports_next_to_nothing():
    loaded = modules_after("import skdigits")
    assert not {"numpy", "sklearn", "pandas", *LATE} & loaded


def test_the_estimators_import_nothing_that_is_needed_later():
    loaded = modules_after("from skdigits import DigitANNClassifier, PixelScaler, Augmentation")
    assert not set(LATE) & loaded


def test_our_own_modules_are_a_small_part_of_importing_the_estimators():
    seconds = import_seconds("from skdigits import DigitANNClassifier, PixelScaler")
    ours = sum(time for name, time in seconds.items() if name.partition(".")[0] == "skdigits")
    # Generous, for machines that do other things at the same time.
    assert ours < 0.3 * (sum(seconds.values()) - ours)


def test_every_public_name_is_there_and_imports_nothing_heavy():
    loaded = modules_after(
        "import skdigits\nassert all(hasattr(skdigits, name) for name in skdigits.__all__)\n"
        "assert set(skdigits.__all__) <= set(dir(skdigits))"
    )
    assert not set(HEAVY) & loaded


@pytest.mark.parametrize(
    "load",
    [
        "import joblib; model = joblib.load('model.joblib')",
        "import skdigits; model = skdigits.load('model.skdigits')",
    ],
)
def test_loading_and_predicting_does_without_tensorflow(folder, load):
    loaded = modules_after(
        f"{load}\nimport numpy as np\nmodel.predict_proba(np.zeros((1, 784), np.uint8))", folder
    )
    assert not set(HEAVY) & loaded


def test_unknown_names_are_attribute_errors():
    import skdigits

    with pytest.raises(AttributeError, match="has no attribute 'DigitCNNClassifier'"):
        _ = skdigits.DigitCNNClassifier


def test_loading_imports_no_package_that_scikit_learn_does_not(folder):
    peer = modules_after(
        "import joblib, sklearn.pipeline, sklearn.neural_network, sklearn.preprocessing"
    )
    ours = modules_after("import joblib; joblib.load('model.joblib')", folder)
    packages = {name.partition(".")[0] for name in ours - peer}
    # Which codecs are looked up differs from one version of NumPy to another.
    assert packages - sys.stdlib_module_names == {"skdigits"}
