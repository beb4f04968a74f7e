"""Searches and predictions on a Dask cluster of processes, and on joblib's workers."""

import contextlib
import json
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import joblib
import numpy as np
import pytest
from joblib.externals.loky import get_reusable_executor
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline

import skdigits
from skdigits import DigitANNClassifier, PixelScaler
from skdigits.cluster import DurableClient
from skdigits.datasets import load_mnist_sample

distributed = pytest.importorskip("distributed", reason="the extra distributed is not installed")

# Each of its processes imports scikit-learn or TensorFlow.
pytestmark = pytest.mark.slow

# More than one, to repeat the test that kills workers.
KILLS = int(os.environ.get("SKDIGITS_KILLS", "1"))

# Everything starts slowly on a busy machine.
PATIENCE = 600

ONE_THREAD = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL")}
ONE_THREAD |= {f"TF_NUM_{kind}OP_THREADS": "1" for kind in ("INTRA", "INTER")}


def until(condition):
    """Wait for a condition and return its value."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        if found := condition():
            return found
        time.sleep(0.05)
    raise TimeoutError(f"Waited for {condition} without success.")


class Cluster:
    """A scheduler and workers, each a process of its own with one thread."""

    def __init__(self, folder):
        self.folder, self.processes = folder, {}
        package = str(Path(skdigits.__file__).parents[1])
        # Workers find functions of this module here.
        path = [package, str(Path(__file__).parent), *filter(None, [os.environ.get("PYTHONPATH")])]
        self.environment = os.environ | ONE_THREAD | {"PYTHONPATH": os.pathsep.join(path)}
        file = folder / "scheduler.json"
        self._start("scheduler", "--port", "0", "--scheduler-file", file)
        self.address = until(lambda: self._address(file))

    def _address(self, file):
        with contextlib.suppress(FileNotFoundError, json.JSONDecodeError):
            return json.loads(file.read_text())["address"]

    def _start(self, kind, *options, name=None):
        module = f"distributed.cli.dask_{kind}"
        command = [sys.executable, "-m", module, "--host", "127.0.0.1", "--no-dashboard", *options]
        with (self.folder / f"{name or kind}.log").open("w") as log:
            self.processes[name or kind] = subprocess.Popen(
                command, env=self.environment, stdout=log, stderr=log
            )

    def start_worker(self, name):
        options = ["--nthreads", "1", "--no-nanny", "--memory-limit", "0", "--name", name]
        options += ["--local-directory", self.folder / name]
        self._start("worker", self.address, *options, name=name)

    def kill(self, name):
        process = self.processes.pop(name)
        process.send_signal(signal.SIGKILL)
        process.wait()

    def close(self):
        for name in list(self.processes):
            self.kill(name)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    running = Cluster(tmp_path_factory.mktemp("cluster"))
    try:
        for name in ("first", "second"):
            running.start_worker(name)
        yield running
    finally:
        running.close()


@pytest.fixture
def client(cluster):
    with distributed.Client(cluster.address, timeout=PATIENCE) as client:
        client.wait_for_workers(2, timeout=PATIENCE)
        yield client


def digits():
    X, y = load_mnist_sample(subset="train", return_X_y=True)
    return X[:2000], y[:2000]


def search(scoring=("accuracy", "neg_log_loss")):
    pipeline = Pipeline(
        [("scaler", PixelScaler()), ("ann", DigitANNClassifier((16,), epochs=2, random_state=0))]
    )
    grid = {"ann__learning_rate": [0.001, 0.004], "ann__dropout": [0.0, 0.2]}
    scoring = list(scoring) if isinstance(scoring, tuple) else scoring
    # Dask drops a worker's copy of the rows at a moment when no task waits there for them.
    options = {"refit": False, "pre_dispatch": "all"}
    return GridSearchCV(pipeline, grid, cv=2, scoring=scoring, **options)


def scores_of(fitted):
    """All scores; the log-losses show a difference in any bit of the weights."""
    found = fitted.cv_results_
    names = sorted(name for name in found if name.startswith("split"))
    return {name: found[name].tolist() for name in names}


def test_workers_predict_blocks_without_tensorflow(client, tmp_path):
    """The first test of this cluster, whose workers have trained nothing yet."""
    array = pytest.importorskip("dask.array")
    X, y = digits()
    model = Pipeline([("scaler", PixelScaler()), ("ann", DigitANNClassifier((16,), epochs=2))])
    model.fit(X, y)
    path = tmp_path / "X.npy"
    np.save(path, X)

    def read(block_info=None):
        start, stop = block_info[None]["array-location"][0]
        return np.load(path, mmap_mode="r")[start:stop]

    rows = array.map_blocks(read, chunks=((500,) * 4, (784,)), dtype=np.uint8)
    probabilities = rows.map_blocks(model.predict_proba, dtype=np.float32, chunks=(500, 10))
    np.testing.assert_allclose(probabilities.compute(), model.predict_proba(X), atol=1e-6)
    labels = rows.map_blocks(model.predict, dtype=y.dtype, drop_axis=1).compute()
    np.testing.assert_array_equal(labels, model.predict(X))
    assert set(client.run(lambda: "tensorflow" in sys.modules).values()) == {False}


def test_parquet_partitions_are_predicted(client, tmp_path):
    pytest.importorskip("pyarrow")
    frame = pytest.importorskip("dask.dataframe")
    import pandas as pd

    X, y = digits()
    model = Pipeline([("scaler", PixelScaler()), ("ann", DigitANNClassifier((16,), epochs=2))])
    model.fit(X, y)
    for i in range(4):
        part = pd.DataFrame(X[i * 500 : (i + 1) * 500], columns=[f"p{j}" for j in range(784)])
        part.to_parquet(tmp_path / f"part{i}.parquet")

    def labels_of(part):
        return pd.Series(model.predict(part.to_numpy()), index=part.index)

    rows = frame.read_parquet(tmp_path, index=False)
    found = rows.map_partitions(labels_of, meta=pd.Series(dtype=object)).compute()
    np.testing.assert_array_equal(found, model.predict(X))


REFERENCE = """
import json, sys
sys.path.insert(0, sys.argv[1])
import joblib
from test_cluster import digits, scores_of, search
found = {"one job": scores_of(search().fit(*digits()))}
with joblib.parallel_config("threading", n_jobs=2):
    found["threading"] = scores_of(search().fit(*digits()))
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def reference():
    """Scores of searches in one process, whose TensorFlow has one thread too."""
    done = subprocess.run(
        [sys.executable, "-c", REFERENCE, str(Path(__file__).parent)],
        env=os.environ | ONE_THREAD,
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout.splitlines()[-1])


def test_two_threads_give_the_bits_of_one_job(reference):
    assert len(reference["one job"]) == 4
    assert reference["threading"] == reference["one job"]


def test_two_processes_give_the_bits_of_one_job(reference):
    with joblib.parallel_config("loky", n_jobs=2, inner_max_num_threads=1):
        found = scores_of(search().fit(*digits()))
    assert found == reference["one job"]


@pytest.mark.parametrize("durable", [False, True], ids=["as joblib does it", "durable"])
def test_cluster_gives_the_bits_of_one_job_and_receives_the_data_once(
    client, reference, durable, monkeypatch
):
    X, y = digits()
    messages = []
    submit = client.submit

    def counted(*args, **kwargs):
        messages.append(len(pickle.dumps((args, kwargs))) if "tasks" in kwargs else 0)
        return submit(*args, **kwargs)

    monkeypatch.setattr(client, "submit", counted)
    already = sum(map(len, arrivals(client, X.nbytes).values()))
    options = {"client": DurableClient(client) if durable else client}
    with joblib.parallel_config("dask", **options):
        found = scores_of(search().fit(X, y))
    assert found == reference["one job"]
    # X went to one worker, and from there to the other one; once more if at the end a task moves
    # to a worker that had none left. Of the 8 tasks none brings it along.
    assert sum(map(len, arrivals(client, X.nbytes).values())) - already <= 2
    assert 0 < max(messages) < 20_000


def arrivals(client, nbytes):
    """For each worker, the arrays of at least that size that it got from another worker."""

    def large(dask_worker):
        log = list(dask_worker.transfer_incoming_log)
        return [key for entry in log for key, size in entry["keys"].items() if size >= nbytes]

    return client.run(large)


def test_workers_train_outside_the_main_thread_and_keep_signal_handlers(client):
    def train():
        handlers = [signal.getsignal(s) for s in (signal.SIGINT, signal.SIGTERM)]
        DigitANNClassifier((4,), epochs=1).fit(*digits())
        after = [signal.getsignal(s) for s in (signal.SIGINT, signal.SIGTERM)]
        return threading.current_thread() is threading.main_thread(), handlers == after

    assert client.submit(train, pure=False).result() == (False, True)


@pytest.mark.parametrize("repetition", range(KILLS))
def test_killed_and_added_workers_do_not_change_results(
    cluster, client, reference, tmp_path, repetition
):
    """The worker that holds the data dies in mid-search, and a new one does part of the work."""
    X, y = digits()
    gate, marks = tmp_path / "gate", tmp_path / "marks"
    marks.mkdir()
    late = f"late {repetition}"

    def gated_scores(estimator, X, y):
        # Each worker stops at its first score, until one has died and one has come.
        (marks / f"{os.getpid()}").touch()
        while not gate.exists():
            time.sleep(0.02)
        from sklearn.metrics import accuracy_score, log_loss

        return {
            "accuracy": accuracy_score(y, estimator.predict(X)),
            "neg_log_loss": -log_loss(y, estimator.predict_proba(X)),
        }

    def disturb():
        until(lambda: len(list(marks.iterdir())) == 2)
        cluster.start_worker(late)
        client.wait_for_workers(3, timeout=PATIENCE)
        held = client.run(lambda dask_worker: sum(map(size_of, dask_worker.data.values())))
        names = {w["name"]: address for address, w in workers_of(client).items()}
        victim = max((n for n in cluster.processes if n in names), key=lambda n: held[names[n]])
        assert held[names[victim]] >= X.nbytes
        cluster.kill(victim)
        gate.touch()

    disturbing = threading.Thread(target=disturb)
    disturbing.start()
    with joblib.parallel_config("dask", client=DurableClient(client)):
        found = scores_of(search(gated_scores).fit(X, y))
    disturbing.join()
    assert found == reference["one job"]
    assert str(cluster.processes[late].pid) in {mark.name for mark in marks.iterdir()}
    assert len(workers_of(client)) == 2


def size_of(value):
    return getattr(value, "nbytes", 0)


def workers_of(client):
    return client.scheduler_info(n_workers=-1)["workers"]


def test_threads_set_for_tensorflow_override_those_of_joblib(monkeypatch):
    monkeypatch.setenv("TF_NUM_INTRAOP_THREADS", "2")

    def threads_after_fit():
        DigitANNClassifier((16,), epochs=1).fit(*digits())
        import tensorflow as tf

        return tf.config.threading.get_intra_op_parallelism_threads()

    get_reusable_executor().shutdown(wait=True)
    with joblib.parallel_config("loky", n_jobs=2, inner_max_num_threads=1):
        threads = joblib.Parallel()(joblib.delayed(threads_after_fit)() for _ in range(2))
    # 0: not set, so that TensorFlow reads the variable.
    assert threads == [0, 0]
