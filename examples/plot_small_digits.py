"""
Small digits
============

scikit-learn's own ``load_digits`` has digits of 8 × 8 pixels with values from 0 to 16. Nothing in
the classifier is made for 28 × 28: the same class learns these, deformed in training too, in
seconds.
"""

from sklearn.datasets import load_digits
from sklearn.model_selection import StratifiedKFold, cross_val_predict, cross_val_score
from sklearn.svm import SVC

from skdigits import Augmentation, DigitANNClassifier
from skdigits.displays import DeformedDigitsDisplay, DigitGridDisplay

X, y = load_digits(return_X_y=True)
print(X.shape, X.dtype, "values up to", X.max())

# %%
# Values end at 16, so that a division by 16 takes the place of ``PixelScaler``. It learns nothing
# from the data and can be done once; in float32 the network computes faster. The digits deformed,
# gently, since there is little to bend in 8 × 8 pixels:

X = (X / 16).astype("float32")
gentle = Augmentation(rotation=8, scale=0.08, shear=0.1, shift=0.03, elastic=0.01)

_ = DeformedDigitsDisplay.from_augmentation(gentle, X[:4], n_views=8)

# %%
# Five folds, shuffled, the same for everybody.

folds = StratifiedKFold(5, shuffle=True, random_state=0)
deformed = DigitANNClassifier(augmentation=gentle, random_state=0)
peers = {
    "support vector machine": SVC(),
    "DigitANNClassifier": DigitANNClassifier(random_state=0),
    "the same, deformed": deformed,
}
for name, peer in peers.items():
    scores = cross_val_score(peer, X, y, cv=folds)
    print(f"{name:24} {scores.mean():.2%} ± {scores.std():.2%}")

# %%
# The mistakes of the last one, each digit predicted by the network that hadn't seen it:

probabilities = cross_val_predict(deformed, X, y, cv=folds, method="predict_proba")
_ = DigitGridDisplay.from_predictions(
    X, y, probabilities=probabilities, classes=range(10), worst_first=True, n_images=16, n_columns=8
)
