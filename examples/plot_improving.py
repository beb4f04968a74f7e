"""
What improves a dense network?
==============================

The published projects list ideas for improvement: dropout, more layers,
other activations, batch normalisation, other optimizers, data augmentation. This example measures
them one at a time on the same network, with several seeds.
"""

from pathlib import Path

from sklearn.datasets import get_data_home

from skdigits.datasets import fetch_mnist, load_mnist_sample

# fetch_mnist stores the full MNIST here after its first call.
if Path(get_data_home(), "skdigits", "mnist_784.npz").exists():
    X, y = fetch_mnist(subset="train", return_X_y=True)
    n_validation, epochs, seeds = 10_000, 20, range(3)
    print(f"Data: MNIST's training set, {len(X):,} digits")
else:
    X, y = load_mnist_sample(subset="train", return_X_y=True)
    n_validation, epochs, seeds = 1_000, 24, range(3)
    print(f"Data: training part of the embedded sample, {len(X):,} digits")
print(f"Each seed trains on {len(X) - n_validation:,} and validates on {n_validation:,} others.")

# %%
# The network has 128 and 64 units and the settings of its source. One setting is changed at a
# time, without tuning. The test set is not used.

from skdigits import make_reference_classifier

changes = {
    "no change": {},
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
    "augmentation": {"augmentation": "elastic"},
}
combined = {
    name: value
    for change in ("wider: 256-128", "one-cycle rate", "label smoothing 0.1", "augmentation")
    for name, value in changes[change].items()
}
changes["four combined"] = combined

# %%
# The seed determines the split and the initial weights. All settings use the same seeds, so that
# gains are compared seed by seed.

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
    spread = f"{gains.mean():+.2f} ± {gains.std(ddof=1):.2f}" if name != "no change" else "–"
    print(f"{name:28}{f'{scores.mean():.2f} ± {scores.std(ddof=1):.2f}':>26}{spread:>20}")

# %%
# Small dots are seeds, large dots their mean. Gains above two standard errors are blue, losses
# orange. Grey differences are within the standard error; they may differ on the full MNIST.

import matplotlib.pyplot as plt

order = np.argsort(gain[1:].mean(axis=1)) + 1
names = list(changes)
figure, ax = plt.subplots(figsize=(7.2, 5), layout="constrained")
ax.axvline(0, color="#8C8C8C", linestyle="--", label="no change")
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
# Data augmentation helps most: a dense network has to learn from examples that a digit stays the
# same when it is rotated or shifted. The presets ``fast``, ``accurate`` and ``record`` of
# :func:`~skdigits.make_reference_classifier` combine these settings.
