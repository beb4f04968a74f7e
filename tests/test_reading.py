"""Networks that people bring from Keras."""

import keras
import numpy as np
import pytest
from keras import layers

import skdigits
from skdigits import DigitANNClassifier
from skdigits.datasets import load_mnist_sample

N = 784


@pytest.fixture(scope="module")
def X():
    X, _ = load_mnist_sample(subset="test", return_X_y=True)
    return (X[:200] / 255).astype(np.float32)


def trained(*model_layers, shape=(N,), dtype=None):
    """A model whose every variable is something that training could have left."""
    model = keras.Sequential([keras.Input(shape, dtype=dtype), *model_layers])
    rng = np.random.default_rng(0)
    for variable in model.variables:
        if variable.dtype.startswith("float"):
            scale = 2 / np.sqrt(variable.shape[0]) if len(variable.shape) == 2 else 0.3
            values = rng.normal(0, scale, variable.shape)
            positive = "variance" in variable.name or "gamma" in variable.name
            variable.assign(np.abs(values) + 0.5 if positive else values)
    return model


def dense(width, activation=None, **options):
    return layers.Dense(width, activation, **options)


NETWORKS = {
    "plain": lambda: [dense(32, "relu"), dense(16, "relu"), dense(10, "softmax")],
    "logits": lambda: [dense(32, "tanh"), dense(10)],
    "no hidden layer": lambda: [dense(10, "softmax")],
    "activation layers": lambda: [
        dense(32),
        layers.Activation("gelu"),
        dense(16),
        layers.Activation("gelu"),
        dense(10),
        layers.Softmax(),
    ],
    "layers with options": lambda: [
        dense(32),
        layers.LeakyReLU(negative_slope=0.2),
        dense(10),
        layers.Activation("softmax"),
    ],
    "relu and elu layers": lambda: [dense(32), layers.ReLU(), dense(10, "softmax")],
    "normalised before": lambda: [
        dense(32, use_bias=False),
        layers.BatchNormalization(epsilon=0.01),
        layers.Activation("relu"),
        layers.Dropout(0.3),
        dense(16),
        layers.BatchNormalization(scale=False),
        layers.Activation("relu"),
        dense(10, "softmax"),
    ],
    "normalised after": lambda: [
        dense(32, "relu"),
        layers.BatchNormalization(center=False),
        layers.Dropout(0.3),
        dense(16, "relu"),
        layers.BatchNormalization(),
        dense(10, "softmax"),
    ],
    "rescaled": lambda: [layers.Rescaling(2.0, -1.0), dense(32, "elu"), dense(10, "softmax")],
    "regularised": lambda: [dense(32, "relu", kernel_regularizer="l2"), dense(10, "softmax")],
}


@pytest.mark.parametrize("name", NETWORKS)
def test_probabilities_are_those_of_keras(X, name):
    model = trained(*NETWORKS[name]())
    found = DigitANNClassifier.from_keras(model)
    expected = model.predict(X, verbose=0)
    if name == "logits":
        expected = keras.ops.convert_to_numpy(keras.ops.softmax(expected))
    np.testing.assert_allclose(found.predict_proba(X), expected, atol=1e-5)
    assert found.n_features_in_ == N
    assert found.classes_.tolist() == list(range(10))


def test_images_of_bytes(X):
    model = trained(
        layers.Flatten(), layers.Rescaling(1 / 255), dense(32, "relu"), dense(10), shape=(28, 28)
    )
    found = DigitANNClassifier.from_keras(model)
    images = np.round(X * 255).astype(np.uint8).reshape(-1, 28, 28)
    expected = model.predict(images.astype(np.float32), verbose=0)
    np.testing.assert_allclose(found.decision_function(images), expected, atol=1e-4)


def test_double_precision(X):
    model = trained(dense(16, "relu", dtype="float64"), dense(10, dtype="float64"), dtype="float64")
    found = DigitANNClassifier.from_keras(model)
    assert found.coefs_[0].dtype == np.float64
    expected = model.predict(X.astype(np.float64), verbose=0)
    np.testing.assert_allclose(found.decision_function(X.astype(np.float64)), expected, atol=1e-12)


def test_parameters_are_those_of_the_layers():
    model = trained(
        dense(32, "selu", kernel_regularizer=keras.regularizers.L2(0.01)),
        layers.Dropout(0.2),
        dense(16, "selu"),
        dense(10, "softmax"),
    )
    found = DigitANNClassifier.from_keras(model)
    assert found.hidden_layer_sizes == (32, 16)
    assert found.activation == "selu"
    assert found.dropout == (0.2, 0.0)
    np.testing.assert_allclose(found.l2, (0.01, 0))
    assert found.n_iter_ == 0


def test_it_can_be_stored_and_trained_on(X, tmp_path):
    y = np.arange(len(X)) % 10
    model = trained(*NETWORKS["plain"]())
    found = DigitANNClassifier.from_keras(model)
    skdigits.save(found, tmp_path / "model.skdigits")
    loaded = skdigits.load(tmp_path / "model.skdigits")
    np.testing.assert_array_equal(loaded.predict_proba(X), found.predict_proba(X))
    again = DigitANNClassifier.from_keras(found.keras_model_)
    np.testing.assert_array_equal(again.predict_proba(X), found.predict_proba(X))
    found.set_params(warm_start=True, epochs=200, random_state=0).fit(X, y)
    assert found.loss_curve_[-1] < found.loss_curve_[0]
    found.partial_fit(X, y)


def test_the_file_of_keras_and_back(X, tmp_path):
    y = np.arange(len(X)) % 10
    ours = DigitANNClassifier((16,), dropout=0.1, epochs=3, batch_norm=True, random_state=0)
    ours.fit(X, y)
    path = tmp_path / "model.keras"
    ours.keras_model_.save(path)
    loaded = keras.models.load_model(path)
    np.testing.assert_allclose(loaded.predict(X, verbose=0), ours.predict_proba(X), atol=1e-5)
    back = DigitANNClassifier.from_keras(loaded)
    np.testing.assert_allclose(back.predict_proba(X), ours.predict_proba(X), atol=1e-6)
    assert (back.dropout, back.batch_norm) == (0.1, True)


def test_labels_in_any_order(X):
    model = trained(dense(8, "relu"), dense(3, "softmax"))
    found = DigitANNClassifier.from_keras(model, classes=["seven", "one", "four"])
    assert found.classes_.tolist() == ["four", "one", "seven"]
    expected = model.predict(X, verbose=0)
    np.testing.assert_allclose(found.predict_proba(X), expected[:, [2, 1, 0]], atol=1e-6)


@pytest.mark.parametrize("classes", [[1, 2], [1, 1, 2], [[1, 2, 3]]])
def test_labels_that_do_not_fit(classes):
    model = trained(dense(8, "relu"), dense(3, "softmax"))
    with pytest.raises(ValueError, match=r"Got classes=.*3 different labels"):
        DigitANNClassifier.from_keras(model, classes=classes)


class OwnDense(layers.Dense):
    pass


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: [layers.Reshape((28, 28, 1)), layers.Conv2D(2, 3), layers.Flatten(), dense(10)],
            "Reshape",
        ),
        (lambda: [OwnDense(8, name="mine"), dense(10)], "'mine' .OwnDense."),
        (lambda: [dense(8, "relu"), layers.LayerNormalization(name="norm"), dense(10)], "'norm'"),
        (lambda: [dense(8, "relu"), dense(8, "tanh"), dense(10)], r"\['relu', 'tanh'\]"),
        (lambda: [dense(8, "mish", name="odd"), dense(10)], "'odd'.*mish"),
        (lambda: [dense(8, lambda x: x * 2, name="odd"), dense(10)], "'odd'"),
        (lambda: [dense(8), layers.LeakyReLU(0.3, name="leak"), dense(10)], "'leak'.*0.3"),
        (lambda: [dense(8), layers.ReLU(6.0, name="six"), dense(10)], "'six'.*6.0"),
        (
            lambda: [
                dense(8),
                layers.BatchNormalization(),
                layers.ReLU(),
                dense(8, "relu"),
                dense(10),
            ],
            "1 of 2 normalised",
        ),
        (lambda: [dense(8, "relu"), dense(10, "relu")], "after the last layer"),
        (lambda: [dense(8, "relu"), dense(1)], "one for each class"),
        (lambda: [dense(8, "relu"), dense(10, "softmax"), dense(3)], "after the softmax"),
        (lambda: [layers.BatchNormalization(name="first"), dense(10)], "'first'.*before the first"),
        (lambda: [dense(8, "relu"), layers.Rescaling(2.0), dense(10)], "after a dense layer"),
        (lambda: [layers.Flatten()], "without a Dense layer"),
    ],
)
def test_other_layers_are_refused_by_name(make, message):
    with pytest.raises(ValueError, match=message):
        DigitANNClassifier.from_keras(trained(*make()))


def test_other_models_are_refused():
    inputs = keras.Input((N,))
    functional = keras.Model(inputs, layers.Dense(10)(inputs))
    with pytest.raises(TypeError, match=r"expected a keras.Sequential"):
        DigitANNClassifier.from_keras(functional)
    with pytest.raises(ValueError, match="isn't built"):
        DigitANNClassifier.from_keras(keras.Sequential([layers.Dense(10)]))


def test_other_penalties_are_left_behind_with_a_warning():
    model = trained(dense(8, "relu", kernel_regularizer="l1"), dense(10))
    with pytest.warns(UserWarning, match="regularisers of the layer"):
        assert DigitANNClassifier.from_keras(model).l2 == 0.0
