"""
Does it work for images of other sizes?
=======================================

scikit-learn's ``load_digits`` has digits of 8 × 8 pixels with values from 0 to 16. The classifier
takes square images of any size, also with augmentation.
"""

from sklearn.datasets import load_digits
from sklearn.model_selection import StratifiedKFold, cross_val_predict, cross_val_score
from sklearn.svm import SVC

from skdigits import Augmentation, DigitANNClassifier
from skdigits.displays import DeformedDigitsDisplay, DigitGridDisplay

X, y = load_digits(return_X_y=True)
print(X.shape, X.dtype, "values up to", X.max())

# %%
# Dividing by 16 replaces ``PixelScaler``. In float32 the network is computed faster than in
# float64. Augmentation has to be weak for images of 8 × 8 pixels:

X = (X / 16).astype("float32")
weak = Augmentation(rotation=8, scale=0.08, shear=0.1, shift=0.03, elastic=0.01)

_ = DeformedDigitsDisplay.from_augmentation(weak, X[:4], n_views=8)

# %%
# Cross-validation with five shuffled folds:

folds = StratifiedKFold(5, shuffle=True, random_state=0)
augmented = DigitANNClassifier(augmentation=weak, random_state=0)
peers = {
    "support vector machine": SVC(),
    "DigitANNClassifier": DigitANNClassifier(random_state=0),
    "with augmentation": augmented,
}
for name, peer in peers.items():
    scores = cross_val_score(peer, X, y, cv=folds)
    print(f"{name:24} {scores.mean():.2%} ± {scores.std():.2%}")

# %%
# Errors of the network with augmentation. Each digit is predicted by the network that was not
# trained on it:

probabilities = cross_val_predict(augmented, X, y, cv=folds, method="predict_proba")
_ = DigitGridDisplay.from_predictions(
    X, y, probabilities=probabilities, classes=range(10), worst_first=True, n_images=16, n_columns=8
)
