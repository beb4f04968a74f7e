"""The forward pass in NumPy."""

import pickle
from itertools import pairwise

import numpy as np
import pytest
from scipy import sparse, special

from skdigits._network import (
    ACTIVATIONS,
    BLOCK_ROWS,
    BatchNorm,
    Network,
    cross_entropy,
    softmax,
)


def make_network(
    widths=(6, 5, 4, 3), activation="relu", *, norm=False, dtype=np.float32, scale=1.0
):
    rng = np.random.default_rng(0)
    shapes = list(pairwise(widths))
    norms = None
    if norm:
        norms = tuple(
            BatchNorm(
                *(rng.uniform(0.5, 1.5, width).astype(dtype) for width in [w] * 4), epsilon=1e-3
            )
            for w in widths[1:-1]
        )
    return Network(
        tuple(rng.normal(size=shape).astype(dtype) for shape in shapes),
        tuple(rng.normal(size=shape[1]).astype(dtype) for shape in shapes),
        activation,
        norms,
        scale,
    )


@pytest.mark.parametrize("norm", [False, True])
@pytest.mark.parametrize("activation", sorted(ACTIVATIONS))
def test_forward_pass_agrees_with_keras(activation, norm):
    from skdigits._keras.conversion import keras_model

    network = make_network(activation=activation, norm=norm)
    X = np.random.default_rng(1).normal(scale=3, size=(50, 6)).astype(np.float32)
    model = keras_model(network, dropout=(0.5, 0.0), l2=(0.0, 0.01))
    np.testing.assert_allclose(
        softmax(network.logits(X)), model.predict(X, verbose=0), atol=1e-6, rtol=1e-5
    )


def test_forward_pass_by_hand():
    network = Network(
        (np.array([[1.0, -1.0]]), np.array([[2.0], [3.0]])),
        (np.array([0.5, 0.5]), np.array([1.0])),
        "relu",
    )
    np.testing.assert_array_equal(network.logits(np.array([[2.0], [-2.0]])), [[6.0], [8.5]])


@pytest.mark.parametrize("n_rows", [1, BLOCK_ROWS, BLOCK_ROWS + 1, 3 * BLOCK_ROWS - 7])
def test_blocks_change_results_by_rounding_only(n_rows):
    network = make_network()
    X = np.random.default_rng(2).normal(size=(n_rows, 6)).astype(np.float32)
    h = X
    for kernel, bias in zip(network.kernels[:-1], network.biases[:-1], strict=True):
        h = np.maximum(h @ kernel + bias, 0)
    expected = h @ network.kernels[-1] + network.biases[-1]
    np.testing.assert_allclose(network.logits(X), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("activation", ["relu", "tanh"])
@pytest.mark.parametrize("widths", [(6, 5, 4, 3), (6, 3)])
def test_one_value_that_is_not_finite_is_detected(bad, activation, widths):
    network = make_network(widths, activation)
    X = np.random.default_rng(2).normal(size=(BLOCK_ROWS + 9, 6)).astype(np.float32)
    np.testing.assert_array_equal(network.logits_of_finite(X), network.logits(X))
    for row, column in [(0, 0), (BLOCK_ROWS + 8, 5), (7, 3)]:
        wrong = X.copy()
        wrong[row, column] = bad
        assert network.logits_of_finite(wrong) is None


def test_sparse_rows_give_the_dense_result():
    network = make_network()
    X = np.random.default_rng(2).normal(size=(2000, 6)).astype(np.float32)
    np.testing.assert_array_equal(network.logits(sparse.csr_array(X)), network.logits(X))


def test_logits_does_not_modify_input():
    network = make_network((4, 3))
    X = np.ones((5, 4), dtype=np.float32)
    network.logits(X)
    np.testing.assert_array_equal(X, 1)


def test_uint8_is_scaled():
    network, scaled = make_network((4, 3)), make_network((4, 3), scale=1 / 255)
    X = np.random.default_rng(3).integers(0, 256, (20, 4), dtype=np.uint8)
    expected = network.logits((X / 255).astype(np.float32))
    np.testing.assert_allclose(scaled.logits(X), expected, atol=1e-5)
    np.testing.assert_allclose(scaled.logits(X.astype(np.float64)), expected, atol=1e-5)


def test_pickle_keeps_all_bits():
    network = make_network(norm=True)
    X = np.random.default_rng(4).normal(size=(9, 6)).astype(np.float32)
    copy = pickle.loads(pickle.dumps(network))
    np.testing.assert_array_equal(copy.logits(X), network.logits(X))


def test_weights_are_read_only():
    with pytest.raises(ValueError, match="read-only"):
        make_network().kernels[0][0, 0] = 1


@pytest.mark.parametrize("norm", [False, True])
def test_other_floating_point_types(norm):
    network = make_network(norm=norm)
    wide = network.astype(np.dtype(np.float64))
    X = np.random.default_rng(4).normal(size=(9, 6))
    assert wide.logits(X).dtype == np.float64
    np.testing.assert_allclose(wide.logits(X), network.logits(X), rtol=1e-4, atol=1e-4)
    np.testing.assert_array_equal(wide.astype(np.dtype(np.float32)).logits(X), network.logits(X))


@pytest.mark.parametrize("scale", [1.0, 1e4])
def test_softmax_agrees_with_scipy(scale):
    logits = np.random.default_rng(5).normal(scale=scale, size=(30, 10))
    np.testing.assert_allclose(softmax(logits), special.softmax(logits, axis=1))


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_cross_entropy_agrees_with_keras(smoothing):
    import keras

    rng = np.random.default_rng(6)
    logits, y = rng.normal(size=(40, 7)), rng.integers(0, 7, 40)
    loss = keras.losses.CategoricalCrossentropy(
        from_logits=True, label_smoothing=smoothing, reduction="none", dtype="float64"
    )
    np.testing.assert_allclose(
        cross_entropy(logits, y, smoothing), loss(np.eye(7)[y], logits).numpy(), rtol=1e-6
    )
