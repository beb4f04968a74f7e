"""
=======================================
Training the network inside the package
=======================================

:func:`skdigits.load_pretrained` reads a file that this script made. It trains on MNIST's 60,000
training images alone, deformed more widely than MNIST's own test set needs, since the network is
meant for people's own pictures: strokes become thinner and bolder too. MNIST's writers write 1 as
a bare stroke; elsewhere it has a flag and often a foot, and is then taken for a 7 or a 2. So each 1
is trained on a second time, with these drawn onto it. Then the script rounds the weights
to 8 bits, tests them once on MNIST's test set and writes the file.

Usage: ``python make_pretrained.py pretrained.npz`` (a quarter of an hour to twenty minutes on two
cores; after a crash the same command resumes)
"""

from __future__ import annotations

import sys
import time
from dataclasses import replace

import numpy as np
from sklearn.pipeline import make_pipeline

from skdigits import Augmentation, DigitANNClassifier, PixelScaler
from skdigits._activations import ACTIVATIONS
from skdigits._atomic import write_atomically
from skdigits._network import Network
from skdigits._packed_network import read_network, write_network
from skdigits.datasets import fetch_mnist

# A network that is trained long on deformed digits reads others better a little blurred. How much
# was chosen on held-back training rows, with two networks that were trained like this one by
# examples/benchmarks/search_on_gpu.py.
BLUR = 0.125
RANGES = {
    "rotation": 15.0,
    "scale": 0.2,
    "shear": 0.25,
    "shift": 0.06,
    "elastic": 0.04,
    "stroke": 0.7,
}
PARAMS = {
    "hidden_layer_sizes": (1024, 1024, 512),
    "activation": "silu",
    "batch_norm": True,
    "epochs": 100,
    "batch_size": 256,
    "optimizer": "adamw",
    "optimizer_params": {"weight_decay": 0.01},
    "learning_rate": 0.003,
    "learning_rate_schedule": "cosine",
    # What it says of a digit is more use to a network that it teaches than smoothed labels.
    "label_smoothing": 0.0,
    "weight_averaging": True,
    "input_blur": BLUR,
    "random_state": 0,
}


def with_flag(row: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A 1 with a flag at its upper end and, half the time, a foot, again in MNIST's form.

    Drawn at eight times the size with the width of the digit's own stroke.
    """
    from PIL import Image, ImageDraw

    from skdigits._pictures.mnist_form import to_form
    from skdigits._pictures.stroke_width import stroke_width

    zoom = 8
    image = Image.fromarray(row.reshape(28, 28))
    image = image.resize((28 * zoom, 28 * zoom), Image.Resampling.BICUBIC)
    down, right = np.nonzero(np.asarray(image) > 127)
    top, bottom = down.min(), down.max()
    height = bottom - top
    width = max(stroke_width(row.reshape(28, 28) / 255) * zoom, zoom)
    draw = ImageDraw.Draw(image)

    def stroke(*ends: tuple[float, float]) -> None:
        draw.line(ends, fill=255, width=int(width))
        for x, y in ends:
            half = width / 2
            draw.ellipse([x - half, y - half, x + half, y + half], fill=255)

    x, y = right[down <= top + width].mean(), top + 0.4 * width
    angle, length = np.deg2rad(rng.uniform(25, 55)), height * rng.uniform(0.2, 0.5)
    stroke((x, y), (x - length * np.sin(angle), y + length * np.cos(angle)))
    if rng.random() < 0.5:
        x, y = right[down >= bottom - width].mean(), bottom - 0.4 * width
        left, beyond = height * rng.uniform(0.12, 0.35, 2)
        slope = rng.uniform(-0.1, 0.1)
        stroke((x - left, y - left * slope), (x + beyond, y + beyond * slope))
    return to_form(np.asarray(image, np.float32) / 255).ravel()


def undecided_on_blank_rows(network: Network, X: np.ndarray) -> Network:
    """The network with equal probabilities for a row without ink.

    Biases alone would be taken for a 1 with 99.9 %. In each hidden layer the unit with the least
    influence is replaced by one that is active only for a row of zeros; the last one cancels the
    logits that such a row has.
    """
    layers = replace(network, blur=0.0).layers(scaled_input=True)
    kernels = [kernel.copy() for kernel in layers[::2]]
    biases = [bias.copy() for bias in layers[1::2]]
    h, active, previous = X / np.float32(255), 0.0, slice(None)
    for i in range(len(kernels) - 1):
        h = ACTIVATIONS[network.activation](h @ kernels[i] + biases[i])
        following = kernels[i + 1]
        unit = int((h.std(axis=0) * np.linalg.norm(following, axis=1)).argmin())
        biases[i + 1] += h[:, unit].mean() * following[unit]
        h[:, unit] = following[unit] = kernels[i][:, unit] = 0
        # All other rows have more ink than two white pixels.
        kernels[i][previous, unit] = -24 if i == 0 else 3
        biases[i][unit] = 8 if i == 0 else 0
        active = 8 if i == 0 else 3 * active
        previous = unit
    # A row of zeros activates the new units and, by their biases, all others.
    h = np.zeros((1, X.shape[1]), np.float32)
    for kernel, bias in zip(kernels[:-1], biases[:-1], strict=True):
        h = ACTIVATIONS[network.activation](h @ kernel + bias)
    kernels[-1][previous] = -(h @ kernels[-1] + biases[-1])[0] / active
    arrays = {"kernels": tuple(kernels), "biases": tuple(biases)}
    return replace(network, **arrays, norms=None, input_scale=1.0, temperature=1.0)


def main(path: str, **changes: object) -> None:
    X, y = fetch_mnist(subset="train", return_X_y=True)
    X_test, y_test = fetch_mnist(subset="test", return_X_y=True)
    rng = np.random.default_rng(0)
    flagged = np.array([with_flag(row, rng) for row in X[y == "1"]])
    X = np.concatenate([X, flagged])
    y = np.concatenate([y, np.full(len(flagged), "1", dtype=object)])
    params = PARAMS | changes
    classifier = DigitANNClassifier(**params, augmentation=Augmentation(**RANGES), verbose=True)
    start = time.perf_counter()
    model = make_pipeline(PixelScaler(), classifier)
    model.fit(X, y, digitannclassifier__checkpoint=f"{path}.checkpoint")
    seconds = time.perf_counter() - start
    about = {
        # Normalisation is multiplied into the weights that are stored.
        "params": params | {"augmentation": RANGES, "batch_norm": False},
        "classes": classifier.classes_.tolist(),
        "history": {
            name: [float(f"{value:.6g}") for value in values]
            for name, values in classifier.history_.items()
        },
    }
    network = undecided_on_blank_rows(classifier._network, X[:20_000])
    write_atomically(path, lambda file: write_network(file, network, about))
    with open(path, "rb") as file:
        stored, _ = read_network(file)
    for name, network in (("float32", classifier._network), ("8 bits", stored)):
        indices = network.logits(PixelScaler().fit_transform(X_test)).argmax(axis=1)
        found = classifier.classes_[indices]
        print(f"{name}: {100 * np.mean(found == y_test):.2f} % of MNIST's test set")
    print(f"trained in {seconds:.0f} s")


if __name__ == "__main__":
    main(sys.argv[1])
