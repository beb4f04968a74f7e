"""
Pictures of single digits
=========================

Accuracy of `read_digit_images` with the packaged network on pictures of many kinds, with refused
pictures counted as errors, and how well the largest logit separates digits from other things::

    python pictures.py [FOLDER ...] [--digits 1000]

Each folder has a manifest.csv with the columns path, label and source. MNIST's test digits are read
as files, with a border as cells of a form have it, and with the corruptions of MNIST-C [1]_, which
are implemented here anew. scikit-learn's 8 × 8 digits are read as they are and enlarged.

References
----------
.. [1] N. Mu, J. Gilmer, "MNIST-C: A Robustness Benchmark for Computer Vision", ICML Workshop on
   Uncertainty and Robustness in Deep Learning, 2019.
"""

from __future__ import annotations

import argparse
import csv
import io
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw
from scipy import ndimage
from sklearn.datasets import load_digits
from sklearn.metrics import roc_auc_score

from skdigits import load_pretrained, read_digit_images
from skdigits.datasets import fetch_mnist

SIDE = 28
MODEL = load_pretrained()
Random = np.random.Generator
Picture = np.ndarray


def resized(pixels: Picture, side: int) -> Picture:
    """The picture with another side."""
    image = Image.fromarray(pixels)
    return np.asarray(image.resize((side, side), Image.Resampling.BICUBIC))


def as_bytes(ink: Picture) -> Picture:
    """Ink from 0 to 1 as bytes."""
    return np.round(255 * np.clip(ink, 0, 1)).astype(np.uint8)


def bordered(row: Picture, side: int, width: int) -> Picture:
    """Black on white in a black border."""
    picture = 255 - resized(row.reshape(SIDE, SIDE), side)
    picture[:width] = picture[-width:] = picture[:, :width] = picture[:, -width:] = 0
    return picture


# Corruptions: ink from 0 to 1 and a generator of random numbers to ink.


def transformed(ink: Picture, rng: Random, kind: str) -> Picture:
    """Rotated, scaled, sheared or moved."""
    sign = rng.choice([-1, 1])
    matrix = np.eye(2)
    offset = np.zeros(2)
    if kind == "rotate":
        angle = np.deg2rad(sign * rng.uniform(20, 35))
        matrix = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    elif kind == "scale":
        matrix = np.diag(1 / rng.uniform(0.5, 0.7, 2))
    elif kind == "shear":
        matrix[1, 0] = sign * rng.uniform(0.3, 0.5)
    else:
        offset = rng.choice([-1, 1], 2) * rng.uniform(2, 4, 2)
    middle = np.full(2, (SIDE - 1) / 2)
    return ndimage.affine_transform(ink, matrix, middle - matrix @ middle + offset, order=1)


def smooth_noise(rng: Random, size: float) -> Picture:
    """Blotches with mean 0 and standard deviation 1."""
    noise = ndimage.gaussian_filter(rng.normal(size=(SIDE, SIDE)), size)
    return (noise - noise.mean()) / noise.std()


def with_line(ink: Picture, rng: Random, dotted: bool) -> Picture:
    """A dotted straight line or a zigzag line across the picture."""
    image = Image.fromarray(as_bytes(ink))
    draw = ImageDraw.Draw(image)
    if dotted:
        start, stop = rng.uniform(2, SIDE - 2, 2)
        for x in range(0, SIDE, 2):
            draw.point((x, start + (stop - start) * x / SIDE), fill=255)
    else:
        draw.line([(x, rng.uniform(2, SIDE - 2)) for x in range(0, SIDE + 5, 5)], fill=255)
    return np.asarray(image) / 255


def glass(ink: Picture, rng: Random) -> Picture:
    """Pixels swapped with their neighbours, then blurred."""
    places = np.indices(ink.shape) + rng.integers(-1, 2, (2, *ink.shape))
    return ndimage.gaussian_filter(ink[tuple(np.clip(places, 0, SIDE - 1))], 0.7)


def stripe(ink: Picture, rng: Random) -> Picture:
    """The left and the right quarter inverted."""
    ink = ink.copy()
    for columns in (slice(None, 7), slice(21, None)):
        ink[:, columns] = 1 - ink[:, columns]
    return ink


def impulse(ink: Picture, rng: Random) -> Picture:
    """Salt and pepper."""
    return np.where(rng.random(ink.shape) < 0.12, rng.integers(0, 2, ink.shape), ink)


CORRUPTIONS: dict[str, Callable[[Picture, Random], Picture]] = {
    "shot noise": lambda ink, rng: rng.poisson(15 * ink) / 15,
    "impulse noise": impulse,
    "glass blur": glass,
    "motion blur": lambda ink, rng: ndimage.uniform_filter1d(ink, 5),
    **{kind: partial(transformed, kind=kind) for kind in ("shear", "scale", "rotate", "translate")},
    "brightness": lambda ink, rng: ink + 0.4,
    "stripe": stripe,
    "fog": lambda ink, rng: 0.5 * ink + 0.25 + 0.1 * smooth_noise(rng, 5),
    "spatter": lambda ink, rng: np.maximum(ink, 0.8 * (smooth_noise(rng, 1.2) > 1.9)),
    "dotted line": partial(with_line, dotted=True),
    "zigzag": partial(with_line, dotted=False),
    "Canny edges": lambda ink, rng: ndimage.morphological_gradient((ink > 0.5) * 1.0, 3),
}


def scribble(rng: Random) -> Picture:
    """A smooth random line, black on white."""
    image = Image.new("L", (200, 200), 255)
    points = ndimage.gaussian_filter1d(rng.normal(size=(200, 2)), 12, axis=0, mode="wrap")
    points = 100 + 75 * points / np.abs(points).max()
    ImageDraw.Draw(image).line([*map(tuple, points)], fill=0, width=6, joint="curve")
    return np.asarray(image)


# Results


class Result:
    """Predictions for some pictures; "" for refused ones."""

    def __init__(self, pictures: list[object], labels: np.ndarray) -> None:
        start = time.perf_counter()
        rows = read_digit_images(pictures, errors="ignore")
        self.seconds = time.perf_counter() - start
        self.labels = np.asarray(labels).astype(str)
        self.read = rows.any(axis=1)
        self.predicted = np.where(self.read, MODEL.predict(rows).astype(str), "")
        logits = MODEL.decision_function(rows).max(axis=1)
        self.score = np.where(self.read, logits, -np.inf)

    @property
    def right(self) -> np.ndarray:
        return self.predicted == self.labels

    def show(self, name: str, extra: str = "") -> None:
        print(
            f"{name:36}{len(self.labels):7}{100 * self.right.mean():9.2f}{(~self.read).sum():9}"
            f"{len(self.labels) / self.seconds:9.0f}  {extra}",
            flush=True,
        )


def folder_result(folder: Path) -> tuple[Result, str]:
    """The pictures of a manifest, and the mean accuracy of its sources."""
    with open(folder / "manifest.csv", newline="", encoding="utf-8") as stream:
        entries = list(csv.DictReader(stream))
    result = Result([folder / e["path"] for e in entries], np.array([e["label"] for e in entries]))
    sources = defaultdict(list)
    for entry, right in zip(entries, result.right, strict=True):
        sources[entry["source"]].append(right)
    mean = 100 * np.mean([np.mean(right) for right in sources.values()])
    return result, f"mean over {len(sources)} sources {mean:.2f}"


def as_png(row: Picture) -> bytes:
    """A file with the digit at five times the size, black on white."""
    stream = io.BytesIO()
    Image.fromarray(255 - resized(row.reshape(SIDE, SIDE), 140)).save(stream, "PNG")
    return stream.getvalue()


def digit_sets(X: Picture, y: np.ndarray) -> Iterator[tuple[str, Result]]:
    """Sets made of MNIST's test digits and of scikit-learn's."""
    yield "MNIST as PNG files, 140 × 140", Result([as_png(row) for row in X], y)
    small = load_digits()
    pictures = [as_bytes(image / 16) for image in small.images]
    yield "scikit-learn's digits, 8 × 8", Result(pictures, small.target)
    enlarged = [resized(picture, 32) for picture in pictures]
    yield "scikit-learn's digits, 32 × 32", Result(enlarged, small.target)
    for side in (28, 32, 48, 64, 96):
        for width in (1, 2, 3):
            name = f"border of {width} px at {side} × {side}"
            yield name, Result([bordered(row, side, width) for row in X], y)


def corrupted(X: Picture, y: np.ndarray) -> None:
    rates = []
    for name, corruption in CORRUPTIONS.items():
        rng = np.random.default_rng(0)
        pictures = [as_bytes(corruption(row.reshape(SIDE, SIDE) / 255, rng)) for row in X]
        result = Result(pictures, y)
        result.show(f"MNIST-C: {name}")
        rates.append(100 * result.right.mean())
    print(f"MNIST-C: mean {np.mean(rates):.1f} %, worst {min(rates):.1f} %\n")


def separation(digits: Result, count: int) -> None:
    """How the largest logit separates digits from other things."""
    fashion = fetch_mnist("fashion", subset="test").data[:count].reshape(-1, SIDE, SIDE)
    rng = np.random.default_rng(0)
    noise = [rng.integers(0, 256, (side, side)).astype(np.uint8) for side in (28, 60, 200) * 50]
    others = {
        "Fashion-MNIST": list(fashion),
        "noise": noise,
        "scribbles": [scribble(rng) for _ in range(count // 4)],
    }
    threshold = np.quantile(digits.score, 0.01)
    print("largest logit: AUROC, and share that passes where 1 % of the digits is turned away")
    for name, pictures in others.items():
        result = Result(pictures, np.full(len(pictures), "none"))
        scores = np.concatenate([digits.score, result.score])
        kinds = np.repeat([1, 0], [len(digits.score), len(result.score)])
        area = roc_auc_score(kinds, np.maximum(scores, -100))
        print(f"{name:36}{area:9.4f}{100 * np.mean(result.score >= threshold):9.1f} %")


def main() -> None:
    parser = argparse.ArgumentParser(description="Accuracy on pictures of single digits.")
    parser.add_argument("folders", type=Path, nargs="*", metavar="FOLDER")
    parser.add_argument("--digits", type=int, default=1000, help="of MNIST's test set")
    options = parser.parse_args()
    X, y = fetch_mnist(subset="test", return_X_y=True)
    X, y = np.asarray(X)[: options.digits], np.asarray(y)[: options.digits]
    print(f"{'pictures':36}{'number':>7}{'right %':>9}{'refused':>9}{'a second':>9}")
    for folder in options.folders:
        result, mean = folder_result(folder)
        result.show(folder.name, mean)
    sets = dict(digit_sets(X, y))
    for name, result in sets.items():
        result.show(name)
    print()
    corrupted(X, y)
    separation(next(iter(sets.values())), options.digits)


if __name__ == "__main__":
    main()
