"""Whether averaging over views of a digit at prediction earns its place: validation errors.

    python examples/benchmarks/views.py

A network of the preset "fast" is trained on 50,000 rows of MNIST's training set, with gentle and
with full deformation. The other 10,000 are predicted as they are, and from the mean probabilities
over themselves and shifted or turned copies.
"""

from __future__ import annotations

import warnings

import numpy as np
from _results import print_table
from choose_recipes import HALF, validation_split
from scipy.ndimage import rotate, shift

from skdigits import make_reference_classifier

STEPS = [(0, 1), (0, -1), (1, 0), (-1, 0), (1, 1), (1, -1), (-1, 1), (-1, -1)]


def shifted(X: np.ndarray, pixels: float, n_views: int) -> list[np.ndarray]:
    """Copies moved along the axes, from the fifth on along the diagonals."""
    images = X.reshape(-1, 28, 28)
    steps = [(0, pixels * down, pixels * right) for down, right in STEPS[:n_views]]
    return [shift(images, step, order=1).reshape(X.shape) for step in steps]


def turned(X: np.ndarray, degrees: float) -> list[np.ndarray]:
    images = X.reshape(-1, 28, 28)
    return [
        rotate(images, angle, axes=(1, 2), reshape=False, order=1).reshape(X.shape)
        for angle in (degrees, -degrees)
    ]


def main() -> None:
    warnings.simplefilter("ignore")
    X_train, X_val, y_train, y_val = validation_split("mnist_784")
    views = {
        "4 views shifted by half a pixel": shifted(X_val, 0.5, 4),
        "4 views shifted by a pixel": shifted(X_val, 1, 4),
        "8 views shifted by a pixel": shifted(X_val, 1, 8),
        "2 views turned by 8 degrees": turned(X_val, 8),
    }
    rows: list[list[str]] = []
    for name, augmentation in (("gentle", HALF), ("full", "elastic")):
        model = make_reference_classifier("fast", augmentation=augmentation, random_state=0)
        alone = model.fit(X_train, y_train).predict_proba(X_val)
        errors = {"one": (alone.argmax(axis=1) != y_val).sum()}
        for what, copies in views.items():
            mean = np.mean([alone, *map(model.predict_proba, copies)], axis=0)
            errors[f"one and {what}"] = (mean.argmax(axis=1) != y_val).sum()
        rows += [[what, name, str(wrong)] for what, wrong in errors.items()]
    print_table(["views", "augmentation", f"errors of {len(y_val):,}"], rows, "views")


if __name__ == "__main__":
    main()
