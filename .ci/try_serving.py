"""What an installation for serving can do, without TensorFlow, Keras and SciKeras."""

import runpy
import time
from importlib.util import find_spec
from pathlib import Path

start = time.perf_counter()

import numpy as np  # noqa: E402

import skdigits  # noqa: E402
from skdigits.datasets import load_mnist_sample  # noqa: E402

for package in ("tensorflow", "keras", "scikeras"):
    assert find_spec(package) is None, f"{package} is installed"
X, y = load_mnist_sample("test", return_X_y=True)
model = skdigits.load_pretrained()
model.predict(X[:1])
print(f"First prediction after {time.perf_counter() - start:.1f} s")

skdigits.save(model, "model.skdigits")
assert (skdigits.load("model.skdigits").predict(X) == model.predict(X)).all()

picture = 255 - np.kron(X[3].reshape(28, 28), np.ones((8, 8), np.uint8))
assert str(model.predict(skdigits.read_digit_images(picture))[0]) == y[3]

from PIL import Image  # noqa: E402

Image.fromarray(picture).save("digit.png")

service = runpy.run_path(str(Path(__file__).parent.parent / "examples" / "serving" / "serve.py"))
assert service["make_app"](model).routes

try:
    skdigits.DigitANNClassifier((8,), epochs=1).fit(X[:50], y[:50])
    message = "it works"
except ImportError as error:
    message = str(error)
print("fit:", message)
assert "pip install" in message
print("serving works")
