"""Same data, parameters, seed and thread count: the same bits. And nothing else is touched."""

import hashlib
import multiprocessing
import os
import random
import subprocess
import sys
import warnings

import joblib
import numpy as np
import pytest

from skdigits import DigitANNClassifier
from skdigits.datasets import load_mnist_sample

PARAMS = {"hidden_layer_sizes": (24,), "dropout": 0.2, "epochs": 3, "random_state": 7}


def digest(n_rows=1000, **params):
    X, y = load_mnist_sample(subset="train", return_X_y=True)
    model = DigitANNClassifier(**PARAMS | params).fit(X[:n_rows], y[:n_rows])
    return hashlib.sha256(b"".join(w.tobytes() for w in model.coefs_)).hexdigest()


SCRIPT = """
import sys; sys.path.insert(0, {folder!r})
import tensorflow as tf
threads = {threads}
if threads:
    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(threads)
from test_reproducibility import digest, probabilities
{action}
"""


def in_new_process(action, threads=None):
    folder = os.path.dirname(os.path.abspath(__file__))
    code = SCRIPT.format(folder=folder, threads=threads, action=action)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def probabilities(path):
    X, y = load_mnist_sample(subset="train", return_X_y=True)
    model = DigitANNClassifier(**PARAMS | {"epochs": 1, "dropout": 0.0}).fit(X, y)
    np.save(path, model.predict_proba(X))


@pytest.mark.slow
def test_same_bits_in_one_process_and_in_another():
    assert digest() == digest() == in_new_process("print(digest())")
    assert digest() != digest(random_state=8)


@pytest.mark.slow
def test_same_bits_in_a_worker_with_as_many_threads():
    with joblib.parallel_config("loky", n_jobs=2, inner_max_num_threads=1):
        first, second = joblib.Parallel()(joblib.delayed(digest)() for _ in range(2))
    assert first == second == in_new_process("print(digest())", threads=1)


def threads_here():
    digest(n_rows=100, epochs=1)
    import tensorflow as tf

    return tf.config.threading.get_intra_op_parallelism_threads(), dict(os.environ)


@pytest.mark.slow
@pytest.mark.parametrize("inner", [1, 2])
def test_workers_use_the_threads_that_joblib_grants(inner):
    with joblib.parallel_config("loky", n_jobs=2, inner_max_num_threads=inner):
        before = joblib.Parallel()(joblib.delayed(dict)(os.environ) for _ in range(1))
        counts = joblib.Parallel()(joblib.delayed(threads_here)() for _ in range(2))
    assert [threads for threads, _ in counts] == [inner, inner]
    assert not any("TF_NUM" in name for _, env in counts for name in env)
    assert before[0] == dict(os.environ)


@pytest.mark.slow
def test_other_thread_counts_differ_in_the_last_digits_only(tmp_path):
    for threads in (1, 2):
        in_new_process(f"probabilities({str(tmp_path / f'{threads}.npy')!r})", threads=threads)
    one, two = (np.load(tmp_path / f"{threads}.npy") for threads in (1, 2))
    np.testing.assert_allclose(one, two, atol=1e-5)


def test_a_random_state_object_is_advanced_and_an_integer_means_itself():
    state = np.random.RandomState(0)
    first, second = digest(random_state=state), digest(random_state=state)
    assert first != second
    assert digest(random_state=np.random.RandomState(0)) == first


def test_without_a_seed_fits_differ():
    assert digest(random_state=None) != digest(random_state=None)


def test_nothing_global_is_changed():
    import keras
    import tensorflow as tf
    from tensorflow.python.framework import config

    digest()
    before = {
        "numpy": np.random.get_state()[1].tolist(),
        "python": random.getstate(),
        "environment": dict(os.environ),
        "filters": list(warnings.filters),
        "determinism": config.is_op_determinism_enabled(),
        "float": keras.config.floatx(),
        "printing": np.get_printoptions(),
        "errors": np.geterr(),
    }
    digest(random_state=None, batch_norm=True, hidden_layer_sizes=(23,))
    after = {
        "numpy": np.random.get_state()[1].tolist(),
        "python": random.getstate(),
        "environment": dict(os.environ),
        "filters": list(warnings.filters),
        "determinism": config.is_op_determinism_enabled(),
        "float": keras.config.floatx(),
        "printing": np.get_printoptions(),
        "errors": np.geterr(),
    }
    assert after == before
    X, y = load_mnist_sample(subset="test", return_X_y=True)
    model = keras.Sequential(
        [keras.Input((784,)), keras.layers.Dropout(0.5), keras.layers.Dense(10)]
    )
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    model.fit(X / np.float32(255), y.astype(int), verbose=0)
    assert tf.reduce_all(tf.math.is_finite(model.layers[-1].kernel.value))


def fit_in_child(queue):
    try:
        DigitANNClassifier(epochs=1).fit([[0.0], [1.0]], [0, 1])
        queue.put("fitted")
    except RuntimeError as error:
        queue.put(str(error))


def predict_in_child(queue, model, X):
    queue.put(model.predict(X).tolist())


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="no fork here")
@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
def test_a_fork_after_fit_predicts_and_says_why_it_does_not_fit():
    X, y = load_mnist_sample(subset="test", return_X_y=True)
    model = DigitANNClassifier(**PARAMS).fit(X, y)
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    for target, args in ((predict_in_child, (model, X[:20])), (fit_in_child, ())):
        child = context.Process(target=target, args=(queue, *args))
        child.start()
        answer = queue.get(timeout=120)
        child.join()
        if target is predict_in_child:
            assert answer == model.predict(X[:20]).tolist()
        else:
            assert "forked from one that had already used TensorFlow" in answer
