"""
Deformation seen
================

A turned, bent or shifted 4 is still a 4. ``augmentation`` shows the network each training digit
deformed anew in each epoch, and of all that can be done for a dense network this helps the most.
"""

from skdigits import Augmentation, DigitANNClassifier
from skdigits.datasets import load_mnist_sample
from skdigits.displays import DeformedDigitsDisplay, DigitGridDisplay

X, y = load_mnist_sample(subset="train", return_X_y=True)
X_test, y_test = load_mnist_sample(subset="test", return_X_y=True)

# %%
# What the network is shown
# -------------------------
#
# ``"affine"`` turns, scales, shears and shifts. The digits as they are stand framed on the left.

_ = DeformedDigitsDisplay.from_augmentation("affine", X[:4], n_views=8)

# %%
# ``"elastic"`` bends them as well:

_ = DeformedDigitsDisplay.from_augmentation("elastic", X[:4], n_views=8)

# %%
# An ``Augmentation`` has the ranges, in degrees and in shares of the image's side. Too much of a
# good thing makes other digits of them, or none:

wild = Augmentation(rotation=70, scale=0.5, shear=0.6, shift=0.2, elastic=0.12)
_ = DeformedDigitsDisplay.from_augmentation(wild, X[:4], n_views=8)

# %%
# What it brings
# --------------
#
# The same network and training three times. Deformation is a part of the compiled training program
# and costs about as much as another layer.

import time

models = {}
for name, augmentation in {"none": None, "elastic": "elastic", "too wild": wild}.items():
    model = DigitANNClassifier((128, 64), augmentation=augmentation, epochs=30, random_state=0)
    start = time.perf_counter()
    models[name] = model.fit(X, y)
    seconds = time.perf_counter() - start
    print(
        f"{name:9} training {model.score(X, y):7.2%}, test {model.score(X_test, y_test):.2%}, "
        f"{seconds:.0f} s"
    )

# %%
# Digits that the network without deformation gets wrong, most confident first, and what the one
# with it makes of them:

wrong = models["none"].predict(X_test) != y_test
_ = DigitGridDisplay.from_estimator(
    models["none"], X_test[wrong], y_test[wrong], worst_first=True, n_images=16, n_columns=8
)
order = models["none"].predict_proba(X_test[wrong]).max(axis=1).argsort()[::-1]
_ = DigitGridDisplay.from_estimator(
    models["elastic"], X_test[wrong][order], y_test[wrong][order], n_images=16, n_columns=8
)
