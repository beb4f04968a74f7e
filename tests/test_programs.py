"""Compiled epochs against Keras' own training, and the cache that keeps them."""

import threading

import keras
import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV

from skdigits import DigitANNClassifier
from skdigits._keras.building import Architecture, OptimizerSpec
from skdigits._keras.conversion import network_arrays, network_variables
from skdigits._keras.process import check_memory_maps
from skdigits._keras.program_cache import PROGRAMS, ProgramCache, program_class
from skdigits._keras.program_spec import ProgramSpec, row_capacity
from skdigits._parameters import settings_from
from skdigits._training import LAYERS, generator, initial_network

X, y = load_digits(return_X_y=True)
X = (X / 16).astype(np.float32)[:300]
y = y[:300]
SEED = 3


def keras_training(params, sample_weight=None, dtype="float32", optimizer=None):
    """The same single pass by Keras' own fit, from the same weights, rows in order."""
    classifier = DigitANNClassifier(**params)
    settings = settings_from(classifier.get_params(deep=False), len(X))
    start = initial_network(settings, 64, 10, np.dtype(dtype), SEED)
    layers = [keras.Input((64,), dtype=dtype)]
    for width, l2 in zip(settings.hidden_layer_sizes, settings.l2, strict=True):
        regularizer = keras.regularizers.L2(l2) if l2 else None
        layers.append(keras.layers.Dense(width, kernel_regularizer=regularizer, dtype=dtype))
        if settings.batch_norm:
            layers.append(keras.layers.BatchNormalization(dtype=dtype))
        layers.append(keras.layers.Activation(settings.activation, dtype=dtype))
    layers.append(keras.layers.Dense(10, dtype=dtype))
    model = keras.Sequential(layers)
    for variable, array in zip(network_variables(model), network_arrays(start), strict=True):
        variable.assign(array)
    model.compile(
        optimizer or keras.optimizers.Adam(settings.learning_rate),
        keras.losses.CategoricalCrossentropy(
            from_logits=True, label_smoothing=settings.label_smoothing, dtype=dtype
        ),
    )
    history = model.fit(
        X.astype(dtype),
        np.eye(10)[y],
        batch_size=settings.batch_size,
        epochs=1,
        shuffle=False,
        sample_weight=sample_weight,
        verbose=0,
    )
    arrays = [keras.ops.convert_to_numpy(v) for v in network_variables(model)]
    return arrays, history.history["loss"][0]


PLAIN = {
    "hidden_layer_sizes": (16, 8),
    "batch_size": 32,
    "learning_rate": 0.01,
    "label_smoothing": 0.0,
}


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"activation": "tanh", "hidden_layer_sizes": (12,)},
        {"l2": (0.01, 0.001)},
        {"label_smoothing": 0.1},
        # Adam would blow up the rounding of gradients that are 0 before the normalisation.
        {"batch_norm": True, "batch_size": 50, "optimizer": "sgd"},
    ],
    ids=str,
)
def test_one_pass_is_that_of_keras(params):
    params = PLAIN | params
    sgd = keras.optimizers.SGD(0.01) if params.get("optimizer") == "sgd" else None
    expected, loss = keras_training(params, optimizer=sgd)
    ours = DigitANNClassifier(random_state=SEED, **params).partial_fit(X, y, np.arange(10))
    for array, reference in zip(network_arrays(ours._network), expected, strict=True):
        np.testing.assert_allclose(array, reference, atol=3e-5)
    np.testing.assert_allclose(ours.loss_curve_[0], loss, rtol=1e-4)


@pytest.mark.parametrize(
    "optimizer",
    ["SGD", "AdamW", "Nadam"]
    + [
        pytest.param(name, marks=pytest.mark.slow)
        for name in ("RMSprop", "Adadelta", "Adagrad", "Adamax", "Ftrl", "Lion", "Lamb")
    ],
)
def test_optimizers_are_keras_own(optimizer):
    cls = getattr(keras.optimizers, optimizer)
    expected, _ = keras_training(PLAIN, optimizer=cls(0.01))
    ours = DigitANNClassifier(random_state=SEED, optimizer=optimizer.lower(), **PLAIN)
    ours.partial_fit(X, y, np.arange(10))
    for array, reference in zip(network_arrays(ours._network), expected, strict=True):
        np.testing.assert_allclose(array, reference, atol=1e-4)


def test_float64_and_sample_weight_are_those_of_keras():
    weights = np.random.default_rng(0).uniform(0.5, 2, len(X))
    weights /= weights.mean()
    with program_class().context("float64"):
        expected, _ = keras_training(PLAIN, weights, dtype="float64")
    ours = DigitANNClassifier(random_state=SEED, **PLAIN)
    ours.partial_fit(X.astype(np.float64), y, np.arange(10), weights)
    for array, reference in zip(network_arrays(ours._network), expected, strict=True):
        assert array.dtype == np.float64
        np.testing.assert_allclose(array, reference, atol=1e-8)


def test_loss_scaling_changes_nothing_but_rounding():
    plain = DigitANNClassifier(random_state=SEED, optimizer="sgd", **PLAIN)
    scaled = DigitANNClassifier(random_state=SEED, optimizer="sgd", **PLAIN)
    scaled.set_params(optimizer__loss_scale_factor=1024.0)
    plain.partial_fit(X, y, np.arange(10))
    scaled.partial_fit(X, y, np.arange(10))
    np.testing.assert_allclose(scaled.coefs_[0], plain.coefs_[0], atol=1e-6)


def dropping_program(rates, n_rows=8, width=50):
    architecture = Architecture(
        6, (width,) * len(rates), 2, "relu", rates, (0.0,) * len(rates), False, "float32"
    )
    optimizer = OptimizerSpec.read("sgd", {})
    spec = ProgramSpec(architecture, optimizer, 0.0, None, None, 0.0, n_rows, n_rows, "float32")
    return program_class()(spec)


def masks(program, seeds, n_rows, width, layers, steps):
    """Which units each layer keeps at each step."""

    def drawn(step):
        noise = program.step.dropout_noise([seeds], step)
        return [noise(layer, (n_rows, width)) for layer in layers]

    compiled = compile_function(drawn)
    return [np.asarray(mask) for step in range(steps) for mask in compiled(np.int32(step))]


def compile_function(function):
    if keras.config.backend() == "jax":
        import jax

        return jax.jit(function)
    import tensorflow as tf

    return tf.function(function, jit_compile=True)


def test_layers_drop_different_units():
    """Layers of equal dropout have different random streams, and so has each step."""
    program = dropping_program((0.5, 0.5, 0.5))
    seeds = generator(0, LAYERS).integers(2**32, size=(3, 2), dtype=np.uint32)
    drawn = masks(program, seeds, 8, 50, range(3), steps=5)
    assert len({mask.tobytes() for mask in drawn}) == 15


@pytest.mark.parametrize("rate", [0.2, 0.5])
def test_dropout_keeps_its_share_and_the_mean(rate):
    program = dropping_program((rate,), n_rows=400, width=300)
    seeds = np.array([[3, 4]], dtype=np.uint32)
    (noise,) = masks(program, seeds, 400, 300, [0], steps=1)
    assert noise.min() >= 0
    assert noise.max() < 1
    assert abs((noise < rate).mean() - rate) < 0.01
    ones = np.ones((400, 6), np.float32)
    identity = [np.eye(6, 300, dtype=np.float32), np.eye(300, 2, dtype=np.float32)]
    biases = [np.zeros(300, np.float32), np.zeros(2, np.float32)]
    logits, _ = program.step.forward(
        [*identity, *biases], ones, np.ones(400, np.float32), lambda layer, shape: noise
    )
    kept = noise[:, :2] >= rate
    np.testing.assert_allclose(np.asarray(logits), kept / (1 - rate), rtol=1e-6)


def test_averages_are_those_of_the_recurrence():
    """Ten full-batch steps one by one, averaged by hand."""
    params = PLAIN | {"batch_size": 300, "random_state": SEED}
    plain = DigitANNClassifier(**params)
    averaged = DigitANNClassifier(weight_averaging=0.5, epochs=10, **params)
    averaged.set_params(learning_rate_schedule="constant").fit(X, y)
    settings = settings_from(plain.get_params(deep=False), 300)
    mean = initial_network(settings, 64, 10, np.dtype(np.float32), SEED).kernels[0]
    for step in range(1, 11):
        plain.partial_fit(X, y, np.arange(10))
        decay = min(0.5, (1 + step) / (10 + step))
        mean = decay * mean + (1 - decay) * plain.coefs_[0]
    np.testing.assert_allclose(averaged.coefs_[0], mean, atol=1e-5)


@pytest.mark.parametrize(
    ("n_rows", "capacity"),
    [(1, 16), (16, 16), (17, 32), (1437, 1536), (1438, 1536), (48_000, 49_152), (60_000, 61_440)],
)
def test_capacity(n_rows, capacity):
    assert row_capacity(n_rows) == capacity


def test_capacity_wastes_at_most_an_eighth():
    for n in range(128, 100_000, 997):
        assert n <= row_capacity(n) <= 1.125 * n


def tiny_spec(width=3, **optimizer):
    architecture = Architecture(4, (width,), 2, "relu", (0.0,), (0.0,), False, "float32")
    return ProgramSpec(
        architecture, OptimizerSpec.read("sgd", optimizer), 0.0, None, None, 0.0, 8, 16, "float32"
    )


def test_cache_reuses_and_drops_the_oldest():
    cache = ProgramCache(maxsize=2)
    with cache.checked_out(tiny_spec(3)) as first:
        pass
    with cache.checked_out(tiny_spec(4)):
        pass
    with cache.checked_out(tiny_spec(3)) as again:
        assert again is first
    with cache.checked_out(tiny_spec(5)):
        pass
    assert len(cache) == 2
    with cache.checked_out(tiny_spec(3)) as again:
        assert again is first
    cache.clear()
    assert len(cache) == 0


def test_cache_tells_optimizer_options_apart():
    cache = ProgramCache()
    with cache.checked_out(tiny_spec(momentum=0.9)) as first:
        pass
    with cache.checked_out(tiny_spec(momentum=0.8)) as second:
        assert second is not first


def test_program_in_use_is_not_shared_and_a_failed_one_not_kept():
    cache = ProgramCache()
    with cache.checked_out(tiny_spec()) as first, cache.checked_out(tiny_spec()) as second:
        assert first is not second
    assert len(cache) == 2
    with pytest.raises(RuntimeError, match="boom"), cache.checked_out(tiny_spec()):
        raise RuntimeError("boom")
    assert len(cache) == 1


def test_neighbouring_folds_share_one_program_and_nothing_is_traced_again():
    PROGRAMS.clear()
    model = DigitANNClassifier(**PLAIN, epochs=2)
    for n_rows in (290, 291, 300):
        model.fit(X[:n_rows], y[:n_rows])
    assert len(PROGRAMS) == 1
    (program,) = PROGRAMS._idle
    assert n_traces(program) == 1


def n_traces(program):
    if program.engine == "jax":
        return program._compiled._cache_size()
    return program._compiled.experimental_get_tracing_count()


def test_fits_between_leave_no_trace():
    """A used program gives the bits of a new one, whatever ran on it before."""
    params = PLAIN | {"dropout": 0.3, "batch_norm": True, "epochs": 3, "random_state": 1}
    PROGRAMS.clear()
    fresh = DigitANNClassifier(**params).fit(X, y)
    DigitANNClassifier(**params).set_params(random_state=2).fit(X[5:], y[5:])
    again = DigitANNClassifier(**params).fit(X, y)
    assert len(PROGRAMS) == 1
    for a, b in zip(network_arrays(fresh._network), network_arrays(again._network), strict=True):
        np.testing.assert_array_equal(a, b)


def test_cache_is_bounded_in_bytes_too():
    cache = ProgramCache(maxbytes=0)
    with cache.checked_out(tiny_spec()):
        pass
    assert len(cache) == 0


def test_a_changed_optimizer_instance_is_another_one():
    optimizer = keras.optimizers.SGD(0.1, momentum=0.9)
    first = OptimizerSpec.read(optimizer, {}).key()
    optimizer.momentum = 0.1
    assert OptimizerSpec.read(optimizer, {}).key() != first


@pytest.mark.slow
def test_many_programs_log_no_retracing(caplog):
    for width in range(2, 9):
        DigitANNClassifier((width,), epochs=1).fit(X[:20], y[:20])
    assert "retracing" not in caplog.text


def test_concurrent_fits_do_not_disturb_each_other():
    params = PLAIN | {"dropout": 0.2, "epochs": 5}
    alone = [DigitANNClassifier(**params, random_state=seed).fit(X, y) for seed in range(4)]
    together = [DigitANNClassifier(**params, random_state=seed) for seed in range(4)]
    threads = [threading.Thread(target=model.fit, args=(X, y)) for model in together]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for a, b in zip(alone, together, strict=True):
        np.testing.assert_array_equal(a.coefs_[0], b.coefs_[0])


def test_scikeras_still_serves_and_leaves_keras_classes_alone():
    import pickle

    from scikeras.wrappers import KerasClassifier

    for cls in (keras.Model, keras.losses.Loss, keras.metrics.Metric, keras.optimizers.Optimizer):
        method = getattr(cls, "__reduce__")  # noqa: B009
        assert not method.__module__.startswith("scikeras")
        assert not getattr(cls, "__deepcopy__", test_capacity).__module__.startswith("scikeras")

    def build():
        return keras.Sequential(
            [keras.Input((64,)), keras.layers.Dense(10, activation="softmax", name="out")]
        )

    model = KerasClassifier(
        build, loss="sparse_categorical_crossentropy", optimizer="adam", epochs=1, verbose=0
    ).fit(X, y)
    expected = model.predict_proba(X[:5])
    np.testing.assert_array_equal(
        pickle.loads(pickle.dumps(model.model_)).predict(X[:5], verbose=0), expected
    )


def test_memory_maps_near_the_limit_are_an_error(tmp_path, monkeypatch):
    maps, limit = tmp_path / "maps", tmp_path / "limit"
    maps.write_text("piece\n" * 1000)
    limit.write_text("1400\n")
    check_memory_maps(1, maps, limit)
    check_memory_maps(1, maps, tmp_path / "not Linux")
    with pytest.raises(RuntimeError, match=r"with 1,000 memory maps, expected 800 free ones"):
        check_memory_maps(2, maps, limit)
    limit.write_text("1399\n")
    monkeypatch.setattr(check_memory_maps, "__defaults__", (maps, limit))
    with pytest.raises(RuntimeError, match=r"search with n_jobs .* on JAX"):
        DigitANNClassifier((7,), epochs=1, batch_size=77).fit(X[:100], y[:100])


def test_search_keeps_room_for_its_refit(tmp_path, monkeypatch):
    maps, limit = tmp_path / "maps", tmp_path / "limit"
    maps.write_text("piece\n" * 1000)
    limit.write_text("1800\n")
    monkeypatch.setattr(check_memory_maps, "__defaults__", (maps, limit))
    PROGRAMS.clear()
    base = DigitANNClassifier(epochs=1)
    search = GridSearchCV(base, {"hidden_layer_sizes": [(7,), (9,)]}, cv=2)
    search.fit(X[:100], y[:100])
    assert search.best_estimator_.predict(X[:3]).shape == (3,)
    PROGRAMS.clear()
    limit.write_text("1799\n")
    with pytest.raises(ValueError, match="All the 4 fits failed"):
        search.fit(X[:100], y[:100])
    DigitANNClassifier((7,), epochs=1).fit(X[:100], y[:100])


def test_threads_cannot_pass_the_check_together(tmp_path, monkeypatch):
    maps, limit = tmp_path / "maps", tmp_path / "limit"
    maps.write_text("piece\n" * 1000)
    limit.write_text("1799\n")
    monkeypatch.setattr(check_memory_maps, "__defaults__", (maps, limit))
    cache = ProgramCache()
    with (
        cache.checked_out(tiny_spec(3)),
        pytest.raises(RuntimeError, match="expected 800 free ones"),
        cache.checked_out(tiny_spec(4)),
    ):
        pass
    # A compiled program is counted by the system.
    with cache.checked_out(tiny_spec(4)):
        pass
