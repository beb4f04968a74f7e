"""The classes that a model file may hold, and the attributes that are stored of each."""

from __future__ import annotations

import reprlib
from importlib import import_module
from typing import Any

import numpy as np

from .._classifier import DigitANNClassifier
from .._transformers.deskewer import DigitDeskewer
from .._transformers.image_normalizer import DigitImageNormalizer
from .._transformers.pixel_scaler import PixelScaler

# Module, class, attributes. An attribute with "?" may be None, where a parameter follows only if
# that is False. Besides, all classes have n_features_in_ and feature_names_in_?.
_CLASSES = """
skdigits DigitANNClassifier _network classes_ history_ best_epoch_ _training_scale? \
    _pretrained_learning_rate?
skdigits DigitDeskewer
skdigits DigitImageNormalizer n_features_in_?
skdigits PixelScaler
sklearn.decomposition PCA n_components_ n_samples_ components_ mean_ noise_variance_ \
    explained_variance_ explained_variance_ratio_ singular_values_ _fit_svd_solver
sklearn.feature_selection VarianceThreshold variances_
sklearn.pipeline Pipeline n_features_in_?
sklearn.preprocessing Binarizer n_features_in_?
sklearn.preprocessing MaxAbsScaler n_samples_seen_ max_abs_ scale_
sklearn.preprocessing MinMaxScaler n_samples_seen_ scale_ min_ data_min_ data_max_ data_range_
sklearn.preprocessing Normalizer n_features_in_?
sklearn.preprocessing PowerTransformer lambdas_ _scaler?standardize
sklearn.preprocessing QuantileTransformer n_quantiles_ references_ quantiles_
sklearn.preprocessing RobustScaler center_?with_centering scale_?with_scaling
sklearn.preprocessing StandardScaler n_samples_seen_ mean_?with_mean var_?with_std scale_?with_std
"""
# Attributes that are finite numbers: kinds of dtypes, smallest and largest number, and the
# attributes with the lengths of the axes.
_MAX = float(np.finfo(np.float64).max)
_N, _K, _Q = ("n_features_in_",), ("n_components_",), ("n_quantiles_",)
_NUMBERS: dict[str, tuple[str, float, float, tuple[str, ...]]] = {
    "n_features_in_ n_quantiles_": ("iu", 1, 2**22, ()),
    "n_components_": ("iu", 0, 2**22, ()),
    "n_samples_": ("iu", 1, _MAX, ()),
    "n_samples_seen_": ("iuf", 0, _MAX, ()),
    "_pretrained_learning_rate": ("f", 0, _MAX, ()),
    "noise_variance_": ("f", -_MAX, _MAX, ()),
    "mean_ center_ min_ data_min_ data_max_ max_abs_ lambdas_": ("f", -_MAX, _MAX, _N),
    "var_ variances_ data_range_": ("f", 0, _MAX, _N),
    "scale_": ("f", 5e-324, _MAX, _N),
    "explained_variance_ explained_variance_ratio_ singular_values_": ("f", 0, _MAX, _K),
    "components_": ("f", -_MAX, _MAX, _K + _N),
    "references_": ("f", 0, 1, _Q),
    "quantiles_": ("f", -_MAX, _MAX, _Q + _N),
}
_SHORT = reprlib.Repr()
_SHORT.maxother = 100
_ROWS = [line.split() for line in _CLASSES.strip().splitlines()]
_MODULES = {name: module for module, name, *_ in _ROWS}
_OWN: dict[str, type[Any]] = {
    kind.__name__: kind
    for kind in (DigitANNClassifier, DigitDeskewer, DigitImageNormalizer, PixelScaler)
}

ATTRIBUTES: dict[str, dict[str, str | None]] = {
    name: {
        attribute: switch if mark else None
        for attribute, mark, switch in (
            item.partition("?") for item in ("n_features_in_", "feature_names_in_?", *items)
        )
    }
    for _, name, *items in _ROWS
}
"""Of each class, attributes and when they may be None: never, always ("") or by a parameter."""
NUMBERS = {name: declared for names, declared in _NUMBERS.items() for name in names.split()}
"""Of each attribute, the range and the shape."""


def storable(name: str) -> type[Any]:
    """The class of this name; a ValueError if files can't hold it."""
    expect(name in ATTRIBUTES, "the class", name, f"one of {', '.join(ATTRIBUTES)}")
    return _OWN.get(name) or getattr(import_module(_MODULES[name]), name)


def expect(fits: Any, name: str, value: Any, expected: str) -> None:
    """Raise a ValueError unless something fits."""
    if not fits:
        raise ValueError(f"Got {name} {shown(value)}, expected {expected}.")


def shown(value: Any) -> str:
    """A short text of any value."""
    if isinstance(value, np.ndarray):
        return f"of shape {value.shape} and dtype {value.dtype}"
    text = value.__name__ if isinstance(value, type) else _SHORT.repr(value)
    return " ".join(text.split())
