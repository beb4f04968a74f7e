"""Time and memory of a new process that loads a fitted pipeline and predicts one row.

    python examples/benchmarks/loading.py           20 rounds
    python examples/benchmarks/loading.py 5         5 rounds

Compares `skdigits.load` with `joblib.load` of a pipeline with scikit-learn's MLPClassifier, in
turn, and prints a table with medians and the median of the ratios of each round.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

PREDICT = ".predict(np.zeros((1, 784), np.uint8))"
PROGRAMS = {
    "joblib.load, MLPClassifier": f"import joblib; joblib.load('mlp'){PREDICT}",
    "skdigits.load": f"import skdigits; skdigits.load('skdigits'){PREDICT}",
    "joblib.load, DigitANNClassifier": f"import joblib; joblib.load('joblib'){PREDICT}",
    "skdigits.load_pretrained": f"import skdigits; skdigits.load_pretrained(){PREDICT}",
}
# The largest resident memory of the process, which Linux counts in units of 1,024 bytes.
MEMORY = "; import resource; print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)"


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
    mlp = MLPClassifier((128, 64), early_stopping=True, max_iter=20, random_state=0)
    joblib.dump(make_pipeline(MinMaxScaler(), mlp).fit(X, y), folder / "mlp")
    joblib.dump(own, folder / "joblib")
    skdigits.save(own, folder / "skdigits")


def main(n_rounds: int) -> None:
    times: dict[str, list[float]] = {name: [] for name in PROGRAMS}
    memory: dict[str, list[float]] = {name: [] for name in PROGRAMS}
    with tempfile.TemporaryDirectory() as folder:
        write_models(Path(folder))
        for i in range(n_rounds + 1):
            for name, program in PROGRAMS.items():
                command = [sys.executable, "-c", f"import numpy as np; {program}{MEMORY}"]
                start = time.perf_counter()
                done = subprocess.run(command, cwd=folder, stdout=subprocess.PIPE, check=True)
                # The first round reads the modules from the disk.
                if i:
                    times[name].append(time.perf_counter() - start)
                    memory[name].append(float(done.stdout))
    first = next(iter(PROGRAMS))
    print(f"{'new process that predicts one row':34}{'seconds':>9}{'ratio':>7}{'MB':>6}")
    for name, seconds in times.items():
        ratio = median(a / b for a, b in zip(seconds, times[first], strict=True))
        print(f"{name:34}{median(seconds):9.2f}{ratio:7.2f}{median(memory[name]):6.0f}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 20)
