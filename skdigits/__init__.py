"""A scikit-learn classifier for handwritten digits with a Keras dense network inside."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from . import datasets, displays, persistence, preprocessing, presets
    from ._augmentation import Augmentation
    from ._classifier import DigitANNClassifier
    from ._pretrained import load_pretrained
    from .persistence import load, save
    from .preprocessing import DigitImageNormalizer, PixelScaler, read_digit_images
    from .presets import make_reference_classifier

__version__ = "0.1.0"

__all__ = [
    "Augmentation",
    "DigitANNClassifier",
    "DigitImageNormalizer",
    "PixelScaler",
    "__version__",
    "datasets",
    "displays",
    "load",
    "load_pretrained",
    "make_reference_classifier",
    "persistence",
    "preprocessing",
    "presets",
    "read_digit_images",
    "save",
]

# Importing scikit-learn takes seconds, which `skdigits --help` shall not.
_HOMES = {
    "Augmentation": "_augmentation",
    "DigitANNClassifier": "_classifier",
    "DigitImageNormalizer": "preprocessing",
    "PixelScaler": "preprocessing",
    "load": "persistence",
    "load_pretrained": "_pretrained",
    "make_reference_classifier": "presets",
    "read_digit_images": "preprocessing",
    "save": "persistence",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        value = getattr(import_module(f".{_HOMES[name]}", __name__), name)
    elif name in __all__:
        value = import_module(f".{name}", __name__)
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
