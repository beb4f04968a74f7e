"""
From MLPClassifier in three lines
=================================

A program with scikit-learn's ``MLPClassifier`` in it needs a new import, a new name, and ``epochs``
in place of ``max_iter``. Most other names are the same.
"""

import time
import warnings

from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline

from skdigits import DigitANNClassifier, PixelScaler
from skdigits.datasets import load_mnist_sample

X, y = load_mnist_sample(subset="train", return_X_y=True)
X_test, y_test = load_mnist_sample(subset="test", return_X_y=True)

# %%
# Before:

mlp = MLPClassifier((128, 64), batch_size=128, max_iter=20, early_stopping=True, random_state=0)

# %%
# After:

ann = DigitANNClassifier((128, 64), batch_size=128, epochs=20, early_stopping=True, random_state=0)

# %%
# They take the same data, stand behind the same scaler and answer the same questions. The first fit
# in a process also imports TensorFlow and compiles a training program, so that it is shown beside
# the second. Seconds are those of the machine that made this page, with whatever else it did; the
# :doc:`benchmarks </speed>` measure more carefully.

# MLPClassifier warns if it could have gone on.
warnings.filterwarnings("ignore", message="Stochastic Optimizer")
models = {
    "MLPClassifier": make_pipeline(PixelScaler(), mlp),
    "DigitANNClassifier, first fit": make_pipeline(PixelScaler(), ann),
    "DigitANNClassifier, second fit": make_pipeline(PixelScaler(), ann),
}
for name, model in models.items():
    start = time.perf_counter()
    model.fit(X, y)
    seconds = time.perf_counter() - start
    print(f"{name:32} {model.score(X_test, y_test):.2%} correct, fitted in {seconds:.1f} s")

# %%
# What is learnt has the same names, so that code that reads it goes on working:

for name in ("classes_", "n_iter_", "n_layers_", "n_outputs_", "out_activation_"):
    print(f"{name:16} {getattr(mlp, name)!s:46} {getattr(ann, name)}")
print(f"{'coefs_':16} {[c.shape for c in mlp.coefs_]!s:46} {[c.shape for c in ann.coefs_]}")

# %%
# Both keep the curves of their training, too. ``MLPClassifier`` has ``alpha`` where this class has
# ``l2`` (Keras' meaning of it), and ``learning_rate_init`` where it has ``learning_rate``; dropout,
# batch normalisation, deformation and any Keras optimizer come in addition.

import matplotlib.pyplot as plt

figure, ax = plt.subplots(figsize=(6.4, 3.8), layout="constrained")
for fitted, colour, style in ((mlp, "#D55E00", "--"), (ann, "#0072B2", "-")):
    epochs = range(1, len(fitted.validation_scores_) + 1)
    percent = [100 * score for score in fitted.validation_scores_]
    ax.plot(epochs, percent, style, color=colour, marker="o", label=type(fitted).__name__)
ax.set(xlabel="Epoch", ylabel="Validation accuracy in %")
ax.xaxis.get_major_locator().set_params(integer=True)
ax.grid(alpha=0.3)
_ = ax.legend()
