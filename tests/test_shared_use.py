"""One estimator and one process that many use at once."""

import logging
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from threadpoolctl import threadpool_info

from skdigits import DigitANNClassifier
from skdigits.datasets import load_mnist_sample

N_THREADS = 16


@pytest.fixture(scope="module")
def digits():
    X, y = load_mnist_sample(subset="train", return_X_y=True)
    return X.astype(np.float32) / 255, y


def at_once(tasks):
    """Run all tasks at the same moment, each in a thread of its own; what they return."""
    barrier = threading.Barrier(len(tasks))

    def run(task):
        barrier.wait()
        return task()

    with ThreadPoolExecutor(len(tasks)) as pool:
        return list(pool.map(run, tasks))


@pytest.mark.parametrize("batch_norm", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_sixteen_threads_get_the_answers_of_one(digits, batch_norm):
    X, y = digits
    model = DigitANNClassifier((24,), epochs=2, batch_norm=batch_norm, random_state=0)
    model.fit(X, y)
    chunks = [X[i * 300 : (i + 1) * 300] for i in range(N_THREADS)]
    expected = [model.predict_proba(chunk) for chunk in chunks]
    one_row = model.predict_proba(X[:1])

    def ask(i):
        answers = [model.predict_proba(chunks[i]) for _ in range(20)]
        rows = [model.predict_proba(X[:1]) for _ in range(100)]
        return answers, rows

    for i, (answers, rows) in enumerate(at_once([lambda i=i: ask(i) for i in range(N_THREADS)])):
        for answer in answers:
            np.testing.assert_array_equal(answer, expected[i])
        for row in rows:
            np.testing.assert_array_equal(row, one_row)


def test_fits_of_different_kinds_at_once_are_as_alone(digits):
    X, y = digits[0][:500], digits[1][:500]
    kinds = [{}, {"dropout": 0.2, "batch_norm": True}, {"early_stopping": True}]
    make = lambda params: DigitANNClassifier((24,), epochs=4, random_state=0, **params)  # noqa: E731
    alone = [make(params).fit(X, y) for params in kinds]
    together = at_once([lambda p=params: make(p).fit(X, y) for params in kinds])
    for a, b in zip(alone, together, strict=True):
        np.testing.assert_array_equal(a.coefs_[0], b.coefs_[0])
        assert a.history_ == b.history_


def test_predicting_while_another_fits(digits):
    X, y = digits[0][:2000], digits[1][:2000]
    model = DigitANNClassifier((24,), epochs=2, random_state=0).fit(X, y)
    expected = model.predict_proba(X)
    other = DigitANNClassifier((24,), epochs=10, random_state=1)
    fitting = threading.Thread(target=other.fit, args=(X, y))
    fitting.start()
    while fitting.is_alive():
        np.testing.assert_array_equal(model.predict_proba(X), expected)
    fitting.join()
    np.testing.assert_array_equal(
        other.coefs_[0], DigitANNClassifier((24,), epochs=10, random_state=1).fit(X, y).coefs_[0]
    )


def pools():
    return sorted((info["filepath"], info["num_threads"]) for info in threadpool_info())


def levels():
    loggers = [logging.getLogger(), *map(logging.getLogger, logging.root.manager.loggerDict)]
    return {
        logger.name: (logger.level, len(logger.handlers), logger.disabled) for logger in loggers
    }


def test_threads_and_logging_stay_as_they_are(digits):
    X, y = digits[0][:300], digits[1][:300]
    DigitANNClassifier((24,), epochs=1).fit(X, y).predict(X)
    before = pools(), levels()
    DigitANNClassifier((23,), epochs=1, dropout=0.1, early_stopping=True).fit(X, y).predict(X)
    assert (pools(), levels()) == before
