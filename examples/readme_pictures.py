"""
Figures of the README and the quick start
=========================================

Trains on the digits of the package, writes the figures to ``docs/images`` and prints the
classification report.
"""

from pathlib import Path

import matplotlib

matplotlib.use("agg")

import matplotlib.pyplot as plt
from sklearn.metrics import ConfusionMatrixDisplay, classification_report
from sklearn.pipeline import make_pipeline

from skdigits import DigitANNClassifier, PixelScaler
from skdigits.datasets import load_mnist_sample
from skdigits.displays import DigitGridDisplay, TrainingCurveDisplay

FOLDER = Path(__file__).parent.parent / "docs" / "images"

X_train, y_train = load_mnist_sample(subset="train", return_X_y=True)
X_test, y_test = load_mnist_sample(subset="test", return_X_y=True)

network = DigitANNClassifier(early_stopping=True, n_iter_no_change=20, epochs=30, random_state=0)
model = make_pipeline(PixelScaler(), network).fit(X_train, y_train)

TrainingCurveDisplay.from_estimator(model)
plt.savefig(FOLDER / "learning_curves.png", dpi=100, bbox_inches="tight")
DigitGridDisplay.from_estimator(model, X_test, y_test, worst_first=True, n_images=20, n_columns=10)
plt.savefig(FOLDER / "predictions.png", dpi=100, bbox_inches="tight")
ConfusionMatrixDisplay.from_estimator(model, X_test, y_test, colorbar=False, cmap="Blues")
plt.savefig(FOLDER / "confusion_matrix.png", dpi=100, bbox_inches="tight")

plain = make_pipeline(PixelScaler(), DigitANNClassifier(random_state=0)).fit(X_train, y_train)
TrainingCurveDisplay.from_estimator(plain)
plt.savefig(FOLDER / "quick_start_curves.png", dpi=100, bbox_inches="tight")
print(classification_report(y_test, model.predict(X_test), digits=3))
