"""What fine-tuning of the packaged network brings on people's own digits.

    python examples/benchmarks/fine_tuning.py FOLDER [FOLDER ...] --rows 20 50 100

Each FOLDER has one folder per label. The given numbers of its pictures, or half of them with --rows
half, are used for fine-tuning and the others for testing, in five random splits. The table has the
mean errors on the test rows before and after, and how much the accuracy on the test part of the
embedded MNIST sample changes. A picture that cannot be read counts as an error before and after.
"""

from __future__ import annotations

import argparse
import time
import warnings
from pathlib import Path

import numpy as np
from _results import print_table

from skdigits import fine_tune, load_pretrained
from skdigits.datasets import load_digit_folder, load_mnist_sample


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folders", nargs="+", type=Path, metavar="FOLDER")
    parser.add_argument("--rows", nargs="+", default=["20", "50", "100"])
    parser.add_argument("--splits", type=int, default=5)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    X_mnist, y_mnist = load_mnist_sample(subset="test", return_X_y=True)
    model = load_pretrained()
    table = []
    for folder in arguments.folders:
        data = load_digit_folder(folder)
        X, y, unread = data.data, data.target.astype(str), len(data.unreadable)
        for asked in arguments.rows:
            n_rows = len(y) // 2 if asked == "half" else int(asked)
            figures = []
            for split in range(arguments.splits):
                order = np.random.default_rng(split).permutation(len(y))
                own, others = order[:n_rows], order[n_rows:]
                start = time.perf_counter()
                tuned = fine_tune(model, X[own], y[own], random_state=split)
                seconds = time.perf_counter() - start
                before, after = (
                    int((each.predict(X[others]) != y[others]).sum()) + unread
                    for each in (model, tuned)
                )
                figures.append((before, after, 100 * tuned.score(X_mnist, y_mnist), seconds))
            before, after, accuracy, seconds = np.mean(figures, axis=0)
            lost = accuracy - 100 * model.score(X_mnist, y_mnist)
            name, n_test = folder.name, len(y) - n_rows + unread
            table.append([name, f"{n_rows}", f"{n_test}", f"{before:.1f}", f"{after:.1f}"])
            table[-1] += [f"{lost:+.2f}", f"{seconds:.0f}"]
    header = ["folder", "rows", "test rows", "errors before", "after", "MNIST sample, points", "s"]
    print_table(header, table)


if __name__ == "__main__":
    main()
