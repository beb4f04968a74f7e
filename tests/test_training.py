import numpy as np
import pytest

from skdigits import DigitANNClassifier
from skdigits._parameters import settings_from
from skdigits._schedule import learning_rates
from skdigits._training import generator, initial_network


def test_constant_rate_is_constant():
    np.testing.assert_array_equal(
        learning_rates("constant", 0.1, 3), np.full(3, 0.1, dtype=np.float32)
    )


@pytest.mark.parametrize(("schedule", "climb"), [("cosine", 0.05), ("one_cycle", 0.3)])
@pytest.mark.parametrize("n_steps", [20, 1000])
def test_schedules_climb_to_the_peak_then_fall_to_zero(schedule, climb, n_steps):
    rates = learning_rates(schedule, 0.01, n_steps)
    top = round(climb * n_steps)
    assert rates.shape == (n_steps,)
    assert rates.dtype == np.float32
    np.testing.assert_allclose(rates[top - 1], 0.01, rtol=1e-6)
    assert (np.diff(rates[:top]) > 0).all()
    assert (np.diff(rates[top:]) < 0).all()
    assert rates[0] > 0
    assert 0 < rates[-1] < 2e-4
    # Halfway down the cosine the rate is half the peak.
    half = top + (n_steps - top) / 2
    np.testing.assert_allclose(rates[int(half)], 0.005, rtol=0.1)


@pytest.mark.parametrize("schedule", ["constant", "cosine", "one_cycle"])
def test_a_single_step_has_a_usable_rate(schedule):
    rates = learning_rates(schedule, 0.01, 1)
    assert np.isfinite(rates).all()


def test_initial_weights_are_glorot_uniform():
    settings = settings_from(DigitANNClassifier().get_params(deep=False), 100)
    network = initial_network(settings, 784, 10, np.dtype(np.float32), seed=0)
    assert [k.shape for k in network.kernels] == [(784, 512), (512, 256), (256, 10)]
    for kernel in network.kernels:
        limit = np.sqrt(6 / sum(kernel.shape))
        assert abs(kernel).max() <= limit
        np.testing.assert_allclose(kernel.std(), limit / np.sqrt(3), rtol=0.03)
    assert not any(bias.any() for bias in network.biases)


def test_streams_of_one_seed_differ_and_repeat():
    draws = [generator(5, stream).integers(2**60) for stream in range(4)]
    assert len(set(draws)) == 4
    assert draws == [generator(5, stream).integers(2**60) for stream in range(4)]
