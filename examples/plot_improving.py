"""
What improves a dense network?
==============================

The projects whose networks this package reproduces end with lists of what could be tried next:
dropout, deeper networks, other activations, batch normalisation, other optimizers, deformed digits.
Here each is tried by itself on one of their networks, several times over, to see what it brings.
"""

from pathlib import Path

from sklearn.datasets import get_data_home

from skdigits.datasets import fetch_mnist, load_mnist_sample

# Where fetch_mnist keeps the full MNIST after its first call.
if Path(get_data_home(), "skdigits", "mnist_784.npz").exists():
    X, y = fetch_mnist(subset="train", return_X_y=True)
    n_validation, epochs, seeds = 10_000, 20, range(3)
    print(f"Data: MNIST's training set, {len(X):,} digits")
else:
    X, y = load_mnist_sample(subset="train", return_X_y=True)
    n_validation, epochs, seeds = 1_000, 24, range(3)
    print(f"Data: the training part of the sample inside the package, {len(X):,} digits")
print(f"Each seed trains on {len(X) - n_validation:,} and validates on {n_validation:,} others.")

# %%
# The network of 128 and 64 units with the sources' training, and one change at a time. None of them
# was tuned, and the test set isn't touched: a choice between them has to be made without it.

from skdigits import make_reference_classifier

changes = {
    "nothing changed": {},
    "dropout 0.2": {"dropout": 0.2},
    "deeper: 128-128-64-64": {"hidden_layer_sizes": (128, 128, 64, 64)},
    "wider: 256-128": {"hidden_layer_sizes": (256, 128)},
    "tanh": {"activation": "tanh"},
    "GELU": {"activation": "gelu"},
    "batch normalisation": {"batch_norm": True},
    "SGD with momentum": {
        "optimizer": "sgd",
        "optimizer_params": {"momentum": 0.9, "nesterov": True},
        "learning_rate": 0.05,
    },
    "RMSprop": {"optimizer": "rmsprop"},
    "AdamW": {"optimizer": "adamw", "optimizer_params": {"weight_decay": 0.02}},
    "one-cycle rate": {"learning_rate_schedule": "one_cycle", "learning_rate": 0.003},
    "label smoothing 0.1": {"label_smoothing": 0.1},
    "deformation": {"augmentation": "elastic"},
}
together = {
    name: value
    for change in ("wider: 256-128", "one-cycle rate", "label smoothing 0.1", "deformation")
    for name, value in changes[change].items()
}
changes["the last three and wider"] = together

# %%
# A seed decides the split and the initial weights, the same for all changes, so that what a change
# brings can be taken seed by seed.

import numpy as np
from sklearn.model_selection import train_test_split

accuracy = np.empty((len(changes), len(seeds)))
for row, change in enumerate(changes.values()):
    for column, seed in enumerate(seeds):
        X_train, X_val, y_train, y_val = train_test_split(
            X, y, test_size=n_validation, random_state=seed, stratify=y
        )
        model = make_reference_classifier("dense-128-64", epochs=epochs, random_state=seed)
        model.set_params(**change).fit(X_train, y_train)
        accuracy[row, column] = 100 * model.score(X_val, y_val)

gain = accuracy - accuracy[0]
print(f"{'change':28}{'validation accuracy in %':>26}{'gain in points':>20}")
for name, scores, gains in zip(changes, accuracy, gain, strict=True):
    spread = f"{gains.mean():+.2f} ± {gains.std(ddof=1):.2f}" if name != "nothing changed" else "–"
    print(f"{name:28}{f'{scores.mean():.2f} ± {scores.std(ddof=1):.2f}':>26}{spread:>20}")

# %%
# Small dots are the seeds, large ones their mean. Blue gains and orange loses more than two
# standard errors; grey can't be told from chance on so few digits and seeds, and might come out
# otherwise on the full MNIST.

import matplotlib.pyplot as plt

order = np.argsort(gain[1:].mean(axis=1)) + 1
names = list(changes)
figure, ax = plt.subplots(figsize=(7.2, 5), layout="constrained")
ax.axvline(0, color="#8C8C8C", linestyle="--", label="nothing changed")
for position, row in enumerate(order):
    clear = abs(gain[row].mean()) > 2 * gain[row].std(ddof=1) / np.sqrt(len(seeds))
    colour = ("#0072B2" if gain[row].mean() > 0 else "#D55E00") if clear else "#8C8C8C"
    ax.plot(gain[row], [position] * len(seeds), ".", color=colour, alpha=0.6)
    ax.plot(gain[row].mean(), position, "o", color=colour, markersize=9)
ax.set_yticks(range(len(order)), [names[row] for row in order])
ax.set(xlabel="Gain in validation accuracy in points")
ax.grid(axis="x", alpha=0.3)
_ = ax.legend(loc="lower right")

# %%
# Deformation is what a dense network lacks: it has to be shown that a digit stays the same when it
# is turned or shifted. :func:`~skdigits.make_reference_classifier` has trainings made of these,
# ``fast``, ``accurate`` and ``record``.
