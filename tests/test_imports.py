"""What is imported when: TensorFlow takes seconds and is needed for training alone."""

import subprocess
import sys

import pytest

HEAVY = ("tensorflow", "keras", "scikeras", "matplotlib")


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
    save(model, folder / "model.skops")
    return folder


def test_the_package_itself_imports_next_to_nothing():
    loaded = modules_after("import skdigits")
    assert not {"numpy", "sklearn", "pandas", *HEAVY} & loaded


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
        "import skdigits; model = skdigits.load('model.skops')",
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
    assert {name.partition(".")[0] for name in ours - peer} == {"skdigits"}
