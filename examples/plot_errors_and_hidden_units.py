"""
Which digits are misclassified, and what do the hidden units detect?
====================================================================

Look at the errors, the calibration of the probabilities, and the weights of the first layer.
"""

from sklearn.pipeline import make_pipeline

from skdigits import DigitANNClassifier, PixelScaler
from skdigits.datasets import load_mnist_sample
from skdigits.displays import DigitGridDisplay, HiddenUnitsDisplay

X, y = load_mnist_sample(subset="train", return_X_y=True)
X_test, y_test = load_mnist_sample(subset="test", return_X_y=True)

network = DigitANNClassifier((64,), weight_averaging=True, l2=0.0005, epochs=30, random_state=0)
model = make_pipeline(PixelScaler(), network).fit(X, y)
print(f"{model.score(X_test, y_test):.2%} accuracy on the test digits")

# %%
# Errors with the highest confidence
# ----------------------------------
#
# Below each digit is "true → predicted" with the confidence.

_ = DigitGridDisplay.from_estimator(
    model, X_test, y_test, worst_first=True, n_images=16, n_columns=8
)

# %%
# Confusions
# ----------

from sklearn.metrics import classification_report, confusion_matrix

predicted = model.predict(X_test)
counts = confusion_matrix(y_test, predicted)
confused = [
    (counts[i, j], true, other)
    for i, true in enumerate(model.classes_)
    for j, other in enumerate(model.classes_)
    if i != j
]
for count, true, other in sorted(confused, reverse=True)[:5]:
    print(f"a {true} read as a {other}: {count} times")
print(classification_report(y_test, predicted, digits=3))

# %%
# Calibration
# -----------
#
# A network is calibrated if 80 % of the digits that it predicts with a confidence of 80 % are
# correct. The closer to the diagonal, the better. The lower panel counts the digits at each
# confidence.

import matplotlib.pyplot as plt
import numpy as np

probabilities = model.predict_proba(X_test)
confidence, right = probabilities.max(axis=1), predicted == y_test
edges = np.linspace(0.3, 1, 8)
place = np.clip(np.digitize(confidence, edges) - 1, 0, len(edges) - 2)
figure, (upper, lower) = plt.subplots(
    2, 1, figsize=(5.4, 5.4), height_ratios=(3, 1), sharex=True, layout="constrained"
)
shown = [i for i in range(len(edges) - 1) if (place == i).any()]
upper.plot([30, 100], [30, 100], "--", color="#8C8C8C", label="calibrated")
upper.plot(
    [100 * confidence[place == i].mean() for i in shown],
    [100 * right[place == i].mean() for i in shown],
    "o-",
    color="#0072B2",
    label="this network",
)
upper.set(ylabel="Accuracy in %")
upper.grid(alpha=0.3)
upper.legend()
lower.hist(100 * confidence, bins=100 * edges, color="#0072B2", edgecolor="white")
lower.set(xlabel="Confidence in %", ylabel="Digits", yscale="log")

# %%
# Weights of the first layer
# --------------------------
#
# The weights of a hidden unit have the shape of an image. Ink on one colour activates the unit,
# ink on the other colour inhibits it.

_ = HiddenUnitsDisplay.from_estimator(model, n_units=32, n_columns=8)
