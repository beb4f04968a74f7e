"""
How to tune a network with GridSearchCV?
========================================

The settings of the network are parameters of an estimator. A search tunes them, and a pipeline
scales the pixels within each fold.
"""

from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline

from skdigits import DigitANNClassifier, PixelScaler
from skdigits.datasets import load_mnist_sample

X, y = load_mnist_sample(subset="train", return_X_y=True)
X_test, y_test = load_mnist_sample(subset="test", return_X_y=True)

model = Pipeline(
    [("scaler", PixelScaler()), ("ann", DigitANNClassifier(epochs=12, random_state=0))]
)

# %%
# Parameter names combine the name of the step and the name of the parameter. The folds and the
# learning rates of one architecture share a compiled training step.

grid = {
    "ann__hidden_layer_sizes": [(64,), (128, 64), (256, 128)],
    "ann__learning_rate": [0.001, 0.004, 0.016],
}
search = GridSearchCV(model, grid, cv=3)
search.fit(X, y)

# %%
# The fitted search is a classifier: the best candidate, refitted on all rows.

print("Best:", search.best_params_)
print(f"{search.best_score_:.2%} in cross-validation")
print(f"{search.score(X_test, y_test):.2%} on the test digits")

# %%
# Mean and standard deviation over the folds, for each candidate:

import matplotlib.pyplot as plt
import numpy as np

results = search.cv_results_
colours, markers = ("#0072B2", "#D55E00", "#009E73"), ("o", "s", "^")
widths = grid["ann__hidden_layer_sizes"]
figure, ax = plt.subplots(figsize=(6.4, 4), layout="constrained")
for i, (width, colour, marker) in enumerate(zip(widths, colours, markers, strict=True)):
    rows = [p["ann__hidden_layer_sizes"] == width for p in results["params"]]
    rates = np.array([p["ann__learning_rate"] for p in results["params"]])[rows]
    ax.errorbar(
        rates * 1.04 ** (i - 1),  # beside each other, not on top of each other
        100 * results["mean_test_score"][rows],
        yerr=100 * results["std_test_score"][rows],
        label="-".join(map(str, width)),
        color=colour,
        marker=marker,
        capsize=3,
    )
ax.set(xscale="log", xlabel="learning_rate", ylabel="Accuracy in cross-validation in %")
ax.set_xticks(grid["ann__learning_rate"], [f"{rate:g}" for rate in grid["ann__learning_rate"]])
ax.minorticks_off()
ax.grid(alpha=0.3)
_ = ax.legend(title="hidden_layer_sizes")

# %%
# ``RandomizedSearchCV``, ``HalvingGridSearchCV`` and ``cross_val_score`` work in the same way.
# Options of the Keras optimizer are searched as, for example, ``ann__optimizer__beta_1``.
# :func:`skdigits.presets.param_grid` returns two grids.
