"""
How to migrate from MLPClassifier?
==================================

Change the import and the class name, and use ``epochs`` instead of ``max_iter``. Most other names
are the same.
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
# Both take the same data. The first fit of a process also imports TensorFlow and compiles the
# training step, so it is shown next to a second fit. For careful timings see :doc:`/speed`.

# MLPClassifier warns if training has not converged.
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
# The fitted attributes have the same names:

for name in ("classes_", "n_iter_", "n_layers_", "n_outputs_", "out_activation_"):
    print(f"{name:16} {getattr(mlp, name)!s:46} {getattr(ann, name)}")
print(f"{'coefs_':16} {[c.shape for c in mlp.coefs_]!s:46} {[c.shape for c in ann.coefs_]}")

# %%
# Both store learning curves. ``alpha`` corresponds to ``l2`` (with Keras' meaning) and
# ``learning_rate_init`` to ``learning_rate``.

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
