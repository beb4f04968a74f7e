"""What upright digits bring: validation errors with and without DigitDeskewer.

    python examples/benchmarks/deskewed.py

The classifier as it comes and the preset "fast" are trained on 50,000 rows of MNIST's training
set, with several seeds, and predict the other 10,000. So does scikit-learn's LogisticRegression,
which knows nothing of images.
"""

from __future__ import annotations

import argparse
import warnings

import numpy as np
from _results import print_table
from choose_recipes import validation_split
from sklearn.linear_model import LogisticRegression

from skdigits import DigitANNClassifier, make_reference_classifier
from skdigits.preprocessing import DigitDeskewer


def main() -> None:
    warnings.simplefilter("ignore")
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=2)
    seeds = range(parser.parse_args().seeds)
    ways = {
        "LogisticRegression": [LogisticRegression(max_iter=50)],
        "DigitANNClassifier()": [DigitANNClassifier(random_state=seed) for seed in seeds],
        "preset fast": [make_reference_classifier("fast", random_state=seed) for seed in seeds],
    }
    X_train, X_val, y_train, y_val = validation_split("mnist_784")
    deskewer = DigitDeskewer().fit(X_train)
    upright, upright_val = deskewer.transform(X_train), deskewer.transform(X_val)
    rows = []
    for name, models in ways.items():
        cells = []
        for X, X_new in ((X_train, X_val), (upright, upright_val)):
            wrong = [int((model.fit(X, y_train).predict(X_new) != y_val).sum()) for model in models]
            spread = f" ± {np.std(wrong, ddof=1):.0f}" if len(wrong) > 1 else ""
            cells.append(f"{np.mean(wrong):.0f}{spread}")
        rows.append([name, *cells])
    header = [f"errors of {len(y_val):,}", "without deskewing", "with deskewing"]
    print_table(header, rows, "deskewed")


if __name__ == "__main__":
    main()
