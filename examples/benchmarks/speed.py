"""skdigits against its peers, measured in turn in the same run.

    python examples/benchmarks/speed.py                   every benchmark
    python examples/benchmarks/speed.py epoch one_row     some of them
    python examples/benchmarks/speed.py --list            their names

Prints a table of medians and ratios, and writes speed.json beside this script. The full MNIST is
needed (fetched once by fetch_mnist). Read the ratios: seconds depend on the machine.
"""

from __future__ import annotations

import argparse
import gc
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from statistics import median

import numpy as np
from _results import Results, print_table, versions

Timings = dict[str, list[float]]
Ratio = tuple[str, str]  # ours, peer

BENCHMARKS: dict[str, tuple[Callable[[int], Timings], list[Ratio]]] = {}


def benchmark(*ratios: Ratio) -> Callable:
    """Register a function that times ours and peers, and the ratios of medians to report."""

    def register(function: Callable[[int], Timings]) -> Callable[[int], Timings]:
        BENCHMARKS[function.__name__] = function, list(ratios)
        return function

    return register


def seconds(action: Callable[[], object]) -> float:
    gc.collect()
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def in_turn(repeats: int, actions: dict[str, Callable[[], object]]) -> Timings:
    """Time all actions once per round, so that a busy moment hits them alike."""
    timings: Timings = {name: [] for name in actions}
    for _ in range(repeats):
        for name, action in actions.items():
            timings[name].append(seconds(action))
    return timings


def mnist(subset: str = "train"):
    from skdigits import PixelScaler
    from skdigits.datasets import fetch_mnist

    X, y = fetch_mnist(subset=subset, return_X_y=True)
    return PixelScaler().fit_transform(X), y.astype(int)


def small_digits():
    from sklearn.datasets import load_digits

    X, y = load_digits(return_X_y=True)
    return (X / 16).astype(np.float32), y


def ours(sizes, **params):
    from skdigits import DigitANNClassifier

    fixed = {"learning_rate": 0.001, "learning_rate_schedule": "constant", "random_state": 0}
    # As the peers train.
    fixed["label_smoothing"] = 0.0
    return DigitANNClassifier(sizes, **fixed | params)


def mlp(sizes, epochs, batch_size):
    from sklearn.neural_network import MLPClassifier

    return MLPClassifier(
        sizes, max_iter=epochs, batch_size=batch_size, tol=0, n_iter_no_change=10**6, random_state=0
    )


def keras_model(sizes, n_features, dropout=0.0):
    import keras

    layers = [keras.Input((n_features,))]
    for width in sizes:
        layers.append(keras.layers.Dense(width, activation="relu"))
        if dropout:
            layers.append(keras.layers.Dropout(dropout))
    model = keras.Sequential([*layers, keras.layers.Dense(10, activation="softmax")])
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def scikeras(sizes, n_features, epochs, batch_size, dropout=0.0):
    from scikeras.wrappers import KerasClassifier

    return KerasClassifier(
        lambda: keras_model(sizes, n_features, dropout),
        epochs=epochs,
        batch_size=batch_size,
        verbose=0,
    )


def keras_wrapper(sizes, n_features, epochs, batch_size):
    from keras.wrappers import SKLearnClassifier

    def build(X, y):
        import keras

        model = keras_model(sizes, n_features)
        model.compile("adam", keras.losses.CategoricalCrossentropy())
        return model

    return SKLearnClassifier(
        build, fit_kwargs={"epochs": epochs, "batch_size": batch_size, "verbose": 0}
    )


def products(sizes, batch_size, n_rows, n_features=784) -> None:
    """The matrix products of one epoch alone, forward and backward: the floor."""
    widths = (n_features, *sizes, 10)
    rng = np.random.default_rng(0)
    rows = [rng.random((batch_size, width), dtype=np.float32) for width in widths]
    kernels = [rng.random(s, dtype=np.float32) for s in pairwise(widths)]
    for _ in range(-(-n_rows // batch_size)):
        for i, kernel in enumerate(kernels):
            rows[i] @ kernel
        for i, kernel in reversed(list(enumerate(kernels))):
            rows[i].T @ rows[i + 1]
            if i:
                rows[i + 1] @ kernel.T


def epochs_alone(fit: Callable[[int], object], few: int, many: int) -> float:
    """Seconds of one epoch, what every fit costs taken out."""
    return (seconds(lambda: fit(many)) - seconds(lambda: fit(few))) / (many - few)


@benchmark(
    ("skdigits", "MLPClassifier"),
    ("skdigits", "Keras fit"),
    ("skdigits", "matrix products"),
)
def epoch(repeats: int) -> Timings:
    """One epoch of 784-128-64-10, batch 128, 60,000 float32 rows, after the first."""
    X, y = mnist()
    sizes = (128, 64)
    model = keras_model(sizes, 784)
    model.fit(X, y, batch_size=128, epochs=1, verbose=0)
    wrapped = scikeras(sizes, 784, 1, 128).fit(X[:1000], y[:1000])
    ours(sizes, epochs=1).fit(X, y)
    timings: Timings = {}
    for _ in range(repeats):
        for name, value in {
            "skdigits": epochs_alone(lambda n: ours(sizes, epochs=n).fit(X, y), 1, 6),
            "MLPClassifier": epochs_alone(lambda n: mlp(sizes, n, 128).fit(X, y), 1, 3),
            "Keras fit": seconds(lambda: model.fit(X, y, batch_size=128, epochs=2, verbose=0)) / 2,
            "SciKeras": seconds(lambda: wrapped.partial_fit(X, y)),
            "matrix products": seconds(lambda: products(sizes, 128, 60_000)),
        }.items():
            timings.setdefault(name, []).append(value)
    return timings


@benchmark(("skdigits", "Keras fit"), ("skdigits", "matrix products"))
def wide_epoch(repeats: int) -> Timings:
    """One epoch of 784-512-512-10 with dropout 0.2, batch 256, 60,000 rows, after the first."""
    X, y = mnist()
    sizes, params = (512, 512), {"dropout": 0.2, "batch_size": 256}
    model = keras_model(sizes, 784, dropout=0.2)
    model.fit(X, y, batch_size=256, epochs=1, verbose=0)
    ours(sizes, epochs=1, **params).fit(X, y)
    timings: Timings = {}
    for _ in range(repeats):
        for name, value in {
            "skdigits": epochs_alone(lambda n: ours(sizes, epochs=n, **params).fit(X, y), 1, 3),
            "Keras fit": seconds(lambda: model.fit(X, y, batch_size=256, verbose=0)),
            "matrix products": seconds(lambda: products(sizes, 256, 60_000)),
        }.items():
            timings.setdefault(name, []).append(value)
    return timings


SMALL = {"epochs": 10, "batch_size": 32}


@benchmark(
    ("skdigits", "MLPClassifier"),
    ("skdigits", "SciKeras"),
    ("skdigits, dropout 0.2", "skdigits"),
    ("skdigits, dropout 0.2", "SciKeras, dropout 0.2"),
)
def small_fit(repeats: int) -> Timings:
    """Fit of 1,200 rows of load_digits, 64-128-64-10, 10 epochs, batch 32; second and later."""
    X, y = small_digits()
    X, y = X[:1200], y[:1200]
    sizes = (128, 64)
    actions = {
        "skdigits": lambda: ours(sizes, **SMALL).fit(X, y),
        "skdigits, dropout 0.2": lambda: ours(sizes, dropout=0.2, **SMALL).fit(X, y),
        "MLPClassifier": lambda: mlp(sizes, 10, 32).fit(X, y),
        "SciKeras": lambda: scikeras(sizes, 64, 10, 32).fit(X, y),
        "SciKeras, dropout 0.2": lambda: scikeras(sizes, 64, 10, 32, 0.2).fit(X, y),
        "keras.wrappers": lambda: keras_wrapper(sizes, 64, 10, 32).fit(X, y),
    }
    in_turn(1, actions)
    return in_turn(max(repeats, 5), actions)


@benchmark(
    ("skdigits, first", "MLPClassifier"),
    ("skdigits, second", "MLPClassifier"),
)
def search(repeats: int) -> Timings:
    """GridSearchCV, 12 candidates × 5 folds on load_digits, 10 epochs, batch 32, one process."""
    code = """
import tensorflow
from sklearn.model_selection import GridSearchCV
X, y = small_digits()
sizes = [(64,), (128, 64), (256, 128)]
rates = [0.0003, 0.001, 0.003, 0.01]
for name, model, rate in [
    ("skdigits, first", ours((64,), **SMALL), "learning_rate"),
    ("MLPClassifier", mlp((64,), 10, 32), "learning_rate_init"),
    ("skdigits, second", ours((64,), **SMALL), "learning_rate"),
]:
    start = time.perf_counter()
    grid = {"hidden_layer_sizes": sizes, rate: rates}
    GridSearchCV(model, grid, cv=5, refit=False).fit(X, y)
    print(name, time.perf_counter() - start, sep="|")
"""
    timings: Timings = {}
    for _ in range(repeats):
        for line in run(HEAD + code).splitlines():
            name, value = line.split("|")
            timings.setdefault(name, []).append(float(value))
    return timings


HEAD = f"""
import sys, time, warnings
warnings.simplefilter("ignore")
sys.path.insert(0, {str(Path(__file__).parent)!r})
from speed import *
"""


def run(code: str) -> str:
    """Run code in a new process; what it prints."""
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(done.stderr[-2000:])
    return done.stdout


@benchmark(
    ("skdigits", "SciKeras"),
    ("skdigits", "Keras fit"),
    ("skdigits", "imports of TensorFlow and Keras + MLPClassifier"),
)
def cold_fit(repeats: int) -> Timings:
    """A new process that imports, loads MNIST and fits 10 epochs of 784-128-64-10, batch 128."""
    head = f"{HEAD}X, y = mnist()\n"
    sizes = "(128, 64)"
    codes = {
        "skdigits": f"{head}ours({sizes}, epochs=10).fit(X, y)",
        "SciKeras": f"{head}scikeras({sizes}, 784, 10, 128).fit(X, y)",
        "Keras fit": (
            f"{head}keras_model({sizes}, 784).fit(X, y, batch_size=128, epochs=10, verbose=0)"
        ),
        "MLPClassifier": f"{head}mlp({sizes}, 10, 128).fit(X, y)",
        "imports of TensorFlow and Keras": "import tensorflow, keras",
    }
    timings = in_turn(repeats, {name: lambda code=code: run(code) for name, code in codes.items()})
    timings["imports of TensorFlow and Keras + MLPClassifier"] = [
        a + b
        for a, b in zip(
            timings["imports of TensorFlow and Keras"], timings["MLPClassifier"], strict=True
        )
    ]
    return timings


@benchmark(("skdigits", "MLPClassifier"), ("skdigits", "SciKeras"))
def one_row(repeats: int) -> Timings:
    """predict_proba of one row of 784 float32 pixels, 784-128-64-10."""
    X, y = mnist("test")
    row = X[:1]
    models = {
        "skdigits": (ours((128, 64), epochs=1).fit(X, y), 2000),
        "MLPClassifier": (mlp((128, 64), 1, 128).fit(X, y), 2000),
        "SciKeras": (scikeras((128, 64), 784, 1, 128).fit(X, y), 20),
    }

    def many(model, times):
        model.predict_proba(row)
        return seconds(lambda: [model.predict_proba(row) for _ in range(times)]) / times

    timings: Timings = {name: [] for name in models}
    for _ in range(repeats):
        for name, (model, times) in models.items():
            timings[name].append(many(model, times))
    return timings


@benchmark(("skdigits", "MLPClassifier"), ("skdigits", "matrix products"))
def many_rows(repeats: int) -> Timings:
    """predict_proba of 10,000 rows of 784 float32 pixels, 784-128-64-10."""
    X, y = mnist("test")
    own, peer = ours((128, 64), epochs=1).fit(X, y), mlp((128, 64), 1, 128).fit(X, y)
    other = scikeras((128, 64), 784, 1, 128).fit(X, y)
    kernels = own.coefs_

    def only_products() -> None:
        h = X
        for kernel in kernels:
            h = h @ kernel

    actions = {
        "skdigits": lambda: own.predict_proba(X),
        "MLPClassifier": lambda: peer.predict_proba(X),
        "SciKeras": lambda: other.predict_proba(X),
        "matrix products": only_products,
    }
    in_turn(2, actions)
    return in_turn(5 * repeats, actions)


def saved_pipelines(folder: Path) -> None:
    """Fitted pipelines of skdigits and of scikit-learn, saved by joblib."""
    import joblib
    from sklearn.pipeline import make_pipeline

    import skdigits
    from skdigits.datasets import load_mnist_sample

    X, y = load_mnist_sample(subset="test", return_X_y=True)
    own = make_pipeline(skdigits.PixelScaler(), ours((128, 64), epochs=1)).fit(X, y)
    from sklearn.preprocessing import MinMaxScaler

    peer = make_pipeline(MinMaxScaler(), mlp((128, 64), 1, 128)).fit(X, y)
    joblib.dump(own, folder / "own.joblib")
    joblib.dump(peer, folder / "peer.joblib")


@benchmark(("skdigits", "MLPClassifier"))
def start_joblib(repeats: int) -> Timings:
    """A new process: joblib.load a pipeline, predict one image, exit."""
    with tempfile.TemporaryDirectory() as folder:
        saved_pipelines(Path(folder))
        code = "import joblib, numpy as np\njoblib.load({!r}).predict(np.zeros((1, 784), np.uint8))"
        codes = {
            "skdigits": code.format(f"{folder}/own.joblib"),
            "MLPClassifier": code.format(f"{folder}/peer.joblib"),
        }
        actions = {name: lambda code=code: run(code) for name, code in codes.items()}
        in_turn(1, actions)
        return in_turn(max(repeats, 7), actions)


@benchmark(("last 50 rounds", "rounds 50 to 100"))
def rounds(repeats: int) -> Timings:
    """300 rounds of clone, fit, predict with 6 architectures in turn; prints memory's growth."""
    import psutil
    from sklearn.base import clone

    X, y = small_digits()
    widths = [(32,), (64,), (128,), (32, 16), (64, 32), (128, 64)]
    models = [ours(sizes, epochs=3, batch_size=32) for sizes in widths]
    process, times, memory = psutil.Process(), [], []
    for i in range(300):
        times.append(seconds(lambda i=i: clone(models[i % 6]).fit(X, y).predict(X)))
        memory.append(process.memory_info().rss / 2**20)
    print(
        f"memory after round 50: {memory[49]:.0f} MB, after 300: {memory[-1]:.0f} MB, "
        f"grown by {memory[-1] - memory[49]:.1f} MB"
    )
    return {"rounds 50 to 100": times[50:100], "last 50 rounds": times[250:]}


@benchmark(("n_jobs=2", "n_jobs=1"))
def parallel_search(repeats: int) -> Timings:
    """GridSearchCV on 20,000 MNIST rows, 784-128-64-10, n_jobs=2 against 1, in new processes."""
    code = """
from sklearn.model_selection import GridSearchCV
X, y = mnist()
X, y = X[:20000], y[:20000]
grid = {"learning_rate": [0.0003, 0.001, 0.003], "dropout": [0.0, 0.2], "l2": [0.0, 1e-5, 1e-4]}
start = time.perf_counter()
GridSearchCV(ours((128, 64), epochs=65), grid, cv=3, n_jobs=JOBS).fit(X, y)
print(time.perf_counter() - start)
"""
    timings: Timings = {"n_jobs=1": [], "n_jobs=2": []}
    for _ in range(repeats):
        for n_jobs in (1, 2):
            taken = float(run(HEAD + code.replace("JOBS", str(n_jobs))))
            timings[f"n_jobs={n_jobs}"].append(taken)
            print(f"n_jobs={n_jobs}: {taken:.1f} s", flush=True)
    return timings


@benchmark()
def memory(repeats: int) -> Timings:
    """Peak memory of a fit of 60,000 × 784 uint8 through Pipeline(PixelScaler, …), in GB."""
    code = """
from sklearn.pipeline import make_pipeline
from skdigits import PixelScaler
from skdigits.datasets import fetch_mnist
import threading
import psutil
X, y = fetch_mnist(subset="train", return_X_y=True)
ours((8,), epochs=1).fit(np.zeros((200, 4), np.float32), np.arange(200) % 2)
process, peak, done = psutil.Process(), [0], threading.Event()
before = process.memory_info().rss
def watch():
    while not done.wait(0.002):
        peak[0] = max(peak[0], process.memory_info().rss)
watcher = threading.Thread(target=watch); watcher.start()
make_pipeline(PixelScaler(), ours((128, 64), epochs=3)).fit(X, y)
done.set(); watcher.join()
print((peak[0] - before) / 1e9)
"""
    values = [float(run(HEAD + code)) for _ in range(repeats)]
    print(f"peak above the imported process: {median(values):.2f} GB")
    return {"peak in GB": values}


@benchmark()
def same_accuracy(repeats: int) -> Timings:
    """Accuracy on MNIST's test set after 5 epochs of 784-128-64-10, ours and Keras fit, 5 seeds."""
    import keras

    (X, y), (X_test, y_test) = mnist(), mnist("test")
    scores: dict[str, list[float]] = {"skdigits": [], "Keras fit": []}
    for seed in range(5):
        model = ours((128, 64), epochs=5, random_state=seed).fit(X, y)
        scores["skdigits"].append(model.score(X_test, y_test))
        keras.utils.set_random_seed(seed)
        peer = keras_model((128, 64), 784)
        peer.fit(X, y, batch_size=128, epochs=5, verbose=0)
        found = peer.predict(X_test, verbose=0).argmax(axis=1)
        scores["Keras fit"].append(float((found == y_test).mean()))
    for name, values in scores.items():
        print(f"{name}: {100 * np.mean(values):.2f} ± {100 * np.std(values, ddof=1):.2f} %")
    return scores


def report(name: str, timings: Timings, ratios: list[Ratio]) -> list[str]:
    lines = [f"\n{name}: {BENCHMARKS[name][0].__doc__.strip()}"]
    for label, values in timings.items():
        spread = f"{min(values):.4g} to {max(values):.4g}"
        lines.append(f"  {label:48} median {median(values):9.4g}  ({spread}, {len(values)} runs)")
    for own, peer in ratios:
        lines.append(f"  {own} / {peer}: {median(timings[own]) / median(timings[peer]):.3f}")
    return lines


def table(results: Results) -> None:
    """Ratios of medians of all stored benchmarks."""
    stored = {row["benchmark"]: row["timings"] for row in results.rows}
    rows = []
    for name, (function, ratios) in BENCHMARKS.items():
        for own, peer in ratios if name in stored else ():
            ours, peers = median(stored[name][own]), median(stored[name][peer])
            what = function.__doc__.strip().rstrip(".")
            rows.append([what, own, peer, f"{ours / peers:.2f}", f"{ours:.3g}", f"{peers:.3g}"])
    header = ["what is timed", "this", "against", "ratio", "this, in s", "against, in s"]
    print_table(header, rows, "speed")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", choices=[*BENCHMARKS, []], default=[], metavar="NAME")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--table", action="store_true", help="only print the stored ratios")
    arguments = parser.parse_args()
    if arguments.table:
        return table(Results("speed.json"))
    if arguments.list:
        print("\n".join(f"{n:16} {f.__doc__.strip()}" for n, (f, _) in BENCHMARKS.items()))
        return
    warnings.simplefilter("ignore")
    results = Results("speed.json")
    print(", ".join(f"{name} {value}" for name, value in versions().items()))
    for name in arguments.names or BENCHMARKS:
        function, ratios = BENCHMARKS[name]
        timings = function(arguments.repeats)
        print("\n".join(report(name, timings, ratios)), flush=True)
        results.replace({"benchmark": name}, versions() | {"timings": timings})
    print()
    table(results)


if __name__ == "__main__":
    main()
