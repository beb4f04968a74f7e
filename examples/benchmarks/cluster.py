"""One search on joblib's backends and on a Dask cluster, with what limits the cluster.

    python examples/benchmarks/cluster.py                           36 fits of 10,000 images each
    python examples/benchmarks/cluster.py --rows 1500 --epochs 1    a quick look

Starts `dask scheduler` and two `dask worker` processes of one thread here. Each search runs twice
in the same processes: the first one also imports TensorFlow and compiles. Prints wall times, the
time and the message of one task, how many tasks a second the scheduler hands out, and how fast a
Dask array is predicted; keeps them in cluster.json. Needs the full MNIST.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import pickle
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

GRID = {
    "ann__learning_rate": [0.0005, 0.001, 0.002, 0.004],
    "ann__dropout": [0.0, 0.1, 0.2],
}
ONE_THREAD = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL")}
ONE_THREAD |= {f"TF_NUM_{kind}OP_THREADS": "1" for kind in ("INTRA", "INTER")}


def digits(n_rows: int):
    from skdigits.datasets import fetch_mnist

    X, y = fetch_mnist(subset="train", return_X_y=True)
    return X[:n_rows], y[:n_rows]


def pipeline(epochs: int):
    from sklearn.pipeline import Pipeline

    from skdigits import DigitANNClassifier, PixelScaler

    network = DigitANNClassifier((128, 64), epochs=epochs, random_state=0)
    return Pipeline([("scaler", PixelScaler()), ("ann", network)])


def searched(n_rows: int, epochs: int, **backend) -> list[tuple[float, float, list[float]]]:
    """Two searches in a row: seconds, median seconds of a task, scores."""
    import joblib
    from sklearn.model_selection import GridSearchCV

    X, y = digits(n_rows)
    found = []
    for _ in range(2):
        search = GridSearchCV(pipeline(epochs), GRID, cv=3, refit=False)
        start = time.perf_counter()
        with joblib.parallel_config(**backend) if backend else contextlib.nullcontext():
            search.fit(X, y)
        seconds = time.perf_counter() - start
        results = search.cv_results_
        task = np.median(results["mean_fit_time"] + results["mean_score_time"])
        found.append((seconds, float(task), results["mean_test_score"].tolist()))
    return found


def elsewhere(arguments: argparse.Namespace, backend: dict, threads: int | None) -> list:
    """The searches in a new process, whose TensorFlow has so many threads."""
    code = (
        f"import sys, json; sys.path.insert(0, {str(Path(__file__).parent)!r})\n"
        f"from cluster import searched\n"
        f"print(json.dumps(searched({arguments.rows}, {arguments.epochs}, **{backend!r})))"
    )
    environment = os.environ | (ONE_THREAD if threads == 1 else {})
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(done.stderr[-2000:])
    return json.loads(done.stdout.splitlines()[-1])


@contextlib.contextmanager
def cluster(n_workers: int) -> Iterator[str]:
    """A scheduler and workers of one thread; the scheduler's address."""
    processes = []

    def start(kind: str, *options: str) -> None:
        module = f"distributed.cli.dask_{kind}"
        command = [sys.executable, "-m", module, "--host", "127.0.0.1", "--no-dashboard", *options]
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        processes.append(subprocess.Popen(command, env=os.environ | ONE_THREAD, **quiet))

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "scheduler.json")
        start("scheduler", "--port", "0", "--scheduler-file", str(file))
        while not file.exists() or not file.read_text().endswith("}"):
            time.sleep(0.1)
        address = json.loads(file.read_text())["address"]
        for _ in range(n_workers):
            start("worker", address, "--nthreads", "1", "--no-nanny", "--local-directory", folder)
        try:
            yield address
        finally:
            for process in processes:
                process.kill()
                process.wait()


def seconds(action: Callable[[], object]) -> float:
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def scheduler_rate(client, n_tasks: int = 5000) -> float:
    """Tasks without work that the scheduler hands out and gets back, each second."""
    client.gather(client.map(abs, range(100), pure=False))
    taken = seconds(lambda: client.gather(client.map(abs, range(n_tasks), pure=False)))
    return n_tasks / taken


def dask_searches(arguments: argparse.Namespace, client) -> tuple[list, int]:
    """The searches on the cluster, and the bytes of a task's message."""
    from skdigits.cluster import DurableClient

    messages: list[int] = []
    submit = client.submit

    def counted(*args, **kwargs):
        if "tasks" in kwargs:
            messages.append(len(pickle.dumps((args, kwargs))))
        return submit(*args, **kwargs)

    client.submit = counted
    found = searched(arguments.rows, arguments.epochs, backend="dask", client=DurableClient(client))
    client.submit = submit
    return found, int(np.median(messages))


def predictions(client, path: Path) -> dict[str, float]:
    """Rows a second of a Dask array over a file, and the workers' memory."""
    import dask.array as array
    import psutil

    model = pipeline(1).fit(*digits(2000))
    n_rows, chunk = len(np.load(path, mmap_mode="r")), 20_000

    def read(block_info=None):
        start, stop = block_info[None]["array-location"][0]
        return np.load(path, mmap_mode="r")[start:stop]

    sizes = tuple(min(chunk, n_rows - start) for start in range(0, n_rows, chunk))
    rows = array.map_blocks(read, chunks=(sizes, (784,)), dtype=np.uint8)
    labels = rows.map_blocks(model.predict, dtype=object, drop_axis=1)
    taken = seconds(lambda: client.compute(labels).result())
    memory = client.run(lambda: psutil.Process().memory_info().rss)
    return {"rows_per_second": n_rows / taken, "worker_MB": max(memory.values()) / 1e6}


def report(arguments: argparse.Namespace, found: dict) -> None:
    print(f"36 fits of {arguments.rows * 2 // 3} images, 784-128-64-10, {arguments.epochs} epochs")
    print(f"{'':46} {'first':>8} {'second':>8}   s a task")
    for name, runs in found["searches"].items():
        (cold, *_), (warm, task, _) = runs
        print(f"{name:46} {cold:6.1f} s {warm:6.1f} s   {task:.3f}")
    one = found["searches"]["n_jobs=1, 1 thread"][1]
    same = [runs[1][2] == one[2] for name, runs in found["searches"].items() if "1 thread" in name]
    print(f"scores equal to n_jobs=1's wherever a fit has 1 thread: {all(same)}")
    rate, task = found["tasks_per_second"], found["searches"]["dask, 2 workers of 1 thread"][1][1]
    print(f"message of a task: {found['message_bytes']:,} bytes; the rows of all tasks: "
          f"{arguments.rows * 784:,} bytes")  # fmt: skip
    print(f"the scheduler hands out {rate:,.0f} tasks/s: with {task:.3f} s a task it keeps "
          f"{rate * task:,.0f} workers busy, with 10 s {10 * rate:,.0f}")  # fmt: skip
    bulk = found["predictions"]
    print(f"a Dask array is predicted at {bulk['rows_per_second']:,.0f} rows/s by 2 workers of at "
          f"most {bulk['worker_MB']:.0f} MB")  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--file", type=Path, help=".npy of uint8 rows to predict")
    arguments = parser.parse_args()
    from _results import Results, versions
    from distributed import Client

    print(", ".join(f"{name} {value}" for name, value in versions().items()), flush=True)
    searches = {
        "n_jobs=1, all threads": elsewhere(arguments, {}, None),
        "n_jobs=1, 1 thread": elsewhere(arguments, {}, 1),
        "threading, 2 workers of 1 thread": elsewhere(
            arguments, {"backend": "threading", "n_jobs": 2}, 1
        ),
        "loky, 2 workers of 1 thread": elsewhere(arguments, {"backend": "loky", "n_jobs": 2}, 1),
    }
    with cluster(2) as address, Client(address) as client, tempfile.TemporaryDirectory() as folder:
        client.wait_for_workers(2)
        path = arguments.file or Path(folder, "X.npy")
        if not path.exists():
            np.save(path, np.resize(digits(60_000)[0], (200_000, 784)))
        found = {"predictions": predictions(client, path)}
        searches["dask, 2 workers of 1 thread"], found["message_bytes"] = dask_searches(
            arguments, client
        )
        found |= {"tasks_per_second": scheduler_rate(client), "searches": searches}
    report(arguments, found)
    settings = {"rows": arguments.rows, "epochs": arguments.epochs}
    Results("cluster.json").replace(settings, versions() | found)


if __name__ == "__main__":
    main()
