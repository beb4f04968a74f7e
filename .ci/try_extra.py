"""What one extra brings, tried where nothing else is installed: python try_extra.py plot"""

import sys
from importlib.util import find_spec

import numpy as np
from sklearn.pipeline import make_pipeline

import skdigits
from skdigits.datasets import load_mnist_sample

BRINGS = {
    "plot": "matplotlib",
    "onnx": "skl2onnx",
    "demo": "starlette",
    "notebook": "ipywidgets",
    "distributed": "distributed",
}


def nothing(model, X, y):
    for extra, package in BRINGS.items():
        assert find_spec(package) is None, f"{package}, which {extra} should bring, is here already"
    for lacking in (plot, onnx):
        message = "it was done"
        try:
            lacking(model, X, y)
        except ImportError as error:
            message = str(error)
        assert "pip install" in message, f"Without the packages for {lacking.__name__}: {message}"
        print("Without it:", message)


def plot(model, X, y):
    from skdigits.displays import DigitGridDisplay, TrainingCurveDisplay

    TrainingCurveDisplay.from_estimator(model).figure_.savefig("curves.png")
    DigitGridDisplay.from_estimator(model, X, y, worst_first=True).figure_.savefig("digits.png")


def onnx(model, X, y):
    from skdigits.onnx import export

    export(model, "digits.onnx")
    import onnxruntime

    session = onnxruntime.InferenceSession("digits.onnx")
    labels, probabilities = session.run(None, {"X": X.astype(np.float32)})
    assert (labels == model.predict(X)).all()
    assert np.abs(probabilities - model.predict_proba(X)).max() < 1e-5


def demo(model, X, y):
    from skdigits._demo.page import make_app

    assert make_app(model).routes


def notebook(model, X, y):
    import ipywidgets

    assert ipywidgets.Output


def distributed(model, X, y):
    import joblib
    from distributed import Client, SubprocessCluster
    from sklearn.model_selection import cross_val_score

    with (
        SubprocessCluster(n_workers=1, worker_kwargs={"nthreads": 1}) as cluster,
        Client(cluster),
        joblib.parallel_config(backend="dask"),
    ):
        assert len(cross_val_score(model, X, y, cv=2)) == 2


X, y = load_mnist_sample(subset="test", return_X_y=True)
network = skdigits.DigitANNClassifier((32,), epochs=2, random_state=0)
model = make_pipeline(skdigits.PixelScaler(), network).fit(X, y)
extras = {each.__name__: each for each in (nothing, plot, onnx, demo, notebook, distributed)}
extras[sys.argv[1]](model, X, y)
print(sys.argv[1], "works")
