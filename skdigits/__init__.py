"""A scikit-learn classifier for handwritten digits with a Keras dense network inside."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from ._version import __version__

if TYPE_CHECKING:
    from . import datasets, displays, persistence, preprocessing, presets
    from ._augmentation import Augmentation
    from ._classifier import DigitANNClassifier
    from ._fine_tuning import fine_tune
    from ._pictures.digit_reader import read_digit_images
    from ._pretrained import load_pretrained
    from ._transformers.deskewer import DigitDeskewer
    from ._transformers.image_normalizer import DigitImageNormalizer
    from ._transformers.pixel_scaler import PixelScaler
    from .persistence import load, save
    from .presets import make_reference_classifier

__all__ = [
    "Augmentation",
    "DigitANNClassifier",
    "DigitDeskewer",
    "DigitImageNormalizer",
    "PixelScaler",
    "__version__",
    "datasets",
    "displays",
    "fine_tune",
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
_MODULES = {
    "Augmentation": "_augmentation",
    "DigitANNClassifier": "_classifier",
    "DigitDeskewer": "_transformers.deskewer",
    "DigitImageNormalizer": "_transformers.image_normalizer",
    "PixelScaler": "_transformers.pixel_scaler",
    "fine_tune": "_fine_tuning",
    "load": "persistence",
    "load_pretrained": "_pretrained",
    "make_reference_classifier": "presets",
    "read_digit_images": "_pictures.digit_reader",
    "save": "persistence",
}


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        value = getattr(import_module(f".{_MODULES[name]}", __name__), name)
    elif name in __all__:
        value = import_module(f".{name}", __name__)
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
