"""
How does it perform on clothes?
===============================

Fashion-MNIST has images of clothes in MNIST's format: 28 × 28 pixels and ten classes. The
classifier is the same, only the data differ.
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
    print("Data: the sample of MNIST, because Fashion-MNIST is not available")

# %%
# This example uses a subset, so that it runs in seconds. Labels can be strings.

X, X_test, y, y_test = train_test_split(
    X, y, train_size=5000, test_size=1000, random_state=0, stratify=y
)
X_train, X_val, y_train, y_val = train_test_split(X, y, test_size=1000, random_state=0, stratify=y)
print(f"{len(X_train):,} images to train, {len(X_val):,} to validate, {len(X_test):,} to test")
_ = DigitGridDisplay(X_train, y_true=y_train).plot(n_images=16, n_columns=8)

# %%
# The default settings and the preset ``fashion``, which uses dropout and weak augmentation, both
# with fewer units than usual. The validation rows are used to estimate ``temperature_``, because
# the rule that applies without validation rows was calibrated on MNIST.

models = {
    "default settings": DigitANNClassifier((256, 128), epochs=20, random_state=0),
    "preset fashion": make_reference_classifier(
        "fashion", hidden_layer_sizes=(256, 128), random_state=0
    ),
}
for name, model in models.items():
    start = time.perf_counter()
    model.fit(X_train, y_train, X_val=X_val, y_val=y_val)
    seconds = time.perf_counter() - start
    print(f"{name:20} {model.score(X_test, y_test):.2%} correct, fitted in {seconds:.0f} s")

# %%
# The most confident errors:

_ = DigitGridDisplay.from_estimator(
    models["preset fashion"], X_test, y_test, worst_first=True, n_images=12, n_columns=6
)

# %%
# The confusion matrix:

import matplotlib.pyplot as plt
from sklearn.metrics import ConfusionMatrixDisplay

figure, ax = plt.subplots(figsize=(6.4, 6), layout="constrained")
_ = ConfusionMatrixDisplay.from_estimator(
    models["preset fashion"],
    X_test,
    y_test,
    ax=ax,
    colorbar=False,
    cmap="Blues",
    xticks_rotation=45,
)
