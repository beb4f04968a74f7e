"""
How to train a digit classifier?
================================

Train a dense network on the digits of the package, measure its accuracy, and look at its
predictions. No download is needed.
"""

# %%
# Data
# ----
#
# The sample has 5,000 training and 1,000 test digits of MNIST. Each row has 28 × 28 = 784 pixels
# from 0 to 255. The labels are strings.

from skdigits.datasets import load_mnist_sample
from skdigits.displays import DigitGridDisplay

X, y = load_mnist_sample(subset="train", return_X_y=True)
X_test, y_test = load_mnist_sample(subset="test", return_X_y=True)
print(X.shape, X.dtype, y[:10])

_ = DigitGridDisplay(X, y_true=y).plot(n_images=24, n_columns=8)

# %%
# Training
# --------
#
# ``DigitANNClassifier`` has the interface of scikit-learn's classifiers.
# :class:`~skdigits.PixelScaler` scales the pixels to 0–1. A notebook shows the pipeline as a
# diagram.

from sklearn.pipeline import make_pipeline

from skdigits import DigitANNClassifier, PixelScaler

model = make_pipeline(PixelScaler(), DigitANNClassifier(random_state=0))
model.fit(X, y)

# %%
# The layers of the trained network:

print(model[-1].summary())

# %%
# Evaluation
# ----------

print(f"{model.score(X, y):.1%} accuracy on the training digits")
print(f"{model.score(X_test, y_test):.1%} accuracy on the test digits")

# %%
# ``predict_proba`` returns a probability for each class. These are the first test digits; a frame
# marks a misclassified digit.

_ = DigitGridDisplay.from_estimator(model, X_test, y_test, n_images=24, n_columns=8)

# %%
# scikit-learn's metrics and displays work with the classifier, for example the confusion matrix:

import matplotlib.pyplot as plt
from sklearn.metrics import ConfusionMatrixDisplay

figure, ax = plt.subplots(figsize=(5.5, 5), layout="constrained")
_ = ConfusionMatrixDisplay.from_estimator(
    model, X_test, y_test, ax=ax, colorbar=False, cmap="Blues"
)
