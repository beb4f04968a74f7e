"""What input_blur brings to a small and a large network: validation errors.

    python examples/benchmarks/blur.py
    python examples/benchmarks/blur.py --epochs 20 100      long trainings too

The preset "fast" and, for each number of epochs, the preset "accurate" are trained on 50,000 rows
of MNIST's training set; the other 10,000 are predicted with one blur after the other.
"""

from __future__ import annotations

import argparse
import warnings

from _results import print_table
from choose_recipes import best_factor, validation_split

from skdigits import make_reference_classifier

SHARES = (0.0, 0.04, 1 / 12, 0.125, 1 / 6, 0.2)


def main() -> None:
    warnings.simplefilter("ignore")
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, nargs="*", default=[20])
    epochs = parser.parse_args().epochs
    models = {"preset fast": make_reference_classifier("fast", random_state=0)}
    for n in epochs:
        name = f"preset accurate, {n} epochs"
        models[name] = make_reference_classifier("accurate", epochs=n, random_state=0)
    X_train, X_val, y_train, y_val = validation_split("mnist_784")
    rows = []
    for name, model in models.items():
        model.fit(X_train, y_train)
        cells = []
        for share in SHARES:
            model.set_params(input_blur=share)
            wrong = int((model.predict(X_val) != y_val).sum())
            _, loss = best_factor(model.decision_function(X_val), y_val)
            cells.append(f"{wrong} ({loss:.4f})")
        rows.append([name, *cells])
    print_table(["input_blur", *(f"{share:.3f}" for share in SHARES)], rows, "blur")


if __name__ == "__main__":
    main()
