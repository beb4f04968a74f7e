"""
Does data augmentation help?
============================

``augmentation`` deforms each training image randomly in each epoch. For dense networks on images
it is the most effective regularization.
"""

from skdigits import Augmentation, DigitANNClassifier
from skdigits.datasets import load_mnist_sample
from skdigits.displays import DeformedDigitsDisplay, DigitGridDisplay

X, y = load_mnist_sample(subset="train", return_X_y=True)
X_test, y_test = load_mnist_sample(subset="test", return_X_y=True)

# %%
# Augmented digits
# ----------------
#
# ``"affine"`` rotates, scales, shears and shifts. The original digits have a frame.

_ = DeformedDigitsDisplay.from_augmentation("affine", X[:4], n_views=8)

# %%
# ``"elastic"`` adds elastic deformation:

_ = DeformedDigitsDisplay.from_augmentation("elastic", X[:4], n_views=8)

# %%
# An ``Augmentation`` object sets the ranges, in degrees and as fractions of the image's side. With
# too large ranges the digits are no longer recognisable:

too_strong = Augmentation(rotation=70, scale=0.5, shear=0.6, shift=0.2, elastic=0.12)
_ = DeformedDigitsDisplay.from_augmentation(too_strong, X[:4], n_views=8)

# %%
# Effect on the accuracy
# ----------------------
#
# The same network is trained with three settings. Augmentation is part of the compiled training
# step.

import time

models = {}
for name, augmentation in {"none": None, "elastic": "elastic", "too strong": too_strong}.items():
    model = DigitANNClassifier((128, 64), augmentation=augmentation, epochs=30, random_state=0)
    start = time.perf_counter()
    models[name] = model.fit(X, y)
    seconds = time.perf_counter() - start
    print(
        f"{name:11} training {model.score(X, y):7.2%}, test {model.score(X_test, y_test):.2%}, "
        f"{seconds:.0f} s"
    )

# %%
# Digits that the network without augmentation misclassifies, most confident first, and below the
# predictions of the network with augmentation for the same digits:

wrong = models["none"].predict(X_test) != y_test
_ = DigitGridDisplay.from_estimator(
    models["none"], X_test[wrong], y_test[wrong], worst_first=True, n_images=16, n_columns=8
)
order = models["none"].predict_proba(X_test[wrong]).max(axis=1).argsort()[::-1]
_ = DigitGridDisplay.from_estimator(
    models["elastic"], X_test[wrong][order], y_test[wrong][order], n_images=16, n_columns=8
)
