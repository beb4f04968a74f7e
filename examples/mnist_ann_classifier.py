"""
A dense network on MNIST in twenty lines
========================================

Downloads MNIST if it isn't cached, trains on the 60,000 training digits, prints the accuracy on
the 10,000 test digits and an example prediction.
"""

import numpy as np

from skdigits import make_reference_classifier
from skdigits.datasets import fetch_mnist

X_train, y_train = fetch_mnist(subset="train", return_X_y=True)
X_test, y_test = fetch_mnist(subset="test", return_X_y=True)
images, test_images = X_train.reshape(-1, 28, 28), X_test.reshape(-1, 28, 28)
one_hot, test_one_hot = np.eye(10)[y_train.astype(int)], np.eye(10)[y_test.astype(int)]

# Images of bytes are scaled to 0-1 inside, one-hot targets give the labels 0 to 9.
model = make_reference_classifier("basic-one-hot", random_state=0, verbose=True)
model.fit(images, one_hot)

print(f"Test accuracy: {model.score(test_images, test_one_hot):.4f}")
probabilities = model.predict_proba(test_images[:1])[0]
print(f"First test digit: {y_test[0]}, read as {model.predict(test_images[:1])[0]}")
print("Probabilities:", np.round(probabilities, 3))
