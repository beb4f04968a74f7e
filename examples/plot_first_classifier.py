"""
A first classifier
==================

Train a dense network on handwritten digits, ask it how good it is, and look at what it does. The
digits come with the package, so this needs no download.
"""

# %%
# The digits
# ----------
#
# 5,000 digits to train on and 1,000 to test with, drawn from MNIST. Each is a row of 28 × 28 = 784
# pixels from 0 to 255, its label a string.

from skdigits.datasets import load_mnist_sample
from skdigits.displays import DigitGridDisplay

X, y = load_mnist_sample(subset="train", return_X_y=True)
X_test, y_test = load_mnist_sample(subset="test", return_X_y=True)
print(X.shape, X.dtype, y[:10])

_ = DigitGridDisplay(X, y_true=y).plot(n_images=24, n_columns=8)

# %%
# The classifier
# --------------
#
# ``DigitANNClassifier`` is a classifier as scikit-learn's own are: construct, fit, score. Behind a
# :class:`~skdigits.PixelScaler`, which brings the pixels to 0–1, it makes a pipeline, which a
# notebook shows as a diagram.

from sklearn.pipeline import make_pipeline

from skdigits import DigitANNClassifier, PixelScaler

model = make_pipeline(PixelScaler(), DigitANNClassifier(random_state=0))
model.fit(X, y)

# %%
# The network that was trained, layer by layer:

print(model[-1].summary())

# %%
# How good is it?
# ---------------

print(f"{model.score(X, y):.1%} of the training digits are read correctly")
print(f"{model.score(X_test, y_test):.1%} of the test digits, which it has never seen")

# %%
# Each answer comes with a probability for every class. Here are the first test digits; a frame
# marks a mistake.

_ = DigitGridDisplay.from_estimator(model, X_test, y_test, n_images=24, n_columns=8)

# %%
# Whatever scikit-learn does with a classifier works with this one, such as the table of what is
# taken for what:

import matplotlib.pyplot as plt
from sklearn.metrics import ConfusionMatrixDisplay

figure, ax = plt.subplots(figsize=(5.5, 5), layout="constrained")
_ = ConfusionMatrixDisplay.from_estimator(
    model, X_test, y_test, ax=ax, colorbar=False, cmap="Blues"
)
