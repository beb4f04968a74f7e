"""
How do five published networks compare?
=======================================

Five small published projects train a dense network on MNIST. Each of them is a preset. This
example trains all of them, tests them and plots their learning curves.
"""

from pathlib import Path

from sklearn.datasets import get_data_home
from sklearn.model_selection import train_test_split

from skdigits import make_reference_classifier
from skdigits.datasets import fetch_mnist, load_mnist_sample
from skdigits.presets import REFERENCES

# fetch_mnist stores the full MNIST here after its first call.
if Path(get_data_home(), "skdigits", "mnist_784.npz").exists():
    load, data = fetch_mnist, "the full MNIST"
else:
    load, data = load_mnist_sample, "the embedded sample of MNIST"
X, y = load(subset="train", return_X_y=True)
X_test, y_test = load(subset="test", return_X_y=True)
X_train, X_val, y_train, y_val = train_test_split(X, y, test_size=0.2, random_state=0, stratify=y)
print(f"Data: {data}, {len(X_train):,} digits to train, {len(X_val):,} to validate,")
print(f"{len(X_test):,} to test. The published figures are those of the full MNIST.")

# %%
# With ``X_val`` and ``y_val`` a validation accuracy is computed after each epoch. One of the five
# networks uses early stopping.

models = {}
print(f"\n{'preset':24}{'layers':16}{'parameters':>10}{'epochs':>8}{'tested':>9}{'published':>11}")
for name, preset in REFERENCES.items():
    model = make_reference_classifier(name, random_state=0)
    models[name] = model.fit(X_train, y_train, X_val=X_val, y_val=y_val)
    layers = "-".join(map(str, model.hidden_layer_sizes))
    parameters = sum(each.size for each in model.coefs_ + model.intercepts_)
    published = f"{preset.published_accuracy:.2%}" if preset.published_accuracy else "–"
    print(
        f"{name:24}{layers:16}{parameters:>10,}{model.n_iter_:>8}"
        f"{model.score(X_test, y_test):>9.2%}{published:>11}"
    )

# %%
# Learning curves
# ---------------
#
# Training (dashed) continues to improve when validation (solid) does not: the gap is overfitting.
# With dropout the training curve is that of a network with disabled units.

from skdigits.displays import TrainingCurveDisplay

display = TrainingCurveDisplay.from_estimator(models)
display.figure_.set_size_inches(11, 4.6)
display.ax_[0].set_yscale("log")
_ = display.ax_[1].set_ylim(0.85, 1.005)

# %%
# The sources, and the settings that had to be chosen because the source does not state them:

for name, preset in REFERENCES.items():
    print(f"{name}: {preset.source}")
