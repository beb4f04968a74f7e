"""
MNIST through the reader of pictures
====================================

How much accuracy `read_digit_images` costs on digits that are in MNIST's form already: the test
set as it is, as PNG files, inverted, and enlarged as ink on white paper::

    python mnist_through_reader.py [--digits 10000]
"""

from __future__ import annotations

import argparse
import io
from collections.abc import Callable

import numpy as np
from PIL import Image

from skdigits import load_pretrained, read_digit_images
from skdigits.datasets import fetch_mnist

CHUNK = 1000


def as_png(digit: np.ndarray) -> bytes:
    """A digit as the bytes of a file."""
    stream = io.BytesIO()
    Image.fromarray(digit).save(stream, "PNG")
    return stream.getvalue()


def on_paper(digit: np.ndarray) -> np.ndarray:
    """A digit eight times as large, black on white."""
    side = 8 * len(digit)
    large = Image.fromarray(255 - digit).resize((side, side), Image.Resampling.BICUBIC)
    return np.asarray(large)


WAYS: dict[str, Callable[[np.ndarray], object]] = {
    "arrays": lambda digit: digit,
    "PNG files": as_png,
    "arrays, black on white": lambda digit: 255 - digit,
    "8 times as large, black on white": on_paper,
}


def main() -> None:
    parser = argparse.ArgumentParser(description="Accuracy on MNIST before and after the reader.")
    parser.add_argument("--digits", type=int, default=10_000, help="of the test set's 10,000")
    options = parser.parse_args()
    X, y = fetch_mnist(subset="test", return_X_y=True)
    X, y = np.asarray(X)[: options.digits], np.asarray(y)[: options.digits].astype(str)
    model = load_pretrained()
    before = model.predict(X).astype(str) == y
    print(f"{'MNIST test digits':34}{'right':>9}{'lost':>8}{'unread':>8}{'changed':>9}")
    print(f"{'as they are':34}{before.mean():9.2%}")
    for name, way in WAYS.items():
        rows = [
            read_digit_images([way(row.reshape(28, 28)) for row in X[i : i + CHUNK]], "ignore")
            for i in range(0, len(X), CHUNK)
        ]
        read = np.concatenate(rows)
        right = (model.predict(read).astype(str) == y) & read.any(axis=1)
        lost = 100 * (before.mean() - right.mean())
        changed = (read != X).any(axis=1).mean()
        unread = (~read.any(axis=1)).sum()
        print(f"{name:34}{right.mean():9.2%}{lost:8.2f}{unread:8}{changed:9.2%}")
    print("(lost in points; unread: no single digit found; changed: any pixel)")


if __name__ == "__main__":
    main()
