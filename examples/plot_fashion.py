"""
The same class on another task
==============================

Fashion-MNIST has pieces of clothing in MNIST's form: 28 × 28 pixels, ten classes. Nothing in the
classifier knows that it reads digits, so this needs another data set and no other code.
"""

import time

from sklearn.model_selection import train_test_split

from skdigits import DigitANNClassifier, make_reference_classifier
from skdigits.datasets import fetch_mnist, load_mnist_sample
from skdigits.displays import DigitGridDisplay

CLOTHES = ["T-shirt", "Trousers", "Pullover", "Dress", "Coat"]
CLOTHES += ["Sandal", "Shirt", "Sneaker", "Bag", "Boot"]

try:
    X, codes = fetch_mnist(name="Fashion-MNIST", return_X_y=True)
    y = [CLOTHES[int(code)] for code in codes]
    print("Data: Fashion-MNIST")
except OSError:
    X, y = load_mnist_sample(return_X_y=True)
    print("Data: the sample of MNIST, since Fashion-MNIST is neither here nor to be had")

# %%
# A part of it, for an example that takes seconds. Labels may be any strings.

X, X_test, y, y_test = train_test_split(
    X, y, train_size=5000, test_size=1000, random_state=0, stratify=y
)
X_train, X_val, y_train, y_val = train_test_split(X, y, test_size=1000, random_state=0, stratify=y)
print(f"{len(X_train):,} pictures to train, {len(X_val):,} to validate, {len(X_test):,} to test")
_ = DigitGridDisplay(X_train, y_true=y_train).plot(n_images=16, n_columns=8)

# %%
# The training that the classifier comes with, and that of the preset made for clothes: dropout, and
# gentle deformations, since clothes stand upright and fill the picture. Both with fewer units than
# they have by themselves. Clothes are harder than digits, so how sure of its answers a network may
# be is measured on validation rows; without them it follows a rule that was found on digits.

models = {
    "as for digits": DigitANNClassifier((256, 128), epochs=20, random_state=0),
    "the preset fashion": make_reference_classifier(
        "fashion", hidden_layer_sizes=(256, 128), random_state=0
    ),
}
for name, model in models.items():
    start = time.perf_counter()
    model.fit(X_train, y_train, X_val=X_val, y_val=y_val)
    seconds = time.perf_counter() - start
    print(f"{name:20} {model.score(X_test, y_test):.2%} correct, fitted in {seconds:.0f} s")

# %%
# What it gets wrong, surest mistakes first:

_ = DigitGridDisplay.from_estimator(
    models["the preset fashion"], X_test, y_test, worst_first=True, n_images=12, n_columns=6
)

# %%
# And what is taken for what:

import matplotlib.pyplot as plt
from sklearn.metrics import ConfusionMatrixDisplay

figure, ax = plt.subplots(figsize=(6.4, 6), layout="constrained")
_ = ConfusionMatrixDisplay.from_estimator(
    models["the preset fashion"],
    X_test,
    y_test,
    ax=ax,
    colorbar=False,
    cmap="Blues",
    xticks_rotation=45,
)
