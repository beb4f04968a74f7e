"""Data sets: MNIST and similar sets of OpenML, a sample of MNIST, own pictures in folders."""

from ._folder import load_digit_folder
from ._mnist import fetch_mnist, load_mnist_sample

__all__ = ["fetch_mnist", "load_digit_folder", "load_mnist_sample"]
