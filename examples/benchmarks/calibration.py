"""Whether networks without validation rows know how sure they may be.

    python examples/benchmarks/calibration.py

Each network is trained on MNIST's training set without 10,000 rows, or on some of it, and asked
for these 10,000, never for the test set. Printed are their accuracy, the temperature that fit has
chosen without seeing them, the one with the least cross-entropy on them, and the expected
calibration error (15 bins) with a temperature of 1, with the chosen one and with the best one.
A few minutes on two cores.
"""

from __future__ import annotations

import warnings
from typing import Any

from _results import print_table
from choose_recipes import HALF, best_factor, validation_split
from scipy.special import softmax

from skdigits import DigitANNClassifier, make_reference_classifier
from skdigits._temperature import expected_calibration_error
from skdigits.presets import REFERENCES

SMALL: dict[str, Any] = {"hidden_layer_sizes": (128, 64), "epochs": 20}
PLAIN = SMALL | {"label_smoothing": 0.0}
NETWORKS: dict[str, DigitANNClassifier] = {
    **{
        name: make_reference_classifier(name)
        for name, preset in REFERENCES.items()
        if not preset.params.get("early_stopping")
    },
    **{
        f"basic-one-hot, epochs={epochs}": make_reference_classifier("basic-one-hot", epochs=epochs)
        for epochs in (1, 3, 40)
    },
    "512-256, label_smoothing=0": DigitANNClassifier(label_smoothing=0.0),
    "128-64, SGD": DigitANNClassifier(**PLAIN, optimizer="sgd", learning_rate=0.1),
    "128-64, dropout=0.2": DigitANNClassifier(**PLAIN, dropout=0.2),
    "128-64, l2=0.0001": DigitANNClassifier(**PLAIN, l2=1e-4),
    "128-64, weight decay 0.05": DigitANNClassifier(
        **PLAIN, optimizer="adamw", optimizer_params={"weight_decay": 0.05}
    ),
    "128-64, gently deformed": DigitANNClassifier(**PLAIN, augmentation=HALF),
    "128-64, label_smoothing=0.01": DigitANNClassifier(**SMALL, label_smoothing=0.01),
    "128-64, label_smoothing=0.05": DigitANNClassifier(**SMALL),
}
# Rows to train on, of the first of the networks.
FEWER = (2_000, 10_000)


def main() -> None:
    warnings.simplefilter("ignore")
    X, X_val, y, y_val = validation_split("mnist_784")
    first = next(iter(NETWORKS))
    trained = [(name, model, len(X)) for name, model in NETWORKS.items()]
    trained += [(f"{first}, {rows:,} rows", NETWORKS[first], rows) for rows in FEWER]
    rows = []
    for name, model, n_rows in trained:
        model.set_params(random_state=0).fit(X[:n_rows], y[:n_rows])
        logits = model.decision_function(X_val) * model.temperature_
        best = 1 / best_factor(logits, y_val)[0]
        predicted = model.predict(X_val)
        eces = [
            100 * expected_calibration_error(y_val, predicted, softmax(logits / t, axis=1))
            for t in (1.0, model.temperature_, best)
        ]
        figures = [100 * (predicted == y_val).mean(), model.temperature_, best, *eces]
        rows.append([name, *(f"{figure:.2f}" for figure in figures)])
    header = ["network", "validation accuracy in %", "fitted temperature", "best temperature"]
    header += ["ECE in % at 1", "at the fitted one", "at the best"]
    print_table(header, rows, "calibration")


if __name__ == "__main__":
    main()
