"""Training on more rows than memory holds: MNIST's training images deformed, in one file.

    python examples/benchmarks/larger_than_memory.py --folder DIR      2 million rows, 1.6 GB
    python examples/benchmarks/larger_than_memory.py --folder DIR --rows 100000 --way fit

Writes the rows into DIR chunk by chunk, going on where an earlier call was stopped. Then trains in
a process of its own, by `fit` on the memory-mapped file or by `partial_fit` on chunks of it, within
a memory control group of --limit bytes where the system lets us make one (Linux, as root). Prints
wall time, peak memory and accuracy on MNIST's real test images, and keeps them in
larger_than_memory.json. RssAnon is the process' own memory; beside it the limit has to hold the
file's pages, which the kernel takes back when it needs the room.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import numpy as np

CHUNK = 20_000
PARTIAL_FIT_CHUNK = 256 * 400
PARAMS = {"hidden_layer_sizes": (256, 128), "batch_size": 256, "random_state": 0}
GROUPS = Path("/sys/fs/cgroup/memory"), Path("/sys/fs/cgroup")


def write_rows(folder: Path, n_rows: int, n_deformed: int) -> Path:
    """A file of deformed training images, each chunk from random numbers of its own.

    Rows beyond the first `n_deformed`, a multiple of 60,000, are these again.
    """
    from skdigits import Augmentation
    from skdigits._augmentation import deformed, random_numbers
    from skdigits.datasets import fetch_mnist

    path, progress = folder / f"X_{n_rows}.npy", folder / f"X_{n_rows}.done"
    images, labels = fetch_mnist(subset="train", return_X_y=True)
    done = int(progress.read_text()) if progress.exists() else 0
    if done == 0:
        np.save(folder / f"y_{n_rows}.npy", np.resize(labels.astype(np.uint8), n_rows))
    shape, mode = (n_rows, images.shape[1]), "r+" if done else "w+"
    file = np.lib.format.open_memmap(path, mode=mode, dtype=np.uint8, shape=shape)
    for start in range(done, n_rows, CHUNK):
        rows = np.arange(start, min(start + CHUNK, n_rows)) % len(images)
        if start >= n_deformed:
            first = start % n_deformed
            file[start : start + len(rows)] = file[first : first + len(rows)]
            progress.write_text(str(start + len(rows)))
            continue
        random = random_numbers(np.random.default_rng([0, start]), len(rows))
        bent = deformed(images[rows].astype(np.float32), Augmentation(), random, 0.0)
        file[start : start + len(rows)] = np.rint(bent).clip(0, 255).astype(np.uint8)
        file.flush()
        progress.write_text(str(start + len(rows)))
    return path


def own_memory() -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("RssAnon"))


def train(folder: Path, n_rows: int, way: str, passes: int) -> dict[str, float]:
    """Train in this process; figures of it."""
    peak, done = [0], threading.Event()

    def watch() -> None:
        while not done.wait(0.005):
            peak[0] = max(peak[0], own_memory())

    threading.Thread(target=watch, daemon=True).start()
    start = time.perf_counter()
    from skdigits import DigitANNClassifier
    from skdigits.datasets import fetch_mnist

    X = np.load(folder / f"X_{n_rows}.npy", mmap_mode="r")
    y = np.load(folder / f"y_{n_rows}.npy")
    model = DigitANNClassifier(epochs=passes, **PARAMS)
    if way == "fit":
        model.fit(X, y)
    else:
        model.set_params(learning_rate=0.0005, weight_averaging=True)
        for first in [*range(0, n_rows, PARTIAL_FIT_CHUNK)] * passes:
            chunk = slice(first, first + PARTIAL_FIT_CHUNK)
            model.partial_fit(X[chunk], y[chunk], classes=np.arange(10))
    seconds = time.perf_counter() - start
    done.set()
    X_test, y_test = fetch_mnist(subset="test", return_X_y=True)
    return {
        "seconds": round(seconds, 1),
        "own_memory_MB": round(peak[0] / 1e6),
        "test_accuracy": model.score(X_test, y_test.astype(np.uint8)),
    }


@contextmanager
def memory_group(limit: int):
    """A control group that may use so many bytes, None where none can be made."""
    root = next((g for g in GROUPS if (g / "cgroup.procs").exists()), None)
    group = root / f"skdigits_{os.getpid()}" if root else None
    try:
        if group is not None:
            group.mkdir()
            old = group / "memory.limit_in_bytes"
            (old if old.exists() else group / "memory.max").write_text(str(limit))
    except OSError:
        group = None
    yield group
    if group is not None:
        group.rmdir()


def limited(arguments: argparse.Namespace, way: str, group: Path | None) -> dict[str, float]:
    """Train in a process of its own within the group."""
    # Pages that are in memory already would not be counted.
    with (arguments.folder / f"X_{arguments.rows}.npy").open("rb") as file:
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)

    def enter() -> None:
        if group is not None:
            (group / "cgroup.procs").write_text(str(os.getpid()))

    command = [sys.executable, __file__, "--train", way, "--folder", str(arguments.folder)]
    command += ["--rows", str(arguments.rows), "--passes", str(arguments.passes)]
    done = subprocess.run(command, preexec_fn=enter, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"Training by {way} ended with {done.returncode}.")
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--rows", type=int, default=2_000_000)
    parser.add_argument("--deformed", type=int, default=2_000_000, help="further rows repeat these")
    parser.add_argument("--passes", type=int, default=2)
    parser.add_argument("--limit", type=float, default=1.2e9, help="bytes")
    parser.add_argument("--way", choices=["fit", "partial_fit", "both"], default="both")
    parser.add_argument("--only-data", action="store_true")
    parser.add_argument("--train", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.train:
        figures = train(arguments.folder, arguments.rows, arguments.train, arguments.passes)
        print(json.dumps(figures))
        return
    arguments.folder.mkdir(parents=True, exist_ok=True)
    path = write_rows(arguments.folder, arguments.rows, arguments.deformed)
    if not arguments.only_data:
        compare(arguments, path)


def compare(arguments: argparse.Namespace, path: Path) -> None:
    from _results import Results, versions

    results = Results("larger_than_memory.json")
    print(", ".join(f"{name} {value}" for name, value in versions().items()))
    print(
        f"{arguments.rows:,} rows, {min(arguments.rows, arguments.deformed):,} of them different, "
        f"in a file of {path.stat().st_size / 1e9:.2f} GB"
    )
    ways = ["fit", "partial_fit"] if arguments.way == "both" else [arguments.way]
    for way in ways:
        with memory_group(int(arguments.limit)) as group:
            figures = limited(arguments, way, group)
        limit = f"{arguments.limit / 1e9:.2f} GB" if group else "none, only measured"
        print(
            f"{way:12} {arguments.passes} passes in {figures['seconds']:7.1f} s, own memory at most"
            f" {figures['own_memory_MB']} MB (limit {limit}), "
            f"{100 * figures['test_accuracy']:.2f} % of the test images right",
            flush=True,
        )
        settings = {"way": way, "rows": arguments.rows, "passes": arguments.passes}
        results.replace(settings, versions() | figures | {"limit": limit})


if __name__ == "__main__":
    main()
