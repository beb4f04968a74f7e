"""Presets of published networks."""

import numpy as np
import pytest

from skdigits import DigitANNClassifier, PixelScaler, make_reference_classifier
from skdigits.datasets import load_mnist_sample
from skdigits.presets import REFERENCES

NETWORKS = {
    "dense-128-64": [784, 128, 64, 10],
    "regularized-128-64-32": [784, 128, 64, 32, 10],
    "two-hidden": [784, 256, 128, 10],
    "relu-softmax": [784, 128, 128, 10],
    "basic-one-hot": [784, 128, 64, 32, 10],
}


@pytest.fixture(scope="module")
def sample():
    X, y = load_mnist_sample(subset="train", return_X_y=True)
    X_test, y_test = load_mnist_sample(subset="test", return_X_y=True)
    scaler = PixelScaler().fit(X)
    return scaler.transform(X), y, scaler.transform(X_test), y_test


def test_published_accuracies():
    assert set(REFERENCES) == set(NETWORKS)
    published = {name: preset.published_accuracy for name, preset in REFERENCES.items()}
    assert published["dense-128-64"] == 0.9737
    assert published["regularized-128-64-32"] == 0.9728
    assert all("published" in preset.source for preset in REFERENCES.values())


@pytest.mark.parametrize(
    "name",
    [
        name if name.startswith("regularized") else pytest.param(name, marks=pytest.mark.slow)
        for name in NETWORKS
    ],
)
def test_each_preset_builds_its_network_and_learns(name, sample):
    X, y, X_test, y_test = sample
    model = make_reference_classifier(name, random_state=0, epochs=6).fit(X, y)
    widths = [model.coefs_[0].shape[0], *(w.shape[1] for w in model.coefs_)]
    assert widths == NETWORKS[name]
    assert model.score(X_test, y_test) > 0.88
    if name == "regularized-128-64-32":
        layers = model.keras_model_.layers
        assert [layer.rate for layer in layers if hasattr(layer, "rate")] == [0.3, 0.2]
        np.testing.assert_allclose(layers[0].kernel_regularizer.l2, 0.001)
        assert model.validation_scores_ is not None


@pytest.mark.slow
def test_images_with_one_hot_labels(sample):
    X, y, X_test, y_test = sample
    model = make_reference_classifier("basic-one-hot", random_state=0)
    model.fit(X.reshape(-1, 28, 28), np.eye(10)[y.astype(int)])
    labels = model.predict(X_test.reshape(-1, 28, 28))
    assert labels.dtype.kind == "i"
    assert (labels == y_test.astype(int)).mean() > 0.88


def test_overrides_replace_parameters():
    model = make_reference_classifier("dense-128-64", epochs=3, optimizer__beta_1=0.8)
    assert isinstance(model, DigitANNClassifier)
    assert (model.epochs, model.optimizer_params) == (3, {"beta_1": 0.8})


def test_unknown_names_are_refused():
    with pytest.raises(ValueError, match=r"Got name='dense', expected one of 'dense-128-64'"):
        make_reference_classifier("dense")
    with pytest.raises(ValueError, match="Invalid parameter 'dropuot'"):
        make_reference_classifier("dense-128-64", dropuot=0.5)
