"""
===========================================
Drawing the sample of MNIST for the package
===========================================

:func:`skdigits.datasets.load_mnist_sample` reads a file that this script made. It draws 5,000
digits from MNIST's training set and 1,000 from its test set, each class in proportion to its
share there, and keeps them in MNIST's order. The same seed gives the same digits, and with the
same versions of NumPy and zlib the same file.

Usage: ``python make_mnist_sample.py mnist_sample.npz``

MNIST is the work of Yann LeCun, Corinna Cortes and Christopher J. C. Burges, licensed CC BY-SA 3.0.
"""

from __future__ import annotations

import sys

import numpy as np
from sklearn.model_selection import train_test_split

from skdigits.datasets import fetch_mnist

SEED = 0
SIZES = {"train": 5_000, "test": 1_000}


def draw_subset(subset, size, *, seed=SEED, data_home=None):
    """Draw `size` digits of one of MNIST's two parts.

    Parameters
    ----------
    subset : {"train", "test"}
        The part to draw from.
    size : int
        The number of digits.
    seed : int, default=0
        Seed of the draw.
    data_home : str or path-like, default=None
        scikit-learn's data folder.

    Returns
    -------
    X : ndarray of uint8, shape (size, 784)
        Grey values 0 to 255.
    y : ndarray of uint8, shape (size,)
        The digits as numbers.
    """
    X, y = fetch_mnist(subset=subset, return_X_y=True, data_home=data_home)
    rows, _ = train_test_split(np.arange(len(y)), train_size=size, stratify=y, random_state=seed)
    rows.sort()
    return X[rows], y[rows].astype(np.uint8)


def write_sample(file, *, seed=SEED, data_home=None):
    """Write the sample, training digits first, as a compressed npz with X and y."""
    drawn = [draw_subset(*item, seed=seed, data_home=data_home) for item in SIZES.items()]
    X, y = (np.concatenate(parts) for parts in zip(*drawn, strict=True))
    np.savez_compressed(file, X=X, y=y)


if __name__ == "__main__":
    write_sample(sys.argv[1] if len(sys.argv) > 1 else "mnist_sample.npz")
