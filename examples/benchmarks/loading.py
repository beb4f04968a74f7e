"""Time and memory of a new process that loads a fitted pipeline and predicts one row.

    python examples/benchmarks/loading.py           20 rounds
    python examples/benchmarks/loading.py 5         5 rounds

Compares `skdigits.load` with `joblib.load` of a pipeline with scikit-learn's MLPClassifier, in
turn, and prints a table with medians of all rounds and of the ratios within each round.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from multiprocessing import get_context
from pathlib import Path
from statistics import median

PREDICT = ".predict(np.zeros((1, 784), np.uint8))"
PROGRAMS = {
    "joblib.load, MLPClassifier": f"import joblib; joblib.load('mlp'){PREDICT}",
    "skdigits.load": f"import skdigits; skdigits.load('skdigits'){PREDICT}",
    "joblib.load, DigitANNClassifier": f"import joblib; joblib.load('joblib'){PREDICT}",
    "skdigits.load_pretrained": f"import skdigits; skdigits.load_pretrained(){PREDICT}",
}
# CPU time, and the largest resident memory of the process, which Linux counts in kilobytes.
FIGURES = (
    "; import resource, time; "
    "print(time.process_time(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)"
)


def write_models(folder: Path) -> None:
    """Write equal networks, fitted by skdigits and by scikit-learn."""
    import joblib
    from sklearn.neural_network import MLPClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import MinMaxScaler

    import skdigits
    from skdigits.datasets import load_mnist_sample

    X, y = load_mnist_sample(subset="test", return_X_y=True)
    ann = skdigits.DigitANNClassifier((128, 64), epochs=2, random_state=0)
    own = make_pipeline(skdigits.PixelScaler(), ann).fit(X, y)
    mlp = MLPClassifier((128, 64), early_stopping=True, random_state=0)
    joblib.dump(make_pipeline(MinMaxScaler(), mlp).fit(X, y), folder / "mlp")
    joblib.dump(own, folder / "joblib")
    skdigits.save(own, folder / "skdigits")


def main(n_rounds: int) -> None:
    rounds: list[dict[str, tuple[float, float, float]]] = []
    with tempfile.TemporaryDirectory() as folder:
        # A process starts with the largest memory of its parent, which therefore fits nothing.
        writer = get_context("spawn").Process(target=write_models, args=(Path(folder),))
        writer.start()
        writer.join()
        for _ in range(n_rounds + 1):
            rounds.append({})
            for name, program in PROGRAMS.items():
                command = [sys.executable, "-c", f"import numpy as np; {program}{FIGURES}"]
                start = time.perf_counter()
                done = subprocess.run(command, cwd=folder, stdout=subprocess.PIPE, check=True)
                seconds = time.perf_counter() - start
                cpu, memory = map(float, done.stdout.split())
                rounds[-1][name] = seconds, cpu, memory
    # The first round reads the modules from the disk.
    del rounds[0]
    columns = ("seconds", "ratio", "CPU s", "ratio", "MB")
    print(f"{'new process that predicts one row':34}{''.join(f'{c:>9}' for c in columns)}")
    first = next(iter(PROGRAMS))
    for name in PROGRAMS:
        seconds, cpu, memory = (median(r[name][i] for r in rounds) for i in range(3))
        ratios = [median(r[name][i] / r[first][i] for r in rounds) for i in range(2)]
        figures = (seconds, ratios[0], cpu, ratios[1])
        print(f"{name:34}{''.join(f'{f:9.2f}' for f in figures)}{memory:9.0f}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 20)
