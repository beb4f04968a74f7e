"""How the cost of a fit grows with rows, width, batch size, candidates and workers.

    python examples/benchmarks/scaling.py                     all of it, resumed where it stopped
    python examples/benchmarks/scaling.py --most-rows 60000   no more rows than these
    python examples/benchmarks/scaling.py --draw              only the table and the picture

Prints a table with the exponents b of seconds ~ size ** b, by least squares of the logarithms,
writes scaling.json beside this script and draws docs/images/scaling.png. Needs the full MNIST. Up
to 60,000 its images are in memory and the seconds are those of one epoch of a second fit; beyond,
they are repeated in a memory-mapped file, and the seconds are those of a whole fit of one epoch.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import joblib
import numpy as np
from _results import Results, versions
from sklearn.model_selection import GridSearchCV

from skdigits import DigitANNClassifier
from skdigits.datasets import fetch_mnist

PICTURE = Path(__file__).parents[2] / "docs" / "images" / "scaling.png"

SERIES = {
    "rows": (1_000, 3_000, 10_000, 30_000, 60_000, 200_000, 600_000, 2_000_000),
    "width": (32, 64, 128, 256, 512, 1024),
    "batch size": (16, 32, 64, 128, 256, 512, 1024, 2048),
    "candidates, 1 worker": (1, 2, 4, 8, 16),
    "candidates, 2 workers": (1, 2, 4, 8, 16),
}
SETTINGS = {
    "rows": "one epoch, 784-128-64-10, batches of 128",
    "width": "one epoch of 10,000 rows, two hidden layers of this width, batches of 128",
    "batch size": "one epoch of 10,000 rows, 784-128-64-10",
    "candidates, 1 worker": "GridSearchCV, 2 folds of 2,000 rows, 5 epochs, one job of 1 thread",
    "candidates, 2 workers": "the same on two loky workers of 1 thread",
}
IN_MEMORY = 60_000


def fitted(X, y, epochs: int, **params) -> float:
    """Seconds of a fit."""
    sizes = params.pop("hidden_layer_sizes", (128, 64))
    model = DigitANNClassifier(sizes, epochs=epochs, random_state=0, **params)
    start = time.perf_counter()
    model.fit(X, y)
    return time.perf_counter() - start


def epoch(X, y, **params) -> float:
    """Median seconds of one epoch of three fits on a compiled program."""
    n_epochs = max(1, 30_000 // len(X))
    fitted(X, y, n_epochs, **params)
    return median(fitted(X, y, n_epochs, **params) for _ in range(3)) / n_epochs


def rows(n_rows: int, folder: Path) -> float:
    X, y = fetch_mnist(subset="train", return_X_y=True)
    if n_rows <= IN_MEMORY:
        return epoch(X[:n_rows], y[:n_rows])
    shape = (n_rows, X.shape[1])
    file = np.lib.format.open_memmap(folder / "X.npy", mode="w+", dtype=np.uint8, shape=shape)
    for start in range(0, n_rows, len(X)):
        file[start : start + len(X)] = X[: n_rows - start]
    file.flush()
    del file
    return fitted(np.load(folder / "X.npy", mmap_mode="r"), np.resize(y, n_rows), 1)


def width(units: int, folder: Path) -> float:
    X, y = fetch_mnist(subset="train", return_X_y=True)
    return epoch(X[:10_000], y[:10_000], hidden_layer_sizes=(units, units))


def batch_size(size: int, folder: Path) -> float:
    X, y = fetch_mnist(subset="train", return_X_y=True)
    return epoch(X[:10_000], y[:10_000], batch_size=size)


def search(candidates: int, n_jobs: int) -> float:
    """Seconds of a search whose workers are warm."""
    X, y = fetch_mnist(subset="train", return_X_y=True)
    model = DigitANNClassifier((128, 64), epochs=5, random_state=0)
    rates = np.geomspace(0.0005, 0.004, candidates)
    with joblib.parallel_config("loky", n_jobs=n_jobs, inner_max_num_threads=1):
        for _ in range(2):
            start = time.perf_counter()
            GridSearchCV(model, {"learning_rate": rates}, cv=2, refit=False).fit(X[:2000], y[:2000])
    return time.perf_counter() - start


def one_worker(candidates: int, folder: Path) -> float:
    """The whole search in one worker process, whose TensorFlow has one thread as well."""
    with joblib.parallel_config("loky", n_jobs=2, inner_max_num_threads=1):
        return joblib.Parallel()([joblib.delayed(search)(candidates, 1)])[0]


def two_workers(candidates: int, folder: Path) -> float:
    return search(candidates, 2)


MEASURES: dict[str, Callable[[int, Path], float]] = dict(
    zip(SERIES, (rows, width, batch_size, one_worker, two_workers), strict=True)
)


def measured(results: Results, series: str) -> tuple[np.ndarray, np.ndarray]:
    found = {row["size"]: row["seconds"] for row in results.rows if row["series"] == series}
    sizes = np.array(sorted(found))
    return sizes, np.array([found[size] for size in sizes])


def exponent(sizes: np.ndarray, seconds: np.ndarray) -> float:
    return float(np.polyfit(np.log(sizes), np.log(seconds), 1)[0])


def report(results: Results) -> None:
    print(", ".join(f"{name} {value}" for name, value in versions().items()))
    for series in SERIES:
        sizes, seconds = measured(results, series)
        if len(sizes) < 2:
            continue
        print(f"\n{series}: {SETTINGS[series]}")
        for size, taken in zip(sizes, seconds, strict=True):
            print(f"  {size:>9,}  {taken:9.4f} s")
        half = len(sizes) // 2
        print(f"  seconds ~ size ** {exponent(sizes, seconds):.2f}, "
              f"in the upper half ** {exponent(sizes[half:], seconds[half:]):.2f}")  # fmt: skip


def compact(size: int) -> str:
    if size >= 10**6:
        return f"{size / 10**6:g} M"
    return f"{size / 1000:g} k" if size % 1000 == 0 else str(size)


def draw(results: Results) -> None:
    """Log-log picture of all series; each has a colour and a marker of its own."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    from matplotlib import ticker

    figure, axes = plt.subplots(2, 2, figsize=(9, 6.5), layout="constrained")
    # Okabe and Ito's colours, which colour-blind people tell apart.
    styles = {"candidates, 2 workers": ("#D55E00", "s", "--")}
    panels = dict(zip(SERIES, [*axes.flat, axes.flat[3]], strict=True))
    for series, ax in panels.items():
        sizes, seconds = measured(results, series)
        if len(sizes) < 2:
            continue
        color, marker, line = styles.get(series, ("#0072B2", "o", "-"))
        power = f"$\\propto$ size$^{{{exponent(sizes, seconds):.2f}}}$"
        label = f"{series.partition(', ')[2]} {power}".strip()
        ax.loglog(sizes, seconds, color=color, marker=marker, linestyle=line, label=label)
        ax.set_xticks(sizes, [compact(size) for size in sizes])
        ax.yaxis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5)))
        ax.yaxis.set_major_formatter(ticker.StrMethodFormatter("{x:g}"))
        ax.xaxis.set_minor_locator(ticker.NullLocator())
        ax.yaxis.set_minor_locator(ticker.NullLocator())
        ax.tick_params(axis="x", labelsize=8)
        ax.set_xlabel(series.partition(",")[0])
        ax.set_ylabel("seconds of the search" if "candidates" in series else "seconds per epoch")
        ax.grid(which="major", color="0.88")
        ax.spines[["top", "right"]].set_visible(False)
        ax.legend(frameon=False)
    figure.savefig(PICTURE, dpi=120)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--most-rows", type=int, default=max(SERIES["rows"]))
    parser.add_argument("--draw", action="store_true")
    arguments = parser.parse_args()
    results = Results("scaling.json")
    for series, sizes in {} if arguments.draw else SERIES.items():
        for size in sizes:
            settings = {"series": series, "size": size}
            if results.has(settings) or (series == "rows" and size > arguments.most_rows):
                continue
            with tempfile.TemporaryDirectory() as folder:
                seconds = MEASURES[series](size, Path(folder))
            results.add(settings, {"seconds": round(seconds, 5), "date": versions()["date"]})
    report(results)
    draw(results)


if __name__ == "__main__":
    main()
